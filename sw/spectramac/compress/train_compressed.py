# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Compression of a chain of dense layers with training: gradual thresholding, then quantization-aware tuning.

In the first phase the coefficients of every layer that can be thresholded are trained while fewer and fewer are
kept: masks are chosen anew from the trained values and the RMS of what they are applied to, at a density that
falls on a cubic schedule. In the second phase masks are fixed, and coefficients and activations are rounded in
the forward pass, with gradients straight through and learned steps. In both the student learns from the labels
and from a dense teacher (:mod:`spectramac.compress.train_distillation`). Without epochs in the first phase,
the second is fine-tuning.

What trains is what the engine multiplies with: :meth:`TrainedNetwork.export` makes the integers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spectramac.compress.blocks import Floats
from spectramac.compress.post_training import ChainBuilder, Choice, DenseLayer, check_chain
from spectramac.compress.procedure import Procedure
from spectramac.compress.quantize import activation_scale
from spectramac.compress.torch_layers import DepthwiseConv2d
from spectramac.compress.torch_stage import StageLinear, to_float
from spectramac.compress.train import Position, TracedNetwork, fit
from spectramac.compress.train_distillation import (
    Imitation,
    VersionedImitation,
    check_teacher,
    dense_network,
)
from spectramac.compress.train_student import Student, ThresholdedNetwork
from spectramac.compress.versions import Versions
from spectramac.model.batch import quantize_input
from spectramac.model.network import Network

__all__ = ["Augment", "TrainedNetwork", "on_steps", "run_procedure", "train_compressed"]

Augment = Callable[[Tensor, torch.Generator], Tensor]
"""Changes a batch at random."""

_SAMPLE = 1024
"""Inputs that masks and first steps are chosen by."""


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """The result of training: rounds coefficients and activations as the engine does, in floating point.

    Parameters
    ----------
    student : Student
        On the CPU, quantized.
    input_scale : float
        Real value of one int8 step of the input.
    """

    student: Student
    input_scale: float

    @torch.no_grad()
    def predict(self, x: NDArray[Any]) -> Floats:
        """Real inputs (batch, n_in) to outputs (batch, n_out), rounded to the output's steps."""
        inputs = on_steps(to_float(x), self.input_scale)
        return np.asarray(self.student(inputs).double().numpy(), np.float64)

    def export(self, calibration: NDArray[Any], *, accumulator_width: int = 27) -> Network:
        """The integer network, with the steps and scales that training found.

        *Agreement with* :meth:`predict`. Given the same int8 inputs, an integer layer without transforms differs
        from the fake-quantized one by at most one output step, where a value lies near the edge of two: integer
        biases are multiples of the accumulator's unit, and the multiplier has 15 bits. With steps that are
        powers of two apart and biases that are multiples of the unit nothing of that rounds, and all outputs
        are equal. A forward FFT also rounds, to units of its int8 input: its outputs are within one step
        too, unless the layer magnifies what one step of its inputs stands for several times. From layer to
        layer differences go through the weights: outputs of whole networks differ by a few steps.

        Parameters
        ----------
        calibration : float array (batch, n_in)
            Typical real inputs: shifts are chosen so that sums do not saturate for them.
        accumulator_width : int
            That all sums must fit, in bits.

        Raises
        ------
        ValueError
            If a scale cannot be encoded or an accumulator could overflow.
        """
        x = quantize_input(calibration, self.input_scale)
        chain = ChainBuilder(x, self.input_scale, accumulator_width)
        layers = self.student.layers
        for i, (choice, layer) in enumerate(zip(self.student.choices, layers, strict=True)):
            chain.add(
                layer.to_structured(),
                layer.stages[-1].bias.detach().double().numpy(),
                output_scale=self.student.activations[i].step,
                relu=i < len(layers) - 1,
                quantization=choice.quantization,
                **layer.export_arguments(),
            )
        return chain.network()


def on_steps(x: Tensor, scale: float) -> Tensor:
    """The nearest int8 steps."""
    return torch.clamp(torch.round(x / scale), -128, 127) * scale


