# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Uniform quantization of coefficients in any granularity: for comparison with what the engine runs.

A group of values, a rectangle of the matrix, shares a step s and, if affine, a zero point z:

    value = s · (code - z),    code = clip(round(value / s) + z, -2^(bits-1), 2^(bits-1) - 1)

Symmetric: z = 0 and the code -2^(bits-1) is not used. Per tensor one group is the whole matrix, per output
channel a row, per block a rectangle. Coefficients that are not stored stay zero whatever the zero point is.

A step is stored as the engine stores a scale: 20 bits, a multiplier of 15 and a shift of 5, relative to the
largest step; that one is absorbed in the requantization, so a single group stores none. A zero point has
``bits`` bits.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.quantize import SHRINK, best_steps
from spectramac.compress.requantization import encode_multiplier
from spectramac.compress.threshold import Group, Mask
from spectramac.spec.config import AcceleratorConfig

__all__ = ["Uniform", "parameter_bits", "quantize_uniform"]

_WIDTHS = (AcceleratorConfig.multiplier_width, AcceleratorConfig.shift_width)
Codes16 = NDArray[np.int16]


def _n_groups(shape: tuple[int, ...], group: Group) -> tuple[int, int]:
    rows, columns = (-(-size // n) for size, n in zip(shape, group, strict=True))
    return rows, columns


def parameter_bits(shape: tuple[int, ...], bits: int, group: Group, *, affine: bool) -> int:
    """Bits of all steps and zero points of a matrix of this shape."""
    rows, columns = _n_groups(shape, group)
    n = rows * columns
    return (n * sum(_WIDTHS) if n > 1 else 0) + (n * bits if affine else 0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Uniform:
    """A quantized matrix.

    Attributes
    ----------
    codes : int16 array (rows, columns)
    mask : bool array (rows, columns)
        Which of them are stored.
    multipliers, shifts : int array (groups down, groups across)
        A step is ``unit * multiplier / 2**shift``.
    zero_points : int16 array (groups down, groups across)
    unit : float
        Real value; absorbed in the requantization.
    group : (int, int)
        Rows and columns; groups at the lower and right edge may be smaller.
    bits : int
    affine : bool
    """

    codes: Codes16
    mask: Mask
    multipliers: NDArray[np.int64]
    shifts: NDArray[np.int64]
    zero_points: Codes16
    unit: float
    group: Group
    bits: int
    affine: bool

    @property
    def steps(self) -> Floats:
        """Real value of one step, float (groups down, groups across)."""
        steps: Floats = self.unit * self.multipliers / 2.0**self.shifts
        return steps

    @property
    def values(self) -> Floats:
        """What the codes stand for, float (rows, columns)."""
        rows, columns = self.codes.shape

        def spread(x: NDArray[Any]) -> NDArray[Any]:
            return x.repeat(self.group[0], 0).repeat(self.group[1], 1)[:rows, :columns]

        return np.where(
            self.mask, spread(self.steps) * (self.codes - spread(self.zero_points)), 0.0
        )

    @property
    def parameter_bits(self) -> int:
        """Of steps and zero points."""
        return parameter_bits(self.codes.shape, self.bits, self.group, affine=self.affine)

    def pack_parameters(self) -> bytes:
        """Multipliers, shifts and zero points as they are stored: bit after bit, low bits first."""
        fields: list[tuple[NDArray[np.integer], int]] = []
        if self.multipliers.size > 1:
            fields += [(self.multipliers, _WIDTHS[0]), (self.shifts, _WIDTHS[1])]
        if self.affine:
            fields.append((self.zero_points, self.bits))
        parts = [(v.reshape(-1, 1).astype(np.int64) >> np.arange(w)) & 1 for v, w in fields]
        flat = np.concatenate([np.zeros(0, np.uint8), *(p.astype(np.uint8).ravel() for p in parts)])
        return np.packbits(flat, bitorder="little").tobytes()


def quantize_uniform(
    S: Floats, bits: int, group: Group, *, affine: bool = False, mask: Mask | None = None
) -> Uniform:
    """Quantize with the steps (and zero points) of least squared error of every group.

    Parameters
    ----------
    S : float array (rows, columns)
    bits : int
        4 to 8.
    group : (int, int)
        Rows and columns that share a step.
    affine : bool
        With zero points; ranges always include zero.
    mask : bool array (rows, columns), optional
        What is stored. Default: what is not zero.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """
    S = np.asarray(S, np.float64)
    if not 4 <= bits <= 8:
        raise ValueError(f"bits must be from 4 to 8, not {bits!r}")
    if S.ndim != 2 or not S.size or min(group) < 1:
        raise ValueError(
            f"groups {group!r} must be rectangles of a matrix, not of shape {S.shape!r}"
        )
    mask = S != 0 if mask is None else mask
    down, across = _n_groups(S.shape, group)
    padded = np.zeros((down * group[0], across * group[1]))
    padded[: S.shape[0], : S.shape[1]] = np.where(mask, S, 0.0)
    tiles = padded.reshape(down, group[0], across, group[1]).transpose(0, 2, 1, 3)
    values = tiles.reshape(down * across, -1)
    stored = values != 0
    steps, zeros = (_affine if affine else _symmetric)(values, stored, bits)
    unit = float(steps.max())
    words = [encode_multiplier(max(float(step) / unit, 2.0**-31)) for step in steps]
    multipliers, shifts = np.array(words, np.int64).T
    exact = unit * multipliers / 2.0**shifts
    codes = np.where(stored, _codes(values, exact, zeros, bits, affine), zeros[:, None])
    back = codes.reshape(down, across, *group).transpose(0, 2, 1, 3).reshape(padded.shape)
    return Uniform(
        codes=back[: S.shape[0], : S.shape[1]].astype(np.int16),
        mask=mask,
        multipliers=multipliers.reshape(down, across),
        shifts=shifts.reshape(down, across),
        zero_points=zeros.reshape(down, across).astype(np.int16),
        unit=unit,
        group=group,
        bits=bits,
        affine=affine,
    )


def _codes(values: Floats, steps: Floats, zeros: Floats, bits: int, affine: bool) -> Floats:
    low, high = -(1 << (bits - 1)) + (not affine), (1 << (bits - 1)) - 1
    return np.clip(np.rint(values / steps[:, None]) + zeros[:, None], low, high)


def _symmetric(values: Floats, stored: Mask, bits: int) -> tuple[Floats, Floats]:
    limit = (1 << (bits - 1)) - 1
    peak = np.abs(values).max(axis=1)
    peak = np.where(peak > 0, peak, peak.max() or 1.0)
    steps = best_steps(values, limit, SHRINK * peak[:, None] / limit)
    return steps, np.zeros(len(values))


def _affine(values: Floats, stored: Mask, bits: int) -> tuple[Floats, Floats]:
    low, high = np.minimum(values.min(axis=1), 0), np.maximum(values.max(axis=1), 0)
    width = np.where(high > low, high - low, float((high - low).max()) or 1.0)
    best, zeros = np.ones(len(values)), np.zeros(len(values))
    least = np.full(len(values), np.inf)
    for part in SHRINK:
        steps = part * width / ((1 << bits) - 1)
        first = -(1 << (bits - 1))
        zero = np.clip(np.rint(first - part * low / steps), first, -first - 1)
        back = steps[:, None] * (_codes(values, steps, zero, bits, True) - zero[:, None])
        error = (np.where(stored, values - back, 0.0) ** 2).sum(axis=1)
        better = error < least
        best, zeros = np.where(better, steps, best), np.where(better, zero, zeros)
        least = np.minimum(error, least)
    return best, zeros
