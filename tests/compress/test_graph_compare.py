# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Comparison of techniques on a network graph: figures are those of the compiled network, refusals are kept."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from tests.compress.small_graphs import conv, dense, labelled, mixed, trained

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compiler.graph_explain import explain_graph
from spectramac.compress.candidates import Candidate, Comparison
from spectramac.compress.graph_codes import Form
from spectramac.compress.graph_compare import Attempt, GraphComparison
from spectramac.compress.graph_methods import GraphMethod, GraphPlan, graph_methods
from spectramac.compress.labelled import split_labelled
from spectramac.compress.quantize_graph import quantize_graph
from spectramac.compress.search_demand import Demand
from spectramac.compress.size import graph_multiplications, layers_cost
from spectramac.compress.techniques import (
    CirculantConv,
    LowRank,
    PrunedConv,
    Pruning,
    Quantization,
    Sft,
    SftConv,
    SpectralConv,
)
from spectramac.graph.evaluate import evaluate
from spectramac.graph.graph import Graph, Tensor
from spectramac.graph.node import Node
from spectramac.graph.nodes import Flatten, GlobalAveragePool, Softmax
from spectramac.model.batch import quantize_input
from spectramac.model.convolution import Convolution
from spectramac.model.depthwise import DepthwiseConvolution
from spectramac.model.graph_network import GraphNetwork, run_graph
from spectramac.model.map_node import Arithmetic
from spectramac.model.tiles import TileConvolution
from spectramac.spec.config import preset

CONFIG = preset("conv")
PAIRS = GraphMethod("pairs", lambda _: PrunedConv(), Pruning(), Pruning())


def comparison(**options: Any) -> GraphComparison:
    """Of the trained network on all methods, at two densities; ``options`` are others."""
    given = {"graph": trained(), "data": labelled(), "config": CONFIG, "densities": (1.0, 0.4)}
    return GraphComparison(**(given | options))


@lru_cache
def attempts() -> tuple[Attempt, ...]:
    return tuple(comparison().candidates())


def accuracy_of(network: GraphNetwork, x: np.ndarray, labels: np.ndarray) -> float:
    """Percent; of inputs of one channel and a network of one output pixel, whose maps are as they are."""
    codes = quantize_input(x.reshape(-1, 8, 8, 1), network.input_scale)
    y = run_graph(network, codes, Arithmetic.of(CONFIG)).reshape(len(x), -1)
    return float(100 * np.mean(y.argmax(axis=1) == labels))


def test_every_method_at_every_density() -> None:
    found = [(a.candidate.method, a.candidate.density) for a in attempts()]
    assert found == [(m.name, d) for m in graph_methods(CONFIG, 8) for d in (1.0, 0.4)]
    assert all(a.candidate.network is a.made.network for a in attempts() if a.made)
    assert not any(a.candidate.refusal for a in attempts())


@pytest.mark.parametrize("i", range(14))
def test_figures_are_those_of_the_compiled_network(i: int) -> None:
    candidate, data = attempts()[i].candidate, labelled()
    network = candidate.network
    assert isinstance(network, GraphNetwork)
    assert candidate.accuracy == accuracy_of(network, data.x, data.labels)
    image = compile_graph(network, CONFIG)
    assert candidate.stored_bytes == image.stored_bytes
    two = quantize_input(data.x[:2].reshape(2, 8, 8, 1), network.input_scale)
    plans = explain_graph(image, CONFIG, two)
    assert candidate.cycles == sum(plan.cycles for plan in plans) / 2
    assert (candidate.multiplications, candidate.fft_multiplications) == (
        graph_multiplications(network)
    )


def test_the_networks_are_those_of_the_plans() -> None:
    """Calibrated by the first part of the data, in the configuration's widths."""
    methods = {m.name: m for m in graph_methods(CONFIG, 8)}
    x = labelled().calibration.reshape(-1, 1, 8, 8)
    for attempt in attempts():
        c = attempt.candidate
        graph, forms = methods[c.method].plan(trained(), c.density, 8, x)
        assert attempt.forms == forms
        made = quantize_graph(graph, x, forms=forms, arithmetic=Arithmetic.of(CONFIG))
        assert attempt.made is not None
        assert dict(attempt.made.network.scales) == dict(made.network.scales)
        np.testing.assert_array_equal(attempt.made.run(x), made.run(x))


