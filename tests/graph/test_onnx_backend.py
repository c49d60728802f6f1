# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Every backend test of the ONNX project: computed within a derived bound, or refused by name; nothing else may happen.

Of each test (:mod:`tests.graph.backend_cases` says how it becomes a model with one activation) one thing is true:

- *integers*: the importer takes it; the graph gives the expected output in floating point within the ONNX project's own
  tolerance; and quantized to int8, with the test's input as calibration, it runs on the golden model and every
  element is within the bound of :mod:`tests.graph.backend_bound`: what the scales and weights of that very network
  say that rounding can do.
- *shapes*: taken and right in floating point; there is nothing for the engine to compute, only a change of shape or a
  Softmax, which is the host's. Quantization says so, naming the node.
- *float*: taken and right in floating point, but the engine does not run it; quantization refuses it, naming the node.
- *refused*: an operator that is known is used in a way that is not; the importer names the node (or the input or output
  of the model that stands in the way), the reason and the remedy.
- *unsupported*: the importer names every node whose operator is not known, with its operator.
- *old*: operators that are known, in an opset before 13; the error says how to convert.

Refusals come before any work: from the importer, no graph is made; from quantization, no number is computed.
QuantizeLinear and DequantizeLinear are no networks on their own, so these tests are *refused*; what the importer makes
of them, an activation's integers and constant weights, is compared with the same data below.
"""

from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
import onnx
from onnx import helper, numpy_helper
from tests.graph.backend_bound import output_bound
from tests.graph.backend_cases import KINDS, Case, cases
from tests.graph.backend_counts import COUNTS, LOCKED
from tests.graph.onnx_models import model

from spectramac.compress.quantize_graph import QuantizedGraph, quantize_graph
from spectramac.graph.errors import ModelFileError, UnsupportedModelError
from spectramac.graph.evaluate import evaluate
from spectramac.graph.graph import Graph
from spectramac.graph.nodes import Dense
from spectramac.graph.onnx_import import from_onnx
from spectramac.graph.onnx_node import KNOWN_ATTRIBUTES, operator_name
from spectramac.model.convolution import Convolution, FullyConnected
from spectramac.model.depthwise import AveragePooling, DepthwiseConvolution
from spectramac.model.map_elementwise import Addition

GRAPH = {"input", "inputs", "output", "outputs"}
"""What stands in the place of the operator where the model's ends are refused."""


def outcome(case: Case) -> tuple[str, QuantizedGraph | None]:
    """What is true of a test, after asserting that it is; the integer network if there is one."""
    try:
        graph = from_onnx(case.model)
    except UnsupportedModelError as error:
        return refused(case, error), None
    except ModelFileError as error:
        if "must have opset 13 or later" not in str(error):
            raise
        return "old", None
    assert case.x is not None, case.name
    assert case.expected is not None, case.name
    y = evaluate(graph, case.x).reshape(case.expected.shape)
    np.testing.assert_allclose(y, case.expected, case.rtol, case.atol, err_msg=case.name)
    try:
        quantized = quantize_graph(graph, case.x, method="max")
    except UnsupportedModelError as error:
        return not_run(case, graph, error), None
    worst = times_bound(case, quantized)
    assert worst <= 1, f"{case.name}: off by {worst:.3g} times the bound"
    return "integers", quantized


def times_bound(case: Case, quantized: QuantizedGraph, run: Any = None) -> float:
    """How often the bound goes into the error of the network's output (or of ``run``'s), at worst."""
    assert case.x is not None
    assert case.expected is not None
    y = evaluate(quantized.plan.graph, case.x)
    expected = case.expected.reshape(y.shape)
    off = np.abs((run or quantized.run)(case.x) - expected)
    bound = output_bound(quantized, case.x) + np.abs(y - expected)
    return float(np.max(off / bound))


def refused(case: Case, error: UnsupportedModelError) -> str:
    """The importer names every unknown operator, and otherwise what stands in the way."""
    graph = case.model.graph
    nodes = {(n.name or f"{n.op_type}_{i}", operator_name(n)) for i, n in enumerate(graph.node)}
    ends = {info.name for info in (*graph.input, *graph.output)}
    if not graph.input:
        ends.add("none")
    for refusal in error.refusals:
        known = set(refusal.node.split(", ")) <= ends and refusal.operator in GRAPH
        assert known or (refusal.node, refusal.operator) in nodes, f"{case.name}: {refusal}"
        assert f"node {refusal.node!r} ({refusal.operator}): {refusal.problem}" in str(error)
    unknown = {o for o in computed(graph) if o not in KNOWN_ATTRIBUTES}
    assert {refusal.operator for refusal in error.refusals} >= unknown, case.name
    return "unsupported" if unknown else "refused"


def computed(graph: onnx.GraphProto) -> set[str]:
    """Operators of the nodes that the outputs depend on."""
    wanted, found = {info.name for info in graph.output}, set()
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            found.add(operator_name(node))
    return found


def not_run(case: Case, graph: Graph, error: UnsupportedModelError) -> str:
    """Quantization names the node."""
    operators = {node.name: node.operator for node in graph.nodes}
    for refusal in error.refusals:
        assert operators[refusal.node] == refusal.operator, case.name
        assert str(refusal) in str(error), case.name
    only = error.refusals[0].problem == "the graph only reorders"
    return "shapes" if only else "float"


@cache
def results(kind: str) -> list[tuple[Case, str, QuantizedGraph | None]]:
    return [(case, *outcome(case)) for case in cases(kind)]


