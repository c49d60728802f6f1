# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Runs a network on the simulated RTL and on the golden model and compares everything that both say."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tests.networks import program_memories, program_outputs

from spectramac.compiler.compile import compile_network
from spectramac.compiler.cycles import predict, total_cycles
from spectramac.host.accelerator import Accelerator, RunResult
from spectramac.model.accelerator import ProgramResult, run_program
from spectramac.model.network import Network
from spectramac.sim.transport import SimTransport
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.registers import OVERFLOWS

MAX_CYCLES = 2_000_000


@dataclass
class Compared:
    """One comparison: the hardware's result and the golden one."""

    result: RunResult
    golden: ProgramResult


def describe(network: Network) -> str:
    """A network in one line, for failure messages."""
    return "; ".join(
        f"{layer.n_in}x{layer.n_out} {layer.t_in.kind}{layer.t_in.n}->{layer.t_out.kind}"
        f"{layer.t_out.n} {layer.pattern} {layer.coefficient_bits} bit level {layer.level}"
        for layer in network.layers
    )


def compare(
    device: Accelerator,
    network: Network,
    x: NDArray[np.int64],
    *,
    n_groups: int | None = None,
    what: str = "",
) -> Compared:
    """Assert that outputs, every counter, flag and layer's cycles are equal."""
    config = device.config
    image = compile_network(network, config, n_groups=n_groups)
    golden = run_program(config, program_memories(image, config, x), image.n_layers, len(x) // 2)
    outputs = program_outputs(image, golden.activation, len(x))
    cycles = predict(config, golden.layers, len(x) // 2)
    device.load(image)
    result = device.run(x, max_cycles=MAX_CYCLES)
    label = f"{what} {config.name}: {describe(network)}"
    different = np.argwhere(result.outputs != outputs)
    if len(different):
        i, c = different[0]
        raise AssertionError(
            f"{label}: {len(different)} of {outputs.size} outputs differ; inference {i}, channel {c}: "
            f"rtl {result.outputs[i, c]}, model {outputs[i, c]}"
        )
    assert list(result.layer_cycles) == [layer.cycles for layer in cycles], label
    assert result.counters == {
        "cycles": total_cycles(cycles),
        "lane_busy": sum(layer.lane_busy for layer in cycles),
        "lane_stalled": sum(layer.lane_stalled for layer in cycles),
        "columns_skipped": golden.counters["columns_skipped"],
        "saturations": golden.counters["saturations"],
    }, label
    flags = [place for place in OVERFLOWS if golden.overflows[place]]
    assert len(result.warnings) == len(flags), f"{label}: {result.warnings}, model {flags}"
    return Compared(result, golden)


def open_device(config: AcceleratorConfig, technology: str = "generic") -> Accelerator:
    """A simulated accelerator of that configuration."""
    return Accelerator(SimTransport(config, technology=technology), config)