def test_less_density_is_smaller() -> None:
    for whole, less in zip(attempts()[::2], attempts()[1::2], strict=True):
        assert whole.candidate.stored_bytes is not None
        assert less.candidate.stored_bytes is not None
        assert less.candidate.stored_bytes < whole.candidate.stored_bytes
    accuracies = {a.candidate.method: a.candidate.accuracy for a in attempts()[::2]}
    before = comparison().float_accuracy
    assert before > 80
    assert accuracies["prune-pair"] == accuracies["prune-lanes"]  # the same network
    assert accuracies["prune-pair"] == pytest.approx(before, abs=5)


def test_float_accuracy() -> None:
    data = labelled()
    outputs = evaluate(trained(), data.x.reshape(-1, 1, 8, 8))
    right = outputs.argmax(axis=1) == data.labels
    assert comparison().float_accuracy == 100 * np.mean(right)


@pytest.mark.parametrize("end", ["map", "softmax"])
def test_networks_that_end_in_another_way(end: str) -> None:
    """In a map of one pixel; in a Softmax, which the host does. More samples than run at a time."""
    pool = GlobalAveragePool(name="mean", inputs=("a",))
    ends: dict[str, tuple[Node, ...]] = {
        "map": (pool,),
        "softmax": (
            pool,
            Flatten(name="flat", inputs=("mean",)),
            dense("y", "flat", (4, 4)),
            Softmax(name="p", inputs=("y",)),
        ),
    }
    nodes = (conv("a", "x", (4, 1, 3, 3)), *ends[end])
    graph = Graph(name=end, input=Tensor(name="x", shape=(1, 8, 8)), nodes=nodes)
    x = np.random.default_rng(3).normal(size=(400, 64))
    labels = evaluate(graph, x.reshape(-1, 1, 8, 8)).reshape(400, 4).argmax(axis=1)
    assert len(set(labels.tolist())) > 1
    data = split_labelled(x, labels)
    compared = comparison(graph=graph, data=data, densities=(1.0,), methods=[PAIRS])
    assert compared.float_accuracy == 100
    (attempt,) = compared.candidates()
    network = attempt.candidate.network
    assert isinstance(network, GraphNetwork)
    assert attempt.candidate.accuracy == accuracy_of(network, data.x, data.labels)
    assert attempt.candidate.accuracy > 70


def test_what_does_not_fit_is_kept_with_its_reason() -> None:
    config = CONFIG.replace(coefficient_depth=64)
    found = list(comparison(config=config, densities=(1.0, 0.1), methods=[PAIRS]).candidates())
    assert [a.candidate.network is None for a in found] == [True, False]
    refused = found[0].candidate
    assert "memory 'coefficient': 72 words are needed" in refused.refusal
    assert (refused.method, refused.density) == ("pairs", 1.0)
    figures = (refused.accuracy, refused.stored_bytes, refused.multiplications, refused.cycles)
    assert figures == (None,) * 4
    assert (found[0].made, found[0].graph, dict(found[0].forms)) == (None, None, {})
    whole = Comparison(tuple(a.candidate for a in found), 0.0)
    assert [len(curve.points) for curve in whole.curves()] == [1]


@pytest.mark.parametrize(
    ("method", "config", "message"),
    [
        (PAIRS, CONFIG.replace(accumulator_width=18), "layer 'down': accumulators must fit"),
        (replace(PAIRS, dense=LowRank()), CONFIG, "makes more than one stage"),
        (
            GraphMethod("tiles", lambda _: SpectralConv(4), Pruning(), Pruning()),
            CONFIG,
            "tile must be at least the kernel's size, 5 x 5, not 4|its kernel is .5, 5. and the tiles are 4 x 4",
        ),
    ],
    ids=["widths", "technique", "tiles"],
)
def test_refusals(method: GraphPlan, config: Any, message: str) -> None:
    (found,) = comparison(config=config, densities=(0.5,), methods=[method]).candidates()
    assert found.candidate.network is None
    with pytest.raises(ValueError, match=message):
        raise ValueError(found.candidate.refusal)


def test_settings_reach_the_networks() -> None:
    (found,) = comparison(densities=(0.5,), methods=[PAIRS], bits=5, input_scale=0.02).candidates()
    assert found.made is not None
    assert found.made.network.input_scale == 0.02
    assert {form.quantization for form in found.forms.values()} == {Quantization(5, "row")}


def test_progress_is_told_of_every_candidate() -> None:
    told: list[tuple[int, int]] = []
    list(comparison(methods=[PAIRS]).candidates(lambda *done: told.append(done)))
    assert told == [(100, 200), (200, 200)]