def table(kind: str) -> str:
    """Outcomes by operator; all operators that are not known in one line."""
    rows: dict[str, Counter[str]] = {}
    for case, what, _ in results(kind):
        row = "(not known)" if what == "unsupported" else case.operator
        rows.setdefault(row, Counter())[what] += 1
    lines = []
    for operator in sorted(rows):
        found = rows[operator]
        lines.append(f"{operator}: " + ", ".join(f"{found[what]} {what}" for what in sorted(found)))
    return "\n".join(lines)


@pytest.mark.parametrize("kind", KINDS)
def test_every_test_is_computed_or_refused(kind: str) -> None:
    counts = table(kind)  # asserts what is true of each test
    if onnx.__version__ != LOCKED:
        pytest.skip(f"all {kind} tests passed, but are counted for onnx {LOCKED} only")
    assert counts == COUNTS[kind].strip(), (
        "other tests are taken than before: if that is right (a new onnx in requirements.lock, or an operator more), "
        f"change tests/graph/backend_counts.py: COUNTS[{kind!r}] is now\n{counts}"
    )


def test_layers_over_one_axis_run() -> None:
    done = {case.name for kind in KINDS for case, what, _ in results(kind) if what == "integers"}
    assert done >= {
        "test_Conv1d", "test_Conv1d_pad1", "test_Conv1d_pad1size1", "test_Conv1d_pad2", "test_Conv1d_pad2size1",
        "test_Conv1d_stride", "test_MaxPool1d", "test_MaxPool1d_stride", "test_maxpool_1d_default",
        "test_averagepool_1d_default", "test_BatchNorm1d_3d_input_eval", "test_add",
    }  # fmt: skip


def spoiled(quantized: QuantizedGraph) -> QuantizedGraph | None:
    """The multiplier of the last node a tenth too small, if it has one."""
    network = quantized.network
    last: Any = network.nodes[-1]
    if isinstance(last, Convolution | FullyConnected):
        last = replace(last, layer=replace(last.layer, multiplier=less(last.layer.multiplier)))
    elif isinstance(last, DepthwiseConvolution | AveragePooling):
        last = replace(last, multiplier=less(last.multiplier))
    elif isinstance(last, Addition):
        last = replace(last, multipliers=(less(last.multipliers[0]), last.multipliers[1]))
    else:
        return None
    return replace(quantized, network=replace(network, nodes=(*network.nodes[:-1], last)))


def less(multiplier: Any) -> Any:
    return multiplier * 9 // 10


@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_sees_a_wrong_network(kind: str) -> None:
    """Maximum pooling and ReLU, which have no multiplier, see their input negated."""
    for case, _, quantized in results(kind):
        if quantized is None:
            continue
        made = spoiled(quantized)
        run = (lambda x, q=quantized: q.run(-x)) if made is None else made.run
        assert times_bound(case, quantized, run) > 1, case.name


def single_scale(case: Case) -> tuple[dict[str, NDArray[Any]], NDArray[Any]] | None:
    """Scale and zero point of a test of a quantization operator, and its integers; None for several scales."""
    scale, *zero = (numpy_helper.to_array(tensor) for tensor in case.model.graph.initializer)
    quantize = case.operator == "QuantizeLinear"
    integers = case.expected if quantize else case.x
    assert integers is not None
    if (
        scale.size != 1
        or scale.dtype != np.float32
        or not integers.dtype.name.strip("u").startswith("int")
    ):
        return None
    return {"s": scale, "z": zero[0] if zero else np.zeros((), integers.dtype)}, integers


def test_quantize_linear_gives_an_activation_its_integers() -> None:
    """With the DequantizeLinear that a network has behind it."""
    found = {}
    for case, _, _ in results("node"):
        parameters = single_scale(case) if case.operator == "QuantizeLinear" else None
        if parameters is None:
            continue
        assert case.x is not None
        constants, expected = parameters
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
            helper.make_node("Relu", ["d"], ["y"]),
        ]
        graph = from_onnx(model(nodes, constants, shape=(1, *case.x.shape), opset=21))
        assert graph.input.quantization is not None
        codes = graph.input.quantization.quantize(case.x.astype(np.float64))
        np.testing.assert_array_equal(codes, expected.astype(np.int64), case.name)
        found[case.name] = graph.input.quantization.bits
    assert found == {
        "test_quantizelinear": 8, "test_quantizelinear_int16": 16, "test_quantizelinear_uint16": 16,
    }  # fmt: skip


def test_dequantize_linear_gives_weights_their_values() -> None:
    """Its integers are constants then, a matrix of one column."""
    found = {}
    for case, _, _ in results("node"):
        parameters = single_scale(case) if case.operator == "DequantizeLinear" else None
        if parameters is None:
            continue
        constants, codes = parameters
        assert case.expected is not None
        nodes = [
            helper.make_node("DequantizeLinear", ["c", "s", "z"], ["w"]),
            helper.make_node("MatMul", ["x", "w"], ["y"]),
        ]
        constants["c"] = codes.reshape(-1, 1)
        dense = from_onnx(model(nodes, constants, shape=("n", codes.size), opset=25)).nodes[0]
        assert isinstance(dense, Dense)
        np.testing.assert_array_equal(dense.weight[0], case.expected.ravel(), case.name)
        assert dense.weight_quantization is not None
        back = dense.weight_quantization.quantize(dense.weight)
        np.testing.assert_array_equal(back[0], codes.ravel().astype(np.int64), case.name)
        found[case.name] = dense.weight_quantization.bits
    assert found == {
        "test_dequantizelinear": 8, "test_dequantizelinear_int16": 16, "test_dequantizelinear_uint16": 16,
        "test_dequantizelinear_int4": 4, "test_dequantizelinear_uint4": 4, "test_dequantizelinear_int2": 2,
        "test_dequantizelinear_uint2": 2,
    }  # fmt: skip
