# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Order of hidden units: any order computes the same, but a smoother matrix has a sparser spectrum.

Units whose incoming and outgoing weights are alike become neighbours: a short path through all units, in the
distance of those weights, from each unit to its nearest free neighbour and then improved by reversing parts of the
path while that shortens it (2-opt). Whether the order helps a technique is not assumed but measured: the error of
the outputs of both layers at the same number of coefficients, with it and without. Of a whole network,
:class:`~spectramac.compress.ordered.OrderedMethod` makes a method beside the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.post_training import Choice, DenseLayer, check_chain

__all__ = ["Reordering", "permute_units", "propose", "reorder", "reorder_chain", "short_path"]

_LEAST_GAIN = 1e-3
"""Part of the error that an order must save to be taken: less is rounding."""


@dataclass(frozen=True, eq=False)
class Reordering:
    """The order of one layer's outputs, and what was measured.

    Attributes
    ----------
    permutation : int array (units,)
        Unit ``permutation[i]`` becomes unit i; the identity, if another order does not help.
    error_before, error_after : float
        Of the outputs of this layer and the next, relative, root of the sum of both squares: in the given order,
        and in the one proposed.
    """

    permutation: NDArray[np.int64]
    error_before: float
    error_after: float

    @property
    def helps(self) -> bool:
        """Whether the proposed order was taken."""
        return self.error_after < (1 - _LEAST_GAIN) * self.error_before


def short_path(points: Floats) -> NDArray[np.int64]:
    """A short path that visits every point once, by squared distances.

    Parameters
    ----------
    points : float array (n, coordinates)

    Returns
    -------
    int array (n,)
        Numbers of the points in the order of the path.
    """
    square = np.square(points).sum(axis=1)
    distance = np.maximum(square[:, None] + square - 2 * points @ points.T, 0)
    return _two_opt(_nearest(distance), distance)


def _nearest(distance: Floats) -> NDArray[np.int64]:
    """From the point farthest from all others, always to the nearest that is left."""
    left = distance.copy()
    path = [int(np.argmax(distance.sum(axis=1)))]
    while len(path) < len(distance):
        left[:, path[-1]] = np.inf
        path.append(int(np.argmin(left[path[-1]])))
    return np.array(path)


def _two_opt(path: NDArray[np.int64], distance: Floats) -> NDArray[np.int64]:
    """Reverse the part of the path that shortens it most, until none does.

    The ends of the path count as joined to a point that is nowhere: no distance.
    """
    n = len(path)
    # Along the path, with the point nowhere before and behind it.
    ordered = np.zeros((n + 2, n + 2))
    ordered[1:-1, 1:-1] = distance[np.ix_(path, path)]
    path = np.concatenate([[-1], path, [-1]])
    i, j = np.triu_indices(n + 1, 1)
    while True:
        step = np.diagonal(ordered, 1)
        gain = step[i] + step[j] - ordered[i, j] - ordered[i + 1, j + 1]
        best = int(np.argmax(gain))
        if gain[best] <= 1e-12 * step.sum():
            return path[1:-1]
        part = slice(i[best] + 1, j[best] + 1)
        path[part] = path[part][::-1].copy()
        ordered[part] = ordered[part][::-1].copy()
        ordered[:, part] = ordered[:, part][:, ::-1].copy()


def permute_units(
    layers: Sequence[DenseLayer], index: int, permutation: NDArray[np.integer]
) -> list[DenseLayer]:
    """The same network with the outputs of layer ``index`` (not the last) in another order."""
    changed = list(layers)
    (weights, bias), (reader, reader_bias) = layers[index : index + 2]
    changed[index] = weights[permutation], bias[permutation]
    changed[index + 1] = reader[:, permutation], reader_bias
    return changed


def _error(pair: Sequence[DenseLayer], choices: Sequence[Choice], x: Floats) -> float:
    """Of the outputs of two layers before their activation functions, each relative, root of the sum of squares."""
    total = 0.0
    for (weights, bias), choice in zip(pair, choices, strict=True):
        structured = choice.technique.fit(weights, choice.density, inputs=x)
        exact = x @ weights.T
        total += float(np.square(x @ structured.dense().T - exact).sum() / np.square(exact).sum())
        x = np.maximum(exact + bias, 0)
    return float(np.sqrt(total))


def propose(layers: Sequence[DenseLayer], index: int, x: NDArray[Any]) -> NDArray[np.int64]:
    """An order of the outputs of one layer in which units that are alike are neighbours.

    Orders of other layers change nothing in it.

    Parameters
    ----------
    layers : sequence of (weights, bias)
        ReLU follows each but the last.
    index : int
        Of the layer; not the last.
    x : float array (batch, n_in)
        Typical inputs of the network.

    Raises
    ------
    ValueError
        If the layer is the last.
    """
    if not 0 <= index < len(layers) - 1:
        raise ValueError(f"index must be from 0 to {len(layers) - 2}, not {index!r}")
    (weights, _), (reader, _) = layers[index : index + 2]
    incoming = weights * np.sqrt(np.mean(np.square(_inputs(layers, index, x)), axis=0))
    points = [part / (np.linalg.norm(part) or 1.0) for part in (incoming, reader.T)]
    return short_path(np.concatenate(points, axis=1))


def _inputs(layers: Sequence[DenseLayer], index: int, x: NDArray[Any]) -> Floats:
    """Of layer ``index``."""
    seen = np.asarray(x, np.float64)
    for weights, bias in layers[:index]:
        seen = np.maximum(seen @ weights.T + bias, 0)
    return seen


def reorder(
    layers: Sequence[DenseLayer],
    index: int,
    choices: Sequence[Choice],
    x: NDArray[Any],
    proposal: NDArray[np.int64] | None = None,
) -> Reordering:
    """Find an order of the outputs of one layer in which it and the next compress better.

    Parameters
    ----------
    layers, index, x
        As of :func:`propose`.
    choices : sequence of Choice
        One a layer: what the error is measured with.
    proposal : int array (units,), optional
        The order that is tried. Default: that of :func:`propose`.

    Raises
    ------
    ValueError
        If the layer is the last, or shapes do not fit.
    """
    check_chain(layers, choices, x)
    permutation = propose(layers, index, x) if proposal is None else proposal
    seen = _inputs(layers, index, x)
    pair, tried = layers[index : index + 2], choices[index : index + 2]
    before = _error(pair, tried, seen)
    after = _error(permute_units(pair, 0, permutation), tried, seen)
    found = Reordering(permutation, before, after)
    return found if found.helps else replace(found, permutation=np.arange(len(permutation)))


def reorder_chain(
    layers: Sequence[DenseLayer],
    choices: Sequence[Choice],
    x: NDArray[Any],
    proposals: Sequence[NDArray[np.int64]] | None = None,
) -> tuple[list[DenseLayer], list[Reordering]]:
    """:func:`reorder` for every hidden layer, one after the other; ``proposals``, if given, are one for each.

    Returns
    -------
    (layers, reorderings)
        The network in its new order, and what was measured for each hidden layer.
    """
    changed, found = list(layers), []
    for index in range(len(layers) - 1):
        proposal = None if proposals is None else proposals[index]
        found.append(reorder(changed, index, choices, x, proposal))
        changed = permute_units(changed, index, found[-1].permutation)
    return changed, found
