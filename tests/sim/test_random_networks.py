# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Random networks: the RTL equals the golden model bit for bit, its counters the predicted ones."""

import numpy as np
import pytest
from tests.networks import PATTERNS, random_input, random_network
from tests.sim.rtl import compare, open_device

from spectramac.compiler.compile import compile_network
from spectramac.spec.config import AcceleratorConfig, preset

SHORT, LONG = 24, 200
"""Networks for each configuration in ``make test`` and in ``make test-long``."""

CONFIGS = {
    "tiny": preset("tiny"),
    "small": preset("small"),
    "large": preset("large"),
    "odd": AcceleratorConfig(
        name="odd",
        n_lanes=5,
        log2_n_max=5,
        data_width=14,
        twiddle_width=14,
        accumulator_width=24,
        n_threshold_multipliers=1,
        n_accumulator_banks=1,
        n_spectrum_banks=2,
        job_queue_depth=2,
        coefficient_depth=512,
        activation_depth=512,
        spectrum_depth=64,
        accumulator_depth=32,
        directory_depth=512,
        channel_depth=256,
        n_layers_max=4,
    ),
    "serial": AcceleratorConfig(
        name="serial",
        n_lanes=1,
        lane_architecture="serial",
        log2_n_max=5,
        data_width=16,
        twiddle_width=15,
        accumulator_width=22,
        fft_architecture="iterative",
        n_threshold_multipliers=1,
        n_requantize_multipliers=1,
        n_accumulator_banks=1,
        n_spectrum_banks=2,
        job_queue_depth=1,
        coefficient_depth=512,
        activation_depth=512,
        spectrum_depth=64,
        accumulator_depth=64,
        directory_depth=512,
        channel_depth=256,
        n_layers_max=4,
    ),
}


def run(config: AcceleratorConfig, seeds: range, technology: str = "generic") -> None:
    """Compare random networks, several pairs each, with one or more row groups."""
    device = open_device(config, technology)
    for seed in seeds:
        rng = np.random.default_rng(seed)
        network = random_network(rng, config, pattern=PATTERNS[seed % len(PATTERNS)])
        image = compile_network(network, config)
        n_pairs = int(rng.integers(1, 1 + min(3, image.max_pairs)))
        x = random_input(rng, 2 * n_pairs, image.n_inputs)
        n_groups = int(rng.integers(1, 4)) if seed % 2 else None
        compare(device, network, x, n_groups=n_groups, what=f"seed {seed}")
    device.transport.close()


@pytest.mark.parametrize("name", [name for name in CONFIGS if name != "odd"])
def test_random_networks(name: str) -> None:
    """A deterministic subset; ``odd`` is in :func:`test_with_the_cells_of_a_device`."""
    run(CONFIGS[name], range(SHORT))


@pytest.mark.long
@pytest.mark.parametrize("name", CONFIGS)
def test_many_random_networks(name: str) -> None:
    """The sweep."""
    run(CONFIGS[name], range(1000, 1000 + LONG))


@pytest.mark.parametrize(
    ("name", "technology"),
    [
        ("odd", "ecp5"),
        pytest.param("small", "ecp5", marks=pytest.mark.long),
        pytest.param("large", "ecp5", marks=pytest.mark.long),
        pytest.param("tiny", "ice40", marks=pytest.mark.long),
    ],
)
def test_with_the_cells_of_a_device(name: str, technology: str) -> None:
    """What ``make synth`` places: multipliers, memories and flip-flops of the device, with their models."""
    pytest.importorskip("pyosys")
    run(CONFIGS[name], range(SHORT), technology)
