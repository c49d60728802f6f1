# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Network graphs in PyTorch compute what they do in NumPy; depthwise layers, before and after they are quantized."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")

import torch
from tests.compress.small_graphs import conv, dense, mixed, relu
from torch.nn import functional

from spectramac.compress.graph_codes import FloatCoder, Form
from spectramac.compress.graph_steps import plan_graph, window_of
from spectramac.compress.quantize_graph import quantize_graph
from spectramac.compress.techniques import PrunedConv, Quantization
from spectramac.compress.torch_graph import FloatGraph, GraphRunner
from spectramac.compress.torch_layers import DepthwiseConv2d, StructuredConv2d, margins
from spectramac.graph.evaluate import activations, evaluate
from spectramac.graph.graph import Graph, Tensor
from spectramac.graph.node import Node
from spectramac.graph.nodes import (
    Add,
    AveragePool,
    Conv,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    ReLU,
    Requantize,
    Reshape,
    Softmax,
    Transpose,
)
from spectramac.model.depthwise import DepthwiseConvolution


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.tensor(np.asarray(array, np.float32))


class RandomGraph:
    """Up to eight layers of random shapes, one after the other, some with a branch; perhaps a classifier."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[Node] = []
        rank = int(self.rng.integers(1, 3))
        shape = tuple(int(n) for n in (self.rng.integers(1, 6), *self.rng.integers(7, 13, rank)))
        self.tensor, self.shape = "x", shape
        self.input = Tensor(name="x", shape=shape)
        self.arrange()
        for _ in range(int(self.rng.integers(3, 9))):
            kinds = [self.conv, self.conv, self.depthwise, self.pool, self.relu, self.sum]
            kinds[self.rng.integers(len(kinds))]()
        self.end()

    def add(self, node: Node) -> None:
        self.nodes.append(node)
        self.tensor, self.shape = node.name, node.output_shape(*self._shapes(node))

    def _shapes(self, node: Node) -> list[tuple[int, ...]]:
        return [self.shape] * node.n_inputs

    @property
    def common(self) -> dict[str, Any]:
        return {"name": f"n{len(self.nodes)}", "inputs": (self.tensor,)}

    def window(self) -> dict[str, Any]:
        """Kernel, stride and asymmetric padding that suit the shape."""
        size = self.shape[1:]
        kernel = tuple(int(self.rng.integers(1, min(n, 4) + 1)) for n in size)
        padding = tuple((int(self.rng.integers(k)), int(self.rng.integers(k))) for k in kernel)
        stride = tuple(int(self.rng.integers(1, 3)) for _ in size)
        return {"kernel": kernel, "padding": padding, "stride": stride}

    def weights(self, n_out: int, n_in: int, kernel: tuple[int, ...]) -> dict[str, np.ndarray]:
        weight = self.rng.normal(size=(n_out, n_in, *kernel)) / np.sqrt(n_in * np.prod(kernel))
        return {"weight": weight, "bias": self.rng.normal(size=n_out) / 4}

    def arrange(self) -> None:
        """Perhaps the input has its channels last, or no axes."""
        kind = self.rng.integers(3)
        if kind == 1:
            first, *rest = self.shape
            self.input = Tensor(name="x", shape=(*rest, first))
            axes = (len(rest), *range(len(rest)))
            self.nodes.append(Transpose(**self.common, axes=axes))
        elif kind == 2:
            self.input = Tensor(name="x", shape=(int(np.prod(self.shape)),))
            self.nodes.append(Reshape(**self.common, shape=self.shape))
        if kind:
            self.tensor = self.nodes[-1].name

    def conv(self) -> None:
        window = self.window()
        kernel = window.pop("kernel")
        weights = self.weights(int(self.rng.integers(1, 7)), self.shape[0], kernel)
        self.add(Conv(**self.common, **weights, **window))

    def depthwise(self) -> None:
        window, channels = self.window(), self.shape[0]
        kernel = window.pop("kernel")
        weights = self.weights(channels * int(self.rng.integers(1, 3)), 1, kernel)
        self.add(Conv(**self.common, **weights, **window, groups=channels))

    def pool(self) -> None:
        if self.rng.random() < 0.5:
            self.add(MaxPool(**self.common, **self.window()))
        else:
            self.add(AveragePool(**self.common, **self.window(), count_padding=True))

    def relu(self) -> None:
        maximum = None if self.rng.random() < 0.5 else float(self.rng.uniform(0.2, 2))
        self.add(ReLU(**self.common, maximum=maximum))

    def sum(self) -> None:
        """Of this tensor and a 1 x 1 convolution of it."""
        source, channels = self.tensor, self.shape[0]
        self.add(
            Conv(**self.common, **self.weights(channels, channels, (1,) * len(self.shape[1:])))
        )
        self.add(
            Add(**{**self.common, "inputs": (source, self.tensor)})
            if self.rng.random() < 0.5
            else Add(**{**self.common, "inputs": (self.tensor, source)})
        )

    def end(self) -> None:
        if self.rng.random() < 0.3:
            self.add(Requantize(**self.common))
        if self.rng.random() < 0.3:
            self.add(GlobalAveragePool(**self.common))
        if self.rng.random() < 0.7:
            self.add(Flatten(**self.common))
            self.add(dense(f"n{len(self.nodes)}", self.tensor, (5, *self.shape)))
            if self.rng.random() < 0.5:
                self.add(Softmax(**self.common))

    @property
    def graph(self) -> Graph:
        return Graph(name="random", input=self.input, nodes=tuple(self.nodes))


def logits(graph: Graph, x: np.ndarray) -> np.ndarray:
    """Outputs before a Softmax, (batch, n)."""
    last = graph.nodes[-1]
    name = last.inputs[0] if isinstance(last, Softmax) else last.name
    return activations(graph, x)[name].reshape(len(x), -1)


@pytest.mark.parametrize("seed", range(60))
def test_graphs_compute_the_same(seed: int) -> None:
    graph = RandomGraph(seed).graph
    x = np.random.default_rng(seed).normal(size=(3, *graph.input.shape))
    found = FloatGraph(plan_graph(graph))(tensor(x)).numpy()
    expected = logits(graph, x)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * (1 + np.abs(expected).max()))


def test_the_random_graphs_have_all_operators() -> None:
    nodes = [node for seed in range(60) for node in RandomGraph(seed).graph.nodes]
    assert {type(node).__name__ for node in nodes} == {
        "Add", "AveragePool", "Conv", "Dense", "Flatten", "GlobalAveragePool", "MaxPool", "ReLU", "Requantize",
        "Reshape", "Softmax", "Transpose",
    }  # fmt: skip
    convs = [node for node in nodes if isinstance(node, Conv)]
    assert {len(node.kernel) for node in convs} == {1, 2}
    assert {node.is_depthwise for node in convs} == {True, False}
    assert any(len(node.weight) > node.n_in for node in convs if node.is_depthwise)
    assert {node.stride for node in convs} >= {(1, 2), (2, 1), (2,)}
    assert any(before != after for node in convs for before, after in node.padding)


def test_the_graph_is_not_trained() -> None:
    network = FloatGraph(plan_graph(mixed()))
    assert list(network.parameters()) == []
    x = tensor(np.random.default_rng(0).normal(size=(2, 1, 8, 8)))
    assert not network(x).requires_grad
    assert [y.shape for y in network.trace(x)] == [(2, 4)]


def test_margins() -> None:
    """PyTorch wants the last axis first."""
    assert margins(1) == (1, 1, 1, 1)
    assert margins((1, 2)) == (2, 2, 1, 1)
    pool = MaxPool(name="p", inputs=("x",), kernel=(3, 5), padding=((1, 2), (3, 4)))
    assert margins(window_of(pool).padding) == (3, 4, 1, 2)
    assert margins(window_of(conv("c", "x", (2, 1, 3), (0, 2))).padding) == (0, 2, 0, 0)


def test_layers_and_tensors_of_a_run() -> None:
    """The caller sees every layer's input, as images or vectors in the order of the map, and every tensor."""
    graph = Graph(
        name="run",
        input=Tensor(name="x", shape=(2, 6)),
        nodes=(
            conv("a", "x", (3, 2, 2), stride=(2,)),
            relu("a"),
            Flatten(name="flat", inputs=("a.relu",)),
            dense("b", "flat", (4, 9)),
        ),
    )
    x = np.random.default_rng(0).normal(size=(5, 2, 6))
    seen: dict[str, torch.Tensor] = {}
    passed: list[str] = []

    def layer(node: Any, values: torch.Tensor) -> torch.Tensor:
        seen[node.name] = values
        return torch.zeros((5, 3, 1, 3) if node.name == "a" else (5, 4)) + 1.5

    def rounded(name: str, values: torch.Tensor) -> torch.Tensor:
        passed.append(name)
        return torch.arange(45.0).reshape(5, 3, 3) if name == "a.relu" else values

    y = GraphRunner(plan_graph(graph)).run(tensor(x), layer, rounded)
    assert passed == ["a", "a.relu", "flat", "b"]
    np.testing.assert_array_equal(seen["a"].numpy(), np.float32(x)[:, :, None])
    # A map has its channels last.
    order = np.arange(9).reshape(3, 3).T.ravel()
    np.testing.assert_array_equal(seen["b"].numpy(), np.arange(45.0).reshape(5, 9)[:, order])
    torch.testing.assert_close(y, torch.full((5, 4), 1.5))


