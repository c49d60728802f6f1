# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a student learns from: labels, the soft logits of a dense teacher, and the teacher's hidden activations."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from spectramac.compress.post_training import DenseLayer
from spectramac.compress.procedure import Procedure
from spectramac.compress.torch_stage import to_float
from spectramac.compress.train import SpectralNetwork, distillation_loss

__all__ = ["Imitation", "check_teacher", "dense_network"]

_CHUNK = 4096


def dense_network(layers: Sequence[DenseLayer]) -> SpectralNetwork:
    """A chain of dense layers in floating point, ReLU after each but the last; not to be trained."""
    modules = []
    for weights, bias in layers:
        module = nn.utils.skip_init(nn.Linear, weights.shape[1], len(weights))
        module.weight.data, module.bias.data = to_float(weights), to_float(bias)
        modules.append(module)
    return SpectralNetwork(modules).requires_grad_(False)


class Imitation(nn.Module):
    """A student with its teacher, as a loss wants them.

    ``forward`` gives all activations of the student. With ``procedure.features``, hidden activations h of the
    student are compared with those t of the teacher as ‖M h - t‖² / ‖t‖²; M is the identity where their numbers
    are equal, and else a linear map that is trained too (FitNets, Romero et al. 2015, arXiv:1412.6550).

    Parameters
    ----------
    student : SpectralNetwork
    teacher : SpectralNetwork
        Not to be trained; see :func:`check_teacher`.
    x : float tensor (samples, …)
        Training inputs, on the device of the student.
    labels : int tensor (samples,)
    procedure : Procedure
    fixed : bool
        Whether a sample is the same in every epoch, so that the teacher's logits need to be computed once only.
    generator : torch.Generator
        For the first values of the maps.
    """

    def __init__(
        self,
        student: SpectralNetwork,
        teacher: SpectralNetwork,
        x: Tensor,
        labels: Tensor,
        procedure: Procedure,
        fixed: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.student = student
        self._procedure, self._labels = procedure, labels
        # Not a submodule: it has nothing to train.
        self._teacher = [teacher.to(x.device)]
        self._logits: Tensor | None = None
        if fixed and procedure.distillation and not procedure.features:
            parts = [self._teacher[0](part) for part in torch.split(x, _CHUNK)]
            self._logits = torch.cat(parts)
        self.maps = nn.ModuleList()
        if procedure.features:
            for own, target in zip(student.trace(x[:1])[:-1], teacher.trace(x[:1]), strict=False):
                linear = _linear_map(own.shape[1], target.shape[1], generator)
                self.maps.append(linear.to(x.device))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Inputs (batch, …) to the output of every layer of the student."""
        return self.student.trace(x)

    def loss(self, values: list[Tensor], samples: Tensor, inputs: Tensor) -> Tensor:
        """Of what :meth:`forward` gave; ``samples`` are numbers of training samples, ``inputs`` what became of them."""
        labels, p = self._labels[samples], self._procedure
        if not (p.distillation or p.features):
            return functional.cross_entropy(values[-1], labels)
        if self._logits is not None:
            targets = [self._logits[samples]]
        else:
            with torch.no_grad():
                targets = self._teacher[0].trace(inputs)
        loss = distillation_loss(
            values[-1], labels, targets[-1], weight=p.distillation, temperature=p.temperature
        )
        for linear, own, target in zip(self.maps, values, targets, strict=False):
            difference = (linear(own) - target).square().mean() / target.square().mean()
            loss = loss + p.features / len(self.maps) * difference
        return loss


def check_teacher(
    student: SpectralNetwork, teacher: Sequence[DenseLayer], x: Tensor, procedure: Procedure
) -> None:
    """Refuse a chain of layers whose sizes are not those of the student, as far as they are compared."""
    n_in, n_out = teacher[0][0].shape[1], len(teacher[-1][0])
    own = student.trace(x[:1])
    if (n_in, n_out) != (x.shape[1], own[-1].shape[1]):
        raise ValueError(
            f"the teacher must have {x.shape[1]} inputs and {own[-1].shape[1]} outputs, "
            f"not {n_in} and {n_out}"
        )
    if procedure.features and len(teacher) != len(own):
        raise ValueError(
            f"the teacher must have {len(own)} layers, as the student, for its features to be compared, "
            f"not {len(teacher)}"
        )


def _linear_map(n_in: int, n_out: int, generator: torch.Generator) -> nn.Module:
    if n_in == n_out:
        return nn.Identity()
    linear = nn.utils.skip_init(nn.Linear, n_in, n_out, bias=False)
    linear.weight.data = torch.randn(n_out, n_in, generator=generator) / n_in**0.5
    return linear
