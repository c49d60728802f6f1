# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Convolution in the spectra of overlapping tiles: overlap-save, diagonal over frequency.

A tile is T x T pixels of every input channel, zero beyond the map. Per axis, with a kernel of h and a stride of s,
it gives n = ⌊(T - h) / s⌋ + 1 outputs, and tile τ begins at padded row τ·n·s. Its channels go through the T x T
forward FFT, are split into column pairs (ua, ub) and thresholded. Row pair r of output channel o is, over input
channels i in ascending order with the stored pair (a, b) = q[o, i, r],

    complex bin:    va += a·ua, vb += b·ua, va += -b·ub, vb += a·ub
    two real bins:  va += a·ua, vb += b·ub

each addition saturating to the accumulator's width. Merge, row shift, inverse FFT and requantization follow; of the
T x T samples those at (i·sy, j·sx), i and j below n, are outputs of the convolution, and the rest is dropped.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from spectramac.model.accumulate import accumulate
from spectramac.model.convolution import check_convolution
from spectramac.model.fixed import Ints, saturate
from spectramac.model.layer import backward, forward
from spectramac.model.map_node import Arithmetic, MapResult, RequantizedNode, Shape, pairs_at_a_time
from spectramac.model.map_window import Pair, Window
from spectramac.model.network import Transform
from spectramac.model.spectrum import pair_map
from spectramac.spec.fixed import Format

__all__ = ["TILE_SIDES", "TileConvolution", "tile_outputs"]

TILE_SIDES = (4, 8, 16)
"""T."""


def tile_outputs(side: int, window: Window) -> Pair:
    """Outputs that one tile gives on each axis."""
    (height, width), (sy, sx) = window.kernel, window.stride
    return (side - height) // sy + 1, (side - width) // sx + 1


