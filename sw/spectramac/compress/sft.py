# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Spectra of weight matrices: the Sparse-Fourier-Transform form of a linear layer.

A real matrix W (n_out x n_in) is cut in blocks, one per pair of output and input transform blocks.
With A the analysis matrix of a block (:func:`spectramac.model.spectrum.basis`) and n the length of
the input transform, the layer y = W x is, in the values that the hardware multiplies,

    v = S u,    S = A_out W A_inᵀ / n,    x = A_inᵀ u / n,    v = A_out y

exactly (docs/design.md; the doubling of the complex columns u is the 2 of the real inverse
transform). Under the identity transform A = I and nothing is divided.

S is badly balanced: A = D R with R orthonormal and D the norms of A's rows, √n for a real bin and
√(n/2) for the real or imaginary part of a complex one, so a number in S weighs differently
according to its place. Magnitudes are compared in the *orthonormal* spectrum S̃ = R_out W R_inᵀ = S
n / (D_out D_in), which has W's Frobenius norm: what a threshold removes from S̃ is, squared and
summed, exactly the squared error of W (Parseval).
"""

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats, analyse, norms, orthonormal_basis, synthesise
from spectramac.model.network import Transform
from spectramac.model.spectrum import basis, pair_map

__all__ = [
    "Floats",
    "balance",
    "circulant_matrix",
    "circulant_to_spectrum",
    "complex_pattern",
    "from_orthonormal",
    "inverse_orthonormal_sft",
    "inverse_sft",
    "joint_blocks",
    "orthonormal",
    "orthonormal_basis",
    "orthonormal_sft",
    "pad",
    "sft",
]


def pad(W: Floats, t_in: Transform, t_out: Transform) -> Floats:
    """``W`` (n_out, n_in), zero-padded to whole blocks of both transforms; always a copy."""
    W = np.asarray(W, np.float64)
    if W.ndim != 2 or 0 in W.shape:
        raise ValueError(f"a weight matrix must have two dimensions, not shape {W.shape!r}")
    padded = np.zeros((t_out.padded(W.shape[0]), t_in.padded(W.shape[1])))
    padded[: W.shape[0], : W.shape[1]] = W
    return padded


def _check_blocks(shape: tuple[int, ...], t_in: Transform, t_out: Transform) -> None:
    if len(shape) != 2 or shape[0] % t_out.n or shape[1] % t_in.n:
        raise ValueError(
            f"a spectrum must be whole blocks of {t_out.n} x {t_in.n}, not shape {shape!r}"
        )


def orthonormal_sft(W: Floats, t_in: Transform, t_out: Transform) -> Floats:
    """S̃ = R_out W R_inᵀ, blockwise: the form in which magnitudes may be compared.

    Needs little memory besides the result, and O(n log n) operations a block.

    Parameters
    ----------
    W : float array (n_out, n_in)
        Zero-padded to whole blocks.
    t_in, t_out : Transform
        What the layer applies to its input, and undoes at its output.

    Returns
    -------
    S : float array (t_out.padded(n_out), t_in.padded(n_in))
        Has the Frobenius norm of ``W``.
    """
    S = pad(W, t_in, t_out)
    analyse(S, t_in, 1)
    analyse(S, t_out, 0)
    return S


def inverse_orthonormal_sft(
    S: Floats, t_in: Transform, t_out: Transform, shape: tuple[int, int] | None = None
) -> Floats:
    """The matrix whose orthonormal spectrum is ``S``: the inverse of :func:`orthonormal_sft`.

    Parameters
    ----------
    S : float array (padded rows, padded columns)
    shape : (int, int), optional
        Real (n_out, n_in) to crop to. Default: with the padding.
    """
    W = np.array(S, np.float64)
    _check_blocks(W.shape, t_in, t_out)
    synthesise(W, t_out, 0)
    synthesise(W, t_in, 1)
    return W if shape is None else W[: shape[0], : shape[1]]


def sft(W: Floats, t_in: Transform, t_out: Transform) -> Floats:
    """The real-basis spectrum of a real matrix, blockwise: ``A_out @ W @ A_in.T / n_in``.

    Parameters and shapes are those of :func:`orthonormal_sft`; the result acts on the columns of
    :func:`spectramac.model.spectrum.split`.
    """
    S = orthonormal_sft(W, t_in, t_out)
    rows, columns = _balance(t_in, t_out)
    _scale(S, 1 / rows, 1 / columns)
    return S


def inverse_sft(
    S: Floats, t_in: Transform, t_out: Transform, shape: tuple[int, int] | None = None
) -> Floats:
    """The matrix whose spectrum is ``S``: the inverse of :func:`sft`, with the parameters of
    :func:`inverse_orthonormal_sft`."""
    return inverse_orthonormal_sft(orthonormal(S, t_in, t_out), t_in, t_out, shape)


def _balance(t_in: Transform, t_out: Transform) -> tuple[Floats, Floats]:
    """Factors E = n / (D_out D_in) of a block: S̃ = E · S, by row and by column."""
    return 1 / norms(t_out), (t_in.n if t_in.is_fft else 1) / norms(t_in)


def _scale(S: Floats, rows: Floats, columns: Floats) -> None:
    """Multiply every block by the outer product of ``rows`` and ``columns``, in place."""
    blocks = S.reshape(-1, len(rows), S.shape[1] // len(columns), len(columns))
    blocks *= rows[:, None, None]
    blocks *= columns


def balance(shape: tuple[int, int], t_in: Transform, t_out: Transform) -> Floats:
    """Weights E (rows, columns) with S̃ = E · S: n / (D_out D_in), the same in every block.

    Up to the constant they are √2 for each complex row times √2 for each complex column.
    """
    return orthonormal(np.ones(shape), t_in, t_out)


def orthonormal(S: Floats, t_in: Transform, t_out: Transform) -> Floats:
    """S̃ = R_out W R_inᵀ from S, a copy: the form in which magnitudes may be compared."""
    S = np.array(S, np.float64)
    _check_blocks(S.shape, t_in, t_out)
    _scale(S, *_balance(t_in, t_out))
    return S


def from_orthonormal(S: Floats, t_in: Transform, t_out: Transform) -> Floats:
    """S from S̃, a copy: the inverse of :func:`orthonormal`."""
    S = np.array(S, np.float64)
    _check_blocks(S.shape, t_in, t_out)
    rows, columns = _balance(t_in, t_out)
    _scale(S, 1 / rows, 1 / columns)
    return S


def joint_blocks(shape: tuple[int, ...], t_in: Transform, t_out: Transform) -> NDArray[np.bool_]:
    """Which 2x2 blocks of a spectrum of this shape join a complex row pair with a complex column pair.

    Returns
    -------
    bool array (rows / 2, columns / 2)
    """
    _check_blocks(shape, t_in, t_out)
    rows = np.tile(pair_map(t_out.n, t_out.two_d).joint, shape[0] // t_out.n)
    columns = np.tile(pair_map(t_in.n, t_in.two_d).joint, shape[1] // t_in.n)
    return np.asarray(np.logical_and.outer(rows, columns), np.bool_)


def complex_pattern(S: Floats, t_in: Transform, t_out: Transform) -> Floats:
    """The nearest spectrum in which each complex row meets each complex column in one complex
    number.

    A 2x2 block M of S between complex row pair i and complex column pair j has four free numbers: a
    complex-linear part [[a, -b], [b, a]], which is Y[i] += (a + jb) 2X[j], and a conjugate-linear
    one [[c, d], [d, -c]], which is Y[i] += (c + jd) 2X*[j]. This is the orthogonal projection on
    the first: a = (M₀₀ + M₁₁)/2, b = (M₁₀ - M₀₁)/2. Blocks of real bins are free and stay as they
    are.

    So a complex pattern, at full density too, represents exactly the matrices without a
    conjugate-linear part: with F = fft2 of a block of n x n weights, those with F[i, j] = 0 wherever
    i and j are both ``first`` bins of complex pairs (:func:`spectramac.model.spectrum.pair_map`; in
    one dimension 1 ≤ i, j < n/2; F[-i, -j] is the conjugate). With m complex pairs these are n² - 2m²
    of the n² dimensions: 46 of 64 for n = 8, half for large n. Block-circulant matrices are among
    them. An arbitrary matrix loses what lies in the others, on average 28 % of its energy for
    n = 8; the engine has no entry for X*, so the real form is the one that is exact.

    Parameters
    ----------
    S : float array (rows, columns)
        In the scaling of :func:`sft` or orthonormal: both are uniform within such a block.
    """
    if not (t_in.is_fft and t_out.is_fft):
        raise ValueError("transforms of a complex pattern must be FFTs on both sides, not identity")
    S = np.array(S, np.float64)
    blocks = S.reshape(S.shape[0] // 2, 2, S.shape[1] // 2, 2)
    a = (blocks[:, 0, :, 0] + blocks[:, 1, :, 1]) / 2
    b = (blocks[:, 1, :, 0] - blocks[:, 0, :, 1]) / 2
    joint = joint_blocks(S.shape, t_in, t_out)
    for (p, q), value in (((0, 0), a), ((1, 1), a), ((1, 0), b), ((0, 1), -b)):
        blocks[:, p, :, q] = np.where(joint, value, blocks[:, p, :, q])
    return blocks.reshape(S.shape)


def _check_circulant(c: Floats, t: Transform) -> Floats:
    c = np.asarray(c, np.float64)
    if c.ndim != 3 or c.shape[2] != t.n or not t.is_fft:
        raise ValueError(
            f"defining vectors must have shape (output blocks, input blocks, {t.n}) "
            f"of an FFT, not {c.shape!r}"
        )
    return c


def circulant_matrix(c: Floats, t: Transform) -> Floats:
    """The block-circulant matrix itself: block (i, j) maps x to the circular convolution of c[i, j]
    with x.

    Parameters
    ----------
    c : float array (output blocks, input blocks, n)
        First columns. With ``fft2d`` a vector is a √n x √n tile in row-major order, convolved in
        two dimensions.
    """
    c = _check_circulant(c, t)
    index = np.arange(t.n)
    if t.two_d:
        side = 1 << (t.log2_n // 2)
        high = (index[:, None] // side - index // side) % side
        difference = high * side + (index[:, None] - index) % side
    else:
        difference = (index[:, None] - index) % t.n
    blocks = c[:, :, difference]
    return blocks.transpose(0, 2, 1, 3).reshape(c.shape[0] * t.n, c.shape[1] * t.n)


def circulant_to_spectrum(c: Floats, t: Transform) -> Floats:
    """The spectrum of a block-circulant matrix from its defining vectors: complex, diagonal in
    every block.

    With λ = FFT(c), a complex bin k holds ½ [[Re λ, -Im λ], [Im λ, Re λ]] (the columns are doubled)
    and real bins hold λ on the diagonal. Equal to ``sft(circulant_matrix(c, t), t, t)``.

    Parameters
    ----------
    c : float array (output blocks, input blocks, n)

    Returns
    -------
    S : float array (output blocks * n, input blocks * n)
    """
    c = _check_circulant(c, t)
    p = pair_map(t.n, t.two_d)
    values = c @ basis(t.n, t.two_d).T
    even, odd = values[..., 0::2], values[..., 1::2]
    blocks = np.zeros((c.shape[0], t.n, c.shape[1], t.n))
    k = np.arange(t.n // 2)
    first = np.where(p.joint, even / 2, even).transpose(2, 0, 1)
    second = np.where(p.joint, even / 2, odd).transpose(2, 0, 1)
    cross = np.where(p.joint, odd / 2, 0.0).transpose(2, 0, 1)
    blocks[:, 2 * k, :, 2 * k] = first
    blocks[:, 2 * k + 1, :, 2 * k + 1] = second
    blocks[:, 2 * k, :, 2 * k + 1] = -cross
    blocks[:, 2 * k + 1, :, 2 * k] = cross
    return blocks.reshape(c.shape[0] * t.n, c.shape[1] * t.n)
