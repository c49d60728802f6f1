# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Spectral convolution: overlap-save tiles, one complex number for every (out, in, bin).

The input is cut in T x T tiles that overlap by the kernel's size less one; a tile's spectrum times that of the
kernel is the spectrum of their circular correlation, of which (T - height + 1) x (T - width + 1) outputs are the
wanted ones. As a matrix from all channels of a tile to all channels of its result this is block-circulant: complex
and diagonal over frequency, the pattern for which the engine needs no index when it is dense.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.sft import circulant_to_spectrum, orthonormal
from spectramac.compress.techniques.base import Thresholding
from spectramac.compress.techniques.conv import ConvStage, StructuredConv
from spectramac.compress.techniques.selection import keep_diagonal
from spectramac.compress.techniques.stage import Stage
from spectramac.compress.threshold import Mask, column_rms
from spectramac.model.network import Transform

__all__ = ["SpectralConv", "TileStage", "cut_tiles"]


@dataclass(frozen=True, eq=False, kw_only=True)
class TileStage(ConvStage):
    """A stage from the tiles of all input channels to those of all output channels.

    ``n_in`` and ``n_out`` are channels times T²; ``tile`` is the useful part of a result.
    """

    @property
    def side(self) -> int:
        """T."""
        return 1 << (self.t_in.log2_n // 2)

    @property
    def n_biases(self) -> int:
        return self.n_out // self.side**2

    @property
    def shared_taps(self) -> int:
        return 1

    def column_rms(self, inputs: NDArray[Any]) -> Floats:
        return column_rms(cut_tiles(inputs, self.side), self.t_in)

    def weights(self) -> Floats:
        """The circular kernel, float (output channels, input channels, T, T).

        What thresholding does to a kernel is not confined to the kernel's size.
        """
        side = self.side
        blocks = self.matrix().reshape(-1, side * side, self.channels, side * side)
        # y[p] = Σ K[k] x[p + k]: the first row of a block, y[0], is K itself.
        return np.ascontiguousarray(blocks[:, 0]).reshape(-1, self.channels, side, side)


def cut_tiles(inputs: NDArray[Any], side: int) -> Floats:
    """Non-overlapping tiles of inputs (batch, channels, height, width): (tiles, channels * side²)."""
    height, width = (-(-n // side) * side for n in inputs.shape[2:])
    margins = ((0, 0), (0, 0), (0, height - inputs.shape[2]), (0, width - inputs.shape[3]))
    padded = np.pad(np.asarray(inputs, np.float64), margins)
    batch, channels = padded.shape[:2]
    cut = padded.reshape(batch, channels, height // side, side, width // side, side)
    return cut.transpose(0, 2, 4, 1, 3, 5).reshape(-1, channels * side * side)


@dataclass(frozen=True)
class SpectralConv(Thresholding):
    """Kernels as spectra of tiles, sparse over output channels, input channels and bins.

    Density 1 is exact. A tile's spectrum has T² values for height x width of the kernel: it pays for large
    kernels.

    Parameters
    ----------
    tile : int
        Side T of the tiles, a power of two of at least 4 and not below the kernel's size.
    """

    n_axes: ClassVar[int] = 4

    tile: int = 8

    @property
    def name(self) -> str:
        return f"spectral-conv-{self.tile}"

    def transform(self, weights: Floats) -> StructuredConv:
        n_out, channels, height, width = weights.shape
        if max(height, width) > self.tile:
            raise ValueError(
                f"tile must be at least the kernel's size, {height} x {width}, not {self.tile!r}"
            )
        t = Transform("fft2d", self.tile * self.tile)
        rows, columns = -np.arange(height) % self.tile, -np.arange(width) % self.tile
        vectors = np.zeros((n_out, channels, self.tile, self.tile))
        vectors[:, :, rows[:, None], columns] = weights
        S = orthonormal(circulant_to_spectrum(vectors.reshape(n_out, channels, t.n), t), t, t)
        stage = TileStage(
            n_in=channels * t.n, n_out=n_out * t.n, t_in=t, t_out=t, spectrum=S,
            mask=keep_diagonal(S, 1.0, t), pattern="complex", channels=channels,
            kernel=(height, width), tile=(self.tile - height + 1, self.tile - width + 1),
        )  # fmt: skip
        return StructuredConv(technique=self.name, shape=weights.shape, stages=(stage,))

    def select(self, stage: Stage, density: float, rms: Floats | None = None) -> Mask:
        return keep_diagonal(stage.spectrum, density, stage.t_in, rms)
