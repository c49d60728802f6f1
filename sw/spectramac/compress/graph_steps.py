# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a network graph becomes on the engine, before any number is quantized: one step for each integer node.

A ReLU joins the layer or the sum before it where nothing else reads that; changes of shape make no step, since a map
lies in memory as it is (docs/design-convolutions.md) and a dense layer behind them permutes the columns of its
weights; a Softmax at the end is the host's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.graph.errors import Refusal, UnsupportedModelError
from spectramac.graph.graph import Graph
from spectramac.graph.node import Node
from spectramac.graph.node import Shape as TensorShape
from spectramac.graph.nodes import (
    Add,
    AveragePool,
    Conv,
    Dense,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    Pool,
    ReLU,
    Requantize,
    Reshape,
    Softmax,
    Transpose,
)
from spectramac.model.map_node import Shape
from spectramac.model.map_window import Window

__all__ = ["NodeRefusedError", "Plan", "Step", "View", "plan_graph", "to_map", "window_of"]


class NodeRefusedError(Exception):
    """A node that cannot be lowered. Becomes an :class:`UnsupportedModelError`; it never reaches the user."""

    def __init__(self, node: Node, problem: str, remedy: str) -> None:
        self.refusal = Refusal(node.name, node.operator, problem, remedy)
        super().__init__(str(self.refusal))


@dataclass(frozen=True, eq=False)
class View:
    """A tensor of the graph as a map holds it.

    Attributes
    ----------
    map : str
        Name of the map: that of the node that makes it, or of the graph's input.
    shape : (int, int, int)
        Height, width and channels of the map.
    order : int array (n,)
        ``tensor.ravel()[order]`` is ``map.ravel()``.
    """

    map: str
    shape: Shape
    order: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Step:
    """One node of the integer network.

    Attributes
    ----------
    node : Node
        Gives the map its name.
    inputs : tuple of View
    tensor : str
        Of the graph, whose values the map holds: the node's, or that of the ReLU that joined it.
    relu : bool
    maximum : float or None
        Of the ReLU.
    """

    node: Node
    inputs: tuple[View, ...]
    tensor: str
    relu: bool = False
    maximum: float | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """All steps of a graph.

    Attributes
    ----------
    graph : Graph
    input, output : View
        Of the graph's input and output (before a Softmax). Transpositions and reshapes of the input, before anything is
        computed, are in the order of its view.
    steps : tuple of Step
    """

    graph: Graph
    input: View
    output: View
    steps: tuple[Step, ...]


def map_shape(shape: TensorShape) -> Shape:
    """Height, width and channels of a tensor (n,), (channels, length) or (channels, height, width)."""
    if len(shape) > 3:
        raise ValueError(f"a map must have at most 3 axes, not shape {shape}")
    height, width = (1, 1, *shape[1:])[-2:]
    return height, width, shape[0]


def to_map(x: NDArray[Any], shape: TensorShape) -> NDArray[Any]:
    """Tensors (batch, *shape), channels first, as maps (batch, height, width, channels)."""
    height, width, channels = map_shape(shape)
    return x.reshape(len(x), channels, height, width).transpose(0, 2, 3, 1)


def _natural(name: str, shape: TensorShape) -> View:
    order = to_map(np.arange(prod(shape))[None], shape)
    return View(name, map_shape(shape), order.ravel())


def window_of(node: Conv | Pool) -> Window:
    """Its window over height and width; a sequence has height 1."""
    flat = len(node.kernel) == 1
    kernel, stride = ((1, *v) if flat else tuple(v) for v in (node.kernel, node.stride))
    padding = ((0, 0), *node.padding) if flat else tuple(node.padding)
    return Window((kernel[0], kernel[1]), (stride[0], stride[1]), (padding[0], padding[1]))


def plan_graph(graph: Graph) -> Plan:
    """The steps of a graph.

    Raises
    ------
    UnsupportedModelError
        Naming every node that the engine does not run.
    """
    return _Planner(graph).plan()


