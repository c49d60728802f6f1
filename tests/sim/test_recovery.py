# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The RTL after a run that was stopped or could never end: nothing of it is seen by the next run."""

import numpy as np
import pytest
from tests.networks import random_input, random_network
from tests.sim.rtl import compare

from spectramac.compiler.compile import compile_network
from spectramac.host.accelerator import Accelerator
from spectramac.host.transport import Read, Write
from spectramac.model.network import Network
from spectramac.sim.transport import SimTransport
from spectramac.spec.config import AcceleratorConfig, preset
from spectramac.spec.descriptor import FIELDS
from spectramac.spec.errors import DeviceTimeoutError
from spectramac.spec.memory import memories
from spectramac.spec.registers import register_map

CONFIG = preset("small")


@pytest.fixture(scope="module")
def device():
    """One simulated device for all tests here: each inherits what the one before left."""
    with SimTransport(CONFIG) as transport:
        yield Accelerator(transport, CONFIG)


def network_and_input(config: AcceleratorConfig) -> tuple[Network, np.ndarray]:
    """The same network every time: three layers, so that a stop hits any phase."""
    rng = np.random.default_rng(11)
    network = random_network(rng, config, n_layers=3, pattern="dense")
    image = compile_network(network, config)
    return network, random_input(rng, 4, image.n_inputs)


def start(device: Accelerator) -> None:
    """Start the loaded program without waiting for it."""
    table = register_map(CONFIG)
    words = [table["control"].encode(start=1)]
    device.transport.transact([Write(table["control"].address, words)])


@pytest.mark.parametrize("cycles", [1, 5, 40, 150, 300, 450, 700, 1000, 1600])
def test_stopped_run(device: Accelerator, cycles: int) -> None:
    """Whenever a run is stopped, the next one is right in every bit and cycle."""
    network, x = network_and_input(CONFIG)
    expected = compare(device, network, x)
    start(device)
    device.transport.library.step(cycles)
    compared = compare(device, network, x)
    assert compared.result.counters == expected.result.counters


def test_run_that_never_finishes(device: Accelerator) -> None:
    """A descriptor whose last block is never complete makes the reader wait for ever."""
    network, x = network_and_input(CONFIG)
    compare(device, network, x)
    table, memory = register_map(CONFIG), memories(CONFIG)["descriptor"]
    field = next(f for f in FIELDS if f.name == "padded_in")
    image = compile_network(network, CONFIG)
    words = np.frombuffer(image.sections["descriptor"].data, "<u4")
    broken = int(words[field.word]) - (1 << field.offset)
    device.transport.transact(
        [
            Write(table["memory_select"].address, [memory.select]),
            Write(table["memory_address"].address, [field.word]),
            Write(table["memory_data"].address, [broken]),
        ]
    )
    with pytest.raises(DeviceTimeoutError, match="must finish"):
        device.run(x, max_cycles=100_000)
    status = device.transport.transact([Read(table["status"].address)])[0]
    assert table["status"].decode(int(status[0]))["busy"] == 0
    compare(device, network, x)
