# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A small chain of dense layers and a task for it, for tests of training."""

import numpy as np
from tests.compress.clusters import N_CLASSES, N_IN, clusters

from spectramac.compress.post_training import Choice, DenseLayer
from spectramac.compress.procedure import Procedure
from spectramac.compress.techniques import (
    BlockCirculant,
    LowRank,
    NeuronPruning,
    Pruning,
    Quantization,
    RowsSft,
    Sft,
    SpectralInput,
)

__all__ = ["CHAINS", "SHORT", "chain", "choices", "task"]

_HIDDEN = (24, 16)
SHORT = Procedure(
    prune_epochs=3, tune_epochs=2, prune_rate=1e-2, tune_rate=5e-3, batch_size=32, mask_interval=4
)

CHAINS = {
    "sft": (Sft(), Sft(), RowsSft()),
    "complex": (Sft(form="complex"), BlockCirculant(), RowsSft()),
    "prune": (Pruning(), Pruning(), Pruning()),
    "input": (SpectralInput((4, 8)), Sft(16, 8), RowsSft(16)),
    "sparse-input": (SpectralInput((4, 8), bins=0.7), Pruning(), Pruning()),
    "low-rank": (LowRank(), LowRank(), RowsSft()),
    "neurons": (NeuronPruning(), NeuronPruning(), Pruning()),
}
"""Techniques of the three layers."""


def chain(hidden: tuple[int, ...] = _HIDDEN, seed: int = 0) -> list[DenseLayer]:
    """Random features, and a classifier by least squares: no training."""
    x, labels = task(400, seed=7)
    rng = np.random.default_rng(seed)
    layers: list[DenseLayer] = []
    for n in hidden:
        w = rng.normal(size=(n, x.shape[1])) / np.sqrt(x.shape[1])
        layers.append((w, rng.normal(size=n) / 4))
        x = np.maximum(x @ w.T + layers[-1][1], 0)
    features = np.column_stack([x, np.ones(len(x))])
    gram = features.T @ features + 20 * np.eye(features.shape[1])
    solution = np.linalg.solve(gram, features.T @ (4 * np.eye(N_CLASSES)[labels] - 1))
    return [*layers, (solution[:-1].T.copy(), solution[-1].copy())]


def choices(name: str, density: float = 0.4, steps: str = "layer", bits: int = 6) -> list[Choice]:
    """For :func:`chain`, at the same density in all layers."""
    quantization = Quantization(bits, steps)  # type: ignore[arg-type]
    return [Choice(technique, density, quantization) for technique in CHAINS[name]]


def task(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Real inputs (n, 32) of at least 0, and labels."""
    x, labels = clusters(n, seed)
    assert x.shape[1] == N_IN
    return np.maximum(x, 0), labels
