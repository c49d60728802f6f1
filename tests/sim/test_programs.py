# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Programs of convolutions and fully-connected layers on the RTL: both kinds in turn, runs that are stopped."""

from collections.abc import Iterator

import numpy as np
import pytest
from tests.model.convolution_cases import CONFIG, Prepared, chain
from tests.sim.program import compare_program

from spectramac.compiler.cycles import predict
from spectramac.host.transport import Read, Write
from spectramac.model.accelerator import run_program
from spectramac.sim.transport import SimTransport
from spectramac.spec.descriptor import Kind
from spectramac.spec.registers import register_map

REGISTERS = register_map(CONFIG)
Stopped = tuple[Prepared, list[int]]


@pytest.fixture(scope="module")
def transport() -> Iterator[SimTransport]:
    """One simulated device for all tests here: each inherits what the one before left."""
    with SimTransport(CONFIG) as device:
        yield device


def compare(transport: SimTransport, p: Prepared, what: str = "") -> None:
    """Everything that the RTL and the models say."""
    compare_program(transport, CONFIG, p.memories, p.n_layers, p.n_pairs, what)


def start(transport: SimTransport, n_layers: int, n_pairs: int) -> None:
    """Run what the memories hold, without waiting for it."""
    control, program = REGISTERS["control"], REGISTERS["program"]
    words = program.encode(n_layers=n_layers, n_pairs=n_pairs)
    transport.transact(
        [Write(program.address, words), Write(control.address, control.encode(start=1))]
    )


@pytest.mark.parametrize("n_pairs", [1, 3])
def test_layers_of_both_kinds_in_turn(transport: SimTransport, n_pairs: int) -> None:
    p = chain(np.random.default_rng(n_pairs), n_pairs)
    kinds = [some.values["kind"] for some in p.program.passes]
    assert kinds == [Kind.CONVOLUTION, Kind.LAYER, Kind.CONVOLUTION, Kind.LAYER]
    compare(transport, p)


@pytest.fixture(scope="module")
def stopped(transport: SimTransport) -> Stopped:
    """A program that is in the memories, and the cycles of its layers."""
    p = chain(np.random.default_rng(5), 1)
    golden = run_program(CONFIG, p.memories, p.n_layers, p.n_pairs)
    compare(transport, p)
    return p, [layer.cycles for layer in predict(CONFIG, golden.layers, p.n_pairs)]


@pytest.mark.parametrize("part", [0.02, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("layer", [0, 2])
def test_convolution_that_is_stopped(
    transport: SimTransport, stopped: Stopped, layer: int, part: float
) -> None:
    """Fetch, tap table, ring, complete outputs, sweep: wherever a reset finds them, the next run is right."""
    p, cycles = stopped
    start(transport, p.n_layers, p.n_pairs)
    transport.library.step(sum(cycles[:layer]) + int(part * cycles[layer]))
    compare(transport, p)


def test_nothing_to_run(transport: SimTransport) -> None:
    """No pairs, or no layers: done at once, no cycle counted as a layer's; the next run is right."""
    p = chain(np.random.default_rng(5), 1)
    compare(transport, p)
    status = REGISTERS["status"]
    for n_layers, n_pairs in ((p.n_layers, 0), (0, p.n_pairs)):
        done = status.encode(done=1)
        transport.transact([Write(status.address, done)])
        start(transport, n_layers, n_pairs)
        assert transport.wait(status.address, done, done, timeout=60, max_cycles=100)
        (cycles,) = transport.transact([Read(REGISTERS["cycles"].address)])
        assert int(cycles[0]) <= 2
    compare(transport, p)
