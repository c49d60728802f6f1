# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Compiled network graphs on the golden model give the bits of the graph, whatever fits the memories."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from tests.graphs import CONFIGS, random_graph, random_graph_inputs
from tests.model.map_cases import random_layer, small_node

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compiler.layout import CompileError
from spectramac.model.convolution import Convolution, FullyConnected
from spectramac.model.graph_network import GraphNetwork, run_graph
from spectramac.model.graph_program import run_graph_program
from spectramac.model.map_elementwise import Addition, MaxPooling
from spectramac.model.map_node import Arithmetic, MapNode, Shape
from spectramac.model.map_window import Window
from spectramac.model.network import Transform
from spectramac.spec.config import AcceleratorConfig, preset


def network_of(*nodes: MapNode, shape: Shape) -> GraphNetwork:
    names = ["x", *(node.name for node in nodes)]
    return GraphNetwork(
        name="n", input_name="x", input_shape=shape, nodes=nodes, scales=dict.fromkeys(names, 1.0)
    )


def differing(network: GraphNetwork, config: AcceleratorConfig, batch: int = 2) -> int:
    image = compile_graph(network, config)
    x = random_graph_inputs(network, min(batch, 2 * image.max_pairs))
    y = run_graph_program(config, image, x).outputs
    return int((y != run_graph(network, x, Arithmetic.of(config))).sum())


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", range(12))
def test_random_graphs(name: str, seed: int) -> None:
    assert differing(random_graph(seed), CONFIGS[name], batch=5) == 0


@pytest.mark.long
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", range(100, 180))
def test_more_random_graphs(name: str, seed: int) -> None:
    test_random_graphs(name, seed)


def test_a_network_that_fits_is_one_program_for_many_pairs() -> None:
    """Maps give way to later ones; the input is loaded and the output stored, nothing else."""
    nodes = [
        MaxPooling(
            name=f"m{i}",
            inputs=("x" if not i else f"m{i - 1}",),
            window=Window((2, 2), padding=((0, 1), (1, 0))),
        )
        for i in range(7)
    ]
    network = network_of(*nodes, shape=(8, 8, 4))
    image = compile_graph(network, CONFIGS["small"])
    (segment,) = image.segments
    assert segment.n_layers == 7
    assert [t.map for t in segment.loads] == ["x"]
    assert [t.map for t in segment.stores] == ["m6"]
    assert image.max_pairs == 4096 // (2 * 256)
    assert differing(network, CONFIGS["small"], batch=13) == 0


def test_weights_are_loaded_between_layers() -> None:
    """Layers that exceed coefficient memory together run one after the other; maps stay where they are."""
    rng = np.random.default_rng(0)
    nodes = [
        FullyConnected(
            name=f"f{i}",
            inputs=("x" if not i else f"f{i - 1}",),
            layer=random_layer(rng, 60, 60, Transform(), Transform()),
        )
        for i in range(5)
    ]
    network = network_of(*nodes, shape=(1, 1, 60))
    config = CONFIGS["small"].replace(coefficient_depth=1024)
    image = compile_graph(network, config)
    assert [segment.n_layers for segment in image.segments] == [1] * 5
    assert [len(s.loads) + len(s.stores) for s in image.segments] == [1, 0, 0, 0, 1]
    assert differing(network, config, batch=6) == 0


def test_a_layer_larger_than_coefficient_memory_is_cut() -> None:
    rng = np.random.default_rng(0)
    layer = random_layer(rng, 200, 90, Transform(), Transform())
    network = network_of(FullyConnected(name="f", inputs=("x",), layer=layer), shape=(2, 5, 20))
    config = CONFIGS["small"].replace(coefficient_depth=512)
    assert len(compile_graph(network, config).segments) > 3
    assert differing(network, config) == 0


def test_stripes_of_rows_see_their_halo() -> None:
    rng = np.random.default_rng(0)
    window = Window((5, 3), (2, 1), ((2, 1), (1, 1)))
    layer = random_layer(rng, 15 * 8, 8, Transform("fft1d", 8), Transform())
    node = Convolution(name="c", inputs=("x",), layer=layer, channels=6, window=window)
    network = network_of(node, shape=(23, 9, 6))
    config = CONFIGS["small"].replace(activation_depth=512)
    image = compile_graph(network, config)
    assert image.max_pairs == 1
    stripes = [segment.loads[0].rows for segment in image.segments if segment.loads]
    assert len(stripes) > 2
    assert all(first < end for (_, end), (first, _) in pairwise(stripes))
    assert differing(network, config, batch=2) == 0
    # The stripes have the same coefficients, stored and counted once.
    assert sum(layer["bytes"] > 0 for layer in image.layers) == 1
    assert len({segment.sections["coefficient"] for segment in image.segments}) == 1


def test_a_map_that_is_needed_later_waits_on_the_host() -> None:
    """A residual connection around layers that need all of the memory."""
    rng = np.random.default_rng(0)
    wide = Convolution(
        name="wide",
        inputs=("x",),
        channels=4,
        layer=random_layer(rng, 4, 28, Transform(), Transform()),
    )
    back = Convolution(
        name="back",
        inputs=("wide",),
        channels=28,
        layer=random_layer(rng, 28, 4, Transform(), Transform()),
    )
    total = Addition(name="sum", inputs=("first", "back"), multipliers=(16384, 16384), shift=15)
    first = small_node(
        name="first", channels=4, coefficients=np.ones((4, 1), int), bias=np.zeros(4, int)
    )
    nodes = (first, replace(wide, inputs=("first",)), back, total)
    network = network_of(*nodes, shape=(8, 8, 4))
    config = CONFIGS["small"].replace(activation_depth=2048)
    image = compile_graph(network, config)
    loaded = [t.map for s in image.segments for t in s.loads]
    stored = [t.map for s in image.segments for t in s.stores]
    assert "first" in loaded
    assert "first" in stored
    assert differing(network, config) == 0


def test_what_is_refused() -> None:
    network = random_graph(0)
    with pytest.raises(CompileError, match="configuration 'small' must have maps to run"):
        compile_graph(network, preset("small"))
    rng = np.random.default_rng(0)
    layer = random_layer(rng, 9 * 100, 10, Transform(), Transform())
    node = Convolution(name="c", inputs=("x",), layer=layer, channels=100, window=Window((3, 3)))
    config = CONFIGS["small"].replace(activation_depth=512)
    with pytest.raises(CompileError, match="layer 'c': activation memory for one output of a pair"):
        compile_graph(network_of(node, shape=(5, 5, 100)), config)
    pool = MaxPooling(name="m", inputs=("x",), window=Window((1, 256)))
    with pytest.raises(CompileError, match="layer 'm': extent of the window: 256 needed, 255"):
        compile_graph(network_of(pool, shape=(1, 300, 1)), CONFIGS["small"])
    big = replace(small_node(), bias=np.array([1 << 15, 0]))
    with pytest.raises(CompileError, match="layer 'd': bias must fit"):
        compile_graph(network_of(big, shape=(2, 2, 2)), CONFIGS["small"])
