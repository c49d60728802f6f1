# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Every operator, in several opsets, against onnx's reference evaluator."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
from onnx import TensorProto, helper
from tests.graph.onnx_models import OPSETS, agree, model, random_weights

from spectramac.graph.errors import UnsupportedModelError
from spectramac.graph.graph import Graph
from spectramac.graph.onnx_import import from_onnx

node = helper.make_node


def operators(graph: Graph) -> list[str]:
    return [n.operator for n in graph.nodes]


def axes_of(opset: int, since: int, **axes: Any) -> tuple[list[str], dict[str, Any]]:
    """Axes as an input from the opset that moved them there, as an attribute before."""
    return (["axes"], {}) if opset >= since else ([], axes)


@pytest.fixture(params=OPSETS)
def opset(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.mark.parametrize("trans_b", [0, 1])
@pytest.mark.parametrize("bias", [None, (3,), (1, 3), (1,), ()])
def test_gemm(opset: int, trans_b: int, bias: tuple[int, ...] | None) -> None:
    constants = random_weights(1, w=(3, 4) if trans_b else (4, 3))
    if bias is not None:
        constants |= random_weights(2, b=bias)
    g = node("Gemm", ["x", *constants], ["y"], name="fc", transB=trans_b, alpha=0.5, beta=2.0)
    graph = agree(model([g], constants, opset=opset))
    assert [n.name for n in graph.nodes] == ["fc"]


@pytest.mark.parametrize("swap", [False, True])
def test_matmul_takes_its_bias_from_the_add(opset: int, swap: bool) -> None:
    add = node("Add", ["b", "p"] if swap else ["p", "b"], ["y"])
    made = model(
        [node("MatMul", ["x", "w"], ["p"]), add], random_weights(3, w=(4, 3), b=(3,)), opset=opset
    )
    assert operators(agree(made)) == ["Dense"]


@pytest.mark.parametrize(
    ("weight", "x", "attributes"),
    [
        ((6, 3, 3), (3, 11), {}),
        ((6, 3, 3), (3, 11), {"strides": [2], "pads": [1, 0], "dilations": [2]}),
        ((6, 3, 3, 2), (3, 9, 8), {"pads": [1, 0, 2, 1], "strides": [2, 1]}),
        ((6, 1, 3, 3), (3, 9, 8), {"group": 3, "kernel_shape": [3, 3]}),
        ((4, 2, 1, 1), (4, 5, 5), {"group": 2}),
        ((2, 3, 10, 4), (3, 49, 10), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        ((2, 3, 4, 4), (3, 9, 8), {"auto_pad": "SAME_LOWER"}),
        ((2, 3, 4, 4), (3, 9, 8), {"auto_pad": "VALID"}),
        ((2, 3, 3, 3), (3, 9, 8), {"dilations": [2, 1], "pads": [2, 1, 2, 1]}),
    ],
)
@pytest.mark.parametrize("bias", [False, True])
def test_conv(
    opset: int,
    weight: tuple[int, ...],
    x: tuple[int, ...],
    attributes: dict[str, Any],
    bias: bool,
) -> None:
    constants = random_weights(4, w=weight) | (random_weights(5, b=weight[:1]) if bias else {})
    conv = node("Conv", ["x", *constants], ["y"], **attributes)
    made = model([conv], constants, shape=("n", *x), opset=opset)
    reference = attributes.get("auto_pad") != "VALID"  # is given another shape there
    assert operators(agree(made, reference=reference)) == ["Conv"]


def batch_norm(source: str, output: str, channels: int) -> tuple[Any, dict[str, Any]]:
    constants = random_weights(6, s=(channels,), o=(channels,), m=(channels,))
    constants["v"] = np.linspace(0.5, 2, channels, dtype=np.float32)
    return node("BatchNormalization", [source, *constants], [output], epsilon=1e-3), constants


@pytest.mark.parametrize(
    ("layer", "weight", "x"),
    [("Conv", (5, 3, 3, 3), (3, 7, 6)), ("Conv", (5, 3, 3), (3, 7)), ("Gemm", (4, 5), (4,))],
)
def test_batch_normalization_folds(
    opset: int, layer: str, weight: tuple[int, ...], x: tuple[int, ...]
) -> None:
    norm, constants = batch_norm("h", "y", 5)
    constants |= random_weights(7, w=weight, b=(5,))
    made = model(
        [node(layer, ["x", "w", "b"], ["h"]), norm], constants, shape=("n", *x), opset=opset
    )
    assert len(agree(made, reference=opset >= 14).nodes) == 1


@pytest.mark.parametrize("x", [(5,), (5, 7), (5, 4, 3)])
def test_batch_normalization_alone_is_a_depthwise_convolution(x: tuple[int, ...]) -> None:
    norm, constants = batch_norm("x", "y", 5)
    graph = agree(model([norm], constants, shape=("n", *x)))
    assert operators(graph) == (["Conv"] if len(x) > 1 else ["Reshape", "Conv", "Flatten"])


def test_batch_normalization_does_not_fold_into_what_others_read() -> None:
    norm, constants = batch_norm("h", "n", 5)
    constants |= random_weights(8, w=(5, 3, 1, 1))
    nodes = [node("Conv", ["x", "w"], ["h"]), norm, node("Add", ["n", "h"], ["y"])]
    graph = agree(model(nodes, constants, shape=("n", 3, 4, 4)))
    assert operators(graph) == ["Conv", "Conv", "Add"]


@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("constant", [(), (3, 1, 1), (1, 3, 1, 1)])
def test_arithmetic_with_constants_folds(
    opset: int, operator: str, swap: bool, constant: tuple[int, ...]
) -> None:
    if operator == "Div" and swap:
        pytest.skip("division by the data is refused, in test_onnx_refusals.py")
    constants = random_weights(9, w=(3, 2, 3, 3), c=constant)
    step = node(operator, ["c", "h"] if swap else ["h", "c"], ["y"])
    made = model(
        [node("Conv", ["x", "w"], ["h"]), step], constants, shape=("n", 2, 5, 5), opset=opset
    )
    assert operators(agree(made)) == ["Conv"]


def test_input_normalization() -> None:
    """What many exports start with: (x - mean) / deviation."""
    nodes = [node("Sub", ["x", "m"], ["a"]), node("Div", ["a", "d"], ["y"])]
    constants = random_weights(10, m=(1, 3, 1, 1), d=(1, 3, 1, 1))
    graph = agree(model(nodes, constants, shape=("n", 3, 4, 4)))
    assert operators(graph) == ["Conv"]


def test_relu_and_clip(opset: int) -> None:
    zero, six = np.float32(0), np.float32(6)
    assert operators(agree(model([node("Relu", ["x"], ["y"])], opset=opset))) == ["ReLU"]
    clip = model([node("Clip", ["x", "l", "h"], ["y"])], {"l": zero, "h": six}, opset=opset)
    assert operators(agree(clip)) == ["ReLU6"]
    low = model([node("Clip", ["x", "l"], ["y"])], {"l": zero}, opset=opset)
    assert operators(agree(low)) == ["ReLU"]
    infinite = model(
        [node("Clip", ["x", "l", "h"], ["y"])], {"l": zero, "h": np.float32(np.inf)}, opset=opset
    )
    assert operators(agree(infinite)) == ["ReLU"]


@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize(
    ("x", "attributes"),
    [
        ((2, 9), {"kernel_shape": [3]}),
        ((2, 9, 8), {"kernel_shape": [3, 2], "strides": [2, 2]}),
        ((2, 9, 8), {"kernel_shape": [3, 3], "pads": [1, 0, 2, 1]}),
        ((2, 9, 8), {"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        ((2, 8, 8), {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
        ((2, 9, 8), {"kernel_shape": [2, 3], "strides": [2, 3], "ceil_mode": 1}),
        ((2, 8), {"kernel_shape": [4], "strides": [3], "pads": [1, 0], "ceil_mode": 1}),
    ],
)
def test_pooling(opset: int, operator: str, x: tuple[int, ...], attributes: Any) -> None:
    made = model([node(operator, ["x"], ["y"], **attributes)], shape=("n", *x), opset=opset)
    uneven = attributes.get("pads", [0] * 4) != [0] * 4
    assert operators(agree(made, reference=not uneven)) == [operator]


@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
def test_a_window_behind_the_tensor_is_none(operator: str) -> None:
    """From opset 22 on; before, ONNX and onnxruntime differ."""
    window = {"kernel_shape": [1, 2], "strides": [2, 2], "pads": [0, 0, 0, 1], "ceil_mode": 1}
    nodes = [node(operator, ["x"], ["y"], **window)]
    agree(model(nodes, shape=("n", 2, 8, 8), opset=22), reference=False)
    with pytest.raises(UnsupportedModelError, match="window that begins behind the tensor"):
        from_onnx(model(nodes, shape=("n", 2, 8, 8), opset=21))


def test_average_that_counts_its_padding(opset: int) -> None:
    pool = node("AveragePool", ["x"], ["y"], kernel_shape=[3], pads=[1, 2], count_include_pad=1)
    agree(model([pool], shape=("n", 2, 7), opset=opset))


def test_global_pooling(opset: int) -> None:
    for operator, ours in (
        ("GlobalAveragePool", "GlobalAveragePool"),
        ("GlobalMaxPool", "MaxPool"),
    ):
        made = model([node(operator, ["x"], ["y"])], shape=("n", 3, 4, 5), opset=opset)
        assert operators(agree(made)) == [ours]


@pytest.mark.parametrize("keep", [0, 1])
def test_mean_over_positions_is_global_pooling(opset: int, keep: int) -> None:
    extra, attribute = axes_of(opset, 18, axes=[2, -1])
    mean = node("ReduceMean", ["x", *extra], ["y"], keepdims=keep, **attribute)
    constants = {"axes": np.array([2, -1])} if extra else {}
    graph = agree(model([mean], constants, shape=("n", 3, 4, 5), opset=opset))
    assert operators(graph)[0] == "GlobalAveragePool"


def test_residual_sum(opset: int) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["h"], pads=[1, 1, 1, 1]),
        node("Relu", ["h"], ["r"]),
        node("Add", ["r", "x"], ["y"]),
    ]
    made = model(nodes, random_weights(11, w=(3, 3, 3, 3)), shape=("n", 3, 4, 4), opset=opset)
    assert operators(agree(made)) == ["Conv", "ReLU", "Add"]


def test_a_tensor_may_be_added_to_itself() -> None:
    assert operators(agree(model([node("Add", ["x", "x"], ["y"])]))) == ["Add"]


@pytest.mark.parametrize("target", [[0, -1], [-1, 12], [0, 12]])
def test_reshape_flattens(opset: int, target: list[int]) -> None:
    nodes = [node("Reshape", ["x", "s"], ["f"]), node("MatMul", ["f", "w"], ["y"])]
    constants: dict[str, Any] = {"s": np.array(target), **random_weights(12, w=(12, 2))}
    assert operators(agree(model(nodes, constants, shape=("n", 3, 2, 2), opset=opset))) == [
        "Flatten",
        "Dense",
    ]


def test_reshape_to_a_fixed_batch() -> None:
    nodes = [node("Reshape", ["x", "s"], ["f"]), node("MatMul", ["f", "w"], ["y"])]
    constants: dict[str, Any] = {"s": np.array([1, 12]), **random_weights(12, w=(12, 2))}
    agree(model(nodes, constants, shape=(1, 3, 2, 2)))


def test_shape_computed_from_the_input(opset: int) -> None:
    """x.view(x.size(0), -1), as PyTorch exports it."""
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "zero"], ["n"], axis=0),
        node("Unsqueeze", ["n", "axis"], ["n1"]),
        node("Concat", ["n1", "rest"], ["target"], axis=0),
        node("Reshape", ["x", "target"], ["f"]),
        node("Gemm", ["f", "w"], ["y"]),
    ]
    constants = {
        "zero": np.array(0),
        "axis": np.array([0]),
        "rest": np.array([-1]),
        **random_weights(13, w=(12, 2)),
    }
    made = model(nodes, constants, shape=("n", 3, 4), opset=opset, output_shape=("n", 2))
    assert operators(agree(made)) == ["Flatten", "Dense"]


