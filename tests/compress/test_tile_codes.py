# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Spectra of tiles against the technique that they belong to, and tiles against circular correlations in float."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
pytest.importorskip("onnxruntime", reason="onnxruntime is the independent reference")
from tests.compress.graph_cases import ConvCase, check_differences, random_case
from tests.graph.onnx_models import run_onnxruntime

from spectramac.compress.graph_codes import Form
from spectramac.compress.quantize_graph import QuantizedGraph, quantize_graph
from spectramac.compress.techniques import SpectralConv
from spectramac.compress.tile_codes import keep_bins, tile_codes, tile_spectra, worst_sum
from spectramac.graph.errors import UnsupportedModelError
from spectramac.graph.onnx_import import from_onnx
from spectramac.model.map_node import Arithmetic
from spectramac.model.spectrum import inverse_basis, pair_map
from spectramac.model.tiles import TileConvolution, tile_outputs

NARROW = Arithmetic(15)


@pytest.mark.parametrize("side", [4, 8])
@pytest.mark.parametrize("density", [0.3, 1.0])
def test_the_technique_keeps_the_same(side: int, density: float) -> None:
    """Weighted with typical inputs or not: value for value those of its matrix."""
    rng = np.random.default_rng(side)
    weights = rng.normal(size=(4, 3, 3, 2))
    inputs = rng.normal(size=(5, 3, 9, 8)) * np.array([1, 0.2, 0.05])[:, None, None]
    for typical in (None, inputs):
        (stage,) = SpectralConv(side).fit(weights, density, inputs=typical).stages
        half = side**2 // 2
        k, joint = np.arange(half), pair_map(side**2, True).joint
        S = stage.coefficients().reshape(4, half, 2, 3, half, 2)[:, k, :, :, k, :]
        a, b = S[..., 0, :, 0], np.where(joint[:, None, None], S[..., 1, :, 0], S[..., 1, :, 1])
        expected = np.stack([a, b], -1).transpose(1, 2, 0, 3)
        codes = tile_codes(weights, side, density, 8, typical)
        values = codes.codes * codes.steps[:, None, None, None]
        assert np.all((codes.codes == 0) | (expected != 0))
        # Coefficients of bits below the step become zero; beyond the largest code they are clipped.
        np.testing.assert_allclose(values, expected, atol=codes.steps.max() * 127 * 0.7)
        assert np.sum((values - expected) ** 2) < 1e-3 * np.sum(expected**2)
        if density == 1:
            np.testing.assert_allclose(tile_spectra(weights, side), expected, atol=1e-12)


def test_depthwise_bins_are_chosen_by_their_own_channel() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(4, 1, 3, 3))
    inputs = rng.normal(size=(5, 2, 8, 8)) * np.array([1, 1e-3])[:, None, None]
    kept = tile_codes(weights, 4, 0.4, 8, inputs).codes.any(axis=-1)
    assert kept[:2].sum() > 4 * kept[2:].sum()
    np.testing.assert_array_equal(
        tile_codes(weights, 4, 0.4, 8).codes.any(axis=-1), keep_bins(tile_spectra(weights, 4), 0.4)
    )


