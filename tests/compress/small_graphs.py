# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A small network graph with layers of many kinds, for :func:`~tests.compress.conv_cases.bars`."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from tests.compress.conv_cases import bars

from spectramac.compress.labelled import LabelledData, split_labelled
from spectramac.graph.evaluate import activations
from spectramac.graph.graph import Graph, Tensor
from spectramac.graph.nodes import Add, Conv, Dense, Flatten, MaxPool, ReLU

__all__ = [
    "changed",
    "conv",
    "dense",
    "images",
    "labelled",
    "mixed",
    "onnx_model",
    "relu",
    "trained",
]


def _random(seed: object, shape: tuple[int, ...]) -> np.ndarray:
    """Normal; the same for the same seed."""
    return np.random.default_rng(list(repr(seed).encode())).normal(size=shape)


def conv(name: str, source: str, shape: tuple[int, ...], pad: Any = 0, **options: Any) -> Conv:
    """With random weights that keep the size of what it reads; ``pad`` is on all sides, or (before, after)."""
    before, after = (pad, pad) if isinstance(pad, int) else pad
    return Conv(
        name=name,
        inputs=(source,),
        weight=_random(name, shape) / np.sqrt(np.prod(shape[1:])),
        bias=_random((name, "bias"), shape[:1]) / 4,
        padding=((before, after),) * (len(shape) - 2),
        **options,
    )


def dense(name: str, source: str, shape: tuple[int, int]) -> Dense:
    """As :func:`conv`."""
    weight = _random(name, shape) / np.sqrt(shape[1])
    return Dense(name=name, inputs=(source,), weight=weight, bias=np.zeros(shape[0]))


def relu(source: str, maximum: float | None = None) -> ReLU:
    """Of another node; called ``SOURCE.relu``."""
    return ReLU(name=f"{source}.relu", inputs=(source,), maximum=maximum)


def mixed() -> Graph:
    """8 x 8 pixels to 4 classes: stride 2, depthwise, 1 x 1, a residual sum, pooling, two dense layers."""
    nodes = (
        conv("stem", "x", (8, 1, 3, 3), 1),
        relu("stem"),
        conv("down", "stem.relu", (16, 8, 3, 3), (0, 1), stride=(2, 2)),
        relu("down"),
        conv("depth", "down.relu", (16, 1, 3, 3), 1, groups=16),
        relu("depth", 0.75),
        conv("point", "depth.relu", (16, 16, 1, 1)),
        Add(name="sum", inputs=("point", "down.relu")),
        relu("sum"),
        conv("narrow", "sum.relu", (6, 16, 5, 5), 2),
        relu("narrow"),
        MaxPool(name="pool", inputs=("narrow.relu",), kernel=(2, 2)),
        Flatten(name="flat", inputs=("pool",)),
        dense("hidden", "flat", (96, 54)),
        relu("hidden"),
        dense("classes", "hidden.relu", (4, 96)),
    )
    return Graph(name="mixed", input=Tensor(name="x", shape=(1, 8, 8)), nodes=nodes)


def changed(graph: Graph, nodes: Mapping[str, Any]) -> Graph:
    """With other nodes, by name."""
    return Graph(
        name=graph.name,
        input=graph.input,
        nodes=tuple(nodes.get(node.name, node) for node in graph.nodes),
    )


@lru_cache
def trained() -> Graph:
    """:func:`mixed` with a classifier by least squares."""
    graph = mixed()
    x, labels = bars(1000, seed=7)
    hidden = activations(graph, x.reshape(-1, 1, 8, 8))["hidden.relu"]
    features = np.column_stack([hidden, np.ones(len(x))])
    gram = features.T @ features + 1.0 * np.eye(features.shape[1])
    solution = np.linalg.solve(gram, features.T @ (4 * np.eye(4)[labels] - 1))
    classes = Dense(
        name="classes", inputs=("hidden.relu",), weight=solution[:-1].T, bias=solution[-1]
    )
    return changed(graph, {"classes": classes})


def images(n: int = 16, seed: int = 0) -> np.ndarray:
    """Inputs of :func:`mixed`."""
    return bars(n, seed)[0].reshape(-1, 1, 8, 8)


@lru_cache
def labelled() -> LabelledData:
    """Some :func:`bars` that :func:`trained` did not see."""
    return split_labelled(*bars(120))


def onnx_model(graph: Graph) -> Any:
    """As an ONNX model, for graphs of the operators of :func:`mixed`."""
    from onnx import helper
    from tests.graph.onnx_models import model

    nodes, constants = [], {}
    for node in graph.nodes:
        kind, inputs, options = type(node).__name__, list(node.inputs), {}
        for name, value in node.parameters.items():
            inputs.append(f"{node.name}.{name}")
            constants[inputs[-1]] = value.astype(np.float32)
        if isinstance(node, Conv):
            pads = [*(a for a, _ in node.padding), *(b for _, b in node.padding)]
            options = {"strides": node.stride, "pads": pads, "group": node.groups}
        elif isinstance(node, MaxPool):
            options = {"kernel_shape": node.kernel, "strides": node.stride}
        elif isinstance(node, ReLU) and node.maximum is not None:
            kind = "Clip"
            inputs += [f"{node.name}.low", f"{node.name}.high"]
            constants |= {inputs[1]: np.float32(0), inputs[2]: np.float32(node.maximum)}
        elif isinstance(node, Dense):
            options = {"transB": 1}
        operator = {"ReLU": "Relu", "Dense": "Gemm"}.get(kind, kind)
        nodes.append(helper.make_node(operator, inputs, [node.name], name=node.name, **options))
    shape = ("n", *graph.input.shape)
    return model(nodes, constants, shape=shape, outputs=(graph.output.name,))
