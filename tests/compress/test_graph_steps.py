# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Which integer nodes a graph becomes, and what is refused by name."""

from typing import Any

import numpy as np
import pytest

from spectramac.compress.graph_codes import Form
from spectramac.compress.graph_steps import plan_graph
from spectramac.compress.quantize_graph import quantize_graph
from spectramac.compress.techniques import ChannelPruning, SeparableConv, Sft, SftConv
from spectramac.compress.techniques.stage import Quantization
from spectramac.graph.errors import UnsupportedModelError
from spectramac.graph.graph import Graph, Tensor
from spectramac.graph.node import Node
from spectramac.graph.nodes import (
    Add,
    AveragePool,
    Conv,
    Dense,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    ReLU,
    Reshape,
    Softmax,
    Transpose,
)
from spectramac.graph.quantization import Quantization as TensorQuantization

RNG = np.random.default_rng(0)


def conv(
    name: str,
    source: str,
    n_out: int = 4,
    n_in: int = 4,
    kernel: tuple[int, ...] = (3, 3),
    **more: Any,
) -> Conv:
    weight = RNG.normal(size=(n_out, n_in // more.get("groups", 1), *kernel))
    return Conv(name=name, inputs=(source,), weight=weight, bias=np.zeros(n_out), **more)


def graph(*nodes: Node, shape: tuple[int, ...] = (4, 8, 8)) -> Graph:
    return Graph(name="net", input=Tensor(name="x", shape=shape), nodes=nodes)


def steps(g: Graph) -> list[tuple[str, str, bool]]:
    return [(s.node.name, s.tensor, s.relu) for s in plan_graph(g).steps]


def test_relus_join_and_shapes_vanish() -> None:
    made = graph(
        conv("a", "x"),
        ReLU(name="r", inputs=("a",), maximum=6.0),
        conv("b", "r", padding=((1, 1), (1, 1))),
        Add(name="s", inputs=("b", "r")),
        ReLU(name="t", inputs=("s",)),
        MaxPool(name="m", inputs=("t",), kernel=(2, 2), stride=(2, 2)),
        Flatten(name="f", inputs=("m",)),
        Dense(name="d", inputs=("f",), weight=np.ones((3, 36)), bias=np.zeros(3)),
        Softmax(name="p", inputs=("d",)),
    )
    plan = plan_graph(made)
    assert steps(made) == [
        ("a", "r", True), ("b", "b", False), ("s", "t", True), ("m", "m", False), ("d", "d", False),
    ]  # fmt: skip
    assert [s.maximum for s in plan.steps] == [6.0, None, None, None, None]
    assert [v.map for v in plan.steps[2].inputs] == ["b", "a"]
    assert plan.output.map == "d"
    order = plan.steps[-1].inputs[0].order
    np.testing.assert_array_equal(order[:6], [0, 9, 18, 27, 1, 10])  # channels first to last


def test_a_relu_that_is_not_alone_stays() -> None:
    made = graph(
        conv("a", "x", kernel=(1, 1)),
        ReLU(name="r", inputs=("a",)),
        Add(name="s", inputs=("a", "r")),
    )
    assert steps(made) == [("a", "a", False), ("r", "r", False), ("s", "s", False)]
    x = RNG.normal(size=(4, 4, 8, 8))
    quantized = quantize_graph(made, x)
    assert quantized.network.scales["r"] == quantized.network.scales["a"]


def test_features_through_a_convolution_of_one_position() -> None:
    """What importers make of a product for each feature: a reshape that changes nothing in memory."""
    made = graph(
        Dense(name="d", inputs=("x",), weight=np.ones((5, 7)), bias=np.zeros(5)),
        Reshape(name="q", inputs=("d",), shape=(5, 1)),
        conv("c", "q", 5, 5, (1,), groups=5),
        Flatten(name="f", inputs=("c",)),
        shape=(7,),
    )
    assert [s.node.name for s in plan_graph(made).steps] == ["d", "c"]


REFUSED: dict[str, tuple[list[Node], str]] = {
    "dilation": ([conv("c", "x", dilation=(2, 2))], r"'c' \(Conv\): its dilation is \(2, 2\); use dilation 1"),
    "groups": ([conv("c", "x", groups=2)], "it has 2 groups; use one group, or as many as channels"),
    "stride": ([conv("c", "x", stride=(3, 1))], r"its stride is \(3, 1\); use stride 1 or 2"),
    "kernel": ([conv("c", "x", kernel=(17, 1), padding=((8, 8), (0, 0)))], r"its kernel is \(17, 1\)"),
    "padding": ([conv("c", "x", kernel=(1, 1), padding=((1, 1), (0, 0)))], "is not less than the kernel"),
    "mean": (
        [AveragePool(name="c", inputs=("x",), kernel=(3, 3), padding=((1, 1), (1, 1)))],
        r"'c' \(AveragePool\): its mean leaves out the padding; use count_include_pad = 1",
    ),
    "transposition": (
        [conv("c", "x"), Transpose(name="t", inputs=("c",), axes=(2, 0, 1)),
         GlobalAveragePool(name="g", inputs=("t",))],
        r"'t' \(Transpose\): it moves data inside the network",
    ),
    "reshape": (
        [conv("c", "x"), Reshape(name="r", inputs=("c",), shape=(8, 9, 2)),
         MaxPool(name="m", inputs=("r",), kernel=(2, 2))],
        r"'m' \(MaxPool\): the shape of its input was changed inside the network, from a map of \(6, 6, 4\)",
    ),
    "orders": (
        [Flatten(name="f", inputs=("x",)),
         Dense(name="d", inputs=("f",), weight=np.ones((256, 256)), bias=np.zeros(256)),
         Add(name="s", inputs=("d", "f"))],
        r"'s' \(Add\): its inputs lie in different orders",
    ),
    "nothing": ([Flatten(name="f", inputs=("x",))], "the graph only reorders"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(what: str) -> None:
    nodes, message = REFUSED[what]
    with pytest.raises(UnsupportedModelError, match=message):
        plan_graph(graph(*nodes))


def test_all_refusals_come_together() -> None:
    made = graph(
        conv("a", "x", dilation=(2, 2)),
        conv("b", "x", stride=(3, 3)),
        AveragePool(name="c", inputs=("x",), kernel=(2, 2), padding=((1, 1), (1, 1))),
        MaxPool(name="m", inputs=("c",), kernel=(2, 2)),
        Flatten(name="fa", inputs=("a",)),
        Flatten(name="fb", inputs=("b",)),
        Flatten(name="fm", inputs=("m",)),
        Dense(name="d", inputs=("fa",), weight=np.ones((9, 64)), bias=np.zeros(9)),
        Dense(name="e", inputs=("fb",), weight=np.ones((9, 16)), bias=np.zeros(9)),
        Dense(name="g", inputs=("fm",), weight=np.ones((9, 256)), bias=np.zeros(9)),
        Add(name="h", inputs=("d", "e")),
        Add(name="i", inputs=("h", "g")),
    )
    with pytest.raises(UnsupportedModelError) as raised:
        plan_graph(made)
    assert [r.node for r in raised.value.refusals] == ["a", "b", "c"]


def test_what_forms_are_refused() -> None:
    made = graph(
        conv("c", "x", 4, 4), conv("d", "c", 4, 4, groups=4), Flatten(name="f", inputs=("d",)),
        Dense(name="e", inputs=("f",), weight=np.ones((3, 64)), bias=np.zeros(3)),
    )  # fmt: skip
    x = RNG.normal(size=(2, 4, 8, 8))
    for name, form, message in (
        (
            "c",
            Form(SeparableConv(), 0.5),
            r"'c' \(Conv\): the technique '\S+' makes more than one stage",
        ),
        ("c", Form(ChannelPruning(), 0.5), "makes more than one stage, or reorders channels"),
        ("d", Form(SftConv()), r"'d' \(Conv\): the technique 'sft-conv-8x8' is not for depthwise"),
        ("c", Form(quantization=Quantization(8, "block")), "the engine does not run Quantization"),
    ):
        with pytest.raises(UnsupportedModelError, match=message):
            quantize_graph(made, x, forms={name: form})
    with pytest.raises(ValueError, match="forms must be for layers with weights, not 'f'"):
        quantize_graph(made, x, forms={"f": Form()})
    assert quantize_graph(made, x, forms={"e": Form(Sft(), 0.5)}).network.output_shape == (1, 1, 3)


def test_bad_calibration() -> None:
    made = graph(conv("c", "x"))
    with pytest.raises(ValueError, match="tensor 'x': calibration values must hold something"):
        quantize_graph(made, np.zeros((2, 4, 8, 8)))
    with pytest.raises(ValueError, match=r"inputs must have shape \(batch, \*\(4, 8, 8\)\)"):
        quantize_graph(made, np.zeros((2, 8, 8, 4)))
    quantized = quantize_graph(made, RNG.normal(size=(2, 4, 8, 8)))
    with pytest.raises(ValueError, match=r"inputs must have shape \(batch, \*\(4, 8, 8\)\)"):
        quantized.run(np.zeros((2, 8, 8, 4)))
    q = TensorQuantization(scale=np.array(0.1), zero_point=np.array(0))
    already = Graph(
        name="net", input=Tensor(name="x", shape=(4, 8, 8), quantization=q), nodes=made.nodes
    )
    with pytest.raises(ValueError, match="net must be in floating point, not quantized already"):
        quantize_graph(already, np.ones((2, 4, 8, 8)))
