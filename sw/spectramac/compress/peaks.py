# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""How large the sums of an integer layer get: proven for the accumulators, measured for what follows them."""

import numpy as np

from spectramac.compress.blocks import Floats
from spectramac.model.fixed import Ints
from spectramac.model.network import Layer, Transform
from spectramac.model.spectrum import basis, pair_map

__all__ = ["column_peaks", "row_peaks", "worst_accumulator"]


def column_peaks(t: Transform, halve_in: int, low: int = -128, high: int = 127) -> Floats:
    """Largest magnitude of every column of a block, float (n,), for inputs from ``low`` to ``high``.

    The larger of the sums of A's positive and negative parts times the range, plus two units per stage for rounding.
    """
    a = basis(t.n, t.two_d)
    if t.is_fft:
        a = a * np.where(np.repeat(pair_map(t.n, t.two_d).joint, 2), 2.0, 1.0)[:, None]
    positive, negative = np.maximum(a, 0).sum(axis=1), np.minimum(a, 0).sum(axis=1)
    top = np.maximum(
        np.abs(high * positive + low * negative), np.abs(low * positive + high * negative)
    )
    if t.is_fft:
        top = top / 2 ** halve_in.bit_count() + 2 * t.log2_n
    peaks: Floats = np.ceil(top)
    return peaks


def worst_accumulator(layer: Layer, low: int = -128, high: int = 127) -> int:
    """Largest magnitude any accumulator can reach for inputs from ``low`` to ``high``.

    Σ |q[r, c]| · max|u[c]| over the columns (:func:`column_peaks`). Compared with the accumulator's format this
    proves that no sum saturates.
    """
    t = layer.t_in
    peak = np.tile(column_peaks(t, layer.halve_in, low, high), layer.coefficients.shape[1] // t.n)
    return int((np.abs(layer.coefficients.astype(np.int64)) @ peak).max())


def row_peaks(rows: Ints, t_out: Transform) -> Floats:
    """Bound of |re| and |im| of the packed pair (y1 + j y2) anywhere in the inverse FFT, per row
    pair.

    A halved butterfly never increases the largest complex magnitude. Identity outputs are not
    combined.
    """
    even, odd = rows[:, 0::2].astype(np.float64), rows[:, 1::2].astype(np.float64)
    if not t_out.is_fft:
        plain: Floats = np.maximum(np.abs(even), np.abs(odd)).max(axis=0)
        return plain
    joint = np.tile(pair_map(t_out.n, t_out.two_d).joint, rows.shape[1] // t_out.n)
    alone = np.sqrt(2) * np.maximum(np.abs(even), np.abs(odd))
    peak: Floats = np.where(joint, 2 * np.hypot(even, odd), alone).max(axis=0)
    return peak
