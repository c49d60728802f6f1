# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Random window sums, window maxima and additions on the RTL: memory, counters, flags and cycles as predicted."""

import numpy as np
import pytest
from tests.sim.program import compare_program
from tests.sim.test_random_convolutions import CONFIGS
from tests.windows import NODES, random_program

from spectramac.sim.transport import SimTransport
from spectramac.spec.config import AcceleratorConfig

SHORT, LONG = 12, 200
"""Programs for each configuration in ``make test`` and in ``make test-long``."""


def run(config: AcceleratorConfig, seeds: range) -> set[str]:
    """Programs of several layers, one after the other on one device; returns the overflows that happened."""
    flags = set()
    transport = SimTransport(config)
    for seed in seeds:
        rng = np.random.default_rng(seed)
        kinds = [NODES[seed % len(NODES)]]
        kinds += [NODES[k] for k in rng.integers(len(NODES), size=rng.integers(0, 3))]
        program = random_program(rng, config, int(rng.integers(1, 4)), tuple(kinds), size=9)
        what = f"seed {seed} {config.name}: {', '.join(kind.__name__ for kind in kinds)}"
        arguments = (program.memories, len(kinds), program.n_pairs, what)
        golden = compare_program(transport, config, *arguments)
        flags |= {place for place, happened in golden.overflows.items() if happened}
    transport.close()
    return flags


@pytest.mark.parametrize("name", ["small", "odd"])
def test_random_programs(name: str) -> None:
    """A deterministic subset. In ``odd`` requantization takes a sample every second cycle."""
    flags = run(CONFIGS[name], range(SHORT))
    assert flags == ({"merge"} if name == "odd" else set())


@pytest.mark.long
@pytest.mark.parametrize("name", CONFIGS)
def test_many_random_programs(name: str) -> None:
    """The sweep."""
    run(CONFIGS[name], range(1000, 1000 + LONG))
