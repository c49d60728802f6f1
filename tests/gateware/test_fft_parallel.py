# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The transform of several samples a clock against the model, bit for bit, and its timing against the formulas."""

import re

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Fragment
from tests.gateware.drive import refused, simulate
from tests.gateware.streams import STALLS, assert_same, run_stream
from tests.gateware.test_fft import Frame, random_frame

from spectramac.gateware.fft import ParallelFFT
from spectramac.gateware.fft.path_twiddle import ParallelTwiddle, signed_digits
from spectramac.model.fft import _narrow, _product, bit_reverse, twiddle_index, twiddle_table
from spectramac.model.fixed import round_shift
from spectramac.spec.config import FFTConfig
from spectramac.spec.fft_plan import plan
from spectramac.spec.stream import abreast, complex_payload, frame
from spectramac.spec.timing import fft_cycles_per_frame, fft_latency

CONTROL = ("log2_n", "two_d", "inverse", "halve")
SCALINGS = ("per_stage", "halving", "growth")
PATHS = (2, 4, 8)


def words(format_, n_paths, re, im):
    """Packed words of one frame."""
    payload = frame(abreast(complex_payload(format_), n_paths))
    pairs = list(zip(re.tolist(), im.tolist(), strict=True))
    return [
        payload.pack(
            {
                "data": {
                    f"x{k}": dict(zip(("re", "im"), pairs[start + k], strict=True))
                    for k in range(n_paths)
                },
                "last": start + n_paths == len(pairs),
            }
        )
        for start in range(0, len(pairs), n_paths)
    ]


def run(config, n_paths, frames, **options):
    """Simulate ``frames`` back to back and compare with the model."""
    inputs, expected, where = [], [], []
    control = {} if config.is_fixed else {key: [] for key in CONTROL}
    for f, item in enumerate(frames):
        inputs += words(config.data, n_paths, item.re, item.im)
        result = item.expected(config)
        expected += words(config.output, n_paths, result.re, result.im)
        n_words = len(item.re) // n_paths
        where += [f"frame {f}, word {t}" for t in range(n_words)]
        for key, values in control.items():
            values += [int(getattr(item, key))] * n_words
    produced = run_stream(
        ParallelFFT(config, samples_per_clock=n_paths),
        inputs,
        len(expected),
        control=control,
        strobes=("overflow", "framing_error"),
        budget=1000 + 16 * len(inputs) + options.get("sink_delay", 0),
        **options,
    )
    payload = frame(abreast(complex_payload(config.output), n_paths))
    assert_same(produced.outputs, expected, where.__getitem__, lambda w: str(payload.unpack(w)))
    assert not produced.strobes["framing_error"]
    return produced


def config_of(scaling, log2_n, **widths):
    widths.setdefault("twiddle_width", 16 if scaling == "per_stage" else 18)
    return FFTConfig(log2_n_max=log2_n, scaling=scaling, **widths)


def check_one_size(config, n_paths, stalls="none"):
    """Frames of one size follow each other without a gap, with the latency of the formula."""
    rng = np.random.default_rng(config.log2_n_max)
    log2_n = config.log2_n_max
    frames = [random_frame(config, rng, log2_n) for _ in range(4)]
    result = run(config, n_paths, frames, stalls=stalls, seed=2)
    if stalls == "none":
        n_words = config.n_max // n_paths
        latency = fft_latency(config, log2_n, samples_per_clock=n_paths)
        assert result.valid_cycles[0] - result.in_cycles[0] == latency
        assert result.in_cycles == list(range(4 * n_words))
        first = result.out_cycles[0]
        assert result.out_cycles == list(range(first, first + 4 * n_words))
    return result


def check_all_kinds(config, n_paths, stalls, *, sizes=None, n_frames=12, **options):
    """Successive frames differ in size, direction, scaling and dimension; overflow as the model says."""
    rng = np.random.default_rng([config.log2_n_max, n_paths, STALLS.index(stalls)])
    frames = [random_frame(config, rng, config.log2_n_max) for _ in range(2)]
    frames += [random_frame(config, rng, log2_n) for log2_n in sizes or [None] * n_frames]
    result = run(config, n_paths, frames, stalls=stalls, seed=1, **options)
    assert bool(result.strobes["overflow"]) == any(
        item.expected(config).overflow for item in frames
    )
    return result


def check_square(config, n_paths):
    """Every size that has two dimensions, in both directions, and one dimension between them."""
    rng = np.random.default_rng(8)
    frames = []
    for log2_n in [*range(4, config.log2_n_max + 1, 2)] * 2:
        frames += [random_frame(config, rng, log2_n) for _ in range(3)]
        frames[-1].two_d = frames[-2].two_d = True
        frames[-3].two_d = False
        frames[-1].inverse, frames[-2].inverse = False, True
    run(config, n_paths, frames)


def check_falling_sizes(config, n_paths):
    """A shorter frame waits just long enough: results leave without a gap."""
    rng = np.random.default_rng(4)
    top = config.log2_n_max
    sizes = [top, 3, 3, top, 3, top, top - 1, 3, top]
    result = run(config, n_paths, [random_frame(config, rng, n) for n in sizes])
    # The frames behind the first are shorter; the next one, longer, must be collected before its first result.
    first = result.out_cycles[0]
    n = (config.n_max + 16) // n_paths
    assert result.out_cycles[:n] == list(range(first, first + n))


