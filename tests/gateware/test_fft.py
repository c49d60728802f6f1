# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Both transform cores against the model, bit for bit, and their timing against the formulas."""

import numpy as np
import pytest
from amaranth.hdl import Fragment
from tests.gateware.cases_fft import Frame, random_frame
from tests.gateware.checks_fft_core import (
    check_falling_sizes,
    check_fixed,
    check_framing,
    check_full_scale,
    check_long_stall,
    check_overflow_strobe,
    check_random_configuration,
    check_twiddle,
    run,
)
from tests.gateware.streams import STALLS

from spectramac.gateware.fft import FFT, IterativeFFT, PipelinedFFT, narrow
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.timing import fft_cycles_per_frame, fft_latency, fft_phases

PIPELINED = [FFTConfig(log2_n_max=n) for n in (3, 4, 5, 6)]
WITHOUT_MULTIPLIERS = [
    FFTConfig(log2_n_max=n, log2_axis_max=axis) for n, axis in ((3, 3), (6, 3), (4, 4), (8, 4))
]
ITERATIVE = [FFTConfig(log2_n_max=n, data_width=15, architecture="iterative") for n in (3, 4, 5, 6)]


def name(value):
    if not isinstance(value, FFTConfig):
        return None
    axis = f"-axis{value.log2_axis_max}" if value.log2_axis_max else ""
    return f"{value.architecture}{value.log2_n_max}{axis}"


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize(
    "config", PIPELINED[1:] + WITHOUT_MULTIPLIERS + [ITERATIVE[1], ITERATIVE[3]], ids=name
)
def test_back_to_back_frames_of_all_kinds(config, stalls):
    """Successive frames differ in size, direction, scaling and dimension; a reset interrupts the first."""
    rng = np.random.default_rng([config.log2_n_max, STALLS.index(stalls)])
    full = [random_frame(config, rng, config.log2_n_max) for _ in range(2)]
    others = [random_frame(config, rng) for _ in range(8 if config.log2_n_max < 6 else 3)]
    result = run(config, full + others, stalls=stalls, seed=1, reset_after=11)
    assert bool(result.strobes["overflow"]) == any(
        item.expected(config).overflow for item in full + others
    )


FIXED = [
    FFTConfig(log2_n_max=n, twiddle_width=18, scaling=scaling)
    for scaling in ("halving", "growth", "block")
    for n in (3, 4, 5, 6)
]


@pytest.mark.parametrize("stalls", ["none", "both"])
@pytest.mark.parametrize("config", FIXED, ids=lambda c: f"{c.scaling}{c.log2_n_max}")
def test_fixed(config, stalls):
    check_fixed(config, stalls)


@pytest.mark.parametrize(
    "config",
    [
        FFTConfig(log2_n_max=8, twiddle_width=18, scaling="halving"),
        FFTConfig(log2_n_max=7, data_width=8, scaling="growth"),
        FFTConfig(log2_n_max=4, data_width=24, twiddle_width=18, scaling="halving"),
        FFTConfig(log2_n_max=5, data_width=24, twiddle_width=18, scaling="growth"),
    ],
    ids=lambda c: f"{c.scaling}{c.log2_n_max}-{c.data_width}",
)
def test_fixed_of_other_widths(config):
    check_fixed(config)


@pytest.mark.parametrize(
    "config", [PIPELINED[1], WITHOUT_MULTIPLIERS[2], FIXED[1], FIXED[2], FIXED[6]]
)
def test_full_scale(config):
    check_full_scale(config)


@pytest.mark.parametrize("stalls", ["none", "source", "both"])
@pytest.mark.parametrize("log2_n", [4, 5, 6])
def test_natural_order(log2_n, stalls):
    config = FFTConfig(log2_n_max=log2_n, scaling="halving", order="natural")
    check_fixed(config, stalls)


def test_natural_order_with_a_long_stall():
    check_long_stall(FFTConfig(log2_n_max=4, scaling="halving", order="natural"))


@pytest.mark.parametrize("seed", range(8))
def test_random_configuration(seed):
    check_random_configuration(seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(8, 232))
def test_many_random_configurations(seed):
    check_random_configuration(seed)


def test_twiddle():
    check_twiddle(FIXED[2])


@pytest.mark.parametrize("config", PIPELINED[1:], ids=name)
def test_falling_sizes(config):
    check_falling_sizes(config)


@pytest.mark.parametrize("config", [PIPELINED[1], FIXED[1]])
def test_long_stall(config):
    check_long_stall(config)


@pytest.mark.parametrize(
    "config", [FFTConfig(log2_n_max=7), FFTConfig(log2_n_max=8, data_width=18)], ids=name
)
def test_deep_delay_lines(config):
    """Sizes whose delay lines are block RAM, and odd and even largest sizes."""
    rng = np.random.default_rng(7)
    sizes = (config.log2_n_max, config.log2_n_max, 4)
    run(config, [random_frame(config, rng, n) for n in sizes], stalls="source")


