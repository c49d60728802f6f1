# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The search over a network graph: what layers choose from, budgets, the same point again, other processes."""

import pickle
from typing import Any

import numpy as np
import pytest
from tests.compress.conv_cases import bars
from tests.compress.small_graphs import changed, conv, trained

pytest.importorskip("optuna", reason="the search is an extra: pip install 'spectramac[search]'")

from optuna.trial import FixedTrial, TrialState

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compiler.graph_explain import explain_graph
from spectramac.compress.datasets import TrainingData
from spectramac.compress.graph_measure import graph_float_accuracy
from spectramac.compress.search import open_study, search, work
from spectramac.compress.search_demand import Demand
from spectramac.compress.search_graph import GraphProblem
from spectramac.compress.training import Training
from spectramac.graph.graph import Graph
from spectramac.model.batch import accuracy, quantize_input
from spectramac.model.graph_network import run_graph
from spectramac.model.map_node import Arithmetic
from spectramac.spec.config import preset

CONFIG = preset("conv")


def data() -> TrainingData:
    x, y = bars(400, seed=3)
    x_validation, y_validation = bars(100, seed=4)
    return TrainingData(
        x_train=x, y_train=y, x_validation=x_validation, y_validation=y_validation, n_classes=4
    )


def problem(demand: Demand, graph: Graph | None = None, **options: Any) -> GraphProblem:
    options = {"data": data(), "config": CONFIG, **options}
    return GraphProblem(graph=graph or trained(), demand=demand, **options)


def point(given: GraphProblem, kind: str, **others: Any) -> FixedTrial:
    """One technique for all layers that have it; the first of theirs for the others."""
    params: dict[str, Any] = {"filters": 1.0}
    for i, node in enumerate(given.layers):
        names = given.space.names(node)
        params[f"{i}.technique"] = kind if kind in names else names[0]
        params |= {f"{i}.bits": 6, f"{i}.density": 0.5}
    return FixedTrial(params | others)


def test_layers_choose_from_what_differs() -> None:
    given = problem(Demand(max_bytes=5000))
    space = given.space
    names = {node.name: space.names(node) for node in given.layers}
    every = [method.name for method in space.methods()]
    assert given.layer_names(len(names)) == list(names)
    assert "depth" not in names  # depthwise
    assert names["down"] == every
    assert "spectral-tiles" not in names["point"]  # a pixel has no spectrum
    assert names["classes"] == [every[0]]  # all prune its pairs
    trained_space = problem(Demand(max_bytes=5000), training=Training(1)).space
    assert [m.name for m in trained_space.methods()] == [n for n in every if n != "spectral-tiles"]


def test_a_start_is_one_technique_for_all_layers() -> None:
    """Also where a layer has it by the name of another."""
    given = problem(Demand(max_loss=100))
    methods = given.space.methods()
    points = given.starting_points()
    for number, method in enumerate(methods):
        choices = given.asked(FixedTrial(points[2 * number]))
        bits = choices[0].quantization.bits
        same = next(m for m in given.space.methods(bits) if m.name == method.name)
        assert [c.technique for c in choices] == [same.technique(node) for node in given.layers]
    assert [p["filters"] for p in points] == [1.0] * (2 * len(methods) + 2) + [0.5] * 2


@pytest.mark.parametrize(
    ("kind", "demand"),
    [
        ("sft-8x8", Demand(max_bytes=5000)),
        ("prune-lanes", Demand(max_bytes=5000)),
        ("spectral-tiles", Demand(max_bytes=5000)),
        ("sft-8x8", Demand(max_cycles=4000)),
        ("prune-lanes", Demand(max_cycles=3600)),
    ],
)
def test_a_budget_is_used_up_but_not_exceeded(kind: str, demand: Demand) -> None:
    given = problem(demand)
    trial = point(given, kind)
    found, choices = given.evaluate(trial)
    assert -0.1 <= demand.excess(found.size, 0, 0) <= 0
    densities = [choice.density for choice in choices]
    assert max(densities) == min(densities) != 0.5

    image = compile_graph(found.network, CONFIG)
    codes = quantize_input(given.data.x_validation.reshape(-1, 8, 8, 1), image.input_scale)
    plans = explain_graph(image, CONFIG, codes[:2])
    assert found.size.stored_bytes == image.stored_bytes
    assert found.size.cycles == sum(plan.cycles for plan in plans) / 2
    outputs = run_graph(found.network, codes, Arithmetic.of(CONFIG)).reshape(len(codes), -1)
    assert found.accuracy == accuracy(outputs, given.data.y_validation)


