# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Techniques in the frequency domain, for matrices: SFT, rows-only SFT, spectral input, block-circulant."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.sft import complex_pattern, orthonormal_sft
from spectramac.compress.techniques.base import (
    Structured,
    Technique,
    block_transform,
    check_density,
    check_weights,
)
from spectramac.compress.techniques.selection import PAIRS, Selection, keep_complex, keep_diagonal
from spectramac.compress.techniques.stage import IDENTITY, Stage
from spectramac.compress.threshold import by_density, column_rms
from spectramac.model.network import Transform

__all__ = ["BlockCirculant", "RowsSft", "Sft", "SpectralInput", "image_map"]


def _rms(inputs: NDArray[Any] | None, t_in: Transform) -> Floats | None:
    return None if inputs is None else column_rms(inputs, t_in)


@dataclass(frozen=True)
class Sft(Technique):
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

    def fit(
        self, weights: Floats, density: float, *, inputs: NDArray[Any] | None = None
    ) -> Structured:
        weights, density = check_weights(weights), check_density(density)
        n_out, n_in = weights.shape
        t_in, t_out = block_transform(self.block_in, n_in), block_transform(self.block_out, n_out)
        S = orthonormal_sft(weights, t_in, t_out)
        rms = _rms(inputs, t_in)
        if self.form == "complex":
            S = complex_pattern(S, t_in, t_out)
            mask = keep_complex(S, density, t_in, t_out, rms)
        else:
            mask = self.selection(S, density, rms)
        stage = Stage(
            n_in=n_in, n_out=n_out, t_in=t_in, t_out=t_out, spectrum=S, mask=mask, pattern=self.form
        )
        return Structured(technique=self.name, shape=weights.shape, stages=(stage,))


@dataclass(frozen=True)
class RowsSft(Technique):
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

    def fit(
        self, weights: Floats, density: float, *, inputs: NDArray[Any] | None = None
    ) -> Structured:
        weights, density = check_weights(weights), check_density(density)
        n_out, n_in = weights.shape
        t_in = block_transform(self.block_in, n_in)
        S = orthonormal_sft(weights, t_in, IDENTITY)
        mask = self.selection(S, density, _rms(inputs, t_in))
        stage = Stage(n_in=n_in, n_out=n_out, t_in=t_in, spectrum=S, mask=mask)
        return Structured(technique=self.name, shape=weights.shape, stages=(stage,))


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
class SpectralInput(Technique):
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

    def fit(
        self, weights: Floats, density: float, *, inputs: NDArray[Any] | None = None
    ) -> Structured:
        weights, density = check_weights(weights), check_density(density)
        height, width = self.image
        if weights.shape[1] != height * width:
            raise ValueError(
                f"weights for images of {height} x {width} must have {height * width} columns, "
                f"not {weights.shape[1]}"
            )
        if self.bins is not None and density > self.bins:
            raise ValueError(f"density must be at most bins, {self.bins!r}, not {density!r}")
        tile = self.tile or max(4, 1 << (max(self.image) - 1).bit_length())
        t_in = Transform("fft2d", tile * tile)
        t_out = block_transform(self.block_out, len(weights)) if self.block_out else IDENTITY
        places = image_map(height, width, tile)
        n_in = -(-height // tile) * -(-width // tile) * t_in.n
        placed = np.zeros((len(weights), n_in))
        placed[:, places] = weights
        S = orthonormal_sft(placed, t_in, t_out)
        rms = None
        if inputs is not None:
            spread_inputs = np.zeros((len(inputs), n_in))
            spread_inputs[:, places] = inputs
            rms = column_rms(spread_inputs, t_in)
        kept = density if self.bins is None else self.bins
        mask = by_density(S, kept, rms, group=(len(S), 2))
        if self.bins is not None:
            mask &= self.selection(np.where(mask, S, 0.0), density, rms)
        stage = Stage(n_in=n_in, n_out=len(weights), t_in=t_in, t_out=t_out, spectrum=S, mask=mask)
        return Structured(
            technique=self.name, shape=weights.shape, stages=(stage,), input_map=places
        )


@dataclass(frozen=True)
class BlockCirculant(Technique):
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

    def fit(
        self, weights: Floats, density: float, *, inputs: NDArray[Any] | None = None
    ) -> Structured:
        weights, density = check_weights(weights), check_density(density)
        t = Transform("fft1d", self.block)
        S = complex_pattern(orthonormal_sft(weights, t, t), t, t)
        mask = keep_diagonal(S, density, t, _rms(inputs, t))
        stage = Stage(
            n_in=weights.shape[1], n_out=len(weights), t_in=t, t_out=t,
            spectrum=S, mask=mask, pattern="complex",
        )  # fmt: skip
        return Structured(technique=self.name, shape=weights.shape, stages=(stage,))
