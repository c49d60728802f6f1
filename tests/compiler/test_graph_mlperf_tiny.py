# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The four MLPerf Tiny topologies whole, compiled for much and for little memory, on the golden model's registers."""

from functools import lru_cache

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
from tests.graphs import CONFIGS

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compress.quantize_graph import QuantizedGraph, quantize_graph
from spectramac.graph.onnx_import import from_onnx
from spectramac.graph.onnx_mlperf_tiny import TOPOLOGIES
from spectramac.host.graph_accelerator import GraphAccelerator
from spectramac.host.model_device import ModelDevice
from spectramac.model.graph_network import run_graph
from spectramac.model.map_node import Arithmetic
from spectramac.spec.graph_image import GraphImage

WHOLE = CONFIGS["large"].replace(
    name="whole", n_lanes=8, coefficient_depth=1 << 15, channel_depth=1 << 13, kernel_depth=1 << 14
)


def inputs(name: str, seed: int, batch: int) -> np.ndarray:
    shape = from_onnx(TOPOLOGIES[name](0)).input.shape
    return np.random.default_rng(seed).normal(size=(batch, *shape)).astype(np.float32)


@lru_cache(maxsize=1)
def quantized(name: str) -> QuantizedGraph:
    return quantize_graph(from_onnx(TOPOLOGIES[name](0)), inputs(name, 1, 2), method="max")


@pytest.mark.parametrize(
    ("name", "memory"),
    [(name, memory) for name in TOPOLOGIES for memory in ("whole", "small")],
)
def test_zero_differing_bytes(name: str, memory: str) -> None:
    config = WHOLE if memory == "whole" else CONFIGS["small"]
    q = quantized(name)
    image = compile_graph(q.network, config)
    if memory == "whole":
        assert len(image.segments) == 1
    else:
        assert len(image.segments) > 20
    x = q.quantize_input(inputs(name, 2, 2))
    accelerator = GraphAccelerator(ModelDevice(config, count_cycles=False), config)
    accelerator.load(GraphImage.from_bytes(image.to_bytes()))
    result = accelerator.run(x)
    expected = run_graph(q.network, x, Arithmetic.of(config))
    np.testing.assert_array_equal(result.outputs, expected)
    assert len(np.unique(expected)) > 1
    assert result.warnings == ()
