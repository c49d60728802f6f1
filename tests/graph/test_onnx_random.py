# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Random networks with branches, against onnx's reference evaluator and onnxruntime."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
import onnx
from onnx import helper
from tests.graph.onnx_models import OPSETS, agree, model

from spectramac.graph.nodes import Add, Conv, Dense


class RandomModel:
    """A network grown node by node; every tensor so far may be read again."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        spatial = self.rng.integers(5, 9, self.rng.integers(1, 3))
        self.shape = (int(self.rng.integers(1, 5)), *(int(n) for n in spatial))
        self.tensors = {"x": self.shape}

    def constant(self, *shape: int, positive: bool = False) -> str:
        name = f"c{len(self.constants)}"
        values = self.rng.normal(size=shape) / np.sqrt(max(1, np.prod(shape[1:])))
        self.constants[name] = (abs(values) + 0.1 if positive else values).astype(np.float32)
        return name

    def add(
        self, operator: str, inputs: list[str], shape: tuple[int, ...], **attributes: Any
    ) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        self.tensors[name] = shape
        return name

    def conv(self, x: str) -> None:
        c, *spatial = self.tensors[x]
        kernel = [int(self.rng.integers(1, 4)) for _ in spatial]
        depthwise = self.rng.random() < 0.3
        n_out = c * int(self.rng.integers(1, 3)) if depthwise else int(self.rng.integers(1, 6))
        stride = [int(self.rng.integers(1, 3)) if n > 6 else 1 for n in spatial]
        pads = [int(self.rng.integers(0, 3)) for _ in spatial * 2]
        dilation = [int(self.rng.integers(1, 3)) for _ in spatial]
        padded = [n + a + b for n, a, b in zip(spatial, pads, pads[len(spatial) :], strict=False)]
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        if any(n < r for n, r in zip(padded, reach, strict=True)):
            return
        sizes = [(n - r) // s + 1 for n, r, s in zip(padded, reach, stride, strict=True)]
        weight = self.constant(n_out, 1 if depthwise else c, *kernel)
        inputs = [x, weight] + ([self.constant(n_out)] if self.rng.random() < 0.7 else [])
        window = {"strides": stride, "pads": pads, "dilations": dilation}
        self.add("Conv", inputs, (n_out, *sizes), group=c if depthwise else 1, **window)

    def grow(self) -> None:
        images = [name for name, s in self.tensors.items() if len(s) > 1]
        x = images[-1] if self.rng.random() < 0.7 else images[self.rng.integers(len(images))]
        shape = self.tensors[x]
        c = shape[0]
        kind = self.rng.choice(["conv", "conv", "norm", "relu", "relu6", "pool", "add", "scale"])
        if kind == "conv":
            self.conv(x)
        elif kind == "norm":
            constants = [self.constant(c) for _ in range(3)] + [self.constant(c, positive=True)]
            self.add("BatchNormalization", [x, *constants], shape)
        elif kind == "relu":
            self.add("Relu", [x], shape)
        elif kind == "relu6":
            self.constants |= {"zero": np.float32(0), "six": np.float32(6)}
            self.add("Clip", [x, "zero", "six"], shape)
        elif kind == "pool" and min(shape[1:]) >= 2:
            operator = str(self.rng.choice(["MaxPool", "AveragePool"]))
            sizes = tuple(n // 2 for n in shape[1:])
            ones = [2] * len(sizes)
            self.add(operator, [x], (c, *sizes), kernel_shape=ones, strides=ones)
        elif kind == "add":
            same = [name for name, s in self.tensors.items() if s == shape]
            self.add("Add", [x, same[self.rng.integers(len(same))]], shape)
        elif kind == "scale":
            operator = str(self.rng.choice(["Mul", "Add", "Sub"]))
            ones = [1] * (len(shape) - 1)
            pair = [x, self.constant(c, *ones)]
            self.add(operator, pair[:: int(self.rng.choice([1, -1]))], shape)

    def finish(self, opset: int) -> onnx.ModelProto:
        """Pool, two dense layers; a transposition that must vanish in half of the models."""
        x = list(self.tensors)[-1]
        c, *spatial = self.tensors[x]
        if self.rng.random() < 0.5:
            order = [int(a) for a in self.rng.permutation(len(spatial) + 1)]
            x = self.add(
                "Transpose",
                [x],
                tuple(self.tensors[x][a] for a in order),
                perm=[0, *(a + 1 for a in order)],
            )
        size = c * int(np.prod(spatial))
        x = self.add("Flatten", [x], (size,))
        x = self.add("MatMul", [x, self.constant(size, 7)], (7,))
        x = self.add("Add", [x, self.constant(7)], (7,))
        x = self.add("Relu", [x], (7,))
        x = self.add("Gemm", [x, self.constant(3, 7), self.constant(3)], (3,), transB=1)
        self.nodes[-1].output[0] = "y"
        return model(self.nodes, self.constants, shape=("n", *self.shape), opset=opset)


def check(seed: int) -> Any:
    grown = RandomModel(seed)
    for _ in range(int(grown.rng.integers(1, 12))):
        grown.grow()
    opset = OPSETS[seed % len(OPSETS)]
    # The reference evaluator of onnx 1.21 normalizes wrongly in opset 13.
    return agree(grown.finish(opset), seed=seed, reference=opset >= 14, tolerance=1e-3)


def test_random_networks() -> None:
    pytest.importorskip("onnxruntime", reason="it judges the networks of opset 13")
    graphs = [check(seed) for seed in range(40)]
    kinds = {type(n) for g in graphs for n in g.nodes}
    assert {Add, Conv, Dense} <= kinds


@pytest.mark.long
def test_many_random_networks() -> None:
    pytest.importorskip("onnxruntime", reason="it judges the networks of opset 13")
    for seed in range(40, 1000):
        check(seed)
