# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Magnitude threshold on a spectrum, the reference of :mod:`spectramac.gateware.fft.threshold`."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.model.fft import bit_reverse, fft
from spectramac.model.fft2d import fft2d
from spectramac.model.fixed import Ints
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_streams import level_format

__all__ = ["ThresholdResult", "emission_order", "fft_threshold", "threshold"]


@dataclass(frozen=True)
class ThresholdResult:
    """Bins in the order in which they are emitted, those below the threshold zeroed.

    Attributes
    ----------
    re, im : integer arrays (..., N)
    bin : integer array (N,)
        Number of the bin in each place.
    keep : bool array (..., N)
        Whether the bin reached the threshold.
    overflow : bool array (...)
        Of the transform.
    """

    re: Ints
    im: Ints
    bin: Ints
    keep: NDArray[np.bool_]
    overflow: NDArray[np.bool_]


def emission_order(config: FFTConfig, log2_n: int) -> Ints:
    """Number of the bin in each place of a frame of ``2**log2_n`` results; ``k1*C + k2`` in fixed two dimensions."""
    numbers = np.arange(1 << log2_n)
    if config.order == "natural":
        return numbers
    if not config.log2_columns:
        return bit_reverse(1 << log2_n)
    n_columns = 1 << config.log2_columns
    rows, columns = bit_reverse(len(numbers) // n_columns), bit_reverse(n_columns)
    return rows[numbers // n_columns] * n_columns + columns[numbers % n_columns]


def fft_threshold(
    z_re: Any,
    z_im: Any,
    level: Any,
    *,
    config: FFTConfig,
    two_d: bool = False,
    inverse: bool = False,
    halve: int = 0,
) -> ThresholdResult:
    """Transform frames, then keep ``X[k]`` where ``re² + im² >= level`` and zero it elsewhere; exact.

    Parameters
    ----------
    z_re, z_im : (..., N) integer arrays
        As for :func:`spectramac.model.fft.fft`; with :attr:`FFTConfig.log2_columns` samples ``n1*C + n2`` of a tile.
    level : int, or integer array (...)
        Of each frame, in squared units of the last place: ``ceil(τ²)`` keeps ``|X| >= τ``. Must fit
        :func:`spectramac.spec.fft_streams.level_format`; 0 keeps everything.
    config, two_d, inverse, halve
        As for :func:`spectramac.model.fft.fft`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range.
    """
    z_re, z_im = np.asarray(z_re), np.asarray(z_im)
    shape = z_re.shape
    log2_n = shape[-1].bit_length() - 1
    if config.log2_columns:
        tiles = (*shape[:-1], -1, 1 << config.log2_columns)
        spectrum = fft2d(z_re.reshape(tiles), z_im.reshape(tiles), config=config)
    else:
        spectrum = fft(
            z_re, z_im, config=config, log2_n=log2_n, two_d=two_d, inverse=inverse, halve=halve
        )
    order = emission_order(config, log2_n)
    re, im = (part.reshape(shape)[..., order] for part in (spectrum.re, spectrum.im))
    keep = threshold(re, im, level, config=config)
    zero = np.int64(0)
    return ThresholdResult(
        np.where(keep, re, zero), np.where(keep, im, zero), order, keep, spectrum.overflow
    )


def threshold(re: Ints, im: Ints, level: Any, *, config: FFTConfig) -> NDArray[np.bool_]:
    """Where ``re² + im² >= level``; see :func:`fft_threshold`."""
    fmt = level_format(config)
    levels = np.asarray(level, object)
    for value in levels.ravel().tolist():
        if not fmt.holds(value):
            raise ValueError(f"level must be from 0 to {fmt.maximum}, not {value!r}")
    # The level, and squares of more than 31 bits, do not fit NumPy's integers; Python's do.
    a, b = re.astype(object), im.astype(object)
    return np.asarray(a * a + b * b >= levels[..., None], np.bool_)
