# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Integer network graphs: nodes in order, shapes, partners of odd batches, and what is refused."""

from typing import Any

import numpy as np
import pytest
from tests.model.map_cases import FFT8, WINDOWS, maps, random_layer, small_node

from spectramac.model.convolution import Convolution, FullyConnected
from spectramac.model.graph_network import GraphNetwork, run_graph, trace_graph
from spectramac.model.layer import run_layer
from spectramac.model.map_elementwise import Addition, MaxPooling
from spectramac.model.map_node import Arithmetic, MapNode
from spectramac.model.map_window import Window
from spectramac.model.network import Transform


def residual(shape: tuple[int, int, int] = (5, 4, 3)) -> GraphNetwork:
    rng = np.random.default_rng(1)
    t = Transform()
    window = WINDOWS[1]
    convolution = Convolution(
        name="c", inputs=("x",), layer=random_layer(rng, 9 * t.padded(shape[2]), shape[2], t, t),
        channels=shape[2], window=window,
    )  # fmt: skip
    return GraphNetwork(
        name="residual", input_name="x", input_shape=shape, scales=dict.fromkeys("xcspf", 0.5),
        nodes=(
            convolution,
            Addition(name="s", inputs=("c", "x"), multipliers=(1 << 14, 1 << 14), shift=14, relu=True),
            MaxPooling(name="p", inputs=("s",), window=Window((2, 2), (2, 2))),
            FullyConnected(name="f", inputs=("p",), layer=random_layer(rng, 4 * shape[2], 7, t, t)),
        ),
    )  # fmt: skip


@pytest.mark.parametrize("t", [Transform(), FFT8], ids=str)
def test_a_fully_connected_layer_of_any_size(t: Transform) -> None:
    rng = np.random.default_rng(0)
    layer = random_layer(rng, 3 * 5 * 3, 7, t, t)  # 45: odd, no multiple of 8
    node = FullyConnected(name="f", inputs=("x",), layer=layer, maximum=60)
    x = maps(rng, 4, 3, 5, 3)
    result = node.run(x, arithmetic=Arithmetic())
    expected = np.minimum(run_layer(layer, x.reshape(4, -1)).y, 60)
    np.testing.assert_array_equal(result.y.reshape(4, 7), expected)
    with pytest.raises(ValueError, match=r"input must have 45 elements, not shape \(4, 5, 3\)"):
        node.output_shape((4, 5, 3))


def test_a_convolution_needs_the_layer_of_its_window() -> None:
    layer = random_layer(np.random.default_rng(0), 9 * 4, 2, Transform(), Transform())
    with pytest.raises(ValueError, match="layer must have n_in = 24, 4 taps of 6 channels, not 36"):
        Convolution(name="c", inputs=("x",), layer=layer, channels=5, window=Window((2, 2)))
    with pytest.raises(ValueError, match="channels must be at least 1, not 0"):
        Convolution(name="c", inputs=("x",), layer=layer, channels=0, window=Window((2, 2)))


def test_a_network_is_its_nodes() -> None:
    network = residual()
    assert network.shapes == {
        "x": (5, 4, 3),
        "c": (5, 4, 3),
        "s": (5, 4, 3),
        "p": (2, 2, 3),
        "f": (1, 1, 7),
    }
    x = maps(np.random.default_rng(3), 3, 5, 4, 3)
    trace = trace_graph(network, x)
    np.testing.assert_array_equal(trace.maps["s"], np.clip(trace.maps["c"] + x, 0, 127))
    dense = network.nodes[-1]
    assert isinstance(dense, FullyConnected)
    expected = run_layer(dense.layer, trace.maps["p"].reshape(3, -1)).y
    np.testing.assert_array_equal(trace.maps["f"].reshape(3, 7), expected)
    np.testing.assert_array_equal(run_graph(network, x), trace.maps["f"])
    np.testing.assert_array_equal(run_graph(network, x[:2]), trace.maps["f"][:2])
    assert (network.input_scale, network.output_scale, network.output_shape) == (
        0.5,
        0.5,
        (1, 1, 7),
    )


def test_what_a_network_refuses() -> None:
    def network(*nodes: MapNode, shape: Any = (3, 3, 2), scales: Any = None) -> GraphNetwork:
        return GraphNetwork(
            name="n", input_name="x", input_shape=shape, nodes=nodes,
            scales=scales or dict.fromkeys(["x", *(n.name for n in nodes)], 1.0),
        )  # fmt: skip

    for message, make in {
        "a network must have at least one node": lambda: network(),
        "a node must have a name of its own, not 'x'": lambda: network(small_node(name="x")),
        "must have 1 inputs, not 2": lambda: network(small_node(inputs=("x", "x"))),
        "input 'z' must be the network's or an earlier node": lambda: network(
            small_node(inputs=("z",))
        ),
        r"input must have 2 channels, not shape \(3, 3, 4\)": lambda: network(
            small_node(), shape=(3, 3, 4)
        ),
        r"kernel \(5, 5\) must fit the padded map, not exceed \(3, 3\)": lambda: network(
            MaxPooling(name="m", inputs=("x",), window=Window((5, 5)))
        ),
        r"input_shape must be \(height, width, channels\)": lambda: network(
            small_node(), shape=(3, 2)
        ),
        "map 'd' must have a scale above 0, not 0.0": lambda: network(
            small_node(), scales={"x": 1.0}
        ),
        "inputs must have one shape": lambda: network(
            MaxPooling(name="m", inputs=("x",), window=Window((2, 2))),
            Addition(name="a", inputs=("x", "m"), multipliers=(1, 1), shift=0),
        ),
    }.items():
        with pytest.raises(ValueError, match=message):
            make()
    good = network(small_node())
    for message, x in {
        r"inputs must have shape \(batch, \*\(3, 3, 2\)\), not \(3, 3, 2\)": np.zeros(
            (3, 3, 2), int
        ),
        "inputs must be integers, not float64": np.zeros((1, 3, 3, 2)),
        "inputs must be int8, not 0 to 128": np.arange(18).reshape(1, 3, 3, 2) // 17 * 128,
    }.items():
        with pytest.raises(ValueError, match=message):
            run_graph(good, x)
