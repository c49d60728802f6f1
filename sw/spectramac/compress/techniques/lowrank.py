# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Low-rank factorisation of a matrix: two dense layers in series, without anything between them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.techniques.base import (
    Structured,
    Technique,
    check_density,
    check_weights,
)
from spectramac.compress.techniques.stage import IDENTITY, dense_stage
from spectramac.compress.threshold import column_rms

__all__ = ["LowRank", "factorise"]


def factorise(
    weights: Floats, rank: int, column_weights: Floats | None = None
) -> tuple[Floats, Floats]:
    """The best factors of a rank, W ≈ A B, by the singular value decomposition.

    Each gets the root of the singular values, so that both have the same scale.

    Parameters
    ----------
    weights : float array (n_out, n_in)
    rank : int
    column_weights : float array (n_in,), optional
        Minimise the error of W with its columns so weighted. Columns of nearly no weight count as a
        millionth of the heaviest.

    Returns
    -------
    (A, B) : float arrays (n_out, rank), (rank, n_in)
    """
    scale: Floats = np.ones(weights.shape[1])
    if column_weights is not None and column_weights.max() > 0:
        scale = np.maximum(column_weights, 1e-6 * column_weights.max())
    u, s, vt = np.linalg.svd(weights * scale, full_matrices=False)
    root = np.sqrt(s[:rank])
    return u[:, :rank] * root, root[:, None] * vt[:rank] / scale


@dataclass(frozen=True)
class LowRank(Technique):
    """Truncated singular value decomposition.

    The density is the part of the ranks that stays, at least one. A rank costs n_in + n_out values, so that
    below n_in n_out / (n_in + n_out) ranks are fewer values than the matrix.
    """

    @property
    def name(self) -> str:
        return "low-rank"

    def fit(
        self, weights: Floats, density: float, *, inputs: NDArray[Any] | None = None
    ) -> Structured:
        weights, density = check_weights(weights), check_density(density)
        rank = max(1, round(density * min(weights.shape)))
        rms = None if inputs is None else column_rms(inputs, IDENTITY)[: weights.shape[1]]
        a, b = factorise(weights, rank, rms)
        return Structured(
            technique=self.name, shape=weights.shape, stages=(dense_stage(b), dense_stage(a))
        )
