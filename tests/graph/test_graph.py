# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The graph by itself: shapes, checks, and the evaluation against sums written out."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectramac.graph.errors import GraphError
from spectramac.graph.evaluate import activations, evaluate
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
    Requantize,
    Reshape,
    Softmax,
    Transpose,
)
from spectramac.graph.quantization import Floats, Quantization
from spectramac.graph.summary import summarize, summary


def graph(shape: tuple[int, ...], *nodes: Node) -> Graph:
    return Graph(name="test", input=Tensor(name="x", shape=shape), nodes=nodes)


def small_network() -> Graph:
    rng = np.random.default_rng(0)
    return graph(
        (2, 6, 5),
        Conv(
            name="conv",
            inputs=("x",),
            weight=rng.normal(size=(4, 2, 3, 3)),
            bias=rng.normal(size=4),
            padding=((1, 1), (1, 1)),
            stride=(2, 1),
        ),
        ReLU(name="relu", inputs=("conv",), maximum=6.0),
        Conv(
            name="deep",
            inputs=("relu",),
            weight=rng.normal(size=(4, 1, 1, 3)),
            bias=np.zeros(4),
            padding=((0, 0), (1, 1)),
            groups=4,
        ),
        Add(name="sum", inputs=("relu", "deep")),
        GlobalAveragePool(name="mean", inputs=("sum",)),
        Flatten(name="flat", inputs=("mean",)),
        Dense(name="fc", inputs=("flat",), weight=rng.normal(size=(3, 4)), bias=np.ones(3)),
        Softmax(name="soft", inputs=("fc",)),
    )


def test_shapes_and_figures() -> None:
    g = small_network()
    shapes = {name: tensor.shape for name, tensor in g.tensors.items()}
    assert shapes["conv"] == shapes["sum"] == (4, 3, 5)
    assert shapes["mean"] == (4, 1, 1)
    assert g.output.shape == (3,)
    assert [n.name for n in g.readers("relu")] == ["deep", "sum"]
    assert not g.is_chain
    rows = {row.name: row for row in summarize(g)}
    assert rows["conv"].parameters == 4 * 2 * 9 + 4
    assert rows["conv"].dense_bytes == 4 * 2 * 9 + 2 * 4
    assert rows["conv"].multiplications == 4 * 3 * 5 * 2 * 9
    assert rows["deep"].multiplications == 4 * 3 * 5 * 3
    assert rows["deep"].detail == "1×3, padding 0×1, depthwise"
    assert rows["relu"].operator == "ReLU6"
    assert rows["fc"].multiplications == 12
    text = summary(g).splitlines()
    assert len(text) == 3 + len(g.nodes) + 1
    total = sum(r.parameters for r in rows.values())
    assert text[-1].split()[:2] == ["total", str(total)]


def naive_conv(node: Conv, x: Floats) -> Floats:
    """One sample, element by element."""
    spatial = node.output_shape(x.shape)[1:]
    padded = np.pad(x, ((0, 0), *node.padding))
    n_group = node.weight.shape[1]
    y = np.zeros((node.weight.shape[0], *spatial))
    for out in range(len(y)):
        group = out * node.groups // len(y)
        for position in product(*map(range, spatial)):
            total = node.bias[out]
            for c, *tap in product(range(n_group), *map(range, node.kernel)):
                where = [
                    p * s + t * d
                    for p, s, t, d in zip(position, node.stride, tap, node.dilation, strict=True)
                ]
                total += node.weight[(out, c, *tap)] * padded[(group * n_group + c, *where)]
            y[(out, *position)] = total
    return y


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_convolution_is_the_sum(data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, 2))
    kernel = data.draw(st.tuples(*[st.integers(1, 3)] * rank))
    groups, per_group, outs = (data.draw(st.integers(1, 3)) for _ in range(3))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    node = Conv(
        name="conv",
        inputs=("x",),
        weight=rng.normal(size=(groups * outs, per_group, *kernel)),
        bias=rng.normal(size=groups * outs),
        stride=data.draw(st.tuples(*[st.integers(1, 3)] * rank)),
        dilation=data.draw(st.tuples(*[st.integers(1, 2)] * rank)),
        padding=data.draw(st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * rank)),
        groups=groups,
    )
    x = rng.normal(size=(2, groups * per_group, *rng.integers(5, 8, rank)))
    y = evaluate(graph(x.shape[1:], node), x)
    np.testing.assert_allclose(y, [naive_conv(node, sample) for sample in x], atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_pooling_is_over_the_window(data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, 2))
    kernel = data.draw(st.tuples(*[st.integers(1, 3)] * rank))
    stride = data.draw(st.tuples(*[st.integers(1, 3)] * rank))
    pads = tuple(
        (data.draw(st.integers(0, k - 1)), data.draw(st.integers(0, k - 1))) for k in kernel
    )
    counted = data.draw(st.booleans())
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    x = rng.normal(size=(2, 3, *rng.integers(4, 7, rank))) - 5  # so that a padded zero would win
    window: dict[str, Any] = {"kernel": kernel, "stride": stride, "padding": pads}
    largest = MaxPool(name="p", inputs=("x",), **window)
    mean = AveragePool(name="p", inputs=("x",), count_padding=counted, **window)
    padded = np.pad(x, ((0, 0), (0, 0), *pads), constant_values=np.nan)
    for node in (largest, mean):
        y = evaluate(graph(x.shape[1:], node), x)
        for index in product(*map(range, y.shape[2:])):
            part = padded[
                (
                    ...,
                    *(
                        slice(i * s, i * s + k)
                        for i, s, k in zip(index, stride, kernel, strict=True)
                    ),
                )
            ].reshape(2, 3, -1)
            if node is largest:
                expected = np.nanmax(part, axis=-1)
            elif counted:
                expected = np.nansum(part, axis=-1) / np.prod(kernel)
            else:
                expected = np.nanmean(part, axis=-1)
            np.testing.assert_allclose(y[(..., *index)], expected)


