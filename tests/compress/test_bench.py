# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark: what it compares, how it goes on, and what its tables say."""

import json

import numpy as np
import pytest
from tests.compress.bench_cases import open_bench
from tests.compress.clusters import N_CLASSES, clusters
from tests.compress.conv_cases import NET, bars

from spectramac.compiler.compile import compile_network
from spectramac.compiler.graph_compile import compile_graph
from spectramac.compress import training
from spectramac.compress.bench import Settings
from spectramac.compress.bench_conv import ConvBench
from spectramac.compress.bench_dense import DenseBench
from spectramac.compress.bench_methods import bench_methods
from spectramac.compress.bench_report import introduction, markdown, write_report
from spectramac.compress.bench_results import Results, Target
from spectramac.compress.bench_rows import curves_of
from spectramac.compress.datasets import DataSet
from spectramac.compress.measure import Score, cross_entropy
from spectramac.compress.techniques import SpectralConv
from spectramac.model.batch import accuracy, quantize_input
from spectramac.model.graph_file import load_graph
from spectramac.model.graph_network import run_graph
from spectramac.model.layer import run_network
from spectramac.model.network import load_network
from spectramac.spec.config import preset

CONFIG = preset("small")
SETTINGS = Settings(config=CONFIG, epochs=2, teacher_epochs=60, rates=(1e-4, 1e-2), folds=1)


def data_set(*, is_image: bool = True) -> DataSet:
    parts = {}
    for i, name in enumerate(("train", "validation", "test")):
        parts[f"x_{name}"], parts[f"y_{name}"] = clusters(128, seed=i)
    return DataSet(
        name="clusters",
        shape=(4, 8),
        is_image=is_image,
        hidden=(16,),
        n_classes=N_CLASSES,
        split="by seed",
        **parts,
    )


def row(method: str, density: float, seed: int, percent: float, n_bytes: int) -> dict:
    return {
        "dataset": "clusters", "method": method, "density": density, "seed": seed, "rate": 0.01,
        "validation": 50.0, "accuracy": percent, "bytes": n_bytes, "multiplications": 700.0,
        "cycles": 10.0,
    }  # fmt: skip


ROWS = [
    row("a", 0.1, 0, 90.0, 4000),
    row("a", 0.1, 1, 92.0, 4200),
    row("a", 0.5, 0, 96.0, 9000),
    row("a", 0.5, 1, 94.0, 9000),
    row("b", 0.5, 0, 99.0, 20000),
    {"dataset": "clusters", "method": "b", "density": 0.9, "seed": 0, "refusal": "too large"},
]
DENSE = [
    {"dataset": "clusters", "seed": seed, "sizes": [4, 2], "split": "s", "passes": 3,
     "accuracy": 98.0 + seed, "float32_bytes": 40}
    for seed in (0, 1)
]  # fmt: skip
TABLES = {"dense": DENSE, "rates": [], "results": ROWS}


def test_fair_controls_are_among_the_methods():
    methods = bench_methods(data_set(), CONFIG)
    for name in ("prune-value-int8", "prune-pair-int4", "prune-lanes-int4", "sft-8x8-int4"):
        assert name in methods
        assert methods[name].quantization.bits == int(name[-1])
    assert "spectral-input-int4" in methods
    assert "spectral-input-int4" not in bench_methods(data_set(is_image=False), CONFIG)


def test_results_go_on_and_refuse_other_settings(tmp_path):
    path = tmp_path / "results.json"
    results = Results(path, SETTINGS.identity())
    results.add("results", **ROWS[0])
    again = Results(path, SETTINGS.identity())
    assert again.tables["results"] == [ROWS[0]]
    assert again.find("results", method="a", seed=0) == ROWS[0]
    assert again.find("results", method="a", seed=1) is None
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]
    other = Settings(config=CONFIG, epochs=3, teacher_epochs=60, rates=(1e-4, 1e-2))
    with pytest.raises(ValueError, match="made with epochs 2, not 3"):
        Results(path, other.identity())


def test_curves_have_a_score_for_every_seed():
    a, b = curves_of(ROWS)
    assert [p.value for p in a.points] == [0.5, 0.1]
    assert a.points[1].scores == (90.0, 92.0)
    assert a.points[1].stored_bytes == 4100
    assert [p.value for p in b.points] == [0.5]


def test_tables_state_means_spreads_and_refusals():
    text = markdown(TABLES, "Title", introduction(SETTINGS.identity(), "the command"))
    assert "| a | 0.1 | 91.00 | 1.41 (2) | 4100 | 700 | 10 | 0.01 |" in text
    assert "98.50 ± 0.71 % (2 seeds), 40 bytes of float32" in text
    assert "| a |  | 91.00 (4100) | 91.00 (4100) | 95.00 (9000) | 95.00 (9000) |" in text
    assert "| b |  |  |  |  |  |" in text
    assert "- b at 0.9: too large" in text
    assert "trained for 2 epochs" in text


