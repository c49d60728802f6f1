# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Convolution kernels as chains of smaller convolutions, without anything between them.

==================  ===========================================  ======================================
technique           stages                                       at density 1, ranks
==================  ===========================================  ======================================
`SeparableConv`     height x 1, then 1 x width                   min(in · height, out · width)
`ChannelwiseConv`   height x width, then 1 x 1                   min(out, in · height · width)
`DepthwiseConv`     height x width in each channel, then 1 x 1   min(out, height · width) per channel
`Tucker2Conv`       1 x 1, height x width, 1 x 1                 in and out
==================  ===========================================  ======================================

The first three are truncated singular value decompositions of the kernel, unfolded in different ways (Jaderberg
et al. 2014, arXiv:1405.3866; Zhang et al. 2015, arXiv:1411.4229; Guo et al. 2018, arXiv:1808.05517), and so the
best of their rank; the last is found by alternating them over the two channel axes (Kim et al. 2015,
arXiv:1511.06530). The density is the part of the ranks that stays, at least one. With inputs, the error is that
of kernels whose input channels are weighted by their RMS.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.techniques.base import Technique, check_density, check_weights
from spectramac.compress.techniques.conv import ConvStage, StructuredConv, channel_rms, conv_stage
from spectramac.compress.techniques.lowrank import factorise
from spectramac.compress.techniques.stage import IDENTITY

__all__ = ["ChannelwiseConv", "DepthwiseConv", "SeparableConv", "Tucker2Conv"]

_ALTERNATIONS = 8


def _rank(density: float, full: int) -> int:
    return max(1, round(density * full))


@dataclass(frozen=True)
class _Decomposition(Technique):
    """What they share: weigh input channels, decompose, undo the weights in the first stage."""

    @abstractmethod
    def _stages(self, weights: Floats, density: float) -> tuple[ConvStage, ...]:
        """Stages of kernels, the first of which sees the input channels."""

    def fit(
        self, weights: Floats, density: float, *, inputs: NDArray[Any] | None = None
    ) -> StructuredConv:
        weights, density = check_weights(weights, 4), check_density(density)
        scale: Floats = np.ones(weights.shape[1])
        if inputs is not None:
            rms = channel_rms(inputs, IDENTITY, 1)[: len(scale)]
            # Channels of nearly no weight count as a millionth of the heaviest.
            scale = np.maximum(rms, 1e-6 * rms.max()) if rms.max() > 0 else scale
        first, *rest = self._stages(weights * scale[:, None, None], density)
        kernel = first.weights() / scale[:, None, None]
        kept = first.mask[: first.n_out].reshape(first.n_out, *first.kernel, -1)
        mask = kept[..., : first.channels].transpose(0, 3, 1, 2)
        return StructuredConv(
            technique=self.name, shape=weights.shape, stages=(conv_stage(kernel, mask), *rest)
        )


@dataclass(frozen=True)
class SeparableConv(_Decomposition):
    """Spatially separable: a column of taps into ``rank`` channels, then a row of taps."""

    @property
    def name(self) -> str:
        return "separable-conv"

    def _stages(self, weights: Floats, density: float) -> tuple[ConvStage, ...]:
        n_out, channels, height, width = weights.shape
        unfolded = weights.transpose(0, 3, 1, 2).reshape(n_out * width, channels * height)
        rank = _rank(density, min(unfolded.shape))
        a, b = factorise(unfolded, rank)
        rows = a.reshape(n_out, width, rank).transpose(0, 2, 1)[:, :, None, :]
        return conv_stage(b.reshape(rank, channels, height, 1)), conv_stage(rows)


@dataclass(frozen=True)
class ChannelwiseConv(_Decomposition):
    """Across channels: ``rank`` full-size filters, and every output a mixture of them."""

    @property
    def name(self) -> str:
        return "channelwise-conv"

    def _stages(self, weights: Floats, density: float) -> tuple[ConvStage, ...]:
        n_out = len(weights)
        unfolded = weights.reshape(n_out, -1)
        rank = _rank(density, min(unfolded.shape))
        a, b = factorise(unfolded, rank)
        return conv_stage(b.reshape(rank, *weights.shape[1:])), conv_stage(a[:, :, None, None])


@dataclass(frozen=True)
class DepthwiseConv(_Decomposition):
    """Within each input channel: ``rank`` spatial filters of its own, then a mixture over all."""

    @property
    def name(self) -> str:
        return "depthwise-conv"

    def _stages(self, weights: Floats, density: float) -> tuple[ConvStage, ...]:
        n_out, channels, height, width = weights.shape
        rank = _rank(density, min(n_out, height * width))
        spatial = np.zeros((channels * rank, channels, height, width))
        mask = np.zeros(spatial.shape, np.bool_)
        mixture = np.zeros((n_out, channels * rank, 1, 1))
        for c in range(channels):
            own = slice(c * rank, (c + 1) * rank)
            a, b = factorise(weights[:, c].reshape(n_out, -1), rank)
            spatial[own, c] = b.reshape(rank, height, width)
            mask[own, c] = True
            mixture[:, own, 0, 0] = a
        return conv_stage(spatial, mask), conv_stage(mixture)


@dataclass(frozen=True)
class Tucker2Conv(_Decomposition):
    """Fewer channels around the kernel: 1 x 1 in, the core, 1 x 1 out."""

    @property
    def name(self) -> str:
        return "tucker2-conv"

    def _stages(self, weights: Floats, density: float) -> tuple[ConvStage, ...]:
        n_out, channels = weights.shape[:2]
        r_out, r_in = _rank(density, n_out), _rank(density, channels)
        u_in = _leading(weights.transpose(1, 0, 2, 3), r_in)
        for _ in range(_ALTERNATIONS):
            u_out = _leading(np.einsum("oihw,ir->orhw", weights, u_in), r_out)
            u_in = _leading(np.einsum("oihw,or->irhw", weights, u_out), r_in)
        core = np.einsum("oihw,or,is->rshw", weights, u_out, u_in, optimize=True)
        first, last = u_in.T[:, :, None, None], u_out[:, :, None, None]
        return conv_stage(first), conv_stage(core), conv_stage(last)


def _leading(tensor: Floats, rank: int) -> Floats:
    """The first singular vectors of a tensor's first axis, float (axis, rank)."""
    unfolded = tensor.reshape(len(tensor), -1)
    vectors: Floats = np.linalg.svd(unfolded @ unfolded.T)[0][:, :rank]
    return vectors
