# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What of a graph the engine runs today."""

from typing import Any

import numpy as np
import pytest

from spectramac.compress.post_training import compress_dense
from spectramac.graph.dense_chain import chain_refusals, dense_chain
from spectramac.graph.errors import UnsupportedModelError
from spectramac.graph.evaluate import evaluate
from spectramac.graph.graph import Graph, Tensor
from spectramac.graph.node import Node
from spectramac.graph.nodes import Add, Conv, Dense, Flatten, MaxPool, ReLU, Reshape, Softmax
from spectramac.graph.quantization import Quantization
from spectramac.model.batch import quantize_input
from spectramac.model.layer import run_network


def graph(shape: tuple[int, ...], *nodes: Node) -> Graph:
    return Graph(name="test", input=Tensor(name="x", shape=shape), nodes=nodes)


def dense(name: str, source: str, n_in: int, n_out: int, **options: Any) -> Dense:
    rng = np.random.default_rng(n_in)
    weight = rng.normal(size=(n_out, n_in)) / np.sqrt(n_in)
    return Dense(name=name, inputs=(source,), weight=weight, bias=np.ones(n_out) / 8, **options)


def chain() -> Graph:
    return graph(
        (3, 8),
        Flatten(name="flat", inputs=("x",)),
        dense("fc1", "flat", 24, 16),
        ReLU(name="relu", inputs=("fc1",)),
        dense("fc2", "relu", 16, 5),
        Softmax(name="soft", inputs=("fc2",)),
    )


def test_the_chain_compresses_to_what_the_graph_computes() -> None:
    g = chain()
    layers = dense_chain(g)
    assert [w.shape for w, _ in layers] == [(16, 24), (5, 16)]
    x = np.random.default_rng(0).uniform(0, 1, (200, 3, 8))
    flat = quantize_input(x.reshape(200, 24), 1 / 127)
    network = compress_dense(layers, flat, input_scale=1 / 127, density=1.0, bits=8)
    logits = run_network(network, flat.astype(np.int64)) * network.output_scale
    unlimited = graph((3, 8), *g.nodes[:-1])
    exact = evaluate(unlimited, flat.reshape(x.shape) / 127)
    error = np.linalg.norm(logits - exact) / np.linalg.norm(exact)
    assert error < 0.03
    soft = evaluate(g, flat.reshape(x.shape) / 127)
    np.testing.assert_array_equal(soft.argmax(axis=1), exact.argmax(axis=1))


def refusals(*nodes: Node, shape: tuple[int, ...] = (8,)) -> list[tuple[str, str]]:
    g = graph(shape, *nodes)
    found = chain_refusals(g)
    with pytest.raises(UnsupportedModelError, match="test cannot be compressed") as caught:
        dense_chain(g)
    assert caught.value.refusals == tuple(found)
    assert all("it is no part of a chain of dense layers" in str(r) for r in found)
    return [(r.node, r.problem.partition(":")[0]) for r in found]


def test_every_node_in_the_way_is_named() -> None:
    conv = Conv(name="conv", inputs=("x",), weight=np.ones((2, 1, 3)), bias=np.zeros(2))
    found = refusals(
        conv,
        MaxPool(name="pool", inputs=("conv",), kernel=(2,)),
        Flatten(name="flat", inputs=("pool",)),
        dense("fc", "flat", 18, 4),
        shape=(1, 12),
    )
    assert found == [
        ("conv", "not a dense layer or its ReLU"),
        ("pool", "not a dense layer or its ReLU"),
    ]


QUANTIZED = Quantization(scale=0.1, zero_point=0)


@pytest.mark.parametrize(
    ("nodes", "node", "problem"),
    [
        ((dense("a", "x", 8, 8), dense("b", "a", 8, 4)), "b", "no ReLU lies between it and 'a'"),
        ((dense("a", "x", 8, 8), ReLU(name="r", inputs=("a",))), "r", "it follows the last dense"),
        (
            (ReLU(name="r", inputs=("x",)), dense("a", "r", 8, 8)),
            "r",
            "no dense layer comes before",
        ),
        (
            (
                dense("a", "x", 8, 8),
                ReLU(name="r", inputs=("a",), maximum=6.0),
                dense("b", "r", 8, 4),
            ),
            "r",
            "a limit other than that of int8",
        ),
        (
            (dense("a", "x", 8, 8), Add(name="s", inputs=("a", "x"))),
            "s",
            "it reads a, x, a branch",
        ),
        (
            (dense("a", "x", 8, 8), Reshape(name="r", inputs=("a",), shape=(2, 4))),
            "r",
            "it gives the output axes",
        ),
        ((Softmax(name="s", inputs=("x",)),), "s", "not a dense layer"),
        ((Flatten(name="f", inputs=("x",)),), "f", "the graph has no dense layer"),
        ((dense("a", "x", 8, 4, quantization=QUANTIZED),), "a", "scales of a quantized model"),
        (
            (dense("a", "x", 8, 4, weight_quantization=QUANTIZED),),
            "a",
            "scales of a quantized model",
        ),
    ],
)
def test_the_reason_is_given(nodes: tuple[Node, ...], node: str, problem: str) -> None:
    found = refusals(*nodes)
    assert len(found) == 1
    assert found[0][0] == node
    assert found[0][1].startswith(problem)


def test_a_quantized_input_is_refused() -> None:
    g = Graph(
        name="test",
        input=Tensor(name="x", shape=(8,), quantization=QUANTIZED),
        nodes=(dense("a", "x", 8, 4),),
    )
    assert "input of a quantized model" in str(chain_refusals(g)[0])