def circular_reference(
    node: TileConvolution, kernels: np.ndarray, x: np.ndarray, bias: np.ndarray
) -> np.ndarray:
    """Tile by tile, Σ K[k] x[(p + k) mod T] with kernels (n_out, n_in, T, T); x real (batch, H, W, C)."""
    (rows, columns), (sy, sx) = tile_outputs(node.side, node.window), node.window.stride
    height, width, n_out = node.output_shape(x.shape[1:])
    down, across, T = -(-height // rows), -(-width // columns), node.side
    (top, _), (left, _) = node.window.padding
    padded = np.zeros(
        (
            len(x),
            down * rows * sy + T + x.shape[1],
            across * columns * sx + T + x.shape[2],
            x.shape[3],
        )
    )
    padded[:, top : top + x.shape[1], left : left + x.shape[2]] = x
    y = np.zeros((len(x), down * rows, across * columns, n_out))
    spectra = np.conj(np.fft.fft2(kernels))
    for i in range(down):
        for j in range(across):
            tile = padded[:, i * rows * sy :, j * columns * sx :][:, :T, :T].transpose(0, 3, 1, 2)
            X = np.fft.fft2(tile)
            if node.is_depthwise:
                Y = np.repeat(X, n_out // node.channels, axis=1) * spectra[:, 0]
            else:
                Y = np.einsum("nihw,oihw->nohw", X, spectra)
            z = np.fft.ifft2(Y).real[:, :, ::sy, ::sx][:, :, :rows, :columns]
            y[:, i * rows : (i + 1) * rows, j * columns : (j + 1) * columns] = np.moveaxis(z, 1, -1)
    return y[:, :height, :width] + bias


def kernels_of(codes: Any) -> np.ndarray:
    """The circular kernels that the integers stand for: the inverse of their spectra."""
    T, n = codes.side, codes.side**2
    joint = np.repeat(pair_map(n, True).joint, 2)
    values = (codes.codes * codes.steps[:, None, None, None]).reshape(*codes.codes.shape[:2], n)
    circular = (np.where(joint, 2 * values, values) @ inverse_basis(n, True).T).reshape(
        *values.shape[:2], T, T
    )
    index = -np.arange(T) % T
    return circular[:, :, index][:, :, :, index]


def quantized(
    case: ConvCase, x: np.ndarray, side: int, density: float, bits: int = 8
) -> QuantizedGraph:
    form = Form(SpectralConv(side), density, Form().quantization.__class__(bits, "row"))
    return quantize_graph(from_onnx(case.model), x, forms={"conv": form})


def check_tiles(seed: int, side: int, density: float, depthwise: bool) -> None:
    difference, node = steps_off(seed, side, density, depthwise)
    check_differences(node, difference)


def steps_off(
    seed: int, side: int, density: float, depthwise: bool, change: Any = None
) -> tuple[np.ndarray, TileConvolution]:
    """Differences from the reference in output steps, and the node; ``change`` spoils the node first."""
    rng = np.random.default_rng(seed)
    case = random_case(rng, depthwise=depthwise)
    while max(case.weight.shape[2:]) > side or (depthwise and case.groups == 1):
        case = random_case(rng, depthwise=depthwise)
    x = case.inputs(rng)
    made = quantized(case, x, side, density)
    (node,) = made.network.nodes
    assert isinstance(node, TileConvolution)
    assert node.is_depthwise is depthwise
    integers = made.quantize_input(x)
    weights = case.weight if case.weight.ndim == 4 else case.weight[:, :, None]
    typical = np.moveaxis(integers.astype(np.int64), -1, 1)
    typical = np.pad(typical, ((0, len(x) % 2), (0, 0), (0, 0), (0, 0)))
    kernels = kernels_of(tile_codes(weights, side, density, 8, typical))
    exact = circular_reference(node, kernels, integers * made.network.input_scale, case.bias)
    if case.limit is not None:
        exact = np.clip(exact, 0, case.limit)
    scale = made.network.output_scale
    even = np.pad(integers.astype(np.int64), ((0, len(x) % 2), (0, 0), (0, 0), (0, 0)))
    run = node if change is None else change(node)
    y = run.run(even, arithmetic=NARROW).y[: len(x)]
    return y - np.clip(exact / scale, -128, 127), node


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("side", [4, 8, 16])
@pytest.mark.parametrize("depthwise", [False, True])
def test_tiles_within_their_bound(seed: int, side: int, depthwise: bool) -> None:
    check_tiles(seed, side, 0.5 if seed % 2 else 1.0, depthwise)


SPOILED: dict[str, dict[str, Any]] = {
    "conjugate coefficients": {"coefficients": lambda q: q * [1, -1]},
    "real and imaginary exchanged": {"coefficients": lambda q: q[..., ::-1]},
    "bins in another order": {"coefficients": lambda q: q[:, :, ::-1]},
    "a row shift is off by one": {"row_shift": lambda k: np.asarray(k) + 1},
    "a stage is not halved": {"halve_out": lambda h: h >> 1},
    "forward halved": {"halve_in": lambda h: h + 1},
    "bias of another channel": {"bias": lambda b: np.roll(b, 1)},
}


@pytest.mark.parametrize("fault", SPOILED)
def test_the_check_sees(fault: str) -> None:
    def change(node: TileConvolution) -> TileConvolution:
        return replace(node, **{k: v(getattr(node, k)) for k, v in SPOILED[fault].items()})

    difference, node = steps_off(4, 8, 1.0, False)
    check_differences(node, difference)
    difference, _ = steps_off(4, 8, 1.0, False, change)
    with pytest.raises(AssertionError):
        check_differences(node, difference)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 200))
