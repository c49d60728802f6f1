# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""ONNX models built by hand, and their evaluation by the ``onnx`` package."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx.shape_inference
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from spectramac.graph.evaluate import evaluate
from spectramac.graph.graph import Graph
from spectramac.graph.onnx_import import from_onnx

__all__ = [
    "NEWEST",
    "OPSETS",
    "Quantized",
    "agree",
    "model",
    "random_input",
    "random_weights",
    "run_onnxruntime",
    "run_reference",
]

NEWEST = onnx.defs.onnx_opset_version()
OPSETS = sorted({13, 17, 18, 21, NEWEST})

Shape = Sequence[int | str | None]


def model(
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, NDArray[Any]] | None = None,
    *,
    shape: Shape = ("batch", 4),
    opset: int = 17,
    outputs: Sequence[str] = ("y",),
    inputs: Mapping[str, Shape] | None = None,
    output_shape: Shape | None = None,
    kind: int = TensorProto.FLOAT,
    check: bool = True,
) -> onnx.ModelProto:
    """A model from ``x`` (of ``shape``, the batch first) to ``y``; constants become initializers."""
    graph = helper.make_graph(
        list(nodes),
        "hand",
        [
            helper.make_tensor_value_info(name, kind, list(s))
            for name, s in (inputs or {"x": shape}).items()
        ],
        [helper.make_tensor_value_info(name, kind, output_shape) for name in outputs],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    if check:
        made = onnx.shape_inference.infer_shapes(made, data_prop=True)  # shapes of the outputs
        onnx.checker.check_model(made)
    return made


class Quantized:
    """A QDQ model under construction."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}

    def scale(self, name: str, scale: Any, zero: Any) -> list[str]:
        self.constants |= {f"{name}.s": np.float32(scale), f"{name}.z": np.asarray(zero)}
        return [f"{name}.s", f"{name}.z"]

    def pair(self, x: str, output: str, scale: float, zero: Any) -> None:
        """QuantizeLinear and DequantizeLinear."""
        parameters = self.scale(output, scale, zero)
        self.nodes += [
            helper.make_node(
                "QuantizeLinear", [x, *parameters], [f"{output}.q"], name=f"{output}.quantize"
            ),
            helper.make_node(
                "DequantizeLinear", [f"{output}.q", *parameters], [output], name=f"{output}.dq"
            ),
        ]

    def weight(self, name: str, codes: NDArray[Any], scale: Any, axis: int) -> str:
        """Integers and their DequantizeLinear."""
        zero = np.zeros(np.shape(scale), codes.dtype)
        self.constants[f"{name}.q"] = codes
        inputs = [f"{name}.q", *self.scale(name, scale, zero)]
        self.nodes.append(helper.make_node("DequantizeLinear", inputs, [name], axis=axis))
        return name

    def model(self, shape: Any, opset: int = 21) -> onnx.ModelProto:
        return model(self.nodes, self.constants, shape=shape, opset=opset)


def random_weights(seed: int, **shapes: tuple[int, ...]) -> dict[str, NDArray[np.float32]]:
    """Normal float32 arrays by name."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=s).astype(np.float32) for name, s in shapes.items()}


def run_reference(made: onnx.ModelProto, x: NDArray[Any]) -> NDArray[Any]:
    """The first output, by onnx's reference evaluator."""
    name = made.graph.input[0].name
    result: NDArray[Any] = ReferenceEvaluator(made).run(None, {name: x})[0]
    return result


def run_onnxruntime(made: onnx.ModelProto, x: NDArray[Any]) -> NDArray[Any] | None:
    """The first output, by onnxruntime; None where it is not installed."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        return None
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    result: NDArray[Any] = session.run(None, {made.graph.input[0].name: x})[0]
    return result


def random_input(made: onnx.ModelProto, batch: int = 3, seed: int = 0) -> NDArray[Any]:
    """Normal values of the shape and type that the model wants."""
    info = made.graph.input[0].type.tensor_type
    shape = [axis.dim_value for axis in info.shape.dim]
    x = np.random.default_rng(seed).normal(size=(shape[0] or batch, *shape[1:]))
    return x.astype(helper.tensor_dtype_to_np_dtype(info.elem_type))


def agree(
    made: onnx.ModelProto, *, seed: int = 0, tolerance: float = 2e-4, reference: bool = True
) -> Graph:
    """Import, and assert that the graph computes what onnx's reference and, if it is installed, onnxruntime do.

    ``reference=False`` is for the operators that the reference evaluator of onnx 1.21 gets wrong.
    """
    graph = from_onnx(made)
    x = random_input(made, seed=seed)
    ours = evaluate(graph, x)
    others = [run_reference(made, x)] if reference else []
    runtime = run_onnxruntime(made, x)
    if runtime is not None:
        others.append(runtime)
    if not others:
        pytest.skip("onnx's reference is wrong here, and onnxruntime is not installed")
    for theirs in others:
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance / 10)
    return graph