def test_padding_computed_as_pytorch_does(opset: int) -> None:
    """torch.nn.functional.pad: pads of the last axes, filled up with zeros, turned around."""
    nodes = [
        node("ConstantOfShape", ["n"], ["zeros"], value=helper.make_tensor("v", 7, [1], [0])),
        node("Concat", ["last", "zeros"], ["all"], axis=0),
        node("Reshape", ["all", "pairs"], ["rows"]),
        node("Slice", ["rows", "end", "start", "axis", "step"], ["turned"]),
        node("Transpose", ["turned"], ["columns"], perm=[1, 0]),
        node("Reshape", ["columns", "flat"], ["pads"]),
        node("Cast", ["pads"], ["pads64"], to=TensorProto.INT64),
        node("Pad", ["x", "pads64"], ["h"]),
        node("Conv", ["h", "w"], ["y"]),
    ]
    constants = {
        "n": np.array([4]),
        "last": np.array([0, 1, 2, 0]),
        "pairs": np.array([-1, 2]),
        "end": np.array([-1]),
        "start": np.array([np.iinfo(np.int64).min + 1]),
        "axis": np.array([0]),
        "step": np.array([-1]),
        "flat": np.array([-1]),
        **random_weights(21, w=(2, 3, 2, 2)),
    }
    made = model(nodes, constants, shape=("n", 3, 4, 5), opset=opset, output_shape=("n", 2, 5, 5))
    (conv,) = agree(made).nodes
    assert conv.padding == ((2, 0), (0, 1))  # type: ignore[attr-defined]


