# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""ONNX models as network graphs (needs extra ``import``).

Operators: Gemm, MatMul, Conv (1-D, 2-D, grouped, dilated), BatchNormalization, Relu, Clip from 0, MaxPool,
AveragePool, GlobalAveragePool, GlobalMaxPool, ReduceMean over positions, Add of tensors, arithmetic with constants
for each channel, Pad before Conv, Softmax at the end, QuantizeLinear and DequantizeLinear in pairs, and changes of
shape and order as far as they vanish; Identity, Dropout and shape computations disappear.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper

from spectramac.graph import onnx_file
from spectramac.graph.builder import Builder
from spectramac.graph.errors import (
    GraphError,
    ModelFileError,
    Refusal,
    RefusedError,
    UnsupportedModelError,
)
from spectramac.graph.graph import Graph, Tensor
from spectramac.graph.node import Shape
from spectramac.graph.onnx_layers import LAYERS
from spectramac.graph.onnx_node import (
    Codes,
    Constant,
    OnnxNode,
    Operand,
    operator_name,
    static_refusal,
    unknown_operator,
)
from spectramac.graph.onnx_shapes import FOLDED, MOVES
from spectramac.graph.value import Value
from spectramac.spec.errors import SpectramacError

__all__ = ["from_onnx"]

_REAL = {
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.FLOAT16,
    onnx.TensorProto.DOUBLE,
}


def from_onnx(
    source: "str | Path | onnx.ModelProto", *, input_shape: Sequence[int] | None = None
) -> Graph:
    """Import a model.

    Parameters
    ----------
    source : str, Path or ModelProto
        A file, or a model in memory whose tensors are all inside it.
    input_shape : sequence of int, optional
        Shape of one sample (without the batch), for models that leave lengths open.

    Returns
    -------
    Graph
        With the nodes' names; parameters in float64, which is exact.

    Raises
    ------
    UnsupportedModelError
        Naming every node that cannot be taken, its operator, and what could be done. Nothing was converted.
    ModelFileError
        If the file is damaged, invalid, unsafe, of an unknown opset, or has weights that are not finite.
    """
    model, name, folder = onnx_file.read_model(source)
    try:
        opset = onnx_file.opset(model, name)
    except ModelFileError:
        _refuse_unknown(model.graph, name)  # no other opset would help these
        raise
    return _Importer(model, name, folder, opset, input_shape).run()


