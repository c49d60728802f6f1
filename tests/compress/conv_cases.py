# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Small images to be classified, and a small convolutional network, for tests."""

import numpy as np

from spectramac.compress.conv_chain import Architecture, Convolution
from spectramac.compress.post_training import DenseLayer

__all__ = ["NET", "bars", "random_chain"]

NET = Architecture((8, 8), (Convolution(8, 5, pool=2), Convolution(16, 3, pool=2)), 4)


def bars(n: int = 160, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noisy images (n, 64), of at least 0, with a bar in one of four directions somewhere; labels (n,)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    images = np.zeros((n, 8, 8))
    t = np.arange(5)
    for image, label in zip(images, labels, strict=True):
        row, column = rng.integers(0, 4, 2)
        down = (0 * t + 2, t, t, t[::-1])[label]
        across = (t, 0 * t + 2, t, t)[label]
        image[row + down - (label == 0), column + across - (label == 1)] = 1
    noisy = images + 0.2 * rng.random(images.shape)
    return noisy.reshape(n, 64), labels


def random_chain(architecture: Architecture = NET, seed: int = 0) -> list[DenseLayer]:
    """Weights that nobody trained."""
    rng = np.random.default_rng(seed)
    layers: list[DenseLayer] = []
    n_in = 1
    for c in architecture.convolutions:
        shape = (c.n_out, n_in, c.kernel, c.kernel)
        layers.append(
            (rng.normal(size=shape) / np.sqrt(n_in * c.kernel**2), rng.normal(size=c.n_out) / 4)
        )
        n_in = c.n_out
    shape = (architecture.n_classes, architecture.n_features)
    return [*layers, (rng.normal(size=shape) / 4, np.zeros(architecture.n_classes))]
