# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Training of compressed convolutional networks, distilled from dense ones.

As :mod:`spectramac.compress.train_compressed`, with the same two phases. The result is the fake-quantized network,
which rounds coefficients and activations to the integers that the golden model computes with;
:func:`spectramac.compress.train_conv_export.export_conv` makes the integers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

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
from spectramac.compress.train_compressed import Augment, on_steps, run_procedure
from spectramac.compress.train_conv_dense import (
    augment_images,
    dense_conv_network,
    layer_inputs,
    pools,
    predict,
    to_images,
)
from spectramac.compress.train_student import ThresholdedNetwork, structure
from spectramac.model.network import Layer
from spectramac.spec.config import AcceleratorConfig

__all__ = ["TrainedConv", "masks_cost", "train_conv"]

_SAMPLE = 256
"""Inputs that masks and first steps are chosen by; each has many positions."""


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
            stride = architecture.convolutions[i].stride
            padding = weights.shape[2] // 2
            modules.append(StructuredConv2d(structured, bias, bits, padding, stride))
        else:
            modules.append(StructuredLinear(structured, bias, bits))
    return ThresholdedNetwork(modules, choices, pools(architecture))


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
    inputs = to_images(on_steps(to_float(x), scale), architecture)
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
        augment=augment_images(augment, architecture),
        device=device,
    )
    return TrainedConv(student, architecture, scale)
