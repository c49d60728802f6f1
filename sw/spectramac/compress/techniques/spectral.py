# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Techniques in the frequency domain, for matrices: SFT, rows-only SFT, spectral input, block-circulant."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.sft import orthonormal_sft
from spectramac.compress.techniques.base import (
    Structured,
    Thresholding,
    block_transform,
    check_density,
)
from spectramac.compress.techniques.selection import PAIRS, Selection, keep_complex, keep_diagonal
from spectramac.compress.techniques.stage import IDENTITY, Stage
from spectramac.compress.threshold import Mask, by_density
from spectramac.model.network import Transform

__all__ = ["BlockCirculant", "RowsSft", "Sft", "SpectralInput", "image_map"]


def _transformed(
    technique: str,
    weights: Floats,
    t_in: Transform,
    t_out: Transform,
    pattern: Literal["real", "complex"] = "real",
) -> Structured:
    """All coefficients of a matrix (n_out, n_in); the stage takes the nearest spectrum of the pattern."""
    n_out, n_in = weights.shape
    S = orthonormal_sft(weights, t_in, t_out)
    stage = Stage(
        n_in=n_in, n_out=n_out, t_in=t_in, t_out=t_out, spectrum=S,
        mask=np.ones(S.shape, np.bool_), pattern=pattern,
    )  # fmt: skip
    return Structured(technique=technique, shape=weights.shape, stages=(stage,))


@dataclass(frozen=True)
class Sft(Thresholding):
    """Sparse Fourier transform: fft2 of the matrix or of its blocks, and only the large coefficients.

    *Real form.* All of the spectrum in the real Fourier basis; density 1 is exact.

    *Complex form.* Between complex bins i and j, Y[i] += S[i, j] X[j] with one complex number S[i, j], which
    is the half of ``fft2(W)`` that is linear in X over the complex numbers; the engine stores it as one entry
    with four multiplications. The other half of ``fft2(W)``, with X[-j] = X*[j], the engine has no entry
    for, so density 1 is *not* exact: it is the nearest matrix whose blocks are of this form (which those are:
    :func:`~spectramac.compress.sft.complex_pattern`). Networks are
    trained into it. (All of a bin, both halves, is the real form with the group ``"bin"``.)

    Parameters
    ----------
    block_in, block_out : int or None
        Points of the transforms; None: one transform over the whole side, rounded up to a power of two.
    form : str
        ``"real"`` or ``"complex"``.
    selection : Selection
        For the real form.
    """

    block_in: int | None = 8
    block_out: int | None = 8
    form: Literal["real", "complex"] = "real"
    selection: Selection = PAIRS

    def __post_init__(self) -> None:
        if self.form not in ("real", "complex"):
            raise ValueError(f"form must be 'real' or 'complex', not {self.form!r}")

    @property
    def name(self) -> str:
        sizes = [str(block or "all") for block in (self.block_out, self.block_in)]
        return f"sft-{'x'.join(sizes)}-{self.form}"

    def transform(self, weights: Floats) -> Structured:
        n_out, n_in = weights.shape
        t_in, t_out = block_transform(self.block_in, n_in), block_transform(self.block_out, n_out)
        return _transformed(self.name, weights, t_in, t_out, self.form)

    def select(self, stage: Stage, density: float, rms: Floats | None = None) -> Mask:
        if self.form == "complex":
            return keep_complex(stage.spectrum, density, stage.t_in, stage.t_out, rms)
        return self.selection(stage.spectrum, density, rms)


@dataclass(frozen=True)
class RowsSft(Thresholding):
    """SFT of the rows only: for layers with few outputs, such as a classifier.

    Parameters
    ----------
    block_in : int or None
        As of :class:`Sft`.
    selection : Selection
    """

    block_in: int | None = 8
    selection: Selection = PAIRS

    @property
    def name(self) -> str:
        return f"rows-sft-{self.block_in or 'all'}"

    def transform(self, weights: Floats) -> Structured:
        t_in = block_transform(self.block_in, weights.shape[1])
        return _transformed(self.name, weights, t_in, IDENTITY)

    def select(self, stage: Stage, density: float, rms: Floats | None = None) -> Mask:
        return self.selection(stage.spectrum, density, rms)


