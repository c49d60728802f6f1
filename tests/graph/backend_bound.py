# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""How far the outputs of a quantized graph may be from those of the float graph, element by element.

e[t] bounds |integer · scale - real| of every element of tensor t. It starts with the rounding of the input and goes
from node to node:

- input: half a step;
- layer y = W·x + b (dense or convolution): Σ|W|·e[x] + Σ|W - Ŵ|·(|x| + e[x]), where Ŵ is what the integers of the
  weights stand for, and x lies within e[x] of the float graph's;
- maximum pooling, ReLU, changes of shape: what comes in (of a window its largest, as none changes a maximum by more);
- average pooling: the mean of what comes in; addition: the sum of both;
- then, for a node of the integer network, its own roundings (:func:`tests.compress.graph_cases.node_bound`), in steps
  of its output; a limit (ReLU6) is rounded by half a step.

Saturation adds nothing where, as with ``method="max"``, the range holds every real value: clipping both then brings
them no farther apart.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.compress.graph_cases import effective, node_bound

from spectramac.compress.graph_codes import FloatCoder
from spectramac.compress.quantize_graph import QuantizedGraph
from spectramac.graph.evaluate import activations, compute
from spectramac.graph.node import Node
from spectramac.graph.nodes import Conv, Dense, ReLU
from spectramac.model.map_elementwise import Rectifier
from spectramac.model.map_node import MapNode

__all__ = ["output_bound"]

Floats = NDArray[np.float64]


def _stored(node: Conv | Dense) -> Floats:
    """The weights that the integers stand for."""
    coder, nothing = FloatCoder(), np.zeros(0, np.int64)
    if isinstance(node, Dense):
        coded = coder.dense(node, np.arange(node.weight.shape[1]), nothing)
        return effective(coded, node.weight, node.weight.shape[1])
    if node.is_depthwise:
        return effective(coder.depthwise(node, nothing), node.weight, 1)
    return effective(coder.convolution(node, nothing), node.weight, node.n_in)


def _through(node: Node, inputs: list[Floats], values: list[Floats]) -> Floats:
    """What errors of a node's inputs, and of its weights, do to its output."""
    if isinstance(node, ReLU):
        return inputs[0]
    if not isinstance(node, Conv | Dense):
        return compute(node, *inputs)
    nothing = np.zeros_like(node.bias)
    gain = replace(node, weight=np.abs(node.weight), bias=nothing)
    lost = replace(node, weight=np.abs(node.weight - _stored(node)), bias=nothing)
    total: Floats = compute(gain, inputs[0]) + compute(lost, np.abs(values[0]) + inputs[0])
    return total


def _own(node: MapNode) -> float:
    """Steps that the node itself rounds."""
    limited = isinstance(node, Rectifier) and node.maximum < 127
    return 0.5 if limited else node_bound(node)


def output_bound(quantized: QuantizedGraph, x: NDArray[Any]) -> Floats:
    """Of every element of the output for the inputs ``x``, in real units (the module's description)."""
    graph, network = quantized.plan.graph, quantized.network
    own = {node.name: _own(node) * network.scales[node.name] for node in network.nodes}
    values = activations(graph, x)
    errors = {graph.input.name: np.full(x.shape, network.input_scale / 2)}
    for node in graph.nodes:
        inputs = [[table[name] for name in node.inputs] for table in (errors, values)]
        errors[node.name] = _through(node, *inputs) + own.get(node.name, 0.0)
    return errors[graph.output.name]
