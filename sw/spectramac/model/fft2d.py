# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Two-dimensional transform of tiles, in rows and columns; the arithmetic is :func:`spectramac.model.fft.fft`.

Samples are numbered row by row, ``n1*C + n2`` for R rows of C columns. In that numbering the transform in two
dimensions is one of R·C points without some of its twiddle factors, so nothing is transposed on the way.
"""

from typing import Any

import numpy as np

from spectramac.model.fft import FFTResult, bit_reverse, fft
from spectramac.spec.fft_config import FFTConfig

__all__ = ["fft2d"]


def fft2d(z_re: Any, z_im: Any, *, config: FFTConfig, bit_reversed: bool = False) -> FFTResult:
    """Transform tiles of complex integers: ``X[k1, k2] = Σ z[n1, n2] exp(-2πj (k1 n1/R + k2 n2/C))``.

    Parameters
    ----------
    z_re, z_im : (..., R, C) integer arrays
        Must fit ``config.data``.
    config : FFTConfig
        With :attr:`FFTConfig.log2_columns`; its scaling applies to R·C points.
    bit_reversed : bool
        ``X[k1, k2]`` is at ``[bit_reverse(R)[k1], bit_reverse(C)[k2]]``: the order in which the pipeline emits it, row
        by row.

    Returns
    -------
    FFTResult
        Arrays of the shape of the input, and ``overflow`` of shape (...).

    Raises
    ------
    ValueError, TypeError
        If ``config`` is in one dimension, or the data do not fit.
    """
    if not config.log2_columns:
        raise ValueError(f"config must be in two dimensions, not {config!r}")
    n_columns = 1 << config.log2_columns
    tile = (config.n_max // n_columns, n_columns)
    parts = [np.asarray(z_re), np.asarray(z_im)]
    for name, part in zip(("z_re", "z_im"), parts, strict=True):
        if part.shape[-2:] != tile:
            raise ValueError(f"{name} must have last axes of {tile}, not shape {part.shape}")
    result = fft(
        *(part.reshape(*part.shape[:-2], -1) for part in parts),
        config=config,
        log2_n=config.log2_n_max,
        two_d=True,
    )
    # It gives index k2*R + k1.
    re, im = (
        part.reshape(*part.shape[:-1], *tile[::-1]).swapaxes(-1, -2)
        for part in (result.re, result.im)
    )
    if bit_reversed:
        rows, columns = (bit_reverse(n) for n in tile)
        re, im = (part[..., rows[:, None], columns] for part in (re, im))
    return FFTResult(re, im, result.overflow, result.exponent)
