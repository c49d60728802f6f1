# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Methods on reordered units beside the same without: the same function, better where it says so, else refused."""

import numpy as np
import pytest
from tests.compress.clusters import clusters, trained

from spectramac.compress.compare import compare, seen_calibration
from spectramac.compress.labelled import split_labelled
from spectramac.compress.methods import LayerMethod, methods_for
from spectramac.compress.ordered import NoOrderError, OrderedMethod, with_ordered
from spectramac.compress.post_training import DenseLayer
from spectramac.compress.reorder import permute_units
from spectramac.compress.techniques import INT8, LowRank, Pruning, RowsSft, Selection, Sft
from spectramac.spec.config import preset

SMALL = preset("small")
SFT = LayerMethod("sft-8x8", Sft(), RowsSft())


def smooth_then_shuffled(n: int = 48) -> list[DenseLayer]:
    """32 → 48 → 4; units along a smooth curve, in random order."""
    rng = np.random.default_rng(0)
    t = np.linspace(0, 1, n)[:, None]
    waves = np.cos(np.pi * t * np.arange(4))
    first = waves @ rng.normal(size=(4, 32)) + 0.05 * rng.normal(size=(n, 32))
    second = (waves @ rng.normal(size=(4, 4))).T + 0.05 * rng.normal(size=(4, n))
    layers = [(first, np.zeros(n)), (second, np.zeros(4))]
    return permute_units(layers, 0, rng.permutation(n))


def calibration() -> np.ndarray:
    return seen_calibration(clusters(100)[0])


def outputs(layers: list[DenseLayer], x: np.ndarray) -> np.ndarray:
    (w0, b0), (w1, b1) = layers
    return np.maximum(x @ w0.T + b0, 0) @ w1.T + b1


def test_methods_that_mind_the_order_get_a_second() -> None:
    methods = [SFT, LayerMethod("value", Pruning(Selection("value")), Pruning())]
    methods.append(LayerMethod("low-rank", LowRank(), LowRank()))
    found = with_ordered(methods, smooth_then_shuffled(), calibration())
    assert [m.name for m in found] == ["sft-8x8", "sft-8x8-ordered", "value", "low-rank"]
    names = [
        m.name
        for m in with_ordered(methods_for(SMALL, 8), trained(), calibration())
        if isinstance(m, OrderedMethod)
    ]
    assert {"sft-16x16-ordered", "rows-sft-8-ordered", "circulant-8-ordered"} < set(names)
    assert {"prune-pair-ordered", "prune-lanes-ordered"} < set(names)
    assert not {"neurons-l2-ordered", "prune-value-ordered", "low-rank-ordered"} & set(names)


def test_the_plan_computes_the_same_and_errs_less() -> None:
    layers, x = smooth_then_shuffled(), calibration()
    _, ordered = with_ordered([SFT], layers, x)
    chain, choices = ordered.plan(layers, 0.2, INT8, x)
    assert not np.array_equal(chain[0][0], layers[0][0])
    np.testing.assert_allclose(outputs(chain, x), outputs(layers, x), rtol=0, atol=1e-9)
    assert choices == SFT.plan(layers, 0.2, INT8, x)[1]
    assert isinstance(ordered, OrderedMethod)
    (order,) = ordered.reordered(layers, 0.2, INT8, x)[2]
    assert order.helps
    assert order.error_after < 0.8 * order.error_before


def test_an_order_that_does_not_help_is_refused() -> None:
    """At full density nothing errs; the best order proposed again changes nothing either."""
    layers, x = smooth_then_shuffled(), calibration()
    _, ordered = with_ordered([SFT], layers, x)
    with pytest.raises(NoOrderError, match="no other order of hidden units lowers the error"):
        ordered.plan(layers, 1.0, INT8, x)
    backwards = OrderedMethod(SFT, [np.arange(48)])
    with pytest.raises(NoOrderError):
        backwards.plan(layers, 0.2, INT8, x)


def test_compared_with_the_same_without() -> None:
    """The candidate is there with a better accuracy, or says why not; the others are as without it."""
    layers = smooth_then_shuffled()
    x, labels = clusters(200)
    labels = outputs(layers, x).argmax(axis=1)
    data = split_labelled(x, labels)
    methods = with_ordered([SFT], layers, seen_calibration(data.calibration))
    plain, ordered = (
        list(compare(layers, data, SMALL, densities=(1.0, 0.06), methods=chosen))
        for chosen in ([SFT], methods)
    )
    assert [(c.accuracy, c.stored_bytes) for c in ordered[:2]] == [
        (c.accuracy, c.stored_bytes) for c in plain
    ]
    assert ordered[2].network is None
    assert "no other order" in ordered[2].refusal
    better, worse = ordered[3], ordered[1]
    assert better.method == "sft-8x8-ordered"
    assert better.accuracy is not None
    assert worse.accuracy is not None
    assert better.accuracy > worse.accuracy + 50
