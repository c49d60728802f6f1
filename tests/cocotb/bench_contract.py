# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The host scenario through the accelerator's streams under cocotb; run by tests/host/test_transports.py."""

from typing import Any

import cocotb
import numpy as np
from cocotb.task import bridge
from tests.host.scenario import CONFIG, differences, run_scenario

from spectramac.host.transport import open_transport
from spectramac.sim.cocotb_transport import CocotbTransport
from spectramac.sim.streams import Bench, bench_arguments


@cocotb.test()
async def serves_the_scenario(dut: Any) -> None:
    arguments = bench_arguments()
    path = arguments.pop("record")
    bench = Bench(dut, **arguments)
    transport = CocotbTransport(bench)
    async with bench:
        record = await bridge(run_scenario)(transport)
        with open_transport("model", CONFIG) as model:
            compared, found = differences(record, run_scenario(model))
        bench.check(not found, f"cocotb, model: {'; '.join(found[:5])}")
        bench.n_checks += compared
    np.savez(path, **record)
