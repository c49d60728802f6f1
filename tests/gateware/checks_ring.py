# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Comparisons of what adds in a ring, and of what reads it, with models; see :mod:`tests.gateware.checks`."""

from collections import deque
from itertools import product
from typing import Any

import numpy as np
from tests.gateware.cases import SETTLE
from tests.gateware.cases_back import merge_case
from tests.gateware.cases_depthwise import own_case
from tests.gateware.cases_ring import RingCase, ring_case
from tests.gateware.checks_back import LIMIT, SUMS
from tests.gateware.drive import Sink, Source, memory, put, simulate
from tests.gateware.streams import assert_same

from spectramac.gateware.lanes import Lanes
from spectramac.gateware.merge import Merge
from spectramac.spec.config import OUTPUT_SLOTS, AcceleratorConfig
from spectramac.spec.payloads import job, sample
from spectramac.spec.timing import lanes_latency

__all__ = ["check_ring", "check_ring_merge"]


class Drain:
    """The backward loop's reads, one a cycle: the rows of each complete output, from the parts of bank 1 in turn."""

    def __init__(self, ctx: Any, dut: Lanes, rows: int) -> None:
        self.ctx, self.dut, self.rows = ctx, dut, rows
        self.config = dut.config
        self.outputs: list[Any] = []
        self.complete = 0  # outputs not yet begun
        self.requests: deque[tuple[int, int]] = deque()
        self.answers: deque[Any] = deque([None] * Lanes.DRAIN_LATENCY)

    @property
    def free(self) -> bool:
        """No output waits, or is being read."""
        return not self.complete and not self.requests and not any(self.answers)

    def step(self) -> None:
        """Before a tick."""
        if not self.requests and self.complete:
            self.complete -= 1
            self.requests.extend(product(range(self.rows), range(self.config.n_lanes)))
            self.outputs.append(np.zeros((self.rows, self.config.n_lanes, 4), np.int64))
        put(self.ctx, self.dut, draining=2 if self.requests else 0)
        asked = None
        if self.requests:
            number = len(self.outputs) - 1
            row, lane = self.requests.popleft()
            part = number % OUTPUT_SLOTS * self.config.accumulator_depth // OUTPUT_SLOTS
            put(self.ctx, self.dut, drain_row=part + row, drain_lane=lane)
            asked = number, row, lane
        self.answers.append(asked)

    def ticked(self, word: int, done: int) -> None:
        """After a tick that sampled ``drained`` and ``group_done``."""
        asked = self.answers.popleft()
        if asked is not None:
            number, row, lane = asked
            self.outputs[number][row, lane] = signed_sums(self.config, word)
        self.complete += done


def signed_sums(config: AcceleratorConfig, word: int) -> list[int]:
    """a1, a2, b1, b2 of a row."""
    acc = config.accumulator_width
    values = [word >> acc * k & ((1 << acc) - 1) for k in range(4)]
    return [value - (value >> (acc - 1) << acc) for value in values]


def assert_rows(actual: Any, expected: Any, where: str) -> None:
    """Sums (row, lane, 4) are equal."""
    assert actual.shape == expected.shape, f"{where}: rtl {actual.shape}, model {expected.shape}"
    for row, lane, k in np.argwhere(actual != expected):
        rtl, model = actual[row, lane, k], expected[row, lane, k]
        raise AssertionError(
            f"{where}, row {row}, lane {lane}, {SUMS[k]}: rtl {rtl}, model {model}"
        )


async def load(ctx: Any, dut: Lanes, case: RingCase) -> None:
    """Descriptor fields, tap table, start of the layer."""
    put(ctx, dut, is_depthwise=0)
    put(ctx, dut, **case.settings)
    await ctx.tick().repeat(SETTLE)
    put(ctx, dut, start_layer=1)
    await ctx.tick()
    put(ctx, dut, start_layer=0)
    for index, offset in enumerate(case.taps):
        put(ctx, dut, tap_write=1, tap_index=index, tap_offset=offset)
        await ctx.tick()
    put(ctx, dut, tap_write=0, tap_index=0, tap_offset=0)
    await ctx.tick().repeat(SETTLE)