def image_map(height: int, width: int, tile: int) -> NDArray[np.int32]:
    """Where pixel (row, column) of a row-major image goes when it is cut in ``tile`` x ``tile`` tiles.

    Tiles follow each other, row by row, each in row-major order; those at the lower and right edges are
    padded.

    Returns
    -------
    int array (height * width,)
    """
    row, column = np.divmod(np.arange(height * width), width)
    number = row // tile * -(-width // tile) + column // tile
    return np.asarray((number * tile + row % tile) * tile + column % tile, np.int32)


@dataclass(frozen=True)
class SpectralInput(Thresholding):
    """The 2-D Fourier transform of an input image, of which one fixed set of bins is used.

    The set is the best one for these weights (and inputs): the bins whose columns have most energy. It is not
    a low-pass by decree, but on natural images becomes one.

    Parameters
    ----------
    image : (int, int)
        Height and width; inputs are images in row-major order.
    tile : int or None
        Side of the transformed tiles, a power of two of at least 4; None: one tile over the whole image.
    bins : float or None
        None: the matrix behind the kept bins is dense, and the density is the part of the bins that is kept.
        A number: this part of the bins is kept, and behind them the largest coefficients; the density counts
        coefficients of the whole spectrum and must not exceed it.
    block_out : int
        Points of the output transform; 0 for none.
    selection : Selection
        For the coefficients behind the bins, if they are sparse.
    """

    image: tuple[int, int]
    tile: int | None = None
    bins: float | None = None
    block_out: int = 0
    selection: Selection = PAIRS

    @property
    def name(self) -> str:
        return f"spectral-input-{'dense' if self.bins is None else 'sparse'}"

    def transform(self, weights: Floats) -> Structured:
        height, width = self.image
        if weights.shape[1] != height * width:
            raise ValueError(
                f"weights for images of {height} x {width} must have {height * width} columns, "
                f"not {weights.shape[1]}"
            )
        tile = self.tile or max(4, 1 << (max(self.image) - 1).bit_length())
        t_in = Transform("fft2d", tile * tile)
        t_out = block_transform(self.block_out, len(weights)) if self.block_out else IDENTITY
        places = image_map(height, width, tile)
        placed = np.zeros((len(weights), -(-height // tile) * -(-width // tile) * t_in.n))
        placed[:, places] = weights
        whole = _transformed(self.name, placed, t_in, t_out)
        return replace(whole, shape=weights.shape, input_map=places)

    def select(self, stage: Stage, density: float, rms: Floats | None = None) -> Mask:
        """See :meth:`Thresholding.select`; above :attr:`bins`, the density is that of whole bins."""
        S = stage.spectrum
        mask = by_density(S, max(self.bins or 0.0, density), rms, group=(len(S), 2))
        if self.bins is not None and density <= self.bins:
            mask &= self.selection(np.where(mask, S, 0.0), density, rms)
        return mask

    def fit(
        self, weights: Floats, density: float, *, inputs: NDArray[Any] | None = None
    ) -> Structured:
        if self.bins is not None and check_density(density) > self.bins:
            raise ValueError(f"density must be at most bins, {self.bins!r}, not {density!r}")
        return super().fit(weights, density, inputs=inputs)


@dataclass(frozen=True)
class BlockCirculant(Thresholding):
    """Blocks that are circulant: complex and diagonal in the Fourier domain, so no index is stored.

    The nearest block-circulant matrix averages the weights along the wrapped diagonals of each block; below
    density 1 only the largest bins stay (and then indices may pay). Only a block-circulant matrix is
    reproduced exactly.

    Parameters
    ----------
    block : int
        Points of the blocks: the matrix is ``block`` times smaller at density 1.
    """

    block: int = 8

    @property
    def name(self) -> str:
        return f"circulant-{self.block}"

    def transform(self, weights: Floats) -> Structured:
        t = Transform("fft1d", self.block)
        return _transformed(self.name, weights, t, t, "complex")

    def select(self, stage: Stage, density: float, rms: Floats | None = None) -> Mask:
        return keep_diagonal(stage.spectrum, density, stage.t_in, rms)
