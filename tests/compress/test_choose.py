# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Choosing the threshold: bounds hold, one step further breaks them, and ties go the stated way."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.compress.cases import CONFIG, ids, images, matrix
from tests.compress.clusters import clusters, trained

from spectramac.compress.choose import (
    LEVELS,
    choose_level,
    cross_validate,
    fit_bytes,
    fit_error,
    folds_of,
    raise_levels,
    trade,
)
from spectramac.compress.curve import Curve, Point
from spectramac.compress.post_training import Choice, compress_layers
from spectramac.compress.techniques import (
    BlockCirculant,
    LowRank,
    Pruning,
    Quantization,
    RowsSft,
    Sft,
    Technique,
)
from spectramac.model.batch import accuracy, quantize_input
from spectramac.model.layer import run_network
from spectramac.model.network import Layer, Network, Transform

DENSITIES = (1.0, 0.8, 0.5, 0.3, 0.2, 0.1, 0.05)
NARROW = Quantization(4)


@pytest.mark.parametrize("technique", [Sft(), Pruning(), LowRank()], ids=ids)
@pytest.mark.parametrize("aware", [False, True])
def test_error_bound_is_kept_and_used(technique: Technique, aware: bool) -> None:
    W, x = matrix(), images() if aware else None

    def error(density: float) -> float:
        fit = technique.fit(W, density, inputs=x)
        seen = np.eye(54) if x is None else x
        return float(np.linalg.norm(seen @ (W - fit.dense()).T) / np.linalg.norm(seen @ W.T))

    bound = (error(0.3) + error(0.2)) / 2
    fit = fit_error(technique, W, bound, inputs=x)
    seen = np.eye(54) if x is None else x
    reached = np.linalg.norm(seen @ (W - fit.dense()).T) / np.linalg.norm(seen @ W.T)
    assert reached <= bound
    curve = trade(technique, W, DENSITIES, CONFIG, inputs=x).by_error(bound)
    assert curve.point.value == 0.3
    # Bisection is at least as frugal as the grid.
    assert fit.n_values <= technique.fit(W, curve.point.value, inputs=x).n_values
    same = trade(technique, W, DENSITIES, CONFIG, inputs=x).by_energy(1 - bound**2)
    assert same.chosen == curve.chosen


def test_error_that_cannot_be_reached() -> None:
    with pytest.raises(ValueError, match="error of technique 'circulant-8' must be at least 0"):
        fit_error(BlockCirculant(), matrix(), 0.01)


@pytest.mark.parametrize("technique", [Sft(), Pruning(), LowRank()], ids=ids)
@pytest.mark.parametrize("n_bytes", [450, 600, 700])
def test_bytes_are_kept_and_used(technique: Technique, n_bytes: int) -> None:
    W = matrix()
    fit = fit_bytes(technique, W, n_bytes, CONFIG, quantization=NARROW)
    used = fit.cost(CONFIG, NARROW).stored_bytes
    assert used <= n_bytes
    if isinstance(technique, LowRank):
        rank = fit.stages[0].n_out
        more = technique.fit(W, (rank + 1) / 21).cost(CONFIG, NARROW).stored_bytes
        assert more > n_bytes
    else:  # what is left over is less than two words
        assert used > n_bytes - 12


def test_bytes_that_are_too_few_or_plenty() -> None:
    with pytest.raises(
        ValueError, match=r"bytes of technique 'prune-pair' must be at least \d+, not 50"
    ):
        fit_bytes(Pruning(), matrix(), 50, CONFIG)
    assert fit_bytes(Pruning(), matrix(), 10**6, CONFIG).error(matrix()) < 1e-12


def curve(*scores: tuple[float, ...]) -> Curve:
    points = [Point(1 / (i + 1), 0.1 * i, 100 - 10 * i, 50, s) for i, s in enumerate(scores)]
    return Curve("made", tuple(points))


def test_score_is_paired_and_stops_at_the_first_failure() -> None:
    """Losses are of the same fold; a lucky candidate beyond a failing one does not count."""
    made = curve((90, 80), (89, 80), (85, 79), (90, 80))
    assert made.by_score(0.5).chosen == 1
    assert made.by_score(0.4).chosen == 0
    assert made.by_score(3).chosen == 3
    assert made.points[1].score == 84.5
    assert made.points[1].spread == pytest.approx(4.5)
    assert made.by_score(0.5).criterion == "loss of at most 0.5"


def test_by_bytes_takes_the_mildest() -> None:
    made = curve((1,), (1,), (1,))
    assert made.by_bytes(95).chosen == 1
    with pytest.raises(ValueError, match="no candidate is chosen"):
        _ = made.by_bytes(10).point
    with pytest.raises(ValueError, match="every point must have scores"):
        Curve("bare", (Point(1.0),)).by_score(1)
    with pytest.raises(ValueError, match="densities must fall"):
        trade(Sft(), matrix(), (0.1, 0.2), CONFIG)


def test_folds_are_stratified() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    fold = folds_of(labels, 5, seed=1)
    for k in range(5):
        np.testing.assert_array_equal(np.bincount(labels[fold == k]), [10, 6, 4])
    assert np.any(folds_of(labels, 5, seed=2) != fold)
    with pytest.raises(ValueError, match="n_folds must be from 1 to 100, not 101"):
        folds_of(labels, 101)