def test_pictures(tmp_path):
    pytest.importorskip(
        "matplotlib", reason="pictures are an extra: pip install 'spectramac[plot]'"
    )
    written = write_report(TABLES, "Title", "how", tmp_path / "report.md")
    names = ["report.md", "clusters-bytes.svg", "clusters-multiplications.svg"]
    assert [p.name for p in written] == names
    assert "<svg" in written[1].read_text()


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return open_bench(tmp_path, monkeypatch, SETTINGS, data_set(), 512)


def test_every_figure_is_that_of_the_network_that_is_kept(bench):
    assert bench.passes == 4
    bench.run("sft-8x8-int8", Target(density=0.5), (0, 1))
    table = bench.results.tables
    assert [r["seed"] for r in table["dense"]] == [0, 1]
    rates = {r["rate"]: r["validation"] for r in table["rates"]}
    assert set(rates) == set(SETTINGS.rates)
    for found in table["results"]:
        assert rates[found["rate"]] == max(rates.values())
        network = load_network(bench.out / "networks" / found["network"])
        data = bench.data
        for part, x, y in (
            ("accuracy", data.x_test, data.y_test),
            ("validation", data.x_validation, data.y_validation),
        ):
            outputs = run_network(
                network, quantize_input(x, network.input_scale).astype(np.int64), data_width=16
            )
            assert accuracy(outputs, y) == found[part]
        assert compile_network(network, CONFIG).stored_bytes == found["bytes"]
    assert table["results"][0]["validation"] == max(
        rates.values()
    )  # the first seed, not trained anew
    assert table["results"][0]["accuracy"] > 60


def test_of_equal_accuracies_the_rate_of_the_lower_loss_is_chosen(bench, monkeypatch):
    scores = {1e-4: Score(75.0, 0.7), 1e-2: Score(75.0, 0.6)}
    monkeypatch.setattr(DenseBench, "_train", lambda _, *a: a[3])
    monkeypatch.setattr(DenseBench, "validate", lambda _, rate: scores[rate])
    target = Target(density=0.5)
    assert bench._choose_rate("prune-pair-int4", target, 0) == (1e-2, 1e-2)
    assert bench._choose_rate("prune-pair-int4", target, 0) == (1e-2, None)  # from the rows
    scores[1e-4] = Score(76.0, 0.9)
    assert bench._choose_rate("prune-lanes-int4", target, 0) == (1e-4, 1e-4)


def test_cross_entropy_is_that_of_the_definition():
    logits = np.array([[1.0, 2.0, 3.0], [1000.0, 0.0, 0.0]])
    wanted = -np.log(np.exp(2) / np.exp([1.0, 2, 3]).sum()) / 2
    assert cross_entropy(logits, np.array([1, 0])) == pytest.approx(wanted, abs=1e-12)


def test_a_stopped_run_goes_on(bench, monkeypatch):
    trained = []
    train = DenseBench._train

    def counted(self, method, density, seed, rate, budget):
        if len(trained) == 3:
            raise KeyboardInterrupt
        trained.append((seed, rate))
        return train(self, method, density, seed, rate, budget)

    monkeypatch.setattr(DenseBench, "_train", counted)
    with pytest.raises(KeyboardInterrupt):
        bench.run("prune-pair-int4", Target(density=0.5), (0, 1, 2))
    assert len(bench.results.tables["results"]) == 2
    monkeypatch.setattr(DenseBench, "_train", train)
    later = DenseBench(
        bench.data, SETTINGS, Results(bench.results.path, SETTINGS.identity()), bench.out
    )
    monkeypatch.setattr(DenseBench, "_train", lambda *a: (trained.append(a[3:]), train(*a))[1])
    later.run("prune-pair-int4", Target(density=0.5), (0, 1, 2))
    assert len(trained) == 4
    later.run("prune-pair-int4", Target(density=0.5), (0, 1, 2))
    assert len(trained) == 4
    assert len(json.loads(bench.results.path.read_text())["results"]) == 3


def test_what_does_not_fit_is_noted_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(DenseBench, "_train", lambda *a: pytest.fail("trained"))
    monkeypatch.setattr(
        DenseBench,
        "layers",
        lambda self, seed: [(np.ones((16, 32)), np.zeros(16)), (np.ones((4, 16)), np.zeros(4))],
    )
    settings = Settings(
        config=CONFIG.replace(coefficient_depth=64), epochs=1, teacher_epochs=1, folds=1
    )
    results = Results(tmp_path / "results.json", settings.identity())
    DenseBench(data_set(), settings, results, tmp_path).run(
        "prune-pair-int8", Target(density=1.0), (0, 1)
    )
    assert len(results.tables["results"]) == 2
    assert "layer 'fc1'" in results.tables["results"][0]["refusal"]


