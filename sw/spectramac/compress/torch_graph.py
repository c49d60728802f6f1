# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Network graphs in PyTorch: their operators, differentiable, with layers and rounding that the caller gives.

Tensors are those of the graph, (batch, *shape); only layers get theirs arranged: images for convolutions, of height 1
for sequences, and vectors in the order in which the engine's maps lie in memory for dense layers.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from spectramac.compress.graph_codes import kernel_4d
from spectramac.compress.graph_steps import Plan, window_of
from spectramac.compress.torch_layers import margins
from spectramac.compress.torch_stage import to_float
from spectramac.compress.train import TracedNetwork
from spectramac.graph.node import Node
from spectramac.graph.nodes import (
    Add,
    AveragePool,
    Conv,
    Dense,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    ReLU,
    Requantize,
    Reshape,
    Softmax,
    Transpose,
)

__all__ = ["FloatGraph", "GraphRunner"]

Layer = Callable[[Conv | Dense, Tensor], Tensor]


class GraphRunner:
    """Runs the nodes of a graph one after the other.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: Plan) -> None:
        self.graph = plan.graph
        self._last = {name: node.name for node in self.graph.nodes for name in node.inputs}
        self._orders = {
            step.node.name: torch.from_numpy(step.inputs[0].order)
            for step in plan.steps
            if isinstance(step.node, Dense)
        }

    def run(
        self, x: Tensor, layer: Layer, rounded: Callable[[str, Tensor], Tensor] = lambda _, y: y
    ) -> Tensor:
        """The output, (batch, n_outputs), before a Softmax.

        Parameters
        ----------
        x : float tensor (batch, *input shape)
        layer : callable (node, its input, arranged) -> its output
            Convolutions and dense layers.
        rounded : callable (name of a tensor, values) -> values
            What every tensor goes through.
        """
        values = {self.graph.input.name: x}
        for node in self.graph.nodes:
            inputs = [values[name] for name in node.inputs]
            y = self._layer(node, inputs[0], layer) if node.parameters else _plain(node, *inputs)
            values[node.name] = rounded(node.name, y)
            for name in set(node.inputs):
                if self._last[name] == node.name:
                    del values[name]
        return values[self.graph.output.name].flatten(1)

    def _layer(self, node: Node, x: Tensor, layer: Layer) -> Tensor:
        if isinstance(node, Conv):
            flat = x.ndim == 3
            y = layer(node, x[:, :, None] if flat else x)
            return y[:, :, 0] if flat else y
        assert isinstance(node, Dense)
        return layer(node, x[:, self._orders[node.name].to(x.device)])


def _plain(node: Node, *inputs: Tensor) -> Tensor:
    """What has no weights."""
    x = inputs[0]
    if isinstance(node, Add):
        return x + inputs[1]
    if isinstance(node, ReLU):
        return torch.clamp(x, 0.0, node.maximum)
    if isinstance(node, Flatten):
        return x.flatten(1)
    if isinstance(node, Reshape):
        return x.reshape(len(x), *node.shape)
    if isinstance(node, Transpose):
        return x.permute(0, *(axis + 1 for axis in node.axes))
    if isinstance(node, GlobalAveragePool):
        return x.mean(dim=tuple(range(2, x.ndim)), keepdim=True)
    if isinstance(node, MaxPool | AveragePool):
        return _pooled(node, x)
    if isinstance(node, Requantize | Softmax):
        return x
    raise TypeError(f"{node.operator} has no PyTorch form")


def _pooled(node: MaxPool | AveragePool, x: Tensor) -> Tensor:
    flat = x.ndim == 3
    window = window_of(node)
    largest = isinstance(node, MaxPool)
    fill = -torch.inf if largest else 0.0
    pool = functional.max_pool2d if largest else functional.avg_pool2d
    padded = functional.pad(x[:, :, None] if flat else x, margins(window.padding), value=fill)
    y: Tensor = pool(padded, window.kernel, window.stride)
    return y[:, :, 0] if flat else y


class FloatGraph(TracedNetwork):
    """A graph in floating point, not to be trained.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._runner = GraphRunner(plan)
        self._names: dict[str, int] = {}
        orders = {s.node.name: s.inputs[0].order for s in plan.steps}
        for i, node in enumerate(n for n in plan.graph.nodes if isinstance(n, Conv | Dense)):
            convolution = isinstance(node, Conv)
            weight = kernel_4d(node.weight) if convolution else node.weight[:, orders[node.name]]
            self.register_buffer(f"weight{i}", to_float(weight))
            self.register_buffer(f"bias{i}", to_float(node.bias))
            self._names[node.name] = i

    def trace(self, x: Tensor) -> list[Tensor]:
        """See :meth:`TracedNetwork.trace`; of the last layer only."""
        return [self._runner.run(x, self._layer)]

    def _layer(self, node: Conv | Dense, x: Tensor) -> Tensor:
        i = self._names[node.name]
        weight, bias = self.get_buffer(f"weight{i}"), self.get_buffer(f"bias{i}")
        if isinstance(node, Dense):
            return functional.linear(x, weight, bias)
        window = window_of(node)
        padded = functional.pad(x, margins(window.padding))
        return functional.conv2d(padded, weight, bias, window.stride, groups=node.groups)
