# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""An integer network graph of maps, and its evaluation: what a convolutional network computes, to the bit.

docs/design-convolutions.md has the formulas. Nodes are :class:`~spectramac.model.convolution.Convolution`,
:class:`~spectramac.model.convolution.FullyConnected`, :class:`~spectramac.model.depthwise.DepthwiseConvolution`,
:class:`~spectramac.model.tiles.TileConvolution`, :class:`~spectramac.model.depthwise.AveragePooling`,
:class:`~spectramac.model.map_elementwise.MaxPooling`, :class:`~spectramac.model.map_elementwise.Addition` and
:class:`~spectramac.model.map_elementwise.Rectifier`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.model.fixed import Ints
from spectramac.model.map_node import Arithmetic, MapNode, MapResult, Shape
from spectramac.spec.fixed import Format

__all__ = ["DEFAULT", "GraphNetwork", "GraphResult", "run_graph", "trace_graph"]

DEFAULT = Arithmetic()


@dataclass(frozen=True, eq=False, kw_only=True)
class GraphNetwork:
    """Nodes in an order in which they can be evaluated.

    Parameters
    ----------
    name : str
    input_name : str
    input_shape : (int, int, int)
        Height, width and channels of one inference.
    nodes : tuple of MapNode
        Each after those that it reads; the last makes the output.
    scales : mapping of str to float
        Real value of one step of every map, the input's included.
    meta : mapping
        JSON-serialisable notes (training seed, accuracies).

    Attributes
    ----------
    shapes : mapping of str to (int, int, int)
        Of every map by name.

    Raises
    ------
    ValueError
        If names, shapes or scales do not fit.
    """

    name: str
    input_name: str
    input_shape: Shape
    nodes: tuple[MapNode, ...]
    scales: Mapping[str, float]
    meta: Mapping[str, Any] = field(default_factory=dict)
    shapes: Mapping[str, Shape] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(self.nodes))
        object.__setattr__(self, "scales", MappingProxyType(dict(self.scales)))
        if len(self.input_shape) != 3 or min(self.input_shape) < 1:
            raise ValueError(
                f"input_shape must be (height, width, channels) of at least 1, not {self.input_shape}"
            )
        if not self.nodes:
            raise ValueError("a network must have at least one node")
        shapes = {self.input_name: self.input_shape}
        for node in self.nodes:
            if not node.name or node.name in shapes:
                raise ValueError(f"a node must have a name of its own, not {node.name!r}")
            if len(node.inputs) != node.n_inputs:
                raise node.fail(f"must have {node.n_inputs} inputs, not {len(node.inputs)}")
            for name in node.inputs:
                if name not in shapes:
                    raise node.fail(f"input {name!r} must be the network's or an earlier node")
            shapes[node.name] = node.output_shape(*(shapes[name] for name in node.inputs))
        for name in shapes:
            scale = self.scales.get(name, 0.0)
            if not 0 < scale < np.inf:
                raise ValueError(f"map {name!r} must have a scale above 0, not {scale!r}")
        object.__setattr__(self, "shapes", MappingProxyType(shapes))

    @property
    def output_name(self) -> str:
        """Of the last node."""
        return self.nodes[-1].name

    @property
    def output_shape(self) -> Shape:
        """Height, width and channels of one result."""
        return self.shapes[self.output_name]

    @property
    def input_scale(self) -> float:
        """Real value of one step of the input."""
        return self.scales[self.input_name]

    @property
    def output_scale(self) -> float:
        """Real value of one step of the output."""
        return self.scales[self.output_name]


@dataclass(frozen=True, eq=False)
class GraphResult:
    """Every map of a run and what happened on the way.

    Attributes
    ----------
    maps : mapping of str to int array (batch, height, width, channels)
    results : mapping of str to MapResult
        Of every node, with the partner of an odd batch.
    """

    maps: Mapping[str, Ints]
    results: Mapping[str, MapResult]


def run_graph(network: GraphNetwork, x: NDArray[Any], arithmetic: Arithmetic = DEFAULT) -> Ints:
    """The output for a batch of int8 inputs.

    Inferences (0, 1), (2, 3), … are pairs; the last of an odd batch gets a zero input as a partner, carried through
    all nodes.

    Parameters
    ----------
    network : GraphNetwork
    x : int array (batch, *input shape)
    arithmetic : Arithmetic

    Returns
    -------
    int array (batch, *output shape)

    Raises
    ------
    ValueError
        If the input has another shape or is not int8.
    """
    last = {name: node.name for node in network.nodes for name in node.inputs}
    maps = {network.input_name: _even(network, x)}
    for node in network.nodes:
        maps[node.name] = node.run(*(maps[n] for n in node.inputs), arithmetic=arithmetic).y
        for name in set(node.inputs):
            if last[name] == node.name:
                del maps[name]
    return maps[network.output_name][: len(x)]


def trace_graph(
    network: GraphNetwork, x: NDArray[Any], arithmetic: Arithmetic = DEFAULT
) -> GraphResult:
    """As :func:`run_graph`, with every map."""
    maps = {network.input_name: _even(network, x)}
    results = {}
    for node in network.nodes:
        result = node.run(*(maps[n] for n in node.inputs), arithmetic=arithmetic)
        results[node.name], maps[node.name] = result, result.y
    return GraphResult({name: y[: len(x)] for name, y in maps.items()}, results)


def _even(network: GraphNetwork, x: NDArray[Any]) -> Ints:
    """Checked, with a partner for the last of an odd batch."""
    x = np.asarray(x)
    if x.ndim != 4 or x.shape[1:] != network.input_shape or not len(x):
        raise ValueError(f"inputs must have shape (batch, *{network.input_shape}), not {x.shape}")
    if x.dtype.kind not in "iu":
        raise ValueError(f"inputs must be integers, not {x.dtype}")
    x = x.astype(np.int64)
    fmt = Format(8)
    if x.min() < fmt.minimum or x.max() > fmt.maximum:
        raise ValueError(f"inputs must be int8, not {int(x.min())} to {int(x.max())}")
    return np.pad(x, ((0, len(x) % 2), (0, 0), (0, 0), (0, 0)))
