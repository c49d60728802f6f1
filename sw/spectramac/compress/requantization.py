# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""From the unit of sums and their peaks to row shifts, biases and multipliers in integers.

A sum v of row r stands for v · unit[r]. ``row_shift`` k brings it to the data width, z = v / 2^k, in units of
sigma = unit · 2^k; the output is y = (z + bias / sigma) · sigma / output_scale.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.model.fixed import Ints
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.fixed import Format

__all__ = ["Requantization", "encode_channels", "encode_multiplier", "encode_sum", "requantization"]

_MAX_MULTIPLIER = (1 << AcceleratorConfig.multiplier_width) - 1
_MAX_SHIFT = (1 << AcceleratorConfig.shift_width) - 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Requantization:
    """The numbers of a layer behind its sums, as :class:`~spectramac.model.network.Layer` takes them.

    Attributes
    ----------
    bias : int array (n_out,)
    multiplier, shift : int or int array (n_out,)
        Integers where they are uniform.
    row_shift : int or int array (row pairs,)
    """

    bias: NDArray[np.int32]
    multiplier: int | NDArray[np.int32]
    shift: int | NDArray[np.int32]
    row_shift: int | NDArray[np.int32]


def encode_multiplier(value: float) -> tuple[int, int]:
    """``(multiplier, shift)`` with multiplier / 2^shift nearest to ``value``: relative error ≤
    2^-15.

    multiplier < 2^15 and shift < 32, so 2^-17 ≤ value < 2^15 keeps that precision; smaller values
    keep less, down to 2^-32, which would become zero and is refused.
    """
    if not 0 < value < _MAX_MULTIPLIER:
        raise ValueError(f"a scale must be more than 0 and below {_MAX_MULTIPLIER}, not {value!r}")
    shift = min(_MAX_SHIFT, AcceleratorConfig.multiplier_width - int(np.frexp(value)[1]))
    multiplier = round(value * 2.0**shift)
    if multiplier > _MAX_MULTIPLIER:
        shift -= 1
        multiplier = round(value * 2.0**shift)
    if multiplier == 0:
        raise ValueError(f"a scale must be more than 2**-32, not {value!r}")
    return multiplier, shift


def encode_sum(first: float, second: float) -> tuple[tuple[int, int], int]:
    """Two multipliers and the shift that they share, for ``first`` and ``second``.

    The larger has the precision of :func:`encode_multiplier`, and the smaller its absolute error, half a unit of
    2^-shift.
    """
    _, shift = encode_multiplier(max(first, second))
    one, other = round(first * 2.0**shift), round(second * 2.0**shift)
    return (one, other), shift


def _uniform(values: Any) -> int | NDArray[np.int32]:
    """The integer that all are, or all of them."""
    values = np.asarray(values, np.int32)
    return int(values.flat[0]) if np.all(values == values.flat[0]) else values


def encode_channels(
    sigma: Floats, bias: Floats, output_scale: float, row_shift: int | NDArray[np.int32]
) -> Requantization:
    """Biases and multipliers for values z in units of ``sigma``.

    Parameters
    ----------
    sigma, bias : float array (n_out,)
        Real values.
    output_scale : float
        Real value of an output step.
    row_shift
        Passed on.

    Raises
    ------
    ValueError
        If a scale cannot be encoded.
    """
    scales = [encode_multiplier(float(value)) for value in sigma / output_scale]
    same = len(set(scales)) == 1
    return Requantization(
        bias=np.rint(bias / sigma).astype(np.int32),
        multiplier=scales[0][0] if same else np.array([m for m, _ in scales], np.int32),
        shift=scales[0][1] if same else np.array([s for _, s in scales], np.int32),
        row_shift=row_shift,
    )


def requantization(
    name: str,
    *,
    unit: Floats,
    relative: Ints | Floats | None,
    peaks: Floats,
    bias: Floats,
    output_scale: float,
    data_width: int,
    headroom: float,
) -> Requantization:
    """The smallest row shifts with which neither sums nor biases saturate, and what follows from them.

    Parameters
    ----------
    name : str
        Of the layer, for errors.
    unit : float array (rows,)
        Real value of a one in each row's sum.
    relative : array (row pairs,), optional
        With an output transform: powers of two by which a pair's unit exceeds the smallest; all pairs get one
        sigma. Without, each row has its own.
    peaks : float array (row pairs,)
        Largest magnitude of typical sums (:func:`spectramac.compress.peaks.row_peaks`).
    bias : float array (n_out,)
        Real values; rows beyond n_out are padding.
    output_scale : float
    data_width : int
    headroom : float
        Factor on ``peaks``.

    Raises
    ------
    ValueError
        If a shift or a scale cannot be encoded.
    """
    limit, n_out = Format(data_width).maximum, len(bias)
    bias_codes = np.abs(bias) / unit[:n_out]
    if relative is not None:
        # row_shift = common - relative; every pair must fit after it.
        common = np.log2(np.maximum(peaks, 1) * headroom / limit) + relative
        fullest = max(float(common.max()), float(np.log2(bias_codes.max() / limit + 1e-30)))
        row_shift = np.maximum(int(np.ceil(fullest)), relative.max()) - relative
    else:
        padded = np.zeros(len(unit))
        padded[:n_out] = bias_codes
        peaks = np.maximum(peaks * headroom, np.maximum(padded[0::2], padded[1::2]))
        row_shift = np.maximum(0, np.ceil(np.log2(np.maximum(peaks, 1) / limit)))
        if np.all(unit == unit[0]):
            row_shift[:] = row_shift.max()
    row_shift = row_shift.astype(np.int32)
    if row_shift.max() > _MAX_SHIFT:
        raise ValueError(f"layer {name!r}: row_shift must be below 32, not {row_shift.max()!r}")
    sigma = (unit * 2.0 ** np.repeat(row_shift, 2))[:n_out]
    return encode_channels(sigma, bias, output_scale, _uniform(row_shift))
