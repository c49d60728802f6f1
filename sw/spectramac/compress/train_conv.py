# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Training of convolutional networks: dense ones, and compressed ones distilled from them.

As :mod:`spectramac.compress.train_compressed`, with the same two phases. The engine does not run convolutions yet,
so the result is not exported: accuracies are those of the fake-quantized network, which rounds coefficients and
activations to the integers that a golden model would compute with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
from spectramac.compress.post_training import Choice, DenseLayer, check_place
from spectramac.compress.procedure import Procedure
from spectramac.compress.quantize import activation_scale
from spectramac.compress.size import Cost
from spectramac.compress.techniques import ConvStage, Stage, StructuredConv
from spectramac.compress.techniques.conv import stages_cost
from spectramac.compress.torch_layers import StructuredConv2d, StructuredLinear
from spectramac.compress.torch_stage import to_float
from spectramac.compress.train import SpectralNetwork, fit
from spectramac.compress.train_compressed import Augment, on_steps, run_procedure
from spectramac.compress.train_dense import cached_file
from spectramac.compress.train_recipe import augment
from spectramac.compress.train_student import ThresholdedNetwork, structure
from spectramac.model.network import Layer
from spectramac.spec.config import AcceleratorConfig

__all__ = [
    "TrainedConv",
    "cached_dense_conv",
    "dense_conv_network",
    "layer_inputs",
    "masks_cost",
    "predict",
    "train_conv",
    "train_dense_conv",
]

_SAMPLE = 256
"""Inputs that masks and first steps are chosen by; each has many positions."""


def _pools(architecture: Architecture) -> list[nn.Module]:
    """What follows each layer: pooling, and all positions in a row for the classifier."""
    pools = [
        nn.MaxPool2d(c.pool) if c.pool > 1 else nn.Identity() for c in architecture.convolutions
    ]
    pools[-1] = nn.Sequential(pools[-1], nn.Flatten())
    return [*pools, nn.Identity()]


def _images(x: NDArray[Any] | Tensor, architecture: Architecture) -> Tensor:
    """Inputs (samples, pixels) as (samples, 1, height, width)."""
    flat = x if isinstance(x, Tensor) else to_float(x)
    return flat.reshape(-1, 1, *architecture.image)


