# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What structured layers cost and how they are exported: for every technique."""

import numpy as np
import pytest
from tests.compress.cases import ALL, COMPLEX, CONFIG, FFT8, IDENTITY, ids, images, matrix
from tests.networks import program_memories, program_outputs

from spectramac.compiler.compile import compile_network
from spectramac.compress.quantize import activation_scale
from spectramac.compress.sft import circulant_matrix
from spectramac.compress.size import fft_multiplications, layers_cost
from spectramac.compress.techniques import (
    BlockCirculant,
    Pruning,
    Quantization,
    Sft,
    Technique,
)
from spectramac.model.accelerator import run_program
from spectramac.model.layer import run_network
from spectramac.model.network import Network, Transform
from spectramac.spec.config import preset


@pytest.mark.parametrize("technique", ALL, ids=ids)
@pytest.mark.parametrize("steps", ["layer", "row"])
def test_cost_is_what_the_compiler_stores(technique: Technique, steps: str) -> None:
    """Before export an upper bound from the mask; after it, the length of the image, byte for byte."""
    W, x = matrix(), np.rint(images()).astype(np.int64)
    structured = technique.fit(W, 0.4, inputs=x)
    quantization = Quantization(8, steps)  # type: ignore[arg-type]
    layers = structured.export(
        "fc", np.ones(len(W)), inputs=x, input_scale=0.01, output_scale=0.1, relu=True,
        quantization=quantization,
    )  # fmt: skip
    image = compile_network(Network(layers=layers), CONFIG)
    stored = sum(len(section.data) for section in image.sections.values())
    cost = layers_cost(layers, CONFIG)
    assert cost.stored_bytes == stored
    words = [report["words"] for report in image.layers]
    assert cost.directory_bits == 8 * sum(w["directory"] for w in words)
    before = structured.cost(CONFIG, quantization)
    assert before.stored_bytes >= stored
    assert before.multiplications >= cost.multiplications
    zeros = sum(
        int(np.count_nonzero(stage.mask & (layer.coefficients == 0)))
        for stage, layer in zip(structured.stages, layers, strict=True)
    )
    if zeros == 0 and steps == "layer":
        assert before == cost


def test_cost_by_hand() -> None:
    """12 rows, 2 columns pruned to 6 pairs of one column: two words of three lanes."""
    W = np.zeros((12, 4))
    W[:, 1] = 1
    cost = Pruning().fit(W, 0.25).cost(CONFIG, Quantization(4))
    assert (cost.n_pairs, cost.n_padding) == (6, 0)
    assert cost.multiplications == 12
    # One word of narrow pairs holds two entries: 48 bits; rows follow each other, so no index.
    assert (cost.coefficient_bits, cost.index_bits, cost.directory_bits) == (48, 0, 8)
    assert cost.bias_bits == 12 * 16
    assert cost.stored_bytes == 6 + 1 + 24 + 13 * 4
    assert cost.fft_multiplications == 0


def test_fft_multiplications() -> None:
    """8 points: the two values at odd eighths, two multiplications each."""
    assert fft_multiplications(IDENTITY) == 0
    assert fft_multiplications(FFT8) == 4
    # 16 points: of the nine twiddles, four are odd eighths, one is -j and the rest general.
    indices = [p * q for p in range(4) for q in range(4)]
    free, eighths = sum(i % 4 == 0 for i in indices), sum(i % 4 == 2 for i in indices)
    general = len(indices) - free - eighths
    assert fft_multiplications(Transform("fft1d", 16)) == 2 * eighths + 4 * general
    cost = Sft().fit(np.ones((8, 16)), 1).cost(CONFIG)
    assert cost.fft_multiplications == (2 + 1) * 4 / 2
    assert cost.total_multiplications == 128 + 6


@pytest.mark.parametrize("technique", ALL, ids=ids)
@pytest.mark.parametrize("relu", [False, True])
def test_exported_layers_compute_the_dense_matrix(technique: Technique, relu: bool) -> None:
    """Within one output step of float, of half a step for each stage and the quantized weights."""
    W, x = matrix(), np.random.default_rng(3).integers(0, 128, (30, 54))
    bias = np.linspace(-1, 1, len(W))
    structured = technique.fit(W, 0.5)
    expected = x / 127 @ structured.dense().T + bias
    expected = np.maximum(expected, 0) if relu else expected
    if structured.output_map is not None:
        expected = expected[:, structured.output_map]
    scale = activation_scale(expected, "max")
    layers = structured.export(
        "fc", bias, inputs=x, input_scale=1 / 127, output_scale=scale, relu=relu,
        quantization=Quantization(8, "row"),
    )  # fmt: skip
    network = Network(layers=layers, input_map=structured.input_map)
    difference = run_network(network, x) - expected / scale
    assert np.sqrt(np.mean(difference**2)) < (1.5 if len(layers) == 1 else 3)
    assert np.abs(expected / scale).max() > 100


@pytest.mark.parametrize("technique", [*COMPLEX, Sft(16, 16, form="complex")], ids=ids)
@pytest.mark.parametrize("density", [0.1, 0.5])
def test_complex_coefficients_stay_complex(technique: Technique, density: float) -> None:
    """Conjugate symmetry through threshold, quantization and export: the compiler checks each block."""
    W, x = matrix(), np.random.default_rng(3).integers(0, 128, (9, 54))
    structured = technique.fit(W, density)
    layers = structured.export(
        "fc", np.zeros(21), inputs=x, input_scale=1, output_scale=100, relu=False,
        quantization=Quantization(5, "pair"),
    )  # fmt: skip
    assert layers[0].pattern == "complex"
    assert compile_network(Network(layers=layers), CONFIG).layers[0]["formats"]["is_complex"]


def test_complex_is_stored_once() -> None:
    """Same multiplications a coefficient as two real pairs, half the values."""
    W = circulant_matrix(np.random.default_rng(0).normal(size=(6, 6, 8)), FFT8)
    fit = BlockCirculant().fit(W, 1.0)
    np.testing.assert_allclose(fit.dense(), W, rtol=0, atol=1e-12)
    assert fit.n_values == W.size // 8
    cost = fit.cost(CONFIG)
    # Three complex bins of four multiplications, two real ones; each real one takes a whole pair.
    assert cost.multiplications == 36 * (3 * 4 + 2 * 2)
    assert cost.index_bits == 0
    assert cost.n_pairs == 36 * 5


@pytest.mark.parametrize("technique", ALL, ids=ids)
@pytest.mark.parametrize("name", ["small", "large"])
def test_golden_model_runs_what_is_exported(technique: Technique, name: str) -> None:
    """Compiled, and executed entry by entry: the same integers, and no accumulator saturates."""
    config = preset(name).replace(log2_n_max=8)  # tiles of 16 x 16
    x = np.random.default_rng(3).integers(0, 128, (8, 54))
    structured = technique.fit(matrix(), 0.3, inputs=x)
    layers = structured.export(
        "fc", np.ones(21), inputs=x, input_scale=1 / 127, output_scale=0.1, relu=True,
        quantization=Quantization(4, "row"),
    )  # fmt: skip
    network = Network(layers=layers, input_map=structured.input_map)
    expected = run_network(network, x, data_width=config.data_width)
    image = compile_network(network, config)
    memories = program_memories(image, config, x)
    result = run_program(config, memories, image.n_layers, len(x) // 2)
    np.testing.assert_array_equal(program_outputs(image, result.activation, len(x)), expected)
    assert expected.any()