@dataclass(frozen=True, eq=False, kw_only=True)
class TileConvolution(RequantizedNode):
    """Convolution of all channels with all, or depthwise, through tiles.

    ``row_shift`` is an integer or has one number for each output channel, (n_out,).

    Parameters
    ----------
    channels : int
        Of the input map.
    side : int
        T: 4, 8 or 16.
    coefficients : int array (n_out, channels, T² / 2, 2)
        q, by pairs of bins (:func:`~spectramac.model.spectrum.pair_map`). With (n_out, 1, T² / 2, 2) the
        convolution is depthwise: n_out is a multiple μ of the channels, and output o sees channel o div μ.
    coefficient_bits : int
        4 to 8.
    window : Window
        Its kernel is at most T on each axis.
    halve_in, halve_out, level : int
        As of :class:`~spectramac.model.network.Layer`.
    """

    channels: int
    side: int
    coefficients: NDArray[np.int8]
    coefficient_bits: int = 8
    window: Window
    halve_in: int = 0
    halve_out: int = 0
    level: int = 1

    def __post_init__(self) -> None:
        check_convolution(self, self.window)
        if self.side not in TILE_SIDES:
            raise self.fail(f"side must be one of {TILE_SIDES}, not {self.side!r}")
        if max(self.window.kernel) > self.side:
            raise self.fail(f"kernel must be at most {self.side}, not {self.window.kernel}")
        q = np.array(self.coefficients, np.int64)
        wanted = (self.channels, self.side**2 // 2, 2)
        if q.ndim != 4 or q.shape[1:] not in (wanted, (1, *wanted[1:])) or not len(q):
            raise self.fail(
                f"coefficients must have shape (n_out, {self.channels} or 1, {wanted[1]}, 2), not {q.shape}"
            )
        if self.is_depthwise and len(q) % self.channels:
            raise self.fail(f"output channels must be a multiple of {self.channels}, not {len(q)}")
        self._set("coefficients", self._check_coefficients(q, self.coefficient_bits))
        for name in ("halve_in", "halve_out"):
            value = getattr(self, name)
            if not 0 <= value < self.side**2:
                raise self.fail(f"{name} must be from 0 to {self.side**2 - 1}, not {value!r}")
        if self.level < 0:
            raise self.fail(f"level must be 0 or more, not {self.level!r}")
        self._check_requantization(self.n_out, self.n_out)

    @property
    def n_out(self) -> int:
        """Output channels."""
        return len(self.coefficients)

    @property
    def is_depthwise(self) -> bool:
        """Whether each output channel sees one input channel."""
        return bool(self.coefficients.shape[1] != self.channels)

    @property
    def transform(self) -> Transform:
        """Of a tile, forward and back."""
        return Transform("fft2d", self.side**2)

    def output_shape(self, *inputs: Shape) -> Shape:
        """(rows, columns, n_out)"""
        self._check_channels(inputs[0], self.channels)
        try:
            return (*self.window.output_size(inputs[0][:2]), self.n_out)
        except ValueError as error:
            raise self.fail(str(error)) from None

    def run(self, *maps: Ints, arithmetic: Arithmetic) -> MapResult:
        """See the module's description."""
        (x,) = maps
        self.output_shape(x.shape[1:])
        return MapResult.join(self._run(x[part], arithmetic) for part in self._chunks(x))

    def sums(self, x: Ints, arithmetic: Arithmetic) -> Ints:
        """The accumulators of every tile, (batch, tile rows, tile columns, n_out, T²)."""
        return np.concatenate([self._lanes(x[part], arithmetic)[0] for part in self._chunks(x)])

    def values(self, v: Ints, arithmetic: Arithmetic) -> tuple[Ints, dict[str, bool]]:
        """From the sums to values before requantization, in the order of samples."""
        blocks = v.reshape(-1, 2, *v.shape[1:3], v.shape[3] * v.shape[4])
        t = self.transform
        shifts = np.repeat(np.broadcast_to(self.row_shift, (self.n_out,)), t.n // 2)
        z, overflows = backward(
            blocks, t, arithmetic.fft(t.log2_n), row_shift=shifts, halve=self.halve_out
        )
        return z.reshape(v.shape), overflows

    def _chunks(self, x: Ints) -> Iterator[slice]:
        down, across = self._n_tiles(x.shape[1:])
        per_tile = max(self.channels, self.n_out) * self.side**2
        return pairs_at_a_time(len(x), down * across * per_tile)

    def _n_tiles(self, shape: Shape) -> Pair:
        size, outputs = self.window.output_size(shape[:2]), tile_outputs(self.side, self.window)
        return -(-size[0] // outputs[0]), -(-size[1] // outputs[1])

    def _tiles(self, x: Ints) -> Ints:
        """(batch, tile rows, tile columns, channels, T²)"""
        counts, outputs = self._n_tiles(x.shape[1:]), tile_outputs(self.side, self.window)
        steps = [n * s for n, s in zip(outputs, self.window.stride, strict=True)]
        spans = [(n - 1) * step + self.side for n, step in zip(counts, steps, strict=True)]
        padded = np.zeros((len(x), *spans, x.shape[3]), np.int64)
        # A stride may leave the last pixels of the map unread.
        (top, _), (left, _) = self.window.padding
        part = x[:, : spans[0] - top, : spans[1] - left]
        padded[:, top : top + part.shape[1], left : left + part.shape[2]] = part
        views = sliding_window_view(padded, (self.side, self.side), axis=(1, 2))
        tiles = views[:, :: steps[0], :: steps[1]]
        return tiles.reshape(*tiles.shape[:4], self.side**2)

    def _lanes(self, x: Ints, arithmetic: Arithmetic) -> tuple[Ints, dict[str, bool]]:
        """Gather to accumulators."""
        t, tiles = self.transform, self._tiles(x)
        u, _, overflow = forward(
            tiles.reshape(-1, 2, *tiles.shape[1:]), t, arithmetic.fft(t.log2_n),
            halve=self.halve_in, level=self.level,
        )  # fmt: skip
        pairs = u.reshape(*tiles.shape[:4], t.n // 2, 2)
        lanes = self._each_channel if self.is_depthwise else self._all_channels
        v, saturated = lanes(pairs, arithmetic.accumulator)
        return v, {"forward_fft": overflow, "accumulator": saturated}

    def _all_channels(self, u: Ints, fmt: Format) -> tuple[Ints, bool]:
        """Bin after bin, a matrix from the pairs of all input channels to those of all output channels."""
        t = self.transform
        v = np.empty((*u.shape[:3], self.n_out, t.n // 2, 2), np.int64)
        saturated = False
        for r, joint in enumerate(pair_map(t.n, t.two_d).joint):
            a, b = np.moveaxis(self.coefficients[:, :, r].astype(np.int64), -1, 0)
            zero = np.zeros_like(a)
            rows = [[a, -b], [b, a]] if joint else [[a, zero], [zero, b]]
            matrix = np.array(rows).transpose(2, 0, 3, 1).reshape(2 * self.n_out, -1)
            columns = u[..., r, :].reshape(-1, matrix.shape[1]).T
            sums, clipped = accumulate(matrix, columns, fmt)
            v[..., r, :] = sums.T.reshape(v[..., r, :].shape)
            saturated |= clipped
        return v.reshape(*v.shape[:4], t.n), saturated

    def _each_channel(self, u: Ints, fmt: Format) -> tuple[Ints, bool]:
        """Two additions at most for every sum."""
        t = self.transform
        joint = pair_map(t.n, t.two_d).joint
        a, b = np.moveaxis(self.coefficients[:, 0].astype(np.int64), -1, 0)
        ua, ub = np.moveaxis(np.repeat(u, self.n_out // self.channels, axis=3), -1, 0)
        va, first = saturate(a * ua, fmt)
        vb, second = saturate(np.where(joint, b * ua, b * ub), fmt)
        va, third = saturate(va - np.where(joint, b * ub, 0), fmt)
        vb, fourth = saturate(vb + np.where(joint, a * ub, 0), fmt)
        saturated = any(bool(clipped.any()) for clipped in (first, second, third, fourth))
        return np.stack([va, vb], -1).reshape(*va.shape[:4], t.n), saturated

    def _run(self, x: Ints, arithmetic: Arithmetic) -> MapResult:
        v, overflows = self._lanes(x, arithmetic)
        z, later = self.values(v, arithmetic)
        samples = z.reshape(*z.shape[:4], self.side, self.side)
        (rows, columns), (sy, sx) = tile_outputs(self.side, self.window), self.window.stride
        samples = samples[..., : rows * sy : sy, : columns * sx : sx]
        whole = samples.transpose(0, 1, 4, 2, 5, 3)
        whole = whole.reshape(len(x), whole.shape[1] * rows, whole.shape[3] * columns, self.n_out)
        height, width, _ = self.output_shape(x.shape[1:])
        y, saturations = self._requantize(whole[:, :height, :width])
        happened = {place for place, did in (overflows | later).items() if did}
        return MapResult(y, saturations, frozenset(happened))
