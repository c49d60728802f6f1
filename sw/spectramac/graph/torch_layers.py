# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""PyTorch's operators (aten) as layers of a graph."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from spectramac.graph.builder import Builder
from spectramac.graph.errors import RefusedError
from spectramac.graph.node import Padding, Shape
from spectramac.graph.nodes import AveragePool, MaxPool, ReLU
from spectramac.graph.quantization import Floats
from spectramac.graph.value import Value

__all__ = ["BATCH", "LAYERS", "TorchNode", "remedy"]

BATCH = 3
"""Samples in the recorded batch: a number that is not mistaken for a size of 1."""

_RETRAIN = "train the module with ReLU or ReLU6 instead"
_NORM = "use BatchNorm, which folds into the layer before it"
_REMEDIES = {
    **dict.fromkeys(
        ["leaky_relu", "prelu", "elu", "selu", "celu", "gelu", "silu", "tanh", "softplus"], _RETRAIN
    ),
    **dict.fromkeys(["hardswish", "hardsigmoid", "mish"], _RETRAIN),
    **dict.fromkeys(["layer_norm", "group_norm", "instance_norm"], _NORM),
    **dict.fromkeys(["lstm", "gru", "rnn_tanh", "rnn_relu"], "use Conv1d over time instead"),
    "sigmoid": "at the end, leave it to the host; elsewhere train with ReLU",
    "log_softmax": "leave it out, or use Softmax at the end: the largest output stays the same",
}


def remedy(operator: str) -> str:
    """What can be done about an operator that is not supported."""
    return _REMEDIES.get(operator, "rewrite it with: " + ", ".join(LAYERS))


@dataclass(frozen=True, eq=False)
class TorchNode:
    """One call, its tensors replaced by values of the import.

    Attributes
    ----------
    name, operator : str
    inputs, keywords
        Arguments; parameters are arrays, activations :class:`~spectramac.graph.value.Value`.
    shape : tuple of int
        Of the result, the batch included.
    """

    name: str
    operator: str
    inputs: list[Any]
    keywords: dict[str, Any]
    shape: Shape

    def get(self, i: int, name: str, default: Any = None) -> Any:
        """Argument i, which may be given by name or left out."""
        if i < len(self.inputs):
            return self.inputs[i]
        return self.keywords.get(name, default)

    def value(self, i: int = 0) -> Value:
        """Argument i, which must be an activation."""
        x = self.get(i, "input")
        if not isinstance(x, Value):
            raise RefusedError(f"argument {i} is not computed from the data", "check the module")
        return x

    def array(self, i: int, name: str) -> Floats:
        """Argument i, which must be a parameter."""
        x = self.get(i, name)
        if not isinstance(x, np.ndarray):
            raise RefusedError(f"{name} is computed from the data", "use fixed parameters")
        return x

    def axis(self, axis: int, rank: int) -> int:
        """An axis of a tensor with ``rank`` axes as it counts without the batch."""
        if axis % rank == 0:
            raise RefusedError("it works along the batch axis", "samples must be kept apart")
        return axis % rank - 1


def _tuple(value: Any, rank: int) -> Shape:
    values = [value] if isinstance(value, int) else list(value)
    return tuple(int(v) for v in (values * rank if len(values) == 1 else values))


def linear(node: TorchNode, builder: Builder) -> Value:
    """x·Wᵀ + b."""
    weight, bias = node.array(1, "weight"), node.get(2, "bias")
    bias = np.zeros(len(weight)) if bias is None else bias
    return builder.dense(node.name, node.value(), weight, bias=bias)


def matmul(node: TorchNode, builder: Builder) -> Value:
    """x·W; a sum behind it becomes its bias."""
    weight = node.array(1, "other")
    if weight.ndim != 2:
        raise RefusedError(f"its constant has shape {weight.shape}", "use a matrix of two axes")
    return builder.dense(node.name, node.value(), weight.T, bias=np.zeros(weight.shape[1]))


