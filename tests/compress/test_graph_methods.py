# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Methods for network graphs: which technique each layer gets, what stays whole, and that the engine runs it."""

from itertools import pairwise

import numpy as np
import pytest
from tests.compress.small_graphs import conv, dense, images, mixed, relu

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compress.graph_codes import kernel_4d
from spectramac.compress.graph_methods import (
    FilterMethod,
    GraphMethod,
    GraphPlan,
    compressible,
    graph_methods,
)
from spectramac.compress.lanes import entries_per_lane
from spectramac.compress.quantize_graph import quantize_graph
from spectramac.compress.techniques import (
    BlockCirculant,
    CirculantConv,
    PrunedConv,
    Pruning,
    Quantization,
    Selection,
    Sft,
    SftConv,
    SpectralConv,
)
from spectramac.graph.evaluate import evaluate
from spectramac.graph.graph import Graph, Tensor
from spectramac.graph.nodes import Conv, Dense, GlobalAveragePool
from spectramac.model.map_node import Arithmetic
from spectramac.spec.config import preset

CONFIG = preset("conv")
METHODS = {method.name: method for method in graph_methods(CONFIG, 8)}
LANES = Selection("lanes", 8, 255)
LAYERS = ["down", "point", "narrow", "hidden", "classes"]
"""Of :func:`mixed`, without the small first layer and the depthwise one."""
EXACT = ("sft-8x8-lanes", "sft-8x8", "prune-lanes", "prune-pair", "filters-l2")
"""Compute the network up to rounding, if they keep all coefficients."""

# down has stride 2; narrow has 5 x 5 taps and 6 filters; classes has 4 outputs.
TECHNIQUES = {
    "sft-8x8-lanes": (
        SftConv(8, 8, LANES, 2), SftConv(8, 8, LANES, 1), PrunedConv(LANES, 1), Sft(8, 8, selection=LANES),
    ),
    "sft-8x8": (SftConv(8, 8), SftConv(8, 8), PrunedConv(), Sft(8, 8)),
    "circulant-8": (CirculantConv(8), CirculantConv(8), PrunedConv(), BlockCirculant(8)),
    "prune-lanes": (PrunedConv(LANES, 2), PrunedConv(LANES, 1), PrunedConv(LANES, 1), Pruning(LANES)),
    "prune-pair": (PrunedConv(), PrunedConv(), PrunedConv(), Pruning()),
    "spectral-tiles": (SpectralConv(8), PrunedConv(LANES, 1), SpectralConv(8), Pruning(LANES)),
}  # fmt: skip


def sequence() -> Graph:
    """One spatial axis."""
    nodes = (
        conv("a", "x", (16, 8, 5), (2, 1), stride=(2,)),
        relu("a"),
        conv("b", "a.relu", (16, 16, 3), 1),
        relu("b"),
        GlobalAveragePool(name="mean", inputs=("b.relu",)),
    )
    return Graph(name="sequence", input=Tensor(name="x", shape=(8, 24)), nodes=nodes)


def test_names() -> None:
    assert list(METHODS) == [
        "sft-8x8-lanes", "sft-8x8", "circulant-8", "prune-lanes", "prune-pair", "filters-l2",
        "spectral-tiles",
    ]  # fmt: skip
    assert [m.name for m in METHODS.values() if not m.is_trainable] == ["spectral-tiles"]
    assert set(METHODS) == {*TECHNIQUES, "filters-l2"}
    assert isinstance(METHODS["filters-l2"], FilterMethod)


