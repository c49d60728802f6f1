# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Choosing on folds: every training sample is held out once a seed, the test part is never there, techniques and mix
are chosen by the same pooled score, and results are of networks that were trained on everything."""

import dataclasses
from itertools import combinations

import numpy as np
import pytest
from tests.compress.bench_cases import open_bench
from tests.compress.test_bench_budgets import CONFIG, data_set

from spectramac.compress.bench import MIN_VALIDATION, Settings
from spectramac.compress.bench_dense import DenseBench
from spectramac.compress.bench_results import Target
from spectramac.compress.measure import Score, measure
from spectramac.model.network import load_network

N_FOLDS = 3
SETTINGS = Settings(config=CONFIG, epochs=2, teacher_epochs=20, rates=(3e-3, 3e-2), folds=N_FOLDS)
BUDGET = 1000
SEEDS = (0, 1)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return open_bench(tmp_path, monkeypatch, SETTINGS, data_set())


def rows_of(x: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in x}


def test_small_validation_parts_are_replaced_by_folds():
    data = data_set()
    settings = Settings(config=CONFIG, epochs=1, teacher_epochs=1)
    assert len(data.y_validation) < MIN_VALIDATION
    assert settings.folds_of(data) == 3
    enough = -(-MIN_VALIDATION // len(data.y_validation))
    large = dataclasses.replace(data, y_validation=np.tile(data.y_validation, enough))
    assert settings.folds_of(large) == 1
    assert dataclasses.replace(settings, folds=1).folds_of(data) == 1
    with pytest.raises(ValueError, match="folds must be at least 1, not 0"):
        Settings(config=CONFIG, epochs=1, teacher_epochs=1, folds=0)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_training_sample_is_held_out_once(bench, seed):
    data, folds = data_set(), [fold.data for fold in bench.folds(seed)]
    everything = np.concatenate([data.x_train, data.x_validation])
    assert len(folds) == N_FOLDS
    held_out = [rows_of(fold.x_validation) for fold in folds]
    assert set.union(*held_out) == rows_of(everything) == rows_of(bench.data.x_train)
    for one, other in combinations(held_out, 2):
        assert not one & other
    for fold, held in zip(folds, held_out, strict=True):
        assert rows_of(fold.x_train) == rows_of(everything) - held
        assert len(fold.x_test) == len(fold.y_test) == 0
        parts = np.bincount(fold.y_validation) * N_FOLDS / np.bincount(bench.data.y_train)
        assert 0.9 < parts.min() <= parts.max() < 1.1


def test_folds_are_others_with_every_seed(bench):
    first, second = (rows_of(bench.folds(seed)[0].data.x_validation) for seed in SEEDS)
    assert first != second


def test_the_rate_is_chosen_by_the_pooled_score(bench, monkeypatch):
    """The higher rate is better in two of three folds, the lower one of all samples."""
    scores = {3e-3: [90.0, 90.0, 90.0], 3e-2: [91.0, 91.0, 80.0]}
    trained = []

    def train(self, method, density, seed, rate, budget):
        trained.append((len(self.data.y_train), rate))
        return self, rate

    def validate(self, network):
        fold, rate = network
        assert fold is self
        return Score(scores[rate][[f.data for f in bench.folds(0)].index(self.data)], 1.0)

    monkeypatch.setattr(DenseBench, "_train", train)
    monkeypatch.setattr(DenseBench, "validate", validate)
    monkeypatch.setattr(DenseBench, "figures", lambda *_: {"accuracy": 50.0, "bytes": 1})
    bench.run("prune-pair-int4", Target(density=0.5), (0,))
    (row,) = bench.results.tables["results"]
    n = len(bench.data.y_train)
    assert row["rate"] == 3e-3
    assert row["validation"] == pytest.approx(90.0)
    assert trained[-1] == (n, 3e-3)
    assert all(size < n for size, _ in trained[:-1])
    assert len(trained) == 2 * N_FOLDS + 1  # the chosen rate's folds are not trained again


def test_pooled_scores_weigh_samples_alike():
    found = Score.pooled([Score(100.0, 0.5), Score(50.0, 2.0)], [30, 10])
    assert found == Score(87.5, 0.875)
    thirds = [Score(100 * n / 3, 0.0) for n in (3, 2, 3, 1)]
    assert Score.pooled(thirds, [3] * 4) == Score.pooled(thirds[::-1], [3] * 4)


def test_networks_are_scored_on_what_they_did_not_see(bench):
    """The score of a row is that of networks trained again by hand, one a fold."""
    target = Target(budget=BUDGET)
    bench.run("sft-8x8-int4", target, SEEDS)
    assert [row["seed"] for row in bench.results.tables["dense"]] == list(SEEDS)
    for row in bench.results.tables["dense"]:
        assert row["split"].startswith("by seed; validation: 3 folds of the training samples, ")
    for row in bench.results.tables["results"]:
        right = 0.0
        for fold in bench.folds(row["seed"]):
            density = fold.density("sft-8x8-int4", target, row["seed"])
            network = fold._train("sft-8x8-int4", density, row["seed"], row["rate"], BUDGET)
            x, y = fold.data.x_validation, fold.data.y_validation
            right += measure(network, x, y, CONFIG).accuracy / 100 * len(y)
        assert row["validation"] == pytest.approx(100 * right / len(bench.data.y_train))


def test_a_mix_is_chosen_by_the_same_score(bench):
    pytest.importorskip("optuna", reason="searching is an extra: pip install 'spectramac[search]'")
    from optuna.trial import FixedTrial

    from spectramac.compress.search_mix import Mix

    bench.run("neurons-l2-int4", Target(budget=BUDGET), SEEDS)
    table = bench.results.tables
    for row in [*table["results"], *table["rates"]]:
        row["validation"] = 0.0  # any trial is better
    mix = Mix(bench, trials=1, finalists=1)
    mix.run(BUDGET, SEEDS)
    mixed = [r for r in table["results"] if r["method"] == "mix"]
    (best,) = mix._best(mix.study(BUDGET))
    for row in mixed:
        problem = mix.bench.problem(BUDGET, row["seed"])
        folds = [fold.evaluate(FixedTrial(best.params))[0].score for fold in problem.folds]
        n_samples = [len(fold.data.y_validation) for fold in problem.folds]
        assert Score.of(row) == Score.pooled(folds, n_samples)
        whole = dataclasses.replace(problem, folds=(), data=data_set_of_everything(bench))
        again = whole.evaluate(FixedTrial(best.params))[0].network
        kept = load_network(bench.out / "networks" / row["network"])
        figures = [bench.figures(network, "again") for network in (again, kept)]
        assert figures[0] == figures[1]


def data_set_of_everything(bench):
    """The merged training part, with something to validate on."""
    data = bench.data
    return dataclasses.replace(data, x_validation=data.x_train, y_validation=data.y_train)
