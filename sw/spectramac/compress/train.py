# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Fine-tuning of spectral coefficients with PyTorch: fixed or gradually thresholded masks,
quantization-aware.

Parameters are the *orthonormal* spectrum S̃ (:mod:`spectramac.compress.sft`), in which all
coefficients have the same effect on the weights, so one learning rate suits all. The forward pass
rebuilds W = R_outᵀ S̃ R_in (an offline convenience: the accelerator never does) from coefficients
rounded to the integer grid of S; the gradient passes the rounding unchanged (straight through) and
the steps themselves are learned (LSQ, Esser et al. 2020, arXiv:1902.08153).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from spectramac.compress.sft import Floats, balance, orthonormal_basis
from spectramac.compress.threshold import Mask
from spectramac.model.network import Transform
from spectramac.model.spectrum import pair_map

__all__ = [
    "ActivationQuantizer",
    "SpectralLinear",
    "SpectralNetwork",
    "cubic_density",
    "distillation_loss",
    "fit",
]


class _Round(torch.autograd.Function):
    """Round half to even; gradient 1."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return torch.round(x)

    @staticmethod
    def backward(ctx: object, grad: Tensor) -> Tensor:
        return grad


def _fake_quantize(x: Tensor, log_step: Tensor, low: int, high: int, count: int) -> Tensor:
    """Round ``x`` to steps, clipped to ``low..high`` steps; the gradient of the step is scaled as in LSQ."""
    gain = 1.0 / float(np.sqrt(count * high))
    log_step = log_step * gain + (log_step - log_step * gain).detach()
    step = torch.exp(log_step)
    clipped = torch.clamp(x / step, low, high)
    rounded: Tensor = _Round.apply(clipped)
    return rounded * step


class ActivationQuantizer(nn.Module):
    """Rounds activations to int8 steps, learned from a calibrated start.

    Passes them on as they are until it is started.
    """

    def __init__(self, relu: bool) -> None:
        super().__init__()
        self.low, self.high = (0, 127) if relu else (-128, 127)
        self.log_step = nn.Parameter(torch.zeros(()))
        self.enabled = False

    @property
    def step(self) -> float:
        """Real value of one integer step."""
        return float(torch.exp(self.log_step.detach()))

    def start(self, step: float) -> None:
        """Enable with a first step."""
        with torch.no_grad():
            self.log_step.fill_(float(np.log(step)))
        self.enabled = True

    def forward(self, x: Tensor) -> Tensor:
        """Any shape in, the same shape out."""
        if not self.enabled:
            return x
        return _fake_quantize(x, self.log_step, self.low, self.high, x[0].numel())


class SpectralLinear(nn.Module):
    """``y = T_out⁻¹(S Θ(T_in x)) + b`` with a masked, quantized S.

    Parameters
    ----------
    S : float array (padded rows, padded columns)
        First orthonormal spectrum.
    n_in, n_out : int
    t_in, t_out : Transform
    bias : float array (n_out,)
    bits : int
        Coefficient bits, once :meth:`start_quantization` is called; one step for the layer.
    """

    def __init__(
        self,
        S: Floats,
        n_in: int,
        n_out: int,
        t_in: Transform,
        t_out: Transform,
        bias: Floats,
        bits: int = 4,
    ) -> None:
        super().__init__()
        self.n_in, self.n_out, self.t_in, self.t_out, self.bits = n_in, n_out, t_in, t_out, bits
        self.spectrum = nn.Parameter(torch.tensor(S, dtype=torch.float32))
        self.bias = nn.Parameter(torch.tensor(bias, dtype=torch.float32))
        self.log_step = nn.Parameter(torch.zeros(()))
        self.quantized = False
        self.tau = 0.0
        rows, columns = S.shape
        self.mask: Tensor
        self.balance: Tensor
        self.r_in: Tensor
        self.r_out: Tensor
        self.register_buffer("mask", torch.ones(rows, columns))
        self.register_buffer("balance", _float(balance((rows, columns), t_in, t_out)))
        r_in = np.kron(np.eye(columns // t_in.n), orthonormal_basis(t_in))
        r_out = np.kron(np.eye(rows // t_out.n), orthonormal_basis(t_out))
        self.register_buffer("r_in", _float(r_in[:, :n_in]))
        self.register_buffer("r_out", _float(r_out[:, :n_out]))

    def set_mask(self, mask: Mask) -> None:
        """Keep only these coefficients from now on."""
        self.mask.copy_(_float(mask))

    def start_quantization(self, step: float) -> None:
        """Round the coefficients of S (not S̃) to multiples of a step, learned from this first value."""
        with torch.no_grad():
            self.log_step.fill_(float(np.log(step)))
        self.quantized = True

    @property
    def step(self) -> float:
        """The quantization step of S."""
        return float(torch.exp(self.log_step.detach()))

    def coefficients(self) -> Tensor:
        """S̃ as the forward pass uses it: masked, and rounded if quantization has started."""
        kept = self.spectrum * self.mask
        if not self.quantized:
            return kept
        limit = (1 << (self.bits - 1)) - 1
        count = max(1, int(self.mask.sum()))
        quantized = _fake_quantize(kept / self.balance, self.log_step, -limit, limit, count)
        return quantized * self.balance

    def numpy_spectrum(self) -> Floats:
        """S (not S̃) in float64, masked and not rounded: what :func:`quantize_coefficients` takes."""
        S = (self.spectrum * self.mask).detach().double() / self.balance.double()
        return np.asarray(S.numpy(), np.float64)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_in) to (batch, n_out)."""
        S = self.coefficients()
        u = x @ self.r_in.T
        if self.tau > 0:
            u = u * self._passes(u)
        return u @ S.T @ self.r_out + self.bias

    def _passes(self, u: Tensor) -> Tensor:
        """Θ: 1 where the magnitude of the FFT bin is at least tau (in units of the input)."""
        joint = torch.from_numpy(pair_map(self.t_in.n, self.t_in.two_d).joint)
        joint = joint.repeat(u.shape[1] // self.t_in.n)
        norm = self.t_in.n if self.t_in.is_fft else 1.0
        square = (u.detach() ** 2 * norm).reshape(len(u), -1, 2)
        # A complex bin's orthonormal parts are √2 larger in norm than n's root: |X|² = (re² + im²) n / 2.
        pair = (square.sum(2, keepdim=True) / 2).expand_as(square)
        magnitude = torch.where(joint[:, None], pair, square)
        return (magnitude >= self.tau**2).to(u.dtype).flatten(1)


class SpectralNetwork(nn.Module):
    """Spectral layers with ReLU between them and int8 activations after each."""

    def __init__(self, layers: Sequence[SpectralLinear]) -> None:
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


def _float(array: NDArray[Any]) -> Tensor:
    return torch.tensor(np.asarray(array, np.float32))


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
