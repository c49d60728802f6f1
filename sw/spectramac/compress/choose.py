# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""How much to drop: by density, by energy kept, by error, by bytes, or by cross-validated accuracy.

:func:`trade` and :func:`cross_validate` fill a :class:`~spectramac.compress.curve.Curve`, whose methods choose a
candidate from it; :func:`fit_error` and :func:`fit_bytes` find the density without one.

Energy and error are two views of one thing (Parseval): the relative squared error of the weights is one minus the
part of the energy that is kept. With inputs both are those of the layer's output instead.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.curve import Curve, Point
from spectramac.compress.techniques import INT8, Quantization, Structured, Technique
from spectramac.model.batch import accuracy
from spectramac.model.layer import run_network
from spectramac.model.network import Network
from spectramac.spec.config import AcceleratorConfig

__all__ = [
    "LEVELS",
    "choose_level",
    "cross_validate",
    "fit_bytes",
    "fit_error",
    "folds_of",
    "raise_levels",
    "trade",
]

LEVELS = (1, *(4 * 64 * 2**n for n in range(12)))
"""Levels (2τ)² of Θ that are tried: 1, which drops zeros only, then τ = 8·√2ⁿ to 362."""

_HALVINGS = 12


def _error(structured: Structured, weights: Floats, inputs: NDArray[Any] | None) -> float:
    if inputs is None or weights.ndim != 2:
        return structured.error(weights)
    x = np.asarray(inputs, np.float64)
    outputs = x @ weights.T
    return float(np.linalg.norm(outputs - x @ structured.dense().T) / np.linalg.norm(outputs))


def trade(
    technique: Technique,
    weights: Floats,
    densities: Sequence[float],
    config: AcceleratorConfig,
    *,
    quantization: Quantization = INT8,
    inputs: NDArray[Any] | None = None,
) -> Curve:
    """What a technique makes of a layer at several densities.

    Parameters
    ----------
    technique : Technique
    weights : float array
    densities : sequence of float
        Falling.
    config : AcceleratorConfig
        On which bytes are counted.
    quantization : Quantization
    inputs : array, optional
        See :meth:`~spectramac.compress.techniques.base.Technique.fit`; of matrices, errors are then those of
        the output.

    Returns
    -------
    Curve
        Nothing chosen yet.
    """
    points = []
    for density in _falling(densities):
        fit = technique.fit(weights, density, inputs=inputs)
        cost = fit.cost(config, quantization)
        error = _error(fit, weights, inputs)
        points.append(Point(density, error, cost.stored_bytes, cost.multiplications))
    return Curve(technique.name, tuple(points))


def _falling(values: Sequence[float]) -> Sequence[float]:
    if not values or any(b >= a for a, b in pairwise(values)):
        raise ValueError(f"densities must fall from one to the next, not {list(values)}")
    return values


def _bisect(good: Callable[[float], bool], best: float, worst: float) -> float:
    """Between ``best``, which is good, and ``worst``: as near to ``worst`` as is good."""
    for _ in range(_HALVINGS):
        middle = (best + worst) / 2
        best, worst = (middle, worst) if good(middle) else (best, middle)
    return best


def fit_error(
    technique: Technique, weights: Floats, error: float, *, inputs: NDArray[Any] | None = None
) -> Structured:
    """The smallest density (to 1 / 4096) at which the relative error is at most ``error``.

    For a part e of the energy to be kept, ``error`` is √(1 - e).

    Raises
    ------
    ValueError
        If the error is larger even at density 1.
    """

    def fit(density: float) -> Structured:
        return technique.fit(weights, density, inputs=inputs)

    full = _error(fit(1.0), weights, inputs)
    if full > error:
        raise ValueError(
            f"error of technique {technique.name!r} must be at least {full:.3g}, its error at full "
            f"density, not {error!r}"
        )
    return fit(_bisect(lambda d: _error(fit(d), weights, inputs) <= error, 1.0, 0.0))


def fit_bytes(
    technique: Technique,
    weights: Floats,
    n_bytes: int,
    config: AcceleratorConfig,
    *,
    quantization: Quantization = INT8,
    inputs: NDArray[Any] | None = None,
) -> Structured:
    """The largest density (to 1 / 4096) that takes at most ``n_bytes`` on ``config``.

    Bytes nearly always grow with density (a layout may change its format); what is returned never takes
    more.

    Raises
    ------
    ValueError
        If even density 0 takes more.
    """

    def fit(density: float) -> Structured:
        return technique.fit(weights, density, inputs=inputs)

    def fits(density: float) -> bool:
        return fit(density).cost(config, quantization).stored_bytes <= n_bytes

    if fits(1.0):
        return fit(1.0)
    if not fits(0.0):
        least = fit(0.0).cost(config, quantization).stored_bytes
        raise ValueError(
            f"bytes of technique {technique.name!r} must be at least {least}, not {n_bytes!r}"
        )
    return fit(_bisect(fits, 0.0, 1.0))


