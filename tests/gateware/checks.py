# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Comparisons of small components with the golden model, each a call that raises :class:`AssertionError`.

The tests call them with many parameters; the mutation check calls the same ones on broken components.
"""

from itertools import product
from typing import Any

import numpy as np
from amaranth import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from tests.cocotb.blocks import Columns
from tests.gateware.cases import (
    SETTLE,
    SchedulerCase,
    amplitudes,
    columns_case,
    scheduler_case,
)
from tests.gateware.drive import evaluate, memory, put, simulate
from tests.gateware.streams import StreamRun, assert_same, run_stream

from spectramac.gateware import fixed
from spectramac.gateware.gather import Gather
from spectramac.gateware.rows import BlockWalker, RowPlacement
from spectramac.gateware.scheduler import Scheduler
from spectramac.gateware.shift import Shift
from spectramac.gateware.spectrum import ColumnReader, SpectrumMemory
from spectramac.model.fft import bit_reverse
from spectramac.model.fixed import round_shift, saturate
from spectramac.model.spectrum import pair_map
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.fixed import Format
from spectramac.spec.payloads import bins, job, kept_columns, sample

__all__ = [
    "PREFETCHED",
    "check_columns",
    "check_gather",
    "check_narrowing",
    "check_placement",
    "check_reader",
    "check_scheduler",
    "check_shift",
    "check_walker",
    "run_scheduler",
    "strobe",
]

PREFETCHED = 2 * SETTLE + 1
"""A cycle in which the scheduler has surely read the first directory words."""


class Narrowings(wiring.Component):
    """:func:`spectramac.gateware.fixed.narrow` of one value in every way, results side by side in ``o``."""

    def __init__(self, in_width: int) -> None:
        self.ways = [(o, s) for o in range(2, in_width + 2) for s in range(in_width)]
        width = sum(out_width + 1 for out_width, _ in self.ways)
        super().__init__({"i": In(signed(in_width)), "o": Out(width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        parts: list[Any] = []
        for out_width, shift in self.ways:
            parts += fixed.narrow(m, self.i, shift, out_width, f"narrow_{out_width}_{shift}")
        m.d.comb += self.o.eq(Cat(*parts))
        return m


def check_narrowing(in_width: int) -> int:
    """Every code, to every width, with every shift; returns how many results were compared."""
    codes = np.arange(-(1 << (in_width - 1)), 1 << (in_width - 1))
    dut = Narrowings(in_width)
    words = [word for (word,) in evaluate(dut, [{"i": int(i)} for i in codes], ("o",))]
    offset = 0
    for out_width, shift in dut.ways:
        values, clipped = saturate(round_shift(codes, shift), Format(out_width))
        mask = (1 << out_width) - 1
        results = [(word >> offset & mask, word >> offset + out_width & 1) for word in words]
        expected = list(zip((values & mask).tolist(), clipped.astype(int).tolist(), strict=True))
        where = f"{in_width} to {out_width} bits, shift {shift}"
        assert_same(results, expected, lambda n, where=where: f"{where}, code {codes[n]}")
        offset += out_width + 1
    return len(codes) * len(dut.ways)


def check_shift(in_width: int, out_width: int, values: Any, shifts: Any) -> None:
    """Every value with every shift, one a cycle, with pauses that must hold everything."""
    dut = Shift(in_width, out_width)
    jobs = [(int(v), int(s)) for s, v in product(shifts, values)]
    x, s = np.array(jobs).T
    y, clipped = saturate(round_shift(x, s), Format(out_width))
    expected = list(zip(y.tolist(), clipped.astype(int).tolist(), strict=True))
    results: list[tuple[int, int]] = []

    async def bench(ctx: Any) -> None:
        fed = 0
        while len(results) < len(jobs):
            pause = fed % 7 == 3 and ctx.get(dut.enable) != 0
            ctx.set(dut.enable, int(not pause))
            value, shift = jobs[min(fed, len(jobs) - 1)]
            ctx.set(dut.i, value)
            ctx.set(dut.shift, shift)
            *_, o, overflow = await ctx.tick().sample(dut.o, dut.overflow)
            if not pause:
                if fed >= Shift.LATENCY:
                    results.append((o, overflow))
                fed += 1

    simulate(dut, bench)
    assert_same(results, expected, lambda n: f"value {jobs[n][0]}, shift {jobs[n][1]}")


def transforms(log2_n_max: int) -> list[tuple[int, bool]]:
    """(log2_n, two_d) of every transform, identity among them."""
    kinds = [(0, False)] + [(n, False) for n in range(3, log2_n_max + 1)]
    return kinds + [(n, True) for n in range(4, log2_n_max + 1, 2)]


def check_walker(log2_n_max: int) -> None:
    """Pair, kind and half of every sample of every transform."""
    for log2_n, two_d in transforms(log2_n_max):
        n = 1 << log2_n if log2_n else 2
        pairs = pair_map(n, two_d)
        dut = BlockWalker(log2_n_max)
        results: list[Any] = []

        async def bench(
            ctx: Any,
            dut: Any = dut,
            n: int = n,
            log2_n: int = log2_n,
            two_d: bool = two_d,
            results: list[Any] = results,
        ) -> None:
            put(ctx, dut, log2_n=log2_n, two_d=two_d)
            await ctx.tick().repeat(SETTLE)
            for k in range(n):
                put(ctx, dut, index=k)
                outputs = (dut.pair, dut.joint, dut.second)
                results.append(tuple(int(ctx.get(signal)) for signal in outputs))

        simulate(dut, bench)
        expected: list[Any] = [None] * n
        for r in range(n // 2):
            expected[pairs.first[r]] = (r, int(pairs.joint[r]), 0)
            expected[pairs.second[r]] = (r, int(pairs.joint[r]), 1)
        where = f"{n} points{', two-dimensional' * two_d}"
        assert_same(results, expected, lambda k, where=where: f"{where}, sample {k}")


def check_placement(config: AcceleratorConfig) -> None:
    """Lane and row of every row pair."""
    dut = RowPlacement(config)
    results = []

    async def bench(ctx: Any) -> None:
        for number in range(config.row_pairs_max):
            ctx.set(dut.number, number)
            await ctx.tick()
            results.append((ctx.get(dut.lane), ctx.get(dut.row)))

    simulate(dut, bench)
    expected = [(k % config.n_lanes, k // config.n_lanes) for k in range(config.row_pairs_max)]
    assert_same(results, expected, lambda n: f"{config.n_lanes} lanes, row pair {n}")


def check_columns(
    config: AcceleratorConfig, *, level: int, seed: int, stalls: str = "none", n_frames: int = 3
) -> StreamRun:
    """Split and threshold; returns what was measured."""
    case = columns_case(config, np.random.default_rng(seed), level=level, n_frames=n_frames)
    wide, narrow = bins(config), kept_columns(config)
    run = run_stream(
        Columns(config),
        [wide.pack(word) for word in case.bins],
        len(case.kept),
        stalls=stalls,
        seed=seed,
        control={"level": level},
        budget=400 + 16 * len(case.bins),
    )
    expected = [narrow.unpack(narrow.pack(word)) for word in case.kept]
    assert_same([narrow.unpack(word) for word in run.outputs], expected, case.labels.__getitem__)
    return run


def check_scheduler(
    config: AcceleratorConfig,
    *,
    is_complex: bool,
    seed: int,
    stalls: str = "none",
    full: bool = False,
    uniform_count: int = 0,
) -> StreamRun:
    """Jobs and skipped columns over several groups and pairs."""
    rng = np.random.default_rng(seed)
    kind = {"is_complex": is_complex, "uniform_count": uniform_count}
    case = scheduler_case(config, rng, full=full, **kind)
    return run_scheduler(config, case, seed=seed, stalls=stalls, full=full)


def run_scheduler(
    config: AcceleratorConfig,
    case: SchedulerCase,
    *,
    seed: int,
    stalls: str,
    full: bool = False,
) -> StreamRun:
    """Compare jobs and skipped columns."""
    columns, jobs = kept_columns(config), job(config)
    dut = Scheduler(config)
    run = run_stream(
        dut,
        [columns.pack(word) for word in case.columns],
        len(case.jobs),
        stalls=stalls,
        seed=seed,
        control=case.settings,
        strobes=("skipped",),
        processes=(memory(dut.memory, case.memory), strobe(dut.rewind)),
        source_delay=PREFETCHED if full else SETTLE + 1,
        budget=400 + 40 * len(case.columns),
    )
    got = [jobs.unpack(word) for word in run.outputs]
    expected = [
        {name: got[n][name] if value is None else value for name, value in word.items()}
        for n, word in enumerate(case.jobs[: len(got)])
    ]
    assert_same(got, expected, case.labels.__getitem__)
    skipped = len(run.strobes["skipped"])
    assert skipped == case.skipped, f"skipped: rtl {skipped}, model {case.skipped}"
    return run


def strobe(signal: Signal) -> Any:
    """High once, in cycle SETTLE."""

    async def process(ctx: Any) -> None:
        await ctx.tick().repeat(SETTLE)
        ctx.set(signal, 1)
        await ctx.tick()
        ctx.set(signal, 0)

    return process


class Spectrum(wiring.Component):
    """Spectrum memory and its reader."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self.spectrum, self.reader = SpectrumMemory(config), ColumnReader(config)
        names = {"i": self.spectrum, "o": self.reader}
        ports: dict[str, Any] = {
            name: component.signature.members[name] for name, component in names.items()
        }
        ports |= {"log2_n": In(4), "two_d": In(1), "padded_in": In(16), "column_stride": In(16)}
        ports |= {"in_tiles": In(1)} if config.maps else {}
        self.config = config
        self.position = [*ColumnReader.position(config)]
        if config.maps:
            self.position += ["empty", "first_row"]
        ports |= {name: self.reader.signature.members[name] for name in self.position}
        super().__init__(
            ports | {"final": In(1), "busy": Out(1), "start": In(1), "released": Out(1)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.spectrum = spectrum = self.spectrum
        m.submodules.reader = reader = self.reader
        wiring.connect(m, wiring.flipped(self.i), spectrum.i)
        wiring.connect(m, reader.memory, spectrum.read)
        wiring.connect(m, reader.o, wiring.flipped(self.o))
        for component in (spectrum, reader):
            for name in ("log2_n", "padded_in"):
                m.d.comb += getattr(component, name).eq(getattr(self, name))
        m.d.comb += [
            reader.two_d.eq(self.two_d),
            reader.column_stride.eq(self.column_stride),
            reader.start.eq(self.start),
            reader.final.eq(self.final),
            reader.available.eq(spectrum.available),
            spectrum.released.eq(reader.released),
            self.released.eq(reader.released),
            self.busy.eq(reader.busy),
            *(getattr(reader, name).eq(getattr(self, name)) for name in self.position),
        ]
        if self.config.maps:
            m.d.comb += [
                spectrum.in_tiles.eq(self.in_tiles),
                reader.bank_per_block.eq(self.in_tiles),
            ]
        return m


def check_reader(
    config: AcceleratorConfig,
    log2_n: int,
    *,
    two_d: bool = False,
    n_frames: int = 2,
    stalls: str = "none",
    seed: int = 0,
    in_tiles: bool = False,
) -> StreamRun:
    """Frames in bit-reversed order through the memory: the pairs of every frame, then the marker.

    ``in_tiles``: more frames than the memory holds, slowly; each is let go of.
    """
    rng = np.random.default_rng(seed)
    n = 1 << log2_n if log2_n else 2
    re, im = amplitudes(rng, config.data, (2, n_frames, n))
    order = bit_reverse(n) if log2_n else np.arange(n)
    wide, narrow = bins(config), sample(config)
    stride = 1 << int(rng.integers(3))
    pairs = pair_map(n, two_d)
    inputs, expected, labels = [], [], []
    number = 0
    for f in range(n_frames):
        value = [{"re": int(a), "im": int(b)} for a, b in zip(re[f], im[f], strict=True)]
        inputs += [
            narrow.pack({"data": value[k], "last": int(at == n - 1)}) for at, k in enumerate(order)
        ]
        for r in range(n // 2):
            row = number if not log2_n else r
            control = {"joint": int(pairs.joint[r]), "marker": 0, "final": 0}
            base = row * stride % config.accumulator_depth
            first, second = value[pairs.first[r]], value[pairs.second[r]]
            position = dict.fromkeys(ColumnReader.position(config), 0)
            columns = {"first": first, "second": second, "base": base}
            expected.append(columns | control | position)
            labels.append(f"{n} points{', 2-D' * two_d}, frame {f}, pair {r}")
            number += 1
    dut = Spectrum(config)
    run = run_stream(
        dut,
        inputs,
        len(expected) + 1,
        stalls=stalls,
        seed=seed,
        control={
            "log2_n": log2_n,
            "two_d": int(two_d),
            "padded_in": len(inputs),
            "column_stride": stride,
            **({"in_tiles": 1} if in_tiles else {}),
        },
        strobes=("busy", "released"),
        processes=(strobe(dut.start),),
        source_delay=SETTLE,
        source_every=3 if in_tiles else 1,
        budget=400 + 16 * len(inputs),
    )
    *columns, marker = (wide.unpack(word) for word in run.outputs)
    assert_same(columns, expected, labels.__getitem__)
    assert marker["marker"] == 1, f"a marker must end the group, not {marker}"
    released = len(run.strobes["released"])
    if in_tiles:
        assert released == n_frames, f"released: rtl {released} times, model {n_frames}"
    else:
        assert released == 0, "not final: the spectrum must be kept"
    return run


def check_gather(config: AcceleratorConfig, log2_n: int, *, stalls: str, seed: int) -> StreamRun:
    """A zero-padded vector out of activation memory, framed."""
    rng = np.random.default_rng(seed)
    n = 1 << log2_n
    padded = 2 * max(n, 2)
    n_in = int(rng.integers(padded - n, padded + 1)) or 1
    base = int(rng.integers(config.activation_depth - padded))
    words = rng.integers(0, 1 << 16, config.activation_depth)
    narrow = sample(config)
    expected = []
    for k in range(padded):
        word = int(words[base + k]) if k < n_in else 0
        re, im = (((byte ^ 0x80) - 0x80) for byte in (word & 0xFF, word >> 8))
        expected.append({"data": {"re": re, "im": im}, "last": int(k % n == n - 1)})
    dut = Gather(config)
    run = run_stream(
        dut,
        [],
        padded,
        stalls=stalls,
        seed=seed,
        control={"base": base, "n_in": n_in, "padded_in": padded, "log2_n": log2_n},
        processes=(memory(dut.memory, words.tolist()), strobe(dut.start)),
        i=None,
    )
    got = [narrow.unpack(word) for word in run.outputs]
    assert_same(got, expected, lambda k: f"sample {k} of {n_in} + {padded - n_in} zeros")
    return run