def test_cross_validation_finds_the_density_that_a_classifier_needs() -> None:
    """Least squares on noisy classes, then thresholded: scored on samples that it has not seen."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(4, 54)) * np.repeat([1.0, 0.1], [9, 45])
    labels = rng.integers(0, 4, 200)
    x = means[labels] + rng.normal(size=(200, 54)) * 0.6
    seen: list[set[int]] = []

    def score(density: float, train: np.ndarray, validation: np.ndarray) -> float:
        assert not set(train) & set(validation)
        seen.append(set(validation.tolist()))
        target = np.eye(4)[labels[train]]
        W = np.linalg.lstsq(x[train], target, rcond=None)[0].T
        made = Pruning().fit(W, density, inputs=x[train]).dense()
        return accuracy(x[validation] @ made.T, labels[validation])

    scores = cross_validate(DENSITIES, score, labels, n_folds=4)
    assert scores.shape == (7, 4)
    assert set.union(*seen[:4]) == set(range(200))
    points = trade(Pruning(), means, DENSITIES, CONFIG).with_scores(scores).by_score(2.0)
    assert points.chosen is not None
    assert 0 < points.chosen < 6
    assert points.point.score >= points.points[0].score - 2
    assert points.points[points.chosen + 1].score < points.points[0].score - 2
    with pytest.raises(ValueError, match="scores must be of 7 points, not 3"):
        points.with_scores(scores[:3])
    with pytest.raises(ValueError, match="n_folds must be at least 2, not 1"):
        cross_validate(DENSITIES, score, labels, n_folds=1)


def test_level_rises_until_accuracy_falls() -> None:
    """Half of the bins matter, the others are small: exactly those may be dropped."""
    rng = np.random.default_rng(0)
    n = 16
    layer = Layer(
        name="a", n_in=n, n_out=n, t_in=Transform("fft1d", n), t_out=Transform(),
        coefficients=rng.integers(-9, 10, (n, n)), coefficient_bits=8, bias=np.zeros(n),
        multiplier=1, shift=8,
    )  # fmt: skip
    network = Network(layers=(layer,))
    x = rng.integers(0, 100, (101, n))
    labels = np.argmax(run_network(network, x), axis=1)
    best, levels = choose_level(network, 0, x, labels, max_loss=10, n_folds=3)
    assert len(levels.points) == len(LEVELS)
    assert levels.points[0].score == 100
    assert best.layers[0].level == levels.point.value > 1
    whole = accuracy(run_network(best, x), labels)
    assert whole >= 89.5
    assert levels.chosen is not None
    stronger = levels.points[levels.chosen + 1]
    assert stronger.score < 90
    # The reference is the first level, and no loss at all chooses no more than that allows.
    strict, _ = choose_level(network, 0, x, labels)
    assert accuracy(run_network(strict, x), labels) == 100
    assert strict.layers[0].level <= best.layers[0].level


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_plot(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip(
        "matplotlib", reason="pictures are an extra: pip install 'spectramac[plot]'"
    )
    from spectramac.compress.plot import plot_curves

    made = [curve((90, 80), (89, 80), (85, 79)).by_score(0.5), curve((1,), (2,), (3,))]
    for name in ("a", "b"):
        plot_curves(made, tmp_path / f"{name}.{suffix}")
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
    plot_curves(made, tmp_path / f"c.{suffix}", y="error", x="value")
    assert (tmp_path / f"c.{suffix}").read_bytes() != (tmp_path / f"a.{suffix}").read_bytes()
    with pytest.raises(ValueError, match="bare: every point must have stored_bytes"):
        plot_curves([Curve("bare", (Point(1.0, scores=(1,)),))], tmp_path / f"d.{suffix}")


@pytest.mark.parametrize("max_loss", [0.0, 3.0, 100.0])
def test_thresholds_of_all_layers_share_the_loss(max_loss: float) -> None:
    x, labels = clusters(300, seed=3)
    scale = float(np.abs(x).max()) / 127
    inputs = quantize_input(x, scale)
    choices = [Choice(Sft(), 1.0), Choice(RowsSft(), 1.0)]
    network = compress_layers(trained(), choices, inputs, input_scale=scale)
    before = accuracy(run_network(network, inputs.astype(np.int64)), labels)
    raised = raise_levels(network, inputs, labels, max_loss=max_loss)
    after = accuracy(run_network(raised, inputs.astype(np.int64)), labels)
    assert before - after <= max_loss + 1e-9
    levels = [layer.level for layer in raised.layers]
    assert min(levels) >= 1
    assert max(levels) > 1
    if max_loss == 100:
        assert levels == [LEVELS[-1]] * 2
    elif levels[-1] < LEVELS[-1]:  # one step further costs too much
        further = replace(raised.layers[-1], level=LEVELS[LEVELS.index(levels[-1]) + 1])
        worse = replace(raised, layers=(*raised.layers[:-1], further))
        outputs = run_network(worse, inputs.astype(np.int64))
        assert before - accuracy(outputs, labels) > max_loss
