# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Techniques for convolutions, against correlations written as loops."""

import numpy as np
import pytest
from tests.compress.cases import CONFIG, FFT8, ids

from spectramac.compress.sft import circulant_matrix
from spectramac.compress.size import fft_multiplications, layers_cost
from spectramac.compress.techniques import (
    ChannelPruning,
    ChannelwiseConv,
    CirculantConv,
    DepthwiseConv,
    NotRunnableError,
    PrunedConv,
    Quantization,
    Selection,
    SeparableConv,
    SftConv,
    SpectralConv,
    StructuredConv,
    Technique,
    Tucker2Conv,
    remove_units,
)
from spectramac.model.network import Transform

ALL: list[Technique] = [
    PrunedConv(),
    PrunedConv(Selection("value")),
    PrunedConv(Selection("lanes")),
    SftConv(),
    SftConv(0, 8),
    SftConv(None, None),
    ChannelPruning("l1"),
    ChannelPruning("l2"),
    SeparableConv(),
    ChannelwiseConv(),
    DepthwiseConv(),
    Tucker2Conv(),
    SpectralConv(4),
    SpectralConv(8),
]
INT8 = Quantization(8)


def kernel(shape: tuple[int, ...] = (6, 5, 3, 2), seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(size=shape), axis=0) + rng.normal(size=shape)


def picture(channels: int = 5, seed: int = 1, batch: int = 3) -> np.ndarray:
    sizes = np.geomspace(0.02, 1, channels)[:, None, None]
    return np.random.default_rng(seed).normal(size=(batch, channels, 11, 9)) * sizes