def test_squeeze_and_unsqueeze(opset: int) -> None:
    nodes = [
        node("Unsqueeze", ["x", "two"], ["image"]),
        node("Conv", ["image", "w"], ["h"]),
        node("Squeeze", ["h", "last"], ["y"]),
    ]
    constants = {
        "two": np.array([2]),
        "last": np.array([-1, 2]),
        **random_weights(14, w=(5, 3, 1, 7)),
    }
    agree(model(nodes, constants, shape=("n", 3, 7), opset=opset))


def test_channels_last_vanishes(opset: int) -> None:
    """As TensorFlow exports: channels last at the input, between layers and before a dense layer."""
    nodes = [
        node("Transpose", ["x"], ["image"], perm=[0, 3, 1, 2]),
        node("Conv", ["image", "w1"], ["h1"], name="conv"),
        node("Transpose", ["h1"], ["last"], perm=[0, 2, 3, 1]),
        node("Add", ["last", "b"], ["biased"]),
        node("Relu", ["biased"], ["r"]),
        node("Flatten", ["r"], ["f"]),
        node("Gemm", ["f", "w2"], ["y"]),
    ]
    constants = random_weights(15, w1=(4, 3, 2, 2), b=(4,), w2=(4 * 5 * 4, 2))
    graph = agree(model(nodes, constants, shape=("n", 6, 5, 3), opset=opset))
    assert operators(graph) == ["Transpose", "Conv", "ReLU", "Flatten", "Dense"]