DEPTHWISE = {
    "plain": conv("c", "x", (6, 1, 3, 3), groups=6),
    "asymmetric": conv("c", "x", (6, 1, 3, 3), (0, 2), groups=6, stride=(1, 2)),
    "several": conv("c", "x", (12, 1, 2, 4), (1, 0), groups=6, stride=(2, 1)),
    "odd": conv("c", "x", (7, 1, 3, 2), 1, groups=7),
    "sequence": conv("c", "x", (9, 1, 4), (2, 1), groups=3, stride=(2,)),
}


def depthwise(node: Conv, bits: int = 8) -> tuple[DepthwiseConv2d, Graph, np.ndarray]:
    """The module, the node alone as a graph, and inputs of that."""
    size = (9, 8)[: len(node.kernel)]
    graph = Graph(name="depthwise", input=Tensor(name="x", shape=(node.n_in, *size)), nodes=(node,))
    weight = node.weight if len(node.kernel) == 2 else node.weight[:, :, None]
    stride = node.stride if len(node.kernel) == 2 else (1, *node.stride)
    padding = node.padding if len(node.kernel) == 2 else ((0, 0), *node.padding)
    module = DepthwiseConv2d(weight, node.bias, bits, padding, stride)
    return module, graph, np.random.default_rng(1).normal(size=(2, node.n_in, *size))


