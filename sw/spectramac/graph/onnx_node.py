# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""One node of an ONNX graph: its attributes and inputs, checked as they are read."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from spectramac.graph.errors import ModelFileError, Refusal, RefusedError
from spectramac.graph.node import Padding, Shape
from spectramac.graph.quantization import Floats, Quantization
from spectramac.graph.value import Value

__all__ = [
    "BATCH",
    "KNOWN_ATTRIBUTES",
    "Codes",
    "Constant",
    "OnnxNode",
    "Operand",
    "static_refusal",
    "unknown_operator",
]

BATCH = -(1 << 40)
"""Stands for the unknown batch size in folded shape computations. No real length is less than -1."""

_WINDOW = {"auto_pad", "kernel_shape", "pads", "strides", "dilations"}
KNOWN_ATTRIBUTES: dict[str, set[str]] = {
    "Add": set(),
    "AveragePool": {*_WINDOW, "ceil_mode", "count_include_pad"},
    "BatchNormalization": {"epsilon", "momentum", "training_mode"},
    "Cast": {"to", "saturate", "round_mode"},
    "Clip": set(),
    "Concat": {"axis"},
    "Constant": {"value", "value_float", "value_floats", "value_int", "value_ints"},
    "ConstantOfShape": {"value"},
    "Conv": {*_WINDOW, "group"},
    "DequantizeLinear": {"axis", "block_size", "output_dtype"},
    "Div": set(),
    "Dropout": {"seed"},
    "Flatten": {"axis"},
    "Gather": {"axis"},
    "Gemm": {"alpha", "beta", "transA", "transB"},
    "GlobalAveragePool": set(),
    "GlobalMaxPool": set(),
    "Identity": set(),
    "MatMul": set(),
    "MaxPool": {*_WINDOW, "ceil_mode", "storage_order"},
    "Mul": set(),
    "Pad": {"mode"},
    "QuantizeLinear": {"axis", "saturate", "block_size", "output_dtype", "precision"},
    "ReduceMean": {"axes", "keepdims", "noop_with_empty_axes"},
    "Relu": set(),
    "Reshape": {"allowzero"},
    "Shape": {"start", "end"},
    "Slice": set(),
    "Softmax": {"axis"},
    "Squeeze": set(),
    "Sub": set(),
    "Transpose": {"perm"},
    "Unsqueeze": set(),
}
"""Operators that are taken, with the attributes that are understood: any other attribute is refused, so that one of a
later opset is never overlooked."""