def conv(node: TorchNode, builder: Builder) -> Value:
    """conv1d and conv2d; padding may be ``"same"`` or ``"valid"``."""
    weight, bias = node.array(1, "weight"), node.get(2, "bias")
    kernel = weight.shape[2:]
    rank = len(kernel)
    dilation = _tuple(node.get(5, "dilation", 1), rank)
    given = node.get(4, "padding", 0)
    padding: Padding
    if given == "valid":
        padding = ((0, 0),) * rank
    elif given == "same":
        totals = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        padding = tuple((t // 2, t - t // 2) for t in totals)
    else:
        padding = tuple((p, p) for p in _tuple(given, rank))
    return builder.conv(
        node.name,
        node.value(),
        weight=weight,
        bias=np.zeros(len(weight)) if bias is None else bias,
        stride=_tuple(node.get(3, "stride", 1), rank),
        padding=padding,
        dilation=dilation,
        groups=int(node.get(6, "groups", 1)),
    )


def batch_norm(node: TorchNode, builder: Builder) -> Value:
    """With its running statistics; folded."""
    x = node.value()
    mean, variance = node.get(3, "running_mean"), node.get(4, "running_var")
    if mean is None or variance is None:
        raise RefusedError("it has no running statistics", "use track_running_stats=True")
    weight, bias = node.get(1, "weight"), node.get(2, "bias")
    epsilon = float(node.get(6, "eps"))
    factor = (1.0 if weight is None else weight) / np.sqrt(variance + epsilon)
    shift = (0.0 if bias is None else bias) - mean * factor
    channels = (-1, *(1,) * (len(x.shape) - 1))
    return builder.affine(node.name, x, factor.reshape(channels), shift.reshape(channels))


def relu(node: TorchNode, builder: Builder) -> Value:
    """max(x, 0)."""
    return builder.elementwise(ReLU, node.name, node.value())


def clamp(node: TorchNode, builder: Builder) -> Value:
    """hardtanh, relu6 and clamp: the minimum must be 0."""
    if node.operator == "relu6":
        low, high = 0.0, 6.0
    else:
        hard = node.operator == "hardtanh"
        default = (-1.0, 1.0) if hard else (None, None)
        names = ("min_val", "max_val") if hard else ("min", "max")
        low, high = (node.get(i + 1, names[i], default[i]) for i in range(2))
    low, high = -inf if low is None else low, inf if high is None else high
    if isinstance(low, Value) or isinstance(high, Value) or low != 0 or not high > 0:
        raise RefusedError(f"it clips to {low} … {high}", "clip to 0 … maximum, as ReLU6")
    maximum = None if high == inf else float(high)
    return builder.elementwise(ReLU, node.name, node.value(), maximum=maximum)


def _pool(node: TorchNode, builder: Builder, kind: Any, ceil: int, **parameters: Any) -> Value:
    x = node.value()
    rank = len(x.shape) - 1
    kernel = _tuple(node.get(1, "kernel_size"), rank)
    stride = _tuple(node.get(2, "stride") or kernel, rank)
    padding = tuple((p, p) for p in _tuple(node.get(3, "padding", 0), rank))
    if node.get(ceil, "ceil_mode", False):
        spans = zip(x.shape[1:], kernel, stride, padding, strict=True)
        if any((n + sum(pad) - k) % s for n, k, s, pad in spans):
            raise RefusedError("ceil_mode adds incomplete windows here", "use ceil_mode=False")
    return builder.unary(
        kind, node.name, x, kernel=kernel, stride=stride, padding=padding, **parameters
    )


def max_pool(node: TorchNode, builder: Builder) -> Value:
    """max_pool1d and max_pool2d."""
    if any(d != 1 for d in _tuple(node.get(4, "dilation", 1), 1)):
        raise RefusedError("dilated windows are for convolutions only", "use dilation=1")
    return _pool(node, builder, MaxPool, 5)


def average_pool(node: TorchNode, builder: Builder) -> Value:
    """avg_pool1d and avg_pool2d."""
    if node.get(6, "divisor_override") is not None:
        raise RefusedError("it has a divisor of its own", "leave out divisor_override")
    counted = bool(node.get(5, "count_include_pad", True))
    return _pool(node, builder, AveragePool, 4, count_padding=counted)


def adaptive_pool(node: TorchNode, builder: Builder) -> Value:
    """adaptive_avg_pool1d and 2d where the windows are all alike."""
    x = node.value()
    spatial, wanted = x.shape[1:], node.shape[2:]
    if all(n == 1 for n in wanted):
        return builder.mean(node.name, x, tuple(range(1, len(x.shape))), keep=True)
    if any(n % m for n, m in zip(spatial, wanted, strict=True)):
        raise RefusedError(
            f"windows from {spatial} to {wanted} differ in size",
            "use a size that divides the input",
        )
    kernel = tuple(n // m for n, m in zip(spatial, wanted, strict=True))
    return builder.unary(AveragePool, node.name, x, kernel=kernel, stride=kernel)


def mean(node: TorchNode, builder: Builder) -> Value:
    """Global average pooling by another name."""
    x, axes = node.value(), node.get(1, "dim")
    rank = len(x.shape) + 1
    axes = [axes] if isinstance(axes, int) else list(axes or range(rank))
    kept = bool(node.get(2, "keepdim", False))
    return builder.mean(node.name, x, tuple(sorted(node.axis(a, rank) for a in axes)), kept)


def arithmetic(node: TorchNode, builder: Builder) -> Value:
    """add, sub, mul and div of tensors (add only), or of a tensor and constants."""
    a, b, kind = node.get(0, "input"), node.get(1, "other"), node.operator
    alpha = node.get(2, "alpha", 1) if kind in ("add", "sub") else 1
    if node.keywords.get("rounding_mode") is not None:
        raise RefusedError("it rounds", "divide without rounding_mode")
    if isinstance(a, Value) and isinstance(b, Value):
        if kind != "add" or alpha != 1:
            raise RefusedError("it combines two tensors", "only their sum is supported")
        return builder.add(node.name, a, b)
    x, first = (b, True) if isinstance(b, Value) else (a, False)
    if not isinstance(x, Value):
        raise RefusedError("it does not depend on the data", "compute constants beforehand")
    c = np.asarray(a if first else b, np.float64)
    if c.ndim == len(x.shape) + 1 and c.shape[0] == 1:
        c = c[0]
    if kind == "add":
        if first and alpha != 1:
            return builder.affine(node.name, x, alpha, c)
        return builder.affine(node.name, x, 1.0, alpha * c)
    if kind == "sub":
        return builder.affine(node.name, x, -alpha if first else 1.0, c if first else -alpha * c)
    if kind == "mul":
        return builder.affine(node.name, x, c, 0.0)
    if first or not c.all():
        raise RefusedError("it divides by the data or by zero", "divide by a nonzero constant")
    return builder.affine(node.name, x, 1 / c, 0.0)


def rsub(node: TorchNode, builder: Builder) -> Value:
    """Constant minus tensor."""
    c, alpha = np.asarray(node.get(1, "other"), np.float64), node.get(2, "alpha", 1)
    return builder.affine(node.name, node.value(), -float(alpha), c)


def reshape(node: TorchNode, builder: Builder) -> Value:
    """Every change of shape; the result's shape is known."""
    x = node.value()
    if not node.shape or node.shape[0] != BATCH:
        raise RefusedError(
            f"it merges the batch into {node.shape}", "keep the batch the first axis"
        )
    return x.reshape(node.shape[1:])


def permute(node: TorchNode, builder: Builder) -> Value:
    """permute and transpose, which must keep the batch first."""
    x = node.value()
    rank = len(x.shape) + 1
    if node.operator == "permute":
        order = [a % rank for a in node.get(1, "dims")]
    else:
        order = list(range(rank))
        a, b = node.get(1, "dim0") % rank, node.get(2, "dim1") % rank
        order[a], order[b] = b, a
    if order[0] != 0:
        raise RefusedError(f"{order} moves the batch axis", "keep the batch the first axis")
    return x.transpose(tuple(a - 1 for a in order[1:]))


def pad(node: TorchNode, builder: Builder) -> Value:
    """Zeros around an image, taken up by the convolution that follows."""
    x, pads = node.value(), list(node.get(1, "pad"))
    mode = node.get(2, "mode", "constant") if node.operator == "pad" else "constant"
    fill = node.get(3 if node.operator == "pad" else 2, "value", 0) or 0
    pairs = list(zip(pads[::2], pads[1::2], strict=True))[::-1]  # the last axis comes first
    spatial = len(x.shape) - 1
    if mode != "constant" or fill != 0 or min(pads) < 0 or len(pairs) > spatial:
        raise RefusedError(f"it pads {pads} with mode {mode!r} and {fill}", "pad images with zeros")
    return x.pad(tuple([(0, 0)] * (spatial - len(pairs)) + pairs))


def softmax(node: TorchNode, builder: Builder) -> Value:
    """At the end of a network only."""
    x = node.value()
    return builder.softmax(node.name, x, node.axis(node.get(1, "dim"), len(x.shape) + 1))


def same(node: TorchNode, builder: Builder) -> Value:
    """What changes nothing in evaluation."""
    return node.value()


def dropout(node: TorchNode, builder: Builder) -> Value:
    """Nothing, unless it is called with ``training=True``."""
    if node.get(2, "train", False):
        raise RefusedError("it drops values", "call it with training=module.training")
    return node.value()


LAYERS: dict[str, Callable[[TorchNode, Builder], Value]] = {
    "linear": linear,
    **dict.fromkeys(["conv1d", "conv2d"], conv),
    "matmul": matmul,
    "_native_batch_norm_legit_no_training": batch_norm,
    "relu": relu,
    **dict.fromkeys(["hardtanh", "relu6", "clamp", "clamp_min"], clamp),
    **dict.fromkeys(["max_pool1d", "max_pool2d"], max_pool),
    **dict.fromkeys(["avg_pool1d", "avg_pool2d"], average_pool),
    **dict.fromkeys(["adaptive_avg_pool1d", "adaptive_avg_pool2d"], adaptive_pool),
    "mean": mean,
    **dict.fromkeys(["add", "sub", "mul", "div"], arithmetic),
    "rsub": rsub,
    **dict.fromkeys(["flatten", "reshape", "view", "_unsafe_view", "unflatten"], reshape),
    **dict.fromkeys(["squeeze", "unsqueeze"], reshape),
    **dict.fromkeys(["permute", "transpose"], permute),
    **dict.fromkeys(["pad", "constant_pad_nd"], pad),
    "softmax": softmax,
    **dict.fromkeys(["contiguous", "clone", "alias", "detach"], same),
    **dict.fromkeys(["dropout", "feature_dropout", "alpha_dropout"], dropout),
}
"""By operator."""
