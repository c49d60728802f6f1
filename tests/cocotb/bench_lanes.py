# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""cocotb bench of the lanes: random jobs, hazards, saturation, banks; run by test_blocks.py."""

from itertools import product
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge
from tests.cocotb.support import Memory, drive
from tests.gateware.cases import SETTLE
from tests.gateware.cases_back import LanesCase, lanes_case

from spectramac.gateware.lanes import Lanes
from spectramac.sim.streams import Bench, bench_arguments
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import job

ARGUMENTS = bench_arguments()
CONFIG = AcceleratorConfig(**ARGUMENTS.pop("config"))
N_BANKS = CONFIG.n_accumulator_banks
SUMS = ("a1", "a2", "b1", "b2")


class LanesBench:
    """Job stream, entry memories, strobes, and the backward loop's access to the accumulators."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.bench = Bench(dut, **ARGUMENTS, budget=4000)
        self.source = self.bench.source("i", job(CONFIG))
        self.coefficients, self.indices = Memory(dut, "coefficients"), Memory(dut, "indices")
        self.groups_done = 0
        self.busy = 0
        self.overflow = [False]
        self.bench.probe(self.look)
        drive(dut, start_layer=0, draining=0, drain_row=0, drain_lane=0, clear=0)
        drive(dut, is_narrow=0, is_indexed=0, coefficient_base=0, index_base=0)

    def look(self) -> None:
        self.busy += int(self.dut.busy.value)
        self.overflow[-1] |= bool(int(self.dut.overflow.value))
        if int(self.dut.group_done.value):
            self.groups_done += 1
            self.overflow.append(False)

    async def clear(self, bank: int) -> None:
        drive(self.dut, draining=1 << bank, clear=1)
        for row in range(CONFIG.accumulator_depth):
            drive(self.dut, drain_row=row)
            await self.bench.tick()
        drive(self.dut, draining=0, clear=0)

    async def drained(self, bank: int) -> Any:
        """All sums of a bank: (row, lane, 4)."""
        depth, acc = CONFIG.accumulator_depth, CONFIG.accumulator_width
        sums = np.zeros((depth, CONFIG.n_lanes, 4), np.int64)
        drive(self.dut, draining=1 << bank)
        for row, lane in product(range(depth), range(CONFIG.n_lanes)):
            drive(self.dut, drain_row=row, drain_lane=lane)
            await self.bench.tick(Lanes.DRAIN_LATENCY)
            await FallingEdge(self.dut.clk)
            word = int(self.dut.drained.value)
            for k in range(4):
                value = word >> acc * k & ((1 << acc) - 1)
                sums[row, lane, k] = value - (value >> (acc - 1) << acc)
            await self.bench.tick()
        drive(self.dut, draining=0)
        return sums

    async def start_layer(self, case: LanesCase) -> None:
        self.coefficients.words, self.indices.words = case.coefficients, case.indices
        drive(self.dut, **case.settings)
        await self.bench.tick(SETTLE)
        drive(self.dut, start_layer=1)
        await self.bench.tick()
        drive(self.dut, start_layer=0)

    async def run(self, case: LanesCase) -> None:
        """All groups; a bank is given to the next group only when its sums were read."""
        await self.start_layer(case)
        first, self.busy, self.overflow = self.groups_done, 0, [False]
        for jobs in case.groups[:N_BANKS]:
            self.source.send(jobs)
        for group, expected in enumerate(case.sums):
            begin = self.bench.cycle
            while self.groups_done <= first + group:
                assert self.bench.cycle - begin < self.bench.budget, f"group {group}: never done"
                await self.bench.tick()
            sums = await self.drained(group % N_BANKS)
            for row, lane, k in np.ndindex(sums.shape):
                where = f"group {group}, row {row}, lane {lane}, {SUMS[k]}"
                rtl, model = sums[row, lane, k], expected[row, lane, k]
                self.bench.check(rtl == model, f"{where}: rtl {rtl}, model {model}")
            await self.clear(group % N_BANKS)
            if group + N_BANKS < len(case.groups):
                self.source.send(case.groups[group + N_BANKS])
        for group, expected in enumerate(case.overflows):
            rtl = self.overflow[group]
            self.bench.check(
                rtl == expected, f"group {group}, overflow: rtl {rtl}, model {expected}"
            )
        busy = sum(
            job["count"] * (1 + job["is_complex"])
            for jobs in case.groups
            for job in jobs
            if not job["marker"]
        )
        self.bench.check(self.busy == busy, f"busy cycles: rtl {self.busy}, model {busy}")


@cocotb.test()
async def sums_equal_the_model(dut: Any) -> None:
    rng = np.random.default_rng(ARGUMENTS["seed"])
    lanes = LanesBench(dut)
    async with lanes.bench:
        for bank in range(N_BANKS):
            await lanes.clear(bank)
        for trial in range(8):
            kind = {"is_narrow": bool(trial & 1), "is_indexed": bool(trial & 2)}
            loud = 0.3 if trial & 4 else 0.0
            await lanes.run(lanes_case(CONFIG, rng, **kind, loud=loud, n_jobs=24))


@cocotb.test()
async def survives_reset_in_mid_group(dut: Any) -> None:
    rng = np.random.default_rng(ARGUMENTS["seed"])
    lanes = LanesBench(dut)
    async with lanes.bench:
        for stop in (1, 2, 7, 30):
            case = lanes_case(CONFIG, rng, is_narrow=False, is_indexed=True)
            await lanes.start_layer(case)
            lanes.source.send(case.groups[0])
            await lanes.bench.tick(stop)
            await lanes.bench.reset()
            for bank in range(N_BANKS):
                await lanes.clear(bank)
            await lanes.run(lanes_case(CONFIG, rng, is_narrow=True, is_indexed=True, n_groups=1))
