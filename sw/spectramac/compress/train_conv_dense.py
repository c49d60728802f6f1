# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Dense convolutional networks in floating point: where compression starts from."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from spectramac.compress.blocks import Floats
from spectramac.compress.conv_chain import Architecture
from spectramac.compress.post_training import DenseLayer
from spectramac.compress.quantize import activation_scale
from spectramac.compress.torch_stage import to_float
from spectramac.compress.train import SpectralNetwork, fit
from spectramac.compress.train_compressed import Augment
from spectramac.compress.train_dense import cached_file
from spectramac.compress.train_recipe import augment

__all__ = [
    "augment_images",
    "cached_dense_conv",
    "dense_conv_network",
    "layer_inputs",
    "pools",
    "predict",
    "to_images",
    "train_dense_conv",
]


def pools(architecture: Architecture) -> list[nn.Module]:
    """What follows each layer: pooling, and all positions in a row for the classifier."""
    found: list[nn.Module] = [
        nn.MaxPool2d(c.pool) if c.pool > 1 else nn.Identity() for c in architecture.convolutions
    ]
    found[-1] = nn.Sequential(found[-1], nn.Flatten())
    return [*found, nn.Identity()]


def to_images(x: NDArray[Any] | Tensor, architecture: Architecture) -> Tensor:
    """Inputs (samples, pixels) as (samples, 1, height, width)."""
    flat = x if isinstance(x, Tensor) else to_float(x)
    return flat.reshape(-1, 1, *architecture.image)


def dense_conv_network(layers: Sequence[DenseLayer], architecture: Architecture) -> SpectralNetwork:
    """A chain in floating point, not to be trained."""
    modules: list[nn.Module] = []
    for i, (weights, bias) in enumerate(layers):
        if weights.ndim == 4:
            n_out, n_in, kernel, _ = weights.shape
            module = nn.utils.skip_init(
                nn.Conv2d, n_in, n_out, kernel,
                padding=kernel // 2, stride=architecture.convolutions[i].stride,
            )  # fmt: skip
        else:
            module = nn.utils.skip_init(nn.Linear, weights.shape[1], len(weights))
        module.weight.data, module.bias.data = to_float(weights), to_float(bias)
        modules.append(module)
    return SpectralNetwork(modules, pools(architecture)).requires_grad_(False)


def train_dense_conv(
    architecture: Architecture,
    x: Floats,
    y: NDArray[np.int64],
    *,
    epochs: int,
    seed: int,
    learning_rate: float = 5e-3,
    weight_decay: float = 1e-2,
    augment: Augment | None = None,
    device: str | None = None,
) -> list[DenseLayer]:
    """Train a chain from scratch.

    Parameters
    ----------
    architecture : Architecture
    x : float array (samples, pixels)
    y : int array (samples,)
    epochs, seed : int
    learning_rate, weight_decay : float
        Of AdamW.
    augment : callable (batch (samples, pixels), generator) -> batch, optional
    device : str, optional
        Default: CUDA if there is any.
    """
    torch.manual_seed(seed)
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    modules: list[nn.Module] = []
    n_in = 1
    for c in architecture.convolutions:
        modules.append(nn.Conv2d(n_in, c.n_out, c.kernel, padding=c.kernel // 2, stride=c.stride))
        n_in = c.n_out
    modules.append(nn.Linear(architecture.n_features, architecture.n_classes))
    model = SpectralNetwork(modules, pools(architecture)).to(where)
    fit(
        model,
        to_images(x, architecture).to(where),
        torch.tensor(y, device=where),
        loss=lambda logits, labels, _: functional.cross_entropy(
            logits, labels, label_smoothing=0.05
        ),
        epochs=epochs,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        augment=augment_images(augment, architecture),
        generator=torch.Generator().manual_seed(seed),
    )
    return [
        tuple(p.detach().cpu().double().numpy() for p in (m.weight, m.bias)) for m in model.layers
    ]


def cached_dense_conv(
    folder: Path,
    architecture: Architecture,
    x: Floats,
    y: NDArray[np.int64],
    *,
    epochs: int,
    seed: int,
) -> list[DenseLayer]:
    """As :func:`train_dense_conv` with distorted images, but kept in ``folder`` as other dense networks are.

    The distortions are those of the demonstration (:func:`~spectramac.compress.train_recipe.augment`); pixels stay
    on int8 steps.
    """
    distort = partial(augment, image=architecture.image, step=activation_scale(x, "max"))

    def train() -> list[DenseLayer]:
        return train_dense_conv(architecture, x, y, epochs=epochs, seed=seed, augment=distort)

    path = cached_file(folder, "conv", (architecture, epochs, seed), x, y, train)
    with np.load(path, allow_pickle=False) as file:
        return [(file[f"w{i}"], file[f"b{i}"]) for i in range(len(file.files) // 2)]


def augment_images(augment: Augment | None, architecture: Architecture) -> Augment | None:
    """An augmentation of rows of pixels as one of images."""
    if augment is None:
        return None
    change = augment
    return lambda x, generator: to_images(change(x.flatten(1), generator), architecture)


@torch.no_grad()
def predict(network: SpectralNetwork, x: NDArray[Any], architecture: Architecture) -> Floats:
    """Inputs (samples, pixels) to outputs (samples, classes)."""
    return np.asarray(network(to_images(x, architecture)).double().numpy(), np.float64)


@torch.no_grad()
def layer_inputs(
    layers: Sequence[DenseLayer], architecture: Architecture, x: Floats
) -> list[Floats]:
    """What every layer of a dense chain reads, for inputs (samples, pixels)."""
    images = to_images(x, architecture)
    values = dense_conv_network(layers, architecture).trace(images)[:-1]
    return [v.double().numpy() for v in (images, *values)]
