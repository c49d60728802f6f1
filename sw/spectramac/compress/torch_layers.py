# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Differentiable PyTorch modules of compressed layers, fully-connected and convolutions.

Every technique makes stages, so that one module for each kind of layer serves all of them: a chain of
:class:`~spectramac.compress.torch_stage.StageLinear`.
"""

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from spectramac.compress.blocks import Floats
from spectramac.compress.quantize import Codes, activation_scale, quantize_coefficients
from spectramac.compress.techniques import (
    ConvStage,
    Quantization,
    Structured,
    StructuredConv,
    TileStage,
)
from spectramac.compress.torch_stage import (
    ActivationQuantizer,
    StageLinear,
    fake_quantize,
    to_float,
)
from spectramac.graph.node import Padding

__all__ = [
    "DepthwiseConv2d",
    "StructuredConv2d",
    "StructuredLinear",
    "first_step",
    "margins",
    "to_module",
]


def first_step(values: Tensor) -> float:
    """The step of an int8 activation from typical values; any one if training has left nothing but zeros."""
    found = values.numpy(force=True)
    return activation_scale(found) if found.any() else 1 / 127


class _Chain(nn.Module):
    """Stages in series, int8 values between them once quantization has started."""

    def __init__(self, structured: Structured, bias: Floats, bits: int) -> None:
        super().__init__()
        self.structured = structured
        last = len(structured.stages) - 1
        bias = np.asarray(bias, np.float64)
        if structured.output_map is not None:
            bias = bias[structured.output_map]
        per_output = len(bias) == structured.stages[-1].n_out
        self.stages = nn.ModuleList(
            StageLinear(stage, bias if i == last and per_output else None, bits)
            for i, stage in enumerate(structured.stages)
        )
        self.between = nn.ModuleList(ActivationQuantizer(False) for _ in range(last))
        self.channel_bias = None if per_output else nn.Parameter(to_float(bias))

    def place(self, x: Tensor) -> Tensor:
        """Inputs as the first stage wants them."""
        return x

    def apply_stage(self, i: int, x: Tensor) -> Tensor:
        """What stage ``i`` makes of its inputs."""
        y: Tensor = self.stages[i](x)
        return y

    def forward(self, x: Tensor) -> Tensor:
        """All stages, with rounding between them."""
        x = self.place(x)
        for i in range(len(self.stages)):
            x = self.apply_stage(i, x if i == 0 else self.between[i - 1](x))
        return x if self.channel_bias is None else x + self.channel_bias[:, None, None]

    @torch.no_grad()
    def start_quantization(self, quantization: Quantization, x: Tensor) -> None:
        """Round from now on: coefficients in steps of least error, values between stages likewise.

        Parameters
        ----------
        quantization : Quantization
            Its bits must be those of the layer. Steps that are not powers of two apart become new parameters:
            make the optimizer afterwards.
        x : float tensor (batch, …)
            Typical inputs.
        """
        x = self.place(x)
        for i, stage in enumerate(self.stages):
            kind = quantization.steps_for(stage.t_out)
            steps = quantize_coefficients(stage.numpy_spectrum(), stage.bits, kind).steps
            stage.start_quantization(float(steps[0]) if kind == "layer" else steps)
            if i < len(self.between):
                x = self.apply_stage(i, x)
                self.between[i].start(first_step(x))
                x = self.between[i](x)

    @property
    def bias(self) -> nn.Parameter:
        """Of the outputs."""
        return self.stages[-1].bias if self.channel_bias is None else self.channel_bias

    def codes(self) -> list[Codes]:
        """The integers of every stage, once quantization has started: rounded as :meth:`Structured.export` does."""
        return [
            quantize_coefficients(stage.numpy_spectrum(), stage.bits, stage.steps)
            for stage in self.stages
        ]

    def to_structured(self) -> Structured:
        """The structure with the trained values, for cost, :meth:`Structured.dense` and export."""
        return self.structured.with_stages([stage.to_stage() for stage in self.stages])

    def export_arguments(self) -> dict[str, Any]:
        """What :meth:`Structured.export` takes besides: learned ``steps`` and ``scales``, where there are any."""
        found: dict[str, Any] = {}
        if all(stage.quantized for stage in self.stages):
            found["steps"] = [stage.steps for stage in self.stages]
        if all(quantizer.enabled for quantizer in self.between):
            found["scales"] = [quantizer.step for quantizer in self.between]
        return found


class StructuredLinear(_Chain):
    """A compressed fully-connected layer: (batch, n_in) to (batch, n_out).

    Parameters
    ----------
    structured : Structured
    bias : float array (n_out,)
        If there is an ``output_map``, its outputs are taken, and only they are computed.
    bits : int
        Coefficient bits, once quantization is started in :attr:`stages`.
    """

    def __init__(self, structured: Structured, bias: Floats, bits: int = 4) -> None:
        super().__init__(structured, bias, bits)
        self.places: Tensor
        if structured.input_map is not None:
            self.register_buffer("places", torch.from_numpy(structured.input_map.astype(np.int64)))

    def place(self, x: Tensor) -> Tensor:
        """Inputs where the first stage wants them, as :meth:`Structured.place`."""
        if self.structured.input_map is None:
            return x
        placed = x.new_zeros(len(x), self.structured.stages[0].n_in)
        return placed.index_copy(1, self.places, x)


class StructuredConv2d(_Chain):
    """A compressed convolution (cross-correlation).

    (batch, channels, height, width) to (batch, n_out, smaller height, smaller width), unless padded.

    Parameters
    ----------
    structured : StructuredConv
    bias : float array (n_out,)
    bits : int
    padding : int, (int, int) or ((int, int), (int, int))
        Zeros before the first stage: on every side of the input, on both ends of each axis, or on each end.
    stride : int or (int, int)
        On both axes, or on each: of the outputs of the last stage, every so many are computed.
    """

    def __init__(
        self,
        structured: StructuredConv,
        bias: Floats,
        bits: int = 4,
        padding: int | tuple[int, int] | Padding = 0,
        stride: int | tuple[int, ...] = 1,
    ) -> None:
        super().__init__(structured, bias, bits)
        self.stride = _both(stride)
        self.margins = margins(padding)

    def place(self, x: Tensor) -> Tensor:
        """Padded."""
        return functional.pad(x, self.margins)

    def apply_stage(self, i: int, x: Tensor) -> Tensor:
        stage = self.stages[i]
        stride = self.stride if i == len(self.stages) - 1 else (1, 1)
        if isinstance(stage.stage, TileStage):
            return _tiled(stage, x)[:, :, :: stride[0], :: stride[1]]
        return _direct(stage, x, stride)


def _both(value: Any) -> tuple[Any, Any]:
    """One number is for two."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def margins(padding: int | tuple[int, int] | Padding) -> tuple[int, int, int, int]:
    """Left, right, above and below, as :func:`torch.nn.functional.pad` takes them."""
    (top, bottom), (left, right) = map(_both, _both(padding))
    return left, right, top, bottom


