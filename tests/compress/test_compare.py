# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Comparison of techniques: figures are those of the compiled network, and the choice is the stated one."""

from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
from tests.compress.clusters import N_CLASSES, N_IN, clusters, trained

from spectramac.compiler.compile import compile_network
from spectramac.compress.candidates import Candidate, Comparison, NoCandidateError
from spectramac.compress.compare import DENSITIES, compare, float_accuracy
from spectramac.compress.labelled import LabelledData, split_labelled
from spectramac.compress.measure import predicted_cycles
from spectramac.compress.methods import LayerMethod, NeuronMethod, methods_for
from spectramac.compress.size import layers_cost
from spectramac.compress.techniques import NeuronPruning, Pruning, Quantization, RowsSft, Sft
from spectramac.host.accelerator import Accelerator
from spectramac.host.transport import open_transport
from spectramac.model.batch import quantize_input
from spectramac.model.layer import run_network
from spectramac.spec.config import preset

SMALL = preset("small")


@lru_cache
def data() -> LabelledData:
    return split_labelled(*clusters())


@lru_cache
def candidates() -> tuple[Candidate, ...]:
    return tuple(compare(trained(), data(), SMALL, densities=(1.0, 0.5)))


def fake(*figures: tuple[float, int] | None) -> Comparison:
    """Candidates of (accuracy, bytes), None of what does not fit; the float network has 90 %."""
    made = [
        Candidate("m", 1.0, refusal="too large")
        if f is None
        else Candidate("m", 1.0, None, f[0], f[1], 0, 0.0, 0.0)
        for f in figures
    ]
    return Comparison(tuple(made), 90.0)


def test_float_accuracy() -> None:
    layers = trained()
    x, labels = clusters(60, seed=5)
    right = 0
    for row, label in zip(x, labels, strict=True):
        hidden = [max(0.0, float(w @ row) + b) for w, b in zip(*layers[0], strict=True)]
        out = [float(w @ np.array(hidden)) + b for w, b in zip(*layers[1], strict=True)]
        right += out.index(max(out)) == label
    assert float_accuracy(layers, x, labels) == pytest.approx(100 * right / 60)
    assert right > 50


def test_every_method_at_every_density() -> None:
    methods = [m.name for m in methods_for(SMALL, 8)]
    assert len(set(methods)) == len(methods)
    expected = [(m, d) for m in methods for d in (1.0, 0.5)]
    assert [(c.method, c.density) for c in candidates()] == expected
    assert all(c.network is not None for c in candidates())


def test_figures_are_those_of_the_compiled_network() -> None:
    x = quantize_input(data().x, float(np.abs(data().calibration).max()) / 127).astype(np.int64)
    for c in candidates():
        assert c.network is not None
        image = compile_network(c.network, SMALL)
        assert c.stored_bytes == image.stored_bytes
        assert c.multiplications == layers_cost(c.network.layers, SMALL).multiplications
        assert c.cycles == predicted_cycles(image, SMALL)
        outputs = run_network(
            c.network, x, data_width=SMALL.data_width, twiddle_width=SMALL.twiddle_width
        )
        assert c.accuracy == 100 * np.mean(outputs.argmax(axis=1) == data().labels)


def test_cycles_bound_what_the_golden_model_counts() -> None:
    network = candidates()[0].network
    assert network is not None
    image = compile_network(network, SMALL)
    x = quantize_input(data().x, network.input_scale)
    whole = np.resize(x, (2 * image.max_pairs, N_IN))
    with open_transport("model", SMALL) as bus:
        accelerator = Accelerator(bus, SMALL)
        accelerator.load(image)
        counted = accelerator.run(whole).counters["cycles"]
    bound = predicted_cycles(image, SMALL) * 2 * image.max_pairs
    assert 0.9 * bound < counted <= bound


def test_full_density_keeps_accuracy_and_less_is_smaller() -> None:
    before = float_accuracy(trained(), data().x, data().labels)
    assert before > 90
    exact = [c for c in candidates() if c.method not in ("circulant-8", "sft-8x8-complex")]
    for full, half in zip(exact[::2], exact[1::2], strict=True):
        assert full.accuracy is not None
        assert full.accuracy >= before - 2
        assert full.stored_bytes is not None
        assert half.stored_bytes is not None
        assert half.stored_bytes < full.stored_bytes


def test_neurons_are_removed_with_what_reads_them() -> None:
    layers = trained()
    x = data().calibration
    chain, choices = NeuronMethod().plan(layers, 0.5, Quantization(), x)
    assert [w.shape for w, _ in chain] == [(12, N_IN), (N_CLASSES, 12)]
    assert all(choice.density == 1 for choice in choices)
    kept = [int(np.flatnonzero((layers[0][0] == row).all(axis=1))[0]) for row in chain[0][0]]
    assert np.array_equal(chain[1][0], layers[1][0][:, kept])
    hidden = np.maximum(x @ layers[0][0].T + layers[0][1], 0)
    exact = (hidden @ layers[1][0].T + layers[1][1]).mean(axis=0)
    after = (hidden[:, kept] @ chain[1][0].T + chain[1][1]).mean(axis=0)
    assert np.allclose(exact, after)
    assert len(NeuronMethod().plan(layers, 0.001, Quantization(), x)[0][0][0]) == 1


