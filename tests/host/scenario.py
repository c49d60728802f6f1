# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""One host scenario for every transport: what a user may do with a device, and what was seen."""

import dataclasses
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.networks import random_input, random_network

from spectramac.compiler.compile import compile_network
from spectramac.host.accelerator import Accelerator, RunResult
from spectramac.host.transport import Read, Transport, Write
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.image import Image
from spectramac.spec.memory import memories
from spectramac.spec.registers import Access, register_map

__all__ = ["CONFIG", "Record", "differences", "run_scenario"]

CONFIG = AcceleratorConfig(
    name="contract",
    n_lanes=3,
    log2_n_max=4,
    data_width=14,
    twiddle_width=14,
    accumulator_width=24,
    coefficient_depth=512,
    activation_depth=256,
    spectrum_depth=64,
    accumulator_depth=32,
    directory_depth=256,
    channel_depth=128,
    n_layers_max=4,
)
SEED = 20261122

Record = dict[str, NDArray[Any]]
"""Everything that was seen, by what was done."""


@lru_cache(maxsize=1)
def models() -> tuple[tuple[Image, NDArray[np.int64]], ...]:
    """Two compiled random networks with inputs for an odd batch that takes several passes."""
    rng = np.random.default_rng(SEED)
    images = []
    for n_layers, batch in ((2, 5), (1, 3)):
        network = random_network(rng, CONFIG, max_size=14, n_layers=n_layers)
        image = dataclasses.replace(compile_network(network, CONFIG), max_pairs=2)
        images.append((image, random_input(rng, batch, network.n_inputs)))
    return tuple(images)


class _Scenario:
    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.accelerator = Accelerator(transport, CONFIG)
        self.map = register_map(CONFIG)
        self.record: Record = {}

    def keep(self, name: str, values: Any) -> None:
        assert name not in self.record
        self.record[name] = np.asarray(values)

    def registers(self, name: str) -> None:
        """All registers but the memory port, whose reads are transfers."""
        addresses = [r.address for r in self.map.registers if r.name != "memory_data"]
        answers = self.transport.transact([Read(address) for address in addresses])
        self.keep(f"{name}: registers", np.concatenate(answers))

    def ran(self, name: str, result: RunResult) -> None:
        self.keep(f"{name}: outputs", result.outputs)
        self.keep(f"{name}: counters", list(result.counters.values()))
        self.keep(f"{name}: layer cycles", result.layer_cycles)
        self.keep(f"{name}: passes, pairs", [result.n_passes, result.n_pairs])
        self.keep(f"{name}: warnings", ",".join(result.warnings))
        self.registers(name)

    def write(self, register: str, values: Any) -> Write:
        return Write(self.map[register].address, values)

    def aim(self, select: int, address: int) -> list[Read | Write]:
        return [self.write("memory_select", select), self.write("memory_address", address)]

    def clear(self) -> None:
        sticky = {f.name: 1 for f in self.map["status"].fields if f.access is Access.STICKY}
        self.transport.transact([self.write("status", self.map["status"].encode(**sticky))])

    def bad_accesses(self) -> None:
        """Each is refused with ``bus_error``, answers 0, and changes nothing."""
        table = memories(CONFIG)
        data = self.map["memory_data"].address
        activation, counts = table["activation"], table["layer_cycles"]
        attempts: dict[str, list[Read | Write]] = {
            "unmapped write": [Write(0xF0, 1)],
            "unmapped read": [Read(0xF4, 2)],
            "read of weights": [*self.aim(table["coefficient"].select, 0), Read(data, 3)],
            "write of cycles": [*self.aim(counts.select, 0), Write(data, 99)],
            "past the end": [
                *self.aim(activation.select, activation.depth - 1),
                Write(data, [7, 8]),
                Read(self.map["memory_address"].address),
                *self.aim(activation.select, activation.depth - 1),
                Read(data, 2),
            ],
            "no such memory": [*self.aim(15, 3), Write(data, 1), Read(data)],
        }
        for name, transfers in attempts.items():
            answers = self.transport.transact([*transfers, Read(self.map["status"].address)])
            self.keep(f"{name}: answers", np.concatenate(answers))
            self.clear()
            self.registers(name)

    def soft_reset(self) -> None:
        """In the middle of a run (where there is time), and when idle."""
        control = self.map["control"]
        pulses = [
            self.write("control", control.encode(start=1)),
            self.write("control", control.encode(reset=1)),
        ]
        self.transport.transact(pulses)
        self.clear()
        self.registers("soft reset")

    def run(self) -> Record:
        (first, x), (second, y) = models()
        self.keep("identity", list(dataclasses.astuple(self.accelerator.identify())))
        self.accelerator.load(first)
        self.registers("loaded")
        self.ran("odd batch", self.accelerator.run(x))
        self.ran("again", self.accelerator.run(x[::-1]))
        self.accelerator.load(second)
        self.ran("second image", self.accelerator.run(y))
        self.ran("single", self.accelerator.run(y[:1]))
        self.bad_accesses()
        self.ran("after bad accesses", self.accelerator.run(y))
        self.soft_reset()
        self.ran("after soft reset", self.accelerator.run(y))
        return self.record


def run_scenario(transport: Transport) -> Record:
    """Identify, load, run odd batches, change the model, be refused, reset, and run again."""
    return _Scenario(transport).run()


def differences(a: Record, b: Record) -> tuple[int, list[str]]:
    """Values compared, and where they differ: ``odd batch: outputs[2, 3]: 5, 6``."""
    assert list(a) == list(b)
    compared, found = 0, []
    for name, left in a.items():
        right = b[name]
        if left.shape != right.shape:
            found.append(f"{name}: shapes {left.shape}, {right.shape}")
            continue
        compared += left.size
        found += [
            f"{name}{list(map(int, at))}: {left[tuple(at)]}, {right[tuple(at)]}"
            for at in np.argwhere(left != right)
        ]
    return compared, found
