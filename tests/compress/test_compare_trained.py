# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Comparison of trained candidates on digits: training helps, what trains is not what is measured, and adjusting."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")
pytest.importorskip("sklearn", reason="the digits are an extra: pip install 'spectramac[data]'")

import torch
from tests.compress.digits_case import dense, labelled

from spectramac.compiler.compile import compile_network
from spectramac.compress.compare import compare, seen_calibration
from spectramac.compress.compare_trained import Trained, TrainedComparison
from spectramac.compress.datasets import cut
from spectramac.compress.measure import integer_accuracy
from spectramac.compress.methods import LayerMethod, NeuronMethod
from spectramac.compress.ordered import with_ordered
from spectramac.compress.search_demand import Demand
from spectramac.compress.sft import orthonormal_sft
from spectramac.compress.split import SplitData
from spectramac.compress.techniques import Pruning, RowsSft, Sft
from spectramac.compress.training import Training
from spectramac.spec.config import preset

SMALL = preset("small")
METHODS = (LayerMethod("sft-8x8", Sft(), RowsSft()), LayerMethod("prune", Pruning(), Pruning()))
DENSITY = 0.15


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@lru_cache
def data() -> SplitData:
    x, y, x_test, y_test = cut(*labelled(), 5, 0)
    x_train, y_train, x_validation, y_validation = cut(x, y, 4, 0)
    return SplitData(
        x_train=x_train, y_train=y_train, x_validation=x_validation, y_validation=y_validation,
        x_test=x_test, y_test=y_test, n_classes=10,
    )  # fmt: skip


def comparison(**options: object) -> TrainedComparison:
    given = {
        "layers": dense(),
        "data": data(),
        "config": SMALL,
        "training": Training(80, 1e-2),
        "densities": (DENSITY,),
        "methods": METHODS,
        **options,
    }
    return TrainedComparison(**given)  # type: ignore[arg-type]


@lru_cache
def both() -> tuple[Trained, ...]:
    return tuple(comparison().candidates())


def test_training_beats_no_training_at_a_low_density() -> None:
    plain = compare(dense(), data().selection, SMALL, densities=(DENSITY,), methods=METHODS)
    for before, after in zip(plain, both(), strict=True):
        found = after.candidate
        assert (before.method, before.density) == (found.method, found.density)
        assert before.accuracy is not None
        assert found.accuracy is not None
        assert found.accuracy > before.accuracy + 40
        assert before.stored_bytes is not None
        assert found.stored_bytes is not None
        assert found.stored_bytes < 1.1 * before.stored_bytes


def test_figures_are_those_of_the_network_on_the_part_that_chooses() -> None:
    for tried in both():
        found = tried.candidate
        assert found.network is not None
        chosen_on = data().x_validation, data().y_validation
        assert found.accuracy == integer_accuracy(found.network, *chosen_on, SMALL)
        assert found.stored_bytes == compile_network(found.network, SMALL).stored_bytes


def test_what_chooses_and_what_reports_does_not_train() -> None:
    """Other samples and labels in these parts give the same networks."""
    rng = np.random.default_rng(0)
    n = len(data().y_validation)
    noise = {"x_validation": rng.random((n, 64)), "y_validation": rng.integers(0, 10, n)}
    noise |= {"x_test": noise["x_validation"], "y_test": noise["y_validation"]}
    other = comparison(data=replace(data(), **noise), methods=METHODS[:1])
    (tried,) = other.candidates()
    mine, theirs = both()[0].candidate.network, tried.candidate.network
    assert mine is not None
    assert theirs is not None
    for a, b in zip(mine.layers, theirs.layers, strict=True):
        assert np.array_equal(a.coefficients, b.coefficients)
        assert np.array_equal(a.bias, b.bias)
    assert tried.candidate.accuracy != both()[0].candidate.accuracy


def test_the_given_network_teaches() -> None:
    """With another teacher, the result is another."""
    layers = [(w + 0, b + 0) for w, b in dense()]
    layers[-1] = (layers[-1][0][::-1], layers[-1][1][::-1])
    (tried,) = comparison(layers=layers, methods=METHODS[:1]).candidates()
    assert tried.candidate.accuracy is not None
    mine = both()[0].candidate.accuracy
    assert mine is not None
    assert tried.candidate.accuracy < mine - 20


