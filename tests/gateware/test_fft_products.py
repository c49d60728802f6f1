# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Tiles, the magnitude threshold, real inputs and windows against their models, bit for bit and cycle for cycle."""

import numpy as np
import pytest
from tests.gateware.checks_fft import (
    check_fft2d,
    check_real,
    check_real_pair,
    check_threshold,
    check_window,
)

from spectramac.gateware.fft.window import check_coefficients
from spectramac.spec.fft_config import FFTConfig

STALLS = ("none", "source", "sink", "both")


def tile(log2_rows, log2_columns, scaling="halving", **changes):
    return FFTConfig(
        log2_n_max=log2_rows + log2_columns,
        log2_columns=log2_columns,
        scaling=scaling,
        twiddle_width=18,
        **changes,
    )


TILES = [
    tile(2, 2),
    tile(2, 2, "growth"),
    tile(3, 3),
    tile(3, 2, "growth"),
    tile(2, 3),
    tile(2, 4, "growth", data_width=12),
]


def name(config):
    fields = [config.scaling, config.order, 1 << config.log2_n_max, 1 << config.log2_columns]
    return "-".join(map(str, fields))


@pytest.mark.parametrize("order", ["bit_reversed", "natural"])
@pytest.mark.parametrize("config", TILES, ids=name)
def test_tiles(config, order):
    check_fft2d(FFTConfig(**{**vars(config), "order": order}))


@pytest.mark.parametrize("stalls", STALLS[1:])
def test_tiles_with_stalls(stalls):
    check_fft2d(tile(2, 3, order="natural"), stalls=stalls)


THRESHOLD = [
    FFTConfig(log2_n_max=3, scaling="halving"),
    FFTConfig(log2_n_max=4, scaling="growth", twiddle_width=18),
    FFTConfig(log2_n_max=4, scaling="halving", order="natural"),
    tile(2, 2),
    tile(2, 3, order="natural"),
    FFTConfig(log2_n_max=5, data_width=24, scaling="growth"),
]


@pytest.mark.parametrize("config", THRESHOLD, ids=name)
def test_threshold(config):
    check_threshold(config)


@pytest.mark.parametrize("stalls", STALLS[1:])
@pytest.mark.parametrize("config", THRESHOLD[:3], ids=name)
def test_threshold_with_stalls(config, stalls):
    check_threshold(config, stalls=stalls, reset_after=5)


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("log2_n", [3, 4, 6])
def test_threshold_of_any_size(log2_n, stalls):
    check_threshold(FFTConfig(log2_n_max=log2_n), stalls=stalls, n_frames=16, any_size=True)


@pytest.mark.parametrize("config", [THRESHOLD[0], THRESHOLD[2], FFTConfig(log2_n_max=4)])
def test_threshold_with_a_long_stall(config):
    """Everything is full, then the sink pauses at random: no level is lost, and no cycle."""
    result = check_threshold(config, n_frames=24, stalls="sink", sink_delay=400)
    assert max(result.in_cycles) > 400
    for k in range(1, len(result.outputs)):
        assert result.valid_cycles[k] == result.out_cycles[k - 1] + 1


REAL = [
    FFTConfig(log2_n_max=3, scaling="halving", headroom=1),
    FFTConfig(log2_n_max=4, scaling="growth", twiddle_width=18),
    FFTConfig(log2_n_max=5, scaling="halving", headroom=1, data_width=12),
    FFTConfig(log2_n_max=3, scaling="growth", data_width=24, twiddle_width=18),
]


@pytest.mark.parametrize("config", REAL, ids=name)
@pytest.mark.parametrize("check", [check_real_pair, check_real])
def test_real(check, config):
    check(config)


@pytest.mark.parametrize("stalls", STALLS[1:])
@pytest.mark.parametrize("config", REAL[:2], ids=name)
@pytest.mark.parametrize("check", [check_real_pair, check_real])
def test_real_with_stalls(check, config, stalls):
    check(config, stalls=stalls, reset_after=5)


