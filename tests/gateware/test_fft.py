# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Both transform cores against the model, bit for bit, and their timing against the formulas."""

from dataclasses import dataclass

import numpy as np
import pytest
from amaranth.hdl import Fragment
from amaranth.sim import Simulator
from tests.gateware.streams import STALLS, assert_same, run_stream

from spectramac.gateware.fft import FFT, IterativeFFT, PipelinedFFT, narrow
from spectramac.gateware.fft.twiddle import Twiddle
from spectramac.model.fft import _narrow, _product, fft, twiddle_index
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import plan
from spectramac.spec.payloads import fft_input, fft_output
from spectramac.spec.timing import fft_cycles_per_frame, fft_latency, fft_phases

PIPELINED = [FFTConfig(log2_n_max=n) for n in (3, 4, 5, 6)]
ITERATIVE = [FFTConfig(log2_n_max=n, data_width=15, architecture="iterative") for n in (3, 4, 5, 6)]


def name(value):
    return f"{value.architecture}{value.log2_n_max}" if isinstance(value, FFTConfig) else None


@dataclass
class Frame:
    """One frame of stimulus, with its control."""

    re: np.ndarray
    im: np.ndarray
    two_d: bool = False
    inverse: bool = False
    halve: int = 0

    @property
    def log2_n(self):
        return len(self.re).bit_length() - 1

    def expected(self, config):
        return fft(
            self.re,
            self.im,
            config=config,
            log2_n=self.log2_n,
            two_d=self.two_d,
            inverse=self.inverse,
            halve=self.halve,
            bit_reversed=config.order == "bit_reversed",
        )


def random_frame(config, rng, log2_n=None):
    """Any size, direction, scaling and amplitude."""
    if log2_n is None:
        log2_n = int(rng.integers(3, config.log2_n_max + 1))
    amplitude = config.data.maximum >> int(rng.integers(0, 6))
    re, im = rng.integers(-amplitude - 1, amplitude + 1, (2, 1 << log2_n))
    if config.is_fixed:
        return Frame(re, im)
    return Frame(
        re,
        im,
        two_d=log2_n % 2 == 0 and bool(rng.integers(2)),
        inverse=bool(rng.integers(2)),
        halve=int(rng.integers(1 << config.log2_n_max)),
    )


def words(payload, re, im, exponent=0, n=1):
    """Of one frame, ``n`` samples in each; ``exponent`` counts if the payload has it."""
    samples = [{"re": a, "im": b} for a, b in zip(re, im, strict=True)]
    groups = [samples[k : k + n] for k in range(0, len(samples), n)]
    data = [group[0] if n == 1 else {f"x{k}": x for k, x in enumerate(group)} for group in groups]
    last = len(data) - 1
    return [
        payload.pack({"data": word, "exponent": exponent, "last": k == last})
        for k, word in enumerate(data)
    ]