def image_set() -> DataSet:
    parts = {}
    for i, name in enumerate(("train", "validation", "test")):
        parts[f"x_{name}"], parts[f"y_{name}"] = bars(160, seed=i)
    return DataSet(
        name="bars",
        shape=NET.image,
        is_image=True,
        hidden=(),
        convolutions=NET.convolutions,
        n_classes=NET.n_classes,
        split="by seed",
        **parts,
    )


@pytest.fixture
def conv_bench(tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")
    monkeypatch.setattr(training, "MIN_EPOCH", 160)
    settings = Settings(config=CONFIG, epochs=4, teacher_epochs=50, rates=(1e-4, 1e-2), folds=1)
    return ConvBench(image_set(), settings, Results(tmp_path / "r.json", {}), tmp_path)


def test_convolutions(conv_bench):
    """The same protocol and table; figures are those of the trained network that is counted."""
    made = []
    train = ConvBench._train
    conv_bench._train = lambda *a: made.append(train(conv_bench, *a)) or made[-1]
    conv_bench.run("prune-conv-pair-int8", Target(density=0.5), (0, 1))
    conv_bench.run("spectral-conv-int4", Target(density=0.5), (0,))
    assert len(made) == 3 + 2
    table, data = conv_bench.results.tables, conv_bench.data
    assert [r["accuracy"] > 80 for r in table["dense"]] == [True, True]
    rates = {r["rate"]: r["validation"] for r in table["rates"][:2]}
    first = table["results"][0]
    assert rates[first["rate"]] == max(rates.values()) == first["validation"]
    chosen = made[conv_bench.settings.rates.index(first["rate"])]
    assert first["accuracy"] == accuracy(chosen.predict(data.x_test), data.y_test)
    assert first["bytes"] == chosen.cost(CONFIG).stored_bytes
    assert first["multiplications"] == chosen.cost(CONFIG).total_multiplications
    assert first["accuracy"] > 60
    count = len(made)
    conv_bench.run("prune-conv-pair-int8", Target(density=0.5), (0, 1))
    assert len(made) == count
    text = markdown(table, SETTINGS.identity(), "the command")
    assert "Dense network 8x8; 8 filters 5x5, 2x2 maximum; 16 filters" in text
    assert "those of the **fake-quantized PyTorch network**" in text
    spectral = table["results"][2]
    assert "golden_accuracy" not in spectral
    assert f"- spectral-conv-int4 is not exported: {spectral['not_run']}" in text
    line = next(line for line in text.splitlines() if line.startswith("| prune-conv-pair-int8 |"))
    assert line.split("|")[-3:-1] == ["  ", f" {first['rate']:g} "]  # no cycles


def test_integers_of_convolutions_are_those_of_the_network_that_is_kept(conv_bench):
    conv_bench.run("sft-conv-8x8-lanes-int4", Target(density=0.5), (0,))
    (row,) = conv_bench.results.tables["results"]
    network, data = load_graph(conv_bench.out / "networks" / row["graph"]), conv_bench.data
    x = quantize_input(data.x_test, network.input_scale).reshape(-1, 8, 8, 1)
    outputs = run_graph(network, x).reshape(len(x), -1)
    assert accuracy(outputs, data.y_test) == row["golden_accuracy"] > 60
    config = preset("conv").replace(n_lanes=CONFIG.n_lanes)
    assert compile_graph(network, config).stored_bytes == row["image_bytes"]
    text = markdown(conv_bench.results.tables, "Title", "how")
    figures = f"{row['golden_accuracy']:.2f} ± 0.00 | {row['accuracy']:.2f} | {row['image_bytes']} | {row['bytes']}"
    assert f"| sft-conv-8x8-lanes-int4 | at 0.5 | {figures} |" in text


def test_dense_convolutional_networks_are_kept(conv_bench, monkeypatch):
    layers = conv_bench.dense(0)
    monkeypatch.setattr(
        "spectramac.compress.train_conv_dense.train_dense_conv",
        lambda *_, **__: pytest.fail("trained"),
    )
    for (w, b), (again, bias) in zip(layers, conv_bench.dense(0), strict=True):
        np.testing.assert_array_equal(w, again)
        np.testing.assert_array_equal(b, bias)
    assert len(conv_bench.results.tables["dense"]) == 1


def test_what_suits_no_kernel_is_noted(conv_bench, monkeypatch):
    monkeypatch.setattr(ConvBench, "_train", lambda *a: pytest.fail("trained"))
    tiles = conv_bench.methods["spectral-conv-int4"].method
    object.__setattr__(tiles, "convolution", lambda *_: SpectralConv(4))
    conv_bench.run("spectral-conv-int4", Target(density=0.5), (0,))
    (row,) = conv_bench.results.tables["results"]
    assert "tile must be at least the kernel's size, 5 x 5, not 4" in row["refusal"]
