# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Convolutions (cross-correlations, as networks mean them) as chains of stages.

At one output position a convolution is a matrix times the patch under the kernel. Its columns are ordered
tap after tap, each tap's channels padded to whole blocks: column = (row * width + column of the kernel) *
padded channels + channel. So a sparse kernel over (out, in, tap) is a sparse matrix, SFT over blocks of channels
is an SFT of it, and bytes are counted as for any matrix. The matrix is stored once and used at every position;
multiplications are counted for a given output size, stride 1.

The engine does not run convolutions yet: :meth:`StructuredConv.export` says so.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.sft import orthonormal_sft
from spectramac.compress.size import Cost, fft_multiplications, layers_cost
from spectramac.compress.techniques.base import (
    NotRunnableError,
    Structured,
    Technique,
    block_transform,
    check_density,
    check_weights,
)
from spectramac.compress.techniques.pruning import unit_importance
from spectramac.compress.techniques.selection import PAIRS, Selection
from spectramac.compress.techniques.stage import IDENTITY, INT8, Quantization, Stage
from spectramac.compress.threshold import Mask, column_rms, largest
from spectramac.model.network import Layer, Transform
from spectramac.spec.config import AcceleratorConfig

__all__ = [
    "ChannelPruning",
    "ConvStage",
    "PrunedConv",
    "SftConv",
    "StructuredConv",
    "channel_rms",
    "conv_stage",
    "kernel_matrix",
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
        transforms = 0.0
        for stage, n_runs in zip(self.stages, runs, strict=True):
            n_blocks = stage.t_in.padded(stage.n_in) // stage.t_in.n / stage.shared_taps
            transforms += n_runs * n_blocks * fft_multiplications(stage.t_in) / 2
            n_blocks = stage.t_out.padded(stage.n_out) // stage.t_out.n
            transforms += n_runs * n_blocks * fft_multiplications(stage.t_out) / 2
        counted = layers_cost(skeletons, config, runs=runs)
        return replace(counted, fft_multiplications=transforms)

    def export(self, name: str, bias: Floats, **arguments: Any) -> tuple[Layer, ...]:
        """Not possible yet.

        Raises
        ------
        NotRunnableError
            Always.
        """
        raise NotRunnableError(
            f"layer {name!r}: the engine must run convolutions for technique {self.technique!r}, and "
            "does not yet; cost() and dense() work, or use fully-connected layers"
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


@dataclass(frozen=True)
class SftConv(Technique):
    """SFT over blocks of channels: a one-dimensional transform across the channels of each pixel.

    Parameters
    ----------
    block_in, block_out : int or None
        Points, over input and output channels; None: all channels. 0: no transform.
    selection : Selection
    """

    block_in: int | None = 8
    block_out: int | None = 8
    selection: Selection = PAIRS

    @property
    def name(self) -> str:
        sizes = [
            "all" if block is None else str(block) for block in (self.block_out, self.block_in)
        ]
        return f"sft-conv-{'x'.join(sizes)}"

    def fit(
        self, weights: Floats, density: float, *, inputs: NDArray[Any] | None = None
    ) -> StructuredConv:
        weights, density = check_weights(weights, 4), check_density(density)
        n_out, channels, height, width = weights.shape
        t_in = IDENTITY if self.block_in == 0 else block_transform(self.block_in, channels)
        t_out = IDENTITY if self.block_out == 0 else block_transform(self.block_out, n_out)
        matrix = kernel_matrix(weights, t_in)
        S = orthonormal_sft(matrix, t_in, t_out)
        rms = None if inputs is None else channel_rms(inputs, t_in, height * width)
        mask = self.selection(S, density, rms)
        if not t_in.is_fft:  # the channel that pads an odd number of them
            blocks = mask.reshape(len(S), height * width, -1)
            blocks[:, :, channels:] = False
        stage = ConvStage(
            n_in=matrix.shape[1], n_out=n_out, t_in=t_in, t_out=t_out, spectrum=S, mask=mask,
            channels=channels, kernel=(height, width),
        )  # fmt: skip
        return StructuredConv(technique=self.name, shape=weights.shape, stages=(stage,))


@dataclass(frozen=True)
class PrunedConv(Technique):
    """Magnitude pruning of a kernel over (out, in, tap).

    Parameters
    ----------
    selection : Selection
        ``"value"``: unstructured; ``"pair"``: two neighbouring filters; ``"lanes"``: whole words.
    """

    selection: Selection = PAIRS

    @property
    def name(self) -> str:
        return f"prune-conv-{self.selection.group}"

    def fit(
        self, weights: Floats, density: float, *, inputs: NDArray[Any] | None = None
    ) -> StructuredConv:
        plain = SftConv(0, 0, self.selection).fit(weights, density, inputs=inputs)
        return replace(plain, technique=self.name)


@dataclass(frozen=True)
class ChannelPruning(Technique):
    """Structured pruning: whole filters are removed, what stays is dense.

    In a network, :func:`~spectramac.compress.techniques.pruning.remove_units` removes the channels of the next
    layer too.

    Parameters
    ----------
    norm : str
        ``"l1"`` or ``"l2"``, of a filter.
    """

    norm: Literal["l1", "l2"] = "l2"

    @property
    def name(self) -> str:
        return f"channels-{self.norm}"

    def fit(
        self, weights: Floats, density: float, *, inputs: NDArray[Any] | None = None
    ) -> StructuredConv:
        weights, density = check_weights(weights, 4), check_density(density)
        scaled = weights
        if inputs is not None:
            rms = channel_rms(inputs, IDENTITY, 1)[: weights.shape[1]]
            scaled = weights * rms[:, None, None]
        count = max(1, round(density * len(weights)))
        kept = np.flatnonzero(largest(unit_importance(scaled, self.norm), count))
        return StructuredConv(
            technique=self.name,
            shape=weights.shape,
            stages=(conv_stage(weights[kept]),),
            output_map=kept.astype(np.int32),
        )
