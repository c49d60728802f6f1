# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The recipe of the demonstration: plan, augmentation, teacher, student, and the integer network."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from spectramac.compress.data import INPUT_SCALE
from spectramac.compress.lanes import lane_balanced, reach_of_bits
from spectramac.compress.quantize import activation_scale, assemble, quantize_coefficients
from spectramac.compress.sft import orthonormal_sft
from spectramac.compress.techniques import Stage
from spectramac.compress.threshold import column_rms
from spectramac.compress.torch_stage import StageLinear
from spectramac.compress.train import (
    Position,
    SpectralNetwork,
    cubic_density,
    distillation_loss,
    fit,
)
from spectramac.model.layer import run_layer
from spectramac.model.network import Layer, Network, Transform

__all__ = [
    "LayerPlan",
    "Recipe",
    "augment",
    "make_student",
    "to_network",
    "to_real",
    "train_student",
    "train_teacher",
]

Ints = NDArray[Any]

IDENTITY = Transform()
FFT8 = Transform("fft1d", 8)
IMAGE = Transform("fft2d", 64)


@dataclass(frozen=True)
class LayerPlan:
    """One layer of the student.

    ``words`` is how many coefficient words (a pair for every lane) it keeps.
    """

    n_out: int
    t_in: Transform
    t_out: Transform
    words: int
    bits: int = 4


@dataclass(frozen=True)
class Recipe:
    """Everything that training depends on besides the seed."""

    plan: tuple[LayerPlan, ...] = (
        LayerPlan(256, IMAGE, FFT8, 400),
        LayerPlan(128, FFT8, FFT8, 200),
        LayerPlan(10, FFT8, IDENTITY, 60),
    )
    n_lanes: int = 3
    teacher_epochs: int = 150
    prune_epochs: int = 150
    tune_epochs: int = 150
    teacher_rate: float = 4e-3
    prune_rate: float = 2e-2
    tune_rate: float = 1e-2
    mask_every: int = 3
    distillation: float = 0.7
    temperature: float = 3.0

    @property
    def sizes(self) -> list[int]:
        """64, then the outputs of the layers."""
        return [64, *(layer.n_out for layer in self.plan)]


def augment(
    x: Tensor,
    generator: torch.Generator,
    image: tuple[int, int] = (8, 8),
    step: float = INPUT_SCALE,
) -> Tensor:
    """Distort half of the images: shift (an eighth), rotate (10°), scale (10 %), shear (10 %),
    each at random.

    A small student learns the undistorted digits better if it also sees them; values stay int8
    steps, of the real value ``step``.
    """
    n = len(x)
    draws = torch.rand(5, n, generator=generator) * 2 - 1
    angle, scale = draws[0] * (np.pi / 18), 1 + 0.1 * draws[1]
    dx, dy, shear = draws[2] / 4, draws[3] / 4, 0.1 * draws[4]
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    top = torch.stack([cos, shear - sin, dx], 1)
    bottom = torch.stack([sin, cos, dy], 1)
    grid = functional.affine_grid(
        torch.stack([top, bottom], 1), [n, 1, *image], align_corners=False
    )
    moved = functional.grid_sample(x.view(n, 1, *image), grid, align_corners=False).view(n, -1)
    distorted = torch.round(moved / step) * step
    return torch.where(torch.rand(n, 1, generator=generator) < 0.5, x, distorted)


def to_real(x: Ints) -> Tensor:
    return torch.tensor(np.asarray(x, np.float32) * INPUT_SCALE)


