# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""ONNX operators that compute, as layers of a graph. Each converter takes the node and the graph's builder."""

from collections.abc import Callable
from math import isinf
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from spectramac.graph.builder import Builder
from spectramac.graph.errors import ModelFileError, RefusedError
from spectramac.graph.node import Shape
from spectramac.graph.nodes import AveragePool, MaxPool, ReLU
from spectramac.graph.onnx_node import Codes, Constant, OnnxNode, Operand
from spectramac.graph.quantization import Quantization
from spectramac.graph.value import Value

__all__ = ["LAYERS"]

_INTEGERS = {
    np.dtype(np.int8): (8, True),
    np.dtype(np.uint8): (8, False),
    np.dtype(np.int16): (16, True),
    np.dtype(np.uint16): (16, False),
    np.dtype(np.int32): (32, True),
}


def _weight_quantization(node: OnnxNode, i: int, axis: int) -> Quantization | None:
    """That of weights whose output channels are axis ``axis``; afterwards they are axis 0."""
    q = node.constant(i).quantization
    if q is None or q.is_per_tensor:
        return q
    if q.axis != axis:
        raise RefusedError(
            f"its weights have scales along axis {q.axis}",
            "quantize weights per tensor or per output channel",
        )
    return Quantization(
        scale=q.scale, zero_point=q.zero_point, bits=q.bits, signed=q.signed, axis=0
    )


def _matrix(node: OnnxNode, i: int) -> NDArray[np.float64]:
    weight = node.floats(i)
    if weight.ndim != 2:
        raise RefusedError(f"its constant has shape {weight.shape}", "use a matrix of two axes")
    return weight


def gemm(node: OnnxNode, builder: Builder) -> Operand:
    """alpha·A·B + beta·C."""
    if node.attributes.get("transA"):
        raise RefusedError("transA mixes the samples of a batch", "use transA = 0")
    columns = bool(node.attributes.get("transB"))
    weight, alpha = _matrix(node, 1), float(node.attributes.get("alpha", 1.0))
    q = _weight_quantization(node, 1, 0 if columns else 1)
    if q is not None and alpha != 1:
        raise RefusedError(f"alpha = {alpha} rescales quantized weights", "use alpha = 1")
    weight = alpha * (weight if columns else weight.T)
    bias, bias_q = np.zeros(len(weight)), None
    if node.has(2):
        c = node.per_sample(node.floats(2), 1) * float(node.attributes.get("beta", 1.0))
        bias = np.broadcast_to(c, bias.shape).copy()
        bias_q = node.constant(2).quantization if node.attributes.get("beta", 1.0) == 1 else None
    return builder.dense(
        node.name, node.value(), weight, bias=bias, weight_quantization=q, bias_quantization=bias_q
    )


def matmul(node: OnnxNode, builder: Builder) -> Operand:
    """A product with a constant on the right; the Add behind it becomes its bias."""
    x, weight = node.value(), _matrix(node, 1).T
    q = _weight_quantization(node, 1, 1)
    return builder.dense(node.name, x, weight, bias=np.zeros(len(weight)), weight_quantization=q)


def conv(node: OnnxNode, builder: Builder) -> Operand:
    """A convolution with constant weights."""
    x, weight = node.value(), node.floats(1)
    kernel = weight.shape[2:]
    if tuple(node.attributes.get("kernel_shape", kernel)) != kernel:
        raise ModelFileError(f"{node.file}: node {node.name!r}: kernel_shape must be {kernel}")
    dilation = tuple(node.attributes.get("dilations", (1,) * len(kernel)))
    stride, padding = node.window(x, kernel, dilation)
    return builder.conv(
        node.name,
        x,
        weight=weight,
        bias=node.floats(2) if node.has(2) else np.zeros(len(weight)),
        weight_quantization=_weight_quantization(node, 1, 0),
        bias_quantization=node.constant(2).quantization if node.has(2) else None,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=int(node.attributes.get("group", 1)),
    )


def batch_normalization(node: OnnxNode, builder: Builder) -> Operand:
    """scale · (x - mean) / √(variance + epsilon) + bias, folded."""
    if node.attributes.get("training_mode"):
        raise RefusedError("it is in training mode", "export the model in evaluation mode")
    x = node.value()
    scale, bias, mean, variance = (node.floats(i) for i in range(1, 5))
    spread = variance + float(node.attributes.get("epsilon", 1e-5))
    if np.any(spread <= 0):
        raise ModelFileError(f"{node.file}: node {node.name!r} must have positive variances")
    factor = scale / np.sqrt(spread)
    channels = (-1, *(1,) * (len(x.shape) - 1))
    shift = bias - mean * factor
    return builder.affine(node.name, x, factor.reshape(channels), shift.reshape(channels))


