# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The four reference topologies of MLPerf Tiny with random weights, as ONNX models (needs extra ``import``).

    python -m spectramac.graph.onnx_mlperf_tiny FOLDER

writes ``autoencoder.onnx``, ``resnet8.onnx``, ``dscnn.onnx`` and ``mobilenet.onnx``. They are for trying out whatever
runs networks: shapes and operators are those of the benchmark, weights are normal with He's variance, statistics of
BatchNormalization are drawn around those of such layers. Padding is TensorFlow's ``SAME``, channels come first.
"""

import argparse
from collections.abc import Callable
from math import prod
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

__all__ = ["TOPOLOGIES", "autoencoder", "dscnn", "mobilenet", "resnet8"]

OPSET = 17
IR_VERSION = 8


class _Model:
    """A model under construction; methods append an operator and give the name of its output."""

    def __init__(self, name: str, shape: tuple[int, ...], seed: int) -> None:
        self.name, self.shape = name, shape
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.shapes = {"input": shape}

    def constant(self, name: str, values: ArrayLike) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def append(
        self, operator: str, inputs: list[str], shape: tuple[int, ...], **attributes: object
    ) -> str:
        count = sum(node.op_type == operator for node in self.nodes)
        output = f"{operator.lower()}{count}"
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        self.shapes[output] = shape
        return output

    def weights(self, *shape: int) -> NDArray[np.float64]:
        """Normal, with He's variance 2 / fan-in."""
        weights: NDArray[np.float64] = self.rng.normal(size=shape) * np.sqrt(2 / prod(shape[1:]))
        return weights

    def conv(
        self,
        x: str,
        n_out: int,
        kernel: tuple[int, int] = (3, 3),
        stride: int = 1,
        *,
        depthwise: bool = False,
        bias: bool = False,
    ) -> str:
        """Zero-padded so that the output has ⌈n / stride⌉ positions, the odd zero behind."""
        channels, *size = self.shapes[x]
        positions = tuple(-(-n // stride) for n in size)
        short = [(p - 1) * stride + k - n for p, k, n in zip(positions, kernel, size, strict=True)]
        missing = [max(0, n) for n in short]
        before = [n // 2 for n in missing]
        pads = before + [n - b for n, b in zip(missing, before, strict=True)]
        name = f"conv{sum(node.op_type == 'Conv' for node in self.nodes)}"
        weights = self.weights(n_out, 1 if depthwise else channels, *kernel)
        inputs = [x, self.constant(f"{name}.weight", weights)]
        if bias:
            inputs.append(self.constant(f"{name}.bias", self.rng.normal(size=n_out) / 10))
        return self.append(
            "Conv", inputs, (n_out, *positions), kernel_shape=list(kernel), pads=pads,
            strides=[stride, stride], group=channels if depthwise else 1,
        )  # fmt: skip

    def dense(self, x: str, n_out: int) -> str:
        (n_in,) = self.shapes[x]
        name = f"gemm{sum(node.op_type == 'Gemm' for node in self.nodes)}"
        weight = self.constant(f"{name}.weight", self.weights(n_out, n_in))
        bias = self.constant(f"{name}.bias", self.rng.normal(size=n_out) / 10)
        return self.append("Gemm", [x, weight, bias], (n_out,), transB=1)

    def normalize(self, x: str) -> str:
        channels, rng = self.shapes[x][0], self.rng
        name = f"norm{sum(node.op_type == 'BatchNormalization' for node in self.nodes)}"
        statistics = {
            "scale": rng.uniform(0.5, 1.5, channels),
            "bias": rng.normal(size=channels) / 5,
            "mean": rng.normal(size=channels) / 5,
            "variance": rng.uniform(0.5, 2, channels),
        }
        inputs = [x, *(self.constant(f"{name}.{k}", v) for k, v in statistics.items())]
        return self.append("BatchNormalization", inputs, self.shapes[x], epsilon=1e-3)

    def relu(self, x: str) -> str:
        return self.append("Relu", [x], self.shapes[x])

    def relu6(self, x: str) -> str:
        limits = [self.constant(f"{x}.{k}", v) for k, v in (("low", 0.0), ("high", 6.0))]
        return self.append("Clip", [x, *limits], self.shapes[x])

    def add(self, a: str, b: str) -> str:
        return self.append("Add", [a, b], self.shapes[a])

    def classify(self, x: str, n_classes: int) -> onnx.ModelProto:
        """Mean over all positions, a dense layer, Softmax."""
        channels = self.shapes[x][0]
        x = self.append("GlobalAveragePool", [x], (channels, 1, 1))
        x = self.append("Flatten", [x], (channels,))
        return self.finish(self.append("Softmax", [self.dense(x, n_classes)], (n_classes,), axis=1))

    def finish(self, output: str) -> onnx.ModelProto:
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes, self.name,
            [info("input", TensorProto.FLOAT, ["batch", *self.shape])],
            [info(output, TensorProto.FLOAT, ["batch", *self.shapes[output]])],
            self.constants,
        )  # fmt: skip
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return model


def autoencoder(seed: int = 0) -> onnx.ModelProto:
    """Anomaly detection: 640-128-128-128-128-8-128-128-128-128-640."""
    model = _Model("autoencoder", (640,), seed)
    x = "input"
    for width in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        x = model.relu(model.normalize(model.dense(x, width)))
    return model.finish(model.dense(x, 640))


def resnet8(seed: int = 0) -> onnx.ModelProto:
    """Image classification, 3 x 32 x 32: three residual stacks of 16, 32 and 64 channels."""
    model = _Model("resnet8", (3, 32, 32), seed)
    x = model.relu(model.normalize(model.conv("input", 16)))
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        y = model.relu(model.normalize(model.conv(x, channels, stride=stride)))
        y = model.normalize(model.conv(y, channels))
        if stride > 1:
            x = model.conv(x, channels, (1, 1), stride, bias=True)
        x = model.relu(model.add(x, y))
    return model.classify(x, 10)


def dscnn(seed: int = 0) -> onnx.ModelProto:
    """Keyword spotting, 1 x 49 x 10: a 10 x 4 convolution and four separable ones of 64 channels."""
    model = _Model("dscnn", (1, 49, 10), seed)
    x = model.relu(model.normalize(model.conv("input", 64, (10, 4), 2)))
    for _ in range(4):
        x = model.relu(model.normalize(model.conv(x, 64, depthwise=True)))
        x = model.relu(model.normalize(model.conv(x, 64, (1, 1))))
    return model.classify(x, 12)


def mobilenet(seed: int = 0, relu6: bool = True) -> onnx.ModelProto:
    """Visual wake words, 3 x 96 x 96: MobileNetV1 with a quarter of the channels.

    Parameters
    ----------
    seed : int
    relu6 : bool
        The activation function of the paper; ReLU otherwise.
    """
    model = _Model("mobilenet", (3, 96, 96), seed)
    limit = model.relu6 if relu6 else model.relu
    x = limit(model.normalize(model.conv("input", 8, stride=2)))
    blocks = [
        (16, 1),
        (32, 2),
        (32, 1),
        (64, 2),
        (64, 1),
        (128, 2),
        *[(128, 1)] * 5,
        (256, 2),
        (256, 1),
    ]
    for channels, stride in blocks:
        x = limit(model.normalize(model.conv(x, model.shapes[x][0], stride=stride, depthwise=True)))
        x = limit(model.normalize(model.conv(x, channels, (1, 1))))
    return model.classify(x, 2)


TOPOLOGIES: dict[str, Callable[[int], onnx.ModelProto]] = {
    "autoencoder": autoencoder,
    "resnet8": resnet8,
    "dscnn": dscnn,
    "mobilenet": mobilenet,
}
"""By the name of the file."""


def main() -> None:
    """Write all of them."""
    parser = argparse.ArgumentParser(description="Write the MLPerf Tiny topologies as ONNX models.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="of the weights (default %(default)s)")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name, make in TOPOLOGIES.items():
        path = arguments.folder / f"{name}.onnx"
        onnx.save(make(arguments.seed), path)
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