def test_many_tiles(seed: int) -> None:
    check_tiles(seed, (4, 8, 16)[seed % 3], 0.5 if seed % 2 else 1.0, seed % 4 == 0)


@pytest.mark.parametrize("side", [8, 16])
def test_a_dense_kernel_of_seven(side: int) -> None:
    """All coefficients kept: what onnxruntime computes with the float kernel, 32 dB below it."""
    rng = np.random.default_rng(3)
    case = ConvCase(
        weight=rng.normal(size=(8, 6, 7, 7)), bias=rng.normal(size=8), stride=(1, 1), pads=(3, 3, 3, 3),
        groups=1, shape=(6, 20, 20), limit=None,
    )  # fmt: skip
    x = case.inputs(rng)
    expected = run_onnxruntime(case.model, x)
    assert expected is not None
    noise = quantized(case, x, side, 1.0).run(x) - expected
    assert 10 * np.log10(np.sum(expected**2) / np.sum(noise**2)) > 32


def test_halving_saves_the_accumulators() -> None:
    """As many stages as needed, and an error where all are not enough."""
    rng = np.random.default_rng(0)
    case = ConvCase(
        weight=np.abs(rng.normal(size=(2, 12, 3, 3))), bias=np.zeros(2), stride=(1, 1), pads=(0,) * 4,
        groups=1, shape=(12, 12, 12), limit=None,
    )  # fmt: skip
    x = case.inputs(rng)

    def node(width: int) -> TileConvolution:
        forms = {"conv": Form(SpectralConv(8))}
        made = quantize_graph(
            from_onnx(case.model), x, forms=forms, arithmetic=Arithmetic(15, 16, width)
        )
        (found,) = made.network.nodes
        assert isinstance(found, TileConvolution)
        return found

    wide, narrow = node(30), node(22)
    assert (wide.halve_in, narrow.halve_in) == (0, 7)
    for made, width in ((wide, 30), (narrow, 22)):
        assert worst_sum(made.coefficients.astype(int), 8, made.halve_in, -128) < 1 << (width - 1)
    with pytest.raises(
        ValueError, match=r"node 'conv': accumulators must fit sQ17.0, not \d+; use fewer bits"
    ):
        node(17)


def test_what_is_refused() -> None:
    case = random_case(np.random.default_rng(0))
    weight = np.ones((2, 3, 5, 5))
    case = ConvCase(weight, np.zeros(2), (1, 1), (0,) * 4, 1, (3, 8, 8), None)
    x = case.inputs(np.random.default_rng(0))
    with pytest.raises(
        UnsupportedModelError, match=r"'conv' .*kernel is \(5, 5\) and the tiles are 4 x 4"
    ):
        quantized(case, x, 4, 1.0)
    with pytest.raises(UnsupportedModelError, match="tiles are 32 x 32; use tiles of 4, 8, 16"):
        quantized(case, x, 32, 1.0)