def test_what_does_not_fit_is_kept_with_its_reason() -> None:
    config = SMALL.replace(coefficient_depth=64)
    methods = [LayerMethod("pairs", Pruning(), Pruning()), LayerMethod("sft", Sft(), RowsSft())]
    methods += [LayerMethod("neurons", NeuronPruning(), Pruning())]
    found = list(compare(trained(), data(), config, densities=(1.0, 0.1), methods=methods))
    assert [c.network is None for c in found] == [True, False, True, False, True, True]
    assert "coefficient" in found[0].refusal
    assert "must keep all outputs" in found[4].refusal
    assert found[0].accuracy is found[0].stored_bytes is found[0].cycles is None
    comparison = Comparison(tuple(found), 0.0)
    assert [len(curve.points) for curve in comparison.curves()] == [1, 1]


def test_sums_must_fit_the_accumulators() -> None:
    config = SMALL.replace(accumulator_width=18)
    methods = [LayerMethod("pairs", Pruning(), Pruning())]
    (found,) = compare(trained(), data(), config, densities=(1.0,), methods=methods)
    assert found.network is None
    assert "accumulators must fit" in found.refusal


def test_input_scale_may_be_given() -> None:
    methods = [LayerMethod("pairs", Pruning(), Pruning())]
    settings = {"densities": (1.0,), "methods": methods, "bits": 4}
    (found,) = compare(trained(), data(), SMALL, input_scale=0.02, **settings)  # type: ignore[arg-type]
    assert found.network is not None
    assert found.network.input_scale == 0.02
    assert {layer.coefficient_bits for layer in found.network.layers} == {4}


def test_the_ladder_falls() -> None:
    assert DENSITIES[0] == 1
    assert all(a > b > 0 for a, b in pairwise(DENSITIES))


def test_large_transforms_only_where_they_fit() -> None:
    assert "sft-16x16" in [m.name for m in methods_for(SMALL, 8)]
    config = SMALL.replace(log2_n_max=3)
    assert "sft-16x16" not in [m.name for m in methods_for(config, 8)]


@pytest.mark.parametrize(
    ("figures", "max_loss", "chosen"),
    [
        ([(90, 100), (89.5, 50), (89.4, 20)], 0.5, 1),
        ([(89.6, 50), (89.9, 50), (89.9, 50)], 0.5, 1),
        ([(92, 100), (88, 10)], 0, 0),
        ([None, (90, 100), None], 0, 1),
        ([(90 - 0.1 * 3, 7)], 0.3, 0),
    ],
)
def test_choice_by_loss(
    figures: list[tuple[float, int] | None], max_loss: float, chosen: int
) -> None:
    assert fake(*figures).by_loss(max_loss) == chosen


@pytest.mark.parametrize(
    ("figures", "max_bytes", "chosen"),
    [
        ([(90, 101), (80, 100), (85, 99)], 100, 2),
        ([(85, 90), (85, 80), (85, 80), None], 100, 1),
        ([(70, 100)], 100, 0),
    ],
)
def test_choice_by_bytes(
    figures: list[tuple[float, int] | None], max_bytes: int, chosen: int
) -> None:
    assert fake(*figures).by_bytes(max_bytes) == chosen


def test_no_choice_says_how_near_the_nearest_is() -> None:
    with pytest.raises(
        NoCandidateError, match=r"at most 1 points of the 90.00 %.*88.00 % in 40 by"
    ):
        fake((87, 30), (88, 50), (88, 40)).by_loss(1)
    with pytest.raises(
        NoCandidateError, match=r"at most 20 bytes; the smallest.*takes 30 and has 87"
    ):
        fake((88, 50), (87, 30)).by_bytes(20)
    for comparison in (fake(None), fake(None, None)):
        with pytest.raises(NoCandidateError, match=r"no candidate fits .* too large"):
            comparison.by_loss(1)
    with pytest.raises(NoCandidateError, match="nothing was tried"):
        fake().by_bytes(1)


def test_the_chosen_point_is_marked_in_its_curve() -> None:
    comparison = Comparison(candidates(), 90.0)
    curves = comparison.curves(3, "because")
    assert [curve.chosen for curve in curves] == [None, 1] + [None] * (len(curves) - 2)
    assert curves[1].criterion == "because"
    point, c = curves[1].point, candidates()[3]
    assert (point.value, point.stored_bytes, point.cycles) == (0.5, c.stored_bytes, c.cycles)
    assert (point.score, point.multiplications) == (c.accuracy, c.multiplications)