def stimulus(config, frames):
    """Packed inputs and expected outputs of ``frames``, and control for each input."""
    inputs, expected, n = [], [], config.samples_per_clock
    control = (
        {} if config.is_fixed else {key: [] for key in ("log2_n", "two_d", "inverse", "halve")}
    )
    for item in frames:
        inputs += words(fft_input(config), item.re, item.im, n=n)
        result = item.expected(config)
        expected += words(fft_output(config), result.re, result.im, result.exponent, n=n)
        for key, values in control.items():
            values += [int(getattr(item, key))] * (len(item.re) // n)
    return inputs, expected, control


def run(config, frames, *, core=None, **options):
    """Simulate ``frames`` back to back on ``core``, ``FFT(config)`` by default, and compare with the model."""
    inputs, expected, control = stimulus(config, frames)
    where = [
        f"frame {f}, position {k}"
        for f, item in enumerate(frames)
        for k in range(0, len(item.re), config.samples_per_clock)
    ]
    phases = sum(fft_phases(item.log2_n).compute for item in frames)
    produced = run_stream(
        FFT(config) if core is None else core,
        inputs,
        len(expected),
        control=control,
        strobes=("overflow", "framing_error"),
        budget=1000 + 16 * len(inputs) + 2 * phases + options.get("sink_delay", 0),
        **options,
    )
    payload = fft_output(config)
    assert_same(produced.outputs, expected, where.__getitem__, lambda w: str(payload.unpack(w)))
    assert not produced.strobes["framing_error"]
    return produced


def check_fixed(config, stalls="none"):
    """Random frames of one size and scaling; they follow each other without a gap."""
    rng = np.random.default_rng(config.log2_n_max)
    frames = [random_frame(config, rng, config.log2_n_max) for _ in range(3)]
    result = run(config, frames, stalls=stalls, seed=2)
    if stalls == "none":
        n = fft_cycles_per_frame(config, config.log2_n_max)
        assert result.valid_cycles[0] - result.in_cycles[0] == fft_latency(
            config, config.log2_n_max
        )
        assert result.in_cycles == list(range(3 * n))
        first = result.out_cycles[0]
        assert result.out_cycles == list(range(first, first + 3 * n))
    return result


def check_full_scale(config):
    """Extreme values in places where they add up; overflow as the model says."""
    n, low, high = config.n_max, config.data.minimum, config.data.maximum
    rng = np.random.default_rng(3)
    step = np.where(np.arange(n) < n // 2, high, low)
    corners = np.where(rng.integers(0, 2, (2, 4, n)) == 1, high, low)
    parts = [(step, step), (step, -1 - step), (np.full(n, low), np.full(n, low))]
    parts += list(zip(*corners, strict=True))
    halve = 0 if config.is_fixed else n - 1
    frames = [Frame(re, im, halve=halve) for re, im in parts]
    result = run(config, frames)
    flagged = any(item.expected(config).overflow for item in frames)
    assert bool(result.strobes["overflow"]) == flagged


def check_twiddle(config):
    """Products with ties, and with sums of parts that need clipping, which no frame produces."""
    stage = next(s for s in plan(config) if s.m == 3)
    dut = Twiddle(config, stage, lead=1)
    n, top = 16, 1 << (stage.factor_width - 2)
    values = [
        (top, top),
        (-top, -top),
        (top // 4, top // 4),
        (-top // 4, -top // 4),
        (12345, -4321),
    ]
    a, b = (np.array([[v[k]] * n for v in values]) for k in range(2))
    re, im = _product(a, b, stage, twiddle_index(3, 4, False), config)
    overflow = np.zeros(len(values), np.bool_)
    expected = [
        _narrow(part, config.twiddle.fraction, stage.product, overflow).ravel().tolist()
        for part in (re, im)
    ]
    inputs = list(zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))
    got = []

    async def bench(ctx):
        for k in range(len(inputs) + dut.latency + 1):
            ctx.set(dut.early.valid, int(k < len(inputs)))
            ctx.set(dut.i.valid, int(0 < k <= len(inputs)))
            if 0 < k <= len(inputs):
                ctx.set(dut.i.re, inputs[k - 1][0])
                ctx.set(dut.i.im, inputs[k - 1][1])
            _, _, valid, *sample = await ctx.tick().sample(dut.o.valid, dut.o.re, dut.o.im)
            if valid:
                got.append(tuple(sample))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert_same(got, list(zip(*expected, strict=True)), lambda k: f"sample {k}")


def check_falling_sizes(config):
    """A shorter frame waits just long enough: results leave without a gap."""
    rng = np.random.default_rng(4)
    top = config.log2_n_max
    sizes = [top, 3, top, 3, 3, top, top - 1, 3, top]
    result = run(config, [random_frame(config, rng, n) for n in sizes])
    # The frame behind the first is shorter; the third, longer, must be collected before its first result.
    first = result.out_cycles[0]
    n = (config.n_max + 8) // config.samples_per_clock
    assert result.out_cycles[:n] == list(range(first, first + n))


def check_long_stall(config):
    """The sink sleeps until everything is full, then pauses at random: nothing lost, no cycle either."""
    rng = np.random.default_rng(6)
    n_frames = 256 // fft_cycles_per_frame(config, config.log2_n_max)
    frames = [random_frame(config, rng, config.log2_n_max) for _ in range(n_frames)]
    result = run(config, frames, stalls="sink", sink_delay=300, seed=3)
    assert max(result.in_cycles) > 300, "the source must have been stopped"
    for k in range(1, len(result.outputs)):
        assert result.valid_cycles[k] == result.out_cycles[k - 1] + 1


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("config", PIPELINED[1:] + [ITERATIVE[1], ITERATIVE[3]], ids=name)
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


@pytest.mark.parametrize("config", [PIPELINED[1], FIXED[1], FIXED[2], FIXED[6]])
def test_full_scale(config):
    check_full_scale(config)


@pytest.mark.parametrize("stalls", ["none", "source", "both"])
@pytest.mark.parametrize("log2_n", [4, 5, 6])
def test_natural_order(log2_n, stalls):
    config = FFTConfig(log2_n_max=log2_n, scaling="halving", order="natural")
    check_fixed(config, stalls)


def test_natural_order_with_a_long_stall():
    check_long_stall(FFTConfig(log2_n_max=4, scaling="halving", order="natural"))


def check_framing(config, sizes, wrong):
    """``last`` is wrong in the words ``wrong``: reported, and the data are framed by count all the same."""
    rng = np.random.default_rng(4)
    items = [random_frame(config, rng, log2_n) for log2_n in sizes]
    inputs, expected, control = stimulus(config, items)
    for k in wrong:
        inputs[k] ^= 1 << (2 * config.data_width * config.samples_per_clock)
    result = run_stream(
        FFT(config),
        inputs,
        len(expected),
        control=control,
        strobes=("framing_error",),
        stalls="source",
    )
    assert result.outputs == expected
    assert result.strobes["framing_error"] == [result.in_cycles[k] + 1 for k in wrong]


def check_overflow_strobe(config):
    """One frame a run: any strobe if and only if the model flags it, and in time."""
    rng = np.random.default_rng(5)
    seen = set()
    for trial in range(8):
        item = random_frame(config, rng, 4)
        if trial == 0:  # only -j times the most negative difference overflows
            item.re[:], item.im[:] = 0, 0
            item.re[4], item.re[12] = config.data.minimum // 2, -(config.data.minimum // 2)
            item.two_d, item.inverse, item.halve = False, False, 0b0111
        result = run(config, [item], stalls=STALLS[trial % 4], seed=trial)
        strobes = result.strobes["overflow"]
        flag = bool(item.expected(config).overflow)
        seen.add(flag)
        assert bool(strobes) == flag
        latest = (
            result.valid_cycles[-1] + 1
            if config.architecture == "pipelined"
            else result.valid_cycles[0] + 3
        )
        assert not strobes or result.in_cycles[0] < strobes[0] <= strobes[-1] <= latest
    assert seen == {False, True}


def check_random_configuration(seed, samples_per_clock=(1,)):
    """Any size, widths, scaling, order and stalls; frames that differ in all that may be chosen at run time."""
    rng = np.random.default_rng([77, seed])
    n = samples_per_clock[seed % len(samples_per_clock)]
    log2_n_max = int(rng.integers(3, 8))
    scalings = ["per_stage", "halving", "growth", "block"]
    scaling = str(rng.choice(scalings[: 4 if n == 1 else 3]))
    natural = n == 1 and scaling != "per_stage" and log2_n_max > 3 and rng.random() < 0.4
    config = FFTConfig(
        log2_n_max=log2_n_max,
        data_width=int(rng.integers(8, 25)),
        twiddle_width=int(rng.integers(8, 19)),
        scaling=scaling,
        order="natural" if natural else "bit_reversed",
        samples_per_clock=n,
    )
    only = log2_n_max if config.is_fixed else None
    frames = [random_frame(config, rng, only) for _ in range(4)]
    stalls = STALLS[int(rng.integers(4))]
    result = run(config, frames, stalls=stalls, seed=seed)
    if stalls == "none" and config.is_fixed:
        first = result.out_cycles[0]
        assert result.out_cycles == list(range(first, first + len(result.outputs)))


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
