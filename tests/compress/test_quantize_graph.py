# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Integer networks from float graphs against onnxruntime: every operator within a bound that is derived.

onnxruntime computes with the weights and inputs that the integers stand for: only what the engine rounds differs.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
pytest.importorskip("onnxruntime", reason="onnxruntime is the independent reference")
from onnx import helper
from tests.compress.graph_cases import (
    FLOAT32,
    ConvCase,
    check_differences,
    conv_model,
    effective,
    node_bound,
    random_case,
)
from tests.graph.onnx_models import model, random_weights, run_onnxruntime

from spectramac.compress.graph_codes import FloatCoder, Form
from spectramac.compress.quantize_graph import quantize_graph
from spectramac.compress.techniques import PrunedConv, SftConv
from spectramac.compress.techniques.stage import Quantization
from spectramac.graph.nodes import Conv
from spectramac.graph.onnx_import import from_onnx
from spectramac.model.convolution import Convolution
from spectramac.model.depthwise import DepthwiseConvolution
from spectramac.model.graph_network import GraphNetwork, run_graph
from spectramac.model.map_node import Arithmetic, MapNode

FORMS: dict[str, Form] = {
    "direct": Form(),
    "direct 4 bits": Form(quantization=Quantization(4, "row")),
    "direct one step": Form(quantization=Quantization(8, "layer")),
    "pruned": Form(PrunedConv(), 0.4),
    "sft 8 to 8": Form(SftConv(8, 8)),
    "sft 8 to 8 sparse, 4 bits": Form(SftConv(8, 8), 0.4, Quantization(4, "pair")),
    "sft 16 to identity": Form(SftConv(16, 0)),
    "identity to sft 8": Form(SftConv(0, 8)),
}


def steps_off(
    case: ConvCase, form: Form, seed: int, change: Any = None
) -> tuple[NDArray[np.float64], MapNode]:
    """Differences from onnxruntime in output steps; ``change`` spoils the node first."""
    rng = np.random.default_rng(seed)
    graph = from_onnx(case.model)
    x = case.inputs(rng)
    quantized = quantize_graph(graph, x, forms={"conv": form})
    (node,) = quantized.network.nodes
    conv = graph.nodes[0]
    assert isinstance(conv, Conv)
    codes = quantized.quantize_input(x)
    coder = FloatCoder({"conv": form})
    depthwise = isinstance(node, DepthwiseConvolution)
    coded = (coder.depthwise if depthwise else coder.convolution)(conv, codes.astype(np.int64))
    weight = effective(coded, case.weight, case.shape[0])
    real = np.moveaxis(codes * quantized.network.input_scale, -1, 1).reshape(x.shape)
    expected = run_onnxruntime(conv_model(case, weight), real.astype(np.float32))
    assert expected is not None
    if change is not None:
        node = change(node)
        quantized = replace(quantized, network=remade(quantized.network, node))
    got = quantized.dequantize_output(run_graph(quantized.network, codes, Arithmetic(15)))
    scale = quantized.network.output_scale
    top = np.float64(127 * scale)
    difference: NDArray[np.float64] = (got - np.clip(expected, -128 * scale, top)) / scale
    return difference, node


def remade(network: GraphNetwork, *nodes: MapNode) -> GraphNetwork:
    """With other nodes."""
    return GraphNetwork(
        name=network.name, input_name=network.input_name, input_shape=network.input_shape,
        nodes=nodes, scales=network.scales,
    )  # fmt: skip


def check_case(seed: int, form: Form, depthwise: bool = False) -> None:
    case = random_case(np.random.default_rng(seed), depthwise=depthwise)
    difference, node = steps_off(case, form, seed)
    check_differences(node, difference)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("form", FORMS)
def test_convolutions(form: str, seed: int) -> None:
    check_case(seed, FORMS[form])


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("bits", [4, 8])
def test_depthwise_convolutions(bits: int, seed: int) -> None:
    check_case(100 + seed, Form(quantization=Quantization(bits, "row")), depthwise=True)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 1300))
