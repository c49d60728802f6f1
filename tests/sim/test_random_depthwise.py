# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Random depthwise convolutions on the lanes: the RTL equals the golden model bit for bit, its counters the predicted
ones.
"""

import numpy as np
import pytest
from tests.model.depthwise_cases import prepare, random_depthwise
from tests.sim.program import compare_program
from tests.sim.test_random_convolutions import CONFIGS

from spectramac.sim.transport import SimTransport
from spectramac.spec.config import AcceleratorConfig

SHORT, LONG = 24, 150
"""Layers for each configuration in ``make test`` and in ``make test-long``."""


def run(config: AcceleratorConfig, seeds: range) -> None:
    """Compare random layers, up to three pairs each."""
    with SimTransport(config) as transport:
        for seed in seeds:
            node, x = random_depthwise(np.random.default_rng(seed), config)
            p = prepare(node, x, config)
            what = f"seed {seed}: {x.shape}, {node.window}"
            compare_program(transport, config, p.memories, p.n_layers, p.n_pairs, what)


@pytest.mark.parametrize("name", ["small", "odd"])
def test_random_depthwise(name: str) -> None:
    """A deterministic subset."""
    run(CONFIGS[name], range(SHORT))


@pytest.mark.long
@pytest.mark.parametrize("name", CONFIGS)
def test_many_random_depthwise(name: str) -> None:
    """The sweep."""
    run(CONFIGS[name], range(1000, 1000 + LONG))