def test_twiddle_factors_of_logic_cells():
    """Where the factors of the inverse have no words of their own."""
    config = PIPELINED[2]
    rng = np.random.default_rng(8)
    frames = [random_frame(config, rng) for _ in range(6)]
    assert {frame.inverse for frame in frames} == {False, True}
    run(config, frames, core=FFT(config, small_roms_in_logic=True))


@pytest.mark.parametrize("two_d", [False, True])
@pytest.mark.parametrize("config", [PIPELINED[3], ITERATIVE[3]], ids=name)
def test_special_frames(config, two_d):
    """Zero, full scale, delta, exponential; forward with halving."""
    n = config.n_max
    low, high = config.data.minimum, config.data.maximum
    zero, delta = np.zeros(n, np.int64), np.eye(1, n, 3, dtype=np.int64)[0] * low
    wave = high * np.exp(2j * np.pi * 5 * np.arange(n) / n)
    pairs = [
        (zero, zero),
        (zero + low, zero + high),
        (delta, -1 - delta),
        (np.rint(wave.real).astype(np.int64), np.rint(wave.imag).astype(np.int64)),
    ]
    for halve in (0, n - 1)[: 2 if config.architecture == "pipelined" else 1]:
        run(config, [Frame(re, im, two_d=two_d, halve=halve) for re, im in pairs])


@pytest.mark.parametrize("config", [PIPELINED[1], ITERATIVE[1]], ids=name)
def test_overflow_strobe_equals_model(config):
    check_overflow_strobe(config)


@pytest.mark.parametrize("config", PIPELINED + ITERATIVE, ids=name)
def test_timing(config):
    """Latency and initiation interval are what the formulas say, without a gap in between."""
    rng = np.random.default_rng(2)
    every = config.log2_n_max == 6
    for log2_n in range(3 if every else config.log2_n_max, config.log2_n_max + 1):
        n = 1 << log2_n
        result = run(config, [random_frame(config, rng, log2_n) for _ in range(2)])
        assert result.valid_cycles[0] - result.in_cycles[0] == fft_latency(config, log2_n)
        interval = fft_cycles_per_frame(config, log2_n)
        assert result.in_cycles[n] - result.in_cycles[0] == interval
        assert result.out_cycles[n] - result.out_cycles[0] == interval
        assert result.out_cycles[n - 1] - result.out_cycles[0] == n - 1


def test_full_rate_with_changing_control():
    """Direction, scaling and dimension change from frame to frame without a gap."""
    config = PIPELINED[1]
    rng = np.random.default_rng(3)
    result = run(config, [random_frame(config, rng, 4) for _ in range(6)])
    assert result.in_cycles == list(range(96))
    assert result.out_cycles == list(range(result.out_cycles[0], result.out_cycles[0] + 96))


def test_phases_of_the_iterative_core():
    """A sink that stalls delays the next frame by its stalls, and by nothing else."""
    config, n = ITERATIVE[1], 16
    phases = fft_phases(4)
    rng = np.random.default_rng(3)
    result = run(config, [random_frame(config, rng, 4) for _ in range(3)], stalls="sink")
    for first in (0, n, 2 * n):
        start = result.in_cycles[first]
        assert result.in_cycles[first : first + n] == list(range(start, start + phases.load))
        assert result.valid_cycles[first] == start + phases.load + phases.compute
        for k in range(first + 1, first + n):
            assert result.valid_cycles[k] == result.out_cycles[k - 1] + 1
        if first:
            assert start == result.out_cycles[first - 1] + 1


@pytest.mark.parametrize("config", [PIPELINED[0], ITERATIVE[0]], ids=name)
def test_framing_error(config):
    """A missing and a premature ``last``."""
    check_framing(config, [3, 3], [7, 8, 12])


def test_wrong_rounding_is_seen(monkeypatch):
    """The comparison fails for half-up instead of half-even rounding."""
    monkeypatch.setattr(narrow, "round_half_even", lambda value, shift: (value + 1) >> shift)
    rng = np.random.default_rng(0)
    re, im = rng.integers(-1000, 1000, (2, 16))
    with pytest.raises(AssertionError, match="frame 0, position"):
        run(FIXED[1], [Frame(re, im)])


@pytest.mark.parametrize(
    ("config", "core"), [(PIPELINED[0], PipelinedFFT), (ITERATIVE[0], IterativeFFT)], ids=name
)
def test_factory(config, core):
    dut = FFT(config)
    Fragment.get(dut, None)
    assert isinstance(dut, core)
    assert dut.latency(3) == fft_latency(config, 3)
    assert dut.cycles_per_frame(3) == fft_cycles_per_frame(config, 3)