def test_spectra_are_those_that_run() -> None:
    for tried in both():
        shown = tried.spectra()
        assert [s.names for s in shown] == [("fc1",), ("fc2",)]
        for layer, s in zip(tried.trained.student.layers, shown, strict=True):
            (stage,) = layer.stages
            with torch.no_grad():
                runs = stage.coefficients().numpy()
            np.testing.assert_allclose(s.after, runs, rtol=0, atol=1e-5 * np.abs(runs).max())
            assert s.density == DENSITY
            assert s.before.shape == s.after.shape


def test_progress_counts_epochs_and_refusals_come_before_training() -> None:
    """Low rank at full density has more coefficients than the matrices: too many for this configuration."""
    told: list[tuple[int, int]] = []
    tiny = replace(preset("tiny"), coefficient_depth=64)
    short = comparison(config=tiny, training=Training(2), densities=(1.0, 0.02))
    found = [t.candidate for t in short.candidates(lambda done, of: told.append((done, of)))]
    assert [c.network is None for c in found] == [True, False, True, False]
    assert "coefficient" in found[0].refusal
    assert {of for _, of in told} == {8}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[0] == (2, 8)
    assert {3, 4, 7, 8} < {done for done, _ in told}


def test_reordered_units_are_trained_too() -> None:
    methods = with_ordered(METHODS[:1], dense(), seen_calibration(data().calibration))
    _, tried = comparison(training=Training(2), methods=methods).candidates()
    assert tried.candidate.method == "sft-8x8-ordered"
    assert tried.candidate.network is not None
    assert sorted(map(tuple, tried.chain[0][0])) == sorted(map(tuple, dense()[0][0]))
    assert not np.array_equal(tried.chain[0][0], dense()[0][0])
    start = orthonormal_sft(tried.chain[0][0], *(tried.candidate.network.layers[0].t_in,) * 2)
    np.testing.assert_allclose(tried.spectra()[0].before, start)


def test_a_wrong_rate_is_no_refusal_of_a_candidate() -> None:
    with pytest.raises(ValueError, match="prune_rate must be more than 0, not 0"):
        next(comparison(training=Training(2, 0)).candidates())


def adjusted(demand: Demand, rounds: int = 2) -> tuple[Trained, list[Trained]]:
    plans = comparison(training=Training(6, 1e-2), densities=(0.3,), methods=METHODS[:1])
    (best,) = plans.candidates()
    return best, list(plans.adjust(best, demand, rounds))


def test_adjusting_spends_the_bytes() -> None:
    best = both()[0].candidate.stored_bytes
    assert best is not None
    limit = 2 * best
    first, rounds = adjusted(Demand(max_bytes=limit))
    assert 1 <= len(rounds) <= 2
    assert first.candidate.stored_bytes is not None
    within = [t.candidate for t in rounds if (t.candidate.stored_bytes or limit + 1) <= limit]
    assert max(c.stored_bytes or 0 for c in within) > max(
        first.candidate.stored_bytes, 0.93 * limit
    )
    for tried in rounds:
        assert tried.candidate.method == "sft-8x8-adjusted"
        assert tried.candidate.network is not None
        assert tried.trained.student.choices[0].density == tried.candidate.density
        assert len(tried.spectra()) == 2


def test_adjusting_lowers_the_density_while_accuracy_allows() -> None:
    first, rounds = adjusted(Demand(max_loss=30.0), rounds=1)
    (tried,) = rounds
    assert tried.candidate.density == first.candidate.density / 2
    assert tried.candidate.stored_bytes is not None
    assert first.candidate.stored_bytes is not None
    assert tried.candidate.stored_bytes < 0.7 * first.candidate.stored_bytes


def test_nothing_is_adjusted_without_rounds_or_where_neurons_are_removed() -> None:
    assert adjusted(Demand(max_loss=30.0), rounds=0)[1] == []
    plans = comparison(training=Training(1), densities=(0.5,), methods=(NeuronMethod(),))
    (best,) = plans.candidates()
    assert best.candidate.network is not None
    assert list(plans.adjust(best, Demand(max_loss=99.0), 2)) == []