def test_many_convolutions(seed: int) -> None:
    forms = list(FORMS.values())
    check_case(seed, forms[seed % len(forms)])
    check_case(seed, Form(), depthwise=True)


def test_the_bound_is_tight_without_transforms() -> None:
    """Little more than the rounding of the output."""
    bounds = []
    for seed in range(10):
        _, node = steps_off(random_case(np.random.default_rng(seed)), Form(), seed)
        bounds.append(node_bound(node))
    assert np.median(bounds) < 0.65
    assert max(bounds) < 0.75


def case_with_everything() -> ConvCase:
    rng = np.random.default_rng(5)
    return ConvCase(
        weight=rng.normal(size=(6, 4, 3, 2)), bias=rng.normal(size=6) + 1, stride=(2, 1), pads=(1, 0, 0, 1),
        groups=1, shape=(4, 9, 8), limit=3.0,
    )  # fmt: skip


def spoiled_layer(**changes: Any) -> Any:
    def change(node: Convolution) -> Convolution:
        made = {k: v(getattr(node.layer, k)) for k, v in changes.items()}
        return replace(node, layer=replace(node.layer, **made))

    return change


SPOILED: dict[str, Any] = {
    "a bias is forgotten": spoiled_layer(bias=lambda b: b * (np.arange(6) > 0)),
    "a multiplier is off by 2 %": spoiled_layer(multiplier=lambda m: (m * 0.98).astype(np.int32)),
    "a shift is off by one": spoiled_layer(shift=lambda s: s + 1),
    "a row shift is off by one": spoiled_layer(row_shift=lambda s: s - 1),
    "no ReLU": spoiled_layer(relu=lambda r: False),
    "taps in columns": spoiled_layer(
        coefficients=lambda q: q.reshape(6, 3, 2, 4).transpose(0, 2, 1, 3).reshape(6, -1)
    ),
    "channels in the wrong order": spoiled_layer(
        coefficients=lambda q: q.reshape(6, 6, 4)[:, :, ::-1].reshape(6, -1)
    ),
    "the kernel is turned": spoiled_layer(
        coefficients=lambda q: q.reshape(6, 6, 4)[:, ::-1].reshape(6, -1)
    ),
    "padding on the other side": lambda node: replace(
        node, window=replace(node.window, padding=((0, 1), (1, 0)))
    ),
    "a limit is off by one": lambda node: replace(node, maximum=node.maximum - 1),
}


@pytest.mark.parametrize("fault", SPOILED)
def test_the_bound_sees(fault: str) -> None:
    difference, node = steps_off(case_with_everything(), Form(), 0)
    bound = node_bound(node) + FLOAT32
    assert np.abs(difference).max() <= bound
    difference, _ = steps_off(case_with_everything(), Form(), 0, SPOILED[fault])
    assert np.abs(difference).max() > bound


OTHERS: dict[str, tuple[Any, dict[str, Any], tuple[int, ...]]] = {
    "AveragePool": (
        ["x"],
        {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 0, 1], "count_include_pad": 1},
        (5, 7, 8),
    ),
    "AveragePool 1-D": (["x"], {"kernel_shape": [4], "strides": [3]}, (5, 17)),
    "GlobalAveragePool": (["x"], {}, (5, 25, 25)),
    "MaxPool": (["x"], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, (5, 9, 8)),
    "GlobalMaxPool": (["x"], {}, (5, 6, 7)),
    "Add": (["x", "x"], {}, (5, 6, 7)),
    "Relu": (["x"], {}, (5, 6, 7)),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("seed", range(3))
