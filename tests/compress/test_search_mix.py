# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The automatic mix: it begins with the single techniques, goes on after a stop, and never ends below them."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from tests.compress.test_bench_budgets import data_set

pytest.importorskip("optuna", reason="the search is an extra: pip install 'spectramac[search]'")
pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")

from optuna.trial import FixedTrial

from spectramac.compiler.compile import compile_network
from spectramac.compress import training
from spectramac.compress.bench import Settings
from spectramac.compress.bench_dense import DenseBench
from spectramac.compress.bench_methods import bench_methods
from spectramac.compress.bench_results import Results, Target
from spectramac.compress.measure import Score
from spectramac.compress.search_mix import Mix
from spectramac.compress.search_problem import Problem
from spectramac.compress.search_space import Space
from spectramac.model.network import load_network
from spectramac.spec.config import preset

CONFIG = preset("small")
SETTINGS = Settings(config=CONFIG, epochs=2, teacher_epochs=20, rates=(3e-3, 3e-2), folds=1)
BUDGET = 1000
SEEDS = (0, 1)
SINGLES = ("sft-8x8-int4", "neurons-l2-int4", "prune-value-int8")


def bench_in(folder) -> DenseBench:
    results = Results(folder / "results.json", SETTINGS.identity())
    return DenseBench(data_set(), SETTINGS, results, folder)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "MIN_EPOCH", 256)
    bench = bench_in(tmp_path)
    for method in SINGLES:
        bench.run(method, Target(budget=BUDGET), SEEDS)
    return bench


def test_the_mix_is_never_below_the_single_techniques(bench):
    Mix(bench, trials=2, finalists=1).run(BUDGET, SEEDS)
    table = bench.results.tables
    study = Mix(bench, trials=2, finalists=1).study(BUDGET)
    known = [t for t in study.trials if "single" in t.user_attrs]
    # Unstructured values are not in the space: the engine stores pairs.
    assert [(t.user_attrs["single"], t.params["rate"]) for t in known] == [
        (method, rate) for method in SINGLES[:2] for rate in SETTINGS.rates
    ]
    assert [t.value for t in known] == [
        r["validation"] for r in table["rates"] if r["method"] in SINGLES[:2]
    ]
    assert len(study.trials) == len(known) + 2
    assert study.best_value >= max(t.value for t in known)

    def mean(method: str) -> float:
        return float(np.mean([r["validation"] for r in table["results"] if r["method"] == method]))

    assert mean("mix") >= max(map(mean, SINGLES))
    mixed = [r for r in table["results"] if r["method"] == "mix"]
    assert [r["seed"] for r in mixed] == list(SEEDS)
    for row in [*mixed, *table["finalists"]]:
        network = load_network(bench.out / "networks" / row["network"])
        assert compile_network(network, CONFIG).stored_bytes == row["bytes"] <= BUDGET
        assert bench.validate(network) == Score.of(row)


def no_good(bench: DenseBench) -> None:
    """Make the single techniques so."""
    for row in [*bench.results.tables["results"], *bench.results.tables["rates"]]:
        row["validation"] = 0.0


def test_a_better_trial_is_the_mix(bench, monkeypatch):
    """Single techniques that were bad lose against any trial; then the figures are those of its networks."""
    no_good(bench)
    Mix(bench, trials=1, finalists=1).run(BUDGET, SEEDS)
    mixed = [r for r in bench.results.tables["results"] if r["method"] == "mix"]
    finalists = bench.results.tables["finalists"]
    assert [r["network"] for r in mixed] == [r["network"] for r in finalists]
    for row in mixed:
        network = load_network(bench.out / "networks" / row["network"])
        assert bench.figures(network, "again")["accuracy"] == row["accuracy"]
        assert len(row["plan"]) >= 3


