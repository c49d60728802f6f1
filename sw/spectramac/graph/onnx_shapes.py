# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""ONNX operators that move elements, on activations and on constants, and the arithmetic of shapes.

Exporters compute shapes at run time (Shape, Gather, Concat, Reshape); here these fold to constants, in which
:data:`~spectramac.graph.onnx_node.BATCH` stands for the batch size.
"""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import onnx.helper
import onnx.numpy_helper
from numpy.typing import NDArray

from spectramac.graph.errors import RefusedError
from spectramac.graph.onnx_node import BATCH, Codes, Constant, OnnxNode, Operand
from spectramac.graph.value import Value

__all__ = ["FOLDED", "MOVES"]

MAX_FOLDED = 1 << 16
"""Elements of a folded result that may be larger than what it is made of: shapes are short."""


def _small(shape: tuple[int, ...]) -> None:
    if prod(shape) > MAX_FOLDED:
        raise RefusedError(
            f"it would compute a constant of shape {shape}",
            "fold constants before export (onnxsim)",
        )


def _move(
    node: OnnxNode,
    on_value: Callable[[Value], Value],
    on_array: Callable[[NDArray[Any]], NDArray[Any]],
) -> Operand:
    """Apply a change of shape to whatever the first input is."""
    x = node.inputs[0]
    if isinstance(x, Codes):
        return Codes(on_value(x.value), x.quantization)
    if isinstance(x, Constant):
        q = x.quantization
        if q is not None and not q.is_per_tensor:
            raise RefusedError(
                "it moves a constant with several scales", "store the weights in their final shape"
            )
        return replace(x, array=on_array(x.array))
    return on_value(node.value())


def reshape(node: OnnxNode) -> Operand:
    """Reshape."""
    target = node.integers(1)
    if node.attributes.get("allowzero") and 0 in target:
        raise RefusedError("it makes a tensor without elements", "use allowzero = 0")

    def on_array(array: NDArray[Any]) -> NDArray[Any]:
        sizes = [array.shape[i] if t == 0 else t for i, t in enumerate(target)]
        return array.reshape(sizes)

    return _move(node, lambda x: x.reshape(node.target_shape(x, target)), on_array)


def flatten(node: OnnxNode) -> Operand:
    """Flatten, which must keep the batch apart."""
    axis = int(node.attributes.get("axis", 1))

    def on_value(x: Value) -> Value:
        rank = len(x.shape) + 1
        before = x.shape[: axis % rank - 1] if axis % rank else None
        if axis == rank:
            before = x.shape
        if before is None or prod(before) != 1:
            raise RefusedError(f"axis {axis} merges samples or axes", "use axis = 1")
        return x.reshape((prod(x.shape),))

    def on_array(array: NDArray[Any]) -> NDArray[Any]:
        return array.reshape(prod(array.shape[:axis]), -1)

    return _move(node, on_value, on_array)


def transpose(node: OnnxNode) -> Operand:
    """Transpose, which must keep the batch first; weights keep their scales."""
    axes = node.attributes.get("perm")
    x = node.inputs[0]
    if isinstance(x, Constant) and x.quantization is not None and not x.quantization.is_per_tensor:
        order = list(axes) if axes is not None else list(range(x.array.ndim))[::-1]
        moved = replace(x.quantization, axis=order.index(x.quantization.axis))
        return replace(x, array=x.array.transpose(order), quantization=moved)

    def on_value(x: Value) -> Value:
        order = list(range(len(x.shape) + 1))[::-1] if axes is None else list(axes)
        if order[0] != 0:
            raise RefusedError(
                f"perm {order} moves the batch axis", "keep the batch the first axis throughout"
            )
        return x.transpose(tuple(a - 1 for a in order[1:]))

    return _move(node, on_value, lambda array: array.transpose(axes))


def squeeze(node: OnnxNode) -> Operand:
    """Squeeze."""
    axes = node.integers(1) if node.has(1) else None

    def on_value(x: Value) -> Value:
        if axes is None:
            raise RefusedError("it also drops a batch of 1", "give the axes that it drops")
        gone = {node.axis(a, x) for a in axes}
        if any(x.shape[a] != 1 for a in gone):
            raise RefusedError(f"axes {axes} of shape {x.shape} are not 1", "check the model")
        return x.reshape(tuple(n for a, n in enumerate(x.shape) if a not in gone))

    return _move(
        node, on_value, lambda array: np.squeeze(array, None if axes is None else tuple(axes))
    )


def unsqueeze(node: OnnxNode) -> Operand:
    """Unsqueeze."""
    axes = node.integers(1)

    def on_value(x: Value) -> Value:
        new = {node.axis(a, x, len(axes)) for a in axes}
        rest = iter(x.shape)
        shape = [1 if a in new else next(rest) for a in range(len(x.shape) + len(axes))]
        return x.reshape(tuple(shape))

    return _move(node, on_value, lambda array: np.expand_dims(array, tuple(axes)))


def shape_of(node: OnnxNode) -> Operand:
    """Shape, with the batch size unknown."""
    x = node.inputs[0]
    if isinstance(x, Constant):
        sizes = list(x.array.shape)
    else:
        sizes = [BATCH, *(x.value if isinstance(x, Codes) else node.value()).padded_shape]
    start, end = node.attributes.get("start", 0), node.attributes.get("end")
    return Constant(np.array(sizes[start:end], np.int64))


def _gather(node: OnnxNode) -> NDArray[Any]:
    data, index = node.constant(0).array, node.constant(1).array
    _small((*data.shape, *index.shape))
    return np.take(data, index, axis=int(node.attributes.get("axis", 0)))


def _slice(node: OnnxNode) -> NDArray[Any]:
    data = node.constant(0).array
    starts, ends = node.integers(1), node.integers(2)
    axes = node.integers(3) if node.has(3) else list(range(len(starts)))
    steps = node.integers(4) if node.has(4) else [1] * len(starts)
    index = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        stop = None if step < 0 and end < -data.shape[axis] else end
        index[axis] = slice(start, stop, step)
    return data[tuple(index)]


def _concat(node: OnnxNode) -> NDArray[Any]:
    parts = [node.constant(i).array for i in range(len(node.inputs))]
    _small((sum(part.size for part in parts),))
    return np.concatenate(parts, axis=int(node.attributes["axis"]))


def _constant_of_shape(node: OnnxNode) -> NDArray[Any]:
    shape = tuple(node.integers(0))
    _small(shape)
    value = node.attributes.get("value")
    fill = np.zeros(1, np.float32) if value is None else onnx.numpy_helper.to_array(value)
    return np.full(shape, fill[0])


def _cast(node: OnnxNode) -> NDArray[Any]:
    kind = onnx.helper.tensor_dtype_to_np_dtype(node.attributes["to"])
    if kind.kind not in "fiub":
        raise RefusedError(f"it makes elements of type {kind}", "use float32 or int64")
    return node.constant(0).array.astype(kind)


def _arithmetic(operation: Callable[[Any, Any], Any]) -> Callable[[OnnxNode], NDArray[Any]]:
    def fold(node: OnnxNode) -> NDArray[Any]:
        a, b = node.constant(0).array, node.constant(1).array
        _small(np.broadcast_shapes(a.shape, b.shape))
        return np.asarray(operation(a, b))

    return fold


def _divide(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    if a.dtype.kind == "f":
        return np.asarray(a / b)
    if not b.all():
        raise RefusedError("it divides by zero", "check the model")
    return np.asarray(np.trunc(a / b).astype(a.dtype))


FOLDED: dict[str, Callable[[OnnxNode], NDArray[Any]]] = {
    "Add": _arithmetic(np.add),
    "Cast": _cast,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Div": _arithmetic(_divide),
    "Gather": _gather,
    "Mul": _arithmetic(np.multiply),
    "Slice": _slice,
    "Sub": _arithmetic(np.subtract),
}
"""What is computed when every input is a constant."""

MOVES: dict[str, Callable[[OnnxNode], Operand]] = {
    "Flatten": flatten,
    "Reshape": reshape,
    "Shape": shape_of,
    "Squeeze": squeeze,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
"""Changes of shape, of activations and constants."""
