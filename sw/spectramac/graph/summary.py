# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a network graph consists of, and how large it is before compression."""

from dataclasses import dataclass

import numpy as np

from spectramac.graph.graph import Graph
from spectramac.graph.node import Node, Shape
from spectramac.graph.nodes import Conv, Pool, Reshape, Transpose
from spectramac.spec.config import PRESETS

__all__ = ["BIAS_BYTES", "NodeSummary", "summarize", "summary"]

BIAS_BYTES = -(-PRESETS["small"].bias.width // 8)
"""Of a stored bias."""


@dataclass(frozen=True)
class NodeSummary:
    """One node in figures.

    Attributes
    ----------
    name, operator : str
    detail : str
        Kernel, stride, padding, groups, quantization where they say something.
    shape : tuple of int
        Of its tensor.
    parameters, multiplications : int
        Trained numbers; multiplications of a dense implementation for one sample.
    dense_bytes : int
        Stored dense: a byte a weight, two a bias.
    """

    name: str
    operator: str
    detail: str
    shape: Shape
    parameters: int
    multiplications: int
    dense_bytes: int


def _by(values: Shape) -> str:
    return "×".join(str(v) for v in values)


def _detail(node: Node) -> str:
    parts: list[str] = []
    if isinstance(node, Conv | Pool):
        parts.append(_by(node.kernel))
        if max(node.stride) > 1:
            parts.append(f"stride {_by(node.stride)}")
        if any(any(pad) for pad in node.padding):
            pads = [str(a) if a == b else f"{a}+{b}" for a, b in node.padding]
            parts.append(f"padding {'×'.join(pads)}")
    if isinstance(node, Conv):
        if max(node.dilation) > 1:
            parts.append(f"dilation {_by(node.dilation)}")
        if node.groups > 1:
            parts.append("depthwise" if node.is_depthwise else f"{node.groups} groups")
    if isinstance(node, Transpose):
        parts.append(f"axes {node.axes}")
    if isinstance(node, Reshape):
        parts.append(f"to {_by(node.shape)}")
    weights = getattr(node, "weight_quantization", None)
    if weights is not None:
        parts.append(f"weights {weights}")
    if node.quantization is not None:
        parts.append(str(node.quantization))
    return ", ".join(parts)


def summarize(graph: Graph) -> list[NodeSummary]:
    """Figures of every node, in order."""
    rows = []
    for node in graph.nodes:
        sizes = {name: array.size for name, array in node.parameters.items()}
        shape = graph.tensors[node.name].shape
        rows.append(
            NodeSummary(
                name=node.name,
                operator=node.operator,
                detail=_detail(node),
                shape=shape,
                parameters=sum(sizes.values()),
                multiplications=node.multiplications(shape),
                dense_bytes=sizes.get("weight", 0) + BIAS_BYTES * sizes.get("bias", 0),
            )
        )
    return rows


def summary(graph: Graph) -> str:
    """The figures as a table in plain text, with totals."""
    rows = summarize(graph)
    header = ("node", "operator", "", "shape", "parameters", "multiplications", "int8 bytes")
    cells: list[tuple[str, ...]] = [
        header,
        (graph.input.name, "input", "", _by(graph.input.shape), "", "", ""),
    ]
    for r in rows:
        numbers = (r.parameters, r.multiplications, r.dense_bytes)
        cells.append((r.name, r.operator, r.detail, _by(r.shape), *(str(n or "") for n in numbers)))
    totals = np.sum([(r.parameters, r.multiplications, r.dense_bytes) for r in rows], axis=0)
    cells.append(("total", "", "", "", *(str(n) for n in totals)))
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = []
    for row in cells:
        text = [
            c.ljust(w) if i < 4 else c.rjust(w)
            for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(text).rstrip())
    return "\n".join([graph.name, *lines])
