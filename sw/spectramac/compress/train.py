# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Training of compressed layers (:mod:`spectramac.compress.torch_layers`): chains of them, the schedule of
gradual thresholding, distillation, and the loop over epochs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from spectramac.compress.torch_stage import ActivationQuantizer

__all__ = [
    "Position",
    "SpectralNetwork",
    "TracedNetwork",
    "cubic_density",
    "distillation_loss",
    "fit",
    "reproducible",
]


class TracedNetwork(nn.Module, ABC):
    """A network that tells the output of its layers: what is trained, and what it learns from."""

    def forward(self, x: Tensor) -> Tensor:
        """(batch, …) real inputs to (batch, n_outputs)."""
        return self.trace(x)[-1]

    @abstractmethod
    def trace(self, x: Tensor) -> list[Tensor]:
        """Outputs of layers, after their activation function and rounding; the last is the network's."""


class SpectralNetwork(TracedNetwork):
    """Compressed layers with ReLU between them and int8 activations after each.

    Parameters
    ----------
    layers : sequence of nn.Module
    pools : sequence of nn.Module, optional
        What each layer is followed by, besides: pooling by the maximum, a change of shape. It is done first,
        because it is the same before and behind ReLU and rounding, and they have less to do then. Default: nothing.
    """

    def __init__(
        self, layers: Sequence[nn.Module], pools: Sequence[nn.Module] | None = None
    ) -> None:
        super().__init__()
        self.pools = nn.ModuleList(pools or (nn.Identity() for _ in layers))
        self.layers = nn.ModuleList(layers)
        last = len(layers) - 1
        self.activations = nn.ModuleList(ActivationQuantizer(i < last) for i in range(last + 1))

    def trace(self, x: Tensor) -> list[Tensor]:
        """See :meth:`TracedNetwork.trace`; of every layer."""
        values = []
        for i in range(len(self.layers)):
            x = self.output(i, x)
            values.append(x)
        return values

    def output(self, index: int, x: Tensor) -> Tensor:
        """What layer ``index`` makes of its inputs, after its activation function and rounding."""
        y = self.pools[index](self.layers[index](x))
        rounded: Tensor = self.activations[index](
            torch.relu(y) if index < len(self.layers) - 1 else y
        )
        return rounded


def cubic_density(progress: float, final: float, first: float = 1.0) -> float:
    """Part of the coefficients kept at ``progress`` p from 0 to 1: first - (first - final)(1 - (1 - p)³).

    Zhu and Gupta 2017, arXiv:1710.01878.
    """
    p = min(1.0, max(0.0, progress))
    return first - (first - final) * (1.0 - (1.0 - p) ** 3)


def distillation_loss(
    logits: Tensor, labels: Tensor, teacher: Tensor, *, weight: float = 0.7, temperature: float = 3
) -> Tensor:
    """(1 - w) cross-entropy + w T² KL(teacher / T ‖ student / T) (Hinton et al. 2015, arXiv:1503.02531)."""
    hard = functional.cross_entropy(logits, labels)
    soft = functional.kl_div(
        functional.log_softmax(logits / temperature, 1),
        functional.log_softmax(teacher / temperature, 1),
        reduction="batchmean",
        log_target=True,
    )
    return (1 - weight) * hard + weight * temperature**2 * soft


@dataclass(frozen=True)
class Position:
    """Where training stands, given to a callback before each epoch or batch: its number, and of how many."""

    index: int
    of: int

    @property
    def progress(self) -> float:
        """0 at the first, 1 after the last."""
        return self.index / self.of


@contextmanager
def reproducible() -> Iterator[None]:
    """One thread and deterministic algorithms: the same seed, machine and versions give the same result.

    Layers that are too small to share between threads lose nothing by it.
    """
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)


def fit(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    loss: Callable[[Any, Tensor, Tensor], Tensor],
    epochs: int,
    learning_rate: float,
    weight_decay: float = 0.0,
    batch_size: int = 128,
    augment: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    generator: torch.Generator,
    before_epoch: Callable[[Position], None] | None = None,
    before_batch: Callable[[Position], None] | None = None,
    undecayed: Sequence[nn.Parameter] = (),
) -> None:
    """AdamW with a one-cycle schedule over shuffled batches.

    Parameters
    ----------
    x : float tensor (samples, n_inputs)
        On the device of the model, as ``y``.
    y : int tensor (samples,)
        Labels, or anything else that the loss wants to know of a sample.
    loss : callable (what the model gives, y of the batch, inputs) -> scalar
        Gets the augmented inputs too, so that a teacher can be asked about them.
    augment : callable (batch, generator) -> batch, optional
    generator : torch.Generator
        On the CPU; all randomness comes from it.
    before_epoch, before_batch : callable, optional
        For example to change masks. Batches are counted over all epochs.
    undecayed : sequence of parameters
        Without weight decay.
    """
    without = {id(parameter) for parameter in undecayed}
    decayed = [parameter for parameter in model.parameters() if id(parameter) not in without]
    groups: list[dict[str, Any]] = [{"params": decayed}]
    if without:
        groups.append({"params": list(undecayed), "weight_decay": 0.0})
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, weight_decay=weight_decay, fused=True)
    n_batches = -(-len(x) // batch_size)
    steps = epochs * n_batches
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=steps, pct_start=0.15
    )
    model.train()
    for index in range(epochs):
        if before_epoch is not None:
            before_epoch(Position(index, epochs))
        order = torch.randperm(len(x), generator=generator).to(x.device)
        for number, batch in enumerate(torch.split(order, batch_size), index * n_batches):
            if before_batch is not None:
                before_batch(Position(number, steps))
            inputs = x[batch] if augment is None else augment(x[batch], generator)
            value = loss(model(inputs), y[batch], inputs)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            optimizer.step()
            schedule.step()
    model.eval()
