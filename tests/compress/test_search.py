# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The search: budgets, pruned points, storages, workers at the same time, and resuming after a kill."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("optuna", reason="the search is an extra: pip install 'spectramac[search]'")

import optuna
from optuna.trial import FixedTrial, TrialState
from tests.compress.clusters import N_CLASSES, clusters, trained

from spectramac.compiler.compile import compile_network
from spectramac.compress.datasets import TrainingData
from spectramac.compress.measure import predicted_cycles
from spectramac.compress.search import (
    NothingFoundError,
    best_trial,
    open_storage,
    open_study,
    search,
    work,
)
from spectramac.compress.search_demand import Demand
from spectramac.compress.search_problem import Problem
from spectramac.compress.search_space import Space
from spectramac.compress.training import Training
from spectramac.spec.config import preset

CONFIG = preset("small")
ROOT = Path(__file__).parents[2]


def problem(demand: Demand, **options) -> Problem:
    x_train, y_train = clusters(120, seed=3)
    x_validation, y_validation = clusters(100, seed=4)
    data = TrainingData(
        x_train=x_train,
        y_train=y_train,
        x_validation=x_validation,
        y_validation=y_validation,
        n_classes=N_CLASSES,
    )
    space = options.pop("space", Space(CONFIG))
    return Problem(layers=trained(), data=data, space=space, demand=demand, **options)


def in_process(given: Problem, storage: str, n: int) -> None:
    """As a worker does, but here: starting a process takes seconds."""
    work(given, storage, "spectramac", n, 0)


def techniques(*kinds: str, bits: int = 6, density: float = 0.5) -> dict[str, object]:
    params: dict[str, object] = {}
    for i, kind in enumerate(kinds):
        name = f"{len(kinds)}.{i}"
        params |= {f"{name}.technique": kind, f"{name}.bits": bits, f"{name}.density": density}
        params |= {f"{name}.block": 8, f"{name}.steps": "row"}
    return params


@pytest.mark.parametrize("kind", ["sft", "sft-lanes", "sft-complex", "circulant", "prune-lanes"])
@pytest.mark.parametrize("demand", [Demand(max_bytes=500), Demand(max_cycles=60)])
def test_a_budget_is_used_up_but_not_exceeded(kind, demand):
    found, choices = problem(demand).evaluate(FixedTrial(techniques(kind, "prune-pair")))
    image = compile_network(found.network, CONFIG)
    assert found.size.stored_bytes == image.stored_bytes
    assert found.size.cycles == predicted_cycles(image, CONFIG)
    # Masks are chosen anew on quantized inputs: words may differ by a few.
    assert demand.excess(found.size, 0, 0) <= 0.02
    assert demand.excess(found.size, 0, 0) > -0.25 or all(c.density == 1 for c in choices)


def test_a_budget_below_the_smallest_network_is_refused():
    with pytest.raises(ValueError, match="even the smallest densities exceed the budget by"):
        problem(Demand(max_bytes=100)).evaluate(FixedTrial(techniques("sft", "prune-pair")))


def test_the_first_layer_may_be_spectral():
    space = Space(preset("large"), image=(4, 8))
    trial = FixedTrial(
        {
            "2.0.technique": "spectral-input",
            "2.0.tile": 4,
            "2.0.bits": 8,
            "2.0.steps": "row",
            "2.0.density": 1.0,
            "2.1.technique": "rows-sft",
            "2.1.block": 8,
            "2.1.bits": 8,
            "2.1.steps": "layer",
            "2.1.density": 1.0,
        }
    )
    given = problem(Demand(max_loss=0.5), space=space)
    found, choices = given.evaluate(trial)
    assert choices[0].technique.name == "spectral-input-dense"
    assert found.accuracy >= given.reference - 2


