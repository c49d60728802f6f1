# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Quantized models as integer networks of maps, against onnx's reference evaluator."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
from onnx import helper
from tests.compress.graph_cases import ConvCase, node_bound, random_case
from tests.graph.onnx_models import Quantized, run_reference

from spectramac.compress.qdq_graph import integer_graph
from spectramac.compress.quantize_graph import QuantizedGraph
from spectramac.graph.errors import UnsupportedModelError
from spectramac.graph.onnx_import import from_onnx
from spectramac.model.convolution import Convolution
from spectramac.model.graph_network import run_graph
from spectramac.model.map_elementwise import Rectifier

ZERO = np.int8(0)


def lowered(
    q: Quantized, shape: tuple[int, ...], seed: int = 0
) -> tuple[QuantizedGraph, np.ndarray, np.ndarray]:
    """The integer network, its output and the reference's, both in steps."""
    made = q.model(("n", *shape))
    x = (2 * np.random.default_rng(seed).normal(size=(4, *shape))).astype(np.float32)
    quantized = integer_graph(from_onnx(made), x)
    scale = quantized.network.output_scale
    y = quantized.dequantize_output(run_graph(quantized.network, quantized.quantize_input(x)))
    return quantized, y / scale, run_reference(made, x) / np.float32(scale)


def conv(q: Quantized, case: ConvCase, codes: np.ndarray, steps: Any) -> None:
    q.weight("w", codes.astype(np.int8), np.asarray(steps, np.float32), axis=0)
    q.constants["b"] = case.bias.astype(np.float32)
    q.nodes.append(
        helper.make_node(
            "Conv", ["xq", "w", "b"], ["c"], name="conv", strides=case.stride, pads=case.pads,
            group=case.groups,
        )
    )  # fmt: skip


def check_conv(seed: int, *, depthwise: bool = False) -> None:
    """Both round the exact value: never more than a step apart, and rarely that."""
    rng = np.random.default_rng(seed)
    case = random_case(rng, depthwise=depthwise)
    q = Quantized()
    q.pair("x", "xq", 0.04, ZERO)
    codes = rng.integers(-127, 128, case.weight.shape)
    per_channel = seed % 2 == 0
    steps = rng.uniform(0.001, 0.01, len(codes)) if per_channel else 0.005
    conv(q, case, codes, steps)
    spread = 60 * 73 * 0.005 * 0.04 * np.sqrt(np.prod(codes.shape[1:]))
    q.pair("c", "y", float(spread) / 60, ZERO)
    made, y, expected = lowered(q, case.shape)
    assert np.abs(y - np.rint(expected)).max() <= 1
    # They differ only where the exact value is as near to a half as the engine's value may be off.
    likely = 2 * (node_bound(made.network.nodes[0]) - 0.5) + 0.02
    assert np.mean(np.rint(expected) != y) <= likely + 2 / y.size


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("depthwise", [False, True])
def test_convolutions(seed: int, depthwise: bool) -> None:
    check_conv(seed, depthwise=depthwise)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 200))
def test_many_convolutions(seed: int) -> None:
    check_conv(seed, depthwise=seed % 3 == 0)


def exact_network() -> Quantized:
    """All scales are powers of two and all sums small: nothing is rounded but outputs."""
    rng = np.random.default_rng(0)
    q = Quantized()
    q.pair("x", "xq", 2.0**-5, ZERO)

    def weights(name: str, *shape: int, axis: int = 0) -> list[str]:
        q.weight(f"{name}.w", rng.integers(-7, 8, shape).astype(np.int8), np.float32(2.0**-6), axis)
        n_out = shape[axis]
        bias = rng.integers(-2000, 2000, n_out).astype(np.int32)
        q.weight(f"{name}.b", bias, np.float32(2.0**-11), axis=0)
        return [f"{name}.w", f"{name}.b"]

    def add(operator: str, inputs: list[str], output: str, scale: float, **attributes: Any) -> None:
        q.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        q.pair(output, f"{output}.q", scale, ZERO)

    q.nodes.append(
        helper.make_node(
            "Conv", ["xq", *weights("first", 6, 3, 3, 3)], ["h"], name="first", pads=[1] * 4
        )
    )
    q.constants |= {"low": np.float32(0), "high": np.float32(3)}
    add("Clip", ["h", "low", "high"], "limited", 2.0**-5)
    add(
        "Conv",
        ["limited.q", *weights("second", 6, 1, 3, 3)],
        "second",
        2.0**-5,
        pads=[1] * 4,
        group=6,
    )
    q.nodes.append(helper.make_node("Add", ["second.q", "limited.q"], ["s"], name="sum"))
    add("Relu", ["s"], "positive", 2.0**-4)
    add("MaxPool", ["positive.q"], "pooled", 2.0**-4, kernel_shape=[2, 2], strides=[2, 2])
    add("AveragePool", ["pooled.q"], "mean", 2.0**-5, kernel_shape=[2, 2], strides=[2, 2])
    add("Flatten", ["mean.q"], "flat", 2.0**-5)
    add("Gemm", ["flat.q", *weights("last", 5, 6 * 4)], "last", 2.0**-4, transB=1)
    q.nodes.append(helper.make_node("Identity", ["last.q"], ["y"]))
    return q


def test_an_exact_network_is_the_reference_to_the_bit() -> None:
    made, y, expected = lowered(exact_network(), (3, 8, 8))
    assert [type(n).__name__ for n in made.network.nodes] == [
        "Convolution", "DepthwiseConvolution", "Addition", "MaxPooling", "AveragePooling", "FullyConnected",
    ]  # fmt: skip
    first = made.network.nodes[0]
    assert isinstance(first, Convolution)
    assert first.maximum == 96
    np.testing.assert_array_equal(y, expected)
    assert len(np.unique(y)) > 5


