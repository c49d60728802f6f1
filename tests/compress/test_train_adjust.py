# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The loop that adjusts the density to bytes or to accuracy."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")

import torch
from tests.compress.training_cases import SHORT, chain, choices, task

from spectramac.compiler.compile import compile_network
from spectramac.compress.labelled import LabelledData
from spectramac.compress.train_adjust import DemandError, Round, adjust_to, scaled
from spectramac.spec.config import preset

CONFIG = preset("small")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def adjusted(name: str = "sft", **options: object) -> tuple[Round, list[Round]]:
    x, y = task()
    held, labels = task(200, seed=8)
    plans = choices(name, 0.5, bits=4)
    data = LabelledData(x[:100], held, labels)
    return adjust_to(
        chain(),
        plans,
        x,
        y,
        SHORT,
        0,
        validation=data,
        config=CONFIG,
        device="cpu",
        **options,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("name", ["sft", "low-rank"])
def test_bytes_are_met_and_used(name: str) -> None:
    least = 900
    best, rounds = adjusted(name, max_bytes=least)
    assert best.stored_bytes <= least
    assert best.stored_bytes > 0.85 * least
    assert best.stored_bytes == compile_network(best.network, CONFIG).stored_bytes
    fitting = [found for found in rounds if found.stored_bytes <= least]
    assert best.accuracy == max(found.accuracy for found in fitting)


def test_later_rounds_go_on_from_the_last() -> None:
    """With a first round alone trained, the others only change the density: accuracy does not fall to chance."""
    still = dataclasses.replace(SHORT, prune_epochs=0, tune_epochs=0)
    _, rounds = adjusted(min_accuracy=101.0 - 60, rounds=2, again=still)
    assert len(rounds) == 2
    first, second = (found.trained.student for found in rounds)
    assert second.first_densities == [choice.density for choice in first.choices]
    for old, new in zip(first.layers, second.layers, strict=True):
        assert torch.equal(old.stages[0].spectrum, new.stages[0].spectrum)


def test_an_earlier_round_is_gone_on_from() -> None:
    """As the second round after it, but it is not trained again."""
    _, rounds = adjusted(min_accuracy=80.0, rounds=2)
    told: list[Round] = []
    best, again = adjusted(min_accuracy=80.0, rounds=1, first=rounds[0], log=told.append)
    assert again[0] is rounds[0]
    assert told == again[1:]
    assert [found.factor for found in again] == [found.factor for found in rounds]
    assert again[1].accuracy == rounds[1].accuracy
    assert best in again
    for old, new in zip(rounds[1].network.layers, again[1].network.layers, strict=True):
        assert np.array_equal(old.coefficients, new.coefficients)


def test_an_earlier_round_may_be_all_that_is_wanted() -> None:
    _, (found,) = adjusted(max_bytes=100_000)
    enough = dataclasses.replace(found, factor=1.0, stored_bytes=890)
    best, rounds = adjusted(max_bytes=900, first=enough)
    assert rounds == [enough]
    assert best is enough


def test_accuracy_is_met_with_fewer_bytes() -> None:
    told: list[Round] = []
    best, rounds = adjusted(min_accuracy=80.0, rounds=3, log=told.append)
    assert told == rounds
    assert len(rounds) == 3
    assert best.accuracy >= 80
    assert best.factor < 1
    assert best.stored_bytes < rounds[0].stored_bytes
    good = [found.stored_bytes for found in rounds if found.accuracy >= 80]
    assert best.stored_bytes == min(good)


def test_all_of_it_is_enough() -> None:
    """A budget that even all coefficients do not fill needs one round."""
    best, rounds = adjusted(max_bytes=100_000)
    assert len(rounds) == 1
    assert best.factor == 2
    assert all(choice.density == 1 for choice in best.trained.student.choices)


def test_refusals() -> None:
    with pytest.raises(DemandError, match=r"at least 101 %; the best had [\d.]+ %"):
        adjusted(min_accuracy=101)
    with pytest.raises(DemandError, match=r"at most 10 bytes; the smallest took \d+"):
        adjusted(max_bytes=10, rounds=1)
    for demand in ({}, {"max_bytes": 1, "min_accuracy": 1.0}):
        with pytest.raises(ValueError, match="either max_bytes or min_accuracy"):
            adjusted(**demand)
    with pytest.raises(ValueError, match="rounds must be at least 1, not 0"):
        adjusted(max_bytes=1, rounds=0)


def test_scaled() -> None:
    plans = scaled(
        [
            dataclasses.replace(c, density=d)
            for c, d in zip(choices("sft"), (0.1, 0.4, 0.9), strict=True)
        ],
        2,
    )
    np.testing.assert_allclose([choice.density for choice in plans], [0.2, 0.8, 1.0])
