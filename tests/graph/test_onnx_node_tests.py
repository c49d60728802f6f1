# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The node tests of the ONNX project: each passes or is refused by name; nothing else may happen."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from spectramac.graph.errors import ModelFileError, UnsupportedModelError
from spectramac.graph.evaluate import evaluate
from spectramac.graph.onnx_import import from_onnx
from spectramac.graph.onnx_node import KNOWN_ATTRIBUTES

ROOT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "node"
PASSING = Counter(
    AveragePool=11,
    BatchNormalization=2,
    Clip=1,
    Conv=6,
    Flatten=3,
    Gemm=8,
    GlobalAveragePool=2,
    GlobalMaxPool=2,
    MatMul=1,
    MaxPool=9,
    Relu=1,
    Reshape=6,
    Softmax=2,
    Squeeze=1,
    Transpose=1,
    Unsqueeze=6,
)
"""Tests that must pass at least, by operator: the package's newer versions may have more."""


def read(path: Path) -> Any:
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


def load(folder: Path) -> tuple[onnx.ModelProto, list[Any], list[Any]]:
    """The model with every input but the first made a constant, its inputs and outputs."""
    made = onnx.load(folder / "model.onnx")
    data = folder / "test_data_set_0"
    inputs = [read(data / f"input_{i}.pb") for i in range(len(made.graph.input))]
    outputs = [read(data / f"output_{i}.pb") for i in range(len(made.graph.output))]
    for info, array in zip(made.graph.input[1:], inputs[1:], strict=True):
        made.graph.initializer.append(numpy_helper.from_array(array, info.name))
    return made, inputs, outputs


def test_node_tests_of_the_onnx_project() -> None:
    if not ROOT.is_dir():
        pytest.skip(f"this onnx package has no node tests in {ROOT}")
    passed: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    invalid: dict[str, str] = {}
    for folder in sorted(ROOT.iterdir()):
        try:
            made, inputs, outputs = load(folder)
        except (TypeError, ValueError, FileNotFoundError, DecodeError):
            continue  # inputs that are no tensors: sequences, optionals, strings
        operator = made.graph.node[0].op_type
        try:
            graph = from_onnx(made)
        except UnsupportedModelError as error:
            names = {r.operator.split(".")[-1] for r in error.refusals}
            known = {n.op_type for n in made.graph.node} | {"input", "inputs", "output", "outputs"}
            assert names <= known, folder.name
            refused[operator] += 1
            continue
        except ModelFileError as error:
            invalid[folder.name] = str(error)
            continue
        y = evaluate(graph, inputs[0])
        assert y.size == outputs[0].size, folder.name
        np.testing.assert_allclose(
            y.reshape(outputs[0].shape), outputs[0], rtol=1e-4, atol=1e-5, err_msg=folder.name
        )
        passed[operator] += 1
    assert all("opset" in text for text in invalid.values()), invalid
    assert passed >= PASSING, passed
    for operator in ("LSTM", "LeakyRelu", "ConvTranspose", "TopK", "Elu"):
        assert operator not in KNOWN_ATTRIBUTES
        assert refused[operator] > 0, operator
        assert passed[operator] == 0