@pytest.mark.parametrize(
    ("demand", "message"),
    [
        ({}, "exactly one of max_bytes, max_cycles and max_loss must be given, not none"),
        ({"max_bytes": 1, "max_loss": 1.0}, "not max_bytes, max_loss"),
        ({"max_bytes": 0}, "max_bytes must be above 0, not 0"),
        ({"max_loss": -1.0}, "max_loss must be above 0, not -1.0"),
    ],
)
def test_a_demand_is_one_limit(demand, message):
    with pytest.raises(ValueError, match=message):
        Demand(**demand)


def test_points_that_do_not_fit_are_pruned_with_the_reason(tmp_path):
    given = problem(Demand(max_loss=5.0), space=Space(CONFIG.replace(coefficient_depth=64)))
    in_process(given, str(tmp_path / "journal"), 8)
    study = open_study(given, str(tmp_path / "journal"), "spectramac")
    pruned = study.get_trials(states=(TrialState.PRUNED,))
    assert pruned
    assert all("needed" in t.user_attrs["reason"] for t in pruned)
    assert all("accuracy" in t.user_attrs for t in study.get_trials(states=(TrialState.COMPLETE,)))


def test_the_test_part_cannot_be_seen():
    assert not any("test" in name for name in TrainingData.__dataclass_fields__)


def test_another_problem_is_refused(tmp_path):
    storage = str(tmp_path / "journal")
    open_study(problem(Demand(max_bytes=500)), storage, "spectramac")
    with pytest.raises(ValueError, match=r"made with demand 'best accuracy within 500 bytes'"):
        open_study(problem(Demand(max_bytes=600)), storage, "spectramac")
    with pytest.raises(ValueError, match=r"made with seed 0, not 1"):
        open_study(problem(Demand(max_bytes=500), seed=1), storage, "spectramac")
    open_study(problem(Demand(max_bytes=600)), storage, "other")


def test_a_database_needs_a_url(tmp_path):
    with pytest.raises(ValueError, match=r"sqlite:///"):
        open_study(problem(Demand(max_bytes=500)), str(tmp_path / "a.db"), "spectramac")


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_a_waiting_trial_is_taken_once(tmp_path, kind):
    """Without locks of their own, SQLite's transactions give a trial to several workers."""
    storage = str(tmp_path / "journal") if kind == "journal" else f"sqlite:///{tmp_path}/s.db"
    study = optuna.create_study(storage=open_storage(storage), study_name="s")
    for i in range(20):
        study.enqueue_trial({"x": i})
    taken, together = [], threading.Barrier(4)

    def worker():
        mine = optuna.load_study(storage=open_storage(storage), study_name="s")
        together.wait()
        taken.extend(mine.ask().number for _ in range(5))

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(20))


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_two_workers_share_a_study_and_a_later_run_goes_on(tmp_path, kind):
    """The second run finds the trials of the first, and adds to them."""
    storage = str(tmp_path / "journal") if kind == "journal" else f"sqlite:///{tmp_path}/s.db"
    given = problem(Demand(max_bytes=500))
    result = search(given, storage, n_trials=8, jobs=2)
    first = result.study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
    assert 8 <= len(first) <= 9
    assert len({t.user_attrs["worker"] for t in first}) == 2
    spans = [(t.datetime_start, t.datetime_complete, t.user_attrs["worker"]) for t in first]
    assert any(a < d and c < b and u != v for a, b, u in spans for c, d, v in spans)  # overlap
    assert result.found.size.stored_bytes <= 500
    assert result.found.accuracy == result.trial.user_attrs["accuracy"] == result.trial.value
    complete = [t for t in first if t.state == TrialState.COMPLETE]
    best = max(t.value for t in complete if t.user_attrs["excess"] <= 0)
    assert result.trial.value == best

    in_process(given, storage, 11)
    later = open_study(given, storage, "spectramac").get_trials()
    assert sum(t.state.is_finished() for t in later) >= 11
    assert [t.params for t in later[:8]] == [t.params for t in result.study.get_trials()[:8]]


WORKER = """
    import sys
    sys.path[:0] = [{root!r}]
    from spectramac.compress.search import work
    from spectramac.compress.search_demand import Demand
    from tests.compress.test_search import problem
    work(problem(Demand(max_bytes=500)), {storage!r}, "spectramac", 100000, 5)
"""


