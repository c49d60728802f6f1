# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What is not taken is named: every node, its operator, and what to do."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
import onnx
from onnx import TensorProto, helper
from tests.graph.onnx_models import model, random_weights

from spectramac.graph.errors import Refusal, UnsupportedModelError
from spectramac.graph.onnx_import import from_onnx
from spectramac.graph.onnx_node import KNOWN_ATTRIBUTES

node = helper.make_node


def refused(made: onnx.ModelProto, **options: Any) -> tuple[Refusal, ...]:
    with pytest.raises(UnsupportedModelError) as caught:
        from_onnx(made, **options)
    for refusal in caught.value.refusals:
        assert str(refusal) in str(caught.value)
        assert refusal.problem
        assert refusal.remedy
    return caught.value.refusals


def test_every_offending_node_is_listed_in_order() -> None:
    nodes = [
        node("Conv", ["x", "w"], ["a"], name="first"),
        node("LeakyRelu", ["a"], ["b"], name="leaky"),
        node("Sigmoid", ["b"], ["c"], name="gate"),
        node("Transpose", ["b"], ["t"], perm=[1, 0, 2], name="mixer"),
        node("MaxPool", ["x"], ["p"], kernel_shape=[2], dilations=[2], name="holes"),
        node("Mul", ["c", "b"], ["d"], name="product"),
        node("Tanh", ["p"], ["e"], name="tanh"),
        node("GlobalAveragePool", ["e"], ["g"]),
        node("GlobalAveragePool", ["d"], ["h"]),
        node("Add", ["g", "h"], ["y"], name="sum"),
    ]
    found = refused(model(nodes, random_weights(0, w=(2, 2, 1)), shape=("n", 2, 8)))
    assert [(r.node, r.operator) for r in found] == [
        ("leaky", "LeakyRelu"),
        ("gate", "Sigmoid"),
        ("holes", "MaxPool"),
        ("tanh", "Tanh"),
    ]
    assert "Relu" in found[0].remedy


def test_unnamed_nodes_have_operator_and_position() -> None:
    found = refused(model([node("Relu", ["x"], ["a"]), node("Erf", ["a"], ["y"])]))
    assert str(found[0]) == (
        "node 'Erf_1' (Erf): unsupported operator; train the model with Relu or Clip(0, 6) instead"
    )


def test_operators_of_other_domains() -> None:
    nodes = [
        node("Relu", ["x"], ["a"]),
        node("Fused", ["a"], ["y"], domain="com.example", name="f"),
    ]
    made = model(nodes, check=False, output_shape=("n", 4))
    made.opset_import.append(helper.make_opsetid("com.example", 1))
    assert refused(made)[0].operator == "com.example.Fused"


def test_an_operator_that_onnx_does_not_know() -> None:
    made = model([node("Invented", ["x"], ["y"], name="i")], check=False, output_shape=("n", 4))
    assert refused(made)[0] == Refusal(
        "i", "Invented", "unsupported operator", "rewrite it with: " + ", ".join(KNOWN_ATTRIBUTES)
    )


def test_an_attribute_that_is_not_known() -> None:
    made = model([node("Relu", ["x"], ["y"])])
    made.graph.node[0].attribute.append(helper.make_attribute("slope", 0.1))
    found = refused(made)
    assert found[0].problem == "unsupported attribute slope"


def one(operator: str, *constants: str, **attributes: Any) -> list[onnx.NodeProto]:
    return [node(operator, ["x", *constants], ["y"], name="it", **attributes)]


