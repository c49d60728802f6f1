# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""QDQ models without their quantization: the reference's outputs but for its roundings."""

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
from onnx import helper
from tests.graph.onnx_models import Quantized, random_weights, run_reference

from spectramac.compress.quantize_graph import quantize_graph
from spectramac.graph.dequantize import dequantized
from spectramac.graph.evaluate import evaluate
from spectramac.graph.onnx_import import from_onnx

ENDS_AT_ZERO = np.uint8(0)
STEP = 0.02


def network(rectified: bool) -> Quantized:
    """Convolution whose ReLU the quantizer has dropped, pooling, flattened, dense."""
    rng = np.random.default_rng(0)
    q = Quantized()
    q.pair("x", "xq", STEP, np.uint8(100))
    q.weight("w", rng.integers(-40, 41, (4, 2, 3, 3)).astype(np.int8), 0.01, axis=0)
    q.nodes.append(helper.make_node("Conv", ["xq", "w"], ["c"], name="conv"))
    q.pair("c", "cq", STEP, ENDS_AT_ZERO if rectified else np.uint8(128))
    q.nodes.append(helper.make_node("MaxPool", ["cq"], ["m"], name="pool", kernel_shape=[2, 2]))
    q.pair("m", "mq", STEP, ENDS_AT_ZERO if rectified else np.uint8(128))
    q.nodes.append(helper.make_node("Flatten", ["mq"], ["f"], name="flat"))
    q.pair("f", "fq", STEP, ENDS_AT_ZERO if rectified else np.uint8(128))
    q.weight("v", rng.integers(-40, 41, (16, 5)).astype(np.int8), 0.01, axis=1)
    q.nodes.append(helper.make_node("MatMul", ["fq", "v"], ["p"], name="fc"))
    q.pair("p", "y", STEP, np.uint8(128))
    return q


@pytest.mark.parametrize("rectified", [True, False])
def test_real_numbers(rectified: bool) -> None:
    made = network(rectified).model(("n", 2, 5, 5))
    graph = dequantized(from_onnx(made))
    assert not graph.is_quantized
    assert sum(node.operator == "ReLU" for node in graph.nodes) == rectified
    x = np.random.default_rng(1).uniform(-1, 1, (6, 2, 5, 5)).astype(np.float32)
    expected = run_reference(made, x)
    assert np.abs(expected).max() > 20 * STEP
    # Half a step at the input, the maps and the output, through weights of at most 0.4.
    assert np.abs(evaluate(graph, x) - expected).max() < 3 * STEP
    quantized = quantize_graph(graph, x)
    assert np.sum((quantized.run(x) - expected) ** 2) < np.sum(expected**2) * 1e-2


@pytest.mark.parametrize("zero", [0, 128])
def test_what_is_only_rounded(zero: int) -> None:
    """The input is read as it is and rounded to other integers, which may end at zero."""
    q = Quantized()
    q.pair("x", "xq", STEP, np.int8(0))
    q.pair("xq", "r", 2 * STEP, np.uint8(zero))
    q.nodes.append(helper.make_node("Add", ["xq", "r"], ["s"], name="sum"))
    q.pair("s", "y", 2 * STEP, np.int8(0))
    made = q.model(("n", 7))
    x = np.random.default_rng(0).normal(size=(9, 7)).astype(np.float32)
    graph = dequantized(from_onnx(made))
    assert [node.operator for node in graph.nodes] == (["Add"] if zero else ["ReLU", "Add"])
    assert np.abs(evaluate(graph, x) - run_reference(made, x)).max() <= 3 * STEP


def test_a_relu_dropped_behind_a_change_of_shape() -> None:
    """A normalization of features is a convolution of one position, flattened: what rounds it acts as a ReLU."""
    q = Quantized()
    q.pair("x", "xq", STEP, np.int8(0))
    q.constants |= random_weights(0, g=(7,), b=(7,), m=(7,)) | {"v": np.ones(7, np.float32)}
    q.nodes.append(
        helper.make_node("BatchNormalization", ["xq", "g", "b", "m", "v"], ["n"], name="bn")
    )
    q.pair("n", "y", STEP, np.uint8(0))
    made = q.model(("n", 7))
    x = np.random.default_rng(0).normal(size=(9, 7)).astype(np.float32)
    expected = run_reference(made, x)
    assert expected.min() == 0
    assert np.abs(evaluate(dequantized(from_onnx(made)), x) - expected).max() <= 2 * STEP
