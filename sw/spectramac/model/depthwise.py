# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Sums over the window of each channel on its own: depthwise convolution and average pooling.

    v[o] = Σ over taps t, in ascending order, of k[o, t] · x[t, o div μ]

with μ output channels for each input channel. Magnitudes are at most 2^14 a tap, so that no sum saturates; that is
checked. Then the sums are requantized (:class:`~spectramac.model.map_node.RequantizedNode`); there is no
transform, so a sum is narrowed to the data width by ``row_shift`` first.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectramac.model.convolution import check_convolution
from spectramac.model.fixed import Ints, check, round_shift, saturate
from spectramac.model.map_node import Arithmetic, MapNode, MapResult, RequantizedNode, Shape
from spectramac.model.map_window import PIXEL, Window
from spectramac.model.requantize import requantize

__all__ = ["AveragePooling", "DepthwiseConvolution"]


def _narrow(v: Ints, row_shift: int | Ints, arithmetic: Arithmetic) -> tuple[Ints, frozenset[str]]:
    """``satD(rhe(v / 2**row_shift))``, and whether that saturated."""
    check(v, arithmetic.accumulator, "sum of a window")
    z, clipped = saturate(round_shift(v, row_shift), arithmetic.data)
    return z, frozenset({"merge"} if clipped.any() else ())


@dataclass(frozen=True, eq=False, kw_only=True)
class DepthwiseConvolution(RequantizedNode):
    """Each output channel from one input channel.

    ``row_shift`` is an integer or has one number for each pair of output channels, (⌈n_out / 2⌉,).

    Parameters
    ----------
    channels : int
        Of the input map; n_out is a multiple of it.
    coefficients : int array (n_out, taps)
        k; all of them are stored.
    coefficient_bits : int
        4 to 8.
    window : Window
    """

    channels: int
    coefficients: NDArray[np.int8]
    coefficient_bits: int = 8
    window: Window = PIXEL

    def __post_init__(self) -> None:
        check_convolution(self, self.window)
        coefficients = np.array(self.coefficients, np.int64)
        if coefficients.ndim != 2 or coefficients.shape[1] != self.window.n_taps:
            raise self.fail(
                f"coefficients must have shape (n_out, {self.window.n_taps}), not {coefficients.shape}"
            )
        if self.channels < 1 or not len(coefficients) or len(coefficients) % self.channels:
            raise self.fail(
                f"coefficients must have a multiple of {self.channels!r} rows, not {len(coefficients)}"
            )
        self._set("coefficients", self._check_coefficients(coefficients, self.coefficient_bits))
        self._check_requantization(self.n_out, -(-self.n_out // 2))

    @property
    def n_out(self) -> int:
        """Output channels."""
        return len(self.coefficients)

    def output_shape(self, *inputs: Shape) -> Shape:
        """(rows, columns, n_out)"""
        self._check_channels(inputs[0], self.channels)
        try:
            return (*self.window.output_size(inputs[0][:2]), self.n_out)
        except ValueError as error:
            raise self.fail(str(error)) from None

    def sums(self, x: Ints) -> Ints:
        """v at every position, (batch, rows, columns, n_out)."""
        windows = self.window.gather(np.repeat(x, self.n_out // self.channels, axis=-1))
        v: Ints = np.einsum("nyxto,ot->nyxo", windows, self.coefficients.astype(np.int64))
        return v

    def run(self, *maps: Ints, arithmetic: Arithmetic) -> MapResult:
        """See the module's description."""
        (x,) = maps
        self.output_shape(x.shape[1:])
        v = self.sums(x)
        row_shift = np.repeat(np.broadcast_to(self.row_shift, -(-self.n_out // 2)), 2)[: self.n_out]
        z, overflows = _narrow(v, row_shift, arithmetic)
        y, saturations = self._requantize(z)
        return MapResult(y, saturations, overflows)


@dataclass(frozen=True, eq=False, kw_only=True)
class AveragePooling(MapNode):
    """Mean of each window; pixels beyond the map count as zeros.

    ``z = satD(rhe(Σ x / 2**row_shift))``, ``y = sat8(rhe(z * multiplier / 2**shift))``: the number of pixels and
    the change of scale are in the multiplier.

    Parameters
    ----------
    window : Window
    multiplier, shift, row_shift : int
        15, 5 and 5 unsigned bits.
    """

    window: Window
    multiplier: int
    shift: int
    row_shift: int = 0

    def __post_init__(self) -> None:
        for name, bits in (("multiplier", 15), ("shift", 5), ("row_shift", 5)):
            value = getattr(self, name)
            if not 0 <= value < 1 << bits:
                raise self.fail(f"{name} must be from 0 to {(1 << bits) - 1}, not {value!r}")

    def output_shape(self, *inputs: Shape) -> Shape:
        """(rows, columns, channels)"""
        try:
            size = self.window.output_size(inputs[0][:2])
        except ValueError as error:
            raise self.fail(str(error)) from None
        return (*size, inputs[0][2])

    def run(self, *maps: Ints, arithmetic: Arithmetic) -> MapResult:
        """See the class's description."""
        (x,) = maps
        self.output_shape(x.shape[1:])
        v = self.window.gather(x).sum(axis=3)
        z, overflows = _narrow(v, self.row_shift, arithmetic)
        y, clipped = requantize(z, 0, self.multiplier, self.shift, relu=False)
        return MapResult(y, int(clipped.sum()), overflows)
