# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Techniques for matrices, and a layer to try them on."""

import numpy as np

from spectramac.compress.techniques import (
    BlockCirculant,
    LowRank,
    NeuronPruning,
    Pruning,
    RowsSft,
    Selection,
    Sft,
    SpectralInput,
    Technique,
)
from spectramac.model.network import Transform
from spectramac.spec.config import preset

__all__ = ["ALL", "COMPLEX", "CONFIG", "EXACT", "FFT8", "IDENTITY", "ids", "images", "matrix"]

CONFIG = preset("small").replace(log2_n_max=8)
IDENTITY = Transform()
FFT8 = Transform("fft1d", 8)

EXACT: list[Technique] = [
    Sft(),
    Sft(block_in=None, block_out=None),
    Sft(block_in=16, block_out=8, selection=Selection("bin")),
    Sft(selection=Selection("value")),
    Sft(selection=Selection("lanes")),
    RowsSft(),
    RowsSft(None, Selection("value")),
    SpectralInput((6, 9)),
    SpectralInput((6, 9), tile=4, bins=1.0),
    SpectralInput((6, 9), tile=8, block_out=8),
    Pruning(Selection("value")),
    Pruning(Selection("pair")),
    Pruning(Selection("lanes")),
    NeuronPruning("l1"),
    NeuronPruning("l2"),
    LowRank(),
]
"""Reproduce any matrix at density 1."""
COMPLEX: list[Technique] = [Sft(form="complex"), BlockCirculant(), BlockCirculant(16)]
"""Reproduce only matrices of their form."""
ALL = EXACT + COMPLEX


def ids(technique: Technique) -> str:
    return str(technique)


def matrix(n_out: int = 21, n_in: int = 54, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    smooth = np.cumsum(np.cumsum(rng.normal(size=(n_out, n_in)), axis=0), axis=1)
    smooth -= smooth.mean(axis=1, keepdims=True)
    return smooth / np.abs(smooth).max() + rng.normal(size=(n_out, n_in)) / 10


def images(n_in: int = 54, batch: int = 40, seed: int = 1) -> np.ndarray:
    """Inputs whose columns differ much in size."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 128, (batch, n_in)) * np.geomspace(0.01, 1, n_in)
