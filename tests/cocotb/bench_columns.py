# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""cocotb bench of split and threshold; run by test_blocks.py."""

from typing import Any

import cocotb
import numpy as np
from tests.cocotb.support import compare, drive
from tests.gateware.cases import columns_case

from spectramac.sim.streams import Bench, bench_arguments
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import bins, kept_columns

ARGUMENTS = bench_arguments()
CONFIG = AcceleratorConfig(**ARGUMENTS.pop("config"))
TOP = (1 << CONFIG.level_width) - 1
LEVELS = (0, 1, 1 << CONFIG.data_width, 1 << (2 * CONFIG.data_width - 2), TOP)


@cocotb.test()
async def keeps_what_the_model_keeps(dut: Any) -> None:
    rng = np.random.default_rng(ARGUMENTS["seed"])
    bench = Bench(dut, **ARGUMENTS, budget=4000)
    source, sink = bench.source("i", bins(CONFIG)), bench.sink("o", kept_columns(CONFIG))
    async with bench:
        for level in LEVELS:
            case = columns_case(CONFIG, rng, level=level, n_frames=6)
            drive(dut, level=level)
            source.send(case.bins)
            await compare(bench, sink, case.kept, case.labels)


@cocotb.test()
async def survives_reset_in_mid_frame(dut: Any) -> None:
    rng = np.random.default_rng(ARGUMENTS["seed"])
    bench = Bench(dut, **ARGUMENTS, budget=2000)
    source, sink = bench.source("i", bins(CONFIG)), bench.sink("o", kept_columns(CONFIG))
    async with bench:
        drive(dut, level=LEVELS[2])
        for stop in (1, 2, 3, 4, 7):
            source.send(columns_case(CONFIG, rng, level=LEVELS[2]).bins)
            await bench.tick(stop * 5 + 1)
            await bench.reset()
            sink.compared = len(sink.received)
            case = columns_case(CONFIG, rng, level=LEVELS[2], n_frames=1)
            source.send(case.bins)
            await compare(bench, sink, case.kept, case.labels)
