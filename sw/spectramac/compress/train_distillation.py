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
from spectramac.compress.train import SpectralNetwork, TracedNetwork, distillation_loss
from spectramac.compress.versions import Versions

__all__ = ["Imitation", "VersionedImitation", "check_teacher", "dense_network"]

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
    student : TracedNetwork
    teacher : TracedNetwork
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
        student: TracedNetwork,
        teacher: TracedNetwork,
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
        targets = self.targets(samples, inputs)
        loss = distillation_loss(
            values[-1], labels, targets[-1], weight=p.distillation, temperature=p.temperature
        )
        for linear, own, target in zip(self.maps, values, targets, strict=False):
            difference = (linear(own) - target).square().mean() / target.square().mean()
            loss = loss + p.features / len(self.maps) * difference
        return loss

    @torch.no_grad()
    def targets(self, samples: Tensor, inputs: Tensor) -> list[Tensor]:
        """What the teacher makes of the inputs: all its activations, or the logits alone."""
        if self._logits is not None:
            return [self._logits[samples]]
        return self._teacher[0].trace(inputs)


class VersionedImitation(Imitation):
    """The same with several versions of every sample, whose logits are given.

    ``forward`` and :meth:`loss` take as inputs what :meth:`draw` gives: numbers of rows of all versions.

    Parameters
    ----------
    versions : Versions
    scale : float
        Real value of one int8 step of the input.
    """

    def __init__(
        self,
        student: TracedNetwork,
        teacher: TracedNetwork,
        x: Tensor,
        labels: Tensor,
        procedure: Procedure,
        generator: torch.Generator,
        versions: Versions,
        scale: float,
    ) -> None:
        versions.check(x.shape[0], x.shape[1], student(x[:1]).shape[1])
        if procedure.features:
            raise ValueError(
                "features must be 0 with versions, whose teacher is known by its logits only, "
                f"not {procedure.features!r}"
            )
        super().__init__(student, teacher, x, labels, procedure, False, generator)
        self._inputs = torch.from_numpy(versions.inputs.reshape(-1, x.shape[1])).to(x.device)
        logits = versions.logits.reshape(len(self._inputs), -1)
        self._version_logits = to_float(logits).to(x.device)
        self._versions, self._scale = versions, scale

    def draw(self, samples: Tensor, generator: torch.Generator) -> Tensor:
        """A row of each sample at random."""
        n, device = len(samples), samples.device
        version = torch.randint(len(self._versions.inputs), (n,), generator=generator)
        plain = torch.rand(n, generator=generator) < self._versions.plain
        return torch.where(plain, 0, version).to(device) * len(self._labels) + samples

    def forward(self, x: Tensor) -> list[Tensor]:
        return super().forward(self._inputs[x].to(torch.float32) * self._scale)

    def targets(self, samples: Tensor, inputs: Tensor) -> list[Tensor]:
        return [self._version_logits[inputs]]


def check_teacher(
    student: TracedNetwork, teacher: Sequence[DenseLayer], x: Tensor, procedure: Procedure
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
