# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A small classification task and a network for it that needs no training: clusters, random features, ridge."""

import numpy as np

from spectramac.compress.post_training import DenseLayer

__all__ = ["N_CLASSES", "N_IN", "clusters", "trained"]

N_CLASSES = 4
N_IN = 32
_N_HIDDEN = 24


def clusters(n: int = 160, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Real inputs (n, 32) around a centre for each label, and labels (n,)."""
    centres = np.random.default_rng(99).random((N_CLASSES, N_IN))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, N_CLASSES, n)
    return centres[labels] + 0.2 * rng.normal(size=(n, N_IN)), labels


def trained() -> list[DenseLayer]:
    """32 → 24 → 4: a random hidden layer, and a classifier by least squares."""
    x, labels = clusters(400, seed=7)
    rng = np.random.default_rng(1)
    w, b = rng.normal(size=(_N_HIDDEN, N_IN)) / 6, rng.normal(size=_N_HIDDEN) / 4
    features = np.column_stack([np.maximum(x @ w.T + b, 0), np.ones(len(x))])
    gram = features.T @ features + 0.1 * np.eye(_N_HIDDEN + 1)
    solution = np.linalg.solve(gram, features.T @ np.eye(N_CLASSES)[labels])
    return [(w, b), (solution[:-1].T.copy(), solution[-1].copy())]