@pytest.mark.parametrize("loss", [0.0, 100.0])
def test_of_equal_accuracies_the_lower_loss_is_the_mix(bench, monkeypatch, loss):
    """However few bytes the other takes."""
    validate = Problem.evaluate

    def all_right(self, trial):
        found, choices = validate(self, trial)
        return dataclasses.replace(found, accuracy=100.0, loss=loss), choices

    monkeypatch.setattr(Problem, "evaluate", all_right)
    for row in [*bench.results.tables["results"], *bench.results.tables["rates"]]:
        row |= {"validation": 100.0, "validation_loss": 1.0 + row["seed"], "bytes": 1}
        if row["method"] == SINGLES[1]:
            row["validation_loss"] = 0.5
    Mix(bench, trials=1, finalists=1).run(BUDGET, SEEDS)
    mixed = [r for r in bench.results.tables["results"] if r["method"] == "mix"]
    alone = [f"{SINGLES[1]} alone"]
    assert [row["plan"] == alone for row in mixed] == [loss > 0.5] * len(SEEDS)


def test_trials_below_the_single_techniques_are_trained_with_one_seed(bench, monkeypatch):
    for row in bench.results.tables["rates"]:
        row["validation"] = 101.0
    mix = Mix(bench, trials=2, finalists=2)
    assert mix._best(mix.study(BUDGET)) == []
    mix.run(BUDGET, SEEDS)
    assert bench.results.tables["finalists"] == []


def test_trials_are_trained_in_the_order_of_accuracy_then_loss(bench, monkeypatch):
    no_good(bench)
    evaluate = Problem.evaluate
    scores = iter([(80.0, 0.1), (90.0, 0.5), (90.0, 0.2)])

    def given(self, trial):
        found, choices = evaluate(self, trial)
        accuracy, loss = next(scores)
        return dataclasses.replace(found, accuracy=accuracy, loss=loss), choices

    monkeypatch.setattr(Problem, "evaluate", given)
    mix = Mix(bench, trials=3, finalists=2)
    best = mix._best(mix.study(BUDGET))
    assert [(t.value, t.user_attrs["loss"]) for t in best] == [(90.0, 0.2), (90.0, 0.5)]


def test_a_stopped_mix_goes_on(bench, monkeypatch):
    no_good(bench)
    made = []
    evaluate = Problem.evaluate

    def counted(self, trial):
        if len(made) == 1:
            raise KeyboardInterrupt
        made.append(trial)
        return evaluate(self, trial)

    monkeypatch.setattr(Problem, "evaluate", counted)
    with pytest.raises(KeyboardInterrupt):
        Mix(bench, trials=2, finalists=1).run(BUDGET, SEEDS)
    monkeypatch.setattr(Problem, "evaluate", lambda *a: (made.append(a[1]), evaluate(*a))[1])
    Mix(bench_in(bench.out), trials=2, finalists=1).run(BUDGET, SEEDS)
    assert len(made) == 2 + len(SEEDS)
    monkeypatch.setattr(Problem, "evaluate", lambda *_: pytest.fail("trained again"))
    again = bench_in(bench.out)
    Mix(again, trials=2, finalists=1).run(BUDGET, SEEDS)
    assert sum(r["method"] == "mix" for r in again.results.tables["results"]) == len(SEEDS)


def test_a_mix_without_anything_is_refused(bench):
    Mix(bench, trials=1, finalists=1).run(100, SEEDS)
    refused = [r for r in bench.results.tables["results"] if r["method"] == "mix"]
    assert [r["refusal"] for r in refused] == [
        "no technique and none of 1 trials stays within the budget"
    ] * len(SEEDS)


def test_parameters_of_choices_choose_them_again():
    """What a method does is in the space of the search, but for single values, which the engine stores as pairs."""
    data = data_set()
    space = Space(CONFIG, data.shape, neurons=True)
    rng = np.random.default_rng(5)
    sizes = data.sizes
    layers = [(rng.normal(size=(b, a)), np.zeros(b)) for a, b in pairwise(sizes)]
    outside = []
    for name, method in bench_methods(data, CONFIG).items():
        _, choices = method.plan(layers, 0.1, data.calibration)
        params = space.parameters_of(choices, 0.25)
        if params is None:
            outside.append(name.rsplit("-", 1)[0])
            continue
        trial = FixedTrial(params)
        assert space.neurons_of(trial) == 0.25
        found = space.choose(trial, len(layers))
        assert [c.technique for c in found] == [c.technique for c in choices]
        assert [c.quantization for c in found] == [c.quantization for c in choices]
        assert {c.density for c in found} == {0.5}
    assert set(outside) == {"prune-value", "spectral-input-prune"}
