# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Some of scikit-learn's digits and a small network for them: a task on which compression costs accuracy."""

from functools import lru_cache

import numpy as np

from spectramac.compress.data import INPUT_SCALE, digits
from spectramac.compress.post_training import DenseLayer

__all__ = ["dense", "labelled"]

_N = 500


@lru_cache
def labelled() -> tuple[np.ndarray, np.ndarray]:
    """Real inputs (500, 64) and labels (500,)."""
    data = digits()
    return data.x_train[:_N].astype(np.float64) * INPUT_SCALE, data.y_train[:_N]


@lru_cache
def dense() -> tuple[DenseLayer, ...]:
    """64 → 32 → 10, trained on other digits than :func:`labelled` gives. Needs PyTorch."""
    from spectramac.compress.train_dense import train_dense

    data = digits()
    x = data.x_train[_N:].astype(np.float64) * INPUT_SCALE
    return tuple(train_dense((64, 32, 10), x, data.y_train[_N:], epochs=20, seed=0, device="cpu"))
