# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Narrow networks behind a spectral input: plans, the teacher, training, results, and the run on the RTL."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")

from spectramac.compiler.compile import compile_network
from spectramac.compress import training
from spectramac.compress.bench import Settings
from spectramac.compress.bench_dense import DenseBench
from spectramac.compress.bench_narrow import CONFIG, INPUT_SCALE, PLANS, NarrowBench
from spectramac.compress.bench_results import Results, open_results
from spectramac.compress.data import digits
from spectramac.compress.datasets import DataSet
from spectramac.compress.train_conv_teacher import cached_conv_logits
from spectramac.compress.train_narrow import NarrowPlan
from spectramac.host.bench_rtl import check_network
from spectramac.host.bench_rtl import main as bench_rtl
from spectramac.model.network import load_network

PLAN = NarrowPlan(
    name="test", image=(8, 8), tile=8, bins=40, hidden=(30, 20), bits=6, float_epochs=4,
    tune_epochs=2, rate=2e-2,
)  # fmt: skip


def data_set() -> DataSet:
    """Some of scikit-learn's digits."""
    parts = digits()
    x, y = parts.x_train * INPUT_SCALE, parts.y_train
    return DataSet(
        name="digits",
        shape=(8, 8),
        is_image=True,
        hidden=(16,),
        n_classes=10,
        split="first ones",
        x_train=x[:600],
        y_train=y[:600],
        x_validation=x[600:800],
        y_validation=y[600:800],
        x_test=parts.x_test * INPUT_SCALE,
        y_test=parts.y_test,
    )


@pytest.fixture
def narrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NarrowBench:
    monkeypatch.setattr(training, "MIN_EPOCH", 1200)
    settings = Settings(config=CONFIG, epochs=0, teacher_epochs=2)
    results = Results(tmp_path / "results.json", settings.identity())
    return NarrowBench(DenseBench(data_set(), settings, results, tmp_path), 10)


def test_plans_keep_the_bins_they_name() -> None:
    for plan in (PLAN, *(p for plans in PLANS.values() for p in plans)):
        first, *rest = plan.choices()
        weights = plan.start(10, 0)[0][0]
        kept = first.technique.fit(weights, first.density).stages[0].mask
        assert kept.any(axis=0).sum() == plan.bins
        assert kept[:, kept.any(axis=0)].all()
        assert all(choice.density == 1 for choice in rest)


def test_start_is_he_initialization() -> None:
    layers = dataclasses.replace(PLAN, hidden=(400, 300)).start(10, 0)
    assert [w.shape for w, _ in layers] == [(400, 64), (300, 400), (10, 300)]
    for w, b in layers:
        assert w.var() == pytest.approx(2 / w.shape[1], rel=0.1)
        assert not b.any()


def test_teacher_is_trained_once(tmp_path: Path, narrow: NarrowBench) -> None:
    """The second time only a file is read."""
    data = narrow.bench.data
    versions = np.rint(data.x_train[None] * 127).astype(np.int8)
    seen: list[int] = []
    for _ in range(2):
        logits = cached_conv_logits(
            tmp_path, versions, data.y_train, data.shape, epochs=8, seed=0, width=4,
            progress=lambda done, of: seen.append(done),
        )  # fmt: skip
        assert logits.shape == (1, 600, 10)
        assert (logits[0].argmax(1) == data.y_train).mean() > 0.6
    assert seen == [1, 2, 3, 4, 5, 6, 7, 8]


def test_results_are_those_of_the_network_on_the_rtl(narrow: NarrowBench) -> None:
    """Training, figures, and 40 samples on the Verilated RTL, twice: the second time there is nothing to do."""
    bench = narrow.bench
    for _ in range(2):
        narrow.run(PLAN, (0,))
    (row,) = bench.results.tables["results"]
    assert row["accuracy"] > 80
    network = load_network(bench.out / "networks" / row["network"])
    assert compile_network(network, CONFIG).stored_bytes == row["bytes"]
    results, config = open_results(bench.results.path)
    assert config.identity() == CONFIG.identity()
    text = check_network(row, results, config, bench.data, 40)
    assert "40 images" in text
    assert "all outputs, counters, cycles and flags equal" in text
    (checked,) = results.tables["rtl"]
    assert checked["different"] == []
    assert checked["bytes"] == row["bytes"]


def test_without_a_validation_part_all_samples_train(narrow: NarrowBench) -> None:
    bench = narrow.bench
    bench.data = bench.data.merged("on folds")
    narrow.run(dataclasses.replace(PLAN, float_epochs=1, tune_epochs=1), (0,))
    (row,) = bench.results.tables["results"]
    assert narrow.versions.inputs.shape == (5, 800, 64)
    assert "validation" not in row


def test_rtl_needs_networks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(config=CONFIG, epochs=0, teacher_epochs=2)
    Results(tmp_path / "results.json", settings.identity()).add("rates", rate=1.0)
    with pytest.raises(SystemExit) as stop:
        bench_rtl([str(tmp_path)])
    assert stop.value.code == 1
    assert "has no networks" in capsys.readouterr().err
