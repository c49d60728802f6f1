# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Methods that first put hidden units in another order, to be compared with the same methods without."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.methods import ChainMethod, LayerMethod
from spectramac.compress.post_training import Choice, DenseLayer
from spectramac.compress.reorder import Reordering, propose, reorder_chain
from spectramac.compress.techniques import (
    BlockCirculant,
    Pruning,
    Quantization,
    RowsSft,
    Sft,
    Technique,
)

__all__ = ["ORDERED", "NoOrderError", "OrderedMethod", "with_ordered"]

ORDERED = "-ordered"
"""At the end of the name of a method that has put units in another order."""


class NoOrderError(ValueError):
    """No other order of hidden units makes a method better."""


@dataclass(frozen=True, eq=False)
class OrderedMethod:
    """Another method, on a network whose hidden units are in an order in which that method errs less.

    Each layer keeps its order unless the proposed one lowers the error of its outputs and the next layer's, at the
    density asked for (:mod:`spectramac.compress.reorder`). Where none does, there is nothing to compare.

    Parameters
    ----------
    method : ChainMethod
        Keeps all units.
    proposals : sequence of int array (units,)
        For each hidden layer.
    """

    method: ChainMethod
    proposals: Sequence[NDArray[np.int64]]

    @property
    def name(self) -> str:
        """That of the method, with :data:`ORDERED`."""
        return self.method.name + ORDERED

    def reordered(
        self,
        layers: Sequence[DenseLayer],
        density: float,
        quantization: Quantization,
        calibration: Floats,
    ) -> tuple[list[DenseLayer], list[Choice], list[Reordering]]:
        """What :meth:`plan` gives, and what was measured for each hidden layer."""
        chain, choices = self.method.plan(layers, density, quantization, calibration)
        changed, found = reorder_chain(chain, choices, calibration, self.proposals)
        return changed, choices, found

    def plan(
        self,
        layers: Sequence[DenseLayer],
        density: float,
        quantization: Quantization,
        calibration: Floats,
    ) -> tuple[list[DenseLayer], list[Choice]]:
        """See :meth:`~spectramac.compress.methods.ChainMethod.plan`.

        Raises
        ------
        NoOrderError
            If no hidden layer gets another order.
        """
        chain, choices, found = self.reordered(layers, density, quantization, calibration)
        if not any(order.helps for order in found):
            raise NoOrderError("no other order of hidden units lowers the error: as without")
        return chain, choices


def _minds(technique: Technique) -> bool:
    """Whether the order of units matters to a technique: neighbours share a transform, or are kept together."""
    if isinstance(technique, Pruning):
        return technique.selection.group != "value"
    return isinstance(technique, Sft | RowsSft | BlockCirculant)


def with_ordered(
    methods: Sequence[ChainMethod], layers: Sequence[DenseLayer], calibration: Floats
) -> list[ChainMethod]:
    """The methods, each that minds the order of units followed by its :class:`OrderedMethod`.

    Parameters
    ----------
    methods : sequence of ChainMethod
    layers : sequence of (weights, bias)
        That will be compressed.
    calibration : float array (batch, n_in)
        Typical real inputs.
    """
    proposals = [propose(layers, i, calibration) for i in range(len(layers) - 1)]
    found: list[ChainMethod] = []
    for method in methods:
        found.append(method)
        if isinstance(method, LayerMethod) and _minds(method.hidden):
            found.append(OrderedMethod(method, proposals))
    return found
