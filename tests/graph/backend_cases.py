# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The backend tests that the ``onnx`` package carries, as models with one activation and constants.

A test is a model of a single operator (or of what a function expands to), and its inputs and outputs. All that is no
activation of a network is an input there, too: weights, biases, shapes, scales. Three conversions change how a test is
asked, never what it computes:

- Every input but the first becomes an initializer with the test's data. Inputs that are no tensors (sequences,
  optionals) stay; such a model cannot be taken.
- An elementwise operator on a vector (n,), which would be n samples without axes, gets it as the one sample (1, n).
- Add of two tensors of one shape gets both as activations: as channels of one input, which two layers with weights 0
  and 1 take apart.

The tests that came from PyTorch (1-D and 3-D layers, groups, dilations) have opset 6 to 12: onnx's own version
converter brings them to the oldest that the importer takes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.version_converter
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.backend.test.loader import load_model_tests

from spectramac.graph.onnx_file import OLDEST_OPSET

__all__ = ["KINDS", "Case", "cases"]

KINDS = ("node", "pytorch-converted", "pytorch-operator")
ELEMENTWISE = {"Add", "Clip", "Div", "Mul", "Relu", "Sub"}
SEVERAL = "(several)"


@dataclass(frozen=True, eq=False)
class Case:
    """One test.

    Attributes
    ----------
    name : str
    operator : str
        Of its only node, or :data:`SEVERAL`.
    model : ModelProto
    x : array or None
        The input; None if it is no tensor.
    expected : array or None
        The first output; None if it is no tensor.
    rtol, atol : float
        With which the ONNX project compares outputs.
    """

    name: str
    operator: str
    model: onnx.ModelProto
    x: NDArray[Any] | None
    expected: NDArray[Any] | None
    rtol: float
    atol: float


def cases(kind: str) -> Iterator[Case]:
    """All tests of a kind, by name."""
    for test in sorted(load_model_tests(kind=kind), key=lambda test: str(test.name)):
        assert test.model_dir is not None, test.name
        folder = Path(test.model_dir)
        model = onnx.load(folder / "model.onnx")
        if kind != "node":
            model = onnx.version_converter.convert_version(model, OLDEST_OPSET)
            model.ir_version = max(4, model.ir_version)  # constants that it adds are no inputs
        nodes = [node.op_type for node in model.graph.node]
        data = folder / "test_data_set_0"
        case = Case(
            name=test.name,
            operator=nodes[0] if len(nodes) == 1 else SEVERAL,
            model=model,
            x=_fix_inputs(model.graph, data),
            expected=_array(data / "output_0.pb", model.graph.output[0]),
            rtol=test.rtol,
            atol=test.atol,
        )
        yield _as_sample(_two_activations(case))


def _tensor(path: Path, info: onnx.ValueInfoProto) -> onnx.TensorProto | None:
    if info.type.WhichOneof("value") != "tensor_type":
        return None
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    tensor.name = info.name
    return tensor


def _array(path: Path, info: onnx.ValueInfoProto) -> NDArray[Any] | None:
    tensor = _tensor(path, info)
    return None if tensor is None else numpy_helper.to_array(tensor)


def _fix_inputs(graph: onnx.GraphProto, data: Path) -> NDArray[Any] | None:
    """Make all inputs but the first initializers; the data of the first."""
    known = {tensor.name for tensor in graph.initializer}
    inputs = [info for info in graph.input if info.name not in known]
    for i, info in enumerate(inputs[1:], 1):
        tensor = _tensor(data / f"input_{i}.pb", info)
        if tensor is not None:
            graph.initializer.append(tensor)
    return _array(data / "input_0.pb", inputs[0]) if inputs else None


def _axes(info: onnx.ValueInfoProto) -> list[int]:
    return [axis.dim_value for axis in info.type.tensor_type.shape.dim]


def _as_sample(case: Case) -> Case:
    """A vector as one sample."""
    x, expected = case.x, case.expected
    if case.operator not in ELEMENTWISE or x is None or x.ndim != 1 or expected is None:
        return case
    graph = case.model.graph
    for info in (graph.input[0], graph.output[0]):
        kind = info.type.tensor_type.elem_type
        info.CopyFrom(helper.make_tensor_value_info(info.name, kind, [1, *_axes(info)]))
    return replace(case, x=x[None], expected=expected[None])


def _two_activations(case: Case) -> Case:
    """Add of two tensors (batch, channels, …) of one shape."""
    graph, x = case.model.graph, case.x
    if case.operator != "Add" or x is None or x.dtype != np.float32 or x.ndim < 2:
        return case
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    add = graph.node[0]
    first, second = graph.input[0].name, next((n for n in add.input if n in constants), "")
    if second not in constants or constants[second].shape != x.shape:
        return case
    both = np.concatenate([x, constants[second]], axis=1)
    n = x.shape[1]
    pixel = (1,) * (x.ndim - 2)
    del graph.initializer[:], graph.node[:], graph.input[:]
    graph.input.append(helper.make_tensor_value_info("both", onnx.TensorProto.FLOAT, both.shape))
    for i, name in enumerate((first, second)):
        weight = np.eye(n, 2 * n, i * n, dtype=np.float32).reshape(n, 2 * n, *pixel)
        graph.initializer.append(numpy_helper.from_array(weight, f"{name}.w"))
        layer = helper.make_node(
            "Conv" if pixel else "Gemm", ["both", f"{name}.w"], [name], name=f"{name}.part",
            **({} if pixel else {"transB": 1}),
        )  # fmt: skip
        graph.node.append(layer)
    graph.node.append(add)
    return replace(case, x=both)
