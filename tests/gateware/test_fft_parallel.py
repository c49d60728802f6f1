# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The transform of several samples a clock against the model, bit for bit, and its timing against the formulas."""

import re

import numpy as np
import pytest
from amaranth.back import rtlil
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
    run,
)
from tests.gateware.drive import refused, simulate
from tests.gateware.streams import STALLS

from spectramac.gateware.fft import FFT, ParallelFFT, PipelinedFFT
from spectramac.gateware.fft.path_product import signed_digits
from spectramac.gateware.fft.path_twiddle import ParallelTwiddle
from spectramac.gateware.fft.real import RealFFT, RealPairFFT
from spectramac.gateware.fft.threshold import ThresholdFFT
from spectramac.gateware.fft.window import WindowedFFT
from spectramac.model.fft import _narrow, _product, bit_reverse, twiddle_index, twiddle_table
from spectramac.model.fixed import round_shift
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import plan
from spectramac.spec.timing import fft_cycles_per_frame, fft_latency

SCALINGS = ("per_stage", "halving", "growth")
PATHS = (2, 4, 8)


def config_of(scaling, log2_n, n_paths, **others):
    others.setdefault("twiddle_width", 16 if scaling == "per_stage" else 18)
    return FFTConfig(log2_n_max=log2_n, scaling=scaling, samples_per_clock=n_paths, **others)


def check_all_kinds(config, stalls, n_frames=12):
    """Successive frames differ in size, direction, scaling and dimension; a reset interrupts the first."""
    rng = np.random.default_rng([config.log2_n_max, STALLS.index(stalls)])
    frames = [random_frame(config, rng, config.log2_n_max) for _ in range(2)]
    frames += [random_frame(config, rng) for _ in range(n_frames)]
    result = run(config, frames, stalls=stalls, seed=1, reset_after=2)
    assert bool(result.strobes["overflow"]) == any(
        item.expected(config).overflow for item in frames
    )


def check_square(config):
    """Every size that has two dimensions, in both directions, and one dimension between them."""
    rng = np.random.default_rng(8)
    frames = []
    for log2_n in [*range(4, config.log2_n_max + 1, 2)] * 2:
        frames += [random_frame(config, rng, log2_n) for _ in range(3)]
        frames[-1].two_d = frames[-2].two_d = True
        frames[-3].two_d = False
        frames[-1].inverse, frames[-2].inverse = False, True
    run(config, frames)