def check_ring(
    config: AcceleratorConfig,
    *,
    is_narrow: bool = False,
    is_indexed: bool = True,
    seed: int = 0,
    loud: float = 0.1,
    stall: float = 0.0,
    n_layers: int = 2,
    depthwise: bool = False,
) -> None:
    """Complete outputs, when they are complete, and what stays in the ring; layer after layer.

    ``depthwise``: the lanes have columns of their own, in all layers but the last, which is a convolution.
    """
    rng = np.random.default_rng(seed)
    kind = {"is_narrow": is_narrow, "is_indexed": is_indexed}
    cases = [ring_case(config, rng, **kind, loud=loud) for _ in range(n_layers)]
    if depthwise:
        cases = [*(own_case(config, rng, loud=loud) for _ in range(n_layers)), *cases[-1:]]
    coefficients, indices = [0] * config.coefficient_depth, [0] * config.coefficient_depth
    shape = job(config)
    dut = Lanes(config)
    state = {"overflow": False}

    async def layer(ctx: Any, case: RingCase) -> None:
        coefficients[: len(case.entries.coefficients)] = case.entries.coefficients
        indices[: len(case.entries.indices)] = case.entries.indices
        state["overflow"] = False
        await load(ctx, dut, case)
        rows = next(word["count"] for word in case.jobs if word["marker"])
        source = Source(ctx, dut.i, [shape.pack(word) for word in case.jobs], stall, seed)
        drain = Drain(ctx, dut, rows)
        taken, cycle = 0, 0  # outputs whose marker the lanes have
        due: deque[int] = deque()
        while taken < len(case.outputs) or due or not drain.free:
            assert cycle < LIMIT, f"{len(drain.outputs)} of {len(case.outputs)} outputs came"
            # As the sequencer, which lets no output end for which there is no part.
            if taken - len(drain.outputs) < OUTPUT_SLOTS - 1:
                source.step()
            else:
                put(ctx, dut.i, valid=0)
                source.offering = False
            drain.step()
            *_, ready, done, word = await ctx.tick().sample(
                dut.i.ready, dut.group_done, dut.drained
            )
            drain.ticked(word, done)
            expected = bool(due) and due[0] == cycle
            assert done == expected, f"cycle {cycle}: rtl group_done {done}, model {expected}"
            if done:
                due.popleft()
            if source.ticked(ready) and case.jobs[source.taken - 1]["writes"]:
                taken += 1
                due.append(cycle + rows + lanes_latency(config))
            cycle += 1
        while source.taken < len(case.jobs):
            source.step()
            *_, ready = await ctx.tick().sample(dut.i.ready)
            source.ticked(ready)
        put(ctx, dut.i, valid=0)
        await ctx.tick().repeat(2 * lanes_latency(config))
        for number, (rtl, model) in enumerate(zip(drain.outputs, case.outputs, strict=True)):
            assert_rows(rtl, model, f"output {number}")
        assert_rows(await contents(ctx), case.ring, "what stays in the ring")
        overflow = state["overflow"]
        assert overflow == case.overflow, f"overflow: rtl {overflow}, model {case.overflow}"
        await clear(ctx)

    async def contents(ctx: Any) -> Any:
        sums = np.zeros((config.accumulator_depth, config.n_lanes, 4), np.int64)
        put(ctx, dut, draining=1)
        places = list(np.ndindex(sums.shape[:2]))
        for n in range(len(places) + Lanes.DRAIN_LATENCY):
            row, lane = places[min(n, len(places) - 1)]
            put(ctx, dut, drain_row=row, drain_lane=lane)
            *_, word = await ctx.tick().sample(dut.drained)
            if n >= Lanes.DRAIN_LATENCY:
                sums[places[n - Lanes.DRAIN_LATENCY]] = signed_sums(config, word)
        return sums

    async def clear(ctx: Any) -> None:
        put(ctx, dut, draining=3, clear=1)
        for row in range(config.accumulator_depth):
            put(ctx, dut, drain_row=row)
            await ctx.tick()
        put(ctx, dut, draining=0, clear=0)

    async def bench(ctx: Any) -> None:
        for case in cases:
            await layer(ctx, case)

    async def overflows(ctx: Any) -> None:
        async for _, _, flag in ctx.tick().sample(dut.overflow):
            state["overflow"] |= bool(flag)

    memories = (memory(dut.coefficients, coefficients), memory(dut.indices, indices))
    simulate(dut, bench, overflows, *memories)


