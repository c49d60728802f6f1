# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
r"""Real frames through a complex transform, the reference of :mod:`spectramac.gateware.fft.real`.

:mod:`spectramac.spec.fft_real` has the formulas and formats.

*Error.* Without overflow, the doubled spectra of two frames are off by at most twice the bound of the complex
transform, :func:`spectramac.model.fft.error_bound`. One frame: :func:`real_error_bound`. With B that bound, ``|E|`` and
``|O|`` are off by 2B at most, and the product by another ``δ·A``: δ is the largest error of a rounded twiddle factor
and A the largest ``|O|``, twice full scale. Their sum is divided by two or four, then each part is
rounded.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.model.fft import error_bound, fft, twiddle_table
from spectramac.model.fixed import Ints, check, round_shift, saturate
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_real import check_real, final_narrowing, parts_format
from spectramac.spec.fixed import Format

__all__ = ["RealPairResult", "RealResult", "fft_real", "fft_real_pair", "real_error_bound"]


@dataclass(frozen=True)
class RealPairResult:
    """Doubled bins 0 to N/2 of two real frames, each array (..., N/2 + 1)."""

    first_re: Ints
    first_im: Ints
    second_re: Ints
    second_im: Ints


@dataclass(frozen=True)
class RealResult:
    """Bins 0 to N - 1 of a real frame of 2N samples, arrays (..., N), and its overflow (...).

    Bins 0 and N are real: ``re[0]`` is the one, ``im[0]`` the other.
    """

    re: Ints
    im: Ints
    overflow: NDArray[np.bool_]


def _parts(re: Ints, im: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """E and O for every k."""
    mirror = -np.arange(re.shape[-1])
    re_m, im_m = re[..., mirror], im[..., mirror]
    return re + re_m, im - im_m, im + im_m, re_m - re


def fft_real_pair(x1: Any, x2: Any, *, config: FFTConfig) -> RealPairResult:
    """Twice the spectra of two real frames, from one complex transform.

    Parameters
    ----------
    x1, x2 : (..., N) integer arrays
        Must fit ``config.data``.
    config : FFTConfig
        Of the complex transform: scaling ``"halving"``, with headroom, gives ``2X[k]/N``, ``"growth"`` ``2X[k]``. Its
        order does not matter.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range.
    """
    check_real(config)
    z = fft(x1, x2, config=config, log2_n=config.log2_n_max)
    half = slice(config.n_max // 2 + 1)
    e_re, e_im, o_re, o_im = (part[..., half] for part in _parts(z.re, z.im))
    return RealPairResult(e_re, e_im, o_re, o_im)


def fft_real(x: Any, *, config: FFTConfig) -> RealResult:
    """The spectrum of a real frame of 2N samples, from a complex transform of N points.

    Parameters
    ----------
    x : (..., 2N) integer array
        Must fit ``config.data``.
    config : FFTConfig
        Of the complex transform: scaling ``"halving"``, with headroom, gives ``X[k]/2N``, ``"growth"`` ``X[k]``. Its
        order does not matter.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range.
    """
    check_real(config)
    x = np.asarray(x)
    if x.ndim < 1 or x.shape[-1] != 2 * config.n_max:
        raise ValueError(f"x must have {2 * config.n_max} values in its last axis, not {x.shape}")
    z = fft(x[..., 0::2], x[..., 1::2], config=config, log2_n=config.log2_n_max)
    e_re, e_im, o_re, o_im = _parts(z.re, z.im)
    # The hardware's sum of both parts has no bit more than they have.
    check(o_re[..., 1:] + o_im[..., 1:], parts_format(config), "sum of the parts of O")
    c, s = (
        part[: config.n_max] for part in twiddle_table(config.log2_n_max + 1, config.twiddle_width)
    )
    fraction, narrowing = config.twiddle.fraction, final_narrowing(config)
    re = (e_re << fraction) + c * o_re - s * o_im
    im = (e_im << fraction) + c * o_im + s * o_re
    # Bins 0 and N are E + O and E - O of k = 0, which are real.
    im[..., 0] = (e_re[..., 0] - o_re[..., 0]) << fraction
    assert narrowing.shift is not None
    (re, re_clipped), (im, im_clipped) = (
        saturate(round_shift(part, narrowing.shift), Format(narrowing.width)) for part in (re, im)
    )
    clipped = np.asarray((re_clipped | im_clipped).any(axis=-1))
    assert narrowing.saturates or not clipped.any()
    return RealResult(re, im, clipped)


def real_error_bound(config: FFTConfig) -> float:
    """Largest magnitude of the error of any bin of :func:`fft_real` without overflow (module docstring)."""
    delta = np.sqrt(0.5) / (1 << config.twiddle.fraction)
    amplitude = (1 << config.data_width) * (config.n_max if config.scaling == "growth" else 1)
    transform = error_bound(config, config.log2_n_max)
    divisor = 1 << (final_narrowing(config).shift or 0) - config.twiddle.fraction
    return float((4 * transform + delta * (amplitude + 2 * transform)) / divisor + np.sqrt(0.5))