@pytest.mark.parametrize(
    ("demand", "met"),
    [
        (Demand(max_bytes=1000), True), (Demand(max_bytes=999), False), (Demand(max_cycles=50), True),
        (Demand(max_cycles=49), False), (Demand(max_loss=2), True), (Demand(max_loss=1.9), False),
    ],
)  # fmt: skip
def test_a_candidate_meets_a_demand(demand: Demand, met: bool) -> None:
    assert Candidate("m", 1.0, None, 88.0, 1000, 0, 0.0, 50.0).meets(demand, 90.0) == met
    assert not Candidate("m", 1.0, refusal="too large").meets(demand, 90.0)


def stub(monkeypatch: pytest.MonkeyPatch, accuracy: Callable[[float], float]) -> list[float]:
    """Candidates of 1000 bytes times their density; gives the densities that are tried."""
    tried: list[float] = []

    def attempt(_: Any, method: GraphPlan, name: str, density: float, progress: Any) -> Attempt:
        tried.append(density)
        assert (method.name, name) == ("pairs", "pairs-adjusted")
        figures = (accuracy(density), round(1000 * density), 0, 0.0, 0.0)
        return Attempt(Candidate(name, density, None, *figures))

    monkeypatch.setattr(GraphComparison, "attempt", attempt)
    monkeypatch.setattr(GraphComparison, "float_accuracy", 90.0)
    return tried


LADDER = (1.0, 0.5, 0.25)


def adjusted(best: float, demand: Demand, rounds: int) -> list[Candidate]:
    compared = comparison(densities=LADDER, methods=[PAIRS])
    first = Candidate("pairs", best, None, 89.0, round(1000 * best), 0, 0.0, 0.0)
    return [a.candidate for a in compared.adjust(first, demand, rounds)]


