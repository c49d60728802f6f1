# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A layer pruned to lane balance keeps the lanes busy."""

import numpy as np
import pytest
from tests.networks import random_input
from tests.sim.rtl import compare, open_device

from spectramac.compiler.compile import compile_network
from spectramac.model.network import Layer, Network, Transform
from spectramac.spec.config import preset


@pytest.mark.parametrize(
    ("name", "n_out", "n_in", "per_lane"), [("small", 192, 256, 8), ("large", 384, 512, 4)]
)
def test_balanced_layer(name: str, n_out: int, n_in: int, per_lane: int) -> None:
    """MAC-bound, balanced SFT layer: useful entries fill at least 95 % of all counted lane cycles."""
    config = preset(name)
    rng = np.random.default_rng(7)
    lanes = config.n_lanes
    kept = np.zeros((n_out // 2 // lanes, lanes, n_in), bool)
    for lane in range(lanes):
        for column in range(n_in):
            kept[rng.choice(kept.shape[0], per_lane, replace=False), lane, column] = True
    pairs = kept.reshape(n_out // 2, n_in)
    values = rng.integers(1, 8, (n_out, n_in)) * rng.choice([-1, 1], (n_out, n_in))
    layer = Layer(
        name="balanced",
        n_in=n_in,
        n_out=n_out,
        t_in=Transform("fft1d", 8),
        t_out=Transform("fft1d", 8),
        coefficients=np.where(np.repeat(pairs, 2, axis=0), values, 0),
        coefficient_bits=4,
        bias=np.zeros(n_out, np.int32),
        multiplier=1 << 12,
        shift=18,
        row_shift=6,
        halve_out=7,
    )
    network = Network(layers=(layer,))
    image = compile_network(network, config)
    report = image.layers[0]
    n_pairs = image.max_pairs
    x = random_input(rng, 2 * n_pairs, n_in)
    x[x == 0] = 1  # no column is skipped: every stored pair is worth a cycle
    device = open_device(config)
    compared = compare(device, network, x)
    device.transport.close()
    stored = int(pairs.sum())
    assert report["stored_pairs"] == stored
    assert compared.result.counters["columns_skipped"] == 0
    ideal = -(-stored // lanes) * n_pairs
    utilisation = ideal / compared.result.counters["cycles"]
    print(f"{name}: {ideal} of {compared.result.counters['cycles']} cycles, {utilisation:.1%}")
    assert utilisation >= 0.95