@pytest.mark.parametrize("check", [check_real_pair, check_real])
def test_real_for_long(check):
    """Many frames: no cycle is lost; with a sink that sleeps, nothing is."""
    check(REAL[0], n_frames=24)
    result = check(REAL[0], n_frames=24, stalls="sink", sink_delay=300)
    assert max(result.in_cycles) > 300
    for k in range(1, len(result.outputs)):
        assert result.valid_cycles[k] >= result.out_cycles[k - 1] + 1


WINDOWED = [
    FFTConfig(log2_n_max=3, scaling="halving"),
    FFTConfig(log2_n_max=4, scaling="growth", twiddle_width=18, data_width=12),
    FFTConfig(log2_n_max=4, scaling="halving", order="natural", twiddle_width=18),
]


@pytest.mark.parametrize("window", ["hann", "rectangular"])
@pytest.mark.parametrize("config", WINDOWED, ids=name)
def test_window(config, window):
    check_window(config, name=window)


@pytest.mark.parametrize("stalls", STALLS[1:])
def test_window_with_stalls(stalls):
    check_window(WINDOWED[2], stalls=stalls, reset_after=5)


def test_window_for_long():
    check_window(WINDOWED[0], n_frames=20)
    check_window(WINDOWED[0], n_frames=20, stalls="sink", sink_delay=300)


@pytest.mark.parametrize(
    ("config", "coefficients", "message"),
    [
        (FFTConfig(log2_n_max=3), [0] * 8, "scaling must be 'halving' or 'growth' with a window"),
        (WINDOWED[0], [0] * 7, "coefficients must be 8 numbers, not 7"),
        (WINDOWED[0], [0] * 7 + [16385], "coefficients must be from -8192 to 16384, not 16385"),
        (WINDOWED[0], [-8193] + [0] * 7, "coefficients must be from -8192 to 16384, not -8193"),
    ],
)
def test_bad_windows_are_refused(config, coefficients, message):
    with pytest.raises(ValueError, match=message):
        check_coefficients(config, coefficients)


@pytest.mark.parametrize("stalls", ["none", "both"])
@pytest.mark.parametrize(
    ("check", "config"),
    [
        (check_fft2d, tile(2, 2)),
        (check_threshold, THRESHOLD[0]),
        (check_threshold, FFTConfig(log2_n_max=3)),
        (check_real, REAL[0]),
        (check_real_pair, REAL[0]),
        (check_window, WINDOWED[0]),
    ],
)
def test_framing_error(check, config, stalls):
    """A missing and a premature ``last`` are reported; frames are made by count all the same."""
    end = config.n_max
    check(config, stalls=stalls, wrong_last=(end - 1, end, end + 4))


def check_random_configuration(seed):
    """Any product, size, widths, scaling, order and stalls."""
    rng = np.random.default_rng([78, seed])
    check = (check_fft2d, check_threshold, check_real, check_real_pair)[seed % 4]
    fixed = check is not check_threshold or rng.random() < 0.5
    log2_n = int(rng.integers(4 if check is check_fft2d else 3, 8))
    natural = fixed and log2_n > 3 and rng.random() < 0.5
    flat = check in (check_real, check_real_pair) or not fixed or log2_n < 4
    scaling = str(rng.choice(["halving", "growth"])) if fixed else "per_stage"
    columns = 0
    if not flat and (check is check_fft2d or rng.random() < 0.5):
        columns = int(rng.integers(2, log2_n - 1))
    config = FFTConfig(
        log2_n_max=log2_n,
        data_width=int(rng.integers(8, 25)),
        twiddle_width=int(rng.integers(8, 19)),
        scaling=scaling,
        order="natural" if natural else "bit_reversed",
        log2_columns=columns,
        headroom=int(scaling == "halving" and check in (check_real, check_real_pair)),
    )
    options = {} if fixed else {"any_size": True}
    check(config, stalls=STALLS[int(rng.integers(4))], n_frames=4, **options)


@pytest.mark.parametrize("seed", range(4))
def test_random_configuration(seed):
    check_random_configuration(seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4, 124))
def test_many_random_configurations(seed):
    check_random_configuration(seed)