def test_other_operators(name: str, seed: int) -> None:
    inputs, attributes, shape = OTHERS[name]
    node = helper.make_node(name.split()[0], inputs, ["y"], name="node", **attributes)
    made = model([node], shape=("n", *shape))
    made.ir_version = 8
    x = np.random.default_rng(seed).normal(size=(4, *shape)).astype(np.float32)
    quantized = quantize_graph(from_onnx(made), x)
    network = quantized.network
    codes = quantized.quantize_input(x)
    real = np.moveaxis(codes * network.input_scale, -1, 1).reshape(x.shape).astype(np.float32)
    expected = run_onnxruntime(made, real)
    assert expected is not None
    got = quantized.dequantize_output(run_graph(network, codes))
    scale = network.output_scale
    difference = np.abs(got - np.clip(expected, -128 * scale, 127 * scale)) / scale
    assert difference.max() <= node_bound(network.nodes[0]) + FLOAT32


def test_a_dense_layer_reads_a_map_as_it_lies() -> None:
    constants = random_weights(0, w=(7, 3 * 4 * 5), b=(7,))
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "b"], ["y"], transB=1),
    ]
    made = model(nodes, constants, shape=("n", 3, 4, 5))
    made.ir_version = 8
    x = np.random.default_rng(0).normal(size=(9, 3, 4, 5)).astype(np.float32)
    quantized = quantize_graph(from_onnx(made), x)
    assert quantized.network.input_shape == (4, 5, 3)
    expected = run_onnxruntime(made, x)
    assert expected is not None
    noise = quantized.run(x) - expected
    assert np.sum(noise**2) < np.sum(expected**2) * 1e-3


def test_channels_last_inputs_are_maps_already() -> None:
    constants = random_weights(0, w=(4, 3, 3, 3))
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t", "w"], ["y"], name="conv"),
    ]
    made = model(nodes, constants, shape=("n", 8, 7, 3))
    made.ir_version = 8
    x = np.random.default_rng(0).normal(size=(3, 8, 7, 3)).astype(np.float32)
    quantized = quantize_graph(from_onnx(made), x)
    assert quantized.network.input_shape == (8, 7, 3)
    np.testing.assert_array_equal(
        quantized.quantize_input(x), np.clip(np.rint(x / quantized.network.input_scale), -128, 127)
    )
    expected = run_onnxruntime(made, x)
    assert expected is not None
    assert np.sum((quantized.run(x) - expected) ** 2) < np.sum(expected**2) * 1e-3


@pytest.mark.parametrize(
    ("shape", "moves"),
    [
        ((9, 8, 1), [("Transpose", {"perm": [0, 3, 1, 2]})]),
        ((9, 8, 1), [("Reshape", (-1, 1, 9, 8))]),
        ((72,), [("Reshape", (-1, 1, 9, 8))]),
        ((8, 9), [("Transpose", {"perm": [0, 2, 1]}), ("Reshape", (-1, 1, 9, 8))]),
    ],
)
def test_inputs_are_rearranged_by_the_host(shape, moves) -> None:
    """As exporters from frameworks with channels last write it, for one channel in particular."""
    constants = random_weights(0, w=(4, 1, 4, 3))
    nodes, name = [], "x"
    for i, (operator, how) in enumerate(moves):
        inputs, attributes = [name], how
        if operator == "Reshape":
            constants[f"s{i}"] = np.array(how, np.int64)
            inputs, attributes = [name, f"s{i}"], {}
        name = f"m{i}"
        nodes.append(helper.make_node(operator, inputs, [name], **attributes))
    nodes.append(helper.make_node("Conv", [name, "w"], ["y"], name="conv", pads=[1, 1, 2, 1]))
    made = model(nodes, constants, shape=("n", *shape))
    made.ir_version = 8
    x = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    quantized = quantize_graph(from_onnx(made), x)
    assert quantized.network.input_shape == (9, 8, 1)
    expected = run_onnxruntime(made, x)
    assert expected is not None
    assert np.sum((quantized.run(x) - expected) ** 2) < np.sum(expected**2) * 1e-3