def train_compressed(
    layers: Sequence[DenseLayer],
    choices: Sequence[Choice],
    x: NDArray[Any],
    y: NDArray[Any],
    procedure: Procedure | None = None,
    seed: int = 0,
    *,
    input_scale: float | None = None,
    teacher: Sequence[DenseLayer] | None = None,
    start: TrainedNetwork | None = None,
    augment: Augment | None = None,
    versions: Versions | None = None,
    within: Callable[[Network], bool] | None = None,
    device: str | torch.device | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TrainedNetwork:
    """Compress and train a chain of dense layers.

    Layers of techniques that only threshold (:class:`~spectramac.compress.techniques.Thresholding`) begin with
    all coefficients, the others as ``fit`` makes them at their density. Neurons that are removed are removed
    from the next layer too.

    Parameters
    ----------
    layers : sequence of (weights, bias)
        ReLU follows each but the last.
    choices : sequence of Choice
        One a layer: technique, final density, quantization.
    x : float array (samples, n_in)
        Training inputs; rounded to int8 steps first, as the engine sees them.
    y : int array (samples,)
        Labels.
    procedure : Procedure, optional
        Default: ``Procedure()``.
    seed : int
        Of all random numbers. The same seed, machine and versions give the same result on the CPU.
    input_scale : float, optional
        Real value of one int8 step of the input. Default: 1 / 127 of the largest.
    teacher : sequence of (weights, bias), optional
        A dense chain with the same inputs and classes. Default: ``layers``.
    start : TrainedNetwork, optional
        Go on from this one, of the same layers, at other densities. Layers of another technique, or that
        cannot be thresholded anew, begin from ``layers`` again.
    augment : callable (batch, generator) -> batch, optional
        Changes inputs at random; they are rounded afterwards. The generator is on the CPU.
    versions : Versions, optional
        Train on these versions of the samples, with their logits instead of the teacher's: for a teacher of any
        kind, and for one that is too slow to be asked in every epoch.
    within : callable (network) -> bool, optional
        Whether a network that stores so much may be made (:func:`spectramac.compress.outline.within`). The final
        masks are as dense as they can be then, all densities in proportion; the network is never larger.
    device : str or torch.device, optional
        Default: CUDA where there is one, else the CPU. The result is on the CPU.
    progress : callable (epochs done, of how many), optional

    Raises
    ------
    ValueError
        If shapes or choices do not fit the chain.
    """
    procedure = procedure or Procedure()
    values = np.asarray(x, np.float64)
    check_chain(layers, choices, values)
    labels = torch.tensor(np.asarray(y, np.int64))
    if labels.shape != (len(values),):
        raise ValueError(f"y must have shape ({len(values)},), not {tuple(labels.shape)}")
    scale = activation_scale(values, "max") if input_scale is None else input_scale
    generator = torch.Generator().manual_seed(seed)
    inputs = on_steps(to_float(values), scale)
    sample = inputs[torch.randperm(len(inputs), generator=generator)[:_SAMPLE]]
    student = Student(layers, choices, sample.double().numpy())
    if start is not None:
        student.take(start.student)
    check_teacher(student, teacher or layers, inputs, procedure)
    fits = None if within is None else (lambda: within(student.skeleton()))
    run_procedure(
        student, dense_network(teacher or layers), inputs, labels, sample, procedure, generator,
        input_scale=scale, augment=augment, versions=versions, fits=fits, device=device,
        progress=progress,
    )  # fmt: skip
    return TrainedNetwork(student, scale)


def run_procedure(
    student: ThresholdedNetwork,
    teacher: TracedNetwork,
    inputs: Tensor,
    labels: Tensor,
    sample: Tensor,
    procedure: Procedure,
    generator: torch.Generator,
    *,
    input_scale: float,
    augment: Augment | None = None,
    versions: Versions | None = None,
    fits: Callable[[], bool] | None = None,
    device: str | torch.device | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Both phases: thresholding, then tuning through the quantizers; the student is on the CPU afterwards.

    Parameters
    ----------
    student : ThresholdedNetwork
    teacher : TracedNetwork
        Not to be trained.
    inputs : float tensor (samples, …)
        On int8 steps of ``input_scale``.
    labels : int tensor (samples,)
    sample : float tensor (batch, …)
        Inputs that masks and first steps are chosen by.
    procedure : Procedure
    generator : torch.Generator
        On the CPU; all randomness comes from it.
    fits : callable () -> bool, optional
        Whether the student's masks are allowed as final ones, see :meth:`ThresholdedNetwork.choose_masks_within`.
    input_scale, augment, versions, device, progress
        As of :func:`train_compressed`.
    """
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    student.to(where)
    inputs, sample = inputs.to(where), sample.to(where)
    args = student, teacher, inputs, labels.to(where), procedure
    change: Augment | None = None
    if versions is not None:
        imitation = VersionedImitation(*args, generator, versions, input_scale)
        inputs, change = torch.arange(len(labels), device=where), imitation.draw
    else:
        imitation = Imitation(*args, augment is None, generator)
        if augment is not None:
            change = _rounded(augment, input_scale)
    run = _Run(student, imitation, inputs, sample, procedure, generator, change, fits, progress)
    run.prune()
    student.start_quantization(sample)
    run.tune()
    student.to("cpu").eval()


@dataclass
class _Run:
    """The two phases; fields as of :func:`run_procedure`, tensors on the device.

    ``inputs`` and what ``augment`` makes of them are what ``imitation`` takes.
    """

    student: ThresholdedNetwork
    imitation: Imitation
    inputs: Tensor
    sample: Tensor
    procedure: Procedure
    generator: torch.Generator
    augment: Augment | None
    fits: Callable[[], bool] | None
    progress: Callable[[int, int], None] | None

    def prune(self) -> None:
        """Masks at the final density, after this many epochs."""
        p = self.procedure

        def choose(position: Position) -> None:
            progress = p.mask_progress(position.index, position.of)
            if progress is not None:
                self._choose_masks(progress)

        if p.prune_epochs:
            self._fit(p.prune_epochs, p.prune_rate, 0, choose)
        if not p.prune_epochs or p.ramp == 1:
            self._choose_masks(1.0)

    def _choose_masks(self, progress: float) -> None:
        if progress == 1 and self.fits is not None:
            self.student.choose_masks_within(self.sample, self.fits)
        else:
            self.student.choose_masks(self.sample, progress)

    def tune(self) -> None:
        """Through the quantizers."""
        p = self.procedure
        if p.tune_epochs:
            self.student.compact()
            self._fit(p.tune_epochs, p.tune_rate, p.prune_epochs, None)
            self.student.expand()

    def _fit(
        self, epochs: int, rate: float, done: int, before_batch: Callable[[Position], None] | None
    ) -> None:
        p = self.procedure
        total = p.prune_epochs + p.tune_epochs
        report = self.progress or (lambda _, __: None)
        fit(
            self.imitation,
            self.inputs,
            torch.arange(len(self.inputs), device=self.inputs.device),
            loss=self.imitation.loss,
            epochs=epochs,
            learning_rate=rate,
            weight_decay=p.weight_decay,
            batch_size=p.batch_size,
            augment=self.augment,
            generator=self.generator,
            before_epoch=lambda position: report(done + position.index, total),
            before_batch=before_batch,
            undecayed=_undecayed(self.imitation),
        )
        report(done + epochs, total)


def _rounded(augment: Augment, scale: float) -> Augment:
    """The same, rounded to int8 steps."""
    return lambda x, generator: on_steps(augment(x, generator), scale)


def _undecayed(model: nn.Module) -> list[nn.Parameter]:
    """All parameters but coefficients."""
    stages = [m for m in model.modules() if isinstance(m, StageLinear)]
    coefficients = {id(p) for stage in stages for p in (stage.spectrum, stage.values)}
    coefficients |= {id(m.weight) for m in model.modules() if isinstance(m, DepthwiseConv2d)}
    return [p for p in model.parameters() if id(p) not in coefficients]
