# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""cocotb bench of the scheduler; run by test_blocks.py."""

from itertools import product
from typing import Any

import cocotb
import numpy as np
from tests.cocotb.support import Memory, compare, drive
from tests.gateware.cases import SETTLE, SchedulerCase, scheduler_case

from spectramac.sim.streams import Bench, bench_arguments
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import job, kept_columns

ARGUMENTS = bench_arguments()
CONFIG = AcceleratorConfig(**ARGUMENTS.pop("config"))


class SchedulerBench:
    """Streams, directory and the count of skipped columns."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.bench = Bench(dut, **ARGUMENTS, budget=4000)
        self.source = self.bench.source("i", kept_columns(CONFIG))
        self.sink = self.bench.sink("o", job(CONFIG))
        self.directory = Memory(dut, "memory")
        self.skipped = 0
        self.bench.probe(self.count)
        drive(dut, rewind=0, is_complex=0, directory_base=0, uniform_count=0)

    def count(self) -> None:
        self.skipped += int(self.dut.skipped.value)

    async def start_layer(self, case: SchedulerCase) -> None:
        self.directory.words = case.memory
        drive(
            self.dut,
            **case.settings,
        )
        await self.bench.tick(SETTLE)
        drive(self.dut, rewind=1)
        await self.bench.tick()
        drive(self.dut, rewind=0)

    async def run(self, case: SchedulerCase) -> None:
        await self.start_layer(case)
        self.skipped = 0
        self.source.send(case.columns)
        await compare(self.bench, self.sink, case.jobs, case.labels)
        await self.bench.tick()
        message = f"skipped: rtl {self.skipped}, model {case.skipped}"
        self.bench.check(self.skipped == case.skipped, message)


@cocotb.test()
async def jobs_equal_the_directory(dut: Any) -> None:
    rng = np.random.default_rng(ARGUMENTS["seed"])
    scheduler = SchedulerBench(dut)
    async with scheduler.bench:
        for is_complex, uniform_count in product((False, True), (0, 0, 7)):
            case = scheduler_case(CONFIG, rng, is_complex=is_complex, uniform_count=uniform_count)
            await scheduler.run(case)


@cocotb.test()
async def survives_reset_in_mid_pair(dut: Any) -> None:
    rng = np.random.default_rng(ARGUMENTS["seed"])
    scheduler = SchedulerBench(dut)
    async with scheduler.bench:
        for stop in (2, 3, 8):
            case = scheduler_case(CONFIG, rng, is_complex=True)
            await scheduler.start_layer(case)
            scheduler.source.send(case.columns)
            await scheduler.bench.tick(stop)
            await scheduler.bench.reset()
            scheduler.sink.compared = len(scheduler.sink.received)
            await scheduler.run(scheduler_case(CONFIG, rng, is_complex=bool(stop % 2), n_pairs=1))