def _arithmetic(node: OnnxNode, builder: Builder) -> Operand:
    """Add, Sub, Mul, Div; with a constant they fold."""
    constants = [i for i, x in enumerate(node.inputs) if isinstance(x, Constant)]
    if not constants:
        if node.operator == "Add":
            return builder.add(node.name, node.value(0), node.value(1))
        raise RefusedError("both inputs are computed from the data", "only Add takes two tensors")
    x = node.value(1 - constants[0])
    c = node.per_sample(node.floats(constants[0]), len(x.shape))
    first = constants[0] == 0
    if node.operator == "Add":
        return builder.affine(node.name, x, 1.0, c)
    if node.operator == "Sub":
        return builder.affine(node.name, x, -1.0 if first else 1.0, c if first else -c)
    if node.operator == "Mul":
        return builder.affine(node.name, x, c, 0.0)
    if first or not c.all():
        raise RefusedError("it divides by the data or by zero", "divide by a nonzero constant")
    return builder.affine(node.name, x, 1 / c, 0.0)


def relu(node: OnnxNode, builder: Builder) -> Operand:
    """max(x, 0)."""
    return builder.elementwise(ReLU, node.name, node.value())


def clip(node: OnnxNode, builder: Builder) -> Operand:
    """ReLU6 and its kin: the minimum must be 0."""
    low, high = node.scalar(1, -np.inf), node.scalar(2, np.inf)
    if low != 0 or not high > 0:
        raise RefusedError(
            f"it clips to {low:g} … {high:g}", "only Clip(0, maximum), as ReLU6, is supported"
        )
    maximum = None if isinf(high) or high >= np.finfo(np.float32).max else high
    return builder.elementwise(ReLU, node.name, node.value(), maximum=maximum)


