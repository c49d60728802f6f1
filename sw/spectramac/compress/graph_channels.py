# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Structured pruning of network graphs: filters are removed with all that reads them; what stays is dense.

A convolution's filters can be removed if nothing but other convolutions and dense layers read them in the end: behind
a sum they are tied to those of its other branch, and stay.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.graph_codes import kernel_4d
from spectramac.compress.techniques import unit_importance
from spectramac.compress.techniques.conv import channel_rms
from spectramac.compress.techniques.stage import IDENTITY
from spectramac.compress.threshold import largest
from spectramac.graph.evaluate import activations
from spectramac.graph.graph import Graph
from spectramac.graph.node import Node
from spectramac.graph.nodes import Conv, Dense, Flatten, GlobalAveragePool, Pool, ReLU

__all__ = ["remove_filters"]

Kept = NDArray[np.int64]


@dataclass
class _Path:
    """Where the channels of a convolution go: through layers with a kernel for each, to those that read all."""

    depthwise: list[Conv] = field(default_factory=list)
    readers: list[Conv | Dense] = field(default_factory=list)


def _path(graph: Graph, name: str) -> _Path | None:
    """From a tensor on; None if something needs its channels to stay."""
    found = _Path()
    waiting = [name]
    while waiting:
        tensor = waiting.pop()
        readers = graph.readers(tensor)
        if not readers:
            return None  # the output
        for node in readers:
            if isinstance(node, Dense) or (isinstance(node, Conv) and node.groups == 1):
                found.readers.append(node)
            elif isinstance(node, Conv) and node.is_depthwise and len(node.weight) == node.n_in:
                found.depthwise.append(node)
                waiting.append(node.name)
            elif isinstance(node, ReLU | Pool | GlobalAveragePool | Flatten):
                waiting.append(node.name)
            else:
                return None
    return found


def _without(node: Conv | Dense, kept: Kept, channels: int, means: Floats) -> Conv | Dense:
    """A layer that reads only the channels ``kept`` of so many; the means of the others go to its bias."""
    taps = node.weight.reshape(len(node.weight), channels, -1)
    gone = np.setdiff1d(np.arange(channels), kept)
    bias = node.bias + taps[:, gone].sum(axis=2) @ means[gone]
    if isinstance(node, Dense):
        weight = taps[:, kept].reshape(len(taps), -1)
    else:
        weight = node.weight[:, kept]
    return replace(node, weight=weight, bias=bias)


def remove_filters(graph: Graph, part: float, x: NDArray[np.float64]) -> Graph:
    """Keep a part of the filters of every convolution that may lose some, at least one: the most important ones.

    Importance is the L2 norm of a filter, its channels weighted by the RMS of what they read. The mean of what a
    removed filter gave moves to the biases of the layers that read it.

    Parameters
    ----------
    graph : Graph
    part : float
        From 0 (excluded) to 1.
    x : float array (batch, *input shape)
        Typical inputs.
    """
    values = activations(graph, x)
    nodes: dict[str, Node] = {node.name: node for node in graph.nodes}
    for node in graph.nodes:
        path = _path(graph, node.name) if isinstance(node, Conv) and node.groups == 1 else None
        if path is None:
            continue
        assert isinstance(node, Conv)
        kept = _most_important(node, part, values)
        for own in (node, *path.depthwise):
            now = nodes[own.name]
            assert isinstance(now, Conv)
            groups = now.groups if own is node else len(kept)
            nodes[own.name] = replace(
                now, weight=now.weight[kept], bias=now.bias[kept], groups=groups
            )
        for reader in path.readers:
            seen = values[reader.inputs[0]].reshape(len(x), len(node.weight), -1)
            now = nodes[reader.name]
            assert isinstance(now, Conv | Dense)
            nodes[reader.name] = _without(now, kept, len(node.weight), seen.mean(axis=(0, 2)))
    return replace(graph, nodes=tuple(nodes.values()))


def _most_important(node: Conv, part: float, values: Mapping[str, Floats]) -> Kept:
    seen = values[node.inputs[0]]
    rms = channel_rms(seen.reshape(*seen.shape[:2], -1, 1), IDENTITY, 1)[: node.n_in]
    importance = unit_importance(kernel_4d(node.weight) * rms[:, None, None])
    count = max(1, round(part * len(node.weight)))
    return np.flatnonzero(largest(importance, count))
