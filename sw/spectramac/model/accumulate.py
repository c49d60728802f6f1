# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Sums as the accumulators make them: one product after the other, every addition saturating."""

import numpy as np

from spectramac.model.fixed import Ints, saturate
from spectramac.spec.fixed import Format

__all__ = ["accumulate", "add_in_order"]


def accumulate(weights: Ints, columns: Ints, fmt: Format) -> tuple[Ints, bool]:
    """Row sums ``weights @ columns``, added column after column, each addition saturating.

    Where no partial sum can leave ``fmt``, in any order, a matrix product gives the same; only the
    other rows and inferences are added one column at a time.

    Parameters
    ----------
    weights : int array (rows, n)
    columns : int array (n, inferences)
        Magnitudes below 2**18, as all column values: products and sums are exact in float64.

    Returns
    -------
    (sums, saturated) : int array (rows, inferences), bool
    """
    w, x = weights.astype(np.float64), columns.astype(np.float64)
    sums: Ints = (w @ x).astype(np.int64)
    magnitude = np.abs(w)
    rows = magnitude @ np.abs(x).max(axis=1, initial=0) > fmt.maximum
    if not rows.any():
        return sums, False
    risky = magnitude[rows] @ np.abs(x) > fmt.maximum
    inferences = risky.any(axis=0)
    part, saturated = add_in_order(weights[rows], columns[:, inferences], fmt)
    sums[np.ix_(rows, inferences)] = part
    return sums, saturated


def add_in_order(weights: Ints, columns: Ints, fmt: Format) -> tuple[Ints, bool]:
    """:func:`accumulate` without the short cut: its definition."""
    sums = np.zeros((weights.shape[0], columns.shape[1]), np.int64)
    saturated = False
    for weight, column in zip(weights.T, columns, strict=True):
        if weight.any() and column.any():
            sums, clipped = saturate(sums + weight[:, None] * column, fmt)
            saturated |= bool(clipped.any())
    return sums, saturated
