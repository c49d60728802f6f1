# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Pruning in the domain of the weights: magnitude pruning of values, pairs or words, and of whole neurons."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.techniques.base import (
    Structured,
    Technique,
    Thresholding,
    check_density,
    check_weights,
)
from spectramac.compress.techniques.selection import PAIRS, Selection
from spectramac.compress.techniques.stage import IDENTITY, Stage, dense_stage
from spectramac.compress.threshold import Mask, column_rms, largest

__all__ = ["NeuronPruning", "Pruning", "remove_units", "unit_importance"]


@dataclass(frozen=True)
class Pruning(Thresholding):
    """Magnitude pruning: the largest weights stay where they are.

    Parameters
    ----------
    selection : Selection
        Group ``"value"`` is unstructured pruning, ``"pair"`` paired, ``"lanes"`` lane-balanced.
    """

    selection: Selection = PAIRS

    @property
    def name(self) -> str:
        return f"prune-{self.selection.group}"

    def transform(self, weights: Floats) -> Structured:
        return Structured(technique=self.name, shape=weights.shape, stages=(dense_stage(weights),))

    def select(self, stage: Stage, density: float, rms: Floats | None = None) -> Mask:
        return self.selection(stage.spectrum, density, rms)


def unit_importance(
    weights: Floats, norm: Literal["l1", "l2"] = "l2", inputs: NDArray[Any] | None = None
) -> Floats:
    """How much every output depends on its weights: their L1 or L2 norm, float (n_out,).

    Parameters
    ----------
    weights : float array (n_out, …)
        Rows of a matrix, or the filters of a convolution.
    inputs : array (batch, n_in), optional
        Weigh each column of a matrix by the RMS of its input.
    """
    weights = np.asarray(weights, np.float64).reshape(len(weights), -1)
    if norm not in ("l1", "l2"):
        raise ValueError(f"norm must be 'l1' or 'l2', not {norm!r}")
    if inputs is not None:
        weights = weights * column_rms(inputs, IDENTITY)[: weights.shape[1]]
    importance: Floats = np.linalg.norm(weights, ord=int(norm[1]), axis=1)
    return importance


@dataclass(frozen=True)
class NeuronPruning(Technique):
    """Structured pruning: whole outputs are removed, what stays is dense.

    Alone, a removed output is zero. In a network, :func:`remove_units` removes what reads it too.

    Parameters
    ----------
    norm : str
        ``"l1"`` or ``"l2"``, of the weights of a neuron.
    """

    norm: Literal["l1", "l2"] = "l2"

    @property
    def name(self) -> str:
        return f"neurons-{self.norm}"

    def fit(
        self, weights: Floats, density: float, *, inputs: NDArray[Any] | None = None
    ) -> Structured:
        weights, density = check_weights(weights), check_density(density)
        count = max(1, round(density * len(weights)))
        kept = np.flatnonzero(largest(unit_importance(weights, self.norm, inputs), count))
        return Structured(
            technique=self.name,
            shape=weights.shape,
            stages=(dense_stage(weights[kept]),),
            output_map=kept.astype(np.int32),
        )


def remove_units(
    layers: Sequence[tuple[Floats, Floats]],
    index: int,
    kept: NDArray[np.integer],
    mean: Floats | None = None,
) -> list[tuple[Floats, Floats]]:
    """Remove hidden units of one layer, and the weights that read them.

    Parameters
    ----------
    layers : sequence of (weights (n_out, n_in, …), bias (n_out,))
        A chain; between them only functions that act on each unit alone. Channels of convolutions are
        units too.
    index : int
        Of the layer whose outputs are removed; not the last.
    kept : int array
        Outputs that stay.
    mean : float array (n_out,), optional
        Mean activation of every output. What a removed unit contributed on average then goes into the bias
        of the next layer. Default: it is taken as zero.

    Returns
    -------
    list of (weights, bias)
        A chain with ``len(kept)`` units there.
    """
    if not 0 <= index < len(layers) - 1:
        raise ValueError(f"index must be from 0 to {len(layers) - 2}, not {index!r}")
    weights, bias = layers[index]
    reader, reader_bias = layers[index + 1]
    if reader.shape[1] != len(weights):
        raise ValueError(
            f"layer {index + 1} must have {len(weights)} inputs, not {reader.shape[1]}"
        )
    if mean is not None:
        removed = np.setdiff1d(np.arange(len(weights)), kept)
        taps = reader.reshape(*reader.shape[:2], -1).sum(axis=2)
        reader_bias = reader_bias + taps[:, removed] @ np.asarray(mean, np.float64)[removed]
    changed = list(layers)
    changed[index] = weights[kept], bias[kept]
    changed[index + 1] = reader[:, kept], reader_bias
    return changed
