# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark of convolutional networks within budgets: bytes, figures of what is kept, and the mix."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.compress.conv_cases import NET
from tests.compress.test_bench import image_set

pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compress import training
from spectramac.compress.bench import Settings
from spectramac.compress.bench_graph import GraphBench
from spectramac.compress.bench_report import introduction, markdown
from spectramac.compress.bench_results import Results, Target
from spectramac.compress.size import graph_multiplications
from spectramac.model.batch import accuracy, quantize_input
from spectramac.model.graph_file import load_graph
from spectramac.model.graph_network import GraphNetwork, run_graph
from spectramac.model.map_node import Arithmetic
from spectramac.spec.config import preset

SETTINGS = Settings(
    config=preset("small"), epochs=8, teacher_epochs=40, rates=(1e-4, 1e-2), folds=1
)
BUDGET = 1400
TARGET = Target(budget=BUDGET)


def bench_in(folder: Path) -> GraphBench:
    results = Results(folder / "results.json", SETTINGS.identity())
    return GraphBench(image_set(), SETTINGS, results, folder)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GraphBench:
    monkeypatch.setattr(training, "MIN_EPOCH", 256)
    return bench_in(tmp_path)


def outputs(network: GraphNetwork, x: np.ndarray, config: Any) -> np.ndarray:
    maps = quantize_input(x, network.input_scale).reshape(-1, *network.input_shape)
    return run_graph(network, maps, Arithmetic.of(config)).reshape(len(x), -1)


@pytest.mark.parametrize("method", ["sft-8x8-lanes-int4", "prune-pair-int8", "filters-l2-int4"])
def test_a_row_is_what_the_network_that_is_kept_does(bench: GraphBench, method: str) -> None:
    bench.run(method, TARGET, (0,))
    (row,) = bench.results.tables["results"]
    network = load_graph(bench.out / "networks" / row["network"])
    assert row["bytes"] == compile_graph(network, bench.config).stored_bytes <= BUDGET
    data = bench.data
    assert row["accuracy"] == accuracy(outputs(network, data.x_test, bench.config), data.y_test)
    assert row["multiplications"] == sum(graph_multiplications(network))
    validation = outputs(network, data.x_validation, bench.config)
    assert row["validation"] == accuracy(validation, data.y_validation)
    rates = {
        r["rate"]: (r["validation"], -r["validation_loss"]) for r in bench.results.tables["rates"]
    }
    assert rates[row["rate"]] == max(rates.values())
    if method.startswith("filters"):
        assert network.shapes["conv1"][2] < NET.convolutions[0].n_out
    else:
        assert row["bytes"] >= 0.95 * BUDGET


def test_too_small_a_budget_is_refused_before_training(
    bench: GraphBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GraphBench, "_train", lambda *_: pytest.fail("trained"))
    bench.run("sft-8x8-int4", Target(budget=300), (0,))
    (row,) = bench.results.tables["results"]
    assert "bytes at least, at a density of" in row["refusal"]


def test_the_mix_begins_with_the_techniques_and_is_never_below_them(bench: GraphBench) -> None:
    pytest.importorskip("optuna", reason="the search is an extra: pip install 'spectramac[search]'")
    from spectramac.compress.search_mix import Mix

    singles = ("sft-8x8-lanes-int4", "filters-l2-int4")
    for method in singles:
        bench.run(method, TARGET, (0,))
    mix = Mix(bench, trials=2, finalists=2)
    mix.run(BUDGET, (0,))
    table = bench.results.tables
    trials = mix.study(BUDGET).trials
    known = [t for t in trials if "single" in t.user_attrs]
    assert [(t.user_attrs["single"], t.params["rate"]) for t in known] == [
        (method, rate) for method in singles for rate in SETTINGS.rates
    ]
    assert len(trials) == len(known) + 2
    assert [t.params["filters"] < 1 for t in known] == [False, False, True, True]
    rows = {row["method"]: row for row in table["results"]}
    assert rows["mix"]["validation"] >= max(rows[name]["validation"] for name in singles)
    assert rows["mix"]["bytes"] <= BUDGET
    for row in table["finalists"]:
        network = load_graph(bench.out / "networks" / row["network"])
        assert compile_graph(network, bench.config).stored_bytes == row["bytes"] <= BUDGET

    again = bench_in(bench.out)
    count = len(again.results.tables["results"])
    Mix(again, trials=2, finalists=2).run(BUDGET, (0,))
    assert len(again.results.tables["results"]) == count
    bench.dense(0)
    text = markdown(table, "Title", introduction(SETTINGS.identity(), "the command"))
    assert "A network graph, compiled for preset `conv`" in text
    assert "removal of neurons or filters" in text


def test_the_mix_has_no_folds(bench: GraphBench) -> None:
    settings = dataclasses.replace(SETTINGS, folds=2)
    folded = GraphBench(bench.data, settings, bench.results, bench.out)
    with pytest.raises(ValueError, match="must have a validation part, not folds"):
        folded.problem(BUDGET, 0)
