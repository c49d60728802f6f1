# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Methods for network graphs: how all layers of one are compressed in the same way, to be compared.

A method gives every layer a :class:`~spectramac.compress.graph_codes.Form`. Depthwise layers, and layers with few of
the network's weights, are stored whole in 8 bits: they have little to save, and the first layer of a network, which
often is one, loses the most.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from spectramac.compress.blocks import Floats
from spectramac.compress.conv_methods import own_density
from spectramac.compress.graph_channels import remove_filters
from spectramac.compress.graph_codes import Form, kernel_4d
from spectramac.compress.lanes import reach_of_bits
from spectramac.compress.post_training import Choice
from spectramac.compress.techniques import (
    BlockCirculant,
    CirculantConv,
    PrunedConv,
    Pruning,
    Quantization,
    Selection,
    Sft,
    SftConv,
    SpectralConv,
    Technique,
)
from spectramac.graph.graph import Graph
from spectramac.graph.nodes import Conv, Dense
from spectramac.spec.config import AcceleratorConfig

__all__ = [
    "FilterMethod",
    "GraphMethod",
    "GraphPlan",
    "Steps",
    "compressible",
    "form_of",
    "graph_methods",
]

Steps = Literal["layer", "pair", "row"]

_SMALL = 0.02
"""Part of the weights of a network below which a layer is stored whole, if it is also below …"""
_BELOW_MEAN = 1 / 8
"""… this part of the weights of a mean layer: many layers are small beside all of them."""
_CLASSES = 16
"""Outputs below which a dense layer is taken for a classifier, which an output transform or lanes would pad."""


def compressible(graph: Graph) -> list[Conv | Dense]:
    """The layers that methods compress, in order."""
    layers = [
        node
        for node in graph.nodes
        if isinstance(node, Dense) or (isinstance(node, Conv) and node.groups == 1)
    ]
    total = sum(node.weight.size for node in layers)
    least = total * min(_SMALL, _BELOW_MEAN / max(1, len(layers)))
    return [node for node in layers if node.weight.size >= least]


def form_of(node: Conv | Dense, choice: Choice) -> Form:
    """The form of a layer; the density of the choice is the part of the values of the dense weights that is kept."""
    weights = kernel_4d(node.weight) if isinstance(node, Conv) else node.weight
    kept = own_density(choice.technique, weights, choice.density)
    return Form(choice.technique, kept, choice.quantization)


class GraphPlan(Protocol):
    """How a whole graph is compressed at a density."""

    @property
    def name(self) -> str:
        """Short, for tables."""

    @property
    def is_trainable(self) -> bool:
        """Whether :mod:`spectramac.compress.train_graph` trains it."""

    def plan(
        self, graph: Graph, density: float, bits: int, x: Floats, steps: Steps = "row"
    ) -> tuple[Graph, dict[str, Form]]:
        """The graph to compress, and the form of every layer that is, by the name of its node.

        ``density`` is the part of the values of the dense weights that is kept, in each of them; ``x`` are typical
        inputs, (batch, *input shape); ``steps`` are as of :class:`~spectramac.compress.techniques.Quantization`.
        """


@dataclass(frozen=True)
class GraphMethod:
    """One technique for the convolutions, and its like for dense layers.

    Parameters
    ----------
    name : str
    convolution : callable (node) -> Technique
        For a convolution.
    dense, classifier : Technique
        For dense layers with many and with few outputs.
    is_trainable : bool
    """

    name: str
    convolution: Callable[[Conv], Technique]
    dense: Technique
    classifier: Technique
    is_trainable: bool = True

    def technique(self, node: Conv | Dense) -> Technique:
        """For a layer."""
        if isinstance(node, Conv):
            return self.convolution(node)
        return self.dense if len(node.weight) >= _CLASSES else self.classifier

    def plan(
        self, graph: Graph, density: float, bits: int, x: Floats, steps: Steps = "row"
    ) -> tuple[Graph, dict[str, Form]]:
        """See :meth:`GraphPlan.plan`."""
        found = {}
        for node in compressible(graph):
            choice = Choice(self.technique(node), density, Quantization(bits, steps))
            found[node.name] = form_of(node, choice)
        return graph, found


@dataclass(frozen=True)
class FilterMethod:
    """Filters are removed (:mod:`spectramac.compress.graph_channels`), what stays is dense.

    The root of the density is the part of the filters that stays, where some may be removed.
    """

    name: str = "filters-l2"
    is_trainable: bool = True

    def plan(
        self, graph: Graph, density: float, bits: int, x: Floats, steps: Steps = "row"
    ) -> tuple[Graph, dict[str, Form]]:
        """See :meth:`GraphPlan.plan`."""
        smaller = remove_filters(graph, density**0.5, x)
        form = Form(None, 1.0, Quantization(bits, steps))
        return smaller, {node.name: form for node in compressible(graph)}


def graph_methods(config: AcceleratorConfig, bits: int) -> list[GraphPlan]:
    """Every technique that a network graph runs with; all that choose coefficients are activation-aware.

    Pruning has the same groups as SFT: pairs, and pairs balanced over the lanes of the configuration.
    """
    lanes = Selection("lanes", config.n_lanes, reach_of_bits(bits))
    sides = config.tile_sides

    def pruned(node: Conv) -> Technique:
        return PrunedConv(lanes, max(node.stride))

    def balanced(node: Conv) -> Technique:
        return SftConv(8, 8, lanes, max(node.stride)) if _has_blocks(node) else pruned(node)

    def pairs(node: Conv) -> Technique:
        return SftConv(8, 8) if _has_blocks(node) else PrunedConv()

    def circulant(node: Conv) -> Technique:
        return CirculantConv(8) if _has_blocks(node) else PrunedConv()

    def tiles(node: Conv) -> Technique:
        """The smallest tiles that hold the kernel and at least 2 x 2 outputs; a pixel alone has no spectrum."""
        needed = max(node.kernel) + max(node.stride)
        side = next((side for side in sides if side >= needed), None)
        return pruned(node) if side is None or max(node.kernel) == 1 else SpectralConv(side)

    found: list[GraphPlan] = [
        GraphMethod("sft-8x8-lanes", balanced, Sft(8, 8, selection=lanes), Pruning()),
        GraphMethod("sft-8x8", pairs, Sft(8, 8), Pruning()),
        GraphMethod("circulant-8", circulant, BlockCirculant(8), Pruning()),
        GraphMethod("prune-lanes", pruned, Pruning(lanes), Pruning()),
        GraphMethod("prune-pair", lambda _: PrunedConv(), Pruning(), Pruning()),
        FilterMethod(),
    ]
    if sides:
        found.append(GraphMethod("spectral-tiles", tiles, Pruning(lanes), Pruning(), False))
    return found


def _has_blocks(node: Conv) -> bool:
    """Whether blocks of 8 channels would not be mostly padding."""
    return min(node.n_in, len(node.weight)) >= 8
