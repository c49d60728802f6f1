# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Dense networks of given widths, trained and kept: where compression starts from."""

import hashlib
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from spectramac.compress.blocks import Floats
from spectramac.compress.post_training import DenseLayer, load_weights
from spectramac.compress.train import fit
from spectramac.compress.whole_file import whole_file

__all__ = ["cached_dense", "cached_file", "train_dense"]


def train_dense(
    sizes: Sequence[int],
    x: Floats,
    y: NDArray[np.int64],
    *,
    epochs: int,
    seed: int,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-2,
    device: str | None = None,
) -> list[DenseLayer]:
    """Train a chain of dense layers with ReLU between them.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, hidden layers, outputs.
    x : float array (samples, inputs)
    y : int array (samples,)
    epochs, seed : int
    learning_rate, weight_decay : float
        Of AdamW.
    device : str, optional
        Default: CUDA if there is any.
    """
    torch.manual_seed(seed)
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    modules: list[nn.Module] = []
    for a, b in pairwise(sizes):
        modules += [nn.Linear(a, b), nn.ReLU()]
    model = nn.Sequential(*modules[:-1]).to(place)
    fit(
        model,
        torch.tensor(x, dtype=torch.float32, device=place),
        torch.tensor(y, device=place),
        loss=lambda logits, labels, _: functional.cross_entropy(
            logits, labels, label_smoothing=0.05
        ),
        epochs=epochs,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        generator=torch.Generator().manual_seed(seed),
    )
    return [
        (m.weight.detach().cpu().double().numpy(), m.bias.detach().cpu().double().numpy())
        for m in model
        if isinstance(m, nn.Linear)
    ]


def cached_dense(
    folder: Path,
    sizes: Sequence[int],
    x: Floats,
    y: NDArray[np.int64],
    *,
    epochs: int,
    seed: int,
    **options: Any,
) -> list[DenseLayer]:
    """As :func:`train_dense`, but what was trained before with the same arguments is read from ``folder``.

    A file appears whole or not at all, so that processes may share the folder.
    """

    def train() -> list[DenseLayer]:
        return train_dense(sizes, x, y, epochs=epochs, seed=seed, **options)

    name = f"dense-{'-'.join(map(str, sizes))}"
    return load_weights(
        cached_file(folder, name, (epochs, seed, sorted(options.items())), x, y, train)
    )


def cached_file(
    folder: Path,
    name: str,
    arguments: tuple[Any, ...],
    x: Floats,
    y: NDArray[np.int64],
    train: Callable[[], list[DenseLayer]],
) -> Path:
    """The file with arrays ``w0``, ``b0``, ``w1``, … that ``train`` gives, made if it is not in ``folder`` yet.

    Its name is made of ``name``, the arguments and the data.
    """
    given = repr(arguments).encode()
    digest = hashlib.sha256(given + np.ascontiguousarray(x).tobytes() + y.tobytes()).hexdigest()
    path = folder / f"{name}-{digest[:12]}.npz"
    if not path.exists():
        arrays: dict[str, Any] = {}
        for i, (w, b) in enumerate(train()):
            arrays |= {f"w{i}": w, f"b{i}": b}
        with whole_file(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **arrays)
    return path
