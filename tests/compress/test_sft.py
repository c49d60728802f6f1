# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Spectra of matrices against NumPy's FFT, and their inverses."""

import numpy as np
import pytest

from spectramac.compress.sft import (
    circulant_matrix,
    circulant_to_spectrum,
    complex_pattern,
    from_orthonormal,
    inverse_sft,
    orthonormal,
    orthonormal_basis,
    sft,
)
from spectramac.model.network import Transform
from spectramac.model.spectrum import basis, pair_map

IDENTITY = Transform()
FFT8 = Transform("fft1d", 8)
FFT32 = Transform("fft1d", 32)
TILE = Transform("fft2d", 64)
TRANSFORMS = [IDENTITY, FFT8, FFT32, TILE]


def doubled(t: Transform) -> np.ndarray:
    """Factors between what A gives and the columns that the split gives."""
    if not t.is_fft:
        return np.ones(2)
    return np.where(np.repeat(pair_map(t.n, t.two_d).joint, 2), 2.0, 1.0)


@pytest.mark.parametrize("t_in", TRANSFORMS, ids=str)
@pytest.mark.parametrize("t_out", TRANSFORMS, ids=str)
def test_round_trip(t_in: Transform, t_out: Transform) -> None:
    rng = np.random.default_rng(1)
    W = rng.normal(size=(70, 45))
    S = sft(W, t_in, t_out)
    assert S.shape == (t_out.padded(70), t_in.padded(45))
    np.testing.assert_allclose(inverse_sft(S, t_in, t_out, W.shape), W, rtol=0, atol=1e-9)
    S_tilde = orthonormal(S, t_in, t_out)
    assert np.linalg.norm(S_tilde) == pytest.approx(np.linalg.norm(W), rel=1e-12)
    np.testing.assert_allclose(from_orthonormal(S_tilde, t_in, t_out), S, rtol=1e-12)


@pytest.mark.parametrize("t_in", TRANSFORMS, ids=str)
@pytest.mark.parametrize("t_out", TRANSFORMS, ids=str)
def test_acts_on_split_columns(t_in: Transform, t_out: Transform) -> None:
    """v = S u with doubled complex columns equals the transform of W x."""
    rng = np.random.default_rng(2)
    W = rng.normal(size=(t_out.padded(20), t_in.padded(30)))
    x = rng.normal(size=(W.shape[1],))
    u = (x.reshape(-1, t_in.n) @ basis(t_in.n, t_in.two_d).T * doubled(t_in)).ravel()
    v = sft(W, t_in, t_out) @ u
    y = np.asarray(W @ x)
    expected = (y.reshape(-1, t_out.n) @ basis(t_out.n, t_out.two_d).T).ravel()
    np.testing.assert_allclose(v, expected, rtol=0, atol=1e-9)


def test_equals_numpy_fft2() -> None:
    """Architecture section 1: Y = S X with S[i, j] = fft2(W)[i, -j mod N] / N."""
    rng = np.random.default_rng(3)
    W, n = rng.normal(size=(8, 8)), 8
    full = np.fft.fft2(W)[:, -np.arange(n) % n] / n
    S = sft(W, FFT8, FFT8)
    for i in range(1, 4):
        for j in range(1, 4):
            # Y[i] = S[i, j] X[j] + S[i, -j] X*[j]; columns are (2 Re X, 2 Im X).
            plus, minus = full[i, j] + full[i, -j], full[i, j] - full[i, -j]
            block = np.array([[plus.real, -minus.imag], [plus.imag, minus.real]]) / 2
            np.testing.assert_allclose(
                S[2 * i : 2 * i + 2, 2 * j : 2 * j + 2], block, rtol=0, atol=1e-12
            )


@pytest.mark.parametrize("t", TRANSFORMS, ids=str)
def test_orthonormal_basis(t: Transform) -> None:
    R = orthonormal_basis(t)
    np.testing.assert_allclose(R @ R.T, np.eye(t.n), rtol=0, atol=1e-12)


