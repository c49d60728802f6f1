# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Comparisons with the golden model from the lanes to activation memory; see :mod:`tests.gateware.checks`."""

from collections import deque
from dataclasses import dataclass
from itertools import product
from typing import Any
from unittest.mock import patch

import numpy as np
from tests.gateware.cases import SETTLE
from tests.gateware.cases_back import MapOutputs, lanes_case, merge_case, requantize_case
from tests.gateware.drive import Sink, Source, memory, put, simulate
from tests.gateware.streams import assert_same

from spectramac.gateware import accumulators
from spectramac.gateware.lanes import Lanes
from spectramac.gateware.merge import Merge
from spectramac.gateware.requantize import Requantize
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import job, sample

__all__ = ["Timing", "check_lanes", "check_merge", "check_requantize"]

LIMIT = 4000
"""Cycles that any of these may take."""
SUMS = ("a1", "a2", "b1", "b2")


@dataclass
class Timing:
    """Cycles between events, measured."""

    latency: int = 0
    interval: int = 0


def check_lanes(
    config: AcceleratorConfig,
    *,
    is_narrow: bool = False,
    is_indexed: bool = True,
    seed: int = 0,
    loud: float = 0.2,
    stall: float = 0.0,
    n_jobs: int = 12,
    block: bool = False,
) -> Timing:
    """Row groups, banks in turn; measures from the marker's transfer to ``group_done``.

    ``block``: accumulators in block RAM, however few rows.
    """
    rng = np.random.default_rng(seed)
    kind = {"is_narrow": is_narrow, "is_indexed": is_indexed}
    case = lanes_case(config, rng, **kind, loud=loud, n_jobs=n_jobs)
    n_banks, depth, acc = (
        config.n_accumulator_banks,
        config.accumulator_depth,
        config.accumulator_width,
    )
    shape = job(config)
    dut = Lanes(config)
    timing = Timing()
    state = {"overflow": False}

    async def rows(ctx: Any, bank: int, *, clear: bool) -> Any:
        sums = np.zeros((depth, config.n_lanes, 4), np.int64)
        put(ctx, dut, draining=1 << bank, clear=int(clear))
        for row, lane in product(range(depth), range(1 if clear else config.n_lanes)):
            put(ctx, dut, drain_row=row, drain_lane=lane)
            await ctx.tick()
            if not clear:
                await ctx.tick().repeat(Lanes.DRAIN_LATENCY - 1)
                word = ctx.get(dut.drained)
                for k in range(4):
                    value = word >> acc * k & ((1 << acc) - 1)
                    sums[row, lane, k] = value - (value >> (acc - 1) << acc)
        put(ctx, dut, draining=0, clear=0)
        return sums

    async def bench(ctx: Any) -> None:
        put(ctx, dut, **case.settings)
        await ctx.tick().repeat(SETTLE)
        put(ctx, dut, start_layer=1)
        await ctx.tick()
        put(ctx, dut, start_layer=0)
        for bank in range(n_banks):
            await rows(ctx, bank, clear=True)
        sources = [
            Source(ctx, dut.i, [shape.pack(word) for word in jobs], stall, seed + group)
            for group, jobs in enumerate(case.groups)
        ]
        for group, (source, expected) in enumerate(zip(sources, case.sums, strict=True)):
            cycle = marker = 0
            done = False
            while not done:
                assert cycle < LIMIT, f"group {group}: never done"
                source.step()
                _, _, ready, done = await ctx.tick().sample(dut.i.ready, dut.group_done)
                if source.ticked(ready):
                    marker = cycle
                cycle += 1
            timing.latency = cycle - 1 - marker
            sums = await rows(ctx, group % n_banks, clear=False)
            for row, lane, k in np.ndindex(sums.shape):
                rtl, model = sums[row, lane, k], expected[row, lane, k]
                where = f"group {group}, row {row}, lane {lane}, {SUMS[k]}"
                assert rtl == model, f"{where}: rtl {rtl}, model {model}"
            overflow, model_overflow = state["overflow"], case.overflows[group]
            assert overflow == model_overflow, f"group {group}, overflow: rtl {overflow}"
            state["overflow"] = False
            if n_banks > 1 and group + 1 < len(sources):
                # The next group has begun in the other bank when this one is cleared.
                while sources[group + 1].taken < n_jobs // 2:
                    sources[group + 1].step()
                    _, _, ready = await ctx.tick().sample(dut.i.ready)
                    sources[group + 1].ticked(ready)
                ctx.set(dut.i.valid, 0)
            await rows(ctx, group % n_banks, clear=True)

    async def overflows(ctx: Any) -> None:
        async for _, _, flag in ctx.tick().sample(dut.overflow):
            state["overflow"] |= bool(flag)

    memories = (memory(dut.coefficients, case.coefficients), memory(dut.indices, case.indices))
    with patch.object(accumulators, "BLOCK_DEPTH", 1 if block else accumulators.BLOCK_DEPTH):
        simulate(dut, bench, overflows, *memories)
    return timing


