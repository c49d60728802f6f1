# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""cocotb bench of the requantizer: frames in, memory writes out; run by test_blocks.py."""

from typing import Any

import cocotb
import numpy as np
from tests.cocotb.support import Memory, drive
from tests.gateware.cases import SETTLE
from tests.gateware.cases_back import RequantizeCase, requantize_case

from spectramac.sim.streams import Bench, bench_arguments
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import sample

ARGUMENTS = bench_arguments()
CONFIG = AcceleratorConfig(**ARGUMENTS.pop("config"))
KINDS = [
    {"log2_n": log2_n, "per_channel_scale": bool(k & 1), "relu": bool(k & 2)}
    for log2_n in (0, 3, 4)
    for k in range(4)
]


class RequantizeBench:
    """Sample stream, bias and scale memories, the writes and strobes."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.bench = Bench(dut, **ARGUMENTS, budget=2000)
        self.source = self.bench.source("i", sample(CONFIG))
        self.biases, self.scales = Memory(dut, "biases"), Memory(dut, "scales")
        self.forget()
        self.bench.probe(self.look)
        drive(dut, start=0, **dict.fromkeys(requantize_case(CONFIG, RNG(), **KINDS[0]).settings, 0))

    def forget(self) -> None:
        self.writes: list[tuple[int, int]] = []
        self.saturations = self.pairs = self.frames = 0

    def look(self) -> None:
        dut = self.dut
        if int(dut.write__enable.value):
            self.writes.append((int(dut.write__address.value), int(dut.write__data.value)))
        self.saturations += int(dut.saturated.value).bit_count()
        self.pairs += int(dut.pair_done.value)
        self.frames += int(dut.frame_done.value)

    async def start(self, case: RequantizeCase) -> None:
        self.biases.words, self.scales.words = case.biases, case.scales
        drive(self.dut, **case.settings)
        await self.bench.tick(SETTLE)
        drive(self.dut, start=1)
        await self.bench.tick()
        drive(self.dut, start=0)
        self.source.send(case.samples)

    async def run(self, case: RequantizeCase) -> None:
        await self.start(case)
        self.forget()
        begin = self.bench.cycle
        while self.pairs < case.n_pairs:
            assert self.bench.cycle - begin < self.bench.budget, "pair_done did not come"
            await self.bench.tick()
        check = self.bench.check
        for rtl, model, where in zip(self.writes, case.writes, case.labels, strict=False):
            check(rtl == model, f"{where}: rtl (address, word) {rtl}, model {model}")
        counts = {
            "writes": (len(self.writes), len(case.writes)),
            "saturations": (self.saturations, case.saturations),
            "frames": (self.frames, sum(word["last"] for word in case.samples)),
        }
        for name, (rtl, model) in counts.items():
            check(rtl == model, f"{name}: rtl {rtl}, model {model}")


def RNG() -> np.random.Generator:  # noqa: N802
    """A fresh seeded generator."""
    return np.random.default_rng(ARGUMENTS["seed"])


@cocotb.test()
async def writes_equal_the_model(dut: Any) -> None:
    rng = RNG()
    requantize = RequantizeBench(dut)
    async with requantize.bench:
        for kind in KINDS:
            await requantize.run(requantize_case(CONFIG, rng, **kind))


@cocotb.test()
async def survives_reset_in_mid_frame(dut: Any) -> None:
    rng = RNG()
    requantize = RequantizeBench(dut)
    async with requantize.bench:
        for stop in (2, 5, 13):
            await requantize.start(requantize_case(CONFIG, rng, **KINDS[5]))
            await requantize.bench.tick(stop)
            await requantize.bench.reset()
            await requantize.run(requantize_case(CONFIG, rng, **KINDS[stop % len(KINDS)]))