def test_small_and_depthwise_layers_stay_whole() -> None:
    """The first layer has 72 of 9448 weights, less than a fiftieth; the smallest that has more is compressed."""
    assert [node.name for node in compressible(mixed())] == LAYERS
    assert mixed().nodes[0].parameters["weight"].size == 72
    nodes = (conv("depth", "x", (16, 1, 7, 7), groups=16), conv("point", "depth", (4, 16, 1, 1)))
    graph = Graph(name="edge", input=Tensor(name="x", shape=(16, 8, 8)), nodes=nodes)
    assert [node.name for node in compressible(graph)] == ["point"]
    nodes = (dense("few", "x", (2, 10)), dense("many", "few", (490, 2)))
    graph = Graph(name="edge", input=Tensor(name="x", shape=(10,)), nodes=nodes)
    assert [node.name for node in compressible(graph)] == ["few", "many"]
    nodes = (dense("few", "x", (2, 10)), dense("many", "few", (491, 2)))
    graph = Graph(name="edge", input=Tensor(name="x", shape=(10,)), nodes=nodes)
    assert [node.name for node in compressible(graph)] == ["many"]


def test_layers_that_are_all_alike_are_not_small() -> None:
    """Each has a sixtieth of the weights."""
    names = ["x", *(f"n{i}" for i in range(60))]
    nodes = tuple(conv(b, a, (8, 8, 3, 3), 1) for a, b in pairwise(names))
    graph = Graph(name="deep", input=Tensor(name="x", shape=(8, 4, 4)), nodes=nodes)
    assert [node.name for node in compressible(graph)] == names[1:]


@pytest.mark.parametrize("name", TECHNIQUES)
def test_techniques(name: str) -> None:
    graph, forms = METHODS[name].plan(mixed(), 0.25, 8, images())
    assert [node.name for node in graph.nodes] == [node.name for node in mixed().nodes]
    expected = dict(zip(LAYERS, (*TECHNIQUES[name], Pruning()), strict=True))
    assert {layer: form.technique for layer, form in forms.items()} == expected
    assert {form.quantization for form in forms.values()} == {Quantization(8, "row")}


@pytest.mark.parametrize("name", TECHNIQUES)
@pytest.mark.parametrize("density", [0.5, 0.25])
def test_density_is_the_part_of_the_values(name: str, density: float) -> None:
    """In every layer, or less: circulant blocks of 8 hold an eighth."""
    graph, forms = METHODS[name].plan(mixed(), density, 8, images())
    for node in compressible(graph):
        technique, kept = forms[node.name].technique, forms[node.name].density
        assert technique is not None
        assert isinstance(node, Conv | Dense)
        weights = kernel_4d(node.weight) if isinstance(node, Conv) else node.weight
        size = 96 * 56 if isinstance(technique, Sft | BlockCirculant) else weights.size  # padded
        part = technique.fit(weights, kept).n_values / size
        if isinstance(technique, CirculantConv | BlockCirculant):
            assert (kept, part) == (1, 1 / 8)
        elif node.name == "narrow" and "lanes" in name:
            # A word of 8 lanes has 16 rows, of which 6 filters use few.
            assert part <= density
        else:
            assert part == pytest.approx(density, rel=0.02)
    low = METHODS["circulant-8"].plan(mixed(), 1 / 16, 8, images())[1]
    assert [low[layer].density for layer in LAYERS] == [1 / 2, 1 / 2, 1 / 16, 1 / 2, 1 / 16]
    tiles = METHODS["spectral-tiles"].plan(mixed(), density, 8, images())[1]
    assert tiles["down"].density == density * 9 / 64
    assert tiles["narrow"].density == density * 25 / 64


