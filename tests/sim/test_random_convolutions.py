# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Random convolutions: the RTL equals the golden model bit for bit, its counters the predicted ones."""

import numpy as np
import pytest
from tests.model.convolution_cases import CONFIG, ODD, prepare, random_node
from tests.sim.program import compare_program

from spectramac.sim.transport import SimTransport
from spectramac.spec.config import AcceleratorConfig, preset

SHORT, LONG = 40, 150
"""Layers for each configuration in ``make test`` and in ``make test-long``."""

CONFIGS = {
    "small": CONFIG,
    "odd": ODD,
    "large": preset("large").replace(
        maps=True, accumulator_depth=64, tap_depth=64, n_layers_max=64
    ),
}


def run(config: AcceleratorConfig, seeds: range) -> None:
    """Compare random layers, one or two pairs each."""
    with SimTransport(config) as transport:
        for seed in seeds:
            node, x = random_node(np.random.default_rng(seed))
            p = prepare(node, x, config)
            compare_program(transport, config, p.memories, p.n_layers, p.n_pairs, f"seed {seed}")


@pytest.mark.parametrize("name", ["small", "odd"])
def test_random_convolutions(name: str) -> None:
    """A deterministic subset."""
    run(CONFIGS[name], range(SHORT))


@pytest.mark.long
@pytest.mark.parametrize("name", CONFIGS)
def test_many_random_convolutions(name: str) -> None:
    """The sweep."""
    run(CONFIGS[name], range(1000, 1000 + LONG))
