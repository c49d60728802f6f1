# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Quantized networks with zero points as integer networks, against direct evaluation of the graph."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.compress.clusters import clusters, trained

from spectramac.compiler.compile import compile_network
from spectramac.compress.calibrate import affine_range
from spectramac.compress.qdq import integer_network
from spectramac.graph.errors import UnsupportedModelError
from spectramac.graph.evaluate import activations, evaluate
from spectramac.graph.graph import Graph, Tensor
from spectramac.graph.node import Node
from spectramac.graph.nodes import Dense, Flatten, ReLU, Softmax
from spectramac.graph.quantization import Quantization
from spectramac.model.layer import run_layer, run_network
from spectramac.spec.config import preset


def q(scale: Any, zero: Any = 0, **kind: Any) -> Quantization:
    return Quantization(scale=np.array(scale), zero_point=np.array(zero), **kind)


def dense(
    name: str,
    source: str,
    n_in: int,
    n_out: int,
    weights: Quantization,
    out: Quantization | None = None,
    spread: float = 40.0,
) -> Dense:
    """Weights of normal distribution, ``spread`` steps wide."""
    rng = np.random.default_rng(n_in)
    weight = weights.round_trip(rng.normal(size=(n_out, n_in)) * weights.scale.mean() * spread)
    bias = np.rint(rng.normal(size=n_out) * 200) * weights.scale / 64
    return Dense(
        name=name,
        inputs=(source,),
        weight=weight,
        bias=bias,
        weight_quantization=weights,
        quantization=out,
    )


def graph(first: Quantization | None, *nodes: Node, shape: tuple[int, ...] = (8,)) -> Graph:
    return Graph(name="test", input=Tensor(name="x", shape=shape, quantization=first), nodes=nodes)


def relu(source: str, out: Quantization | None) -> ReLU:
    return ReLU(name=f"{source}.relu", inputs=(source,), quantization=out)