@pytest.mark.parametrize("t", [FFT8, TILE], ids=str)
def test_complex_pattern(t: Transform) -> None:
    rng = np.random.default_rng(4)
    S = rng.normal(size=(2 * t.n, t.n))
    P = complex_pattern(S, t, t)
    joint = np.tile(pair_map(t.n, t.two_d).joint, 2)
    blocks = P.reshape(t.n, 2, t.n // 2, 2).transpose(0, 2, 1, 3)
    both = np.logical_and.outer(joint, pair_map(t.n, t.two_d).joint)
    np.testing.assert_array_equal(blocks[both][:, 0, 0], blocks[both][:, 1, 1])
    np.testing.assert_array_equal(blocks[both][:, 0, 1], -blocks[both][:, 1, 0])
    original = S.reshape(t.n, 2, t.n // 2, 2).transpose(0, 2, 1, 3)
    np.testing.assert_array_equal(blocks[~both], original[~both])
    # A projection: doing it again changes nothing, and what it removes is orthogonal to what it keeps.
    np.testing.assert_array_equal(complex_pattern(P, t, t), P)
    assert np.sum((S - P) * P) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("t", [FFT8, FFT32, Transform("fft2d", 16), TILE], ids=str)
def test_what_a_complex_pattern_represents(t: Transform) -> None:
    """Matrices without a conjugate-linear part, seen in NumPy's own transform, and no others."""
    rng = np.random.default_rng(8)
    side = round(np.sqrt(t.n)) if t.two_d else t.n
    axes = (side, side) if t.two_d else (t.n,)
    p = pair_map(t.n, t.two_d)
    # The order of bins in two dimensions is that of the transposed tile.
    bins = p.first[p.joint]
    if t.two_d:
        bins = bins % side * side + bins // side

    def spectrum_of(W: np.ndarray) -> np.ndarray:
        return np.fft.fftn(W.reshape(*axes, *axes)).reshape(t.n, t.n)

    def represented(W: np.ndarray) -> np.ndarray:
        return inverse_sft(complex_pattern(sft(W, t, t), t, t), t, t)

    W = rng.normal(size=(t.n, t.n))
    kept, lost = represented(W), W - represented(W)
    assert np.abs(spectrum_of(kept)[np.ix_(bins, bins)]).max() < 1e-9
    np.testing.assert_allclose(represented(kept), kept, rtol=0, atol=1e-9)
    # What is lost lies in those bins and their conjugates alone, and there nothing is kept.
    F = spectrum_of(lost)
    negative = np.ravel_multi_index(
        tuple(-i % n for i, n in zip(np.unravel_index(bins, axes), axes, strict=True)), axes
    )
    energy = (np.abs(F[np.ix_(bins, bins)]) ** 2).sum() + (
        np.abs(F[np.ix_(negative, negative)]) ** 2
    ).sum()
    assert energy == pytest.approx((np.abs(F) ** 2).sum())
    assert energy == pytest.approx(2 * (np.abs(spectrum_of(W)[np.ix_(bins, bins)]) ** 2).sum())
    np.testing.assert_allclose(represented(lost), 0, rtol=0, atol=1e-9)
    # Dimensions: the trace of a projection.
    if t.n <= 16:
        units = np.eye(t.n * t.n).reshape(-1, t.n, t.n)
        dimensions = sum(float((represented(u) * u).sum()) for u in units)
        assert dimensions == pytest.approx(t.n**2 - 2 * len(bins) ** 2)


def test_circulant_is_circular_convolution() -> None:
    rng = np.random.default_rng(5)
    c = rng.normal(size=(2, 3, 8))
    x = rng.normal(size=(3, 8))
    S = circulant_to_spectrum(c, FFT8)
    y = inverse_sft(S, FFT8, FFT8) @ x.ravel()
    expected = np.fft.ifft((np.fft.fft(c) * np.fft.fft(x)).sum(axis=1)).real
    np.testing.assert_allclose(y, expected.ravel(), rtol=0, atol=1e-9)


def test_circulant_2d_is_circular_convolution() -> None:
    rng = np.random.default_rng(6)
    c = rng.normal(size=(2, 2, 64))
    x = rng.normal(size=(2, 64))
    y = inverse_sft(circulant_to_spectrum(c, TILE), TILE, TILE) @ x.ravel()
    product = np.fft.fft2(c.reshape(2, 2, 8, 8)) * np.fft.fft2(x.reshape(2, 8, 8))
    expected = np.fft.ifft2(product.sum(axis=1)).real
    np.testing.assert_allclose(y, expected.ravel(), rtol=0, atol=1e-9)


@pytest.mark.parametrize("t", [FFT8, FFT32, TILE], ids=str)
def test_circulant_is_diagonal_and_complex(t: Transform) -> None:
    rng = np.random.default_rng(7)
    c = rng.normal(size=(2, 1, t.n))
    S = circulant_to_spectrum(c, t)
    np.testing.assert_allclose(S, sft(circulant_matrix(c, t), t, t), rtol=0, atol=1e-9)
    np.testing.assert_allclose(complex_pattern(S, t, t), S, rtol=0, atol=1e-12)
    rows, columns = np.nonzero(np.abs(S) > 1e-9)
    np.testing.assert_array_equal(rows // 2 % (t.n // 2), columns // 2)


def test_errors() -> None:
    with pytest.raises(ValueError, match="must have two dimensions, not shape"):
        sft(np.zeros(3), FFT8, FFT8)
    with pytest.raises(ValueError, match="must be whole blocks of 8 x 8, not shape"):
        inverse_sft(np.zeros((8, 9)), FFT8, FFT8)
    with pytest.raises(ValueError, match="must be whole blocks"):
        orthonormal(np.zeros((7, 8)), FFT8, FFT8)
    with pytest.raises(ValueError, match="must be FFTs on both sides, not identity"):
        complex_pattern(np.zeros((8, 8)), FFT8, IDENTITY)
    with pytest.raises(ValueError, match="defining vectors must have shape"):
        circulant_to_spectrum(np.zeros((1, 8)), FFT8)