def check_merge(
    config: AcceleratorConfig,
    *,
    log2_n: int,
    two_d: bool = False,
    bin_major: bool = False,
    per_row_shift: bool = False,
    seed: int = 0,
    loud: bool = False,
    stall: float = 0.0,
) -> Timing:
    """One group; measures from ``start`` to the first sample, and between samples."""
    kind = {"two_d": two_d, "bin_major": bin_major, "per_row_shift": per_row_shift}
    case = merge_case(config, np.random.default_rng(seed), log2_n=log2_n, loud=loud, **kind)
    narrow = sample(config)
    dut = Merge(config)
    rows = [list(row) for row in case.rows]
    timing = Timing()
    got: list[Any] = []
    state = {"overflow": False, "sweeping": True}

    async def accumulators(ctx: Any) -> None:
        answers = deque([0] * (Lanes.DRAIN_LATENCY - 1))
        ports = (dut.drain_row, dut.drain_lane, dut.clear)
        async for _, _, row, lane, clear in ctx.tick().sample(*ports):
            answers.append(rows[row][lane] if lane < config.n_lanes else 0)
            ctx.set(dut.drained, answers.popleft())
            if clear and not state["sweeping"]:
                rows[row] = [0] * config.n_lanes

    async def bench(ctx: Any) -> None:
        put(ctx, dut, **case.settings, frame_free=1)
        await ctx.tick().repeat(SETTLE)
        cycle = 0
        while ctx.get(dut.busy):
            assert cycle < LIMIT, "busy for ever"
            await ctx.tick()
            cycle += 1
        state["sweeping"] = False
        put(ctx, dut, start=1)
        await ctx.tick()
        put(ctx, dut, start=0)
        sink = Sink(ctx, dut.o, stall, seed)
        cycle, released, cycles = 1, 0, []
        while not released or len(got) < len(case.samples):
            assert cycle < LIMIT, f"{len(got)} of {len(case.samples)} samples came"
            sink.step()
            _, _, valid, payload, flag, strobe = await ctx.tick().sample(
                dut.o.valid, dut.o.payload.as_value(), dut.overflow, dut.released
            )
            released += strobe
            state["overflow"] |= bool(flag)
            if valid:
                timing.latency = timing.latency or cycle
            if valid and sink.ready:
                got.append(narrow.unpack(payload))
                cycles.append(cycle)
            cycle += 1
        timing.interval = max(np.diff(cycles[: 1 << log2_n or 2]).tolist(), default=0)
        assert released == 1, f"released must be one strobe, not {released}"

    simulate(dut, bench, memory(dut.shifts, case.shifts), accumulators)
    assert_same(got, case.samples, case.labels.__getitem__)
    overflow = state["overflow"]
    assert overflow == case.overflow, f"overflow: rtl {overflow}, model {case.overflow}"
    depth = case.settings["clear_depth"]
    wanted = [[0] * config.n_lanes] * depth + case.rows[depth:]
    assert_same(rows, wanted, lambda row: f"accumulators after, row {row}")
    return timing


def check_requantize(
    config: AcceleratorConfig,
    *,
    log2_n: int,
    per_channel_scale: bool = False,
    relu: bool = False,
    seed: int = 0,
    stall: float = 0.0,
    maps: MapOutputs | None = None,
) -> Timing:
    """Two pairs; measures from a sample's transfer to its write, and between transfers."""
    kind = {"log2_n": log2_n, "per_channel_scale": per_channel_scale, "relu": relu}
    case = requantize_case(config, np.random.default_rng(seed), maps=maps, **kind)
    narrow = sample(config)
    dut = Requantize(config)
    writes: list[tuple[int, int]] = []
    counted = {"saturations": 0, "frames": 0, "pairs": 0}
    timing = Timing()

    async def bench(ctx: Any) -> None:
        put(ctx, dut, **case.settings)
        await ctx.tick().repeat(SETTLE)
        put(ctx, dut, start=1)
        await ctx.tick()
        put(ctx, dut, start=0)
        source = Source(ctx, dut.i, [narrow.pack(word) for word in case.samples], stall, seed)
        cycle, accepted, written = 0, [], []
        while counted["pairs"] < case.n_pairs:
            assert cycle < LIMIT, f"{counted['pairs']} of {case.n_pairs} pairs done"
            source.step()
            signals = (dut.i.ready, dut.write.enable, dut.write.address, dut.write.data)
            strobes = (dut.saturated, dut.frame_done, dut.pair_done)
            _, _, ready, enable, address, data, saturated, frame, pair = await ctx.tick().sample(
                *signals, *strobes
            )
            if source.ticked(ready):
                accepted.append(cycle)
            if enable:
                writes.append((address, data))
                written.append(cycle)
            counted["saturations"] += saturated.bit_count()
            counted["frames"] += frame
            counted["pairs"] += pair
            cycle += 1
        timing.latency = written[0] - accepted[0]
        timing.interval = max(np.diff(accepted).tolist(), default=0)

    simulate(dut, bench, memory(dut.biases, case.biases), memory(dut.scales, case.scales))
    assert_same(writes, case.writes, case.labels.__getitem__)
    frames = sum(word["last"] for word in case.samples)
    model = {"saturations": case.saturations, "frames": frames, "pairs": case.n_pairs}
    assert counted == model, f"rtl {counted}, model {model}"
    return timing