def applied(module: DepthwiseConv2d, x: np.ndarray) -> np.ndarray:
    """To images, or to sequences as images of height 1."""
    image = x if x.ndim == 4 else x[:, :, None]
    y: np.ndarray = module(tensor(image)).detach().numpy()
    return y if x.ndim == 4 else y[:, :, 0]


@pytest.mark.parametrize("name", DEPTHWISE)
def test_depthwise_forward(name: str) -> None:
    module, graph, x = depthwise(DEPTHWISE[name])
    np.testing.assert_allclose(applied(module, x), evaluate(graph, x), rtol=0, atol=2e-6)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("name", DEPTHWISE)
def test_depthwise_integers(name: str, bits: int) -> None:
    """Those of the compression in one step at first; the forward pass computes with them."""
    node = DEPTHWISE[name]
    module, graph, x = depthwise(node, bits)
    module.start_quantization()
    codes = module.codes()
    expected = FloatCoder({"c": Form(quantization=Quantization(bits, "row"))}).depthwise(
        node, np.zeros((1, 1, 1, node.n_in), np.int64)
    )
    np.testing.assert_array_equal(codes.codes, expected.codes)
    n_out = len(node.weight)
    np.testing.assert_allclose(codes.steps[:n_out], expected.steps[:n_out], rtol=1e-6)
    assert codes.codes.shape == (n_out + n_out % 2, node.weight[0].size)
    assert np.abs(codes.codes).max() == (1 << (bits - 1)) - 1
    values = codes.values[:n_out].reshape(node.weight.shape)
    rounded = Graph(
        name="rounded",
        input=graph.input,
        nodes=(
            Conv(
                name="c", inputs=("x",), weight=values, bias=node.bias, stride=node.stride, padding=node.padding,
                groups=node.groups,
            ),
        ),
    )  # fmt: skip
    np.testing.assert_allclose(applied(module, x), evaluate(rounded, x), rtol=0, atol=2e-6)
    network = quantize_graph(
        graph, x, forms={"c": Form(quantization=Quantization(bits, "row"))}
    ).network
    (node,) = network.nodes
    assert isinstance(node, DepthwiseConvolution)
    np.testing.assert_array_equal(node.coefficients, codes.codes[:n_out])


def test_depthwise_training() -> None:
    """Weights, biases and every filter's own step are learned; integers and the forward pass stay the same."""
    module, _, x = depthwise(DEPTHWISE["several"], 4)
    module.start_quantization()
    first = module.codes()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    for _ in range(5):
        optimizer.zero_grad()
        y = module(tensor(x))
        functional.mse_loss(y, torch.ones_like(y)).backward()
        optimizer.step()
    codes = module.codes()
    assert not np.array_equal(codes.codes, first.codes)
    ratios = codes.steps / first.steps
    assert len(np.unique(ratios.round(4))) > 6
    weight = tensor(codes.values.reshape(module.weight.shape))
    padded = functional.pad(tensor(x), module.margins)
    expected = functional.conv2d(padded, weight, module.bias, (2, 1), groups=6)
    torch.testing.assert_close(module(tensor(x)), expected, rtol=0, atol=1e-5)


def test_padding_and_stride_of_compressed_convolutions() -> None:
    """One number, two, or two for each axis."""
    rng = np.random.default_rng(0)
    structured = PrunedConv().fit(rng.normal(size=(4, 3, 3, 3)), 1.0)
    x = tensor(rng.normal(size=(2, 3, 7, 8)))
    dense_kernel = tensor(structured.dense())
    for padding, margin in (
        (1, (1, 1, 1, 1)),
        ((1, 2), (2, 2, 1, 1)),
        (((0, 1), (2, 0)), (2, 0, 0, 1)),
    ):
        for stride, steps in ((1, (1, 1)), (2, (2, 2)), ((1, 2), (1, 2))):
            module = StructuredConv2d(structured, np.zeros(4), 8, padding, stride)
            expected = functional.conv2d(functional.pad(x, margin), dense_kernel, stride=steps)
            torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-5)