IMAGE = ("n", 3, 8, 8)
CASES: list[tuple[list[onnx.NodeProto], dict[str, Any], Any, str]] = [
    (one("Gemm", "c", transA=1), {"c": np.ones((2, 4))}, (2, 4), "transA"),
    (one("Gemm", "w", "c"), {"w": np.ones((4, 3)), "c": np.ones((2, 3))}, (2, 4), "sample"),
    (one("MatMul", "w"), {"w": np.ones((8, 3))}, IMAGE, "flatten the input first"),
    ([node("MatMul", ["w", "x"], ["y"])], {"w": np.ones((3, 2))}, (2, 4), "input 0 is a constant"),
    (one("MatMul", "w"), {"w": np.ones((3, 8, 2))}, IMAGE, "matrix of two axes"),
    (one("Clip", "l", "h"), {"l": -1.0, "h": 1.0}, (2, 4), "clips to -1 … 1"),
    (one("Softmax", axis=1), {}, IMAGE, "normalizes axis 1"),
    (one("Softmax", axis=0), {}, (2, 4), "batch axis"),
    (
        [node("Softmax", ["x"], ["a"], name="soft"), node("Relu", ["a"], ["y"])],
        {},
        (2, 4),
        "Softmax 'soft' is not at the end",
    ),
    (
        one("AveragePool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1, count_include_pad=1),
        {},
        IMAGE,
        "ceil_mode",
    ),
    (one("MaxPool", kernel_shape=[2] * 3), {}, ("n", 1, 4, 4, 4), "3 spatial axes"),
    (one("Conv", "w"), {"w": np.ones((1, 1, 2, 2, 2))}, ("n", 1, 4, 4, 4), "3 spatial axes"),
    (one("Mul", "c"), {"c": np.arange(8.0)}, IMAGE, "from position to position"),
    (one("Add", "c"), {"c": np.ones((2, 4))}, (2, 4), "differs from sample to sample"),
    ([node("Mul", ["x", "x"], ["y"])], {}, (2, 4), "only Add takes two tensors"),
    ([node("Div", ["c", "x"], ["y"])], {"c": np.ones(4)}, (2, 4), "divides by the data"),
    (one("Div", "c"), {"c": np.zeros(4)}, (2, 4), "divides by the data or by zero"),
    (one("Transpose", perm=[1, 0]), {}, (2, 4), "moves the batch"),
    (one("Flatten", axis=2), {}, IMAGE, "merges samples or axes"),
    (one("Reshape", "s"), {"s": np.array([-1, 8])}, IMAGE, "batch must stay the first axis"),
    (one("Reshape", "s"), {"s": np.array([1, -1])}, IMAGE, "fixed batch of 1"),
    (one("Squeeze"), {}, (1, 4), "batch of 1"),
    (one("Unsqueeze", "a"), {"a": np.array([0])}, (2, 4), "batch axis"),
    (one("Pad", "p"), {"p": np.array([0, 1, 0, 0] * 2)}, IMAGE, "reach the batch or the channels"),
    (one("Pad", "p", mode="edge"), {"p": np.array([0, 0, 1, 0] * 2)}, IMAGE, "mode 'edge'"),
    (
        [node("Pad", ["x", "p"], ["a"]), node("MaxPool", ["a"], ["y"], kernel_shape=[2, 2])],
        {"p": np.array([0, 0, 1, 1] * 2)},
        IMAGE,
        "only a Conv takes up a Pad",
    ),
    (one("ReduceMean", axes=[1]), {}, IMAGE, "mean over all positions"),
    (one("ReduceMean"), {}, IMAGE, "the batch too"),
    (
        [node("Relu", ["x"], ["r"]), node("Transpose", ["r"], ["a"], perm=[0, 2, 3, 1]),
         node("MaxPool", ["a"], ["y"], kernel_shape=[2, 2])],
        {},
        IMAGE,
        "does not vanish",
    ),
    (one("Identity"), {}, (2, 4), "does nothing"),
    (one("Slice", "s", "e"), {"s": np.array([0]), "e": np.array([1])}, (2, 4), "shapes only"),
    ([node("Relu", ["c"], ["y"])], {"c": np.ones((2, 4))}, (2, 4), "input 0 is a constant"),
    (one("Cast", to=TensorProto.INT32), {}, (2, 4), "makes activations INT32"),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "constants", "shape", "message"), CASES)
def test_the_reason_is_given(
    nodes: list[onnx.NodeProto], constants: dict[str, Any], shape: Any, message: str
) -> None:
    arrays = {
        k: np.asarray(v) if np.asarray(v).dtype.kind == "i" else np.asarray(v, np.float32)
        for k, v in constants.items()
    }
    made = model(nodes, arrays, shape=shape, check=False, output_shape=None)
    made = onnx.shape_inference.infer_shapes(made, data_prop=True)
    if nodes[-1].op_type == "Cast":
        made.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.INT32, [2, 4]))
    text = " ".join(str(r) for r in refused(made))
    assert message in text


def test_weights_that_are_computed_are_refused() -> None:
    nodes = [node("Flatten", ["x"], ["w"]), node("MatMul", ["x", "w"], ["y"], name="self")]
    found = refused(model(nodes, shape=(4, 4)))
    assert found[0].node == "self"
    assert "computed from the data" in found[0].problem


def test_several_inputs_or_outputs() -> None:
    two = model([node("Add", ["a", "b"], ["y"])], inputs={"a": ("n", 4), "b": ("n", 4)})
    assert str(refused(two)[0]).startswith("node 'a, b' (inputs): there are 2, not one")
    nodes = [node("Relu", ["x"], ["y"]), node("Relu", ["y"], ["z"])]
    made = model(nodes, outputs=["y", "z"])
    assert str(refused(made)[0]).startswith("node 'y, z' (outputs): there are 2, not one")


def test_a_second_output_that_is_used() -> None:
    nodes = [
        node("MaxPool", ["x"], ["a", "where"], kernel_shape=[2], name="pool"),
        node("Cast", ["where"], ["y"], to=TensorProto.FLOAT),
    ]
    assert refused(model(nodes, shape=("n", 2, 4)))[0].problem == "its second output is used"


def test_lengths_that_are_open() -> None:
    made = model([node("GlobalAveragePool", ["x"], ["y"])], shape=("n", 3, "height", None))
    found = refused(made)
    assert found[0].node == "x"
    assert "height, ?" in found[0].problem
    assert "--input-shape" in found[0].remedy
    graph = from_onnx(made, input_shape=(3, 6, 5))
    assert graph.input.shape == (3, 6, 5)
    for wrong in ((4, 6, 5), (3, 6), (3, 0, 5), ()):
        with pytest.raises(ValueError, match="input_shape must fit"):
            from_onnx(made, input_shape=wrong)


@pytest.mark.parametrize(
    ("kind", "shape", "message"),
    [
        (TensorProto.INT8, ("n", 4), "its elements are INT8"),
        (TensorProto.FLOAT, (4,), "it has 1 axes"),
    ],
)
def test_inputs_of_another_kind(kind: int, shape: Any, message: str) -> None:
    assert (
        message
        in refused(model([node("Add", ["x", "x"], ["y"])], shape=shape, kind=kind))[0].problem
    )


def test_an_input_that_is_no_tensor() -> None:
    made = model([node("Identity", ["x"], ["y"])])
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, [2, 4]))
    for info in (made.graph.input[0], made.graph.output[0]):
        info.CopyFrom(helper.make_value_info(info.name, kind))
    assert refused(made)[0].problem == "it is no tensor"
