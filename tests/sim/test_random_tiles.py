# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Random convolutions in tiles: the RTL equals the golden model bit for bit, its counters the predicted ones."""

import numpy as np
import pytest
from tests.model.convolution_cases import ODD
from tests.networks import program_memories, random_input
from tests.sim.program import compare_program
from tests.tiles import random_tiles, tile_program

from spectramac.sim.transport import SimTransport
from spectramac.spec.config import AcceleratorConfig, preset

SHORT, LONG = 24, 120
"""Layers for each configuration in ``make test`` and in ``make test-long``."""

CONFIGS = {
    "small": preset("small").replace(
        maps=True,
        log2_n_max=8,
        coefficient_depth=1 << 14,
        directory_depth=1 << 14,
        activation_depth=1 << 14,
    ),
    "odd": ODD.replace(
        log2_n_max=6,
        n_spectrum_banks=2,
        directory_depth=4096,
        activation_depth=1 << 14,
        spectrum_depth=64,
        accumulator_depth=64,
        n_layers_max=16,
    ),
    "conv": preset("conv"),
    "large": preset("large").replace(
        maps=True,
        accumulator_depth=256,
        coefficient_depth=1 << 13,
        directory_depth=1 << 14,
        activation_depth=1 << 16,
    ),
}


def run(config: AcceleratorConfig, seeds: range) -> None:
    """Compare random layers of one to three pairs, in one descriptor or several."""
    with SimTransport(config) as transport:
        for seed in seeds:
            rng = np.random.default_rng(seed)
            side = int(rng.choice(config.tile_sides))
            shape = (*rng.integers(1, side + 9, 2).tolist(), int(rng.integers(1, 5)))
            n_out = int(rng.integers(1, 2 * config.n_lanes + 3))
            node = random_tiles(
                rng, config, side=side, shape=shape, n_out=n_out, bits=int(rng.choice([4, 8])),
                density=float(rng.choice([0.05, 0.3, 1.0])),
            )  # fmt: skip
            # Words of a pair, with the gaps that tile_program may leave.
            maps = [shape, node.output_shape(shape)]
            words = sum(h * (w * (c + 2) + 2) + 2 for h, w, c in maps) + 4
            n_pairs = min(int(rng.integers(1, 4)), config.activation_depth // words)
            most = int(rng.choice([config.n_lanes, 1 << 16]))
            p = tile_program(rng, node, config, shape, n_pairs, most=most)
            x = random_input(rng, 2 * n_pairs, p.image.n_inputs)
            memories = program_memories(p.image, config, x)
            what = f"seed {seed}: side {side}, {shape} to {n_out} channels, {node.window}"
            compare_program(transport, config, memories, p.image.n_layers, n_pairs, what)


@pytest.mark.parametrize("name", ["small", "odd", "conv"])
def test_random_tiles(name: str) -> None:
    """A deterministic subset."""
    run(CONFIGS[name], range(SHORT))


@pytest.mark.long
@pytest.mark.parametrize("name", CONFIGS)
def test_many_random_tiles(name: str) -> None:
    """The sweep."""
    run(CONFIGS[name], range(1000, 1000 + LONG))
