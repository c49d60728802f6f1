# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A differentiable stage: the PyTorch module that trains the coefficients that survived.

Its parameter is the *orthonormal* spectrum S̃, in which all coefficients have the same effect on the weights, so that
one learning rate suits all. The forward pass uses the projection of the parameter on the stage's pattern: what is not
stored is zero and gets no gradient, and the four numbers of a complex coefficient stay tied.

*Quantization.* Coefficients of S (not S̃) are rounded to the integer grid; the gradient passes the rounding
unchanged (straight through), and the steps are learned (LSQ, Esser et al. 2020, arXiv:1902.08153). Rows whose
steps are a power of two apart keep their ratios.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from spectramac.compress.blocks import Floats, orthonormal_basis
from spectramac.compress.sft import balance, joint_blocks
from spectramac.compress.techniques import Stage
from spectramac.compress.threshold import Mask
from spectramac.model.network import Transform
from spectramac.model.spectrum import pair_map

__all__ = ["ActivationQuantizer", "StageLinear", "fake_quantize", "to_float"]


class _Round(torch.autograd.Function):
    """Round half to even; gradient 1."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return torch.round(x)

    @staticmethod
    def backward(ctx: object, grad: Tensor) -> Tensor:
        return grad


def fake_quantize(x: Tensor, log_step: Tensor, low: int, high: int, count: int) -> Tensor:
    """Round ``x`` to steps, clipped to ``low..high`` steps, differentiably.

    Parameters
    ----------
    x : float tensor
    log_step : float tensor
        Natural logarithm of the step; broadcasts with ``x``.
    low, high : int
    count : int
        Values that share a step: LSQ scales the step's gradient by 1 / √(count · high).
    """
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
        return fake_quantize(x, self.log_step, self.low, self.high, x[0].numel())


class StageLinear(nn.Module):
    """``y = T_out⁻¹(S Θ(T_in x)) + b`` with a masked, quantized S.

    Parameters
    ----------
    stage : Stage
        First values, and the pattern.
    bias : float array (n_out,), optional
        Default: none.
    bits : int
        Coefficient bits, once :meth:`start_quantization` is called.
    """

    def __init__(self, stage: Stage, bias: Floats | None = None, bits: int = 4) -> None:
        super().__init__()
        self.stage, self.bits = stage, bits
        self.n_in, self.n_out, self.t_in, self.t_out = (
            stage.n_in, stage.n_out, stage.t_in, stage.t_out,
        )  # fmt: skip
        self.spectrum = nn.Parameter(to_float(stage.spectrum))
        self.bias = None if bias is None else nn.Parameter(to_float(bias))
        self.log_step = nn.Parameter(torch.zeros(()))
        self.quantized = False
        self._one_step = True
        self.tau = 0.0
        """Θ drops bins of a smaller magnitude, in units of the input."""
        self.values: nn.Parameter | None = None
        """What is stored, if :meth:`compact` has made this the parameter instead of the spectrum."""
        self.mask: Tensor
        self.balance: Tensor
        self.log_ratio: Tensor
        self.stored: Tensor
        self.stored_balance: Tensor
        self.joint: Tensor
        self.r_in: Tensor
        self.r_out: Tensor
        shape = (stage.spectrum.shape[0], stage.spectrum.shape[1])
        self.register_buffer("mask", to_float(stage.mask))
        self.register_buffer("stored", torch.from_numpy(np.flatnonzero(stage.mask)))
        self.register_buffer("stored_balance", torch.zeros(0), persistent=False)
        self.register_buffer("balance", to_float(balance(shape, self.t_in, self.t_out)))
        self.register_buffer("log_ratio", torch.zeros(shape[0], 1))
        self.register_buffer("r_in", to_float(orthonormal_basis(self.t_in)))
        self.register_buffer("r_out", to_float(orthonormal_basis(self.t_out)))
        if stage.pattern == "complex":
            joint = joint_blocks(shape, self.t_in, self.t_out)[:, None, :, None]
            self.register_buffer("joint", torch.from_numpy(joint))

    def set_mask(self, mask: Mask) -> None:
        """Keep only these coefficients from now on; values that come back are those they had."""
        self.expand()
        self.mask.copy_(to_float(mask))
        self.stored = torch.from_numpy(np.flatnonzero(mask)).to(self.mask.device)

    def compact(self) -> None:
        """Train only a list of what is stored, until :meth:`expand`: the same function, faster where little is stored.

        Make the optimizer afterwards. Complex patterns stay as they are.
        """
        if self.stage.pattern == "real" and self.values is None:
            self.stored_balance = self.balance.take(self.stored)
            self.values = nn.Parameter(self.spectrum.detach().take(self.stored))
            self.spectrum.requires_grad_(False)

    def expand(self) -> None:
        """Undo :meth:`compact`: make the whole spectrum, with the present values, the parameter again."""
        if self.values is not None:
            with torch.no_grad():
                self.spectrum.copy_(self._all())
            self.values = None
            self.spectrum.requires_grad_(True)

    def start_quantization(self, steps: Floats | float) -> None:
        """Round the coefficients of S (not S̃) from now on.

        Parameters
        ----------
        steps : float, or float array (rows,)
            First steps. If they are powers of two apart, one step is learned for all rows and their ratios stay as
            they are; else each row learns its own, as a new parameter: make the optimizer afterwards.

        Raises
        ------
        ValueError
            If steps of rows that share an output transform are not powers of two apart.
        """
        values = np.asarray(steps, np.float64)
        ratio = np.log2(values / values.min())
        is_shared = bool(np.all(ratio == np.rint(ratio)))
        if self.t_out.is_fft and not is_shared:
            raise ValueError("steps of rows with an output transform must be a power of two apart")
        with torch.no_grad():
            if is_shared:
                self.log_step.fill_(float(np.log(values.min())))
                self.log_ratio.copy_(to_float(np.reshape(ratio * np.log(2), (-1, 1))))
            else:
                rows = to_float(np.log(values)[:, None])
                self.log_step = nn.Parameter(rows.to(self.log_step.device))
        self._one_step = is_shared and not ratio.any()
        self.quantized = True

    @property
    def steps(self) -> Floats:
        """The quantization step of every row of S, float (rows,)."""
        base = np.exp(self.log_step.detach().double().numpy(force=True))
        ratio = np.rint(self.log_ratio.double().numpy(force=True) / np.log(2))
        return np.asarray((base * 2.0**ratio).ravel(), np.float64)

    @property
    def step(self) -> float:
        """The smallest step of S: of all rows, if they share one."""
        return float(self.steps.min())

    def project(self, spectrum: Tensor) -> Tensor:
        """The nearest spectrum of the stage's pattern, as :meth:`Stage.project`."""
        if self.stage.pattern == "complex":
            blocks = spectrum.reshape(len(spectrum) // 2, 2, -1, 2)
            turned = torch.stack(
                [
                    torch.stack([blocks[:, 1, :, 1], -blocks[:, 1, :, 0]], 2),
                    torch.stack([-blocks[:, 0, :, 1], blocks[:, 0, :, 0]], 2),
                ],
                1,
            )
            spectrum = torch.where(self.joint, (blocks + turned) / 2, blocks).reshape(
                spectrum.shape
            )
        return spectrum * self.mask

    def coefficients(self) -> Tensor:
        """S̃ as the forward pass uses it: projected, and rounded if quantization has started."""
        if self.values is None:
            kept = self.project(self.spectrum)
            if not self.quantized:
                return kept
            return self._rounded(kept, self.balance, self.log_step + self.log_ratio)
        kept = self.values
        if self.quantized:
            log_steps = self.log_step
            if not self._one_step:
                rows = torch.div(self.stored, self.mask.shape[1], rounding_mode="floor")
                log_steps = (log_steps + self.log_ratio)[rows, 0]
            kept = self._rounded(kept, self.stored_balance, log_steps)
        flat = self.mask.new_zeros(self.mask.numel()).scatter_(0, self.stored, kept)
        return flat.reshape(self.mask.shape)

    def _rounded(self, values: Tensor, balance: Tensor, log_steps: Tensor) -> Tensor:
        limit = (1 << (self.bits - 1)) - 1
        count = max(1, len(self.stored) // self.log_step.numel())
        return fake_quantize(values / balance, log_steps, -limit, limit, count) * balance

    def _all(self) -> Tensor:
        """The spectrum with the present values, not to be differentiated."""
        if self.values is None:
            return self.spectrum.detach()
        flat = self.spectrum.detach().flatten()
        return flat.scatter(0, self.stored, self.values.detach()).reshape(self.spectrum.shape)

    def numpy_spectrum(self) -> Floats:
        """S (not S̃) in float64, projected and not rounded: what :func:`quantize_coefficients` takes."""
        S = self.project(self._all()).double() / self.balance.double()
        return np.asarray(S.numpy(force=True), np.float64)

    def all_values(self) -> Stage:
        """The stage with all trained values, also those that are not stored any more, as they were last."""
        values = self._all().double().numpy(force=True)
        return self.stage.with_mask(np.ones(values.shape, np.bool_)).with_spectrum(values)

    def to_stage(self) -> Stage:
        """The stage with the trained values and the present mask, not rounded."""
        return self.all_values().with_mask(self.mask.numpy(force=True) != 0)

    def matrix(self) -> Tensor:
        """The matrix of :meth:`coefficients`, float (n_out, n_in)."""
        S = self.coefficients()
        blocks = S.reshape(-1, self.t_out.n, S.shape[1] // self.t_in.n, self.t_in.n)
        back = torch.einsum("ibjc,bp,cq->ipjq", blocks, self.r_out, self.r_in)
        return back.reshape(S.shape)[: self.n_out, : self.n_in]

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_in) to (batch, n_out)."""
        n = self.spectrum.shape[1]
        padded = x if n == self.n_in else functional.pad(x, (0, n - self.n_in))
        u = _blockwise(padded, self.r_in.T, self.t_in)
        if self.tau > 0:
            u = u * self._passes(u)
        y = _blockwise(u @ self.coefficients().T, self.r_out, self.t_out)[:, : self.n_out]
        return y if self.bias is None else y + self.bias

    def _passes(self, u: Tensor) -> Tensor:
        """Θ: 1 where the magnitude of the FFT bin is at least tau (in units of the input)."""
        joint = torch.from_numpy(pair_map(self.t_in.n, self.t_in.two_d).joint).to(u.device)
        joint = joint.repeat(u.shape[1] // self.t_in.n)
        norm = self.t_in.n if self.t_in.is_fft else 1.0
        square = (u.detach() ** 2 * norm).reshape(len(u), -1, 2)
        # A complex bin's orthonormal parts are √2 larger in norm than n's root: |X|² = (re² + im²) n / 2.
        pair = (square.sum(2, keepdim=True) / 2).expand_as(square)
        magnitude = torch.where(joint[:, None], pair, square)
        return (magnitude >= self.tau**2).to(u.dtype).flatten(1)


def _blockwise(x: Tensor, matrix: Tensor, t: Transform) -> Tensor:
    """Every block of ``t.n`` columns times a matrix (n, n)."""
    if not t.is_fft:
        return x
    return (x.reshape(len(x), -1, t.n) @ matrix).flatten(1)


def to_float(array: NDArray[Any]) -> Tensor:
    """A tensor of single precision."""
    return torch.tensor(np.asarray(array, np.float32))
