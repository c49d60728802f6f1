# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What of a graph is a chain of dense layers with ReLU between them, for the techniques that compress matrices.

The layers are those that :func:`spectramac.compress.post_training.compress_dense` takes.
"""

from spectramac.graph.errors import Refusal, UnsupportedModelError
from spectramac.graph.graph import Graph
from spectramac.graph.node import Node
from spectramac.graph.nodes import Dense, Flatten, ReLU, Reshape, Softmax
from spectramac.graph.quantization import Floats

__all__ = ["chain_refusals", "dense_chain"]

_NO_CHAIN = "it is no part of a chain of dense layers"
_QUANTIZED = (
    "compress the floating-point model instead, or lower this one with its own integers "
    "(spectramac.compress.qdq.integer_network)"
)


def chain_refusals(graph: Graph) -> list[Refusal]:
    """Every node that is no part of a chain, in order; none for a graph that is one.

    Taken are Dense, a ReLU after each of them but the last, changes of shape before the first, and a Softmax at the
    end, which the host does.
    """
    found: list[Refusal] = []

    def refuse(node: Node, problem: str, remedy: str) -> None:
        found.append(Refusal(node.name, node.operator, f"{problem}: {_NO_CHAIN}", remedy))

    dense: Node | None = None
    last = next((n for n in reversed(graph.nodes) if isinstance(n, Dense)), None)
    rectified = True
    names = [graph.input.name, *(node.name for node in graph.nodes[:-1])]
    for node, before in zip(graph.nodes, names, strict=True):
        if node.quantization is not None or getattr(node, "weight_quantization", None):
            refuse(node, "scales of a quantized model", _QUANTIZED)
        elif node.inputs != (before,):
            refuse(
                node, f"it reads {', '.join(node.inputs)}, a branch", "use a plain chain of layers"
            )
        elif isinstance(node, Dense):
            if not rectified and dense is not None:
                refuse(
                    node,
                    f"no ReLU lies between it and {dense.name!r}",
                    "put a ReLU between them, or multiply the two matrices into one layer",
                )
            dense, rectified = node, False
        elif isinstance(node, ReLU):
            if node.maximum is not None:
                refuse(node, "a limit other than that of int8", "train with ReLU")
            elif dense is None or rectified:
                refuse(node, "no dense layer comes before it", "leave it out")
            elif dense is last:
                refuse(
                    node, "it follows the last dense layer", "leave it out, or do it on the host"
                )
            rectified = True
        elif isinstance(node, Flatten | Reshape):
            if dense is not None and len(graph.tensors[node.name].shape) != 1:
                refuse(node, "it gives the output axes", "leave it out, or do it on the host")
        elif not isinstance(node, Softmax) or dense is None:
            refuse(node, "not a dense layer or its ReLU", "use dense layers with ReLU")
    if last is None and not found:
        node = graph.nodes[-1]
        refuse(node, "the graph has no dense layer", "use dense layers with ReLU")
    if graph.input.quantization is not None and not found:
        node = graph.nodes[0]
        refuse(node, "input of a quantized model", _QUANTIZED)
    return found


def dense_chain(graph: Graph) -> list[tuple[Floats, Floats]]:
    """Weights (n_out, n_in) and bias (n_out,) of every dense layer, ReLU after each but the last.

    The input is the graph's, flattened; a Softmax at the end is left to the host (it does not change which
    output is largest).

    Raises
    ------
    UnsupportedModelError
        Naming every node that is no part of one.
    """
    found = chain_refusals(graph)
    if found:
        raise UnsupportedModelError(
            f"{graph.name} cannot be compressed to a chain of dense layers", found
        )
    return [(n.weight.copy(), n.bias.copy()) for n in graph.nodes if isinstance(n, Dense)]
