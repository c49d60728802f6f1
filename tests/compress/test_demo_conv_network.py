# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The committed convolutional demonstration network: what it is made of, its accuracy, its bytes."""

from pathlib import Path

import numpy as np
import pytest

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compress.lanes import entries_per_lane
from spectramac.compress.size import dense_graph_bytes
from spectramac.model.convolution import Convolution, FullyConnected
from spectramac.model.graph_file import load_graph
from spectramac.model.graph_network import GraphNetwork, trace_graph
from spectramac.model.map_elementwise import MaxPooling
from spectramac.model.map_node import Arithmetic
from spectramac.model.network import Transform
from spectramac.spec.config import preset

FILE = Path(__file__).parents[2] / "sw" / "spectramac" / "compress" / "data" / "digits-conv.npz"
FFT8 = Transform("fft1d", 8)


@pytest.fixture(scope="module")
def network() -> GraphNetwork:
    return load_graph(FILE)


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray]:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    from spectramac.compress.data import digits

    data = digits()
    return data.x_test.reshape(-1, 8, 8, 1), data.y_test


def test_file_is_small() -> None:
    assert FILE.stat().st_size < 20_000


def test_what_it_is_made_of(network: GraphNetwork) -> None:
    """A direct convolution, two in spectra of blocks of channels, most coefficients not stored; a classifier."""
    first, second, third, pool, classes = network.nodes
    assert network.input_shape == (8, 8, 1)
    assert network.output_shape == (1, 1, 10)
    assert isinstance(first, Convolution)
    assert (first.layer.t_in, first.layer.t_out) == (Transform(), Transform())
    for node in (second, third):
        assert isinstance(node, Convolution)
        assert (node.layer.t_in, node.layer.t_out) == (FFT8, FFT8)
        assert node.layer.coefficient_bits == 4
        pairs = node.layer.coefficients.reshape(node.layer.n_out // 2, 2, -1).any(axis=1)
        assert pairs.mean() <= network.meta["density"]
    assert isinstance(pool, MaxPooling)
    assert isinstance(classes, FullyConnected)
    assert classes.layer.coefficient_bits == 4
    sizes = [network.shapes[node.name] for node in network.nodes]
    assert sizes == [(8, 8, 16), (4, 4, 32), (2, 2, 32), (1, 1, 32), (1, 1, 10)]


@pytest.mark.parametrize("data_width", [15, 16])
def test_accuracy(
    network: GraphNetwork, images: tuple[np.ndarray, np.ndarray], data_width: int
) -> None:
    """What is claimed, with no value saturated inside."""
    x, labels = images
    result = trace_graph(network, x, Arithmetic(data_width=data_width))
    outputs = result.maps[network.output_name].reshape(len(x), -1)
    accuracy = 100 * np.mean(np.argmax(outputs, axis=1) == labels)
    noted = {15: "integer_accuracy_15_bits", 16: "integer_accuracy"}[data_width]
    assert accuracy == pytest.approx(network.meta[noted])
    assert accuracy >= 98
    assert network.meta["n_test"] == len(x) == 360
    assert network.meta["float_accuracy"] >= 98
    assert not any(node.overflows for node in result.results.values())


def test_bytes(network: GraphNetwork) -> None:
    """Dense ones counted by hand; stored ones are those of the image."""
    weights = 9 * 1 * 16 + 9 * 16 * 32 + 9 * 32 * 32 + 32 * 10
    dense = weights + 2 * (16 + 32 + 32 + 10)
    assert dense == dense_graph_bytes(network) == network.meta["dense_int8_bytes"]
    config = preset("conv").replace(n_lanes=network.meta["n_lanes"])
    image = compile_graph(network, config)
    assert len(image.segments) == 1
    assert image.stored_bytes == network.meta["stored_bytes"] < dense / 4
    assert sum(layer["multiplications"] for layer in image.layers) == (
        64 * 9 * 16 + 16 * 9 * 16 * 32 + 4 * 9 * 32 * 32 + 320
    )


def test_words_are_whole(network: GraphNetwork) -> None:
    """All lanes have about as much to do for each column and the taps that read it."""
    n_lanes = network.meta["n_lanes"]
    for node in network.nodes[1:3]:
        assert isinstance(node, Convolution)
        taps = node.layer.coefficients.reshape(node.layer.n_out, 3, 3, -1)
        words = entries = 0
        for y in (0, 1):
            for x in (0, 1):
                together = taps[:, y::2, x::2].transpose(1, 2, 0, 3)
                rows = together.reshape(-1, together.shape[-1])
                found = entries_per_lane(rows != 0, n_lanes)
                words += n_lanes * int(found.max(axis=1).sum())
                entries += int(found.sum())
        assert entries >= 0.95 * words