def test_a_relu_with_a_reader_before_it() -> None:
    q = Quantized()
    q.pair("x", "xq", 0.05, ZERO)
    q.nodes.append(helper.make_node("Relu", ["xq"], ["r"], name="relu"))
    q.nodes.append(helper.make_node("Add", ["xq", "r"], ["s"], name="sum"))
    q.pair("s", "y", 0.08, ZERO)
    made, y, expected = lowered(q, (2, 3, 3))
    assert isinstance(made.network.nodes[0], Rectifier)
    assert np.abs(y - expected).max() <= 1


def test_a_scale_may_follow_a_change_of_shape() -> None:
    """As behind a normalization that is imported as a convolution of one position."""
    q = Quantized()
    q.pair("x", "xq", 0.05, ZERO)
    q.weight("w", np.arange(-8, 8).reshape(4, 2, 2, 1).astype(np.int8), 0.02, axis=0)
    q.nodes.append(helper.make_node("Conv", ["xq", "w"], ["c"], name="conv"))
    q.nodes.append(helper.make_node("Flatten", ["c"], ["f"], name="flat"))
    q.pair("f", "y", 0.04, ZERO)
    made, y, expected = lowered(q, (2, 3, 3))
    assert [node.name for node in made.network.nodes] == ["conv"]
    assert np.abs(y - expected).max() <= 1


@pytest.mark.parametrize("per_channel", [False, True])
def test_what_onnxruntime_quantizes(per_channel: bool, tmp_path: Path) -> None:
    """The whole of DS-CNN, symmetric: what differs is 36 dB below its output, and at most three steps."""
    quantization = pytest.importorskip(
        "onnxruntime.quantization", reason="onnxruntime's quantizer makes the model"
    )
    runtime = pytest.importorskip("onnxruntime")
    from tests.compress.graph_cases import without_softmax

    from spectramac.graph.onnx_mlperf_tiny import dscnn

    options = runtime.SessionOptions()  # folds BatchNormalization, which the quantizer does not
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(tmp_path / "float.onnx")
    source = without_softmax(dscnn()).SerializeToString()
    runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).normal(size=(8, 1, 49, 10)).astype(np.float32)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.batches = iter([{"input": x}])

        def get_next(self) -> Any:
            return next(self.batches, None)

    quantization.quantize_static(
        tmp_path / "float.onnx",
        tmp_path / "int8.onnx",
        Reader(),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=per_channel,
        activation_type=quantization.QuantType.QInt8,
        weight_type=quantization.QuantType.QInt8,
        extra_options={"ActivationSymmetric": True, "WeightSymmetric": True},
    )
    session = runtime.InferenceSession(
        str(tmp_path / "int8.onnx"), providers=["CPUExecutionProvider"]
    )
    (expected,) = session.run(None, {"input": x})
    made = integer_graph(from_onnx(tmp_path / "int8.onnx"), x)
    steps = (made.run(x) - expected) / made.network.output_scale
    assert np.abs(steps).max() < 3.5
    assert 10 * np.log10(np.sum(expected**2) / np.sum((made.run(x) - expected) ** 2)) > 36


def refused(build: Any, message: str) -> None:
    q = Quantized()
    build(q)
    made = q.model(("n", 2, 4, 4))
    with pytest.raises(UnsupportedModelError, match=message):
        integer_graph(from_onnx(made), np.ones((2, 2, 4, 4), np.float32))


def test_what_is_refused() -> None:
    codes = np.ones((2, 2, 1, 1), np.int8)

    def convolution(q: Quantized, x_zero: Any, y_zero: Any, quantized_output: bool = True) -> None:
        q.pair("x", "xq", 0.1, x_zero)
        q.weight("w", codes, 0.1, axis=0)
        output = "c" if quantized_output else "y"
        q.nodes.append(helper.make_node("Conv", ["xq", "w"], [output], name="conv"))
        if quantized_output:
            q.pair("c", "y", 0.1, y_zero)

    symmetric = "quantize activations symmetrically"
    refused(
        lambda q: convolution(q, np.int8(3), ZERO),
        rf"'conv' \(Conv\): its input has the zero point 3 \(int8\); {symmetric}",
    )
    refused(
        lambda q: convolution(q, ZERO, np.uint8(0)), r"its output has the zero point -128 \(int8\)"
    )
    refused(lambda q: convolution(q, ZERO, ZERO, False), "'conv' .*its output is not quantized")

    def pool(q: Quantized) -> None:
        q.pair("x", "xq", 0.1, ZERO)
        q.nodes.append(helper.make_node("MaxPool", ["xq"], ["m"], name="pool", kernel_shape=[2, 2]))
        q.pair("m", "y", 0.2, ZERO)

    refused(
        pool,
        r"'pool' \(MaxPool\): its output has the scale 0.2, its input 0.1; quantize them alike",
    )

    def plain(q: Quantized) -> None:
        q.pair("x", "xq", 0.1, ZERO)
        q.constants["w"] = codes.astype(np.float32)
        q.nodes.append(helper.make_node("Conv", ["xq", "w"], ["c"], name="conv"))
        q.pair("c", "y", 0.1, ZERO)

    refused(plain, "'conv' .*its weights are not quantized")


def test_uint8_around_128_is_int8() -> None:
    q = Quantized()
    q.pair("x", "xq", 0.1, np.uint8(128))
    q.nodes.append(helper.make_node("MaxPool", ["xq"], ["y"], name="pool", kernel_shape=[2, 2]))
    _, y, expected = lowered(q, (2, 4, 4))
    np.testing.assert_allclose(y, expected, atol=1e-4)