def correlate(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(batch, in, H, W) to (batch, out, H - h + 1, W - w + 1), by the definition."""
    h, w = weights.shape[2:]
    out = np.zeros((len(x), len(weights), x.shape[2] - h + 1, x.shape[3] - w + 1))
    for a in range(h):
        for b in range(w):
            part = x[:, :, a : a + out.shape[2], b : b + out.shape[3]]
            out += np.einsum("nihw,oi->nohw", part, weights[:, :, a, b])
    return out


@pytest.mark.parametrize("technique", ALL, ids=ids)
def test_full_density_is_exact(technique: Technique) -> None:
    K = kernel()
    fit = technique.fit(K, 1.0, inputs=picture())
    dense = fit.dense()
    np.testing.assert_allclose(dense[:, :, :3, :2], K, rtol=0, atol=1e-9)
    assert np.abs(dense[:, :, 3:]).sum() + np.abs(dense[:, :, :, 2:]).sum() < 1e-9
    assert fit.error(K) < 1e-9


@pytest.mark.parametrize("technique", ALL, ids=ids)
def test_more_density_costs_more_and_errs_less(technique: Technique) -> None:
    K = kernel((12, 8, 3, 3))
    fits = [technique.fit(K, density) for density in (0.2, 0.5, 0.9)]
    costs = [fit.cost(CONFIG) for fit in fits]
    for value in (
        [-fit.error(K) for fit in fits],
        # The directory may become smaller: where all columns have equally many entries, it is flags.
        [cost.stored_bytes - cost.directory_bits // 8 for cost in costs],
        [fit.n_values for fit in fits],
    ):
        assert value == sorted(value)
        assert value[0] < value[2]


@pytest.mark.parametrize("technique", [t for t in ALL if not isinstance(t, SpectralConv)], ids=ids)
def test_stages_compute_the_dense_kernel(technique: Technique) -> None:
    """Stage after stage on an image, each by its own kernel: the same as the kernel of all."""
    fit = technique.fit(kernel(), 0.5)
    assert isinstance(fit, StructuredConv)
    y = picture()
    for stage in fit.stages:
        y = correlate(y, stage.weights())
    expected = correlate(picture(), fit.dense())
    if fit.output_map is not None:
        expected = expected[:, fit.output_map]
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("tile", [4, 8])
@pytest.mark.parametrize("density", [0.4, 1.0])
def test_overlap_save(tile: int, density: float) -> None:
    """A tile through the stage's matrix: the wanted outputs are the correlation with the dense kernel."""
    K = kernel()
    fit = SpectralConv(tile).fit(K, density)
    assert isinstance(fit, StructuredConv)
    stage = fit.stages[0]
    assert stage.tile == (tile - 2, tile - 1)
    x = np.random.default_rng(0).normal(size=(1, 5, tile, tile))
    y = (stage.matrix() @ x.ravel()).reshape(6, tile, tile)
    # Circular: the image continues periodically under a kernel of the tile's size.
    around = np.tile(x, (1, 1, 2, 2))[:, :, : 2 * tile - 1, : 2 * tile - 1]
    np.testing.assert_allclose(y, correlate(around, fit.dense())[0], rtol=0, atol=1e-9)
    if density == 1:
        wanted = y[:, : stage.tile[0], : stage.tile[1]]
        np.testing.assert_allclose(wanted, correlate(x, K)[0], rtol=0, atol=1e-9)


def test_ranks() -> None:
    """Values by hand, and each the best of its rank."""
    K = kernel((6, 5, 3, 2))
    separable, channelwise = SeparableConv().fit(K, 4 / 12), ChannelwiseConv().fit(K, 2 / 6)
    depthwise, tucker = DepthwiseConv().fit(K, 2 / 6), Tucker2Conv().fit(K, 0.5)
    assert separable.n_values == 4 * (5 * 3 + 6 * 2)
    assert channelwise.n_values == 2 * (5 * 3 * 2 + 6)
    assert depthwise.n_values == 5 * 2 * (3 * 2 + 6)
    assert tucker.n_values == 2 * 5 + 3 * 2 * 6 + 6 * 3
    for fit, unfolded, rank in (
        (separable, K.transpose(0, 3, 1, 2).reshape(12, 15), 4),
        (channelwise, K.reshape(6, 30), 2),
    ):
        s = np.linalg.svd(unfolded, compute_uv=False)
        assert fit.error(K) * np.linalg.norm(K) == pytest.approx(np.linalg.norm(s[rank:]))
    s = np.linalg.svd(K.transpose(1, 0, 2, 3).reshape(5, 6, 6), compute_uv=False)
    lost = depthwise.error(K) * np.linalg.norm(K)
    assert lost == pytest.approx(np.linalg.norm(s[:, 2:]))


def test_tucker_improves_on_one_pass() -> None:
    """Against the truncated higher-order SVD, of which it is the refinement."""
    K = kernel((12, 10, 3, 3), seed=3)
    modes = [np.moveaxis(K, axis, 0).reshape(K.shape[axis], -1) for axis in (0, 1)]
    (u_out, *_), (u_in, *_) = (np.linalg.svd(mode, full_matrices=False) for mode in modes)
    P, Q = u_out[:, :3] @ u_out[:, :3].T, u_in[:, :2] @ u_in[:, :2].T
    one_pass = np.linalg.norm(K - np.einsum("op,ij,pjhw->oihw", P, Q, K)) / np.linalg.norm(K)
    error = Tucker2Conv().fit(K, 0.25).error(K)
    assert error < one_pass
    low = np.einsum("oihw,or,is->rshw", kernel((3, 2, 3, 3)), np.eye(3), np.eye(2))
    exact = np.einsum("rshw,or,is->oihw", low, u_out[:, :3], u_in[:, :2])
    assert Tucker2Conv().fit(exact, 0.25).error(exact) < 1e-7


def test_cost_is_per_position() -> None:
    """Bytes once, multiplications at each of the 10 x 7 outputs; a pixel's transform is shared by the taps."""
    K = kernel((8, 16, 3, 3))
    fit = SftConv().fit(K, 0.5)
    one, many = fit.cost(CONFIG, INT8), fit.cost(CONFIG, INT8, (10, 7))
    assert one.stored_bytes == many.stored_bytes
    assert many.multiplications == 70 * one.multiplications == 70 * 8 * 16 * 9 // 2
    assert many.fft_multiplications == 70 * (2 + 1) * fft_multiplications(FFT8) / 2
    direct = PrunedConv().fit(K, 0.5).cost(CONFIG, INT8, (10, 7))
    assert direct.fft_multiplications == 0
    assert direct.multiplications == many.multiplications


def test_cost_of_tiles() -> None:
    """8 x 8 tiles of a 3 x 3 kernel give 6 x 6 outputs: four tiles for 12 x 10."""
    fit = SpectralConv(8).fit(kernel((2, 3, 3, 3)), 1.0)
    cost = fit.cost(CONFIG, INT8, (12, 10))
    # 30 complex bins of four multiplications; of the four real ones each takes a pair.
    assert cost.multiplications == 4 * 2 * 3 * (30 * 4 + 4 * 2)
    assert cost.index_bits == 0
    assert cost.bias_bits == 2 * 16
    stage = fit.stages[0]
    alone = layers_cost([stage.skeleton(INT8)], CONFIG)
    assert cost.stored_bytes == alone.stored_bytes - 2 * (2 * 64 - 2)
    transform = fft_multiplications(Transform("fft2d", 64))
    assert cost.fft_multiplications == 4 * (3 + 2) * transform / 2


@pytest.mark.parametrize(
    "technique",
    [PrunedConv(), SftConv(), SeparableConv(), ChannelwiseConv(), Tucker2Conv(), SpectralConv(4)],
    ids=ids,
)
def test_activations_decide(technique: Technique) -> None:
    K, x = kernel((8, 5, 3, 3)), picture(batch=8)

    def output_error(inputs: np.ndarray | None) -> float:
        fit = technique.fit(K, 0.3, inputs=inputs)
        lost = fit.dense()
        lost[:, :, :3, :3] -= K
        return float(np.linalg.norm(correlate(x, lost)))

    assert output_error(x) < 0.97 * output_error(None)


def test_circulant_over_channels() -> None:
    """At every tap: exact for circulant blocks, an eighth of the values, and no index."""
    c = np.random.default_rng(0).normal(size=(3, 3, 2, 1, 8))  # taps, blocks, first columns
    K = np.zeros((16, 8, 3, 3))
    for row in range(3):
        for column in range(3):
            K[:, :, row, column] = circulant_matrix(c[row, column], FFT8)
    fit = CirculantConv().fit(K, 1.0)
    np.testing.assert_allclose(fit.dense(), K, rtol=0, atol=1e-12)
    assert fit.n_values == K.size // 8
    assert fit.cost(CONFIG).index_bits == 0
    half = CirculantConv().fit(kernel((16, 8, 3, 3)), 0.5)
    assert half.n_values == pytest.approx(K.size / 16, rel=0.15)


def test_padding_of_channels_does_not_count() -> None:
    """One channel is stored as two, of which one is always zero: the density is of the other."""
    K = kernel((6, 1, 3, 3))
    for technique in (PrunedConv(), SftConv(0)):
        fit = technique.fit(K, 0.5, inputs=picture(1))
        assert fit.stages[0].spectrum.shape[1] == 2 * 9
        assert fit.stages[0].columns.tolist() == [True, False] * 9
        possible = fit.stages[0].mask[:, ::2].size
        assert fit.n_values == pytest.approx(possible / 2, abs=1)
        assert not fit.stages[0].mask[:, 1::2].any()


def test_channels() -> None:
    K = kernel()
    fit = ChannelPruning("l1").fit(K, 0.5)
    norms = np.abs(K).sum(axis=(1, 2, 3))
    assert fit.output_map is not None
    np.testing.assert_array_equal(fit.output_map, np.sort(np.argsort(-norms)[:3]))
    second = kernel((4, 6, 3, 3), seed=2)
    chain = remove_units([(K, np.zeros(6)), (second, np.ones(4))], 0, fit.output_map, np.ones(6))
    assert [w.shape for w, _ in chain] == [(3, 5, 3, 2), (4, 3, 3, 3)]
    removed = np.setdiff1d(np.arange(6), fit.output_map)
    np.testing.assert_allclose(chain[1][1], 1 + second[:, removed].sum(axis=(1, 2, 3)))


def test_errors() -> None:
    fit = SftConv().fit(kernel(), 0.5)
    with pytest.raises(
        NotRunnableError, match="layer 'c1': a chain of layers cannot hold a convolution"
    ):
        fit.export(
            "c1", np.zeros(6), inputs=np.zeros((1, 5, 4, 4), int), input_scale=1, output_scale=1,
            relu=False,
        )  # fmt: skip
    with pytest.raises(ValueError, match="tile must be at least the kernel's size, 3 x 2, not 2"):
        SpectralConv(2).fit(kernel(), 0.5)
    for technique in ALL:
        with pytest.raises(ValueError, match="weights must have 4 axes"):
            technique.fit(np.zeros((3, 3)), 0.5)
        with pytest.raises(ValueError, match="density must be from 0 to 1, not -1"):
            technique.fit(kernel(), -1)
