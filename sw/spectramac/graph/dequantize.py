# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A quantized (QDQ) graph without its quantization: what it computes in real numbers."""

from dataclasses import replace
from typing import Any

from spectramac.graph.graph import Graph
from spectramac.graph.node import Node
from spectramac.graph.nodes import Conv, Dense, ReLU, Requantize

__all__ = ["dequantized"]


def dequantized(graph: Graph) -> Graph:
    """The graph in floating point; parameters are already the real values of their integers.

    Where a tensor is only rounded to integers that stand for nothing negative, a ReLU remains.
    """
    nodes: list[Node] = []
    stands_for: dict[str, str] = {}
    for node in graph.nodes:
        inputs = tuple(stands_for.get(name, name) for name in node.inputs)
        if isinstance(node, Requantize):
            q = node.quantization
            if q is not None and int(q.zero_point) == q.minimum:
                nodes.append(ReLU(name=node.name, inputs=inputs))
            else:
                stands_for[node.name] = inputs[0]
            continue
        plain: dict[str, Any] = {"inputs": inputs, "quantization": None}
        if isinstance(node, Conv | Dense):
            plain |= {"weight_quantization": None, "bias_quantization": None}
        nodes.append(replace(node, **plain))
    return Graph(name=graph.name, input=replace(graph.input, quantization=None), nodes=tuple(nodes))