def test_mean_of_channels_last() -> None:
    nodes = [
        node("Conv", ["x", "w1"], ["h"]),
        node("Transpose", ["h"], ["last"], perm=[0, 2, 3, 1]),
        node("ReduceMean", ["last"], ["f"], axes=[1, 2], keepdims=0),
        node("Gemm", ["f", "w2"], ["y"]),
    ]
    constants = random_weights(16, w1=(4, 3, 2, 2), w2=(4, 2))
    graph = agree(model(nodes, constants, shape=("n", 3, 6, 5)))
    assert operators(graph) == ["Conv", "GlobalAveragePool", "Flatten", "Dense"]


def test_pad_joins_the_convolution(opset: int) -> None:
    nodes = [
        node("Pad", ["x", "p"], ["h"]),
        node("Conv", ["h", "w"], ["y"], pads=[0, 1, 0, 0], strides=[2, 2]),
    ]
    constants: dict[str, Any] = {
        "p": np.array([0, 0, 0, 1, 0, 0, 1, 2]),
        **random_weights(17, w=(4, 3, 3, 3)),
    }
    graph = agree(model(nodes, constants, shape=("n", 3, 6, 5), opset=opset))
    assert operators(graph) == ["Conv"]


def test_softmax_at_the_end(opset: int) -> None:
    made = model(
        [node("Gemm", ["x", "w"], ["h"]), node("Softmax", ["h"], ["y"], axis=1)],
        random_weights(18, w=(4, 3)),
        opset=opset,
    )
    assert operators(agree(made)) == ["Dense", "Softmax"]


def test_what_does_nothing_disappears(opset: int) -> None:
    nodes = [
        node("Identity", ["x"], ["a"]),
        node("Dropout", ["a"], ["b"]),
        node("Cast", ["b"], ["c"], to=TensorProto.FLOAT),
        node("Constant", [], ["w"], value=helper.make_tensor("w", 1, [4, 1], [1.0, 2, 3, 4])),
        node("Identity", ["w"], ["w2"]),
        node("MatMul", ["c", "w2"], ["y"]),
        node("LeakyRelu", ["a"], ["unused"]),
    ]
    assert operators(agree(model(nodes, opset=opset))) == ["Dense"]


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_other_float_types(kind: int) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    w = random_weights(19, w=(4, 3))["w"].astype(dtype)
    made = model([node("MatMul", ["x", "w"], ["y"])], {"w": w}, kind=kind)
    agree(made, tolerance=1e-2 if kind == TensorProto.FLOAT16 else 1e-12)


def test_weights_listed_as_inputs() -> None:
    """Models of old IR versions name their initializers among the inputs."""
    made = model(
        [node("MatMul", ["x", "w"], ["y"])],
        random_weights(20, w=(4, 3)),
        inputs={"x": ("n", 4), "w": (4, 3)},
    )
    agree(made)


def test_nodes_without_names_are_told_apart() -> None:
    nodes = [
        node("Relu", ["x"], ["a"], name="same"),
        node("Relu", ["a"], ["b"], name="same"),
        node("Relu", ["b"], ["y"]),
    ]
    assert [n.name for n in from_onnx(model(nodes)).nodes] == ["same_0", "same_1", "Relu_2"]
