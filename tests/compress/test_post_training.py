# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Networks compressed in one step, each layer in its own way."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from spectramac.compiler.compile import compile_network
from spectramac.compress.post_training import (
    Choice,
    DenseLayer,
    compress_dense,
    compress_layers,
)
from spectramac.compress.techniques import (
    LowRank,
    NeuronPruning,
    Pruning,
    Quantization,
    RowsSft,
    Selection,
    Sft,
    SpectralInput,
)
from spectramac.model.layer import run_network
from spectramac.spec.config import preset

ROWS = Quantization(8, "row")


def chain(sizes: Sequence[int] = (36, 24, 16, 10), seed: int = 0) -> list[DenseLayer]:
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(size=(b, a)) / np.sqrt(a), rng.normal(size=b) / 4) for a, b in pairwise(sizes)
    ]


def forward(layers: list[DenseLayer], x: np.ndarray) -> np.ndarray:
    for i, (w, b) in enumerate(layers):
        x = x @ w.T + b
        if i < len(layers) - 1:
            x = np.maximum(x, 0)
    return x


@pytest.mark.parametrize(
    "choices",
    [
        [
            Choice(SpectralInput((6, 6)), 1, ROWS),
            Choice(Sft(), 1, ROWS),
            Choice(RowsSft(), 1, ROWS),
        ],
        [Choice(Pruning(), 1, ROWS), Choice(LowRank(), 1, ROWS), Choice(Pruning(), 1, ROWS)],
        [Choice(Sft(16, 8), 1, ROWS), Choice(Pruning(), 1, ROWS), Choice(LowRank(), 1, ROWS)],
    ],
)
def test_network_computes_what_the_float_one_does(choices: list[Choice]) -> None:
    """At full density only quantization is left: a few of the 127 output steps."""
    layers = chain()
    x = np.random.default_rng(1).integers(0, 128, (64, 36)).astype(np.int8)
    network = compress_layers(layers, choices, x, input_scale=1 / 127)
    expected = forward(layers, x / 127) / network.output_scale
    difference = run_network(network, x) - expected
    assert np.sqrt(np.mean(difference**2)) < 2.5
    assert np.abs(expected).max() > 80
    compile_network(network, preset("small"))


def test_activations_help() -> None:
    """Inputs of unequal size: choosing by the output beats choosing by the weights, on other inputs too."""
    layers = chain()
    rng = np.random.default_rng(2)
    x = np.rint(rng.integers(0, 128, (200, 36)) * np.geomspace(0.02, 1, 36)).astype(np.int8)
    choices = [Choice(Pruning(), 0.3, ROWS)] + [Choice(Pruning(), 1.0, ROWS)] * 2
    errors = []
    for aware in (False, True):
        network = compress_layers(
            layers, choices, x[:100], input_scale=1 / 127, activation_aware=aware
        )
        outputs = run_network(network, x[100:]) * network.output_scale
        errors.append(np.linalg.norm(outputs - forward(layers, x[100:] / 127)))
    assert errors[1] < 0.9 * errors[0]


def test_dense_is_a_choice_of_techniques() -> None:
    layers = chain()
    x = np.random.default_rng(1).integers(0, 128, (64, 36)).astype(np.int8)
    words = Selection("lanes", 3, 255)
    network = compress_dense(layers, x, density=0.5)
    sft, rows = Choice(Sft(selection=words), 0.5, ROWS), Choice(RowsSft(8, words), 0.5, ROWS)
    same = compress_layers(layers, [sft, sft, rows], x)
    for a, b in zip(network.layers, same.layers, strict=True):
        np.testing.assert_array_equal(a.coefficients, b.coefficients)
        np.testing.assert_array_equal(a.multiplier, b.multiplier)
    assert network.meta["sizes"] == [36, 24, 16, 10]


def test_errors() -> None:
    layers = chain()
    x = np.ones((4, 36), np.int8)
    full = [Choice(Pruning())] * 3
    with pytest.raises(ValueError, match=r"must have shape \(batch, 36\), not \(4, 5\)"):
        compress_layers(layers, full, x[:, :5])
    with pytest.raises(ValueError, match="there must be 3 choices, one a layer, not 2"):
        compress_layers(layers, full[:2], x)
    with pytest.raises(
        ValueError, match="layer 0: technique must keep all outputs, not 'neurons-l2'"
    ):
        compress_layers(layers, [Choice(NeuronPruning(), 0.5), *full[1:]], x)
    with pytest.raises(ValueError, match="only the first layer may rearrange them"):
        compress_layers(layers, [full[0], Choice(SpectralInput((4, 6))), full[2]], x)
