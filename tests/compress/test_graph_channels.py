# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Filters removed from graphs: which, with all that reads them, and what the rest then computes."""

from dataclasses import replace

import numpy as np
import pytest
from tests.compress.small_graphs import changed, conv, dense, images, mixed, relu

from spectramac.compress.graph_channels import remove_filters
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
)

X = Tensor(name="x", shape=(3, 7, 6))
INPUTS = np.random.default_rng(0).normal(size=(8, *X.shape))
OTHERS = np.random.default_rng(1).normal(size=(8, *X.shape))

FOLLOWERS: dict[str, tuple[Node, ...]] = {
    "1 x 1": (conv("reader", "first.relu", (5, 8, 1, 1)),),
    "convolution": (conv("reader", "first.relu", (5, 8, 2, 3), stride=(2, 1)),),
    "depthwise": (
        conv("depth", "first.relu", (8, 1, 3, 3), 1, groups=8),
        relu("depth", 6.0),
        conv("reader", "depth.relu", (5, 8, 1, 1)),
    ),
    "two depthwise": (
        conv("depth", "first.relu", (8, 1, 3, 1), groups=8),
        conv("again", "depth", (8, 1, 1, 2), groups=8, stride=(1, 2)),
        conv("reader", "again", (5, 8, 2, 2)),
    ),
    "dense": (Flatten(name="flat", inputs=("first.relu",)), dense("reader", "flat", (5, 160))),
    "pools": (
        MaxPool(name="most", inputs=("first.relu",), kernel=(2, 2)),
        AveragePool(name="mean", inputs=("most",), kernel=(2, 1), stride=(1, 1)),
        GlobalAveragePool(name="all", inputs=("mean",)),
        Flatten(name="flat", inputs=("all",)),
        dense("reader", "flat", (5, 8)),
    ),
}
"""What reads the eight filters of the first layer, to the last node, ``reader``."""


def followed(name: str) -> Graph:
    """A convolution, and what follows it."""
    nodes = (conv("first", "x", (8, 3, 3, 3)), relu("first"), *FOLLOWERS[name])
    return Graph(name=name, input=X, nodes=nodes)


def by_name(graph: Graph) -> dict[str, Node]:
    return {node.name: node for node in graph.nodes}


def kept_filters(graph: Graph, smaller: Graph, name: str) -> list[int]:
    """Which filters of a convolution stayed; all are different, and in order."""
    before, after = by_name(graph)[name], by_name(smaller)[name]
    assert isinstance(before, Conv)
    assert isinstance(after, Conv)
    biases = before.bias.tolist()
    return [biases.index(bias) for bias in after.bias]


def by_hand(graph: Graph, name: str, count: int, x: np.ndarray) -> list[int]:
    """The filters of the largest norm, channels weighted by the RMS of what they read."""
    node = by_name(graph)[name]
    assert isinstance(node, Conv)
    rms = np.sqrt(np.mean(activations(graph, x)[node.inputs[0]] ** 2, axis=(0, 2, 3)))
    norms = np.sqrt(np.sum((node.weight * rms[:, None, None]) ** 2, axis=(1, 2, 3)))
    return sorted(np.argsort(-norms)[:count].tolist())


@pytest.mark.parametrize("name", FOLLOWERS)
def test_all_filters_are_the_same_graph(name: str) -> None:
    graph = followed(name)
    same = remove_filters(graph, 1.0, INPUTS)
    for a, b in zip(graph.nodes, same.nodes, strict=True):
        assert a.name == b.name
        for key, value in a.parameters.items():
            np.testing.assert_array_equal(b.parameters[key], value)
    # Other strides in memory, other orders of sums.
    np.testing.assert_allclose(evaluate(same, OTHERS), evaluate(graph, OTHERS), rtol=1e-12)


@pytest.mark.parametrize("name", FOLLOWERS)
def test_removed_filters_are_as_their_mean(name: str) -> None:
    """For any inputs, because no reader is padded."""
    graph = followed(name)
    smaller = remove_filters(graph, 0.4, INPUTS)
    kept = kept_filters(graph, smaller, "first")
    assert kept == by_hand(graph, "first", 3, INPUTS)
    reader = by_name(graph)["reader"]
    source, gone = reader.inputs[0], np.setdiff1d(np.arange(8), kept)
    typical, seen = (activations(graph, x)[source] for x in (INPUTS, OTHERS))
    channels = seen.reshape(len(seen), 8, -1).copy()
    means = typical.reshape(len(typical), 8, -1).mean(axis=(0, 2))
    channels[:, gone] = means[gone, None]
    alone = Graph(name="reader", input=Tensor(name=source, shape=seen.shape[1:]), nodes=(reader,))
    expected = evaluate(alone, channels.reshape(seen.shape))
    np.testing.assert_allclose(evaluate(smaller, OTHERS), expected, rtol=0, atol=1e-12)
    # Nothing of the removed filters is left.
    shapes = {node.name: smaller.tensors[node.name].shape[0] for node in smaller.nodes}
    assert all(shapes[n] == 3 for n in shapes if n not in ("reader", "flat"))


@pytest.mark.parametrize("name", [name for name in FOLLOWERS if name != "depthwise"])
def test_constant_filters_cost_nothing(name: str) -> None:
    """Without weights a filter gives its bias everywhere, as long as nothing is padded."""
    graph = followed(name)
    first = by_name(graph)["first"]
    assert isinstance(first, Conv)
    weight, bias = first.weight.copy(), first.bias.copy()
    weight[[0, 3, 4]] = 0
    bias[[0, 3, 4]] = 0.7, -0.3, 2
    graph = changed(graph, {"first": replace(first, weight=weight, bias=bias)})
    smaller = remove_filters(graph, 5 / 8, INPUTS)
    assert kept_filters(graph, smaller, "first") == [1, 2, 5, 6, 7]
    np.testing.assert_allclose(
        evaluate(smaller, OTHERS), evaluate(graph, OTHERS), rtol=0, atol=1e-12
    )


