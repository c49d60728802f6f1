# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Masks: exact densities, lane balance, reachable indices, and optimality on small cases."""

from itertools import combinations

import numpy as np
import pytest

from spectramac.compress.lanes import entries_per_lane, lane_balanced
from spectramac.compress.sft import orthonormal_basis
from spectramac.compress.threshold import (
    by_density,
    by_tau,
    column_rms,
    pair_magnitude,
)
from spectramac.model.network import Transform


def spectrum(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).laplace(size=(rows, columns))


def test_pairs_are_whole() -> None:
    S = spectrum(32, 17)
    for mask in (by_tau(S, 1.0), by_density(S, 0.2), lane_balanced(S, 0.2, 3)):
        np.testing.assert_array_equal(mask[0::2], mask[1::2])


def test_tau() -> None:
    S = np.array([[3.0, 0.0, 1.0], [4.0, 0.0, 1.0]])
    np.testing.assert_array_equal(by_tau(S, 5.0)[0], [True, False, False])
    np.testing.assert_array_equal(by_tau(S, 0.0)[0], [True, False, True])
    np.testing.assert_array_equal(by_tau(S, 5.0, np.array([0.5, 1, 4]))[0], [False, False, True])


@pytest.mark.parametrize("density", [0, 0.01, 0.3, 0.5, 1])
def test_density_is_exact(density: float) -> None:
    S = spectrum(40, 30)
    mask = by_density(S, density)
    assert mask.sum() == 2 * round(density * 600)
    magnitude = pair_magnitude(S)
    kept = mask[0::2]
    if 0 < kept.sum() < kept.size:
        assert magnitude[kept].min() >= magnitude[~kept].max()


def test_density_of_equal_values_is_exact() -> None:
    assert by_density(np.ones((8, 8)), 0.25).sum() == 16


@pytest.mark.parametrize("n_lanes", [1, 2, 3, 8])
@pytest.mark.parametrize("max_gap", [None, 2, 15])
def test_lane_balance(n_lanes: int, max_gap: int | None) -> None:
    S = spectrum(128, 24, seed=n_lanes)
    mask = lane_balanced(S, 0.15, n_lanes, max_gap=max_gap)
    entries = entries_per_lane(mask, n_lanes)
    assert np.all(entries == entries[:, :1])
    assert entries[:, 0].sum() == round(0.15 * 64 * 24 / n_lanes)
    if max_gap is not None:
        for lane in range(n_lanes):
            for column in mask[0::2][lane::n_lanes].T:
                steps = np.diff(np.flatnonzero(column), prepend=0)
                assert np.all(steps <= max_gap)


@pytest.mark.parametrize("max_gap", [None, 1, 3])
def test_a_last_word_takes_the_rows_that_are_left(max_gap: int | None) -> None:
    """7 row pairs on 3 lanes: lane 0 has three, the others two; what is whole is filled first."""
    assert lane_balanced(spectrum(14, 5), 1.0, 3, max_gap=max_gap).all()
    S = np.ones((14, 5))
    entries = entries_per_lane(lane_balanced(S, 6 / 7, 3, max_gap=max_gap), 3)
    np.testing.assert_array_equal(entries, np.full((5, 3), 2))
    entries = entries_per_lane(lane_balanced(S, 33 / 35, 3, max_gap=max_gap), 3)
    np.testing.assert_array_equal(entries, [[3, 2, 2]] * 3 + [[2, 2, 2]] * 2)


@pytest.mark.parametrize("density", [0.1, 0.25, 0.6])
@pytest.mark.parametrize("n_lanes", [3, 4, 8])
def test_fewer_row_pairs_than_lanes(density: float, n_lanes: int) -> None:
    """A classifier: whole columns, those of most energy; single pairs would store as many words."""
    S = spectrum(4, 20)
    mask = lane_balanced(S, density, n_lanes)
    kept = mask.any(axis=0)
    np.testing.assert_array_equal(mask, np.broadcast_to(kept, S.shape))
    assert kept.sum() == round(density * 20)
    energy = (S**2).sum(axis=0)
    assert energy[kept].min() >= energy[~kept].max()


@pytest.mark.parametrize("max_gap", [None, 2, 3])
def test_rows_of_a_lane_are_the_best(max_gap: int | None) -> None:
    """Against all subsets, one lane, one column."""
    for seed in range(10):
        S = spectrum(20, 1, seed)
        energy = pair_magnitude(S)[:, 0] ** 2
        for k in (1, 2, 4):
            mask = lane_balanced(S, k / 10, 1, max_gap=max_gap)
            reach = max_gap or 10
            allowed = [
                rows
                for rows in combinations(range(10), k)
                if all(b - a <= reach for a, b in zip((0, *rows), rows, strict=False))
            ]
            best = max(sum(energy[list(rows)]) for rows in allowed)
            assert energy[mask[0::2, 0]].sum() == pytest.approx(best)


@pytest.mark.parametrize("density", [0.05, 0.1, 0.2])
def test_words_go_to_the_columns_that_gain_most(density: float) -> None:
    """However unequal columns are: the k-th word of a column holds the k-th largest pair of each lane."""
    weights = np.geomspace(1, 1e3, 40)
    S = spectrum(128, 40)
    lanes = [np.sort((pair_magnitude(S, weights) ** 2)[lane::4], axis=0)[::-1] for lane in range(4)]
    gain = np.sum(lanes, axis=0)
    n_words = round(density * gain.size)
    expected = (gain >= np.sort(gain, axis=None)[-n_words]).sum(axis=0)
    assert expected.max() >= 10 > expected[0]
    mask = lane_balanced(S, density, 4, weights, max_gap=None)
    np.testing.assert_array_equal(entries_per_lane(mask, 4)[:, 0], expected)


def test_weights_move_the_choice() -> None:
    S = np.ones((24, 4))
    mask = lane_balanced(S, 0.25, 3, np.array([0, 0, 1, 0.5]))
    np.testing.assert_array_equal(entries_per_lane(mask, 3)[:, 0], [0, 0, 4, 0])


@pytest.mark.parametrize("t", [Transform(), Transform("fft1d", 8), Transform("fft2d", 64)], ids=str)
def test_column_rms(t: Transform) -> None:
    x = np.random.default_rng(3).integers(0, 127, (50, 60))
    rms = column_rms(x, t)
    padded = np.zeros((50, t.padded(60)))
    padded[:, :60] = x
    assert np.sum(rms**2) == pytest.approx(np.mean(np.sum(padded**2, axis=1)))
    first = padded[:, : t.n] @ orthonormal_basis(t)[0]
    assert rms[0] == pytest.approx(np.sqrt(np.mean(first**2)))


def test_errors() -> None:
    S = spectrum(8, 4)
    with pytest.raises(ValueError, match=r"density must be from 0 to 1, not 1\.5"):
        by_density(S, 1.5)
    with pytest.raises(ValueError, match="tau must be at least 0, not -1"):
        by_tau(S, -1)
    with pytest.raises(ValueError, match="n_lanes must be at least 1, not 0"):
        lane_balanced(S, 0.5, 0)
    with pytest.raises(ValueError, match="max_gap must be at least 1 or None, not 0"):
        lane_balanced(S, 0.5, 1, max_gap=0)
    with pytest.raises(ValueError, match="even number of rows"):
        by_tau(np.zeros((3, 3)), 1)
    with pytest.raises(ValueError, match="column_weights must be 4 numbers"):
        by_density(S, 0.5, np.ones(5))
