# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""QDQ models: scales and integers are kept, and the rounding is that of the reference."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
import onnx
from onnx import TensorProto, helper
from tests.graph.onnx_models import (
    Quantized,
    model,
    random_input,
    random_weights,
    run_reference,
)

from spectramac.graph.errors import ModelFileError, UnsupportedModelError
from spectramac.graph.evaluate import activations, evaluate
from spectramac.graph.graph import Graph
from spectramac.graph.nodes import Conv, Dense, Requantize
from spectramac.graph.onnx_import import from_onnx

node = helper.make_node


def network(opset: int, per_channel: bool) -> tuple[onnx.ModelProto, NDArray[Any], NDArray[Any]]:
    """Convolution, ReLU, flattened, dense; the model and the integers of its weights."""
    rng = np.random.default_rng(0)
    kernel = rng.integers(-127, 128, (4, 2, 3, 3)).astype(np.int8)
    matrix = rng.integers(-127, 128, (4 * 16, 3)).astype(np.int8)
    steps = rng.uniform(0.001, 0.01, 4) if per_channel else 0.004
    columns = rng.uniform(0.001, 0.01, 3) if per_channel else 0.004
    q = Quantized()
    q.pair("x", "xq", 0.03, np.uint8(120))
    q.weight("w", kernel, steps, axis=0)
    bias = rng.integers(-5000, 5000, 4).astype(np.int32)
    q.weight("b", bias, np.float32(0.03) * np.float32(steps), axis=0)
    q.nodes += [
        node("Conv", ["xq", "w", "b"], ["h"], name="conv", pads=[1, 1, 1, 1]),
        node("Relu", ["h"], ["r"], name="relu"),
    ]
    q.pair("r", "rq", 0.02, np.int8(-128))
    q.nodes.append(node("Flatten", ["rq"], ["f"], name="flat"))
    q.pair("f", "fq", 0.02, np.int8(-128))
    q.weight("m", matrix, columns, axis=1)
    q.nodes.append(node("MatMul", ["fq", "m"], ["p"], name="fc"))
    q.pair("p", "y", 0.05, np.int8(3))
    return q.model(("n", 2, 4, 4), opset), kernel, matrix


@pytest.mark.parametrize("opset", [13, 17, 19, 21])
@pytest.mark.parametrize("per_channel", [False, True])
def test_scales_and_integers_are_kept(opset: int, per_channel: bool) -> None:
    made, kernel, matrix = network(opset, per_channel)
    graph = from_onnx(made)
    assert [n.operator for n in graph.nodes] == ["Conv", "ReLU", "Flatten", "Dense"]
    x = graph.input.quantization
    assert x is not None
    assert (float(x.scale), int(x.zero_point), x.signed) == (np.float32(0.03), 120, False)
    conv, relu, _, dense = graph.nodes
    assert isinstance(conv, Conv)
    assert isinstance(dense, Dense)
    assert conv.quantization is None
    assert relu.quantization is not None
    assert int(relu.quantization.zero_point) == -128
    assert dense.quantization is not None
    for layer, codes in ((conv, kernel), (dense, matrix.T)):
        q = layer.weight_quantization
        assert q is not None
        assert q.is_per_tensor is not per_channel
        np.testing.assert_array_equal(q.quantize(layer.weight), codes)
    assert conv.bias_quantization is not None
    assert conv.bias_quantization.bits == 32
    assert close(graph, made, 0.05)


def close(graph: Graph, made: onnx.ModelProto, step: float) -> bool:
    """Within a step of the reference everywhere, equal nearly everywhere (float32 may round the other way)."""
    x = random_input(made, batch=20)
    later = onnx.ModelProto()
    later.CopyFrom(made)
    later.opset_import[
        0
    ].version = 21  # the reference has no DequantizeLinear before; it means the same
    difference = np.abs(evaluate(graph, x) - run_reference(later, x))
    return bool(difference.max() <= step * 1.001 and np.mean(difference > 1e-4) < 0.02)


def test_a_bias_added_behind_a_quantized_matrix_keeps_its_integers() -> None:
    q = Quantized()
    codes = np.arange(-6, 6, dtype=np.int8).reshape(4, 3)
    q.weight("m", codes, 0.1, axis=1)
    q.constants["b"] = np.ones(3, np.float32)
    q.nodes += [node("MatMul", ["x", "m"], ["p"], name="fc"), node("Add", ["p", "b"], ["y"])]
    (dense,) = from_onnx(q.model(("n", 4))).nodes
    assert isinstance(dense, Dense)
    assert dense.weight_quantization is not None
    np.testing.assert_array_equal(dense.weight_quantization.quantize(dense.weight), codes.T)
    np.testing.assert_array_equal(dense.bias, np.ones(3))


def test_quantized_weights_are_never_rescaled() -> None:
    q = Quantized()
    q.weight("m", np.arange(-6, 6, dtype=np.int8).reshape(4, 3), 0.1, axis=1)
    q.constants["s"] = np.full(3, 1.7, np.float32)
    q.nodes += [node("MatMul", ["x", "m"], ["p"]), node("Mul", ["p", "s"], ["y"])]
    graph = from_onnx(q.model(("n", 4)))
    assert [n.operator for n in graph.nodes] == ["Dense", "Reshape", "Conv", "Flatten"]


