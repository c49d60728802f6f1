# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Convolution as one layer applied at every position: direct, or in the spectra of blocks of channels.

At one position the window's pixels are the input of a :class:`~spectramac.model.network.Layer`: tap after tap
(t = row · width + column of the kernel), each tap's C channels padded with zeros to Cp, whole blocks of ``t_in``.
Row r of the layer sums, over taps and then columns in ascending order,

    v[r] = Σ q[r, t·Cp + k] · u[t, k],        u[t] = Θ(T_in(pixel under tap t))

each addition saturating to the accumulator's width; what follows is the layer's. The forward transform of a
pixel does not depend on the tap that reads it, so it is made once; pixels beyond the map have zero columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spectramac.model.accumulate import accumulate
from spectramac.model.fixed import Ints
from spectramac.model.layer import backward, forward
from spectramac.model.map_node import Arithmetic, MapNode, MapResult, Shape, pairs_at_a_time
from spectramac.model.map_window import PIXEL, Window
from spectramac.model.network import Layer
from spectramac.model.requantize import requantize

__all__ = ["Convolution", "FullyConnected", "check_convolution"]


def check_convolution(node: MapNode, window: Window) -> None:
    """Refuse windows that the engine does not convolve with.

    Raises
    ------
    ValueError
        If the kernel or the stride is out of range.
    """
    if max(window.kernel) > 16:
        raise node.fail(f"kernel must be from 1 to 16 on each axis, not {window.kernel}")
    if max(window.stride) > 2:
        raise node.fail(f"stride must be 1 or 2 on each axis, not {window.stride}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Convolution(MapNode):
    """Cross-correlation of all channels with all, zeros beyond the map.

    Parameters
    ----------
    layer : Layer
        Of one position: ``n_in`` is taps · ``t_in.padded(channels)``, ``n_out`` the output channels. ``n_in`` may leave
        out the last tap's padding, which is zero.
    channels : int
        Of the input map.
    window : Window
    maximum : int
        Upper limit of the output, 0 to 127; ReLU6 has that of 6.0.
    """

    layer: Layer
    channels: int
    window: Window = PIXEL
    maximum: int = 127

    def __post_init__(self) -> None:
        check_convolution(self, self.window)
        self._check_maximum(self.maximum)
        if self.channels < 1:
            raise self.fail(f"channels must be at least 1, not {self.channels!r}")
        least = self.n_columns - self.padded_channels + self.channels
        if not least <= self.layer.n_in <= self.n_columns:
            raise self.fail(
                f"layer must have n_in = {self.n_columns}, {self.window.n_taps} taps of "
                f"{self.padded_channels} channels, not {self.layer.n_in}"
            )

    @property
    def padded_channels(self) -> int:
        """Columns of a tap."""
        return self.layer.t_in.padded(self.channels)

    @property
    def n_columns(self) -> int:
        """Columns of a window."""
        return self.window.n_taps * self.padded_channels

    def output_shape(self, *inputs: Shape) -> Shape:
        """(rows, columns, output channels)"""
        self._check_channels(inputs[0], self.channels)
        try:
            return (*self.window.output_size(inputs[0][:2]), self.layer.n_out)
        except ValueError as error:
            raise self.fail(str(error)) from None

    def run(self, *maps: Ints, arithmetic: Arithmetic) -> MapResult:
        """See the module's description."""
        (x,) = maps
        return MapResult.join(self._run(x[part], arithmetic) for part in self._chunks(x))

    def sums(self, x: Ints, arithmetic: Arithmetic) -> Ints:
        """The accumulators at every position, before narrowing: (batch, rows, columns, padded outputs)."""
        parts = [self._lanes(x[part], arithmetic)[0] for part in self._chunks(x)]
        return np.concatenate(parts)

    def _chunks(self, x: Ints) -> Iterator[slice]:
        rows, columns, _ = self.output_shape(x.shape[1:])
        return pairs_at_a_time(len(x), rows * columns * self.n_columns)

    def _lanes(self, x: Ints, arithmetic: Arithmetic) -> tuple[Ints, dict[str, bool]]:
        """Forward FFT to accumulators."""
        layer = self.layer
        padded = np.zeros((*x.shape[:3], self.padded_channels), np.int64)
        padded[..., : self.channels] = x
        u, _, overflow = forward(
            padded.reshape(-1, 2, *padded.shape[1:]), layer.t_in, arithmetic.fft(layer.t_in.log2_n),
            halve=layer.halve_in, level=layer.level,
        )  # fmt: skip
        windows = self.window.gather(u.reshape(padded.shape))
        v, saturated = accumulate(
            layer.coefficients.astype(np.int64),
            windows.reshape(-1, self.n_columns).T,
            arithmetic.accumulator,
        )
        overflows = {"forward_fft": overflow, "accumulator": saturated}
        return v.T.reshape(*windows.shape[:3], len(v)), overflows

    def _run(self, x: Ints, arithmetic: Arithmetic) -> MapResult:
        layer = self.layer
        v, overflows = self._lanes(x, arithmetic)
        z, later = backward(
            v.reshape(-1, 2, *v.shape[1:]), layer.t_out, arithmetic.fft(layer.t_out.log2_n),
            row_shift=layer.row_shift, halve=layer.halve_out,
        )  # fmt: skip
        z = z.reshape(v.shape)[..., : layer.n_out]
        y, clipped = requantize(z, layer.bias, layer.multiplier, layer.shift, layer.relu)
        happened = {place for place, did in (overflows | later).items() if did}
        return MapResult(np.minimum(y, self.maximum), int(clipped.sum()), frozenset(happened))


@dataclass(frozen=True, eq=False, kw_only=True)
class FullyConnected(MapNode):
    """A layer on a whole map, read as a vector in HWC order; writes a map 1 x 1 x n_out.

    Parameters
    ----------
    layer : Layer
    maximum : int
        As of :class:`Convolution`.
    """

    layer: Layer
    maximum: int = 127

    def __post_init__(self) -> None:
        self._check_maximum(self.maximum)

    def output_shape(self, *inputs: Shape) -> Shape:
        """(1, 1, n_out)"""
        if int(np.prod(inputs[0])) != self.layer.n_in:
            raise self.fail(f"input must have {self.layer.n_in} elements, not shape {inputs[0]}")
        return (1, 1, self.layer.n_out)

    def _pixel(self, x: Ints) -> tuple[Convolution, Ints]:
        """The convolution of a single pixel, and the map as one."""
        self.output_shape(x.shape[1:])
        pixel = Convolution(
            name=self.name, inputs=self.inputs, layer=self.layer, channels=self.layer.n_in,
            maximum=self.maximum,
        )  # fmt: skip
        return pixel, x.reshape(len(x), 1, 1, -1)

    def sums(self, x: Ints, arithmetic: Arithmetic) -> Ints:
        """The accumulators: (batch, 1, 1, padded outputs)."""
        pixel, vector = self._pixel(x)
        return pixel.sums(vector, arithmetic)

    def run(self, *maps: Ints, arithmetic: Arithmetic) -> MapResult:
        """The layer on every map of the batch."""
        pixel, vector = self._pixel(maps[0])
        return pixel.run(vector, arithmetic=arithmetic)
