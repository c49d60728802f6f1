# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Sparse kernels: SFT over blocks of channels, pruning over (out, in, tap), circulant blocks, whole filters."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.sft import orthonormal_sft
from spectramac.compress.techniques.base import (
    Technique,
    Thresholding,
    block_transform,
    check_density,
    check_weights,
)
from spectramac.compress.techniques.conv import (
    ConvStage,
    StructuredConv,
    channel_rms,
    conv_stage,
    kernel_matrix,
)
from spectramac.compress.techniques.pruning import unit_importance
from spectramac.compress.techniques.selection import PAIRS, Selection, keep_diagonal
from spectramac.compress.techniques.stage import IDENTITY, Stage
from spectramac.compress.threshold import Mask, largest
from spectramac.model.network import Transform

__all__ = ["ChannelPruning", "CirculantConv", "PrunedConv", "SftConv"]


def _transformed(
    technique: str,
    weights: Floats,
    t_in: Transform,
    t_out: Transform,
    pattern: Literal["real", "complex"] = "real",
) -> StructuredConv:
    """All coefficients of a kernel (n_out, n_in, height, width), transformed over its channels."""
    n_out, channels, height, width = weights.shape
    matrix = kernel_matrix(weights, t_in)
    S = orthonormal_sft(matrix, t_in, t_out)
    stage = ConvStage(
        n_in=matrix.shape[1], n_out=n_out, t_in=t_in, t_out=t_out, spectrum=S,
        mask=np.ones(S.shape, np.bool_), pattern=pattern, channels=channels,
        kernel=(height, width),
    )  # fmt: skip
    return StructuredConv(technique=technique, shape=weights.shape, stages=(stage,))


def _whole_words(
    stage: ConvStage, selection: Selection, density: float, rms: Floats | None, stride: int
) -> Mask:
    """As many pairs in each lane for every column of a pixel, those of all taps that read it together: the engine
    reads a column once, and the rows of its taps follow each other, each tap's in whole rows of all lanes
    (docs/design.md). With a stride, a pixel is read by the taps of one residue of rows and columns.
    """
    n_rows, n_columns = stage.spectrum.shape
    if density == 1:
        return np.ones(stage.spectrum.shape, np.bool_)
    taps, word = np.arange(stage.shared_taps), 2 * selection.n_lanes
    row, column = np.divmod(taps, stage.kernel[1])
    phase = row % stride * stride + column % stride
    together = [taps[phase == p] for p in np.unique(phase)]
    most = max(len(some) for some in together)
    padded, channels = -(-n_rows // word) * word, n_columns // len(taps)
    spectrum = stage.spectrum.reshape(n_rows, len(taps), channels).transpose(1, 0, 2)
    cube = np.zeros((most, padded, len(together), channels))
    for i, some in enumerate(together):
        cube[: len(some), :n_rows, i] = spectrum[some]
    weights = None if rms is None else np.tile(rms[:channels], len(together))
    flat = cube.reshape(most * padded, -1)
    # What pads rows, taps or an odd number of channels does not count.
    part = density * n_rows * stage.columns.sum() / flat.size
    kept = selection(flat, part, weights).reshape(cube.shape)
    mask = np.zeros((n_rows, len(taps), channels), np.bool_)
    for i, some in enumerate(together):
        mask[:, some] = kept[: len(some), :n_rows, i].transpose(1, 0, 2)
    return mask.reshape(stage.spectrum.shape)


@dataclass(frozen=True)
class SftConv(Thresholding):
    """SFT over blocks of channels: a one-dimensional transform across the channels of each pixel.

    Parameters
    ----------
    block_in, block_out : int or None
        Points, over input and output channels; None: all channels. 0: no transform.
    selection : Selection
    stride : int
        Of the convolution, on both axes: which taps' coefficients share words, for selections over lanes.
    """

    n_axes: ClassVar[int] = 4

    block_in: int | None = 8
    block_out: int | None = 8
    selection: Selection = PAIRS
    stride: int = 1

    @property
    def name(self) -> str:
        sizes = [
            "all" if block is None else str(block) for block in (self.block_out, self.block_in)
        ]
        return f"sft-conv-{'x'.join(sizes)}"

    def transform(self, weights: Floats) -> StructuredConv:
        n_out, channels = weights.shape[:2]
        t_in = IDENTITY if self.block_in == 0 else block_transform(self.block_in, channels)
        t_out = IDENTITY if self.block_out == 0 else block_transform(self.block_out, n_out)
        return _transformed(self.name, weights, t_in, t_out)

    def select(self, stage: Stage, density: float, rms: Floats | None = None) -> Mask:
        """See :meth:`Thresholding.select`; the channel that pads an odd number of them does not count."""
        assert isinstance(stage, ConvStage)
        columns = stage.columns
        weights = None if rms is None else rms[columns]
        if self.selection.group == "lanes":
            return _whole_words(stage, self.selection, density, rms, self.stride) & columns
        mask = np.zeros(stage.spectrum.shape, np.bool_)
        mask[:, columns] = self.selection(stage.spectrum[:, columns], density, weights)
        return mask


@dataclass(frozen=True)
class PrunedConv(Thresholding):
    """Magnitude pruning of a kernel over (out, in, tap).

    Parameters
    ----------
    selection : Selection
        ``"value"``: unstructured; ``"pair"``: two neighbouring filters; ``"lanes"``: whole words.
    stride : int
        As of :class:`SftConv`.
    """

    n_axes: ClassVar[int] = 4

    selection: Selection = PAIRS
    stride: int = 1

    @property
    def name(self) -> str:
        return f"prune-conv-{self.selection.group}"

    @property
    def _plain(self) -> SftConv:
        return SftConv(0, 0, self.selection, self.stride)

    def transform(self, weights: Floats) -> StructuredConv:
        return replace(self._plain.transform(weights), technique=self.name)

    def select(self, stage: Stage, density: float, rms: Floats | None = None) -> Mask:
        return self._plain.select(stage, density, rms)


@dataclass(frozen=True)
class CirculantConv(Thresholding):
    """Circulant over channels: at every tap, blocks of (out, in) are circulant.

    As :class:`~spectramac.compress.techniques.spectral.BlockCirculant`, of the matrix of one position
    (Ding et al. 2017, arXiv:1708.08917): without an index as long as all bins stay, and exact only for kernels
    of this form.

    Parameters
    ----------
    block : int
        Points of the blocks: the kernel is ``block`` times smaller at density 1.
    """

    n_axes: ClassVar[int] = 4

    block: int = 8

    @property
    def name(self) -> str:
        return f"circulant-conv-{self.block}"

    def transform(self, weights: Floats) -> StructuredConv:
        t = Transform("fft1d", self.block)
        return _transformed(self.name, weights, t, t, "complex")

    def select(self, stage: Stage, density: float, rms: Floats | None = None) -> Mask:
        return keep_diagonal(stage.spectrum, density, stage.t_in, rms)


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