def test_adjusting_to_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Upwards: halves the way from 1/4 to 1/2, on a logarithmic scale, towards 400 bytes."""
    tried = stub(monkeypatch, lambda _: 90.0)
    found = adjusted(0.25, Demand(max_bytes=400), 6)
    exponents = [-1.5, -1.25, -1.375, -1.3125, -1.34375, -1.328125]
    assert tried == pytest.approx([2.0**e for e in exponents])
    met = [c.density for c in found if c.stored_bytes is not None and c.stored_bytes <= 400]
    assert met == sorted(met)
    assert max(met) == pytest.approx(0.4, rel=0.02)
    assert [c.density for c in found] == tried


def test_adjusting_to_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """Downwards from 1/2 to 1/4; below the ladder, to the half."""
    tried = stub(monkeypatch, lambda density: 90 + 10 * np.log2(density))
    adjusted(0.5, Demand(max_loss=12), 4)
    assert tried == pytest.approx([2.0**e for e in (-1.5, -1.25, -1.125, -1.1875)])
    tried.clear()
    adjusted(0.25, Demand(max_loss=24), 3)
    assert tried == pytest.approx([2.0**e for e in (-2.5, -2.25, -2.375)])


def test_nothing_to_adjust(monkeypatch: pytest.MonkeyPatch) -> None:
    """All coefficients fit already; no rounds."""
    tried = stub(monkeypatch, lambda _: 90.0)
    assert adjusted(1.0, Demand(max_bytes=4000), 5) == []
    assert adjusted(0.25, Demand(max_bytes=400), 0) == []
    assert tried == []


def test_adjusting_for_real() -> None:
    """What is refused does not meet the demand."""
    config = CONFIG.replace(coefficient_depth=64)
    compared = comparison(config=config, densities=(1.0, 0.1), methods=[PAIRS])
    *_, best = (a.candidate for a in compared.candidates())
    found = [a.candidate for a in compared.adjust(best, Demand(max_bytes=20_000), 3)]
    densities = [c.density for c in found]
    for i, c in enumerate(found[:-1]):
        assert (densities[i + 1] > c.density) == (not c.refusal)
    assert {bool(c.refusal) for c in found} == {True, False}
    assert {c.method for c in found} == {"pairs-adjusted"}


def forms_of(form: Form, *names: str, graph: Graph | None = None) -> GraphNetwork:
    """The network with one form for some layers."""
    used = graph or mixed()
    x = np.random.default_rng(0).normal(size=(4, *used.input.shape))
    return quantize_graph(used, x, forms=dict.fromkeys(names, form)).network


def test_multiplications_of_dense_weights() -> None:
    """One for each, at every position; all layers have an even number of outputs."""
    positions = {"stem": 64, "down": 16, "depth": 16, "point": 16, "narrow": 16}
    sizes = {"stem": 8 * 9, "down": 16 * 72, "depth": 16 * 9, "point": 16 * 16, "narrow": 6 * 400}
    products = sum(positions[name] * sizes[name] for name in sizes) + 54 * 96 + 96 * 4
    assert graph_multiplications(forms_of(Form())) == (products, 0)


def test_multiplications_of_what_is_kept() -> None:
    """A quarter of the pairs of one layer; none is zero in 8 bits here."""
    whole, _ = graph_multiplications(forms_of(Form()))
    network = forms_of(Form(PrunedConv(), 0.25), "down")
    (node,) = [n for n in network.nodes if n.name == "down"]
    assert isinstance(node, Convolution)
    q = node.layer.coefficients
    pairs = sum(bool(a or b) for a, b in zip(q[0::2].flat, q[1::2].flat, strict=True))
    assert pairs == 16 // 2 * 72 // 4
    assert graph_multiplications(network) == (whole - 16 * (16 * 72 - 2 * pairs), 0)


def test_multiplications_of_transforms() -> None:
    """Eight points take four multiplications, half of them for one inference: once for each block of a pixel."""
    whole, _ = graph_multiplications(forms_of(Form()))
    down, point = 64 * 1 + 16 * 2, 16 * 2 + 16 * 2
    network = forms_of(Form(SftConv(8, 8)), "down", "point")
    assert graph_multiplications(network) == (whole, 2 * (down + point))
    hidden = 56 // 8 + 96 // 8
    products, transforms = graph_multiplications(forms_of(Form(Sft(8, 8)), "hidden"))
    assert transforms == 2 * hidden
    assert products == whole + 96 * 2  # 54 inputs are padded to 56
    only_in = graph_multiplications(forms_of(Form(SftConv(8, 0)), "down"))
    assert only_in == (whole, 2 * 64)


def test_multiplications_of_circulant_blocks() -> None:
    """A block of eight has three complex bins of four, and two real ones: each a pair with a zero in it."""
    whole, _ = graph_multiplications(forms_of(Form()))
    network = forms_of(Form(CirculantConv(8)), "down")
    kept = 9 * 2 * (3 * 4 + 2 * 2)
    assert graph_multiplications(network)[0] == whole - 16 * (16 * 72 - kept)
    (node,) = [n for n in network.nodes if n.name == "down"]
    assert isinstance(node, Convolution)
    assert layers_cost([node.layer], CONFIG).multiplications == kept


@pytest.mark.parametrize("side", [4, 8])
def test_multiplications_of_tiles(side: int) -> None:
    """Kernels of 3 x 3 on 8 x 6 pixels, padded; tiles give 2 x 2 or 6 x 6 outputs, the last ones fewer."""
    graph = Graph(
        name="tiles",
        input=Tensor(name="x", shape=(3, 8, 6)),
        nodes=(conv("c", "x", (5, 3, 3, 3), 1),),
    )
    tiles = {4: 4 * 3, 8: 2 * 1}[side]
    network = forms_of(Form(SpectralConv(side)), "c", graph=graph)
    # 4 x 4: no factors but 1 and -j; 8 x 8: each of 16 rows and columns as eight points above.
    factors = {4: 0, 8: 16 * 4}[side]
    joint = side * side // 2 - 2
    products, transforms = graph_multiplications(network)
    assert products == tiles * 5 * 3 * (4 * joint + 2 * 2)
    assert transforms == tiles * (3 + 5) * factors / 2
    (node,) = network.nodes
    assert isinstance(node, TileConvolution)
    q = node.coefficients.copy()
    q[0, 0, 1] = q[4, 2, 0] = 0  # a complex bin and a pair of real ones
    sparse = replace(network, nodes=(replace(node, coefficients=q),))
    assert graph_multiplications(sparse)[0] == products - tiles * (4 + 2)


def test_multiplications_of_depthwise_layers() -> None:
    """Two filters for each of three channels, every tap at every position; in tiles too."""
    graph = Graph(
        name="depthwise",
        input=Tensor(name="x", shape=(3, 9, 7)),
        nodes=(conv("c", "x", (6, 1, 3, 2), groups=3, stride=(2, 1)),),
    )
    network = forms_of(Form(), graph=graph)
    assert isinstance(network.nodes[0], DepthwiseConvolution)
    assert graph_multiplications(network) == (4 * 6 * 6 * 6, 0)
    tiled = forms_of(Form(SpectralConv(8)), "c", graph=graph)
    # Tiles of 3 x 7 outputs: two cover the 4 x 6.
    assert graph_multiplications(tiled) == (2 * 6 * (30 * 4 + 4), 2 * (3 + 6) * 64 / 2)
