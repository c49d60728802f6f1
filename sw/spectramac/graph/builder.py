# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What all importers share: making a graph, node by node, from a framework's operators.

A framework's tensor is a :class:`~spectramac.graph.value.Value`: the elements of a graph tensor, perhaps in
another shape and order. Reshape, Squeeze and Transpose therefore make no nodes; a dense layer behind them permutes
the columns of its weights, element-wise operators pass the order on, and an operator that needs the natural order
gets a Flatten or Reshape, or refuses. Batch normalization and constants that are multiplied or added fold into the
layer before, or become a depthwise convolution with kernel 1.
"""

from dataclasses import replace
from itertools import permutations
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.graph.errors import RefusedError
from spectramac.graph.graph import Graph, Tensor
from spectramac.graph.node import Node, Padding, Shape
from spectramac.graph.nodes import (
    Add,
    Conv,
    Dense,
    Flatten,
    GlobalAveragePool,
    ReLU,
    Requantize,
    Reshape,
    Softmax,
    Transpose,
)
from spectramac.graph.quantization import Floats, Quantization
from spectramac.graph.value import Value, check_no_padding

__all__ = ["Builder"]


class Builder:
    """Makes a graph.

    Parameters
    ----------
    name : str
        Of the graph.
    source : Tensor
        Its input.

    Every method takes the name of the framework's node, which the graph's nodes inherit, and raises
    :class:`~spectramac.graph.errors.RefusedError` for what the graph cannot express.
    """

    def __init__(self, name: str, source: Tensor) -> None:
        self._name = name
        self._source = source
        self._nodes: dict[str, Node] = {}
        self._tensors = {source.name: source}
        self._read: set[str] = set()

    @property
    def input(self) -> Value:
        """The graph's input."""
        return Value(tensor=self._source.name, shape=self._source.shape)

    def graph(self, output: Value) -> Graph:
        """The finished graph; nodes that do not lead to ``output`` are dropped."""
        end = self._nodes.get(output.tensor)
        if isinstance(end, Softmax) and max(output.shape, default=1) == prod(output.shape):
            name = end.name  # axes of length 1 behind a Softmax say nothing
        else:
            name = self._natural(output, "output")
        if name == self._source.name:
            raise RefusedError("the network does nothing", "give a network with layers")
        needed = {name}
        for node in reversed(self._nodes.values()):
            if node.name in needed:
                needed.update(node.inputs)
        # The output's node comes last, though the framework may have made others after it.
        order = [n for n in self._nodes.values() if n.name in needed and n.name != name]
        for node in order:
            if isinstance(node, Softmax):
                raise RefusedError(
                    f"Softmax {node.name!r} is not at the end",
                    "a Softmax inside a network (attention, for instance) is not supported",
                )
        return Graph(name=self._name, input=self._source, nodes=(*order, self._nodes[name]))

    def add_node(self, node: Node) -> Value:
        """Append a node that reads natural tensors."""
        shape = node.output_shape(*(self._tensors[name].shape for name in node.inputs))
        self._tensors[node.name] = Tensor(
            name=node.name, shape=shape, quantization=node.quantization
        )
        self._nodes[node.name] = node
        self._read.update(node.inputs)
        return Value(tensor=node.name, shape=shape)

    def free_name(self, name: str) -> str:
        """``name``, or with a number where it is taken."""
        candidate, count = name, 1
        while candidate in self._tensors:
            count += 1
            candidate = f"{name}_{count}"
        return candidate

    # -- operators ------------------------------------------------------------------------------------------

    def unary(self, kind: type[Node], name: str, x: Value, **parameters: Any) -> Value:
        """An operator on channels and positions: convolutions and pooling."""
        tensor = self._natural(x, name)
        return self.add_node(kind(name=self.free_name(name), inputs=(tensor,), **parameters))

    def elementwise(self, kind: type[Node], name: str, x: Value, **parameters: Any) -> Value:
        """An operator that treats all elements alike; shape and order pass through."""
        check_no_padding(x)
        node = kind(name=self.free_name(name), inputs=(x.tensor,), **parameters)
        return replace(x, tensor=self.add_node(node).tensor, shared=False)

    def conv(self, name: str, x: Value, *, padding: Padding, **parameters: Any) -> Value:
        """A convolution; takes up padding that came before it."""
        if x.padding is not None:
            if len(x.padding) != len(padding):
                raise RefusedError("it must have the axes of the Pad before it", "check the model")
            padding = tuple(
                (a + c, b + d) for (a, b), (c, d) in zip(x.padding, padding, strict=True)
            )
        return self.unary(Conv, name, replace(x, padding=None), padding=padding, **parameters)

    def dense(self, name: str, x: Value, weight: Floats, **parameters: Any) -> Value:
        """A dense layer; the order of its input goes into the columns of ``weight`` (n_out, n_in)."""
        check_no_padding(x)
        if len(x.shape) != 1:
            raise RefusedError(
                f"its input has shape {x.shape} for each sample, not (n,)",
                "flatten the input first; a product along the last axis of more is a convolution with "
                "kernel 1",
            )
        if x.order is not None and weight.shape[1:] == x.shape:
            columns = np.empty_like(weight)
            columns[:, x.order] = weight
            weight = columns
        flat = self._shaped(x.tensor, x.shape, name)
        node = Dense(name=self.free_name(name), inputs=(flat,), weight=weight, **parameters)
        return self.add_node(node)

    def mean(self, name: str, x: Value, axes: Shape, keep: bool) -> Value:
        """The mean over ``axes`` (not counting the batch), which must be all spatial axes of the graph tensor."""
        check_no_padding(x)
        shape = self._tensors[x.tensor].shape
        index = np.arange(prod(x.shape)).reshape(x.shape) if x.order is None else x.order
        rest = [axis for axis in range(len(x.shape)) if axis not in axes]
        groups = index.transpose(*rest, *axes).reshape(prod(x.shape[a] for a in rest), -1)
        channels = np.arange(index.size).reshape(shape[0], -1)
        if len(shape) < 2 or not np.array_equal(np.sort(groups, axis=1), channels):
            raise RefusedError(
                f"it averages axes {tuple(a + 1 for a in axes)} of shape {x.shape} for each sample",
                "the mean over all positions of each channel is supported",
            )
        node = GlobalAveragePool(name=self.free_name(name), inputs=(x.tensor,))
        done = self.add_node(node)
        kept = tuple(1 if a in axes else n for a, n in enumerate(x.shape) if keep or a not in axes)
        return replace(done, shape=kept)

    def add(self, name: str, a: Value, b: Value) -> Value:
        """The sum of two tensors."""
        check_no_padding(a)
        check_no_padding(b)
        if a.shape != b.shape:
            raise RefusedError(
                f"it adds tensors of shapes {a.shape} and {b.shape}",
                "only tensors of one shape can be added; broadcast is for constants",
            )
        same_tensor_shape = self._tensors[a.tensor].shape == self._tensors[b.tensor].shape
        same_order = a.order is b.order or (
            a.order is not None and b.order is not None and np.array_equal(a.order, b.order)
        )
        if not (same_tensor_shape and same_order):
            a, b = (Value(tensor=self._natural(v, name), shape=v.shape) for v in (a, b))
        node = Add(name=self.free_name(name), inputs=(a.tensor, b.tensor))
        return replace(a, tensor=self.add_node(node).tensor, shared=False)

    def softmax(self, name: str, x: Value, axis: int) -> Value:
        """A softmax over ``axis`` (not counting the batch) of a tensor that has no other."""
        if prod(x.shape) != x.shape[axis]:
            raise RefusedError(
                f"it normalizes axis {axis + 1} of a tensor with shape {x.shape} for each sample",
                "a Softmax at the end over all outputs of a sample is supported",
            )
        flat = self._natural(x.reshape((prod(x.shape),)), name)
        done = self.add_node(Softmax(name=self.free_name(name), inputs=(flat,)))
        return replace(done, shape=x.shape)

    def affine(
        self, name: str, x: Value, scale: NDArray[Any] | float, shift: NDArray[Any] | float
    ) -> Value:
        """``x · scale + shift`` with constants that broadcast to ``x.shape`` and depend on the channel only.

        Folds into the dense layer or convolution before it where nothing else reads that; a quantized weight is
        never rescaled.
        """
        check_no_padding(x)
        factor, offset = (self._per_channel(x, np.asarray(c, np.float64)) for c in (scale, shift))
        node = self._nodes.get(x.tensor)
        exclusive = not x.shared and x.tensor not in self._read
        unscaled = bool(np.all(factor == 1.0))
        if (
            isinstance(node, Dense | Conv)
            and exclusive
            and node.quantization is None
            and (unscaled or node.weight_quantization is None)
        ):
            column = factor.reshape(-1, *(1,) * (node.weight.ndim - 1))
            self._nodes[node.name] = replace(
                node,
                weight=node.weight if unscaled else node.weight * column,
                bias=node.bias * factor + offset,
                bias_quantization=None,
            )
            return x
        if unscaled and not offset.any():
            return x
        # Alone: a depthwise convolution with kernel 1, over one position for features without any.
        shape = self._tensors[x.tensor].shape
        source = x.tensor
        if len(shape) not in (2, 3):
            source = self._shaped(source, (shape[0], prod(shape[1:])), name)
        kernel = (1,) * (len(self._tensors[source].shape) - 1)
        done = self.unary(
            Conv,
            name,
            Value(tensor=source, shape=self._tensors[source].shape),
            weight=factor.reshape(-1, 1, *kernel),
            bias=offset,
            groups=len(factor),
        )
        return replace(x, tensor=self._shaped(done.tensor, shape, name), shared=False)

    def quantize(self, name: str, x: Value, quantization: Quantization) -> Value:
        """Round to the integers of ``quantization`` (one scale), as a QDQ pair does.

        Where their range starts at 0 behind a layer or a sum, it acts as a ReLU, for which quantizers drop the
        model's own; it is put back, so that the graph says what the network computes.
        """
        if not quantization.is_per_tensor:
            raise RefusedError(
                "an activation has more than one scale", "quantize activations per tensor"
            )
        if x.padding is not None and quantization.minimum > int(quantization.zero_point):
            raise RefusedError("zero is not among its integers", "quantize with zero in range")
        tensor = self._tensors[x.tensor]
        if quantization.equals(tensor.quantization):
            return x
        exclusive = not x.shared and x.tensor not in self._read
        positive = quantization.minimum == int(quantization.zero_point)
        if positive and exclusive and isinstance(self._computed(x.tensor), Dense | Conv | Add):
            return self.quantize(name, self.elementwise(ReLU, name, x), quantization)
        if tensor.quantization is None and exclusive:
            self._tensors[x.tensor] = replace(tensor, quantization=quantization)
            if x.tensor in self._nodes:
                self._nodes[x.tensor] = replace(self._nodes[x.tensor], quantization=quantization)
            else:
                self._source = self._tensors[x.tensor]
            return x
        node = Requantize(name=self.free_name(name), inputs=(x.tensor,), quantization=quantization)
        return replace(x, tensor=self.add_node(node).tensor, shared=False)

    def _computed(self, tensor: str) -> Node | None:
        """The node that computes a tensor's elements; None for the input's."""
        node = self._nodes.get(tensor)
        while isinstance(node, Flatten | Reshape):
            node = self._nodes.get(node.inputs[0])
        return node

    # -- shape and order ------------------------------------------------------------------------------------

    def _shaped(self, tensor: str, shape: Shape, name: str) -> str:
        """A graph tensor in another shape, made once."""
        if self._tensors[tensor].shape == shape:
            return tensor
        for node in self._nodes.values():
            reshaped = isinstance(node, Flatten | Reshape) and node.quantization is None
            if reshaped and node.inputs == (tensor,) and self._tensors[node.name].shape == shape:
                return node.name
        made: Node
        if len(shape) == 1:
            made = Flatten(name=self.free_name(f"{name}.flatten"), inputs=(tensor,))
        else:
            made = Reshape(name=self.free_name(f"{name}.reshape"), inputs=(tensor,), shape=shape)
        return self.add_node(made).tensor

    def _natural(self, x: Value, name: str) -> str:
        """The graph tensor with the shape and order of ``x``."""
        check_no_padding(x)
        if not x.shape:
            raise RefusedError("a sample is a single number without axis", "keep one axis")
        tensor = x.tensor
        if x.order is not None:
            axes = self._input_axes(x)
            if axes is None:
                raise RefusedError(
                    "its input is transposed, and that does not vanish",
                    "export the model with channels first throughout",
                )
            tensor = self._transposed_input(axes)
        return self._shaped(tensor, x.shape, name)

    def _input_axes(self, x: Value) -> Shape | None:
        """The permutation of the graph input's axes that gives the order of ``x``, if there is one."""
        if x.tensor != self._source.name or x.order is None:
            return None
        shape = self._source.shape
        index = np.arange(prod(shape)).reshape(shape)
        for axes in permutations(range(len(shape))):
            if np.array_equal(index.transpose(axes).ravel(), x.order.ravel()):
                return axes
        return None

    def _transposed_input(self, axes: Shape) -> str:
        for node in self._nodes.values():
            if isinstance(node, Transpose) and node.axes == axes:
                return node.name
        name = self.free_name(f"{self._source.name}.transpose")
        return self.add_node(Transpose(name=name, inputs=(self._source.name,), axes=axes)).tensor

    def _per_channel(self, x: Value, constant: Floats) -> Floats:
        """A constant that broadcasts to ``x.shape`` as one number for each channel of its graph tensor."""
        shape = self._tensors[x.tensor].shape
        try:
            spread = np.broadcast_to(constant, x.shape)
        except ValueError:
            raise RefusedError(
                f"a constant of shape {constant.shape} does not fit a sample of shape {x.shape}",
                "use one number, or one for each channel",
            ) from None
        if x.order is not None:
            moved = np.empty(prod(shape))
            moved[x.order.ravel()] = spread.ravel()
            spread = moved
        rows = spread.reshape(shape[0], -1)
        if np.any(rows != rows[:, :1]):
            raise RefusedError(
                "its constant differs from position to position",
                "use one number for each channel, or apply it to the data before the network",
            )
        channels: Floats = rows[:, 0].copy()
        return channels