def test_a_killed_worker_loses_only_its_own_trial(tmp_path):
    storage = str(tmp_path / "journal")
    given = problem(Demand(max_bytes=500))
    study = open_study(given, storage, "spectramac")
    code = textwrap.dedent(WORKER.format(root=str(ROOT), storage=storage))
    path = os.pathsep.join(sys.path)
    worker = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path})
    try:
        until = time.monotonic() + 300
        while len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) < 3:
            assert worker.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    before = [t for t in study.get_trials() if t.state.is_finished()]
    in_process(given, storage, len(before) + 2)
    after = [t for t in study.get_trials() if t.state.is_finished()]
    assert len(after) == len(before) + 2
    assert [(t.number, t.values, t.params) for t in before] == [
        (t.number, t.values, t.params) for t in after[: len(before)]
    ]


def test_nothing_found_says_how_near(tmp_path):
    given = problem(Demand(max_loss=0.0))
    object.__setattr__(given, "reference", 101.0)  # more than anything reaches
    in_process(given, str(tmp_path / "journal"), 2)
    study = open_study(given, str(tmp_path / "journal"), "spectramac")
    with pytest.raises(NothingFoundError, match=r"none of 2 trials meets the demand; the nearest"):
        best_trial(study)


def test_every_technique_alone_is_tried_first_and_the_choice_is_no_worse(tmp_path):
    given = problem(Demand(max_bytes=420))
    n = len(given.space.starting_points(2, trained=False))
    storage = str(tmp_path / "journal")
    in_process(given, storage, n + 2)
    study = open_study(given, storage, "spectramac")
    alone = [
        t.user_attrs["techniques"][0] for t in study.trials[:n] if "techniques" in t.user_attrs
    ]
    for name in ("sft-8x8-real", "sft-8x8-complex", "rows-sft-8", "circulant-8", "prune-pair"):
        assert name in alone
    chosen = best_trial(study)
    good = [t for t in study.trials if t.user_attrs.get("excess", 1) <= 0]
    assert chosen.value == max(t.value for t in good)
    found, _ = given.evaluate(FixedTrial(chosen.params))
    assert found.accuracy == chosen.value
    assert found.size.stored_bytes == chosen.user_attrs["stored_bytes"] <= 420
    again, _ = given.evaluate(FixedTrial(chosen.params))
    for a, b in zip(found.network.layers, again.network.layers, strict=True):
        np.testing.assert_array_equal(a.coefficients, b.coefficients)


def test_widths_are_trained_once_and_kept(tmp_path):
    pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")
    space = Space(CONFIG, widths=((8,),))
    given = problem(
        Demand(max_loss=5.0), space=space, teachers=tmp_path / "teachers", teacher_epochs=400
    )
    point = techniques("prune-pair", "prune-pair", bits=8, density=1.0)
    fixed = FixedTrial(point | {"widths": "8"})
    found, _ = given.evaluate(fixed)
    assert [layer.n_out for layer in found.network.layers] == [8, N_CLASSES]
    assert found.accuracy > 60
    (file,) = (tmp_path / "teachers").iterdir()
    assert file.name.startswith("dense-32-8-4-")
    made = file.stat().st_mtime_ns
    again, _ = given.evaluate(fixed)
    assert file.stat().st_mtime_ns == made
    assert again.accuracy == found.accuracy


def test_points_may_be_trained():
    """The same parameters give the same network, and a better one than without training."""
    pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")
    point = techniques("sft", "prune-pair", bits=4, density=0.3)
    demand = Demand(max_bytes=400)
    given = problem(demand, training=Training(epochs=100, rate=1e-2))
    found, _ = given.evaluate(FixedTrial(point))
    again, _ = given.evaluate(FixedTrial(point))
    assert found.accuracy > problem(demand).evaluate(FixedTrial(point))[0].accuracy + 2
    for a, b in zip(found.network.layers, again.network.layers, strict=True):
        np.testing.assert_array_equal(a.coefficients, b.coefficients)