def test_relative_densities_stay() -> None:
    given = problem(Demand(max_bytes=4500))
    changes = {f"{i}.density": 0.2 for i in range(1, len(given.layers))}
    _, choices = given.evaluate(point(given, "prune-pair", **{"0.density": 0.4}, **changes))
    assert choices[0].density == pytest.approx(2 * choices[1].density)


def test_filters_go_first() -> None:
    given = problem(Demand(max_loss=100))
    graph, _ = given.plan(point(given, "prune-pair", filters=0.5))
    sizes = {node.name: len(node.weight) for node in graph.nodes if node.parameters}
    assert sizes["narrow"] == 3
    assert sizes["down"] == sizes["point"] == 16  # tied by the sum
    found, _ = given.evaluate(point(given, "prune-pair", filters=0.5))
    assert found.network.shapes["narrow"][2] == 3


def test_too_small_a_budget_is_refused() -> None:
    with pytest.raises(ValueError, match=r"even the smallest densities exceed the budget by \d+ %"):
        problem(Demand(max_bytes=100)).evaluate(point(problem(Demand(max_bytes=100)), "sft-8x8"))


def test_the_same_point_gives_the_same_network_in_another_process() -> None:
    given = problem(Demand(max_bytes=4000))
    sent = pickle.loads(pickle.dumps(given))
    assert sent.identity() == given.identity()
    a, b = (p.evaluate(point(p, "sft-8x8-lanes"))[0] for p in (given, sent))
    for x, y in zip(a.network.nodes, b.network.nodes, strict=True):
        if hasattr(x, "layer"):
            np.testing.assert_array_equal(x.layer.coefficients, y.layer.coefficients)
    assert (a.accuracy, a.size) == (b.accuracy, b.size)


def test_another_network_is_another_problem(tmp_path) -> None:
    given, storage = problem(Demand(max_bytes=4000)), str(tmp_path / "study.journal")
    open_study(given, storage, "s")
    other = changed(trained(), {"stem": conv("stem", "x", (8, 1, 3, 3), 1)})
    node = other.nodes[0]
    other = changed(other, {"stem": type(node)(**{**vars(node), "bias": node.bias + 1})})
    with pytest.raises(ValueError, match="was made with model and data"):
        open_study(problem(Demand(max_bytes=4000), other), storage, "s")


def test_a_search_is_never_below_a_technique_alone(tmp_path) -> None:
    given = problem(Demand(max_bytes=4500), min_bits=8)
    storage = str(tmp_path / "study.journal")
    n = len(given.starting_points())
    work(given, storage, "spectramac", n + 2, 0)
    result = search(given, storage, n_trials=n + 2)
    assert result.found.size.stored_bytes <= 4500
    trials = result.study.get_trials(states=(TrialState.COMPLETE,))
    tried = [{k: v for k, v in t.params.items() if k != "filters"} for t in trials]
    starts = [{k: v for k, v in p.items() if k != "filters"} for p in given.starting_points()]
    assert sum(start in tried for start in starts) >= n // 2
    assert result.found.accuracy == max(t.value for t in trials if t.user_attrs["excess"] <= 0)
    assert given.reference == graph_float_accuracy(
        trained(), given.data.x_validation, given.data.y_validation
    )


def test_what_is_trained_never_exceeds_a_budget_of_bytes() -> None:
    pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")
    demand = Demand(max_bytes=7000)
    given = problem(demand, training=Training(40))
    untrained = problem(demand)
    trial = point(given, "sft-8x8-lanes")
    found, _ = given.evaluate(trial)
    assert 0.9 * 7000 <= found.size.stored_bytes <= 7000
    assert found.accuracy > untrained.evaluate(point(untrained, "sft-8x8-lanes"))[0].accuracy
