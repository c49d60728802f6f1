# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Pairs, split, threshold and merge: between a packed complex FFT and real-basis columns and rows.

Two inferences ride on one complex number, z = x1 + j x2. Its spectrum Z holds both spectra:
X1[k] = (Z[k] + Z*[-k])/2 and X2[k] = (Z[k] - Z*[-k])/2j. The split leaves out the division by two, so nothing is
rounded: columns of complex bins are *doubled*.

**Pairs.** A block of N real values has N real-basis values in N/2 pairs. In one dimension, pair 0 is the two real
bins (0, N/2) and pair k is bin k. In two dimensions (T×T tile, bins numbered κ = k2·T + k1, "-κ" negates both
halves without a carry between them) four bins are real: pair 0 is (0, N/2), pair T/2 is (T/2, N/2 + T/2); pair r is
bin r, except that pairs T/2 < r < T are bins N/2 + r, because bins T/2 < κ < T are conjugates of the bins below T/2.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from spectramac.model.fixed import Ints

__all__ = ["PairMap", "basis", "inverse_basis", "merge", "negate", "pair_map", "split", "threshold"]


def negate(index: Ints, n: int, two_d: bool) -> Ints:
    """The bin of the complex conjugate of bin ``index`` in an ``n``-point transform of real data."""
    if not two_d:
        return (-index) % n
    t = 1 << ((n.bit_length() - 1) // 2)
    negated: Ints = (-(index // t) % t) * t + (-(index % t)) % t
    return negated


@dataclass(frozen=True, eq=False)
class PairMap:
    """Which bins make a pair.

    Attributes
    ----------
    first, second : int arrays (n/2,)
        The two bins read for each pair: a bin and its conjugate, or two real bins.
    joint : bool array (n/2,)
        True where the pair is one complex bin.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    joint: NDArray[np.bool_]


@lru_cache(maxsize=64)
def pair_map(n: int, two_d: bool) -> PairMap:
    """The pairs of an ``n``-point transform; ``n`` = 2 is the identity (one pair of plain values)."""
    pair = np.arange(n // 2)
    first = pair.copy()
    real = pair == 0
    if two_d:
        t = 1 << ((n.bit_length() - 1) // 2)
        real |= pair == t // 2
        first = np.where((pair > t // 2) & (pair < t), pair + n // 2, pair)
    second = np.where(real, first + n // 2, negate(first, n, two_d))
    return PairMap(first, second, ~real)


def split(z_re: Ints, z_im: Ints, n: int, two_d: bool) -> tuple[Ints, Ints]:
    """Columns of both inferences from the packed spectrum, exact.

    Parameters
    ----------
    z_re, z_im : int arrays (..., n)
        One spectrum in natural order (``n`` = 2: two plain values).

    Returns
    -------
    (u1, u2) : int arrays (..., n)
        Columns in pair order: column 2r and 2r+1 belong to pair r. Complex pairs are doubled.
    """
    p = pair_map(n, two_d)
    a_re, a_im = z_re[..., p.first], z_im[..., p.first]
    b_re, b_im = z_re[..., p.second], z_im[..., p.second]
    u1 = np.empty_like(z_re)
    u2 = np.empty_like(z_re)
    u1[..., 0::2] = np.where(p.joint, a_re + b_re, a_re)
    u1[..., 1::2] = np.where(p.joint, a_im - b_im, b_re)
    u2[..., 0::2] = np.where(p.joint, a_im + b_im, a_im)
    u2[..., 1::2] = np.where(p.joint, b_re - a_re, b_im)
    return u1, u2


def threshold(u: Ints, n: int, two_d: bool, level: int) -> tuple[Ints, NDArray[np.bool_]]:
    """Zero the columns whose squared (doubled) magnitude is below ``level``; exact.

    The two columns of a complex pair are kept or dropped together, on re² + im²; real columns singly, on
    (2x)², so that ``level`` = (2τ)² means |X| ≥ τ everywhere.

    Parameters
    ----------
    u : int array (..., n)
        Columns of one inference as :func:`split` gives them.

    Returns
    -------
    (kept, mask) : int array (..., n), bool array (..., n)
    """
    joint = np.repeat(pair_map(n, two_d).joint, 2)
    square = u * u
    pair_sum = np.repeat(square[..., 0::2] + square[..., 1::2], 2, axis=-1)
    magnitude = np.where(joint, pair_sum, 4 * square)
    mask = magnitude >= level
    return np.where(mask, u, 0), mask


def merge(v1: Ints, v2: Ints, n: int, two_d: bool) -> tuple[Ints, Ints]:
    """The packed spectrum Y1 + j Y2 from the row sums of both inferences, exact; inverse layout of :func:`split`.

    Parameters
    ----------
    v1, v2 : int arrays (..., n)
        Row sums in pair order, complex pairs *not* doubled: (Re Y[k], Im Y[k]).
    """
    p = pair_map(n, two_d)
    a1, b1 = v1[..., 0::2], v1[..., 1::2]
    a2, b2 = v2[..., 0::2], v2[..., 1::2]
    z_re = np.empty_like(v1)
    z_im = np.empty_like(v1)
    z_re[..., p.first] = np.where(p.joint, a1 - b2, a1)
    z_im[..., p.first] = np.where(p.joint, b1 + a2, a2)
    z_re[..., p.second] = np.where(p.joint, a1 + b2, b1)
    z_im[..., p.second] = np.where(p.joint, a2 - b1, b2)
    return z_re, z_im


@lru_cache(maxsize=64)
def basis(n: int, two_d: bool) -> NDArray[np.float64]:
    """A, float (n, n): ``A @ y`` are the (not doubled) pair values of a real block y. Identity for ``n`` = 2.

    ``S = A_out @ W @ A_in.T / n_in`` is the matrix that acts on the columns of :func:`split`: the doubling of complex
    columns is exactly the factor 2 of the real inverse transform, x = A.T @ u / n. Back:
    ``W = inverse_basis(n_out) @ S @ inverse_basis(n_in).T * n_in``.
    """
    if n == 2:
        return np.eye(2)
    eye = np.eye(n)
    if two_d:
        t = 1 << ((n.bit_length() - 1) // 2)
        spectrum = np.fft.fft2(eye.reshape(n, t, t)).transpose(0, 2, 1).reshape(n, n)
    else:
        spectrum = np.fft.fft(eye, axis=1)
    p = pair_map(n, two_d)
    a = np.empty((n, n))
    a[0::2] = spectrum[:, p.first].real.T
    a[1::2] = np.where(p.joint, spectrum[:, p.first].imag, spectrum[:, p.second].real).T
    return a


@lru_cache(maxsize=64)
def inverse_basis(n: int, two_d: bool) -> NDArray[np.float64]:
    """The inverse of :func:`basis`: ``A.T @ diag(d) / n``, d = 1 for real rows and 2 for complex ones."""
    if n == 2:
        return np.eye(2)
    d = np.where(np.repeat(pair_map(n, two_d).joint, 2), 2.0, 1.0)
    inverse: NDArray[np.float64] = basis(n, two_d).T * d / n
    return inverse