def integers(g: Graph, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the engine's integers and the graph's are, (batch, n_out) each."""
    made = integer_network(g, x)
    flat = made.input.quantize(x).reshape(len(x), -1)
    exact = activations(g, x)[next(n.name for n in reversed(g.nodes) if n.quantization)]
    return run_network(made.network, flat), made.output.quantize(exact)


@pytest.mark.parametrize("zero", [-128, -40, 0, 7, 127])
@pytest.mark.parametrize("hidden", [("relu", -128), ("relu", 0), ("linear", 16), ("linear", -6)])
def test_equal_to_the_last_bit_where_formats_allow(zero: int, hidden: tuple[str, int]) -> None:
    """Scales that are powers of two, sums that fit the data width, even zero points of outputs."""
    kind, middle = hidden
    inner, outer = q(1 / 64, middle), q(1 / 128, -20)
    weights = q([2.0**-6, 2.0**-5] * 3, [0] * 6)
    nodes: list[Node] = [dense("a", "x", 8, 6, weights, None if kind == "relu" else inner, 5.0)]
    if kind == "relu":
        nodes.append(relu("a", inner))
    nodes.append(dense("b", nodes[-1].name, 6, 4, q(2.0**-6), outer, 5.0))
    g = graph(q(1 / 64, zero), *nodes)
    x = np.random.default_rng(zero + 128).uniform(-2, 2, (300, 8))
    made = integer_network(g, x)
    assert all(np.all(np.asarray(layer.row_shift) == 0) for layer in made.network.layers)
    got, exact = integers(g, x)
    np.testing.assert_array_equal(got, exact)
    assert len(np.unique(got)) > 20


def test_the_bias_correction_is_the_rows_sum_times_the_zero_point() -> None:
    """The integer sum itself, before any rounding."""
    weights = q(0.0123)
    plain = graph(q(0.031, 0), dense("a", "x", 8, 6, weights, q(0.5), 5.0))
    moved = graph(q(0.031, 37), *plain.nodes)
    x = np.random.default_rng(1).uniform(-2, 2, (50, 8))
    a, b = (integer_network(g, x).network.layers[0] for g in (plain, moved))
    codes = a.coefficients[:6, :8].astype(np.int64)
    np.testing.assert_array_equal(b.coefficients, a.coefficients)
    np.testing.assert_array_equal(b.bias, a.bias - 37 * codes.sum(axis=1))
    inputs = moved.input.quantization.quantize(x)  # type: ignore[union-attr]
    sums = run_layer(b, inputs).rows[:, :6] + b.bias
    np.testing.assert_array_equal(sums, (inputs - 37) @ codes.T + a.bias)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_within_one_output_step_elsewhere(signed: bool, seed: int) -> None:
    """Any scales, long sums that must be shifted, unsigned types, a shape before the first layer."""
    rng = np.random.default_rng(seed)
    shift = 0 if signed else 128
    kind = {"signed": signed}
    channel = q(rng.uniform(0.001, 0.01, 20), np.zeros(20, int))
    g = graph(
        q(0.0173, -100 + shift, **kind),
        Flatten(name="flat", inputs=("x",)),
        dense("a", "flat", 400, 20, channel),
        relu("a", q(0.05, -128 + shift, **kind)),
        dense("b", "a.relu", 20, 5, q(0.004, 0), q(0.031, 11 + shift, **kind)),
        Softmax(name="soft", inputs=("b",)),
        shape=(20, 20),
    )
    x = rng.uniform(-0.5, 3.9, (200, 20, 20))
    made = integer_network(g, x)
    inputs = made.input.quantize(x).reshape(200, 400)
    tensors = activations(g, x)
    for layer, source, target in zip(
        made.network.layers, ("flat", "a.relu"), ("a.relu", "b"), strict=True
    ):
        before = made.input if source == "flat" else q(0.05, -128)
        after = q(0.05, -128) if target == "a.relu" else made.output
        y = run_layer(layer, before.quantize(tensors[source])).y
        assert np.abs(y - after.quantize(tensors[target])).max() <= 1
        assert y.std() > 5
    assert np.asarray(made.network.layers[0].row_shift).max() > 0
    labels = evaluate(g, x).argmax(axis=1)
    agree = np.mean(run_network(made.network, inputs).argmax(axis=1) == labels)
    assert agree > 0.95  # of near ties either may win


def test_unsigned_weights_around_128_are_int8() -> None:
    weights = q(0.01, 128, signed=False)
    g = graph(q(1 / 64), dense("a", "x", 8, 6, weights, q(0.25)))
    x = np.random.default_rng(0).uniform(-2, 2, (50, 8))
    got, exact = integers(g, x)
    assert np.abs(got - exact).max() <= 1
    codes = integer_network(g, x).network.layers[0].coefficients[:6, :8]
    np.testing.assert_array_equal(codes, weights.quantize(g.nodes[0].weight) - 128)  # type: ignore[attr-defined]


OUT = q(0.25)
X8 = q(1 / 64)
REFUSED = [
    (graph(None, dense("a", "x", 8, 4, q(0.01), OUT)), "'a'.*its input is not quantized"),
    (graph(X8, dense("a", "x", 8, 4, q(0.01))), "'a'.*its output is not quantized"),
    (graph(X8, dense("a", "x", 8, 4, q(0.01), q(0.1, bits=16))), "has 16 bits.*8 bits"),
    (
        graph(
            X8, Dense(name="a", inputs=("x",), weight=np.eye(8), bias=np.zeros(8), quantization=OUT)
        ),
        "'a'.*its weights are not quantized",
    ),
    (
        graph(X8, dense("a", "x", 8, 4, q(0.01, 100), OUT, 100.0)),
        "'a'.*no zero point of coefficients.*quantize weights symmetrically",
    ),
    (
        graph(X8, dense("a", "x", 8, 4, q(0.01)), relu("a", q(0.1, -100))),
        "'a'.*zero point behind its ReLU is -100.*or from 0 on",
    ),
    (
        graph(X8, dense("a", "x", 8, 4, q(0.01), OUT), relu("a", q(0.1))),
        "'a.relu'.*other scales.*quantize behind it only",
    ),
    (graph(X8, Flatten(name="f", inputs=("x",))), "no dense layer"),
]


@pytest.mark.parametrize(("g", "message"), REFUSED, ids=range(len(REFUSED)))
def test_refused_by_name_with_the_remedy(g: Graph, message: str) -> None:
    with pytest.raises(UnsupportedModelError, match=rf"(?s)test cannot be lowered.*{message}"):
        integer_network(g, np.ones((4, 8)))


def test_an_onnx_file_with_zero_points(tmp_path: Any) -> None:
    """QDQ as quantizers write it: uint8 activations, int8 weights of each channel, int32 biases."""
    onnx = pytest.importorskip("onnx", reason="extra 'import'")
    from onnx import TensorProto, helper, numpy_helper

    from spectramac.graph.onnx_import import from_onnx

    rng = np.random.default_rng(4)
    x = rng.uniform(-1, 3, (64, 12)).astype(np.float32)
    weight = rng.integers(-127, 128, (5, 12)).astype(np.int8)
    channel = rng.uniform(0.002, 0.01, 5).astype(np.float32)
    first, last = affine_range(-1.0, 3.0), affine_range(-2.0, 9.0)
    arrays = {
        "x_s": first.scale.astype(np.float32), "x_z": np.uint8(first.zero_point + 128),
        "y_s": last.scale.astype(np.float32), "y_z": np.uint8(last.zero_point + 128),
        "w_q": weight, "w_s": channel, "w_z": np.zeros(5, np.int8),
        "b_q": rng.integers(-900, 900, 5).astype(np.int32),
        "b_s": channel * np.float32(first.scale), "b_z": np.zeros(5, np.int32),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "x_s", "x_z"], ["x_q"], "qx"),
        helper.make_node("DequantizeLinear", ["x_q", "x_s", "x_z"], ["x_d"], "dx"),
        helper.make_node("DequantizeLinear", ["w_q", "w_s", "w_z"], ["w"], "dw", axis=0),
        helper.make_node("DequantizeLinear", ["b_q", "b_s", "b_z"], ["b"], "db", axis=0),
        helper.make_node("Gemm", ["x_d", "w", "b"], ["g"], "gemm", transB=1),
        helper.make_node("QuantizeLinear", ["g", "y_s", "y_z"], ["y_q"], "qy"),
        helper.make_node("DequantizeLinear", ["y_q", "y_s", "y_z"], ["y"], "dy"),
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes, "qdq",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 12])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5])],
            [numpy_helper.from_array(np.asarray(v), k) for k, v in arrays.items()],
        ),
        opset_imports=[helper.make_opsetid("", 21)], ir_version=10,
    )  # fmt: skip
    onnx.save(model, tmp_path / "m.onnx")
    made = integer_network(from_onnx(tmp_path / "m.onnx"), x)
    from onnx.reference import ReferenceEvaluator

    (expected,) = ReferenceEvaluator(model).run(None, {"x": x})
    y = made.output.dequantize(run_network(made.network, made.input.quantize(x)))
    assert np.abs(y - expected).max() <= 1.01 * float(made.output.scale)
    assert np.mean(np.abs(y - expected) < 1e-5) > 0.95


@pytest.mark.parametrize("signed", [True, False])
def test_a_network_that_onnx_runtime_quantized(tmp_path: Path, signed: bool) -> None:
    """Its static quantizer, min-max, a scale for each output; the accuracy is that model's, within a point."""
    onnx = pytest.importorskip("onnx", reason="extra 'import'")
    runtime = pytest.importorskip("onnxruntime", reason="quantizes and judges the network")
    from onnx import helper
    from onnxruntime import quantization as tools
    from tests.graph.onnx_models import model

    from spectramac.graph.onnx_import import from_onnx

    node = helper.make_node
    nodes = [
        node("Gemm", ["x", "w0", "b0"], ["h"], "fc1", transB=1),
        node("Relu", ["h"], ["r"], "relu"),
        node("Gemm", ["r", "w1", "b1"], ["y"], "fc2", transB=1),
    ]
    arrays: dict[str, Any] = {}
    for i, (w, b) in enumerate(trained()):
        arrays |= {f"w{i}": w.astype(np.float32), f"b{i}": b.astype(np.float32)}
    onnx.save(model(nodes, arrays, shape=("n", 32)), tmp_path / "m.onnx")
    x, labels = clusters(300, seed=9)
    x = x.astype(np.float32)

    class Reader(tools.CalibrationDataReader):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            self.left = [{"x": x}]

        def get_next(self) -> dict[str, np.ndarray] | None:
            return self.left.pop() if self.left else None

    kind = tools.QuantType.QInt8 if signed else tools.QuantType.QUInt8
    tools.quantize_static(
        str(tmp_path / "m.onnx"), str(tmp_path / "q.onnx"), Reader(), activation_type=kind,
        weight_type=tools.QuantType.QInt8, per_channel=True, quant_format=tools.QuantFormat.QDQ,
    )  # fmt: skip
    session = runtime.InferenceSession(tmp_path / "q.onnx", providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": x})
    made = integer_network(from_onnx(tmp_path / "q.onnx"), x)
    assert [layer.coefficient_bits for layer in made.network.layers] == [8, 8]
    assert int(made.input.zero_point) not in (0, -128)
    y = run_network(made.network, made.input.quantize(x))
    image = compile_network(made.network, preset("small"))
    assert image.stored_bytes > 0
    steps = np.abs(made.output.dequantize(y) - expected) / float(made.output.scale)
    assert steps.max() < 2.01  # one of the hidden layer's and one of its own
    assert np.mean(steps < 0.01) > 0.8
    ours, theirs = (np.mean(out.argmax(axis=1) == labels) for out in (y, expected))
    assert abs(ours - theirs) < 0.01
