# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Random network graphs through the driver: the RTL gives the network's bytes, and counts what the model counts."""

import numpy as np
import pytest
from tests.graphs import random_graph, random_graph_inputs

from spectramac.compiler.graph_compile import compile_graph
from spectramac.host.graph_accelerator import GraphAccelerator
from spectramac.host.model_device import ModelDevice
from spectramac.model.graph_network import run_graph
from spectramac.model.map_node import Arithmetic
from spectramac.sim.transport import SimTransport
from spectramac.spec.config import AcceleratorConfig, preset

SHORT, LONG = 8, 60
"""Networks in ``make test`` and in ``make test-long``."""
MAX_CYCLES = 5_000_000


def run(config: AcceleratorConfig, seeds: range) -> None:
    """One network after the other on one device; some of three, some of four inferences."""
    with SimTransport(config) as transport:
        rtl = GraphAccelerator(transport, config)
        model = GraphAccelerator(ModelDevice(config), config)
        for seed in seeds:
            network = random_graph(seed)
            image = compile_graph(network, config)
            x = random_graph_inputs(network, 3 + seed % 2)
            results = []
            for device in (rtl, model):
                device.load(image)
                results.append(device.run(x, max_cycles=MAX_CYCLES))
            found, golden = results
            what = f"seed {seed}"
            expected = run_graph(network, x, Arithmetic.of(config))
            np.testing.assert_array_equal(found.outputs, expected, what)
            assert found.node_cycles == golden.node_cycles, what
            assert found.counters == golden.counters, what
            assert found.warnings == golden.warnings, what


def test_random_graphs() -> None:
    """A deterministic subset."""
    run(preset("conv"), range(SHORT))


@pytest.mark.long
def test_many_random_graphs() -> None:
    """The sweep."""
    run(preset("conv"), range(1000, 1000 + LONG))
