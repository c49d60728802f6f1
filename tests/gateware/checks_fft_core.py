# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Comparisons of the transform cores with the model, bit for bit, and of their timing with the formulas.

See :mod:`tests.gateware.checks`; what is built around the transform is in :mod:`tests.gateware.checks_fft`.
"""

import numpy as np
from amaranth.sim import Simulator
from tests.gateware.cases_fft import Frame, random_frame, stimulus
from tests.gateware.streams import STALLS, assert_same, run_stream

from spectramac.gateware.fft import FFT
from spectramac.gateware.fft.twiddle import Twiddle
from spectramac.model.fft import _narrow, _product, twiddle_index
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import plan
from spectramac.spec.payloads import fft_output
from spectramac.spec.timing import fft_cycles_per_frame, fft_latency, fft_phases

__all__ = [
    "check_falling_sizes",
    "check_fixed",
    "check_framing",
    "check_full_scale",
    "check_long_stall",
    "check_overflow_strobe",
    "check_random_configuration",
    "check_twiddle",
    "run",
]


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
