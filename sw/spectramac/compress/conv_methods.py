# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Methods for convolutional networks: how all layers of one are compressed in the same way, to be compared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spectramac.compress.blocks import Floats
from spectramac.compress.lanes import reach_of_bits
from spectramac.compress.post_training import Choice, DenseLayer
from spectramac.compress.techniques import (
    BlockCirculant,
    ChannelwiseConv,
    CirculantConv,
    DepthwiseConv,
    PrunedConv,
    Pruning,
    Quantization,
    RowsSft,
    Selection,
    SeparableConv,
    SftConv,
    SpectralConv,
    Technique,
    Thresholding,
    Tucker2Conv,
    remove_units,
    unit_importance,
)
from spectramac.compress.techniques.conv import channel_rms
from spectramac.compress.techniques.stage import IDENTITY
from spectramac.compress.threshold import largest
from spectramac.spec.config import AcceleratorConfig

__all__ = ["Chain", "ChannelMethod", "ConvMethod", "ConvPlan", "conv_methods", "own_density"]

Chain = tuple[list[DenseLayer], list[Choice]]
"""What is compressed, and how each of its layers."""

_HALVINGS = 7


class ConvPlan(Protocol):
    """How a whole chain is compressed at a density."""

    @property
    def name(self) -> str:
        """Short, for tables."""

    def plan(
        self,
        layers: Sequence[DenseLayer],
        density: float,
        quantization: Quantization,
        inputs: Sequence[Floats],
    ) -> Chain:
        """The chain to compress, and a choice for each of its layers.

        ``density`` is the part of the values of the dense weights that is kept, in every layer; ``inputs`` are
        typical ones of every layer, (batch, channels, height, width) or (batch, n_in).
        """


def own_density(technique: Technique, weights: Floats, density: float) -> float:
    """The technique's own density at which it keeps the part ``density`` of the values of ``weights``, or less."""
    if isinstance(technique, CirculantConv | BlockCirculant):
        return min(1.0, density * technique.block)
    if isinstance(technique, SpectralConv):
        return density * (int(weights[0, 0].size) / technique.tile**2)
    if isinstance(technique, Thresholding):
        return density
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        fits = technique.fit(weights, middle).n_values <= density * weights.size
        low, high = (middle, high) if fits else (low, middle)
    return low


@dataclass(frozen=True)
class ConvMethod:
    """One technique for the convolutions, and its like for the classifier.

    Parameters
    ----------
    name : str
    convolution : callable (channels, kernel) -> Technique
        For a convolution of so many input channels and taps a side.
    classifier : Technique
    """

    name: str
    convolution: Callable[[int, int], Technique]
    classifier: Technique

    def plan(
        self,
        layers: Sequence[DenseLayer],
        density: float,
        quantization: Quantization,
        inputs: Sequence[Floats],
    ) -> Chain:
        """See :meth:`ConvPlan.plan`. Of low-rank techniques as many ranks stay as have so many values."""
        techniques = [self.convolution(w.shape[1], w.shape[2]) for w, _ in layers[:-1]]
        choices = [
            Choice(technique, own_density(technique, w, density), quantization)
            for technique, (w, _) in zip([*techniques, self.classifier], layers, strict=True)
        ]
        return list(layers), choices


@dataclass(frozen=True)
class ChannelMethod:
    """Filters are removed with all that reads them; what stays is dense.

    The root of the density is the part of the filters of each convolution that stays, at least one. Importance is
    the L2 norm of a filter, its channels weighted by the RMS of their inputs; the mean of what a removed filter
    gave moves to the bias of the next layer.
    """

    name: str = "channels-l2"

    def plan(
        self,
        layers: Sequence[DenseLayer],
        density: float,
        quantization: Quantization,
        inputs: Sequence[Floats],
    ) -> Chain:
        """See :meth:`ConvPlan.plan`."""
        chain, last = list(layers), len(layers) - 1
        w, b = chain[last]
        # The features of one channel follow each other: as the taps of a convolution.
        chain[last] = w.reshape(len(w), len(chain[last - 1][0]), -1), b
        x = inputs[0]
        for i in range(last):
            weights = chain[i][0]
            rms = channel_rms(x, IDENTITY, 1)[: weights.shape[1]]
            importance = unit_importance(weights * rms[:, None, None])
            count = max(1, round(density**0.5 * len(weights)))
            kept = np.flatnonzero(largest(importance, count))
            hidden = inputs[i + 1].reshape(len(inputs[i + 1]), len(weights), -1)
            chain = remove_units(chain, i, kept, hidden.mean(axis=(0, 2)))
            x = hidden[:, kept, :, None]
        w, b = chain[last]
        chain[last] = w.reshape(len(w), -1), b
        choices = [Choice(PrunedConv(), 1.0, quantization) for _ in range(last)]
        return chain, [*choices, Choice(Pruning(), 1.0, quantization)]


def conv_methods(config: AcceleratorConfig, bits: int) -> list[ConvPlan]:
    """Every technique for convolutions; all that choose coefficients are activation-aware.

    Pruning has the same groups as SFT: pairs, and pairs balanced over the lanes of the configuration.
    """
    values, lanes = Selection("value"), Selection("lanes", config.n_lanes, reach_of_bits(bits))
    return [
        # The classifier has no transform where the engine would run none behind a map of several pixels.
        ConvMethod("sft-conv-8x8", lambda n, _: SftConv(_block(n)), Pruning()),
        ConvMethod("sft-conv-8x8-lanes", lambda n, _: SftConv(_block(n), 8, lanes), Pruning()),
        ConvMethod(
            "circulant-conv-8", lambda n, _: CirculantConv() if _block(n) else SftConv(0), Pruning()
        ),
        # Tiles that hold the kernel and at least 2 x 2 outputs.
        ConvMethod("spectral-conv", lambda _, k: SpectralConv(1 << k.bit_length()), RowsSft()),
        ConvMethod("prune-conv-value", lambda *_: PrunedConv(values), Pruning(values)),
        ConvMethod("prune-conv-pair", lambda *_: PrunedConv(), Pruning()),
        ConvMethod("prune-conv-lanes", lambda *_: PrunedConv(lanes), Pruning()),
        ChannelMethod(),
        # A classifier of so few values would be left with one rank: it is pruned.
        ConvMethod("separable-conv", lambda *_: SeparableConv(), Pruning()),
        ConvMethod("channelwise-conv", lambda *_: ChannelwiseConv(), Pruning()),
        ConvMethod("depthwise-conv", lambda *_: DepthwiseConv(), Pruning()),
        ConvMethod("tucker2-conv", lambda *_: Tucker2Conv(), Pruning()),
    ]


def _block(channels: int) -> int:
    """Points of the transform over input channels: none for the few channels of an image, which it would pad."""
    return 8 if channels >= 8 else 0
