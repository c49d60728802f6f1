# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Runs a program from its memories on the simulated RTL and on the golden model and compares all that both say."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.cycles import predict, total_cycles
from spectramac.host.transport import Read, Transport, Write
from spectramac.model.accelerator import ProgramResult, run_program
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.memory import memories as memory_table
from spectramac.spec.registers import COUNTERS, OVERFLOWS, Access, register_map

MAX_CYCLES = 20_000_000

Memories = Mapping[str, NDArray[np.uint32]]


def compare_program(
    transport: Transport,
    config: AcceleratorConfig,
    memories: Memories,
    n_layers: int,
    n_pairs: int,
    what: str = "",
) -> ProgramResult:
    """Assert that all of activation memory, every counter, flag and layer's cycles are equal."""
    golden = run_program(config, memories, n_layers, n_pairs)
    table, registers = memory_table(config), register_map(config)
    control, status, program = (registers[name] for name in ("control", "status", "program"))

    def select(name: str) -> list[Read | Write]:
        return [
            Write(registers["memory_select"].address, table[name].select),
            Write(registers["memory_address"].address, 0),
        ]

    sticky = {f.name: 1 for f in status.fields if f.access is Access.STICKY}
    transfers: list[Read | Write] = [
        Write(control.address, control.encode(reset=1)),
        Write(status.address, status.encode(**sticky)),
    ]
    port = registers["memory_data"].address
    for name, memory in table.items():
        if memory.writable:
            transfers += [*select(name), Write(port, memories[name].reshape(-1))]
    transfers += [
        Write(program.address, program.encode(n_layers=n_layers, n_pairs=n_pairs)),
        Write(control.address, control.encode(start=1)),
    ]
    transport.transact(transfers)
    done = status.encode(done=1)
    assert transport.wait(status.address, done, done, timeout=600, max_cycles=MAX_CYCLES), what
    reads: list[Read | Write] = [Read(registers[name].address) for name in COUNTERS]
    reads += [Read(status.address), *select("activation"), Read(port, config.activation_depth)]
    reads += [*select("layer_cycles"), Read(port, n_layers)]
    *counters, flags, activation, layer_cycles = transport.transact(reads)

    different = np.flatnonzero(activation != golden.activation[:, 0])
    if len(different):
        i = int(different[0])
        raise AssertionError(
            f"{what}: {len(different)} words differ, the first {i}: "
            f"rtl {int(activation[i]):04x}, model {int(golden.activation[i, 0]):04x}"
        )
    found = dict(zip(COUNTERS, (int(c[0]) for c in counters), strict=True))
    for name, value in golden.counters.items():
        assert found[name] == value, f"{what}: {name} {found[name]}, model {value}"
    said = status.decode(int(flags[0]))
    for place in OVERFLOWS:
        assert bool(said[f"overflow_{place}"]) == golden.overflows[place], f"{what}: {place}"
    predicted = predict(config, golden.layers, n_pairs)
    assert layer_cycles.tolist() == [layer.cycles for layer in predicted], what
    assert found["cycles"] == total_cycles(predicted), what
    for name in ("lane_busy", "lane_stalled"):
        assert found[name] == sum(getattr(layer, name) for layer in predicted), f"{what}: {name}"
    return golden