def folds_of(labels: NDArray[Any], n_folds: int, seed: int = 0) -> NDArray[np.int64]:
    """The fold of every sample, from 0: random, with nearly the same part of every label in each.

    Raises
    ------
    ValueError
        If there are fewer samples than folds, or no fold.
    """
    if not 1 <= n_folds <= len(labels):
        raise ValueError(f"n_folds must be from 1 to {len(labels)}, not {n_folds!r}")
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(np.asarray(labels)[order], kind="stable")]
    fold = np.empty(len(labels), np.int64)
    fold[order] = np.arange(len(labels)) % n_folds
    return fold


def cross_validate(
    candidates: Sequence[float],
    score: Callable[[float, NDArray[np.int64], NDArray[np.int64]], float],
    labels: NDArray[Any],
    *,
    n_folds: int = 5,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Score every candidate on every fold.

    Parameters
    ----------
    candidates : sequence of float
    score : callable (candidate, training indices, validation indices) -> float
        Compresses (and trains, if it wants) with the first samples and returns the accuracy on the others.
    labels : array (samples,)
        Folds are stratified by them.
    n_folds : int
        At least 2.
    seed : int

    Returns
    -------
    float array (candidates, folds)
        For :meth:`Curve.with_scores`.
    """
    if n_folds < 2:
        raise ValueError(f"n_folds must be at least 2, not {n_folds!r}")
    fold = folds_of(labels, n_folds, seed)
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(n_folds)]
    return np.array([[score(value, *split) for split in splits] for value in candidates])


def choose_level(
    network: Network,
    index: int,
    x: NDArray[Any],
    labels: NDArray[Any],
    *,
    max_loss: float = 0.0,
    n_folds: int = 1,
    levels: Sequence[int] = LEVELS,
    data_width: int = 16,
    twiddle_width: int = 16,
) -> tuple[Network, Curve]:
    """Raise the activation threshold Θ of one layer as far as accuracy allows.

    Nothing is trained, so that folds only give the spread.

    Parameters
    ----------
    network : Network
    index : int
        Of the layer.
    x : int array (batch, n_inputs)
        int8 inputs, not of the test set.
    labels : int array (batch,)
    max_loss : float
        Percent points of accuracy that may be lost, on average over the folds.
    n_folds : int
    levels : sequence of int
        Rising; the first is the reference.
    data_width, twiddle_width : int
        See :func:`~spectramac.model.layer.run_network`.

    Returns
    -------
    (Network, Curve)
        The network with the chosen level, and accuracy by level.
    """
    fold = folds_of(labels, n_folds)

    def at(level: int) -> Network:
        layer = replace(network.layers[index], level=level)
        return replace(
            network, layers=(*network.layers[:index], layer, *network.layers[index + 1 :])
        )

    points = []
    for level in levels:
        outputs = run_network(at(level), x, data_width=data_width, twiddle_width=twiddle_width)
        scores = [accuracy(outputs[fold == k], labels[fold == k]) for k in range(n_folds)]
        points.append(Point(float(level), scores=tuple(scores)))
    curve = Curve(f"level of layer {network.layers[index].name}", tuple(points)).by_score(max_loss)
    return at(int(curve.point.value)), curve


def raise_levels(
    network: Network,
    x: NDArray[Any],
    labels: NDArray[Any],
    *,
    max_loss: float,
    data_width: int = 16,
    twiddle_width: int = 16,
) -> Network:
    """Raise the activation thresholds of all layers, from the first on, as far as accuracy allows.

    Parameters
    ----------
    network, x, labels, data_width, twiddle_width
        As of :func:`choose_level`.
    max_loss : float
        Percent points that all thresholds together may cost; an early layer may use all of it.
    """
    spent = 0.0
    for index in range(len(network.layers)):
        network, curve = choose_level(
            network,
            index,
            x,
            labels,
            max_loss=max(0.0, max_loss - spent),
            data_width=data_width,
            twiddle_width=twiddle_width,
        )
        spent += curve.points[0].score - curve.point.score
    return network
