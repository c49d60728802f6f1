# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""cocotb bench of the merge: groups of all kinds out of accumulators; run by test_blocks.py."""

import random
from collections import deque
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge
from tests.cocotb.support import Memory, compare, drive
from tests.gateware.cases import SETTLE
from tests.gateware.cases_back import MergeCase, merge_case

from spectramac.gateware.lanes import Lanes
from spectramac.sim.streams import Bench, bench_arguments
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import sample

ARGUMENTS = bench_arguments()
CONFIG = AcceleratorConfig(**ARGUMENTS.pop("config"))
KINDS = [
    {"log2_n": log2_n, "two_d": two_d, "bin_major": bin_major, "per_row_shift": per_row}
    for log2_n, two_d in [(0, False), (3, False), (4, False), (4, True)]
    for bin_major, per_row in [(False, False), (False, True), (True, True)]
    if log2_n or not bin_major
]


class Accumulators:
    """The accumulators of all lanes as the backward loop sees them: read, and cleared."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.rows = [[0] * CONFIG.n_lanes] * CONFIG.accumulator_depth
        self._answers = deque([0] * (Lanes.DRAIN_LATENCY - 1))
        dut.drained.value = 0
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        while True:
            await FallingEdge(self.dut.clk)
            row = int(self.dut.drain_row.value)
            lane, clear = int(self.dut.drain_lane.value), int(self.dut.clear.value)
            self._answers.append(self.rows[row][lane] if lane < CONFIG.n_lanes else 0)
            await RisingEdge(self.dut.clk)
            self.dut.drained.value = self._answers.popleft()
            if clear:
                self.rows[row] = [0] * CONFIG.n_lanes


class MergeBench:
    """Output stream, accumulators, row shifts and strobes."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.bench = Bench(dut, **ARGUMENTS, budget=4000)
        self.sink = self.bench.sink("o", sample(CONFIG))
        self.shifts = Memory(dut, "shifts")
        self.accumulators = Accumulators(dut)
        self.random = random.Random(ARGUMENTS["seed"])
        self.overflow = False
        self.released = self.frames = 0
        self.blocking = False
        self.bench.probe(self.look)
        drive(dut, start=0, frame_free=1, first_pair=0, size=0, log2_n=0, two_d=0)
        drive(dut, bin_major=0, column_stride=0, clear_depth=1, per_row_shift=0, row_shift=0)

    def look(self) -> None:
        self.overflow |= bool(int(self.dut.overflow.value))
        self.released += int(self.dut.released.value)
        self.frames += int(self.dut.frame_start.value)

    async def start(self, case: MergeCase) -> None:
        """Once the sweep that follows a reset is over."""
        begin = self.bench.cycle
        while int(self.dut.busy.value):
            assert self.bench.cycle - begin < self.bench.budget, "busy for ever"
            await self.bench.tick()
            await FallingEdge(self.dut.clk)
        self.shifts.words = case.shifts
        self.accumulators.rows = [list(row) for row in case.rows]
        drive(self.dut, **case.settings)
        await self.bench.tick(SETTLE)
        drive(self.dut, start=1)
        await self.bench.tick()
        drive(self.dut, start=0)

    async def run(self, case: MergeCase) -> None:
        self.overflow, self.released, self.frames = False, 0, 0
        await self.start(case)
        begin = self.bench.cycle
        while not self.released:
            if self.blocking:
                drive(self.dut, frame_free=self.random.random() < 0.2)
            assert self.bench.cycle - begin < self.bench.budget, "merge never ended"
            await self.bench.tick()
        drive(self.dut, frame_free=1)
        await compare(self.bench, self.sink, case.samples, case.labels)
        check = self.bench.check
        check(self.overflow == case.overflow, f"overflow: {self.overflow}, model {case.overflow}")
        check(self.released == 1, f"released must be one strobe, not {self.released}")
        n_frames = sum(word["last"] for word in case.samples)
        check(self.frames == n_frames, f"frame_start: {self.frames} for {n_frames} frames")
        depth = case.settings["clear_depth"]
        for row, words in enumerate(self.accumulators.rows):
            wanted = [0] * CONFIG.n_lanes if row < depth else case.rows[row]
            check(words == wanted, f"row {row}: must {'be' if row < depth else 'not be'} cleared")


@cocotb.test()
async def samples_equal_the_model(dut: Any) -> None:
    rng = np.random.default_rng(ARGUMENTS["seed"])
    merge = MergeBench(dut)
    async with merge.bench:
        for number, kind in enumerate(KINDS):
            merge.blocking = number % 3 == 2
            case = merge_case(CONFIG, rng, **kind, loud=number % 2 == 1)
            await merge.run(case)


@cocotb.test()
async def survives_reset_in_mid_frame(dut: Any) -> None:
    rng = np.random.default_rng(ARGUMENTS["seed"])
    merge = MergeBench(dut)
    async with merge.bench:
        for stop in (1, 5, 13):
            await merge.start(merge_case(CONFIG, rng, **KINDS[-1]))
            await merge.bench.tick(stop)
            await merge.bench.reset()
            merge.sink.compared = len(merge.sink.received)
            await merge.run(merge_case(CONFIG, rng, **KINDS[stop % len(KINDS)]))