_RETRAIN = "train the model with Relu or Clip(0, 6) instead"
_RECURRENT = "use convolutions over time (Conv with one spatial axis) instead"
_REMEDIES = {
    **dict.fromkeys(
        ["LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Gelu", "HardSwish", "Mish", "Softplus"],
        _RETRAIN,
    ),
    **dict.fromkeys(["Swish", "HardSigmoid", "Tanh", "Erf", "Softsign"], _RETRAIN),
    **dict.fromkeys(["LSTM", "GRU", "RNN"], _RECURRENT),
    **dict.fromkeys(
        ["QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "QLinearAdd"],
        "export the quantized model in QDQ format (QuantizeLinear, DequantizeLinear)",
    ),
    **dict.fromkeys(
        ["If", "Loop", "Scan"], "export the model without control flow, for inputs of one shape"
    ),
    "LogSoftmax": "leave it out, or use Softmax at the end: the largest output stays the same",
    "Sigmoid": "at the end, leave it to the host; elsewhere train the model with Relu",
    "ConvTranspose": "use an upsampling network only up to this node (onnx.utils.extract_model)",
    "LayerNormalization": "use BatchNormalization, which folds into the layer before it",
    "InstanceNormalization": "use BatchNormalization, which folds into the layer before it",
    "GroupNormalization": "use BatchNormalization, which folds into the layer before it",
    "DynamicQuantizeLinear": "quantize the model with fixed scales (QDQ format)",
}


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor known now: weights, or a shape; ``quantization`` if it came from integers."""

    array: NDArray[Any]
    quantization: Quantization | None = None
    name: str = ""


@dataclass(frozen=True, eq=False)
class Codes:
    """An activation between QuantizeLinear and DequantizeLinear."""

    value: Value
    quantization: Quantization


Operand = Value | Constant | Codes


def operator_name(node: onnx.NodeProto) -> str:
    """With the domain unless it is the standard one."""
    standard = node.domain in ("", "ai.onnx")
    return str(node.op_type if standard else f"{node.domain}.{node.op_type}")


def unknown_operator(node: onnx.NodeProto, name: str) -> Refusal | None:
    """The refusal of an operator that is not known."""
    operator = operator_name(node)
    if operator in KNOWN_ATTRIBUTES:
        return None
    remedy = _REMEDIES.get(operator)
    if remedy is None and node.domain not in ("", "ai.onnx"):
        remedy = "export with standard operators, functions inlined (onnx.inliner)"
    remedy = remedy or "rewrite it with: " + ", ".join(KNOWN_ATTRIBUTES)
    return Refusal(name, operator, "unsupported operator", remedy)


def static_refusal(node: onnx.NodeProto, name: str) -> Refusal | None:
    """Whether the operator or an attribute of it is not known; looks at nothing else."""
    operator = operator_name(node)
    if operator not in KNOWN_ATTRIBUTES:
        return unknown_operator(node, name)
    names = [str(a.name) for a in node.attribute]  # bytes, where a file has no valid text
    unknown = sorted(set(names) - KNOWN_ATTRIBUTES[operator])
    if unknown:
        problem = f"unsupported attribute {', '.join(unknown)}"
        return Refusal(
            name, operator, problem, "leave it at its default, or export with an older opset"
        )
    return None


@dataclass(frozen=True, eq=False)
class OnnxNode:
    """A node as converters see it.

    Attributes
    ----------
    name, operator : str
    attributes : dict
    inputs : tuple of Operand or None
        None where an optional input is left out.
    batch : int or None
        The batch size that the file fixes, if it does.
    opset : int
    file : str
        Name of the file, for messages.
    """

    name: str
    operator: str
    attributes: dict[str, Any]
    inputs: tuple[Operand | None, ...]
    batch: int | None
    opset: int
    file: str

    def has(self, i: int) -> bool:
        """Whether input i is given."""
        return i < len(self.inputs) and self.inputs[i] is not None

    @property
    def is_constant(self) -> bool:
        """Whether all its inputs are constants."""
        return all(isinstance(x, Constant) for x in self.inputs if x is not None)

    def value(self, i: int = 0) -> Value:
        """Input i, which must be an activation."""
        x = self.inputs[i] if self.has(i) else None
        if isinstance(x, Value):
            return x
        if isinstance(x, Codes):
            raise RefusedError(
                "it computes with the integers of a quantized tensor",
                "use QDQ format: DequantizeLinear before every operator",
            )
        raise RefusedError(
            f"input {i} is a constant",
            "it must be computed from the data there; fold constants before export (onnxsim)",
        )

    def constant(self, i: int) -> Constant:
        """Input i, which must be a constant."""
        x = self.inputs[i] if self.has(i) else None
        if isinstance(x, Constant):
            return x
        raise RefusedError(
            f"input {i} is computed from the data",
            "only constants are supported there; export the model with fixed shapes and weights",
        )

    def floats(self, i: int) -> Floats:
        """Input i as finite real constants."""
        constant = self.constant(i)
        try:
            with np.errstate(invalid="ignore"):  # of a signalling NaN, which is refused below
                array = constant.array.astype(np.float64)
        except (TypeError, ValueError):
            raise RefusedError(f"input {i} does not hold numbers", "check the model") from None
        if not np.isfinite(array).all():
            raise ModelFileError(
                f"{self.file}: tensor {constant.name!r} of node {self.name!r} ({self.operator}) must hold "
                "finite numbers, not NaN or infinity"
            )
        return array

    def integers(self, i: int) -> list[int]:
        """Input i as constant integers."""
        return [int(v) for v in self.constant(i).array.ravel()]

    def scalar(self, i: int, default: float) -> float:
        """Input i as one constant number, or the default where it is left out; may be infinite."""
        if not self.has(i):
            return default
        array = self.constant(i).array
        if array.size != 1:
            raise RefusedError(f"input {i} has {array.size} values", "use a single number")
        return float(array.ravel()[0])

    def no_dilation(self) -> None:
        """Refuse a window that leaves out elements."""
        if any(d != 1 for d in self.attributes.get("dilations", ())):
            raise RefusedError("dilated windows are for convolutions only", "use dilations of 1")

    def window(self, x: Value, kernel: Shape, dilation: Shape) -> tuple[Shape, Padding]:
        """Stride and padding of a window over the spatial axes of ``x``."""
        rank, spatial = len(kernel), x.padded_shape[1:]
        if len(spatial) != rank or rank not in (1, 2):
            raise RefusedError(
                f"it has {len(spatial)} spatial axes", "one or two spatial axes are supported"
            )
        stride = tuple(self.attributes.get("strides", (1,) * rank))
        mode = self.attributes.get("auto_pad", "NOTSET")
        if mode in ("SAME_UPPER", "SAME_LOWER"):
            padding = []
            for n, k, s, d in zip(spatial, kernel, stride, dilation, strict=True):
                total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
                small, large = total // 2, total - total // 2
                padding.append((small, large) if mode == "SAME_UPPER" else (large, small))
            return stride, tuple(padding)
        if mode == "VALID":
            return stride, ((0, 0),) * rank
        pads = tuple(self.attributes.get("pads", (0,) * 2 * rank))
        if len(pads) != 2 * rank or min(pads) < 0:
            raise RefusedError(
                f"pads {pads} are negative or not {2 * rank}", "use pads of at least 0"
            )
        return stride, tuple(zip(pads[:rank], pads[rank:], strict=True))

    def per_sample(self, array: NDArray[Any], rank: int) -> NDArray[Any]:
        """A constant that broadcasts over a tensor with ``rank`` axes and the batch, without the batch axis."""
        if array.ndim > rank + 1 or (array.ndim == rank + 1 and array.shape[0] != 1):
            raise RefusedError(
                f"a constant of shape {array.shape} differs from sample to sample",
                "constants must be the same for all samples of a batch",
            )
        return array[0] if array.ndim == rank + 1 else array

    def axis(self, axis: int, x: Value, extra: int = 0) -> int:
        """An axis of ``x`` (with ``extra`` more axes) as it counts without the batch."""
        rank = len(x.shape) + 1 + extra
        if not -rank <= axis < rank:
            raise ModelFileError(f"{self.file}: node {self.name!r} has no axis {axis}")
        if axis % rank == 0:
            raise RefusedError("it works along the batch axis", "samples must be kept apart")
        return axis % rank - 1

    def target_shape(self, x: Value, target: list[int]) -> Shape:
        """The shape for each sample that a Reshape to ``target`` means."""
        sizes = [BATCH, *x.shape]
        target = [sizes[i] if t == 0 and i < len(sizes) else t for i, t in enumerate(target)]
        first, rest = target[0] if target else 0, target[1:]
        total = prod(x.shape)
        if rest.count(-1) == 1 and min(rest) == -1 and 0 not in rest:
            known = -prod(rest)
            if first != -1 and total % known == 0:
                rest[rest.index(-1)] = total // known
        whole = min(rest, default=1) > 0 and prod(rest) == total
        if not whole or first not in (BATCH, -1, self.batch):
            named = ["batch" if t == BATCH else t for t in target]
            raise RefusedError(
                f"it makes {named} of (batch, {', '.join(map(str, x.shape))})",
                "the batch must stay the first axis; export with a fixed batch of 1, or reshape to (-1, …)",
            )
        return tuple(rest)
