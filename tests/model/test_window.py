# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Windows: known values and sums, exact roundings, and what they are for: less leakage."""

from fractions import Fraction

import numpy as np
import pytest

from spectramac.model.fft import fft
from spectramac.model.window import COSINES, apply_window, quantize_window, window
from spectramac.spec.fft_config import FFTConfig

CONFIG = FFTConfig(log2_n_max=6, scaling="growth", twiddle_width=18)
ONE = 1 << CONFIG.twiddle.fraction


@pytest.mark.parametrize("name", COSINES)
def test_windows_are_numpys_but_periodic(name):
    """NumPy's are symmetric: of one point more, and without the last."""
    symmetric = {"hann": "hanning", "rectangular": "ones"}.get(name, name)
    values = getattr(np, symmetric)(65)[:64].clip(min=0)
    assert np.abs(window(name, CONFIG) - values * ONE).max() <= 0.5 + 1e-6
    assert window(name, CONFIG)[32] == ONE


def test_products_are_rounded_half_to_even():
    rng = np.random.default_rng(0)
    x = rng.integers(CONFIG.data.minimum, CONFIG.data.maximum, (20, 64), endpoint=True)
    x[0] = CONFIG.data.minimum
    c = rng.integers(-ONE // 2, ONE, 64, endpoint=True)
    c[:4] = ONE, ONE // 2, -ONE // 2, ONE // 4
    y = apply_window(x, c, config=CONFIG)
    for given, found in zip(x.tolist(), y.tolist(), strict=True):
        wanted = [round(Fraction(a * b, ONE)) for a, b in zip(given, c.tolist(), strict=True)]
        assert found == wanted
    assert (apply_window(x, window("rectangular", CONFIG), config=CONFIG) == x).all()


@pytest.mark.parametrize(("name", "least"), [("hann", 30), ("hamming", 40), ("blackman", 55)])
def test_leakage_falls(name, least):
    """A tone between two bins, in the bins far from it: so many dB below the largest."""
    x = np.rint(30000 * np.exp(2j * np.pi * 8.5 * np.arange(64) / 64))
    c = window(name, CONFIG)
    parts = (apply_window(p.astype(np.int64), c, config=CONFIG) for p in (x.real, x.imag))
    y = fft(*parts, config=CONFIG, log2_n=6)
    magnitude = np.hypot(y.re, y.im)
    far = np.r_[0:3, 16:64]
    assert 20 * np.log10(magnitude.max() / magnitude[far].max()) > least


def test_bad_windows_are_refused():
    for values, message in (
        (np.ones(63), r"window must have 64 values, not shape \(63,\)"),
        (np.full(64, 1.01), "window must have values from -0.5 to 1, not 1.01"),
        (np.full(64, -0.51), "window must have values from -0.5 to 1, not -0.51"),
        (np.full(64, np.nan), "window must have values from -0.5 to 1, not nan"),
    ):
        with pytest.raises(ValueError, match=message):
            quantize_window(values, CONFIG)
    with pytest.raises(ValueError, match="window must be one of rectangular, hann, hamming"):
        window("kaiser", CONFIG)
    with pytest.raises(OverflowError, match=r"sample: 32768 does not fit sQ16\.0"):
        apply_window(np.full(64, 32768), window("hann", CONFIG), config=CONFIG)