def dense_conv_network(layers: Sequence[DenseLayer], architecture: Architecture) -> SpectralNetwork:
    """A chain in floating point, not to be trained."""
    modules: list[nn.Module] = []
    for weights, bias in layers:
        if weights.ndim == 4:
            n_out, n_in, kernel, _ = weights.shape
            module = nn.utils.skip_init(nn.Conv2d, n_in, n_out, kernel, padding=kernel // 2)
        else:
            module = nn.utils.skip_init(nn.Linear, weights.shape[1], len(weights))
        module.weight.data, module.bias.data = to_float(weights), to_float(bias)
        modules.append(module)
    return SpectralNetwork(modules, _pools(architecture)).requires_grad_(False)


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
        modules.append(nn.Conv2d(n_in, c.n_out, c.kernel, padding=c.kernel // 2))
        n_in = c.n_out
    modules.append(nn.Linear(architecture.n_features, architecture.n_classes))
    model = SpectralNetwork(modules, _pools(architecture)).to(where)
    fit(
        model,
        _images(x, architecture).to(where),
        torch.tensor(y, device=where),
        loss=lambda logits, labels, _: functional.cross_entropy(
            logits, labels, label_smoothing=0.05
        ),
        epochs=epochs,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        augment=_flat(augment, architecture),
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


def _flat(augment: Augment | None, architecture: Architecture) -> Augment | None:
    """An augmentation of rows of pixels as one of images."""
    if augment is None:
        return None
    change = augment
    return lambda x, generator: _images(change(x.flatten(1), generator), architecture)


@torch.no_grad()
def predict(network: SpectralNetwork, x: NDArray[Any], architecture: Architecture) -> Floats:
    """Inputs (samples, pixels) to outputs (samples, classes)."""
    return np.asarray(network(_images(x, architecture)).double().numpy(), np.float64)


@torch.no_grad()
def layer_inputs(
    layers: Sequence[DenseLayer], architecture: Architecture, x: Floats
) -> list[Floats]:
    """What every layer of a dense chain reads, for inputs (samples, pixels)."""
    images = _images(x, architecture)
    values = dense_conv_network(layers, architecture).trace(images)[:-1]
    return [v.double().numpy() for v in (images, *values)]


def _runs(stage: Stage, size: tuple[int, int]) -> int:
    return stage.runs(size) if isinstance(stage, ConvStage) else 1


def _cost(
    stages: Sequence[Sequence[Stage]],
    stored: Sequence[Layer],
    architecture: Architecture,
    config: AcceleratorConfig,
) -> Cost:
    sizes = [*architecture.sizes, (1, 1)]
    runs = [_runs(s, size) for own, size in zip(stages, sizes, strict=True) for s in own]
    return stages_cost([s for own in stages for s in own], stored, runs, config)


def masks_cost(
    layers: Sequence[DenseLayer],
    architecture: Architecture,
    choices: Sequence[Choice],
    config: AcceleratorConfig,
) -> Cost:
    """What a chain would cost as it is compressed first, untrained: refuses what cannot be laid out.

    Raises
    ------
    CompileError, ValueError
        If a technique does not suit its layer, or the layer the configuration.
    """
    fits = [c.technique.fit(w, c.density).stages for (w, _), c in zip(layers, choices, strict=True)]
    stored = [s.skeleton(c.quantization) for own, c in zip(fits, choices, strict=True) for s in own]
    return _cost(fits, stored, architecture, config)


@dataclass(frozen=True, eq=False)
class TrainedConv:
    """The result of training: rounds coefficients and activations to integers, in floating point.

    Parameters
    ----------
    student : ThresholdedNetwork
        On the CPU, quantized.
    architecture : Architecture
        Its kernels and pools count; the channels are those of the student.
    input_scale : float
        Real value of one int8 step of the input.
    """

    student: ThresholdedNetwork
    architecture: Architecture
    input_scale: float

    def predict(self, x: NDArray[Any]) -> Floats:
        """Real inputs (samples, pixels) to outputs (samples, classes), rounded to the output's steps."""
        inputs = on_steps(to_float(x), self.input_scale)
        return predict(self.student, inputs, self.architecture)

    def cost(self, config: AcceleratorConfig) -> Cost:
        """Bytes as a compiled image of these integers would hold, and multiplications of one inference.

        Coefficients that were rounded to zero are not stored, as in the export of fully-connected layers.
        """
        stages, stored = [], []
        for layer, choice in zip(self.student.layers, self.student.choices, strict=True):
            own = layer.to_structured().stages
            stages.append(own)
            stored += [
                stage.skeleton(choice.quantization, codes.codes)
                for stage, codes in zip(own, layer.codes(), strict=True)
            ]
        return _cost(stages, stored, self.architecture, config)


def _student(
    layers: Sequence[DenseLayer],
    architecture: Architecture,
    choices: Sequence[Choice],
    x: Floats,
) -> ThresholdedNetwork:
    modules: list[nn.Module] = []
    inputs = layer_inputs(layers, architecture, x)
    for i, ((weights, bias), choice) in enumerate(zip(layers, choices, strict=True)):
        structured = structure(choice, weights, inputs[i])
        check_place(i, structured)
        bits = choice.quantization.bits
        if isinstance(structured, StructuredConv):
            modules.append(StructuredConv2d(structured, bias, bits, weights.shape[2] // 2))
        else:
            modules.append(StructuredLinear(structured, bias, bits))
    return ThresholdedNetwork(modules, choices, _pools(architecture))


def train_conv(
    layers: Sequence[DenseLayer],
    architecture: Architecture,
    choices: Sequence[Choice],
    x: NDArray[Any],
    y: NDArray[Any],
    procedure: Procedure,
    seed: int = 0,
    *,
    input_scale: float | None = None,
    teacher: Sequence[DenseLayer] | None = None,
    augment: Augment | None = None,
    device: str | torch.device | None = None,
) -> TrainedConv:
    """Compress and train a chain of convolutions and a classifier.

    Parameters
    ----------
    layers : sequence of (weights, bias)
        Convolutions (n_out, n_in, kernel, kernel), then the classifier (n_classes, n_features), whose columns
        are in the order channel, row, column.
    architecture : Architecture
    choices : sequence of Choice
        One a layer. Techniques that remove filters are not for here: remove them from the chain first.
    x : float array (samples, pixels)
        Training inputs; rounded to int8 steps first.
    y : int array (samples,)
    procedure : Procedure
    seed : int
    input_scale : float, optional
        Real value of one int8 step of the input. Default: 1 / 127 of the largest.
    teacher : sequence of (weights, bias), optional
        Of the same architecture, with as many channels or more. Default: ``layers``.
    augment : callable (batch (samples, pixels), generator) -> batch, optional
    device : str or torch.device, optional
        Default: CUDA where there is one, else the CPU. The result is on the CPU.

    Raises
    ------
    ValueError
        If a technique cannot be at its place.
    """
    scale = activation_scale(x, "max") if input_scale is None else input_scale
    generator = torch.Generator().manual_seed(seed)
    inputs = _images(on_steps(to_float(x), scale), architecture)
    sample = inputs[torch.randperm(len(inputs), generator=generator)[:_SAMPLE]]
    student = _student(layers, architecture, choices, sample.flatten(1).double().numpy())
    run_procedure(
        student,
        dense_conv_network(teacher or layers, architecture),
        inputs,
        torch.tensor(np.asarray(y, np.int64)),
        sample,
        procedure,
        generator,
        input_scale=scale,
        augment=_flat(augment, architecture),
        device=device,
    )
    return TrainedConv(student, architecture, scale)
