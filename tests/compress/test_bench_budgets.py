# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark at equal bytes: budgets are used up and never exceeded, and what the report says about them."""

import numpy as np
import pytest
from tests.compress.bench_cases import open_bench
from tests.compress.clusters import N_CLASSES, clusters

from spectramac.compiler.compile import compile_network
from spectramac.compress.bench import Settings
from spectramac.compress.bench_budgets import equal_bytes
from spectramac.compress.bench_dense import DenseBench
from spectramac.compress.bench_results import Target
from spectramac.compress.bench_rows import curves_of
from spectramac.compress.datasets import DataSet
from spectramac.compress.outline import bisected
from spectramac.model.network import load_network
from spectramac.spec.config import preset

CONFIG = preset("small")
SETTINGS = Settings(config=CONFIG, epochs=2, teacher_epochs=20, rates=(1e-2,), folds=1)


def data_set() -> DataSet:
    parts = {}
    for i, name in enumerate(("train", "validation", "test")):
        parts[f"x_{name}"], parts[f"y_{name}"] = clusters(128, seed=i)
    return DataSet(
        name="clusters",
        shape=(4, 8),
        is_image=True,
        hidden=(64, 32),
        n_classes=N_CLASSES,
        split="by seed",
        **parts,
    )


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return open_bench(tmp_path, monkeypatch, SETTINGS, data_set())


@pytest.mark.parametrize(
    "method",
    [
        "sft-8x8-int4", "sft-8x8-lanes-int4", "sft-8x8-complex-int4", "prune-pair-int4",
        "prune-value-int8", "circulant-8-int4", "neurons-l2-int4",
    ],
)  # fmt: skip
def test_a_budget_is_used_up_and_never_exceeded(bench, method):
    for budget in (900, 1300):
        bench.run(method, Target(budget=budget), (0, 1))
        rows = [r for r in bench.results.tables["results"] if r["budget"] == budget]
        assert [r["seed"] for r in rows] == [0, 1]
        for row in rows:
            network = load_network(bench.out / "networks" / row["network"])
            assert compile_network(network, CONFIG).stored_bytes == row["bytes"]
            full = row["density"] == 1
            assert row["bytes"] <= budget
            # One neuron, or one block of a classifier, is some bytes.
            assert row["bytes"] > 0.85 * budget or full
            assert 0 < row["density"] <= 1


def test_budgets_too_small_are_noted_before_training(bench, monkeypatch):
    monkeypatch.setattr(DenseBench, "_train", lambda *a: pytest.fail("trained"))
    bench.run("prune-pair-int4", Target(budget=100), (0, 1))
    for row in bench.results.tables["results"]:
        assert row["refusal"].startswith("takes ")
        assert row["refusal"].endswith("bytes at least, at a density of 0.005")


def test_a_point_of_a_density_is_not_one_of_a_budget(bench):
    bench.run("neurons-l2-int4", Target(budget=900), (0,))
    (row,) = bench.results.tables["results"]
    bench.run("neurons-l2-int4", Target(density=row["density"]), (0,))
    assert len(bench.results.tables["results"]) == 2
    bench.run("neurons-l2-int4", Target(budget=900), (0,))
    bench.run("neurons-l2-int4", Target(density=row["density"]), (0,))
    assert len(bench.results.tables["results"]) == 2


def test_trained_masks_are_as_dense_as_the_network_may_be(bench):
    """Planned much too dense or much too sparse, the network still is just small enough."""
    for factor in (0.6, 1.6):
        density = factor * bench.density("prune-pair-int4", Target(budget=900), 0)
        network = bench._train("prune-pair-int4", density, 0, 1e-2, 900)
        assert 0.95 * 900 < compile_network(network, CONFIG).stored_bytes <= 900
    with pytest.raises(ValueError, match=r"at 0\.5 of the planned densities the network must fit"):
        bench._train("prune-pair-int4", 8 * density, 0, 1e-2, 900)


@pytest.mark.parametrize("largest", [0.01, 0.37, 2.0])
def test_bisection_finds_the_largest_that_fits(largest):
    tried = []

    def fits(value: float) -> bool:
        tried.append(value)
        return value <= largest

    found = bisected(fits, 0.005, 1.0)
    assert found <= largest
    assert found > 0.99 * min(largest, 1.0)
    assert found in tried


def test_a_target_is_a_density_or_a_budget():
    with pytest.raises(ValueError, match="a density or a budget"):
        Target()
    with pytest.raises(ValueError, match="a density or a budget"):
        Target(density=0.5, budget=900)


def rows(method: str, budget: int, percents: tuple[float, ...], multiplications: float, **more):
    return [
        {
            "dataset": "clusters", "method": method, "budget": budget, "density": 0.1 + seed / 100,
            "seed": seed, "rate": 0.01, "validation": 50.0, "accuracy": percent,
            "bytes": budget - seed, "multiplications": multiplications, "cycles": 10.0, **more,
        }
        for seed, percent in enumerate(percents)
    ]  # fmt: skip


ROWS = [
    *rows("sft-8x8-int4", 2000, (92.0, 94.0), 1100),
    *rows("prune-pair-int4", 2000, (90.0, 92.0), 1000),
    *rows("prune-lanes-int4", 2000, (80.0, 82.0), 900),
    *rows("neurons-l2-int4", 2000, (95.0, 97.0), 3000),
    *rows("mix", 2000, (95.5, 95.5), 2000, plan=["50 % of the hidden neurons", "pruned"]),
    *rows("sft-8x8-int4", 1000, (70.0, 70.0), 500),
    *rows("mix", 1000, (60.0, 60.0), 500, plan=["pruned"]),
    {
        "dataset": "clusters",
        "method": "prune-pair-int4",
        "budget": 1000,
        "seed": 0,
        "refusal": "no",
    },
]


def test_report_at_equal_bytes():
    text = "\n".join(equal_bytes(ROWS))
    assert text.index("### At most 1000 bytes") < text.index("### At most 2000 bytes")
    first = text.index("| neurons-l2-int4 | 96.00 | 1.41 (2) | 2000 | 3000 | 10 | 0.01 |")
    assert first < text.index("| sft-8x8-int4 | 93.00 | 1.41 (2) | 2000 | 1100 | 10 | 0.01 |")
    mix = "| 2000 | 95.50 ± 0.00 | 2000 | 96.00 ± 1.41 (neurons-l2-int4) | 3000 | -0.50 | 1.00 |"
    assert f"{mix} within the spread |" in text
    assert "| 70.00 ± 0.00 (sft-8x8-int4) | 500 | -10.00 | 0.00 | below |" in text
    assert "- 2000 bytes: 50 % of the hidden neurons; pruned" in text
    assert "| 2000 | sft-8x8-int4 | prune-pair-int4 | +2.00 | 1.10 |" in text
    assert "| 1000 | sft-8x8-int4 | 70.00 | " not in text
    assert (
        "- In 2000 bytes removal of neurons or filters (neurons-l2-int4) wins over everything in the"
        in text
    )
    assert "pruning of weights (" not in text
    assert equal_bytes([]) == []


def test_curves_have_a_point_for_every_budget():
    curve = next(c for c in curves_of(ROWS) if c.name == "sft-8x8-int4")
    assert [p.value for p in curve.points] == [2000, 1000]
    np.testing.assert_allclose([p.score for p in curve.points], [93, 70])
