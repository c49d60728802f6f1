# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Tiles, the magnitude threshold, real inputs and windows against their models, bit for bit and cycle for cycle."""

import pytest
from tests.gateware.checks_fft import check_fft2d, check_threshold

from spectramac.spec.config import FFTConfig

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
