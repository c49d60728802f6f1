# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Windows in front of a transform, the reference of :mod:`spectramac.gateware.fft.window`.

Cosine windows in their periodic form, that of N + 1 points without the last: ``w[n] = Σ a_i cos(2π i n/N)``.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from spectramac.model.fixed import Ints, check, round_shift
from spectramac.spec.fft_config import FFTConfig

__all__ = ["COSINES", "apply_window", "quantize_window", "window"]

COSINES: dict[str, tuple[float, ...]] = {
    "rectangular": (1.0,),
    "hann": (0.5, -0.5),
    "hamming": (0.54, -0.46),
    "blackman": (0.42, -0.5, 0.08),
}
"""Factors ``a_i`` of each window."""


def window(name: str, config: FFTConfig) -> Ints:
    """A window of ``config.n_max`` coefficients, in the format of the twiddle factors.

    Raises
    ------
    ValueError
        If there is no window of that name.
    """
    if name not in COSINES:
        raise ValueError(f"window must be one of {', '.join(COSINES)}, not {name!r}")
    angle = 2 * np.pi * np.arange(config.n_max) / config.n_max
    values = sum(a * np.cos(i * angle) for i, a in enumerate(COSINES[name]))
    return quantize_window(np.maximum(values, 0.0), config)


def quantize_window(values: Sequence[float] | Any, config: FFTConfig) -> Ints:
    """Coefficients in the format of the twiddle factors, rounded to nearest.

    Parameters
    ----------
    values : (N,) array
        From -1/2 to 1, so that no product is larger than the sample.
    config : FFTConfig

    Raises
    ------
    ValueError
        If their number or one of them is out of range.
    """
    values = np.asarray(values, np.float64)
    if values.shape != (config.n_max,):
        raise ValueError(f"window must have {config.n_max} values, not shape {values.shape}")
    bad = ~((values >= -0.5) & (values <= 1.0))
    if bad.any():
        raise ValueError(f"window must have values from -0.5 to 1, not {float(values[bad][0])!r}")
    return np.asarray(np.rint(values * (1 << config.twiddle.fraction)), np.int64)


def apply_window(x: Any, coefficients: Ints, *, config: FFTConfig) -> Ints:
    """Samples times coefficients, rounded half to even to ``config.data``; exact for a coefficient of 1.

    Parameters
    ----------
    x : (..., N) integer array
        Must fit ``config.data``.
    coefficients : (N,) integer array
        As :func:`quantize_window` gives them.
    """
    samples = check(np.asarray(x, np.int64), config.data, "sample")
    product = round_shift(samples * coefficients, config.twiddle.fraction)
    return check(product, config.data, "product with the window")