class _Importer:
    def __init__(
        self,
        model: onnx.ModelProto,
        name: str,
        folder: Path | None,
        opset: int,
        input_shape: Sequence[int] | None,
    ) -> None:
        self.model, self.name, self.folder, self.opset = model, name, folder, opset
        self.input_shape = None if input_shape is None else tuple(input_shape)
        self.refusals: list[Refusal] = []
        self.batch: int | None = None
        self.values: dict[str, Operand | None] = {"": None}  # None: refused, or left out
        self.names = _unique_names(model.graph.node)

    def run(self) -> Graph:
        graph = self.model.graph
        needed = _needed(graph)
        self.names = [self.names[i] for i in needed]
        nodes = [graph.node[i] for i in needed]
        del graph.node[:]
        graph.node.extend(nodes)
        reads = Counter(name for node in nodes for name in node.input)
        reads.update(info.name for info in graph.output)
        static = [static_refusal(*pair) for pair in zip(nodes, self.names, strict=True)]
        source = self._source()
        try:
            onnx_file.load_external_data(self.model, self.name, self.folder)
            self._fix_input()
            onnx_file.check(self.model, self.name)
            shapes = {} if any(static) else onnx_file.infer_shapes(self.model, self.name)
        except ModelFileError:
            # The checker does not know some operators either; the list of all of them says more.
            self.refusals += [refusal for refusal in static if refusal is not None]
            self._raise_refusals()
            raise
        for tensor in graph.initializer:
            self.values[tensor.name] = self._constant(tensor)
        for sparse in graph.sparse_initializer:
            self._refuse(
                sparse.values.name, "sparse initializer", "unsupported", "store it densely"
            )
        builder = Builder(self.name, source or Tensor(name="input", shape=(1,)))
        if source is not None:
            self.values[source.name] = replace(builder.input, shared=reads[source.name] > 1)
        for node, name, refusal in zip(nodes, self.names, static, strict=True):
            if refusal is not None:
                self.refusals.append(refusal)
            elif all(source in self.values for source in node.input):
                self._convert(node, name, builder, reads, shapes)
        return self._finish(builder)

    def _source(self) -> Tensor | None:
        """The graph's input, or None after refusing it."""
        graph = self.model.graph
        constants = {tensor.name for tensor in graph.initializer}
        inputs = [info for info in graph.input if info.name not in constants]
        if len(graph.output) != 1:
            names = ", ".join(info.name for info in graph.output)
            remedy = "cut one out with onnx.utils.extract_model"
            self._refuse(names, "outputs", f"there are {len(graph.output)}, not one", remedy)
        if len(inputs) != 1:
            names = ", ".join(info.name for info in inputs) or "none"
            remedy = "make the others initializers, or cut with onnx.utils.extract_model"
            self._refuse(names, "inputs", f"there are {len(inputs)}, not one", remedy)
            return None
        info = inputs[0]
        kind = info.type.tensor_type
        if not info.type.HasField("tensor_type"):
            self._refuse(info.name, "input", "it is no tensor", "start with a float tensor")
            return None
        if kind.elem_type not in _REAL:
            self._refuse(
                info.name,
                "input",
                f"its elements are {onnx_file.type_name(kind.elem_type)}",
                "start with a float input; for a quantized model, with QuantizeLinear",
            )
            return None
        axes = list(kind.shape.dim)
        if self.input_shape is not None:
            shape: Shape = self.input_shape
            fixed = [a.dim_value for a in axes[1:]]
            known = all(n in (0, m) for n, m in zip(fixed, shape, strict=False))
            if min(shape, default=0) < 1 or (axes and (len(fixed) != len(shape) or not known)):
                raise ValueError(f"input_shape must fit the model's input {fixed}, not {shape}")
        else:
            if len(axes) < 2:
                problem = f"it has {len(axes)} axes"
                self._refuse(
                    info.name, "input", problem, "it needs a batch axis and others after it"
                )
                return None
            free = [str(a.dim_param or "?") for a in axes[1:] if a.dim_value < 1]
            if free:
                self._refuse(
                    info.name,
                    "input",
                    f"axes without fixed length: {', '.join(free)}",
                    "give the shape of one sample as input_shape (--input-shape)",
                )
                return None
            shape = tuple(a.dim_value for a in axes[1:])
        if axes and axes[0].dim_value > 0:
            self.batch = int(axes[0].dim_value)
        try:
            return Tensor(name=info.name, shape=shape)
        except GraphError as error:
            raise ModelFileError(f"{self.name}: {error}") from error

    def _fix_input(self) -> None:
        """Write ``input_shape`` into the model, for shape inference."""
        if self.input_shape is None:
            return
        constants = {tensor.name for tensor in self.model.graph.initializer}
        info = next(i for i in self.model.graph.input if i.name not in constants)
        shape = info.type.tensor_type.shape
        if not shape.dim:
            shape.dim.add().dim_param = "batch"
            for _ in self.input_shape:
                shape.dim.add()
        for axis, n in zip(shape.dim[1:], self.input_shape, strict=True):
            axis.dim_value = n

    def _constant(self, tensor: onnx.TensorProto) -> Constant:
        try:
            array = onnx.numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError) as error:
            raise ModelFileError(
                f"{self.name}: tensor {tensor.name!r} is damaged: {error}"
            ) from error
        return Constant(array, name=tensor.name)

    def _convert(
        self,
        proto: onnx.NodeProto,
        name: str,
        builder: Builder,
        reads: Counter[str],
        shapes: dict[str, list[int | None]],
    ) -> None:
        """Make the node's first output a value; leaves it out when the node is refused."""
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute}
        node = OnnxNode(
            name=name,
            operator=operator_name(proto),
            attributes={
                k: v.decode() if isinstance(v, bytes) else v for k, v in attributes.items()
            },
            inputs=tuple(self.values[i] for i in proto.input),
            batch=self.batch,
            opset=self.opset,
            file=self.name,
        )
        try:
            if any(reads[output] for output in proto.output[1:]):
                raise RefusedError("its second output is used", "only first outputs are supported")
            result = self._result(node, builder)
        except RefusedError as error:
            self.refusals.append(error.refusal(name, node.operator))
            return
        except GraphError as error:
            raise ModelFileError(f"{self.name}: {error}") from error
        output = proto.output[0]
        if isinstance(result, Value):
            self._compare(output, result, shapes)
            result = replace(result, shared=result.shared or reads[output] > 1)
        self.values[output] = result

    def _result(self, node: OnnxNode, builder: Builder) -> Operand:
        operator = node.operator
        if operator == "Constant":
            return self._constant_node(node)
        if operator in ("Identity", "Dropout"):
            if operator == "Dropout" and node.scalar(2, 0.0):
                raise RefusedError("it is in training mode", "export in evaluation mode")
            x = node.inputs[0]
            return x if isinstance(x, Constant | Codes) else node.value()
        folded = operator in FOLDED and node.is_constant
        if folded or operator in MOVES:
            try:
                return Constant(FOLDED[operator](node)) if folded else MOVES[operator](node)
            except (SpectramacError, RefusedError):
                raise
            except (ValueError, IndexError, TypeError) as error:
                raise RefusedError(f"it cannot be computed: {error}", "check the model") from error
        if operator == "Cast":
            if node.attributes["to"] not in _REAL:
                made = onnx_file.type_name(node.attributes["to"])
                raise RefusedError(f"it makes activations {made}", "keep them float32")
            return node.value()
        if operator in LAYERS:
            return LAYERS[operator](node, builder)
        raise RefusedError(
            "it computes with activations", "it is supported in computations of shapes only"
        )

    def _constant_node(self, node: OnnxNode) -> Constant:
        kind, value = next(iter(node.attributes.items()))
        if isinstance(value, onnx.TensorProto):
            return replace(self._constant(value), name=node.name)
        dtype = np.float32 if "float" in kind else np.int64
        return Constant(np.array(value, dtype), name=node.name)

    def _compare(self, output: str, value: Value, shapes: dict[str, list[int | None]]) -> None:
        """ONNX's shape inference must agree."""
        stated, found = shapes.get(output), value.padded_shape
        if stated is None:
            return
        pairs = zip(stated[1:], found, strict=False)
        if len(stated) != len(found) + 1 or any(a not in (None, b) for a, b in pairs):
            raise ModelFileError(
                f"{self.name}: tensor {output!r} must have shape {found} for each sample, not {stated[1:]}"
            )

    def _finish(self, builder: Builder) -> Graph:
        end = self.model.graph.output[0].name if self.model.graph.output else ""
        value = self.values.get(end)
        graph = None
        if isinstance(value, Value | Codes) and not self.refusals:
            try:
                if isinstance(value, Codes):
                    value = builder.quantize(end, value.value, value.quantization)
                graph = builder.graph(value)
            except RefusedError as error:
                self.refusals.append(error.refusal(end, "output"))
            except GraphError as error:
                raise ModelFileError(f"{self.name}: {error}") from error
        elif not self.refusals:
            self._refuse(end, "output", "it does not depend on the input", "check the model")
        self._raise_refusals()
        assert graph is not None
        return graph

    def _refuse(self, node: str, operator: str, problem: str, remedy: str) -> None:
        self.refusals.append(Refusal(node, operator, problem, remedy))

    def _raise_refusals(self) -> None:
        if self.refusals:
            raise UnsupportedModelError(f"{self.name} cannot be imported", self.refusals)


def _refuse_unknown(graph: onnx.GraphProto, name: str) -> None:
    """Refuse every operator that is not taken in any opset."""
    pairs = zip(graph.node, _unique_names(graph.node), strict=True)
    refusals = [r for r in (unknown_operator(*pair) for pair in pairs) if r is not None]
    if refusals:
        raise UnsupportedModelError(f"{name} cannot be imported", refusals)


def _needed(graph: onnx.GraphProto) -> list[int]:
    """Positions of the nodes that the outputs depend on."""
    wanted = {info.name for info in graph.output}
    found = []
    for i in reversed(range(len(graph.node))):
        if wanted.intersection(graph.node[i].output) - {""}:
            wanted.update(graph.node[i].input)
            found.append(i)
    return found[::-1]


def _unique_names(nodes: Sequence[onnx.NodeProto]) -> list[str]:
    """The nodes' names; a node without one is called after its operator and position."""
    taken = Counter(node.name for node in nodes)
    return [
        node.name if node.name and taken[node.name] == 1 else f"{node.name or node.op_type}_{i}"
        for i, node in enumerate(nodes)
    ]