def check_ring_merge(
    config: AcceleratorConfig, *, log2_n: int, seed: int = 0, stall: float = 0.0
) -> None:
    """Outputs from the parts of bank 1 in turn, whose rows stay; then a sweep; then a layer's group."""
    rng = np.random.default_rng(seed)
    part = config.accumulator_depth // OUTPUT_SLOTS
    small = config.replace(maps=False, accumulator_depth=part)
    cases = [merge_case(small, rng, log2_n=log2_n) for _ in range(OUTPUT_SLOTS + 2)]
    group = merge_case(config, rng, log2_n=log2_n)
    narrow = sample(config)
    dut = Merge(config)
    nothing = [0] * config.n_lanes
    rows = [nothing] * config.accumulator_depth
    swept: list[int] = []
    state = {"sweeping": True}

    async def accumulators(ctx: Any) -> None:
        answers = deque([0] * (Lanes.DRAIN_LATENCY - 1))
        ports = (dut.drain_row, dut.drain_lane, dut.clear)
        async for _, _, row, lane, clear in ctx.tick().sample(*ports):
            answers.append(rows[row][lane] if lane < config.n_lanes else 0)
            ctx.set(dut.drained, answers.popleft())
            if clear and state["sweeping"]:
                swept.append(row)
            elif clear:
                rows[row] = nothing

    async def sweep(ctx: Any) -> None:
        cycle = 0
        while ctx.get(dut.busy):
            assert cycle < LIMIT, "busy for ever"
            assert ctx.get(dut.sweeping), "busy, but not sweeping"
            *_, released = await ctx.tick().sample(dut.released)
            assert not released, "a sweep must not release a bank"
            cycle += 1
        assert_same(swept, range(config.accumulator_depth), lambda n: f"swept row {n}")
        swept.clear()
        state["sweeping"] = False

    async def run(ctx: Any, case: Any, where: str) -> list[Any]:
        put(ctx, dut, **case.settings)
        await ctx.tick().repeat(SETTLE)
        put(ctx, dut, start=1)
        await ctx.tick()
        put(ctx, dut, start=0)
        sink = Sink(ctx, dut.o, stall, seed)
        got: list[Any] = []
        released = cycle = 0
        while ctx.get(dut.busy) or len(got) < len(case.samples):
            assert cycle < LIMIT, f"{where}: {len(got)} of {len(case.samples)} samples came"
            sink.step()
            signals = (dut.o.valid, dut.o.payload.as_value(), dut.released)
            *_, valid, payload, strobe = await ctx.tick().sample(*signals)
            released += strobe
            if valid and sink.ready:
                got.append(narrow.unpack(payload))
            cycle += 1
        assert released == 1, f"{where}: released must be one strobe, not {released}"
        assert_same(got, case.samples, lambda n: f"{where}, {case.labels[n]}")
        return got

    async def bench(ctx: Any) -> None:
        put(ctx, dut, frame_free=1)
        await sweep(ctx)
        put(ctx, dut, in_ring=1, start_layer=1)
        await ctx.tick()
        put(ctx, dut, start_layer=0)
        for number, case in enumerate(cases):
            slot = number % OUTPUT_SLOTS
            rows[slot * part : (slot + 1) * part] = [list(row) for row in case.rows]
            before = list(rows)
            await run(ctx, case, f"output {number}")
            assert_same(rows, before, lambda row, n=number: f"after output {n}, row {row}")
        state["sweeping"] = True
        put(ctx, dut, sweep=1)
        await ctx.tick()
        put(ctx, dut, sweep=0)
        await sweep(ctx)
        put(ctx, dut, in_ring=0, start_layer=1)
        await ctx.tick()
        put(ctx, dut, start_layer=0)
        rows[:] = [list(row) for row in group.rows]
        await run(ctx, group, "a layer's group")
        depth = group.settings["clear_depth"]
        wanted = [nothing] * depth + group.rows[depth:]
        assert_same(rows, wanted, lambda row: f"after a layer's group, row {row}")

    simulate(dut, bench, memory(dut.shifts, [0] * config.channel_depth), accumulators)
