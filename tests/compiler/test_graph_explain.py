# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The plan of a compiled graph: every node once, work that agrees with counts made by hand."""

import numpy as np
from tests.graphs import CONFIGS, random_graph, random_graph_inputs
from tests.model.map_cases import random_layer

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compiler.graph_explain import explain_graph
from spectramac.model.convolution import Convolution
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


def test_every_node_is_explained() -> None:
    for seed in range(4):
        network = random_graph(seed)
        image = compile_graph(network, CONFIGS["small"])
        plans = explain_graph(image, CONFIGS["small"], random_graph_inputs(network, 2))
        assert [plan.node for plan in plans] == [node.name for node in network.nodes]
        assert sum(plan.n_passes for plan in plans) == image.n_layers
        assert all(max(plan.work.values()) > 0 for plan in plans)