class _Planner:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.refusals: list[Refusal] = []
        self.views: dict[str, View] = {}
        self.steps: list[Step] = []
        # Tensors that are only the input in another shape or order, by their elements' positions in it.
        self.rearranged = {graph.input.name: np.arange(prod(graph.input.shape))}
        self.input: View

    def plan(self) -> Plan:
        graph = self.graph
        if len(graph.input.shape) > 3:
            problem = f"its input has shape {graph.input.shape}"
            self.refuse(graph.nodes[0], problem, "use one or two spatial axes")
        else:
            self.input = self.views[graph.input.name] = _natural(
                graph.input.name, graph.input.shape
            )
        for node in graph.nodes:
            if not all(name in self.views for name in node.inputs):
                continue  # behind a refused node
            try:
                self.take(node)
            except NodeRefusedError as error:
                self.refusals.append(error.refusal)
        if self.refusals:
            raise UnsupportedModelError(
                f"{graph.name} cannot be lowered to an integer network", self.refusals
            )
        if not self.steps:
            node = graph.nodes[-1]
            raise UnsupportedModelError(
                f"{graph.name} cannot be lowered to an integer network",
                [Refusal(node.name, node.operator, "the graph only reorders", "give it layers")],
            )
        return Plan(graph, self.input, self.views[graph.output.name], tuple(self.steps))

    def refuse(self, node: Node, problem: str, remedy: str) -> None:
        self.refusals.append(NodeRefusedError(node, problem, remedy).refusal)

    def take(self, node: Node) -> None:
        view = self.views[node.inputs[0]]
        if isinstance(node, Softmax):
            self.views[node.name] = view
        elif isinstance(node, Transpose):
            self.transpose(node)
        elif isinstance(node, Flatten | Reshape):
            self.check_same_quantization(node)
            self.views[node.name] = view
            if isinstance(node, Reshape) and len(node.shape) in (2, 3):
                self.rearrange_input(node)
        elif isinstance(node, ReLU) and self.joins(node):
            index = next(i for i, s in enumerate(self.steps) if s.tensor == node.inputs[0])
            before = self.steps[index]
            self.steps[index] = replace(before, tensor=node.name, relu=True, maximum=node.maximum)
            self.views[node.name] = view
        else:
            self.check(node)
            self.steps.append(Step(node, tuple(self.views[n] for n in node.inputs), node.name))
            self.views[node.name] = self.result(node)

    def joins(self, node: ReLU) -> bool:
        """Whether the ReLU can be the end of the step before it."""
        source = node.inputs[0]
        made = next((s for s in self.steps if s.tensor == source), None)
        if made is None or made.relu or not isinstance(made.node, Conv | Dense | Add):
            return False
        q = self.graph.tensors[source].quantization
        return len(self.graph.readers(source)) == 1 and (q is None or q.equals(node.quantization))

    def result(self, node: Node) -> View:
        """Elementwise nodes keep the order of what they read."""
        if isinstance(node, Add | ReLU | Requantize):
            return replace(self.views[node.inputs[0]], map=node.name)
        return _natural(node.name, self.graph.tensors[node.name].shape)

    def transpose(self, node: Transpose) -> None:
        self.check_same_quantization(node)
        if not self.rearrange_input(node):
            raise NodeRefusedError(
                node,
                "it moves data inside the network",
                "export the model with channels first throughout",
            )

    def rearrange_input(self, node: Reshape | Transpose) -> bool:
        """If only this node reads the input, or what was made of it like this, the host rearranges it."""
        source, shape = node.inputs[0], self.graph.tensors[node.name].shape
        if source not in self.rearranged or len(self.graph.readers(source)) > 1:
            return False
        order = self.rearranged[source].reshape(self.graph.tensors[source].shape)
        if isinstance(node, Transpose):
            order = order.transpose(node.axes)
        self.rearranged[node.name] = order.ravel()
        view = replace(_natural(node.name, shape), map=self.graph.input.name)
        self.views[node.name] = view
        self.input = replace(view, order=self.rearranged[node.name][view.order])
        return True

    def check_same_quantization(self, node: Node) -> None:
        """A change of shape states the scale that there was, or that of the step before it, which had none."""
        source = node.inputs[0]
        before = self.graph.tensors[source].quantization
        if node.quantization is None or node.quantization.equals(before):
            return
        index = next((i for i, s in enumerate(self.steps) if s.tensor == source), None)
        if before is None and index is not None and len(self.graph.readers(source)) == 1:
            self.steps[index] = replace(self.steps[index], tensor=node.name)
        else:
            raise NodeRefusedError(
                node,
                "it changes the scale",
                "quantize tensors before and after it alike",
            )

    def check(self, node: Node) -> None:
        """Refuse what the engine does not run."""
        for problem, remedy in _problems(node):
            raise NodeRefusedError(node, problem, remedy)
        views = [self.views[name] for name in node.inputs]
        if isinstance(node, Add):
            a, b = views
            if a.shape != b.shape or not np.array_equal(a.order, b.order):
                raise NodeRefusedError(
                    node, "its inputs lie in different orders", "add before they are reshaped"
                )
        elif isinstance(node, Conv | Pool | GlobalAveragePool):
            wanted = _natural("", self.graph.tensors[node.inputs[0]].shape)
            if views[0].shape != wanted.shape or not np.array_equal(views[0].order, wanted.order):
                raise NodeRefusedError(
                    node,
                    f"the shape of its input was changed inside the network, from a map of {views[0].shape}",
                    "leave shapes as they are between convolutions",
                )


def _problems(node: Node) -> Iterator[tuple[str, str]]:
    """What of a node alone the engine does not run, and the remedy."""
    if isinstance(node, Conv):
        if max(node.dilation) > 1:
            yield f"its dilation is {node.dilation}", "use dilation 1"
        if node.groups > 1 and not node.is_depthwise:
            yield f"it has {node.groups} groups", "use one group, or as many as channels"
        if max(node.stride) > 2:
            yield f"its stride is {node.stride}", "use stride 1 or 2"
        if max(node.kernel) > 16:
            yield f"its kernel is {node.kernel}", "use kernels of at most 16 on each axis"
    pads = node.padding if isinstance(node, Conv | Pool) else ()
    kernel = node.kernel if isinstance(node, Conv | Pool) else ()
    if any(max(pad) >= k for pad, k in zip(pads, kernel, strict=True)):
        yield f"its padding {pads} is not less than the kernel", "use less padding"
    if isinstance(node, AveragePool) and not node.count_padding and np.any(pads):
        yield "its mean leaves out the padding", "use count_include_pad = 1, or no padding"
    if not isinstance(
        node, Conv | Dense | Add | AveragePool | MaxPool | GlobalAveragePool | ReLU | Requantize
    ):
        yield "the engine does not run it", "use convolutions, dense layers, pooling, sums and ReLU"
