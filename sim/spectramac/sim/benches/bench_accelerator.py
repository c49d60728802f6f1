# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""cocotb bench of the whole accelerator: a model, through the driver.

Run by :func:`spectramac.sim.accelerator_bench.bench_accelerator`.
"""

from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.task import bridge

from spectramac.host.accelerator import Accelerator, RunResult
from spectramac.host.transport import RegisterTransport, open_transport
from spectramac.sim.cocotb_transport import CocotbTransport
from spectramac.sim.streams import Bench, bench_arguments
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.image import Image


@cocotb.test()
async def runs_a_model(dut: Any) -> None:
    arguments = bench_arguments()
    folder = Path(arguments.pop("folder"))
    config = AcceleratorConfig(**arguments.pop("config"))
    image = Image.load(folder / "model.img")
    x = np.load(folder / "inputs.npy", allow_pickle=False)
    bench = Bench(dut, **arguments)
    transport = CocotbTransport(bench)

    def scenario(device: Any) -> RunResult:
        accelerator = Accelerator(device, config)
        accelerator.identify()
        accelerator.load(image)
        return accelerator.run(x)

    driven: RegisterTransport = transport
    async with bench:
        rtl = await bridge(scenario)(driven)
        with open_transport("model", config) as model:
            golden = scenario(model)
        for i, (a, b) in enumerate(zip(rtl.outputs, golden.outputs, strict=True)):
            for c in range(len(b)):
                bench.check(a[c] == b[c], f"inference {i}, output {c}: rtl {a[c]}, model {b[c]}")
        for name, value in golden.counters.items():
            bench.check(
                rtl.counters[name] == value,
                f"counter {name}: rtl {rtl.counters[name]}, predicted {value}",
            )
        for i, (a, b) in enumerate(zip(rtl.layer_cycles, golden.layer_cycles, strict=True)):
            bench.check(a == b, f"cycles of layer {i}: rtl {a}, predicted {b}")
        bench.check(rtl.warnings == golden.warnings, f"overflow flags: rtl {rtl.warnings}")
    np.savez(folder / "result.npz", outputs=rtl.outputs, layer_cycles=rtl.layer_cycles)