def _with_last_window(
    node: OnnxNode, n: int, k: int, s: int, pad: tuple[int, int]
) -> tuple[int, int]:
    """Padding with which the incomplete window at the end, which ``ceil_mode`` keeps, is complete.

    A window that begins behind the tensor is none, but opsets before 22 count it.
    """
    before, after = pad
    outputs = -(-(n + before + after - k) // s) + 1
    if (outputs - 1) * s >= n + before:
        if node.opset < 22:
            raise RefusedError(
                "ceil_mode = 1 adds a window that begins behind the tensor",
                "use ceil_mode = 0, or opset 22 or later",
            )
        outputs -= 1
    return before, max(after, (outputs - 1) * s + k - n - before)


def _pool(node: OnnxNode, builder: Builder, kind: Any, **parameters: Any) -> Operand:
    node.no_dilation()
    x = node.value()
    kernel: Shape = tuple(node.attributes["kernel_shape"])
    stride, padding = node.window(x, kernel, (1,) * len(kernel))
    if node.attributes.get("ceil_mode"):
        spans = zip(x.padded_shape[1:], kernel, stride, padding, strict=True)
        whole = tuple(_with_last_window(node, *span) for span in spans)
        if whole != padding and parameters.get("count_padding"):
            raise RefusedError(
                "ceil_mode = 1 adds incomplete windows here", "use ceil_mode = 0, or pad explicitly"
            )
        padding = whole
    return builder.unary(
        kind, node.name, x, kernel=kernel, stride=stride, padding=padding, **parameters
    )


def max_pool(node: OnnxNode, builder: Builder) -> Operand:
    """Maximum of windows."""
    return _pool(node, builder, MaxPool)


def average_pool(node: OnnxNode, builder: Builder) -> Operand:
    """Mean of windows."""
    counted = bool(node.attributes.get("count_include_pad"))
    return _pool(node, builder, AveragePool, count_padding=counted)


def global_average_pool(node: OnnxNode, builder: Builder) -> Operand:
    """Mean of every channel."""
    x = node.value()
    return builder.mean(node.name, x, tuple(range(1, len(x.shape))), keep=True)


def global_max_pool(node: OnnxNode, builder: Builder) -> Operand:
    """Maximum of every channel: a window as large as the image."""
    x = node.value()
    if len(x.shape) not in (2, 3):
        raise RefusedError(f"it has {len(x.shape) - 1} spatial axes", "one or two are supported")
    return builder.unary(MaxPool, node.name, x, kernel=x.shape[1:])


def reduce_mean(node: OnnxNode, builder: Builder) -> Operand:
    """Global average pooling by another name."""
    x = node.value()
    axes = node.integers(1) if node.has(1) else node.attributes.get("axes")
    if not axes:
        raise RefusedError("it averages all axes, the batch too", "name the spatial axes")
    keep = bool(node.attributes.get("keepdims", 1))
    return builder.mean(node.name, x, tuple(sorted(node.axis(a, x) for a in axes)), keep)


def softmax(node: OnnxNode, builder: Builder) -> Operand:
    """At the end of a network only."""
    x = node.value()
    return builder.softmax(node.name, x, node.axis(int(node.attributes.get("axis", -1)), x))


def pad(node: OnnxNode, builder: Builder) -> Operand:
    """Zeros around an image, taken up by the convolution that follows."""
    mode = node.attributes.get("mode", "constant")
    fill = node.scalar(2, 0.0)
    if mode != "constant" or fill != 0:
        raise RefusedError(f"it pads with mode {mode!r} and value {fill:g}", "pad with zeros")
    x, pads = node.value(), node.integers(1)
    rank = len(x.shape) + 1
    axes = [a % rank for a in node.integers(3)] if node.has(3) else list(range(rank))
    pairs = [(0, 0)] * rank
    for i, axis in enumerate(axes):
        pairs[axis] = (pads[i], pads[len(axes) + i])
    if any(any(pair) for pair in pairs[:2]) or min(pads, default=0) < 0:
        raise RefusedError(
            f"pads {pads} reach the batch or the channels, or are negative",
            "pad spatial axes, by at least 0",
        )
    return x.pad(tuple(pairs[2:]))


def _quantization(node: OnnxNode, kind: np.dtype[Any], rank: int) -> Quantization:
    if node.attributes.get("block_size"):
        raise RefusedError("its scales are per block", "quantize per tensor or per channel")
    scale = node.floats(1)
    zero = node.constant(2).array if node.has(2) else np.zeros(scale.shape)
    bits, signed = _INTEGERS.get(kind, (0, True))
    if kind.name in ("int4", "uint4", "int2", "uint2"):
        bits, signed = int(kind.name[-1]), kind.name[0] == "i"
    if not bits:
        raise RefusedError(f"its integers are {kind}", "quantize to int8 or uint8")
    if scale.size == 1:
        scale, zero = scale.reshape(()), np.asarray(zero).reshape(())
    axis = int(node.attributes.get("axis", 1)) % rank if scale.ndim and rank else 0
    try:
        return Quantization(
            scale=scale, zero_point=zero.astype(np.int64), bits=bits, signed=signed, axis=axis
        )
    except ValueError as error:
        raise ModelFileError(f"{node.file}: node {node.name!r}: {error}") from error


def quantize_linear(node: OnnxNode, builder: Builder) -> Operand:
    """Half of a QDQ pair; of weights, their integers."""
    kind = np.dtype(np.uint8)
    if node.has(2):
        kind = node.constant(2).array.dtype
    elif node.attributes.get("output_dtype"):
        kind = onnx.helper.tensor_dtype_to_np_dtype(node.attributes["output_dtype"])
    x = node.inputs[0]
    if isinstance(x, Constant):
        q = _quantization(node, kind, x.array.ndim)
        return Constant(q.quantize(node.floats(0)).astype(kind), name=x.name)
    value = node.value()
    return Codes(value, _quantization(node, kind, len(value.shape) + 1))


def dequantize_linear(node: OnnxNode, builder: Builder) -> Operand:
    """The other half: an activation gets the scale, weights become what their integers stand for."""
    x = node.inputs[0]
    if isinstance(x, Codes):
        q = _quantization(node, node.constant(2).array.dtype, 2) if node.has(2) else None
        if q is not None:
            same = q.equals(x.quantization)
        else:
            same = bool(np.array_equal(np.squeeze(node.floats(1)), x.quantization.scale))
            same = same and x.quantization.is_symmetric
        if not same:
            raise RefusedError(
                "its scale differs from that of the QuantizeLinear before it", "use QDQ pairs"
            )
        return builder.quantize(node.name, x.value, x.quantization)
    if isinstance(x, Value):
        raise RefusedError(
            "it reads an activation that no QuantizeLinear made",
            "start the model with real inputs and QuantizeLinear",
        )
    constant = node.constant(0)
    q = _quantization(node, constant.array.dtype, constant.array.ndim)
    if not q.is_per_tensor and constant.array.shape[q.axis] != q.scale.size:
        raise ModelFileError(f"{node.file}: node {node.name!r} must have a scale for each channel")
    return Constant(q.dequantize(constant.array.astype(np.int64)), q, constant.name)


LAYERS: dict[str, Callable[[OnnxNode, Builder], Operand]] = {
    "Add": _arithmetic,
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Clip": clip,
    "Conv": conv,
    "DequantizeLinear": dequantize_linear,
    "Div": _arithmetic,
    "Gemm": gemm,
    "GlobalAveragePool": global_average_pool,
    "GlobalMaxPool": global_max_pool,
    "MatMul": matmul,
    "MaxPool": max_pool,
    "Mul": _arithmetic,
    "Pad": pad,
    "QuantizeLinear": quantize_linear,
    "ReduceMean": reduce_mean,
    "Relu": relu,
    "Softmax": softmax,
    "Sub": _arithmetic,
}