def check_full_scale(config, n_paths):
    """Extreme values in places where they add up; overflow as the model says."""
    n, low, high = config.n_max, config.data.minimum, config.data.maximum
    rng = np.random.default_rng(3)
    step = np.where(np.arange(n) < n // 2, high, low)
    corners = np.where(rng.integers(0, 2, (2, 4, n)) == 1, high, low)
    parts = [(step, step), (step, -1 - step), (np.full(n, low), np.full(n, low))]
    parts += list(zip(*corners, strict=True))
    halve = 0 if config.is_fixed else n - 1
    frames = [Frame(re, im, halve=halve) for re, im in parts]
    result = run(config, n_paths, frames)
    flagged = any(item.expected(config).overflow for item in frames)
    assert bool(result.strobes["overflow"]) == flagged


def check_long_stall(config, n_paths):
    """The sink sleeps until everything is full, then pauses at random: nothing lost, no cycle either."""
    rng = np.random.default_rng(6)
    n_words = config.n_max // n_paths
    frames = [random_frame(config, rng, config.log2_n_max) for _ in range(300 // n_words)]
    result = run(config, n_paths, frames, stalls="sink", sink_delay=400, seed=3)
    assert max(result.in_cycles) > 400, "the source must have been stopped"
    for k in range(1, len(result.outputs)):
        assert result.valid_cycles[k] == result.out_cycles[k - 1] + 1


def check_products(config, n_paths, stage_number):
    """Products with ties, and with sums of parts that need clipping, which no frame produces."""
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


@pytest.mark.parametrize("stalls", ["none", "both"])
@pytest.mark.parametrize("log2_n", [3, 4, 5, 6])
@pytest.mark.parametrize("n_paths", PATHS)
@pytest.mark.parametrize("scaling", SCALINGS)
def test_one_size(scaling, n_paths, log2_n, stalls):
    check_one_size(config_of(scaling, log2_n), n_paths, stalls)


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("n_paths", PATHS)
@pytest.mark.parametrize("log2_n", [4, 5, 6])
def test_back_to_back_frames_of_all_kinds(log2_n, n_paths, stalls):
    check_all_kinds(config_of("per_stage", log2_n), n_paths, stalls, reset_after=5)


@pytest.mark.parametrize("n_paths", PATHS)
def test_two_dimensions(n_paths):
    check_square(config_of("per_stage", 6), n_paths)


@pytest.mark.parametrize("n_paths", PATHS)
@pytest.mark.parametrize("log2_n", [4, 6])
def test_falling_sizes(log2_n, n_paths):
    check_falling_sizes(config_of("per_stage", log2_n), n_paths)


@pytest.mark.parametrize("n_paths", PATHS)
@pytest.mark.parametrize("scaling", SCALINGS)
def test_full_scale(scaling, n_paths):
    check_full_scale(config_of(scaling, 4 if scaling == "per_stage" else 6), n_paths)


@pytest.mark.parametrize("n_paths", PATHS)
@pytest.mark.parametrize("scaling", SCALINGS)
def test_long_stall(scaling, n_paths):
    check_long_stall(config_of(scaling, 4), n_paths)


@pytest.mark.parametrize("n_paths", PATHS)
@pytest.mark.parametrize("scaling", SCALINGS)
def test_products(scaling, n_paths):
    check_products(config_of(scaling, 6), n_paths, 3)


@pytest.mark.parametrize(
    ("scaling", "log2_n", "n_paths"),
    [("per_stage", 8, 2), ("per_stage", 8, 8), ("halving", 8, 4), ("growth", 7, 2)],
)
def test_deep_delay_lines(scaling, log2_n, n_paths):
    """Half blocks of block RAM."""
    config = config_of(scaling, log2_n)
    rng = np.random.default_rng(7)
    sizes = [log2_n, log2_n] + ([] if config.is_fixed else [3, log2_n - 1, log2_n])
    run(config, n_paths, [random_frame(config, rng, n) for n in sizes], stalls="source")


@pytest.mark.parametrize("n_paths", PATHS)
def test_overflow_strobe_equals_model(n_paths):
    """One frame a run: any strobe if and only if the model flags it, and in time."""
    rng = np.random.default_rng(5)
    config = config_of("per_stage", 4)
    seen = set()
    for trial in range(8):
        item = random_frame(config, rng, 4)
        if trial == 0:  # only -j times the most negative difference overflows
            item.re[:], item.im[:] = 0, 0
            item.re[4], item.re[12] = config.data.minimum // 2, -(config.data.minimum // 2)
            item.two_d, item.inverse, item.halve = False, False, 0b0111
        result = run(config, n_paths, [item], stalls=STALLS[trial % 4], seed=trial)
        strobes = result.strobes["overflow"]
        flag = bool(item.expected(config).overflow)
        seen.add(flag)
        assert bool(strobes) == flag
        latest = result.valid_cycles[-1] + 1
        assert not strobes or result.in_cycles[0] < strobes[0] <= strobes[-1] <= latest
    assert seen == {False, True}


@pytest.mark.parametrize("log2_n", [3, 5])
@pytest.mark.parametrize("n_paths", PATHS)
def test_overflow_in_the_last_stage_is_in_time(n_paths, log2_n):
    """With full scale in one direction only the last narrowing clips."""
    config = config_of("halving", log2_n)
    n = config.n_max
    angle = 2 * np.pi * (np.arange(n) + 0.5) / n
    low, high = config.data.minimum, config.data.maximum
    item = Frame(*(np.where(part(angle) > 0, high, low) for part in (np.cos, np.sin)))
    assert item.expected(config).overflow
    result = run(config, n_paths, [item])
    strobes = result.strobes["overflow"]
    assert result.valid_cycles[0] <= strobes[0] <= strobes[-1] <= result.valid_cycles[-1] + 1


@pytest.mark.parametrize("n_paths", PATHS)
def test_framing_error_strobe(n_paths):
    """A wrong ``last`` is reported in the next cycle and changes nothing."""
    config = config_of("per_stage", 4)
    rng = np.random.default_rng(9)
    items = [random_frame(config, rng, log2_n) for log2_n in (4, 3, 4)]
    inputs, expected, control = [], [], {key: [] for key in CONTROL}
    for item in items:
        result = item.expected(config)
        inputs += words(config.data, n_paths, item.re, item.im)
        expected += words(config.output, n_paths, result.re, result.im)
        for key, values in control.items():
            values += [int(getattr(item, key))] * (len(item.re) // n_paths)
    wrong = [0, 16 // n_paths, len(inputs) - 1]
    for k in wrong:
        inputs[k] ^= 1 << (2 * config.data_width * n_paths)
    result = run_stream(
        ParallelFFT(config, samples_per_clock=n_paths),
        inputs,
        len(expected),
        control=control,
        strobes=("framing_error",),
        stalls="source",
    )
    assert result.outputs == expected
    assert result.strobes["framing_error"] == [result.in_cycles[k] + 1 for k in wrong]


def check_random_configuration(seed):
    """Any size, widths, scaling, samples a clock and stalls; frames that differ in all that may be chosen."""
    rng = np.random.default_rng([78, seed])
    config = config_of(
        str(rng.choice(SCALINGS)),
        int(rng.integers(3, 8)),
        data_width=int(rng.integers(8, 25)),
        twiddle_width=int(rng.integers(8, 19)),
    )
    only = config.log2_n_max if config.is_fixed else None
    frames = [random_frame(config, rng, only) for _ in range(5)]
    stalls = STALLS[int(rng.integers(4))]
    n_paths = int(rng.choice(PATHS))
    result = run(config, n_paths, frames, stalls=stalls, seed=seed)
    assert bool(result.strobes["overflow"]) == any(
        item.expected(config).overflow for item in frames
    )
    if stalls == "none" and config.is_fixed:
        first = result.out_cycles[0]
        assert result.out_cycles == list(range(first, first + len(result.outputs)))


@pytest.mark.parametrize("seed", range(6))
def test_random_configuration(seed):
    check_random_configuration(seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6, 230))
def test_many_random_configurations(seed):
    check_random_configuration(seed)


@pytest.mark.long
@pytest.mark.parametrize("n_paths", PATHS)
@pytest.mark.parametrize("scaling", SCALINGS)
def test_1024_points(scaling, n_paths):
    config = config_of(scaling, 10)
    rng = np.random.default_rng(1)
    run(config, n_paths, [random_frame(config, rng, 10) for _ in range(2)])


@pytest.mark.parametrize("log2_n", range(3, 7))
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


def n_multipliers(config, n_paths):
    """``Multiplier`` instances in the elaborated transform."""
    text = rtlil.convert(ParallelFFT(config, samples_per_clock=n_paths), name="top")
    return len(re.findall(r"cell \\top\.\S+ \\k[123]\b", text))


@pytest.mark.parametrize("scaling", SCALINGS)
def test_eight_points_take_no_multiplier(scaling):
    assert n_multipliers(config_of(scaling, 3), 8) == 0
    # Paths 1 and 3 of 4 in stage 3, and all in stage 5.
    assert n_multipliers(config_of(scaling, 6), 4) == 3 * (2 + 4)


def test_members():
    config = config_of("per_stage", 6)
    dut = ParallelFFT(config, samples_per_clock=4)
    Fragment.get(dut, None)
    assert dut.latency(5) == fft_latency(config, 5, samples_per_clock=4)
    assert dut.cycles_per_frame(5) == fft_cycles_per_frame(config, 5, samples_per_clock=4) == 8
    natural = config_of("halving", 6, order="natural")
    for number, settings, message in (
        (3, config, "samples_per_clock must be 2, 4 or 8, not 3"),
        (2, natural, "order must be 'bit_reversed' with several samples a clock, not 'natural'"),
    ):
        refused(
            ValueError,
            re.escape(message),
            lambda number=number, settings=settings: ParallelFFT(
                settings, samples_per_clock=number
            ),
        )
