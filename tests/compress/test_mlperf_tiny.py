# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The four MLPerf Tiny topologies whole: ONNX to import to integers to the golden model, against onnxruntime."""

from functools import lru_cache

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
pytest.importorskip("onnxruntime", reason="onnxruntime is the independent reference")
from tests.compress.graph_cases import without_softmax
from tests.graph.onnx_models import run_onnxruntime

from spectramac.compress.graph_codes import Form
from spectramac.compress.quantize_graph import QuantizedGraph, quantize_graph
from spectramac.compress.techniques import SftConv, SpectralConv
from spectramac.graph.evaluate import activations
from spectramac.graph.graph import Graph
from spectramac.graph.nodes import Conv, Softmax
from spectramac.graph.onnx_import import from_onnx
from spectramac.graph.onnx_mlperf_tiny import TOPOLOGIES, main, mobilenet
from spectramac.graph.summary import summarize
from spectramac.model.convolution import Convolution
from spectramac.model.depthwise import AveragePooling, DepthwiseConvolution
from spectramac.model.graph_network import run_graph, trace_graph
from spectramac.model.map_elementwise import Addition
from spectramac.model.map_node import Arithmetic
from spectramac.model.tiles import TileConvolution

NARROW = Arithmetic(15)
DECIBELS = {"autoencoder": 18, "resnet8": 27, "dscnn": 34, "mobilenet": 15}
"""Signal to quantization noise of the outputs on inputs that were not calibrated with, at least.

The autoencoder's bottleneck has eight values with one scale; MobileNet's outputs hardly vary with random weights, so
that its noise is that of 27 layers with as little signal as there can be.
"""
MULTIPLICATIONS = {
    "autoencoder": 264_192,
    "resnet8": 12_501_632,
    "dscnn": 2_656_768,
    "mobilenet": 7_489_664,
}
"""Those of the benchmark's reference models."""


@lru_cache
def graph(name: str) -> Graph:
    return from_onnx(TOPOLOGIES[name](0))


def inputs(g: Graph, seed: int, batch: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(batch, *g.input.shape)).astype(np.float32)


@lru_cache
def quantized(name: str) -> QuantizedGraph:
    return quantize_graph(graph(name), inputs(graph(name), 1, 16))


def decibels(signal: np.ndarray, noise: np.ndarray) -> float:
    return float(10 * np.log10(np.sum(signal**2) / np.sum(noise**2)))


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_the_topology(name: str) -> None:
    rows = summarize(graph(name))
    assert sum(row.multiplications for row in rows) == MULTIPLICATIONS[name]


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_whole_networks_against_onnxruntime(name: str) -> None:
    made = TOPOLOGIES[name](0)
    if isinstance(graph(name).nodes[-1], Softmax):
        made = without_softmax(made)
    x = inputs(graph(name), 2, 7)
    expected = run_onnxruntime(made, x)
    assert expected is not None
    got = quantized(name).run(x)
    assert got.shape == expected.shape
    assert decibels(expected, got - expected) > DECIBELS[name]


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_maps_on_the_way(name: str) -> None:
    """No overflow inside a layer; few outputs saturate; wider arithmetic runs the same network."""
    g, q = graph(name), quantized(name)
    x = inputs(g, 3, 4)
    trace = trace_graph(q.network, q.quantize_input(x), NARROW)
    values = activations(g, x)
    for node in q.network.nodes:
        result = trace.results[node.name]
        assert not result.overflows
        assert result.saturations < max(4, 0.02 * result.y.size)
        exact = values[q.tensors[node.name]]
        assert decibels(exact, q.dequantize(node.name, trace.maps[node.name]) - exact) > 14
    wide = run_graph(q.network, q.quantize_input(x), Arithmetic(18, 18, 40))
    np.testing.assert_array_equal(wide, trace.maps[q.network.output_name])  # nothing transforms


def test_what_they_are_made_of() -> None:
    kinds = {
        name: {type(node) for node in quantized(name).network.nodes}
        for name in ("resnet8", "dscnn")
    }
    assert {Convolution, Addition, AveragePooling} <= kinds["resnet8"]
    assert {Convolution, DepthwiseConvolution, AveragePooling} <= kinds["dscnn"]
    assert quantized("mobilenet").network.input_shape == (96, 96, 3)
    assert quantized("autoencoder").network.shapes["gemm4"] == (1, 1, 8)
    nodes = quantized("mobilenet").network.nodes
    assert sum(isinstance(node, DepthwiseConvolution) for node in nodes) == 13


def test_forms_may_be_mixed() -> None:
    """ResNet-8 with every form of convolution."""
    g = graph("resnet8")
    convs = [n.name for n in g.nodes if isinstance(n, Conv) and n.kernel == (3, 3)]
    techniques = [
        SpectralConv(8),
        SftConv(8, 8),
        SpectralConv(4),
        SftConv(16, 0),
        SftConv(0, 8),
        SpectralConv(4),
        SftConv(8, 8),
    ]
    forms = {name: Form(technique) for name, technique in zip(convs, techniques, strict=True)}
    q = quantize_graph(g, inputs(g, 1, 4), forms=forms)
    assert sum(isinstance(node, TileConvolution) for node in q.network.nodes) == 3
    x = inputs(g, 2, 3)
    expected = run_onnxruntime(without_softmax(TOPOLOGIES["resnet8"](0)), x)
    assert expected is not None
    assert decibels(expected, q.run(x) - expected) > 25


def test_seeds_and_variants() -> None:
    a, b, c = (TOPOLOGIES["dscnn"](seed).SerializeToString() for seed in (0, 0, 1))
    assert a == b != c
    assert "Clip" not in {node.op_type for node in mobilenet(relu6=False).graph.node}


def test_the_command(
    tmp_path: "object", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["onnx_mlperf_tiny", f"{tmp_path}/models", "--seed", "3"])
    main()
    assert capsys.readouterr().out.count(".onnx: ") == 4
    assert from_onnx(f"{tmp_path}/models/dscnn.onnx").output.shape == (12,)