def test_filters_are_removed_by_the_root_of_the_density() -> None:
    """What stays is dense; where filters of one side only can go, half of the weights stay at density 1/4."""
    smaller, forms = METHODS["filters-l2"].plan(mixed(), 0.25, 5, images())
    assert list(forms) == LAYERS
    assert {(f.technique, f.density, f.quantization) for f in forms.values()} == {
        (None, 1.0, Quantization(5, "row"))
    }
    before, after = (
        {n.name: n.weight.size for n in g.nodes if isinstance(n, Conv | Dense)}
        for g in (mixed(), smaller)
    )
    assert after == {
        **before,
        **{name: before[name] // 2 for name in ("stem", "down", "narrow", "hidden")},
    }


@pytest.mark.parametrize("kernel", [(3, 3), (1, 3), (4, 4), (8, 8), (16, 1), (16, 16)])
def test_tiles_hold_the_kernel_and_some_outputs(kernel: tuple[int, int]) -> None:
    """The largest tiles are 16 x 16: for larger kernels, and without tiles, there is pruning."""
    side = {3: 4, 4: 8, 8: 16, 16: None}[max(kernel)]
    node = conv("c", "x", (8, 8, *kernel))
    method = METHODS["spectral-tiles"]
    assert isinstance(method, GraphMethod)
    expected = PrunedConv(LANES) if side is None else SpectralConv(side)
    assert method.technique(node) == expected


def test_a_configuration_without_tiles() -> None:
    names = [m.name for m in graph_methods(CONFIG.replace(log2_n_max=3, log2_axis_max=0), 8)]
    assert names == [name for name in METHODS if name != "spectral-tiles"]


def test_lanes_are_those_of_the_configuration() -> None:
    """Rows of coefficients of 4 bits are at most 15 apart."""
    config = CONFIG.replace(n_lanes=3)
    (method,) = [m for m in graph_methods(config, 4) if m.name == "prune-lanes"]
    _, forms = method.plan(mixed(), 0.5, 4, images())
    assert forms["down"].technique == PrunedConv(Selection("lanes", 3, 15), 2)
    assert forms["hidden"].quantization == Quantization(4, "row")


@pytest.mark.parametrize("stride", [1, 2])
def test_taps_that_read_a_pixel_share_whole_words(stride: int) -> None:
    """Every lane has as many pairs for a column and all taps of one residue; with the wrong stride it has not."""
    weights = np.random.default_rng(0).normal(size=(24, 8, 5, 3))
    balanced = []
    for told in (1, 2):
        technique = PrunedConv(Selection("lanes", 3), told)
        (stage,) = technique.fit(weights, 0.25).stages
        assert stage.mask.mean() == pytest.approx(0.25, abs=0.01)
        taps = stage.mask.reshape(24, 5, 3, 8)
        residues = [taps[:, y::stride, x::stride] for y in range(stride) for x in range(stride)]
        entries = [
            entries_per_lane(some.transpose(1, 2, 0, 3).reshape(-1, 8), 3) for some in residues
        ]
        balanced.append(all((e == e[:, :1]).all() for e in entries))
    assert balanced == [stride == 1, True]


@pytest.mark.parametrize("graph", [mixed(), sequence()], ids=lambda graph: graph.name)
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize(("density", "bits"), [(1.0, 8), (0.3, 4), (0.01, 8)])
def test_the_engine_runs_what_comes_out(
    method: GraphPlan, density: float, bits: int, graph: Graph
) -> None:
    x = np.random.default_rng(0).normal(size=(12, *graph.input.shape))
    planned, forms = method.plan(graph, density, bits, x)
    made = quantize_graph(planned, x, forms=forms, arithmetic=Arithmetic.of(CONFIG))
    image = compile_graph(made.network, CONFIG)
    assert image.stored_bytes > 0
    assert {name: made.coded[name].codes for name in forms}.keys() == forms.keys()
    widths = {c.bits if not hasattr(c, "t_in") else c.codes.bits for c in made.coded.values()}
    assert widths <= {bits, 8}


@pytest.mark.parametrize("name", EXACT)
def test_with_all_coefficients_it_computes_the_network(name: str) -> None:
    """Up to the rounding to 8 bits."""
    graph, x = mixed(), images(64)
    planned, forms = METHODS[name].plan(graph, 1.0, 8, x)
    made = quantize_graph(planned, x, forms=forms, arithmetic=Arithmetic.of(CONFIG))
    expected = evaluate(graph, x)
    error = made.run(x, Arithmetic.of(CONFIG)) - expected
    assert np.sqrt(np.mean(error**2) / np.mean(expected**2)) < 0.03
