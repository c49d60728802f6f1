# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Orthonormal block transforms of whole matrices, in place and in little memory.

Every block of n values along one axis is replaced by its n real-basis values R @ block, in the order of
the pairs (:mod:`spectramac.model.spectrum`), with R orthonormal; :func:`synthesise` is the inverse.

A one-dimensional block is a real FFT: its output X[0], 0, Re X[1], Im X[1], …, X[n/2], 0 is already in pair
order once X[n/2] takes the place of the first zero. (Even for 8 points it is faster than a product with R.)
The work is done a few rows, or a few columns copied side by side, at a time: the temporaries of a chunk stay
in the cache, so that a matrix of 4096 x 4096 needs hardly more memory than itself and both passes together less
time than ``numpy.fft.fft2`` (:mod:`spectramac.compress.speed` measures it).
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from spectramac.model.network import Transform
from spectramac.model.spectrum import basis, pair_map

__all__ = ["Floats", "analyse", "norms", "orthonormal_basis", "synthesise"]

Floats = NDArray[np.float64]

CHUNK = 1 << 17
"""Values that are transformed at a time: 1 MiB."""


@lru_cache(maxsize=64)
def norms(t: Transform) -> Floats:
    """Norms of the rows of A: √n for real bins, √(n/2) for parts of complex ones; 1 for identity."""
    if not t.is_fft:
        return np.ones(2)
    joint = np.repeat(pair_map(t.n, t.two_d).joint, 2)
    return np.sqrt(np.where(joint, t.n / 2, float(t.n)))


@lru_cache(maxsize=64)
def orthonormal_basis(t: Transform) -> Floats:
    """R (n, n): A with unit rows, so that R Rᵀ = 1."""
    return basis(t.n, t.two_d) / norms(t)[:, None]


def _real_fft(x: Floats, t: Transform) -> Floats:
    values: Floats = np.fft.rfft(x, norm="ortho").view(np.float64)
    values[:, 1] = values[:, t.n]
    values[:, 2 : t.n] *= np.sqrt(2)
    return values[:, : t.n]


def _inverse_real_fft(x: Floats, t: Transform) -> Floats:
    values = np.zeros((len(x), t.n + 2))
    values[:, : t.n] = x
    values[:, 2 : t.n] *= np.sqrt(0.5)
    values[:, t.n] = values[:, 1]
    values[:, 1] = 0
    back: Floats = np.fft.irfft(values.view(np.complex128), t.n, norm="ortho")
    return back


def _fft_2d(x: Floats, t: Transform) -> Floats:
    side, p = 1 << (t.log2_n // 2), pair_map(t.n, t.two_d)
    tiles = np.fft.fft2(x.reshape(-1, side, side), norm="ortho")
    bins = tiles.transpose(0, 2, 1).reshape(x.shape)
    first, second = bins[:, p.first], bins[:, p.second]
    values = np.empty_like(x)
    values[:, 0::2] = np.where(p.joint, first.real * np.sqrt(2), first.real)
    values[:, 1::2] = np.where(p.joint, first.imag * np.sqrt(2), second.real)
    return values


def _inverse_fft_2d(x: Floats, t: Transform) -> Floats:
    side, p = 1 << (t.log2_n // 2), pair_map(t.n, t.two_d)
    even, odd = x[:, 0::2], x[:, 1::2]
    joint = (even + 1j * odd) * np.sqrt(0.5)
    bins = np.empty(x.shape, np.complex128)
    bins[:, p.first] = np.where(p.joint, joint, even)
    bins[:, p.second] = np.where(p.joint, joint.conj(), odd)
    tiles = bins.reshape(-1, side, side).transpose(0, 2, 1)
    back: Floats = np.fft.ifft2(tiles, norm="ortho").real.reshape(x.shape)
    return back


def _in_chunks(
    M: Floats, n: int, axis: int, transform: Callable[[Floats], Floats], what: str
) -> None:
    """Replace M by its transform, ``transform`` taking and giving rows (any number, n) of blocks."""
    if M.ndim != 2 or M.shape[axis] % n:
        raise ValueError(f"{what} must be whole blocks of {n} along axis {axis}, not {M.shape!r}")
    lines, length = M.shape[1 - axis], M.shape[axis]
    step = max(1, CHUNK // max(1, length))
    for start in range(0, lines, step):
        if axis == 1:
            part = M[start : start + step]
            part[...] = transform(part.reshape(-1, n)).reshape(part.shape)
        else:
            # A copy with the columns side by side: strided transforms would miss the cache at every value.
            columns = np.ascontiguousarray(M[:, start : start + step].T)
            columns = transform(columns.reshape(-1, n)).reshape(columns.shape)
            M[:, start : start + step] = columns.T


def analyse(M: Floats, t: Transform, axis: int) -> None:
    """Replace every block of ``t.n`` values along ``axis`` by its orthonormal real-basis values.

    Parameters
    ----------
    M : float array (rows, columns), C-contiguous
        Changed in place.
    t : Transform
    axis : int
        0 (blocks of a column) or 1 (blocks of a row).

    Raises
    ------
    ValueError
        If the axis is not whole blocks.
    """
    if not t.is_fft:
        return
    kernel = _fft_2d if t.two_d else _real_fft
    _in_chunks(M, t.n, axis, lambda x: kernel(x, t), "a matrix")


def synthesise(M: Floats, t: Transform, axis: int) -> None:
    """The inverse of :func:`analyse`, in place."""
    if not t.is_fft:
        return
    kernel = _inverse_fft_2d if t.two_d else _inverse_real_fft
    _in_chunks(M, t.n, axis, lambda x: kernel(x, t), "a spectrum")
