# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Techniques for matrices: what holds for all of them, and what each is for."""

from dataclasses import replace

import numpy as np
import pytest
from tests.compress.cases import ALL, CONFIG, EXACT, FFT8, IDENTITY, ids, images, matrix

from spectramac.compress.lanes import entries_per_lane
from spectramac.compress.sft import circulant_matrix, orthonormal_sft, sft
from spectramac.compress.techniques import (
    BlockCirculant,
    LowRank,
    NeuronPruning,
    Pruning,
    Quantization,
    RowsSft,
    Selection,
    Sft,
    SpectralInput,
    Technique,
    image_map,
    remove_units,
    unit_importance,
)
from spectramac.compress.threshold import column_rms


@pytest.mark.parametrize("technique", EXACT, ids=ids)
def test_full_density_is_exact(technique: Technique) -> None:
    W = matrix()
    structured = technique.fit(W, 1.0, inputs=images())
    np.testing.assert_allclose(structured.dense(), W, rtol=0, atol=1e-12)
    assert structured.error(W) < 1e-12


@pytest.mark.parametrize("technique", ALL, ids=ids)
@pytest.mark.parametrize("density", [0.0, 0.2, 0.6])
def test_fitting_again_changes_nothing(technique: Technique, density: float) -> None:
    """Of whole blocks; else the part of the result that lies in the padding is cut off."""
    if isinstance(technique, SpectralInput):
        technique = replace(technique, image=(8, 8))
    structured = technique.fit(matrix(32, 64), density)
    again = technique.fit(structured.dense(), density)
    np.testing.assert_allclose(again.dense(), structured.dense(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("technique", ALL, ids=ids)
def test_more_density_costs_more_and_errs_less(technique: Technique) -> None:
    W = matrix()
    fits = [technique.fit(W, density) for density in (0.1, 0.3, 0.9)]
    errors = [fit.error(W) for fit in fits]
    assert errors == sorted(errors, reverse=True)
    assert errors[2] < errors[0]
    for value in (
        [fit.n_values for fit in fits],
        [fit.cost(CONFIG).stored_bytes for fit in fits],
        [fit.cost(CONFIG).multiplications for fit in fits],
    ):
        assert value == sorted(value)
        assert value[0] < value[2]


@pytest.mark.parametrize(
    "technique", [Sft(), RowsSft(), Pruning(), Pruning(Selection("lanes")), LowRank()], ids=ids
)
def test_activations_decide(technique: Technique) -> None:
    """Inputs of different sizes: looking at them makes the output better and the weights worse."""
    W, x = matrix(), images()

    def output_error(inputs: np.ndarray | None) -> tuple[float, float]:
        fit = technique.fit(W, 0.25, inputs=inputs)
        return float(np.linalg.norm(x @ (W - fit.dense()).T)), fit.error(W)

    aware, blind = output_error(x), output_error(None)
    assert aware[0] < 0.95 * blind[0]
    assert aware[1] > blind[1]


@pytest.mark.parametrize("group", ["value", "pair", "bin"])
def test_thresholding_is_optimal_and_obeys_parseval(group: str) -> None:
    """No other choice of as many groups errs less: the error is exactly the smallest groups."""
    shape = {"value": (1, 1), "pair": (2, 1), "bin": (2, 2)}[group]
    W = matrix(16, 24)
    fit = Sft(selection=Selection(group)).fit(W, 0.25)  # type: ignore[arg-type]
    S = orthonormal_sft(W, FFT8, FFT8)
    blocks = S.reshape(16 // shape[0], shape[0], 24 // shape[1], shape[1])
    energy = np.sort((blocks**2).sum(axis=(1, 3)).ravel())
    smallest = energy[: energy.size - round(0.25 * energy.size)].sum()
    assert np.sum((W - fit.dense()) ** 2) == pytest.approx(smallest)


def test_value_selection_is_unstructured() -> None:
    W = matrix()
    fit = Pruning(Selection("value")).fit(W, 0.1)
    kept = fit.dense() != 0
    assert np.abs(W[kept]).min() >= np.abs(W[~kept]).max()
    assert kept.sum() == round(0.1 * 22 * 54)


def test_lane_selection_has_no_padding() -> None:
    fit = Sft(selection=Selection("lanes")).fit(matrix(48, 32), 0.2)
    entries = entries_per_lane(fit.stages[0].mask, 3)
    assert np.all(entries == entries[:, :1])
    cost = fit.cost(CONFIG, Quantization(8))
    assert cost.n_padding == 0
    assert Sft().fit(matrix(48, 32), 0.2).cost(CONFIG, Quantization(8)).n_padding > 0


def test_complex_form_keeps_its_own() -> None:
    W = circulant_matrix(np.random.default_rng(1).normal(size=(2, 3, 8)), FFT8)
    assert Sft(form="complex").fit(W, 1.0).error(W) < 1e-12
    # Of a random matrix, half of the energy between complex bins is of the other kind.
    W = np.random.default_rng(2).normal(size=(256, 256))
    assert Sft(form="complex").fit(W, 1.0).error(W) == pytest.approx(
        np.sqrt(0.5 * 0.75**2), rel=0.02
    )


def test_circulant_averages() -> None:
    """The nearest circulant matrix: the mean of each wrapped diagonal."""
    W = np.random.default_rng(0).normal(size=(8, 8))
    i = np.arange(8)
    means = np.array([W[(i + k) % 8, i].mean() for k in range(8)])
    np.testing.assert_allclose(
        BlockCirculant().fit(W, 1.0).dense(), circulant_matrix(means[None, None], FFT8), atol=1e-12
    )


def test_image_map() -> None:
    order = image_map(3, 5, 4)
    image = np.zeros(32, int)
    image[order] = np.arange(1, 16)
    tiles = image.reshape(2, 4, 4)
    np.testing.assert_array_equal(tiles[0, 1], [6, 7, 8, 9])
    np.testing.assert_array_equal(tiles[1, :, 0], [5, 10, 15, 0])
    assert not tiles[1, :, 1:].any()
    assert not tiles[:, 3].any()


def test_spectral_input_finds_the_bins() -> None:
    """Weights that look at three spatial frequencies only: six columns and the mean are enough."""
    y, x = np.mgrid[0:8, 0:8]
    waves = [np.cos(2 * np.pi * (a * y + b * x) / 8 + p) for a, b, p in ((1, 2, 0.3), (0, 3, 1))]
    W = np.random.default_rng(0).normal(size=(10, 2)) @ np.array(waves).reshape(2, 64)
    fit = SpectralInput((8, 8)).fit(W, 4 / 64)
    assert fit.error(W) < 1e-12
    assert np.count_nonzero(fit.stages[0].mask.any(axis=0)) == 4
    assert fit.stages[0].mask.all(axis=0).sum() == 4
    noisy = W + 0.01 * np.random.default_rng(1).normal(size=W.shape)
    sparse = SpectralInput((8, 8), bins=4 / 64).fit(noisy, 2 / 64)
    used = sparse.stages[0].mask.any(axis=0)
    assert np.all(fit.stages[0].mask.any(axis=0)[used])
    assert sparse.stages[0].mask.sum() == 2 * round(2 / 64 * 5 * 64)


def test_low_rank_is_the_best() -> None:
    W = matrix()
    s = np.linalg.svd(W, compute_uv=False)
    fit = LowRank().fit(W, 5 / 21)
    assert fit.n_values == 5 * (21 + 54)
    assert np.linalg.norm(W - fit.dense()) == pytest.approx(np.linalg.norm(s[5:]))


def test_neurons() -> None:
    W = matrix()
    fit = NeuronPruning("l1").fit(W, 7 / 21)
    norms = np.abs(W).sum(axis=1)
    assert fit.output_map is not None
    np.testing.assert_array_equal(np.sort(np.argsort(-norms)[:7]), fit.output_map)
    np.testing.assert_array_equal(fit.dense()[fit.output_map], W[fit.output_map])
    assert np.count_nonzero(fit.dense().any(axis=1)) == 7
    x = images()
    weighted = np.sqrt((W * column_rms(x, IDENTITY)) ** 2 @ np.ones(54))
    np.testing.assert_allclose(unit_importance(W, "l2", x), weighted)


def test_removed_units_leave_their_mean() -> None:
    rng = np.random.default_rng(0)
    layers = [(rng.normal(size=(6, 4)), rng.normal(size=6)), (rng.normal(size=(3, 6)), np.ones(3))]
    layers[0][0][[1, 4]] = 0  # constant units
    x = rng.normal(size=(5, 4))

    def forward(chain: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        return np.maximum(x @ chain[0][0].T + chain[0][1], 0) @ chain[1][0].T + chain[1][1]

    kept = np.array([0, 2, 3, 5])
    hidden = np.maximum(x @ layers[0][0].T + layers[0][1], 0)
    smaller = remove_units(layers, 0, kept, hidden.mean(axis=0))
    assert [w.shape for w, _ in smaller] == [(4, 4), (3, 4)]
    np.testing.assert_allclose(forward(smaller), forward(layers))


def test_errors() -> None:
    W = matrix()
    for technique in ALL:
        with pytest.raises(ValueError, match=r"density must be from 0 to 1, not 1\.1"):
            technique.fit(W, 1.1)
        with pytest.raises(ValueError, match="weights must have 2 axes"):
            technique.fit(np.zeros(3), 0.5)
        with pytest.raises(ValueError, match="weights must be finite"):
            technique.fit(np.full((21, 54), np.nan), 0.5)
    with pytest.raises(ValueError, match="must have 64 columns, not 54"):
        SpectralInput((8, 8)).fit(W, 0.5)
    with pytest.raises(ValueError, match=r"density must be at most bins, 0\.2, not 0\.3"):
        SpectralInput((6, 9), bins=0.2).fit(W, 0.3)
    with pytest.raises(ValueError, match="form must be 'real' or 'complex', not 'polar'"):
        Sft(form="polar")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="group must be one of"):
        Selection("row")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="index must be from 0 to 0, not 1"):
        remove_units([(W, W[:, 0]), (W.T, W[0])], 1, np.arange(3))
    assert sft(W, FFT8, FFT8).shape == (24, 56)