def train_teacher(recipe: Recipe, x: Tensor, y: Tensor, seed: int) -> nn.Sequential:
    """The dense float network: Linear and ReLU in turn."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for a, b in pairwise(recipe.sizes):
        layers += [nn.Linear(a, b), nn.ReLU()]
    teacher = nn.Sequential(*layers[:-1])
    fit(
        teacher,
        x,
        y,
        loss=lambda logits, labels, _: functional.cross_entropy(
            logits, labels, label_smoothing=0.05
        ),
        epochs=recipe.teacher_epochs,
        learning_rate=recipe.teacher_rate,
        weight_decay=1e-2,
        augment=augment,
        generator=torch.Generator().manual_seed(seed),
    )
    return teacher.requires_grad_(False)


def make_student(recipe: Recipe, teacher: nn.Sequential) -> SpectralNetwork:
    """Spectral layers that compute exactly what the teacher does, nothing thresholded yet."""
    layers = []
    n_in = 64
    for plan, dense in zip(recipe.plan, list(teacher)[::2], strict=True):
        assert isinstance(dense, nn.Linear)
        S = orthonormal_sft(dense.weight.double().numpy(), plan.t_in, plan.t_out)
        stage = Stage(
            n_in=n_in, n_out=plan.n_out, t_in=plan.t_in, t_out=plan.t_out, spectrum=S,
            mask=np.ones(S.shape, np.bool_),
        )  # fmt: skip
        layers.append(StageLinear(stage, dense.bias.double().numpy(), plan.bits))
        n_in = plan.n_out
    return SpectralNetwork(layers)


def _spectral_layers(student: SpectralNetwork) -> list[StageLinear]:
    return [layer for layer in student.layers if isinstance(layer, StageLinear)]


@torch.no_grad()
def threshold_student(recipe: Recipe, student: SpectralNetwork, x: Tensor, progress: float) -> None:
    """Set the masks to those of the cubic schedule, weighted by the activations of the student itself."""
    inputs = [x, *student.trace(x)]
    for plan, layer, seen in zip(recipe.plan, _spectral_layers(student), inputs, strict=False):
        S = layer.spectrum.numpy().astype(np.float64)
        pairs = S.size / 2
        density = cubic_density(progress, plan.words * recipe.n_lanes / pairs)
        reach = reach_of_bits(plan.bits) if progress >= 1 else None
        weights = column_rms(seen.numpy(), plan.t_in)
        layer.set_mask(lane_balanced(S, density, recipe.n_lanes, weights, max_gap=reach))


@torch.no_grad()
def start_quantization(student: SpectralNetwork, x: Tensor) -> None:
    """Give every layer its first coefficient and activation steps."""
    for layer in _spectral_layers(student):
        codes = quantize_coefficients(layer.numpy_spectrum(), layer.bits, "layer")
        layer.start_quantization(float(codes.steps[0]))
    for activation, values in zip(student.activations, student.trace(x), strict=True):
        activation.start(activation_scale(values.numpy(), "percentile"))


def train_student(
    recipe: Recipe, teacher: nn.Sequential, x: Tensor, y: Tensor, seed: int
) -> SpectralNetwork:
    """Threshold gradually, fix the masks, then train through the quantizers."""
    student = make_student(recipe, teacher)

    def loss(logits: Tensor, labels: Tensor, inputs: Tensor) -> Tensor:
        return distillation_loss(
            logits,
            labels,
            teacher(inputs),
            weight=recipe.distillation,
            temperature=recipe.temperature,
        )

    def prune(epoch: Position) -> None:
        progress = epoch.progress / 0.7
        if epoch.index % recipe.mask_every == 0 and progress < 1 + recipe.mask_every / epoch.of:
            threshold_student(recipe, student, x, progress)

    generator = torch.Generator().manual_seed(seed + 1)
    stages: list[tuple[int, float, Callable[[Position], None] | None]] = [
        (recipe.prune_epochs, recipe.prune_rate, prune),
        (recipe.tune_epochs, recipe.tune_rate, None),
    ]
    for epochs, rate, callback in stages:
        if callback is None:
            threshold_student(recipe, student, x, 1.0)
            start_quantization(student, x)
        fit(
            student,
            x,
            y,
            loss=loss,
            epochs=epochs,
            learning_rate=rate,
            augment=augment,
            generator=generator,
            before_epoch=callback,
        )
    return student


def to_network(recipe: Recipe, student: SpectralNetwork, x: Ints) -> Network:
    """The integer network of a trained student; ``x`` (batch, 64) int8 is the calibration data."""
    layers: list[Layer] = []
    scale = INPUT_SCALE
    values = np.asarray(x, np.int64)
    for i, (plan, layer) in enumerate(zip(recipe.plan, _spectral_layers(student), strict=True)):
        assert layer.bias is not None
        output_scale = float(student.activations[i].step)
        layers.append(
            assemble(
                f"fc{i + 1}",
                quantize_coefficients(layer.numpy_spectrum(), layer.bits, layer.step),
                n_in=layer.n_in,
                n_out=layer.n_out,
                t_in=plan.t_in,
                t_out=plan.t_out,
                bias=layer.bias.detach().double().numpy(),
                input_scale=scale,
                output_scale=output_scale,
                calibration=values,
                relu=i < len(recipe.plan) - 1,
            )
        )
        values = run_layer(layers[-1], values).y
        scale = output_scale
    return Network(layers=tuple(layers), input_scale=INPUT_SCALE, output_scale=scale)
