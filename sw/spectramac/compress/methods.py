# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Methods: how all layers of a network are compressed in the same way, so that techniques can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spectramac.compress.blocks import Floats
from spectramac.compress.lanes import reach_of_bits
from spectramac.compress.post_training import Choice, DenseLayer
from spectramac.compress.techniques import (
    BlockCirculant,
    LowRank,
    Pruning,
    Quantization,
    RowsSft,
    Selection,
    Sft,
    Technique,
    remove_units,
    unit_importance,
)
from spectramac.compress.threshold import largest
from spectramac.spec.config import AcceleratorConfig

__all__ = ["ChainMethod", "LayerMethod", "NeuronMethod", "methods_for", "remove_neurons"]


class ChainMethod(Protocol):
    """How a whole chain of dense layers is compressed at a density."""

    @property
    def name(self) -> str:
        """Short, for tables."""

    def plan(
        self,
        layers: Sequence[DenseLayer],
        density: float,
        quantization: Quantization,
        calibration: Floats,
    ) -> tuple[list[DenseLayer], list[Choice]]:
        """The chain to compress, and a choice for each of its layers.

        ``calibration`` are typical real inputs (batch, n_in).
        """


@dataclass(frozen=True)
class LayerMethod:
    """One technique for the hidden layers, and its like for the classifier.

    Parameters
    ----------
    name : str
    hidden, classifier : Technique
        The classifier of a network has few outputs; an output transform would pad them and is left out where
        the technique has a form without.
    first : Technique, optional
        Of the first layer, if it is another one.
    """

    name: str
    hidden: Technique
    classifier: Technique
    first: Technique | None = None

    def plan(
        self,
        layers: Sequence[DenseLayer],
        density: float,
        quantization: Quantization,
        calibration: Floats,
    ) -> tuple[list[DenseLayer], list[Choice]]:
        """See :meth:`ChainMethod.plan`."""
        techniques = [self.hidden] * (len(layers) - 1) + [self.classifier]
        if self.first is not None:
            techniques[0] = self.first
        return list(layers), [Choice(t, density, quantization) for t in techniques]


@dataclass(frozen=True)
class NeuronMethod:
    """Hidden neurons are removed with all that reads them; what stays is dense.

    The density is the part of the neurons of each hidden layer that stays, at least one. Importance is the L2
    norm of a neuron's weights, weighted by the RMS of their inputs; the mean of what a removed neuron gave
    moves to the bias of the next layer.
    """

    name: str = "neurons-l2"

    def plan(
        self,
        layers: Sequence[DenseLayer],
        density: float,
        quantization: Quantization,
        calibration: Floats,
    ) -> tuple[list[DenseLayer], list[Choice]]:
        """See :meth:`ChainMethod.plan`."""
        chain = remove_neurons(layers, density, calibration)
        return chain, [Choice(Pruning(), 1.0, quantization) for _ in chain]


def remove_neurons(
    layers: Sequence[DenseLayer], part: float, calibration: Floats
) -> list[DenseLayer]:
    """The chain with this part of the neurons of each hidden layer, at least one; see :class:`NeuronMethod`."""
    chain, x = list(layers), calibration
    for i in range(len(chain) - 1):
        w, b = chain[i]
        importance = unit_importance(w, "l2", x)
        kept = np.flatnonzero(largest(importance, max(1, round(part * len(w)))))
        hidden = np.maximum(x @ w.T + b, 0)
        chain = remove_units(chain, i, kept, hidden.mean(axis=0))
        x = hidden[:, kept]
    return chain


def methods_for(config: AcceleratorConfig, bits: int) -> list[ChainMethod]:
    """Every technique for matrices that the configuration can run.

    Pruning has the same groups as SFT: pairs, and pairs balanced over the lanes (of hidden layers only: the
    words of a classifier of few outputs are never whole). All are activation-aware.
    """
    lanes = Selection("lanes", config.n_lanes, reach_of_bits(bits))
    values = Pruning(Selection("value"))
    methods: list[ChainMethod] = [
        LayerMethod("sft-8x8", Sft(), RowsSft()),
        LayerMethod("sft-8x8-lanes", Sft(selection=lanes), RowsSft()),
        LayerMethod("rows-sft-8", RowsSft(), RowsSft()),
        LayerMethod("sft-8x8-complex", Sft(form="complex"), RowsSft()),
        LayerMethod("circulant-8", BlockCirculant(), RowsSft()),
        LayerMethod("prune-value", values, values),
        LayerMethod("prune-pair", Pruning(), Pruning()),
        LayerMethod("prune-lanes", Pruning(lanes), Pruning()),
        LayerMethod("low-rank", LowRank(), LowRank()),
        NeuronMethod(),
    ]
    if config.n_axis_max >= 16:
        methods.insert(1, LayerMethod("sft-16x16", Sft(16, 16), RowsSft(16)))
    return methods
