# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A convolutional network that teaches small ones: it is never compressed or run by the engine. Needs PyTorch."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from spectramac.compress.whole_file import whole_file

__all__ = ["cached_conv_logits", "conv_teacher", "logits_of", "train_conv_teacher"]

_BATCH = 128
_RATE = 4e-3
_DECAY = 5e-2
_CHUNK = 1000


def _block(n_in: int, n_out: int) -> list[nn.Module]:
    convolution = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(n_out), nn.ReLU()]


def conv_teacher(shape: tuple[int, int], n_classes: int, width: int = 24) -> nn.Sequential:
    """Five 3 x 3 convolutions with batch normalization, two poolings: (batch, height * width) to (batch, n_classes).

    Parameters
    ----------
    shape : (int, int)
        Height and width of the images, at least 4.
    n_classes : int
    width : int
        Channels of the first convolution; the others have twice and four times as many.
    """
    return nn.Sequential(
        nn.Unflatten(1, (1, *shape)),
        *_block(1, width),
        nn.MaxPool2d(2),
        *_block(width, 2 * width),
        *_block(2 * width, 2 * width),
        nn.MaxPool2d(2),
        *_block(2 * width, 4 * width),
        *_block(4 * width, 4 * width),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(4 * width, n_classes),
    )


def train_conv_teacher(
    versions: NDArray[np.int8],
    y: NDArray[np.int64],
    shape: tuple[int, int],
    *,
    epochs: int,
    seed: int,
    width: int = 24,
    device: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> nn.Sequential:
    """Train it on versions of images, a random one of each in every epoch.

    Parameters
    ----------
    versions : int8 array (versions, samples, height * width)
        See :func:`~spectramac.compress.versions.image_versions`.
    y : int array (samples,)
    shape : (int, int)
    epochs, seed : int
    width : int
        See :func:`conv_teacher`.
    device : str, optional
        Default: CUDA if there is any.
    progress : callable (epochs done, of how many), optional

    Returns
    -------
    nn.Sequential
        On the device, in evaluation mode; takes inputs in int8 steps divided by 64.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    model = conv_teacher(shape, int(y.max()) + 1, width)
    # A third faster on the CPU.
    model = model.to(place, memory_format=torch.channels_last)
    x, labels = torch.from_numpy(versions), torch.tensor(y)
    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=_DECAY, foreach=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _RATE, total_steps=epochs * -(-len(y) // _BATCH), pct_start=0.2
    )
    for epoch in range(epochs):
        model.train()
        for batch in torch.split(torch.randperm(len(y), generator=generator), _BATCH):
            version = torch.randint(len(x), (len(batch),), generator=generator)
            logits = model(_real(x[version, batch], place))
            loss = functional.cross_entropy(logits, labels[batch].to(place), label_smoothing=0.05)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
        if progress is not None:
            progress(epoch + 1, epochs)
    return model.eval()


def _real(x: Tensor, device: torch.device) -> Tensor:
    return x.to(device, torch.float32) / 64


@torch.no_grad()
def logits_of(model: nn.Module, x: NDArray[np.int8]) -> NDArray[np.float32]:
    """Of int8 inputs (samples, n_in): float array (samples, classes)."""
    device = next(model.parameters()).device
    parts = torch.split(torch.from_numpy(x), _CHUNK)
    return np.concatenate([model(_real(part, device)).cpu().numpy() for part in parts])


def cached_conv_logits(
    folder: Path,
    versions: NDArray[np.int8],
    y: NDArray[np.int64],
    shape: tuple[int, int],
    *,
    epochs: int,
    seed: int,
    width: int = 24,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Train a teacher and ask it about all versions; what was found before with the same arguments is read.

    Returns
    -------
    float array (versions, samples, classes)
    """
    digest = hashlib.sha256(repr((shape, epochs, seed, width)).encode())
    digest.update(np.ascontiguousarray(versions).tobytes())
    digest.update(y.tobytes())
    path = folder / f"logits-{digest.hexdigest()[:12]}.npy"
    if not path.exists():
        model = train_conv_teacher(
            versions, y, shape, epochs=epochs, seed=seed, width=width, progress=progress
        )
        logits = np.array([logits_of(model, version) for version in versions])
        with whole_file(path) as partial, partial.open("wb") as file:
            np.save(file, logits)
    return np.asarray(np.load(path), np.float32)
