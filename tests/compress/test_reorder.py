# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Order of hidden units: found again after a shuffle, kept only where it helps, and without any effect otherwise."""

import time

import numpy as np
import pytest

from spectramac.compress.post_training import Choice, DenseLayer
from spectramac.compress.reorder import permute_units, reorder, reorder_chain, short_path
from spectramac.compress.techniques import LowRank, Pruning, RowsSft, Selection, Sft


def forward(layers: list[DenseLayer], x: np.ndarray) -> np.ndarray:
    for i, (w, b) in enumerate(layers):
        x = x @ w.T + b
        x = np.maximum(x, 0) if i < len(layers) - 1 else x
    return x


def smooth_then_shuffled(n: int = 64, seed: int = 0) -> list[DenseLayer]:
    """Units along a smooth curve, in random order; the second layer reads them smoothly too."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, n)[:, None]
    waves = np.cos(np.pi * t * np.arange(4))
    first = waves @ rng.normal(size=(4, 32)) + 0.05 * rng.normal(size=(n, 32))
    second = (waves @ rng.normal(size=(4, 16))).T + 0.05 * rng.normal(size=(16, n))
    layers = [(first, np.zeros(n)), (second, np.zeros(16)), (rng.normal(size=(4, 16)), np.zeros(4))]
    return permute_units(layers, 0, rng.permutation(n))


def inputs(batch: int = 100) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(batch, 32))


SFT = [Choice(Sft(), 0.15), Choice(Sft(), 0.15), Choice(RowsSft(), 1.0)]


def test_smooth_units_are_found_again() -> None:
    layers = smooth_then_shuffled()
    found = reorder(layers, 0, SFT, inputs())
    assert found.helps
    assert found.error_after < 0.7 * found.error_before
    assert sorted(found.permutation) == list(range(64))


def test_the_function_stays() -> None:
    layers, x = smooth_then_shuffled(), inputs()
    changed, found = reorder_chain(layers, SFT, x)
    assert len(found) == 2
    assert not np.array_equal(changed[0][0], layers[0][0])
    np.testing.assert_allclose(forward(changed, x), forward(layers, x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("technique", [LowRank(), Pruning(Selection("value"))])
def test_techniques_that_do_not_care_keep_the_order(technique: object) -> None:
    choices = [Choice(technique, 0.3), Choice(technique, 0.3), Choice(technique, 1.0)]  # type: ignore[arg-type]
    found = reorder(smooth_then_shuffled(), 0, choices, inputs())
    assert found.error_after == pytest.approx(found.error_before, rel=1e-6)
    if not found.helps:
        np.testing.assert_array_equal(found.permutation, np.arange(64))


def test_what_does_not_help_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    layers, x = smooth_then_shuffled(), inputs()
    good = permute_units(layers, 0, reorder(layers, 0, SFT, x).permutation)
    shuffle = np.random.default_rng(3).permutation
    monkeypatch.setattr(
        "spectramac.compress.reorder.short_path", lambda points: shuffle(len(points))
    )
    found = reorder(good, 0, SFT, x)
    assert not found.helps
    assert found.error_after > found.error_before
    np.testing.assert_array_equal(found.permutation, np.arange(64))


def test_the_error_is_that_of_both_layers() -> None:
    layers, x = smooth_then_shuffled(), inputs()
    found = reorder(layers, 0, SFT, x)
    seen, total = x, 0.0
    for w, b in layers[:2]:
        exact = seen @ w.T
        got = seen @ Sft().fit(w, 0.15, inputs=seen).dense().T
        total += np.linalg.norm(got - exact) ** 2 / np.linalg.norm(exact) ** 2
        seen = np.maximum(exact + b, 0)
    assert found.error_before == pytest.approx(np.sqrt(total))


def test_path_of_a_line_and_no_crossing() -> None:
    """Points on a line come back in order; no reversal of a part shortens any path."""
    rng = np.random.default_rng(0)
    line = rng.permutation(20)
    path = short_path(line[:, None].astype(float))
    assert list(line[path]) in (list(range(20)), list(range(19, -1, -1)))
    points = rng.normal(size=(24, 3))
    path = short_path(points)

    def length(order: np.ndarray) -> float:
        return float(np.square(np.diff(points[order], axis=0)).sum())

    for i in range(24):
        for j in range(i + 2, 25):
            turned = np.concatenate([path[:i], path[i:j][::-1], path[j:]])
            assert length(turned) >= length(path) - 1e-9


def test_fast_for_512_units() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(512, 400))
    start = time.process_time()
    path = short_path(points)
    assert sorted(path) == list(range(512))
    assert time.process_time() - start < 30


def test_errors() -> None:
    with pytest.raises(ValueError, match="index must be from 0 to 1, not 2"):
        reorder(smooth_then_shuffled(), 2, SFT, inputs())
    with pytest.raises(ValueError, match="there must be 3 choices"):
        reorder(smooth_then_shuffled(), 0, SFT[:2], inputs())
