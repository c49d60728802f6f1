# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Twiddle factors of the transform of several samples a clock, path by path."""

import numpy as np

from spectramac.model.fft import twiddle_index
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import StagePlan

__all__ = ["multiplied_paths", "path_exponents"]


def path_exponents(config: FFTConfig, stage: StagePlan, path: int) -> list[tuple[int, int]]:
    """Exponents of the factors of a path, and whether each factor is negative, by the number of the word in a block.

    Word t of a frame has sample ``t * config.samples_per_clock + path`` in this path; a block has all factors of the
    pair of stages that ends with ``stage``. With run-time control a second table may follow for frames in two
    dimensions: there the path's part of the index i (:func:`spectramac.model.fft.twiddle_index`) is 0.
    """
    n_paths, number = config.samples_per_clock, stage.m
    log2_block = number + (number < config.log2_n_max)
    index = np.arange(0, 1 << log2_block, n_paths) + path
    tables = [index]
    if not config.is_fixed:
        square = index & ~(min(n_paths, 1 << (number - 1)) - 1)
        if not np.array_equal(square, index):
            tables.append(square)
    exponents = twiddle_index(number, log2_block, False)
    return [
        (int(exponents[n]), int(stage.negates and n >> (number - 1) & 1))
        for n in np.concatenate(tables)
    ]


def multiplied_paths(config: FFTConfig, stage: StagePlan) -> list[int]:
    """Paths whose product takes multipliers after ``stage``: those with factors that are not eighths of the circle.

    One sample a clock always takes them, where the stage has a product.
    """
    if stage.product is None:
        return []
    if config.samples_per_clock == 1:
        return [0]
    eighth = (2 << stage.m) // 8
    return [
        path
        for path in range(config.samples_per_clock)
        if any(e % eighth for e, _ in path_exponents(config, stage, path))
    ]
