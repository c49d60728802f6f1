# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The node tests of the ONNX project on the golden model: within quantization noise, or refused by name."""

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
from google.protobuf.message import DecodeError
from tests.graph.test_onnx_node_tests import ROOT, load

from spectramac.compress.quantize_graph import quantize_graph
from spectramac.graph.errors import ModelFileError, UnsupportedModelError
from spectramac.graph.onnx_import import from_onnx

PASSING = Counter(
    AveragePool=6, BatchNormalization=2, Clip=1, Conv=6, Gemm=8, GlobalAveragePool=2,
    GlobalMaxPool=2, MatMul=1, MaxPool=9, Relu=1,
)  # fmt: skip
"""At least, by operator."""
DECIBELS = 36
"""Between the stated output and the noise of int8: inputs, weights and outputs are rounded to 1/127 of their range."""


def test_node_tests_of_the_onnx_project() -> None:
    if not ROOT.is_dir():
        pytest.skip(f"this onnx package has no node tests in {ROOT}")
    passed: Counter[str] = Counter()
    refused: set[tuple[str, str]] = set()
    for folder in sorted(ROOT.iterdir()):
        try:
            made, inputs, outputs = load(folder)
            graph = from_onnx(made)
        except (
            TypeError,
            ValueError,
            FileNotFoundError,
            DecodeError,
            UnsupportedModelError,
            ModelFileError,
        ):
            continue  # what the importer's own test looks at
        try:
            quantized = quantize_graph(graph, inputs[0], method="max")
        except UnsupportedModelError as error:
            refused |= {(folder.name, refusal.problem) for refusal in error.refusals}
            continue
        y = quantized.run(inputs[0]).reshape(outputs[0].shape)
        noise = np.sum((y - outputs[0]) ** 2, dtype=np.float64)
        signal = np.sum(outputs[0] ** 2, dtype=np.float64)
        assert noise * 10 ** (DECIBELS / 10) <= signal, folder.name
        passed[made.graph.node[0].op_type] += 1
    assert passed >= PASSING, passed
    reasons = {"the graph only reorders", "its mean leaves out the padding"}
    assert {problem for _, problem in refused} == reasons, refused
