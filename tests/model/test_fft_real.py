# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Real frames against NumPy's transform of real values, with derived bounds and measured noise."""

import numpy as np
import pytest

from spectramac.model.fft import decibels, error_bound
from spectramac.model.fft_real import fft_real, fft_real_pair, real_error_bound
from spectramac.spec.fft_config import FFTConfig

SCALINGS = ("halving", "growth")


def config(log2_n: int, scaling: str, **changes) -> FFTConfig:
    changes = {"headroom": int(scaling == "halving"), **changes}
    return FFTConfig(log2_n_max=log2_n, scaling=scaling, twiddle_width=18, **changes)


def frames(config: FFTConfig, shape, seed: int = 0):
    low, high = config.data.minimum, config.data.maximum
    return np.random.default_rng([seed, config.n_max]).integers(low, high, shape, endpoint=True)


def unpacked(y):
    """Bins 0 to N as complex numbers."""
    z = y.re + 1j * y.im
    z[..., 0] = y.re[..., 0]
    return np.concatenate([z, y.im[..., :1] + 0j], axis=-1)


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("log2_n", range(3, 11))
def test_two_frames_are_numpys(log2_n, scaling):
    c = config(log2_n, scaling)
    x1, x2 = frames(c, (2, 8, c.n_max))
    # Square waves a quarter apart: all in the corners of the complex plane, the transform beyond full scale.
    n = np.arange(c.n_max) * 8 // c.n_max
    x1[0], x2[0] = (np.where(s % 8 < 4, c.data.maximum, c.data.minimum) for s in (n + 2, n))
    y = fft_real_pair(x1, x2, config=c)
    divisor = c.n_max if scaling == "halving" else 1
    for x, re, im in ((x1, y.first_re, y.first_im), (x2, y.second_re, y.second_im)):
        exact = 2 * np.fft.rfft(x) / divisor
        assert np.abs(re + 1j * im - exact).max() <= 2 * error_bound(c, log2_n)
        assert not im[:, [0, -1]].any()


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("log2_n", range(3, 11))
def test_one_frame_is_numpys(log2_n, scaling):
    c = config(log2_n, scaling)
    x = frames(c, (8, 2 * c.n_max))
    y = fft_real(x, config=c)
    assert not y.overflow.any()
    exact = np.fft.rfft(x) / (2 * c.n_max if scaling == "halving" else 1)
    assert np.abs(unpacked(y) - exact).max() <= real_error_bound(c)


def noise_of_one(c: FFTConfig) -> float:
    """SQNR in dB of white real frames of full scale."""
    x = frames(c, (64, 2 * c.n_max))
    exact = np.fft.rfft(x) / (2 * c.n_max if c.scaling == "halving" else 1)
    error = unpacked(fft_real(x, config=c)) - exact
    return decibels((np.abs(exact) ** 2).sum(), (np.abs(error) ** 2).sum())


@pytest.mark.parametrize("log2_n", [5, 7, 9])
def test_noise_is_near_that_of_an_exact_transform_rounded_once(log2_n):
    """White noise of full scale, X/2N: an exact transform rounded to units has a noise of 1/12 a part.

    The power of a bin is the variance of the samples, (2**16)² / 12, over 2N.
    """
    measured = noise_of_one(config(log2_n, "halving"))
    exact = 20 * np.log10(2**16) - 10 * np.log10(2 * (2 << log2_n))
    assert exact - 1.2 < measured < exact


@pytest.mark.parametrize("log2_n", [5, 9])
def test_noise_of_growing_output(log2_n):
    assert noise_of_one(config(log2_n, "growth")) > 95


@pytest.mark.parametrize("scaling", SCALINGS)
def test_constants_and_alternations_are_exact(scaling):
    """Bins 0 and N, where they share a word; the largest of them is half a unit too large to be rounded."""
    c = config(4, scaling)
    high, low = c.data.maximum, c.data.minimum
    gain = 1 if scaling == "halving" else 32
    y = fft_real(np.full(32, low), config=c)
    assert y.re.tolist() == [low * gain] + [0] * 15
    assert not y.im.any()
    x = np.where(np.arange(32) % 2, low, high)
    y = fft_real(x, config=c)
    if scaling == "growth":
        assert (y.re[0], y.im[0]) == (-16, 16 * (high - low))
        assert not y.overflow
    else:
        assert (y.re[0], y.im[0]) == (0, high)
        assert y.overflow
    assert not y.re[1:].any()
    assert not y.im[1:].any()


@pytest.mark.parametrize("scaling", SCALINGS)
def test_no_wrap_at_full_scale(scaling):
    """Square waves at every bin, at every phase of a sample: within the bound, or flagged."""
    c = config(4, scaling, data_width=8)
    n = np.arange(32)
    x = np.array(
        [
            np.where(np.cos(2 * np.pi * (k * (n + shift / 4) / 32)) >= 0, 127, -128)
            for k in range(17)
            for shift in range(8)
        ]
    )
    y = fft_real(x, config=c)
    exact = np.fft.rfft(x) / (32 if scaling == "halving" else 1)
    error = np.abs(unpacked(y) - exact).max(axis=-1)
    assert (error[~y.overflow] <= real_error_bound(c)).all()
    assert (error <= real_error_bound(c) + np.sqrt(0.5)).all()
    assert y.overflow.any() == (scaling == "halving")


def test_a_frame_does_not_leak_into_its_partner():
    """Beyond roundings: silence beside full scale."""
    c = config(6, "growth")
    x, silence = frames(c, 64), np.zeros(64, np.int64)
    alone = fft_real_pair(silence, x, config=c)
    bound = 2 * error_bound(c, 6)
    assert np.hypot(alone.first_re, alone.first_im).max() <= bound
    assert np.hypot(alone.second_re, alone.second_im).max() > 1000 * bound


def test_bad_arguments_are_refused():
    good = config(4, "halving")
    for bad in (FFTConfig(log2_n_max=4), config(4, "growth", log2_columns=2)):
        with pytest.raises(ValueError, match="config must have scaling 'halving' or 'growth'"):
            fft_real(np.zeros(32, np.int64), config=bad)
        with pytest.raises(ValueError, match="config must have scaling 'halving' or 'growth'"):
            fft_real_pair(np.zeros(16, np.int64), np.zeros(16, np.int64), config=bad)
    with pytest.raises(ValueError, match="config must have headroom 1 for real inputs"):
        fft_real(np.zeros(32, np.int64), config=config(4, "halving", headroom=0))
    for changes in ({"scaling": "growth"}, {"scaling": "halving", "log2_columns": 2}):
        with pytest.raises(ValueError, match="headroom must be 0 unless scaling is 'halving'"):
            FFTConfig(log2_n_max=4, headroom=1, **changes)
    with pytest.raises(ValueError, match="x must have 32 values in its last axis, not"):
        fft_real(np.zeros(16, np.int64), config=good)
    with pytest.raises(ValueError, match=r"z_im must fit sQ16\.0, not 40000"):
        fft_real(np.full(32, 40000) * (np.arange(32) % 2), config=good)
