# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a network graph computes, in floating point: the reference for everything that is made of it.

A tensor with a quantization is rounded to its integers, as the QuantizeLinear and DequantizeLinear of a quantized
model do.
"""

from collections.abc import Callable, Iterator
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from spectramac.graph.graph import Graph
from spectramac.graph.node import Node, Padding, Shape
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
from spectramac.graph.quantization import Floats

__all__ = ["activations", "evaluate"]


def evaluate(graph: Graph, x: NDArray[Any], *, quantized: bool = True) -> Floats:
    """The output for a batch of inputs.

    Parameters
    ----------
    graph : Graph
    x : array (batch, *input shape)
        Real values.
    quantized : bool
        Round tensors that have a quantization. Parameters stay what the model's integers stand for.

    Returns
    -------
    float array (batch, *output shape)

    Raises
    ------
    ValueError
        If the inputs have another shape or are not finite numbers.
    """
    last = {name: node.name for node in graph.nodes for name in node.inputs}
    alive: dict[str, Floats] = {}
    for name, value, node in _steps(graph, x, alive, quantized):
        alive[name] = value
        for read in node.inputs if node else ():
            if last[read] == name:
                alive.pop(read, None)
    return alive[graph.output.name]


def activations(graph: Graph, x: NDArray[Any], *, quantized: bool = True) -> dict[str, Floats]:
    """Every tensor by name, the input's included, each (batch, *shape); for calibration and comparison.

    Parameters and errors are those of :func:`evaluate`.
    """
    alive: dict[str, Floats] = {}
    for name, value, _ in _steps(graph, x, alive, quantized):
        alive[name] = value
    return alive


def _steps(
    graph: Graph, x: NDArray[Any], alive: dict[str, Floats], quantized: bool
) -> Iterator[tuple[str, Floats, Node | None]]:
    """Name and value of each tensor in order; reads what the caller keeps in ``alive``."""
    x = np.asarray(x)
    if x.shape[1:] != graph.input.shape or x.ndim == 0:
        raise ValueError(f"inputs must have shape (batch, *{graph.input.shape}), not {x.shape}")
    if x.dtype.kind not in "fiub" or not np.isfinite(x).all():
        raise ValueError("inputs must be finite numbers")

    def rounded(name: str, value: Floats) -> Floats:
        q = graph.tensors[name].quantization
        return q.round_trip(value) if quantized and q is not None else value

    yield graph.input.name, rounded(graph.input.name, x.astype(np.float64)), None
    for node in graph.nodes:
        value = compute(node, *(alive[name] for name in node.inputs))
        yield node.name, rounded(node.name, value), node


@singledispatch
def compute(node: Node, *inputs: Floats) -> Floats:
    """One node on batches of its inputs."""
    raise TypeError(f"{node.operator} has no evaluation")


def _register(kind: type[Node]) -> Callable[[Any], Any]:
    return compute.register(kind)


def _windows(
    x: Floats, kernel: Shape, stride: Shape, padding: Padding, dilation: Shape, fill: float
) -> Floats:
    """(batch, channels, *positions, *kernel), a view where nothing is padded."""
    if any(any(pad) for pad in padding):
        x = np.pad(x, ((0, 0), (0, 0), *padding), constant_values=fill)
    axes = tuple(range(2, x.ndim))
    reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    view = sliding_window_view(x, reach, axis=axes)
    steps = tuple(slice(None, None, s) for s in (*stride, *dilation))
    windows: Floats = view[(slice(None), slice(None), *steps)]
    return windows


@_register(Dense)
def _dense(node: Dense, x: Floats) -> Floats:
    return x @ node.weight.T + node.bias


@_register(Conv)
def _conv(node: Conv, x: Floats) -> Floats:
    rank = len(node.kernel)
    windows = _windows(x, node.kernel, node.stride, node.padding, node.dilation, 0.0)
    batch, positions = windows.shape[0], windows.shape[2 : 2 + rank]
    n_out, n_group = node.weight.shape[0], node.weight.shape[1]
    result = np.empty((batch, n_out, *positions))
    if node.is_depthwise:
        repeated = np.repeat(windows, n_out // node.n_in, axis=1)
        letters = "ij"[:rank]
        np.einsum(f"bc...{letters},c{letters}->bc...", repeated, node.weight[:, 0], out=result)
    else:
        axes = [1, *range(2 + rank, 2 + 2 * rank)]
        for g in range(node.groups):
            outs = slice(g * n_out // node.groups, (g + 1) * n_out // node.groups)
            part = windows[:, g * n_group : (g + 1) * n_group]
            sums = np.tensordot(part, node.weight[outs], (axes, range(1, 2 + rank)))
            result[:, outs] = np.moveaxis(sums, -1, 1)
    result += node.bias.reshape(-1, *(1,) * rank)
    return result


@_register(ReLU)
def _relu(node: ReLU, x: Floats) -> Floats:
    return np.clip(x, 0.0, node.maximum)


def _pool(node: Pool, x: Floats, fill: float) -> tuple[Floats, tuple[int, ...]]:
    rank = len(node.kernel)
    windows = _windows(x, node.kernel, node.stride, node.padding, (1,) * rank, fill)
    return windows, tuple(range(-rank, 0))


@_register(MaxPool)
def _max_pool(node: MaxPool, x: Floats) -> Floats:
    windows, axes = _pool(node, x, -np.inf)
    largest: Floats = windows.max(axis=axes)
    return largest


@_register(AveragePool)
def _average_pool(node: AveragePool, x: Floats) -> Floats:
    windows, axes = _pool(node, x, 0.0)
    total: Floats = windows.sum(axis=axes)
    if node.count_padding:
        return total / np.prod(node.kernel)
    ones, _ = _pool(node, np.ones((1, 1, *x.shape[2:])), 0.0)
    counted: Floats = total / ones.sum(axis=axes)
    return counted


@_register(GlobalAveragePool)
def _global_average_pool(node: GlobalAveragePool, x: Floats) -> Floats:
    mean: Floats = x.mean(axis=tuple(range(2, x.ndim)), keepdims=True)
    return mean


@_register(Add)
def _add(node: Add, a: Floats, b: Floats) -> Floats:
    return a + b


@_register(Flatten)
def _flatten(node: Flatten, x: Floats) -> Floats:
    return x.reshape(len(x), int(np.prod(x.shape[1:])))


@_register(Reshape)
def _reshape(node: Reshape, x: Floats) -> Floats:
    return x.reshape(len(x), *node.shape)


@_register(Transpose)
def _transpose(node: Transpose, x: Floats) -> Floats:
    return x.transpose(0, *(axis + 1 for axis in node.axes))


@_register(Requantize)
def _requantize(node: Requantize, x: Floats) -> Floats:
    return x


@_register(Softmax)
def _softmax(node: Softmax, x: Floats) -> Floats:
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares
