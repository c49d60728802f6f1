# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Convolutions (cross-correlations, as networks mean them) as chains of stages.

At one output position a convolution is a matrix times the patch under the kernel. Its columns are ordered
tap after tap, each tap's channels padded to whole blocks: column = (row * width + column of the kernel) *
padded channels + channel. So a sparse kernel over (out, in, tap) is a sparse matrix, SFT over blocks of channels
is an SFT of it, and bytes are counted as for any matrix. The matrix is stored once and used at every position;
multiplications are counted for a given output size, stride 1.

On the engine a convolution is a node of a graph (:mod:`spectramac.compress.quantize_graph`), not a chain of layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.size import Cost, layers_cost
from spectramac.compress.techniques.base import NotRunnableError, Structured
from spectramac.compress.techniques.stage import IDENTITY, INT8, Quantization, Stage
from spectramac.compress.threshold import Mask, column_rms
from spectramac.graph.summary import BIAS_BYTES
from spectramac.model.network import Layer, Transform
from spectramac.spec.config import AcceleratorConfig

__all__ = [
    "ConvStage",
    "StructuredConv",
    "channel_rms",
    "conv_stage",
    "kernel_matrix",
    "stages_cost",
]


@dataclass(frozen=True, eq=False, kw_only=True)
class ConvStage(Stage):
    """A stage that is applied at every position of an image.

    Parameters
    ----------
    channels : int
        Of the input; ``n_in`` is the padded channels of all taps.
    kernel : (int, int)
        Height and width.
    tile : (int, int)
        Outputs that one application gives; (1, 1) for a direct convolution.
    """

    channels: int
    kernel: tuple[int, int]
    tile: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        # As the padding of rows and columns: the channel that makes an odd number even is always zero.
        object.__setattr__(self, "mask", self.mask & self.columns)
        super().__post_init__()

    @property
    def columns(self) -> Mask:
        """Which columns stand for channels, or for their bins: bool (columns,)."""
        per_tap = self.spectrum.shape[1] // self.shared_taps
        channel = np.arange(self.spectrum.shape[1]) % per_tap
        return np.asarray(channel < (per_tap if self.t_in.is_fft else self.channels))

    def column_rms(self, inputs: NDArray[Any]) -> Floats:
        """RMS of every column for typical inputs (batch, channels, height, width)."""
        return channel_rms(inputs, self.t_in, self.shared_taps)

    def weights(self) -> Floats:
        """The kernel, float (n_out, channels, height, width)."""
        taps = self.matrix().reshape(self.n_out, *self.kernel, -1)[..., : self.channels]
        return np.ascontiguousarray(taps.transpose(0, 3, 1, 2))

    def runs(self, output_size: tuple[int, int]) -> int:
        """Applications for an output of this height and width."""
        return int(np.prod([-(-n // step) for n, step in zip(output_size, self.tile, strict=True)]))

    @property
    def shared_taps(self) -> int:
        """Taps for which an input's transform is used again: it is computed once a position."""
        return self.kernel[0] * self.kernel[1]


@dataclass(frozen=True, eq=False, kw_only=True)
class StructuredConv(Structured):
    """A compressed convolution; ``shape`` is (n_out, n_in, height, width).

    ``input_map`` is not used; ``output_map`` holds the filters that are left.
    """

    stages: tuple[ConvStage, ...]

    def dense(self) -> Floats:
        """The kernel that the stages make together, float (n_out, n_in, height, width)."""
        kernel = self.stages[0].weights()
        for stage in self.stages[1:]:
            kernel = _compose(stage.weights(), kernel)
        if self.output_map is not None:
            filters = np.zeros((self.shape[0], *kernel.shape[1:]))
            filters[self.output_map] = kernel
            kernel = filters
        return kernel

    def error(self, weights: Floats) -> float:
        kernel = self.dense()
        margins = [(0, a - b) for a, b in zip(kernel.shape, weights.shape, strict=True)]
        return float(np.linalg.norm(np.pad(weights, margins) - kernel) / np.linalg.norm(weights))

    def cost(
        self,
        config: AcceleratorConfig,
        quantization: Quantization = INT8,
        output_size: tuple[int, int] = (1, 1),
    ) -> Cost:
        """As of :class:`~spectramac.compress.techniques.base.Structured`, for an output of this size.

        Bytes do not depend on the size, multiplications are for all positions of one inference; borders
        count as any other position.
        """
        runs = [stage.runs(output_size) for stage in self.stages]
        quantization.check_runnable(self.technique)
        skeletons = [stage.skeleton(quantization) for stage in self.stages]
        return stages_cost(self.stages, skeletons, runs, config)

    def export(self, name: str, bias: Floats, **arguments: Any) -> tuple[Layer, ...]:
        """Not possible: a convolution is no layer of a chain.

        Raises
        ------
        NotRunnableError
            Always.
        """
        raise NotRunnableError(
            f"layer {name!r}: a chain of layers cannot hold a convolution ({self.technique!r}); make a network graph: "
            "spectramac.compress.quantize_graph, or spectramac compile MODEL.onnx"
        )


def stages_cost(
    stages: Sequence[Stage],
    layers: Sequence[Layer],
    runs: Sequence[int],
    config: AcceleratorConfig,
) -> Cost:
    """Of a chain of stages, each applied ``runs`` times for one inference; ``layers`` are what they store."""
    counted = layers_cost(layers, config, runs=runs)
    # Of a tile, the outputs of one channel share a bias.
    repeated = sum(s.n_out - s.n_biases for s in stages) * BIAS_BYTES
    transforms = sum(n * stage.fft_multiplications for n, stage in zip(runs, stages, strict=True))
    return replace(
        counted,
        bias_bits=counted.bias_bits - 8 * repeated,
        stored_bytes=counted.stored_bytes - repeated,
        fft_multiplications=transforms,
    )


def _compose(second: Floats, first: Floats) -> Floats:
    """One kernel that does what ``first`` and then ``second`` do."""
    height = first.shape[2] + second.shape[2] - 1
    width = first.shape[3] + second.shape[3] - 1
    both = np.zeros((second.shape[0], first.shape[1], height, width))
    for a in range(second.shape[2]):
        for b in range(second.shape[3]):
            part = np.einsum("om,mihw->oihw", second[:, :, a, b], first)
            both[:, :, a : a + first.shape[2], b : b + first.shape[3]] += part
    return both


def kernel_matrix(weights: Floats, t_in: Transform = IDENTITY) -> Floats:
    """The matrix of one position: (n_out, n_in, height, width) to (n_out, taps * padded channels)."""
    n_out, channels, height, width = weights.shape
    matrix = np.zeros((n_out, height, width, t_in.padded(channels)))
    matrix[..., :channels] = weights.transpose(0, 2, 3, 1)
    return matrix.reshape(n_out, -1)


def channel_rms(inputs: NDArray[Any], t_in: Transform, taps: int) -> Floats:
    """RMS of every column of :func:`kernel_matrix`'s spectrum for inputs (batch, channels, height, width).

    Every tap sees the same channels; borders are not looked at.
    """
    pixels = np.asarray(inputs).transpose(0, 2, 3, 1).reshape(-1, inputs.shape[1])
    return np.tile(column_rms(pixels, t_in), taps)


def conv_stage(weights: Floats, mask: Mask | None = None) -> ConvStage:
    """A convolution without transforms; by default every weight is stored.

    Parameters
    ----------
    weights : float array (n_out, n_in, height, width)
    mask : bool array, the same shape, optional
    """
    matrix = kernel_matrix(weights)
    kept = np.ones(weights.shape) if mask is None else mask.astype(np.float64)
    rows = len(matrix) + len(matrix) % 2
    padded, stored = np.zeros((rows, matrix.shape[1])), np.zeros((rows, matrix.shape[1]), np.bool_)
    padded[: len(matrix)] = matrix
    stored[: len(matrix)] = kernel_matrix(kept) != 0
    return ConvStage(
        n_in=matrix.shape[1], n_out=len(weights), spectrum=padded, mask=stored,
        channels=weights.shape[1], kernel=(weights.shape[2], weights.shape[3]),
    )  # fmt: skip