def check_products(config, stage_number):
    """Products with ties, and with sums of parts that need clipping, which no frame produces."""
    n_paths = config.samples_per_clock
    stage = next(s for s in plan(config) if s.m == stage_number)
    dut = ParallelTwiddle(config, stage, n_paths, lead=1)
    n, top = 2 << stage_number, 1 << (stage.factor_width - 2)
    rng = np.random.default_rng(2)
    ends = [-2 * top, -top, -top // 4, -1, 0, 1, top // 4, top, 2 * top - 1]
    values = [(x, y) for x in ends for y in ends]
    values += rng.integers(-2 * top, 2 * top, (20, 2)).tolist()
    a, b = (np.array([[v[k]] * n for v in values]) for k in range(2))
    re, im = _product(a, b, stage, twiddle_index(stage_number, stage_number + 1, False), config)
    overflow = np.zeros(len(values), np.bool_)
    parts = [round_shift(part, config.twiddle.fraction) for part in (re, im)]
    fits = np.all([abs(part) < 1 << (stage.product.width - 1) for part in parts], axis=0)
    if stage.product.saturates:
        parts = [
            _narrow(part, config.twiddle.fraction, stage.product, overflow) for part in (re, im)
        ]
        fits[:] = True
    assert fits.mean() > 0.5
    shape = (-1, n_paths)
    expected = [part.reshape(shape).tolist() for part in parts]
    fits = fits.reshape(shape)
    inputs = [part.reshape(shape).tolist() for part in (a, b)]
    got = []

    async def bench(ctx):
        for t in range(len(inputs[0]) + dut.latency + 1):
            ctx.set(dut.early.valid, int(t < len(inputs[0])))
            ctx.set(dut.i.valid, int(0 < t <= len(inputs[0])))
            if 0 < t <= len(inputs[0]):
                for k in range(n_paths):
                    ctx.set(dut.i.re[k], inputs[0][t - 1][k])
                    ctx.set(dut.i.im[k], inputs[1][t - 1][k])
            _, _, valid, *sample = await ctx.tick().sample(dut.o.valid, *dut.o.re, *dut.o.im)
            if valid:
                got.append((sample[:n_paths], sample[n_paths:]))

    simulate(dut, bench)
    assert len(got) == len(inputs[0])
    for t, word in enumerate(got):
        for k in np.flatnonzero(fits[t]):
            actual = tuple(part[k] for part in word)
            wanted = tuple(part[t][k] for part in expected)
            assert actual == wanted, f"word {t}, path {k}: rtl {actual}, model {wanted}"


@pytest.mark.parametrize("log2_n", [3, 4, 6])
@pytest.mark.parametrize("n_paths", PATHS)
@pytest.mark.parametrize("scaling", SCALINGS)
def test_one_size(scaling, n_paths, log2_n):
    check_fixed(config_of(scaling, log2_n, n_paths))


@pytest.mark.parametrize("n_paths", PATHS)
def test_headroom(n_paths):
    config = config_of("halving", 4, n_paths, headroom=1)
    check_fixed(config)
    check_full_scale(config)


@pytest.mark.parametrize("stalls", ["source", "both"])
@pytest.mark.parametrize("n_paths", PATHS)
@pytest.mark.parametrize("scaling", ["halving", "growth"])
def test_stalls(scaling, n_paths, stalls):
    check_fixed(config_of(scaling, 5, n_paths), stalls)


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("n_paths", PATHS)
@pytest.mark.parametrize("log2_n", [4, pytest.param(5, marks=pytest.mark.long)])
def test_back_to_back_frames_of_all_kinds(log2_n, n_paths, stalls):
    check_all_kinds(config_of("per_stage", log2_n, n_paths), stalls)


@pytest.mark.parametrize("n_paths", PATHS)
@pytest.mark.parametrize("log2_n_max", [5, pytest.param(6, marks=pytest.mark.long)])
def test_timing_of_each_size(log2_n_max, n_paths):
    """Latency and initiation interval are what the formulas say, for frames of one to many words."""
    config = config_of("per_stage", log2_n_max, n_paths)
    rng = np.random.default_rng(2)
    for log2_n in range(3, log2_n_max + 1):
        interval = fft_cycles_per_frame(config, log2_n)
        assert interval == (1 << log2_n) // n_paths
        result = run(config, [random_frame(config, rng, log2_n) for _ in range(3)])
        assert result.valid_cycles[0] - result.in_cycles[0] == fft_latency(config, log2_n)
        # Direction, scaling and dimension change from frame to frame without a gap.
        assert result.in_cycles == list(range(3 * interval))
        first = result.out_cycles[0]
        assert result.out_cycles == list(range(first, first + 3 * interval))


@pytest.mark.parametrize("n_paths", PATHS)
def test_two_dimensions(n_paths):
    check_square(config_of("per_stage", 6, n_paths))


@pytest.mark.parametrize(("log2_n", "n_paths"), [(4, 2), (4, 8), (6, 4)])
def test_falling_sizes(log2_n, n_paths):
    check_falling_sizes(config_of("per_stage", log2_n, n_paths))


@pytest.mark.parametrize(
    ("scaling", "log2_n", "n_paths"),
    [("per_stage", 4, 2), ("per_stage", 4, 8), ("halving", 6, 4), ("growth", 5, 2)],
)
def test_full_scale(scaling, log2_n, n_paths):
    check_full_scale(config_of(scaling, log2_n, n_paths))


@pytest.mark.parametrize(("scaling", "n_paths"), [("per_stage", 8), ("halving", 2), ("growth", 4)])
def test_long_stall(scaling, n_paths):
    check_long_stall(config_of(scaling, 4, n_paths))


@pytest.mark.parametrize("n_paths", PATHS)
@pytest.mark.parametrize("scaling", SCALINGS)
def test_products(scaling, n_paths):
    check_products(config_of(scaling, 6, n_paths), 3)


@pytest.mark.parametrize(("scaling", "log2_n", "n_paths"), [("halving", 7, 2), ("per_stage", 8, 4)])
def test_deep_delay_lines(scaling, log2_n, n_paths):
    """Half blocks of block RAM."""
    config = config_of(scaling, log2_n, n_paths)
    rng = np.random.default_rng(7)
    sizes = [log2_n, log2_n] + ([] if config.is_fixed else [3, log2_n - 1])
    run(config, [random_frame(config, rng, n) for n in sizes], stalls="source")


def test_overflow_strobe_equals_model():
    check_overflow_strobe(config_of("per_stage", 4, 4))


@pytest.mark.parametrize("n_paths", PATHS)
def test_overflow_in_the_last_stage_is_in_time(n_paths):
    """With full scale in one direction only the last narrowing clips."""
    config = config_of("halving", 4, n_paths)
    n = config.n_max
    angle = 2 * np.pi * (np.arange(n) + 0.5) / n
    low, high = config.data.minimum, config.data.maximum
    item = Frame(*(np.where(part(angle) > 0, high, low) for part in (np.cos, np.sin)))
    assert item.expected(config).overflow
    result = run(config, [item])
    strobes = result.strobes["overflow"]
    assert result.valid_cycles[0] <= strobes[0] <= strobes[-1] <= result.valid_cycles[-1] + 1


@pytest.mark.parametrize("n_paths", PATHS)
def test_framing_error(n_paths):
    """A premature ``last`` and missing ones; frames of one word with 8 samples a clock."""
    n = 8 // n_paths
    check_framing(config_of("per_stage", 4, n_paths), [4, 3, 3, 4], [0, 3 * n - 1, 6 * n - 1])


@pytest.mark.parametrize("seed", range(6))
def test_random_configuration(seed):
    check_random_configuration(seed, PATHS)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6, 216))
