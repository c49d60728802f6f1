# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Affine quantization of a tensor, as QDQ models (QuantizeLinear, DequantizeLinear) state it.

Integers q stand for ``scale · (q - zero_point)``; real values become
``q = saturate(round_half_even(x / scale) + zero_point)``. One scale for the tensor, or one for each index of
an axis.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "Integers", "Quantization"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def _read_only(values: Any, dtype: Any) -> Any:
    array = np.array(values, dtype)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False, kw_only=True)
class Quantization:
    """Scale, zero point and integer type of a tensor.

    Parameters
    ----------
    scale : float or float array (n,)
        Positive. An array has one scale for every index of ``axis``.
    zero_point : int or int array (n,)
        Of the shape of ``scale``; inside the range of the type.
    bits : int
        2 to 32.
    signed : bool
    axis : int
        Of the tensor, not counting the batch; without meaning for a single scale.

    Raises
    ------
    ValueError
        If a value is out of range or the shapes differ.
    """

    scale: Floats
    zero_point: Integers
    bits: int = 8
    signed: bool = True
    axis: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 32:
            raise ValueError(f"bits must be from 2 to 32, not {self.bits!r}")
        object.__setattr__(self, "scale", _read_only(self.scale, np.float64))
        object.__setattr__(self, "zero_point", _read_only(self.zero_point, np.int64))
        if self.scale.ndim > 1 or self.scale.shape != self.zero_point.shape or not self.scale.size:
            raise ValueError(
                "scale and zero_point must be numbers or arrays (n,) of one shape, not "
                f"{self.scale.shape} and {self.zero_point.shape}"
            )
        if not np.all(np.isfinite(self.scale)) or np.any(self.scale <= 0):
            raise ValueError(f"scale must be finite and more than 0, not {self.scale!r}")
        if self.zero_point.min() < self.minimum or self.zero_point.max() > self.maximum:
            raise ValueError(
                f"zero_point must be from {self.minimum} to {self.maximum}, not {self.zero_point!r}"
            )

    @property
    def minimum(self) -> int:
        """Smallest integer of the type."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """Largest integer of the type."""
        return (1 << (self.bits - self.signed)) - 1

    @property
    def is_per_tensor(self) -> bool:
        """Whether there is a single scale."""
        return self.scale.ndim == 0

    @property
    def is_symmetric(self) -> bool:
        """Whether every zero point is 0."""
        return not self.zero_point.any()

    def _along(self, values: NDArray[Any], rank: int) -> NDArray[Any]:
        if self.is_per_tensor:
            return values
        shape = [1] * rank
        shape[self.axis] = -1
        return values.reshape(shape)

    def quantize(self, values: NDArray[Any]) -> Integers:
        """Integers of real values; ``axis`` counts the axes of ``values``."""
        values = np.asarray(values, np.float64)
        scaled = np.rint(values / self._along(self.scale, values.ndim))
        codes = scaled + self._along(self.zero_point, values.ndim)
        codes = np.clip(codes, self.minimum, self.maximum)
        return np.asarray(codes, np.int64)

    def dequantize(self, codes: NDArray[Any]) -> Floats:
        """Real values of integers."""
        codes = np.asarray(codes, np.int64)
        real: Floats = (codes - self._along(self.zero_point, codes.ndim)) * self._along(
            self.scale, codes.ndim
        )
        return real

    def round_trip(self, values: NDArray[Any]) -> Floats:
        """The nearest values that the integers stand for."""
        return self.dequantize(self.quantize(values))

    def equals(self, other: "Quantization | None") -> bool:
        """Whether both state the same."""
        if other is None:
            return False
        return (
            (self.bits, self.signed) == (other.bits, other.signed)
            and (self.is_per_tensor or self.axis == other.axis)
            and np.array_equal(self.scale, other.scale)
            and np.array_equal(self.zero_point, other.zero_point)
        )

    def __str__(self) -> str:
        kind = f"{'' if self.signed else 'u'}int{self.bits}"
        if self.is_per_tensor:
            return f"{kind}, step {float(self.scale):g}, zero {int(self.zero_point)}"
        return f"{kind}, {self.scale.size} steps"