def test_what_every_tensor_holds() -> None:
    g = small_network()
    x = np.random.default_rng(1).normal(size=(3, 2, 6, 5))
    found = activations(g, x)
    assert list(found) == list(g.tensors)
    assert all(found[name].shape == (3, *t.shape) for name, t in g.tensors.items())
    np.testing.assert_array_equal(found["soft"], evaluate(g, x))
    np.testing.assert_array_equal(found["relu"], np.clip(found["conv"], 0, 6))
    np.testing.assert_allclose(found["sum"], found["relu"] + found["deep"])
    np.testing.assert_allclose(found["soft"].sum(axis=1), 1)


def test_a_quantized_tensor_is_rounded() -> None:
    q = Quantization(scale=0.5, zero_point=-128)
    g = graph(
        (2,),
        Requantize(name="coarse", inputs=("x",), quantization=q),
        Add(name="sum", inputs=("x", "coarse")),
    )
    x = np.array([[0.6, -1.0]])
    np.testing.assert_allclose(evaluate(g, x), [[1.1, -1.0]])
    np.testing.assert_allclose(evaluate(g, x, quantized=False), 2 * x)
    assert g.is_quantized


def test_order_of_elements() -> None:
    x = np.arange(24.0).reshape(1, 2, 3, 4)
    g = graph(
        (2, 3, 4),
        Transpose(name="t", inputs=("x",), axes=(2, 0, 1)),
        Reshape(name="r", inputs=("t",), shape=(4, 6)),
    )
    np.testing.assert_array_equal(evaluate(g, x)[0], x[0].transpose(2, 0, 1).reshape(4, 6))
    assert g.is_chain


W, B = np.ones((3, 4)), np.zeros(3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: graph((4,)), "at least one node"),
        (lambda: graph((0,), ReLU(name="a", inputs=("x",))), "tensor 'x': shape"),
        (lambda: graph((1 << 14, 1 << 14), ReLU(name="a", inputs=("x",))), "at most 67108864"),
        (lambda: graph((4,), ReLU(name="x", inputs=("x",))), "name of its own, not 'x'"),
        (lambda: graph((4,), ReLU(name="a", inputs=("b",))), r"'a' \(ReLU\): input 'b'"),
        (lambda: graph((4,), Add(name="a", inputs=("x",))), "must have 2 inputs, not 1"),
        (
            lambda: graph((4,), ReLU(name="a", inputs=("x",)), ReLU(name="b", inputs=("x",))),
            "'a' .* must be read",
        ),
        (
            lambda: graph((4,), Softmax(name="a", inputs=("x",)), ReLU(name="b", inputs=("a",))),
            "'a' .* must be the last node",
        ),
        (
            lambda: graph((5,), Dense(name="a", inputs=("x",), weight=W, bias=B)),
            r"input must have shape \(4,\), not \(5,\)",
        ),
        (lambda: Dense(name="a", inputs=("x",), weight=W, bias=W), r"bias must have shape \(3,\)"),
        (lambda: Dense(name="a", inputs=("x",), weight=W * np.nan, bias=B), "finite"),
        (
            lambda: Conv(name="a", inputs=("x",), weight=np.ones((3, 1, 1)), bias=B, groups=2),
            "groups must divide",
        ),
        (
            lambda: Conv(name="a", inputs=("x",), weight=np.ones((3, 1, 1)), bias=B, stride=(0,)),
            "stride must hold 1 numbers of at least 1",
        ),
        (
            lambda: graph((1, 2), Conv(name="a", inputs=("x",), weight=np.ones((3, 1, 3)), bias=B)),
            "must fit the padded input",
        ),
        (
            lambda: MaxPool(name="a", inputs=("x",), kernel=(2,), padding=((2, 0),)),
            "padding must be less than the kernel",
        ),
        (lambda: ReLU(name="a", inputs=("x",), maximum=0.0), "maximum must be"),
        (
            lambda: graph((4,), Reshape(name="a", inputs=("x",), shape=(3,))),
            "must have 3 elements",
        ),
        (
            lambda: graph((4, 2), Transpose(name="a", inputs=("x",), axes=(0, 0))),
            "axes must permute",
        ),
        (
            lambda: graph(
                (4,),
                ReLU(
                    name="a",
                    inputs=("x",),
                    quantization=Quantization(scale=np.ones(4), zero_point=np.zeros(4)),
                ),
            ),
            "single scale",
        ),
    ],
)
def test_contradictions_are_named(make: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        make()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((1, 2, 6, 6)), "inputs must have shape"),
        (np.zeros(()), "inputs must have shape"),
        (np.full((1, 2, 6, 5), np.nan), "finite"),
        (np.full((1, 2, 6, 5), "a"), "finite"),
    ],
)
def test_wrong_inputs_are_named(x: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(small_network(), x)


def test_parameters_cannot_change() -> None:
    node = small_network().nodes[0]
    with pytest.raises(ValueError, match="read-only"):
        node.parameters["weight"][0] = 1