def test_many_random_configurations(seed):
    check_random_configuration(seed, PATHS)


@pytest.mark.long
@pytest.mark.parametrize("n_paths", PATHS)
@pytest.mark.parametrize("scaling", SCALINGS)
def test_1024_points(scaling, n_paths):
    config = config_of(scaling, 10, n_paths)
    rng = np.random.default_rng(1)
    run(config, [random_frame(config, rng, 10) for _ in range(2)])


@pytest.mark.parametrize("log2_n", [3, 5])
@pytest.mark.parametrize("n_paths", PATHS)
def test_order_of_the_bins(n_paths, log2_n):
    """``x{k}`` of word t is bin reverse(k)·N/P + reverse(t), as the docstring says."""
    n, bits = 1 << log2_n, n_paths.bit_length() - 1
    leaving = bit_reverse(n).reshape(-1, n_paths)  # what the model's bit-reversed result has there
    low = bit_reverse(n_paths) * (n // n_paths)
    high = bit_reverse(1 << (log2_n - bits))
    assert np.array_equal(leaving, low + high[:, None])


@pytest.mark.parametrize("width", range(8, 19))
def test_digits_of_the_constant(width):
    """The constant of the products without multiplier has its value, with the digit 1.0."""
    c = int(twiddle_table(3, width)[0][1])
    digits = signed_digits(c)
    assert sum(sign * times << k for k, times, sign in digits) == c
    assert digits[0] == (width - 2, 1, 1)


def n_multipliers(config):
    """``Multiplier`` instances in the elaborated transform."""
    text = rtlil.convert(FFT(config), name="top")
    return len(re.findall(r"(?m)^ *cell \\top\.\S+ \\k[123]$", text))


@pytest.mark.parametrize("scaling", SCALINGS)
def test_eight_points_take_no_multiplier(scaling):
    assert n_multipliers(config_of(scaling, 3, 8)) == 0


def test_number_of_multipliers():
    """64 points at 4 samples a clock: paths 1 and 3 of stage 3, and all of stage 5."""
    assert n_multipliers(config_of("growth", 6, 4)) == 3 * (2 + 4)


def test_members():
    config = config_of("per_stage", 6, 4)
    dut = FFT(config)
    Fragment.get(dut, None)
    assert isinstance(dut, ParallelFFT)
    assert dut.latency(5) == fft_latency(config, 5)
    assert dut.cycles_per_frame(5) == fft_cycles_per_frame(config, 5) == 8
    serial = FFTConfig(log2_n_max=6)
    refused(ValueError, "samples_per_clock must be 2, 4 or 8, not 1", lambda: ParallelFFT(serial))
    refused(ValueError, "samples_per_clock must be 1, not 4", lambda: PipelinedFFT(config))


def test_what_is_built_around_one_sample_a_clock_is_refused():
    config = config_of("halving", 4, 4, headroom=1)
    for component, where in (
        (RealFFT, "real inputs"),
        (RealPairFFT, "real inputs"),
        (ThresholdFFT, "a threshold"),
        (lambda config: WindowedFFT(config, [0] * 16), "a window"),
    ):
        message = f"samples_per_clock must be 1 with {where}, not 4"
        refused(ValueError, message, lambda component=component: component(config))