def test_branches_of_a_sum_keep_their_filters() -> None:
    graph, x = mixed(), images()
    smaller = by_name(remove_filters(graph, 0.5, x))
    counts = {n: len(node.weight) for n, node in smaller.items() if isinstance(node, Conv | Dense)}
    assert counts == {
        "stem": 4, "down": 16, "depth": 16, "point": 16, "narrow": 3, "hidden": 96, "classes": 4,
    }  # fmt: skip
    for name in ("depth", "point", "classes"):
        node = by_name(graph)[name]
        assert isinstance(node, Conv | Dense)
        for key, value in node.parameters.items():
            np.testing.assert_array_equal(smaller[name].parameters[key], value)


def test_layers_in_a_row() -> None:
    """Of a layer that reads fewer channels and has fewer filters; a map of 3 x 3 pixels is read by a dense one."""
    graph, x = mixed(), images()
    smaller = remove_filters(graph, 0.5, x)
    before, after = (
        {n: node.parameters["weight"] for n, node in by_name(g).items() if node.parameters}
        for g in (graph, smaller)
    )
    stem, narrow = (kept_filters(graph, smaller, name) for name in ("stem", "narrow"))
    assert stem == by_hand(graph, "stem", 4, x)
    assert narrow == by_hand(graph, "narrow", 3, x)
    np.testing.assert_array_equal(after["stem"], before["stem"][stem])
    np.testing.assert_array_equal(after["down"], before["down"][:, stem])
    np.testing.assert_array_equal(after["narrow"], before["narrow"][narrow])
    hidden = before["hidden"].reshape(96, 6, 9)[:, narrow].reshape(96, -1)
    np.testing.assert_array_equal(after["hidden"], hidden)


@pytest.mark.parametrize("name", FOLLOWERS)
def test_one_filter_stays(name: str) -> None:
    graph = followed(name)
    smaller = remove_filters(graph, 1e-9, INPUTS)
    assert kept_filters(graph, smaller, "first") == by_hand(graph, "first", 1, INPUTS)
    assert np.isfinite(evaluate(smaller, OTHERS)).all()
    for node in smaller.nodes:
        if isinstance(node, Conv):
            assert node.groups == 1  # what was depthwise has a single channel


def test_every_reader_loses_what_is_gone() -> None:
    """A branch of 1 x 1, one that is depthwise first; both are added, so they keep their own filters."""
    nodes = (
        conv("first", "x", (8, 3, 3, 3), 1),
        relu("first"),
        conv("depth", "first.relu", (8, 1, 3, 3), 1, groups=8),
        conv("a", "first.relu", (5, 8, 1, 1)),
        conv("b", "depth", (5, 8, 1, 1)),
        Add(name="sum", inputs=("a", "b")),
    )
    graph = Graph(name="two readers", input=X, nodes=nodes)
    smaller = remove_filters(graph, 0.5, INPUTS)
    kept = kept_filters(graph, smaller, "first")
    assert kept == by_hand(graph, "first", 4, INPUTS)
    gone = np.setdiff1d(np.arange(8), kept)
    typical, seen = activations(graph, INPUTS), activations(graph, OTHERS)
    total = 0.0
    for reader, source in (("a", "first.relu"), ("b", "depth")):
        channels = seen[source].copy()
        channels[:, gone] = typical[source].mean(axis=(0, 2, 3))[gone, None, None]
        node = by_name(graph)[reader]
        assert isinstance(node, Conv)
        total = total + np.einsum("oi,nihw->nohw", node.weight[:, :, 0, 0], channels)
        total = total + node.bias[:, None, None]
    np.testing.assert_allclose(evaluate(smaller, OTHERS), total, rtol=0, atol=1e-12)
    assert smaller.output.shape == (5, 7, 6)


def test_what_keeps_its_filters() -> None:
    """The output's layer; and a depthwise layer with several filters for a channel ties those that it reads."""
    nodes = (
        conv("first", "x", (4, 3, 3, 3)),
        conv("depth", "first", (8, 1, 3, 3), groups=4),
        conv("last", "depth", (6, 8, 1, 1)),
    )
    graph = Graph(name="tied", input=X, nodes=nodes)
    smaller = remove_filters(graph, 0.25, INPUTS)
    for a, b in zip(graph.nodes, smaller.nodes, strict=True):
        for key, value in a.parameters.items():
            np.testing.assert_array_equal(b.parameters[key], value)


def test_sequences() -> None:
    nodes = (
        conv("first", "x", (6, 4, 5), (1, 2), stride=(2,)),
        relu("first"),
        conv("depth", "first.relu", (6, 1, 3), 1, groups=6),
        conv("reader", "depth", (3, 6, 1)),
    )
    graph = Graph(name="sequence", input=Tensor(name="x", shape=(4, 16)), nodes=nodes)
    x = np.random.default_rng(2).normal(size=(8, 4, 16))
    smaller = remove_filters(graph, 0.5, x)
    assert [node.parameters["weight"].shape for node in smaller.nodes if node.parameters] == [
        (3, 4, 5), (3, 1, 3), (3, 3, 1),
    ]  # fmt: skip
    # On the typical inputs the mean of every output stays.
    expected, found = (evaluate(g, x).mean(axis=(0, 2)) for g in (graph, smaller))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
