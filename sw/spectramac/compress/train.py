# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Training of compressed layers (:mod:`spectramac.compress.torch_layers`): chains of them, the schedule of
gradual thresholding, distillation, and the loop over epochs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from spectramac.compress.torch_stage import ActivationQuantizer

__all__ = [
    "SpectralNetwork",
    "cubic_density",
    "distillation_loss",
    "fit",
]


class SpectralNetwork(nn.Module):
    """Compressed layers with ReLU between them and int8 activations after each."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        last = len(layers) - 1
        self.activations = nn.ModuleList(ActivationQuantizer(i < last) for i in range(last + 1))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_inputs) real inputs to (batch, n_outputs)."""
        return self.trace(x)[-1]

    def trace(self, x: Tensor) -> list[Tensor]:
        """The output of every layer, after its activation function and rounding."""
        values = []
        last = len(self.layers) - 1
        for i, (layer, activation) in enumerate(zip(self.layers, self.activations, strict=True)):
            x = layer(x)
            x = activation(torch.relu(x) if i < last else x)
            values.append(x)
        return values


def cubic_density(progress: float, final: float) -> float:
    """Part of the coefficients kept at ``progress`` 0..1: 1 - (1 - final)(1 - (1 - p)³).

    Zhu and Gupta 2017, arXiv:1710.01878.
    """
    p = min(1.0, max(0.0, progress))
    return 1.0 - (1.0 - final) * (1.0 - (1.0 - p) ** 3)


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
class Epoch:
    """Where training stands, given to the callback before each epoch."""

    index: int
    of: int

    @property
    def progress(self) -> float:
        """0 at the first epoch, 1 after the last."""
        return self.index / self.of


def fit(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    loss: Callable[[Tensor, Tensor, Tensor], Tensor],
    epochs: int,
    learning_rate: float,
    weight_decay: float = 0.0,
    batch_size: int = 128,
    augment: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    generator: torch.Generator,
    before_epoch: Callable[[Epoch], None] | None = None,
) -> None:
    """AdamW with a one-cycle schedule over shuffled batches.

    Parameters
    ----------
    x : float tensor (samples, n_inputs)
    y : int tensor (samples,)
    loss : callable (logits, labels, inputs) -> scalar
        Gets the augmented inputs too, so that a teacher can be asked about them.
    augment : callable (batch, generator) -> batch, optional
    generator : torch.Generator
        All randomness comes from it.
    before_epoch : callable, optional
        For example to change masks.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, weight_decay=weight_decay, foreach=True
    )
    steps = epochs * -(-len(x) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=steps, pct_start=0.15
    )
    model.train()
    for index in range(epochs):
        if before_epoch is not None:
            before_epoch(Epoch(index, epochs))
        order = torch.randperm(len(x), generator=generator)
        for batch in torch.split(order, batch_size):
            inputs = x[batch] if augment is None else augment(x[batch], generator)
            value = loss(model(inputs), y[batch], inputs)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            optimizer.step()
            schedule.step()
    model.eval()
