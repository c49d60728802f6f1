# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The operators of a network graph.

A node makes one tensor, which bears its name. Shapes leave out the batch: every operator works on each sample
alone. Images are (channels, height, width), sequences (channels, length), as in ONNX and PyTorch. What an
operator computes is in :mod:`spectramac.graph.evaluate`; here are its parameters and the shapes it takes.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from spectramac.graph.node import Node, Padding, Shape, window_outputs
from spectramac.graph.quantization import Floats, Quantization

__all__ = [
    "Add",
    "AveragePool",
    "Conv",
    "Dense",
    "Flatten",
    "GlobalAveragePool",
    "MaxPool",
    "Pool",
    "ReLU",
    "Requantize",
    "Reshape",
    "Softmax",
    "Transpose",
]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Weighted(Node):
    """A layer with weights (n_out, …) and a bias (n_out,).

    ``weight_quantization`` and ``bias_quantization`` are those of a quantized model; the parameters are then
    the values that the integers stand for, and ``quantize`` gives the integers back exactly.
    """

    weight: Floats
    bias: Floats
    weight_quantization: Quantization | None = None
    bias_quantization: Quantization | None = None

    def __post_init__(self) -> None:
        self._set_parameter("weight")
        self._set_parameter("bias")
        if 0 in self.weight.shape or self.weight.ndim < 2:
            raise self.fail(f"weight must have 2 to 4 axes without zeros, not {self.weight.shape}")
        if self.bias.shape != self.weight.shape[:1]:
            raise self.fail(f"bias must have shape {self.weight.shape[:1]}, not {self.bias.shape}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Dense(_Weighted):
    """y = W·x + b for x of shape (n_in,).

    Parameters
    ----------
    weight : float array (n_out, n_in)
    bias : float array (n_out,)
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weight.ndim != 2:
            raise self.fail(f"weight must have shape (n_out, n_in), not {self.weight.shape}")

    def output_shape(self, *inputs: Shape) -> Shape:
        """(n_out,)"""
        if inputs[0] != self.weight.shape[1:]:
            raise self.fail(f"input must have shape {self.weight.shape[1:]}, not {inputs[0]}")
        return (self.weight.shape[0],)

    def multiplications(self, output: Shape) -> int:
        """One for every weight."""
        return int(self.weight.size)


@dataclass(frozen=True, eq=False, kw_only=True)
class Conv(_Weighted):
    """Cross-correlation of (channels, *spatial), one or two spatial axes, zeros outside.

    Parameters
    ----------
    weight : float array (n_out, n_in / groups, *kernel)
    bias : float array (n_out,)
    stride, dilation : tuple of int
        One for each spatial axis; () is 1.
    padding : tuple of (before, after)
        Zeros on each spatial axis; () is none.
    groups : int
        Output channels g·n_out/groups … see input channels g·n_in/groups …; groups = n_in is depthwise.
    """

    stride: Shape = ()
    padding: Padding = ()
    dilation: Shape = ()
    groups: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weight.ndim not in (3, 4):
            raise self.fail(
                "weight must have shape (n_out, n_in / groups, *kernel) with one or two spatial axes, "
                f"not {self.weight.shape}"
            )
        self._set_window("stride", "dilation", rank=len(self.kernel))
        self._set_padding(self.padding, len(self.kernel))
        if self.groups < 1 or self.weight.shape[0] % self.groups:
            raise self.fail(
                f"groups must divide the {self.weight.shape[0]} output channels, not be {self.groups}"
            )

    @property
    def kernel(self) -> Shape:
        """Its extent on each spatial axis."""
        return self.weight.shape[2:]

    @property
    def n_in(self) -> int:
        """Input channels."""
        return int(self.weight.shape[1] * self.groups)

    @property
    def is_depthwise(self) -> bool:
        """Whether every output channel sees one input channel only."""
        return self.groups > 1 and self.weight.shape[1] == 1

    def output_shape(self, *inputs: Shape) -> Shape:
        """(n_out, *positions)"""
        shape = inputs[0]
        if len(shape) != self.weight.ndim - 1 or shape[0] != self.n_in:
            wanted = "(" + ", ".join([str(self.n_in), *["n"] * len(self.kernel)]) + ")"
            raise self.fail(f"input must have shape {wanted}, not {shape}")
        spatial = window_outputs(shape[1:], self.kernel, self.stride, self.padding, self.dilation)
        if min(spatial) < 1:
            raise self.fail(
                f"kernel {self.kernel} must fit the padded input, not exceed {shape[1:]}"
            )
        return (self.weight.shape[0], *spatial)

    def multiplications(self, output: Shape) -> int:
        """One for every weight of the channel and output element."""
        return math.prod(output) * math.prod(self.weight.shape[1:])


@dataclass(frozen=True, eq=False, kw_only=True)
class ReLU(Node):
    """max(x, 0), or min(max(x, 0), maximum): ReLU6 has the maximum 6."""

    maximum: float | None = None

    def __post_init__(self) -> None:
        if self.maximum is not None and not 0 < self.maximum < math.inf:
            raise self.fail(f"maximum must be finite and more than 0, not {self.maximum!r}")

    @property
    def operator(self) -> str:
        """``ReLU``, ``ReLU6``, …"""
        return "ReLU" if self.maximum is None else f"ReLU{self.maximum:g}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool(Node):
    """Windows of every channel of (channels, *spatial).

    Parameters
    ----------
    kernel, stride : tuple of int
        One for each spatial axis; the stride () is 1.
    padding : tuple of (before, after)
        Less than the kernel; () is none.
    """

    kernel: Shape
    stride: Shape = ()
    padding: Padding = ()

    def __post_init__(self) -> None:
        rank = len(self.kernel)
        if rank not in (1, 2):
            raise self.fail(f"kernel must have 1 or 2 axes, not {self.kernel}")
        self._set_window("kernel", "stride", rank=rank)
        self._set_padding(self.padding, rank)
        if any(max(pad) >= k for pad, k in zip(self.padding, self.kernel, strict=True)):
            raise self.fail(
                f"padding must be less than the kernel {self.kernel}, not {self.padding}"
            )

    def output_shape(self, *inputs: Shape) -> Shape:
        """(channels, *positions)"""
        shape, rank = inputs[0], len(self.kernel)
        if len(shape) != rank + 1:
            raise self.fail(f"input must have {rank + 1} axes, channels first, not shape {shape}")
        spatial = window_outputs(shape[1:], self.kernel, self.stride, self.padding, (1,) * rank)
        if min(spatial) < 1:
            raise self.fail(
                f"kernel {self.kernel} must fit the padded input, not exceed {shape[1:]}"
            )
        return (shape[0], *spatial)


@dataclass(frozen=True, eq=False, kw_only=True)
class MaxPool(Pool):
    """Maximum of each window; padding never wins."""


@dataclass(frozen=True, eq=False, kw_only=True)
class AveragePool(Pool):
    """Mean of each window: over the window's real elements, or over all with zeros for the padding if
    ``count_padding``.
    """

    count_padding: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class GlobalAveragePool(Node):
    """Mean of every channel: (channels, *spatial) to (channels, 1, …)."""

    def output_shape(self, *inputs: Shape) -> Shape:
        """The spatial axes become 1."""
        if len(inputs[0]) < 2:
            raise self.fail(f"input must have spatial axes, not shape {inputs[0]}")
        return (inputs[0][0], *(1,) * (len(inputs[0]) - 1))


@dataclass(frozen=True, eq=False, kw_only=True)
class Add(Node):
    """The sum of two tensors of one shape."""

    n_inputs: ClassVar[int] = 2

    def output_shape(self, *inputs: Shape) -> Shape:
        """That of both."""
        if inputs[0] != inputs[1]:
            raise self.fail(f"inputs must have one shape, not {inputs[0]} and {inputs[1]}")
        return inputs[0]


@dataclass(frozen=True, eq=False, kw_only=True)
class Flatten(Node):
    """All elements in order, last axis fastest: (n,)."""

    def output_shape(self, *inputs: Shape) -> Shape:
        """(n,)"""
        return (math.prod(inputs[0]),)


@dataclass(frozen=True, eq=False, kw_only=True)
class Reshape(Node):
    """The same elements in the same order, in another shape."""

    shape: Shape

    def output_shape(self, *inputs: Shape) -> Shape:
        """The one it was given."""
        if math.prod(inputs[0]) != math.prod(self.shape) or not self.shape:
            raise self.fail(f"input must have {math.prod(self.shape)} elements, not {inputs[0]}")
        return self.shape


@dataclass(frozen=True, eq=False, kw_only=True)
class Transpose(Node):
    """Axis i of the result is axis ``axes[i]`` of the input.

    Importers fold transpositions into weights; what remains is one of the graph's input (channels last to
    channels first), which a driver does before it sends the data.
    """

    axes: Shape

    def output_shape(self, *inputs: Shape) -> Shape:
        """The permuted shape."""
        if sorted(self.axes) != list(range(len(inputs[0]))):
            raise self.fail(f"axes must permute those of shape {inputs[0]}, not be {self.axes}")
        return tuple(inputs[0][axis] for axis in self.axes)


@dataclass(frozen=True, eq=False, kw_only=True)
class Requantize(Node):
    """The same values; only ``quantization`` acts. For tensors that are read at two precisions."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Softmax(Node):
    """exp(x) / Σ exp(x) over (n,); the last node of a graph only."""

    def output_shape(self, *inputs: Shape) -> Shape:
        """That of the input."""
        if len(inputs[0]) != 1:
            raise self.fail(f"input must have shape (n,), not {inputs[0]}")
        return inputs[0]