def _direct(module: StageLinear, x: Tensor, stride: tuple[int, int]) -> Tensor:
    stage = module.stage
    assert isinstance(stage, ConvStage)
    taps = module.matrix().reshape(stage.n_out, *stage.kernel, -1)[..., : stage.channels]
    y: Tensor = functional.conv2d(x, taps.permute(0, 3, 1, 2), module.bias, stride)
    return y


def _tiled(module: StageLinear, x: Tensor) -> Tensor:
    """Overlap-save: tiles through the stage, their useful parts put together."""
    stage = module.stage
    assert isinstance(stage, TileStage)
    side = stage.side
    size = [x.shape[2 + axis] - stage.kernel[axis] + 1 for axis in (0, 1)]
    count = [-(-n // step) for n, step in zip(size, stage.tile, strict=True)]
    needed = [(n - 1) * step + side for n, step in zip(count, stage.tile, strict=True)]
    x = functional.pad(x, (0, max(0, needed[1] - x.shape[3]), 0, max(0, needed[0] - x.shape[2])))
    tiles = x[:, :, : needed[0], : needed[1]]
    tiles = tiles.unfold(2, side, stage.tile[0]).unfold(3, side, stage.tile[1])
    batch = len(x) * count[0] * count[1]
    y = module(tiles.permute(0, 2, 3, 1, 4, 5).reshape(batch, -1))
    y = y.reshape(len(x), *count, -1, side, side)[..., : stage.tile[0], : stage.tile[1]]
    y = y.permute(0, 3, 1, 4, 2, 5)
    whole = y.reshape(len(x), y.shape[1], count[0] * stage.tile[0], count[1] * stage.tile[1])
    return whole[:, :, : size[0], : size[1]]


class DepthwiseConv2d(nn.Module):
    """A depthwise convolution whose weights are all stored, one step for each output channel.

    (batch, channels, height, width) to (batch, n_out, smaller height, smaller width), unless padded.

    Parameters
    ----------
    weight : float array (n_out, 1, height, width)
        n_out is a multiple of the channels.
    bias : float array (n_out,)
    bits : int
    padding, stride
        As of :class:`StructuredConv2d`.
    """

    def __init__(
        self,
        weight: Floats,
        bias: Floats,
        bits: int,
        padding: int | tuple[int, int] | Padding = 0,
        stride: int | tuple[int, ...] = 1,
    ) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(to_float(weight)), nn.Parameter(to_float(bias))
        self.log_step = nn.Parameter(torch.zeros(len(weight), 1, 1, 1))
        self.bits, self.quantized = bits, False
        self.stride = _both(stride)
        self.margins = margins(padding)

    @property
    def _limit(self) -> int:
        return (1 << (self.bits - 1)) - 1

    @torch.no_grad()
    def start_quantization(self) -> None:
        """Round the weights from now on, in steps of least error at first."""
        steps = self._padded_codes("row").steps[: len(self.weight)]
        self.log_step.copy_(to_float(np.log(steps)).reshape(self.log_step.shape))
        self.quantized = True

    def codes(self) -> Codes:
        """The integers (rows, taps), a row of zeros behind an odd number of outputs; once quantization has started."""
        steps = np.exp(self.log_step.detach().double().numpy(force=True)).ravel()
        return self._padded_codes(np.pad(steps, (0, len(steps) % 2), constant_values=1.0))

    def _padded_codes(self, steps: Literal["row"] | Floats) -> Codes:
        taps = self.weight.detach().double().numpy(force=True).reshape(len(self.weight), -1)
        padded = np.pad(taps, ((0, len(taps) % 2), (0, 0)))
        return quantize_coefficients(padded, self.bits, steps)

    def forward(self, x: Tensor) -> Tensor:
        """Padded, convolved."""
        weight = self.weight
        if self.quantized:
            count = weight[0].numel()
            weight = fake_quantize(weight, self.log_step, -self._limit, self._limit, count)
        x = functional.pad(x, self.margins)
        y: Tensor = functional.conv2d(x, weight, self.bias, self.stride, groups=x.shape[1])
        return y


def to_module(structured: Structured, bias: Floats, bits: int = 4) -> nn.Module:
    """The module of a compressed layer, fully-connected or convolution without padding."""
    if isinstance(structured, StructuredConv):
        return StructuredConv2d(structured, bias, bits)
    return StructuredLinear(structured, bias, bits)
