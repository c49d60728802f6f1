# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The plan of a compiled graph: every node once, work that agrees with counts made by hand."""

import numpy as np
from tests.graphs import CONFIGS, random_graph, random_graph_inputs
from tests.model.map_cases import random_layer

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compiler.graph_explain import explain_graph
from spectramac.model.convolution import Convolution
from spectramac.model.depthwise import DepthwiseConvolution
from spectramac.model.graph_network import GraphNetwork
from spectramac.model.map_elementwise import MaxPooling
from spectramac.model.map_window import Window
from spectramac.model.network import Transform


def test_work_and_bytes() -> None:
    rng = np.random.default_rng(0)
    config = CONFIGS["large"]
    window = Window((3, 3), (1, 1), ((1, 1), (1, 1)))
    layer = random_layer(rng, 9 * 8, 8, Transform(), Transform())
    nodes = (
        Convolution(name="c", inputs=("x",), layer=layer, channels=8, window=window),
        MaxPooling(name="m", inputs=("c",), window=Window((2, 2), (2, 2))),
    )
    network = GraphNetwork(
        name="n",
        input_name="x",
        input_shape=(6, 5, 8),
        nodes=nodes,
        scales=dict.fromkeys("xcm", 1.0),
    )
    image = compile_graph(network, config)
    x = np.full((2, 6, 5, 8), 3, np.int8)
    convolution, pooling = explain_graph(image, config, x)
    assert (convolution.node, convolution.kind, convolution.form) == ("c", "convolution", "direct")
    assert convolution.work["forward"] == 30 * 8
    assert convolution.work["backward"] == 30 * 8
    assert convolution.work["lanes"] == 30 * image.layers[0]["entries"]
    assert convolution.bound == "lanes"
    assert convolution.multiplications == 30 * 9 * 8 * 8
    assert convolution.ideal_dense_cycles(config) == 30 * 9 * 64 / config.n_multipliers
    assert convolution.cycles is not None
    assert convolution.cycles > convolution.work["lanes"]
    assert pooling.work == {"forward": 0, "lanes": 0, "backward": 0, "window": 3 * 2 * 8 * 4}
    assert (pooling.bound, pooling.multiplications, pooling.n_bytes) == ("window", 0, 0)
    assert convolution.n_bytes == image.stored_bytes - len(
        image.sections[image.segments[0].sections["descriptor"]].data
    )


def test_work_of_a_depthwise_convolution_on_the_lanes() -> None:
    """Two rows of pairs on 3 lanes: each pixel loads them and has nine taps for each row, all lanes at once."""
    config = CONFIGS["small"]
    node = DepthwiseConvolution(
        name="d",
        inputs=("x",),
        channels=11,
        coefficients=np.full((11, 9), 5),
        window=Window((3, 3), (1, 1), ((1, 1), (1, 1))),
        bias=np.zeros(11, int),
        multiplier=1,
        shift=7,
        row_shift=0,
    )
    network = GraphNetwork(
        name="n", input_name="x", input_shape=(6, 5, 11), nodes=(node,), scales={"x": 1.0, "d": 1.0}
    )
    image = compile_graph(network, config)
    (plan,) = explain_graph(image, config, np.full((2, 6, 5, 11), 3, np.int8))
    assert (plan.kind, plan.form) == ("depthwise", "depthwise on lanes")
    assert plan.work == {
        "forward": 30 * 12,
        "lanes": 30 * (6 + 2 * 9),
        "backward": 30 * 12,
        "window": 0,
    }
    assert plan.multiplications == 30 * 11 * 9
    assert image.layers[0]["entries"] == 2 * 9
    assert plan.cycles > 30 * 24


def test_every_node_is_explained() -> None:
    for seed in range(4):
        network = random_graph(seed)
        image = compile_graph(network, CONFIGS["small"])
        plans = explain_graph(image, CONFIGS["small"], random_graph_inputs(network, 2))
        assert [plan.node for plan in plans] == [node.name for node in network.nodes]
        assert sum(plan.n_passes for plan in plans) == image.n_layers
        assert all(max(plan.work.values()) > 0 for plan in plans)