def test_weights_quantized_in_the_graph() -> None:
    """Quantization-aware training exports float weights with a QDQ pair, and a Transpose."""
    q = Quantized()
    q.constants |= random_weights(3, w=(3, 4))
    q.pair("w", "wq", 0.02, np.int8(0))
    q.nodes += [node("Transpose", ["wq"], ["wt"]), node("MatMul", ["x", "wt"], ["y"])]
    made = q.model(("n", 4))
    graph = from_onnx(made)
    (dense,) = graph.nodes
    assert isinstance(dense, Dense)
    assert dense.weight_quantization is not None
    expected = np.clip(np.rint(q.constants["w"] / np.float32(0.02)), -128, 127)
    np.testing.assert_array_equal(dense.weight_quantization.quantize(dense.weight), expected)
    x = random_input(made)
    np.testing.assert_allclose(evaluate(graph, x), run_reference(made, x), rtol=1e-4, atol=1e-5)


def test_a_tensor_read_at_two_precisions() -> None:
    q = Quantized()
    q.nodes.append(node("Relu", ["x"], ["r"]))
    q.pair("r", "a", 0.5, np.int8(0))
    q.pair("r", "b", 0.25, np.int8(0))
    q.nodes.append(node("Add", ["a", "b"], ["y"]))
    made = q.model(("n", 4))
    graph = from_onnx(made)
    assert sum(isinstance(n, Requantize) for n in graph.nodes) == 2
    x = random_input(made)
    np.testing.assert_allclose(evaluate(graph, x), run_reference(made, x))
    assert set(np.mod(activations(graph, x)["a.dq"].ravel(), 0.5)) == {0.0}


def test_four_bit_weights() -> None:
    q = Quantized()
    codes = np.arange(-6, 6).reshape(4, 3)
    q.constants |= {"m.s": np.float32(0.1), "m.q": codes.astype(np.int8)}
    q.nodes += [
        node("DequantizeLinear", ["m.q", "m.s"], ["m"]),
        node("MatMul", ["x", "m"], ["y"]),
    ]
    made = q.model(("n", 4), opset=21)
    packed = helper.make_tensor("m.q", TensorProto.INT4, codes.shape, codes.ravel().tolist())
    made.graph.initializer[1].CopyFrom(packed)
    (dense,) = from_onnx(made).nodes
    assert isinstance(dense, Dense)
    assert dense.weight_quantization is not None
    assert dense.weight_quantization.bits == 4
    np.testing.assert_array_equal(dense.weight_quantization.quantize(dense.weight), codes.T)


def test_an_activation_with_several_scales_is_refused() -> None:
    q = Quantized()
    q.pair("x", "y", [0.1, 0.2, 0.3, 0.4], np.zeros(4, np.int8))  # type: ignore[arg-type]
    with pytest.raises(UnsupportedModelError, match="quantize activations per tensor"):
        from_onnx(q.model(("n", 4)))


def test_pairs_must_match() -> None:
    nodes = [
        node("QuantizeLinear", ["x", "a", "z"], ["q"]),
        node("DequantizeLinear", ["q", "b", "z"], ["y"], name="other"),
    ]
    constants = {"a": np.float32(0.5), "b": np.float32(0.25), "z": np.int8(0)}
    with pytest.raises(UnsupportedModelError, match=r"'other' .* scale differs"):
        from_onnx(model(nodes, constants))


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_wrong_scales(scale: float) -> None:
    q = Quantized()
    q.pair("x", "y", scale, np.int8(0))
    with pytest.raises(ModelFileError, match="scale must be finite and more than 0"):
        from_onnx(q.model(("n", 4)))


@pytest.mark.parametrize("per_channel", [False, True])
def test_what_onnxruntime_quantizes(per_channel: bool, tmp_path: Path) -> None:
    quantization = pytest.importorskip(
        "onnxruntime.quantization", reason="onnxruntime's quantizer makes the model"
    )
    constants = random_weights(1, w1=(6, 2, 3, 3), w2=(6, 6, 1, 1), w3=(6, 3), b=(3,))
    nodes = [
        node("Conv", ["x", "w1"], ["c1"], name="c1", pads=[1, 1, 1, 1]),
        node("Relu", ["c1"], ["r1"], name="r1"),
        node("Conv", ["r1", "w2"], ["c2"], name="c2"),
        node("Add", ["c2", "r1"], ["a"], name="a"),
        node("GlobalAveragePool", ["a"], ["g"], name="g"),
        node("Flatten", ["g"], ["f"], name="f"),
        node("Gemm", ["f", "w3", "b"], ["y"], name="fc"),
    ]
    float_model = model(nodes, constants, shape=("n", 2, 6, 6))
    float_model.ir_version = 8
    onnx.save(float_model, tmp_path / "float.onnx")

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.batches = iter([{"x": random_input(float_model, batch=50)}])

        def get_next(self) -> Any:
            return next(self.batches, None)

    quantization.quantize_static(
        tmp_path / "float.onnx",
        tmp_path / "int8.onnx",
        Reader(),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=per_channel,
    )
    made = onnx.load(tmp_path / "int8.onnx")
    graph = from_onnx(tmp_path / "int8.onnx")
    assert graph.is_quantized
    assert not any(n.op_type == "Relu" for n in made.graph.node)  # dropped by the quantizer,
    assert sum(n.operator == "ReLU" for n in graph.nodes) == 1  # put back
    layers = [n for n in graph.nodes if isinstance(n, Conv | Dense)]
    assert len(layers) == 3
    assert all(n.weight_quantization is not None for n in layers)
    assert graph.output.quantization is not None
    assert close(graph, made, float(graph.output.quantization.scale))
    x = random_input(float_model, batch=20, seed=1)
    exact = evaluate(from_onnx(float_model), x)
    error = np.linalg.norm(evaluate(graph, x) - exact) / np.linalg.norm(exact)
    assert 0 < error < 0.05
    assert np.linalg.norm(evaluate(graph, x, quantized=False) - exact) < error * np.linalg.norm(
        exact
    )
