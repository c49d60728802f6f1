# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Training of compressed network graphs: where it begins, what it keeps to, what it reaches, and its integers."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")

import torch
from tests.compress.conv_cases import bars
from tests.compress.small_graphs import changed, conv, dense, images, mixed, relu, trained

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compress.graph_codes import Coded, Form
from spectramac.compress.graph_methods import graph_methods
from spectramac.compress.graph_steps import plan_graph
from spectramac.compress.procedure import Procedure
from spectramac.compress.quantize import Codes
from spectramac.compress.techniques import (
    LowRank,
    NotRunnableError,
    PrunedConv,
    Pruning,
    Quantization,
    SpectralConv,
    Tucker2Conv,
)
from spectramac.compress.torch_layers import DepthwiseConv2d
from spectramac.compress.train_graph import TrainedGraph, train_graph
from spectramac.compress.train_graph_student import GraphStudent
from spectramac.graph.evaluate import evaluate
from spectramac.graph.graph import Graph, Tensor
from spectramac.graph.nodes import Dense, Flatten
from spectramac.model.batch import accuracy
from spectramac.model.depthwise import DepthwiseConvolution
from spectramac.model.map_elementwise import Addition
from spectramac.model.map_node import Arithmetic
from spectramac.spec.config import preset

CONFIG = preset("conv")
METHODS = {m.name: m for m in graph_methods(CONFIG, 8) if m.is_trainable}
EXACT = [name for name in METHODS if name != "circulant-8"]
STILL = Procedure(prune_epochs=0, tune_epochs=0)
SHORT = Procedure(
    prune_epochs=6, tune_epochs=4, prune_rate=1e-2, tune_rate=5e-3, batch_size=32, mask_interval=4
)
ONE_EPOCH = replace(SHORT, prune_epochs=1, tune_epochs=1)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def run(
    graph: Graph, forms: dict[str, Form], procedure: Procedure, seed: int = 0, **options: Any
) -> TrainedGraph:
    x, y = bars(300)
    inputs = x.reshape(-1, *graph.input.shape)
    return train_graph(graph, forms, inputs, y, procedure, seed, device="cpu", **options)


@lru_cache
def by_method(name: str, density: float, procedure: Procedure) -> TrainedGraph:
    """Of the trained network, which teaches."""
    graph, forms = METHODS[name].plan(trained(), density, 8, images(64))
    return run(graph, forms, procedure, teacher=trained())


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.tensor(np.asarray(array, np.float32))


@pytest.mark.parametrize("name", EXACT)
def test_with_all_coefficients_it_computes_the_graph(name: str) -> None:
    """Before anything is rounded."""
    graph, forms = METHODS[name].plan(mixed(), 1.0, 8, images())
    student = GraphStudent(plan_graph(graph), forms)
    with torch.no_grad():
        (found,) = student.trace(tensor(images()))
    expected = evaluate(mixed(), images())
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", EXACT)
def test_rounding_costs_little(name: str) -> None:
    graph, forms = METHODS[name].plan(mixed(), 1.0, 8, images())
    found, expected = (
        run(graph, forms, STILL).predict(images(200)),
        evaluate(mixed(), images(200)),
    )
    error = np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2))
    assert 0 < error < 0.03


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("density", [1.0, 0.3])
def test_integers_compute_what_training_saw(name: str, density: float) -> None:
    """Up to a few steps of the output, in 15 bits and in those of the configuration."""
    x = images(200, seed=5)
    graph, forms = METHODS[name].plan(mixed(), density, 8, images(64))
    still = run(graph, forms, STILL)
    for arithmetic in (None, Arithmetic.of(CONFIG)):
        made = still.export(images(64), arithmetic)
        found = made.run(x, arithmetic or Arithmetic(data_width=15))
        difference = np.abs(found - still.predict(x)) / made.network.output_scale
        assert np.mean(difference) < 0.75
        assert difference.max() < 5
        assert compile_graph(made.network, CONFIG).stored_bytes > 0


def _power(log_step: torch.Tensor) -> torch.Tensor:
    return torch.round(log_step / np.log(2)) * np.log(2)


def test_exact_where_formats_allow() -> None:
    """No transforms, steps that are powers of two, biases on the grid, wide sums: equal outputs, everywhere."""
    graph, forms = METHODS["prune-pair"].plan(mixed(), 0.5, 6, images(64))
    exact = run(graph, forms, STILL, input_scale=2.0**-6)
    student, plan = exact.student, plan_graph(graph)
    with torch.no_grad():
        for activation in student.activations:
            activation.log_step.copy_(_power(activation.log_step))
        scales = student.scales(exact.input_scale)
        for step in plan.steps:
            if step.node.parameters:
                layer = student.layer(step.node.name)
                owner = layer if isinstance(layer, DepthwiseConv2d) else layer.stages[0]
                owner.log_step.copy_(_power(owner.log_step))
                units = scales[step.inputs[0].map] * torch.exp(owner.log_step).flatten()
                units = units.broadcast_to(max(len(units), len(layer.bias)))[: len(layer.bias)]
                layer.bias.copy_(torch.round(layer.bias / units) * units)
    wide = Arithmetic(data_width=18)
    made = exact.export(images(64), wide)
    x = images(500, seed=2)
    scale = made.network.output_scale
    steps = np.rint(made.run(x, wide) / scale)
    np.testing.assert_array_equal(steps, np.rint(exact.predict(x) / scale))
    assert len(np.unique(steps)) > 80
    assert {type(node).__name__ for node in made.network.nodes} == {
        "Addition", "Convolution", "DepthwiseConvolution", "FullyConnected", "MaxPooling",
    }  # fmt: skip


def test_exported_nodes() -> None:
    """Of a network that was trained: codes, biases, scales and limits of every kind of layer."""
    result = by_method("sft-8x8-lanes", 0.3, SHORT)
    student, made = result.student, result.export(images(64))
    nodes = {node.name: node for node in made.network.nodes}
    scales = dict(made.network.scales)
    assert scales == student.scales(result.input_scale)
    assert scales["pool"] == scales["narrow"]
    assert scales["x"] == result.input_scale == bars(300)[0].max() / 127
    for step in plan_graph(result.graph).steps:
        name = step.node.name
        if not step.node.parameters:
            continue
        layer, coded = student.layer(name), made.coded[name]
        if name == "depth":
            assert isinstance(coded, Codes)
            codes, stored = layer.codes(), nodes[name].coefficients
        else:
            assert isinstance(coded, Coded)
            (codes,), stored = layer.codes(), nodes[name].layer.coefficients
            coded = coded.codes
        np.testing.assert_array_equal(coded.codes, codes.codes)
        np.testing.assert_array_equal(stored, codes.codes[: len(stored)])
        assert np.abs(codes.codes).max() <= 127
    depth, total = nodes["depth"], nodes["sum"]
    assert isinstance(depth, DepthwiseConvolution)
    assert isinstance(total, Addition)
    assert depth.relu
    assert total.relu
    assert depth.maximum == min(127, round(0.75 / scales["depth"]))
    # Sums are behind a ReLU, what is added is not.
    lows = {name: q.low for name, q in zip(_rounded(result), student.activations, strict=True)}
    assert lows == {
        "stem.relu": 0, "down.relu": 0, "depth.relu": 0, "point": -128, "sum.relu": 0, "narrow.relu": 0,
        "hidden.relu": 0, "classes": -128,
    }  # fmt: skip


def _rounded(result: TrainedGraph) -> list[str]:
    """Tensors with a quantizer of their own: of all steps but pools by the maximum."""
    return [s.tensor for s in plan_graph(result.graph).steps if s.node.name != "pool"]


@pytest.mark.parametrize("name", METHODS)
def test_training_recovers(name: str) -> None:
    """Samples that were not trained with; coefficients are those of the masks, in 8 bits."""
    still, after = (by_method(name, 0.3, procedure) for procedure in (STILL, SHORT))
    x, y = bars(300, seed=5)
    before, found = (accuracy(n.predict(x.reshape(-1, 1, 8, 8)), y) for n in (still, after))
    assert before < 35
    assert found > before + 15
    made = after.export(images(64))
    difference = made.run(images(200, seed=5)) - after.predict(images(200, seed=5))
    assert np.mean(np.abs(difference)) < 2 * made.network.output_scale
    for layer in after.student.layers:
        for stage, codes in zip(layer.stages, layer.codes(), strict=True):
            assert np.abs(codes.codes).max() <= 127
            assert not codes.codes[stage.mask.numpy() == 0].any()
            S = (stage.coefficients() / stage.balance).detach().numpy()
            np.testing.assert_allclose(S, codes.values, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", METHODS)
def test_layers_have_their_density(name: str) -> None:
    """Small layers and depthwise ones keep all."""
    student = by_method(name, 0.3, SHORT).student
    graph, forms = METHODS[name].plan(trained(), 0.3, 8, images(64))
    assert student.nodes == ["stem", "down", "point", "narrow", "hidden", "classes"]
    sizes = {n.name: n.parameters["weight"].size for n in graph.nodes if n.parameters}
    for node, choice, layer in zip(student.nodes, student.choices, student.layers, strict=True):
        density = forms[node].density if node in forms else 1.0
        assert choice.density == density
        (stage,) = layer.to_structured().stages
        whole = choice.technique.select(stage, 1.0).sum()
        assert stage.mask.sum() <= density * whole + 8  # lanes have whole words, of 16
        if node not in forms or name == "filters-l2":
            assert stage.mask.sum() == sizes[node]
    assert student.layer("depth").codes().codes.shape == (16, 9)
    assert student.layer("depth").weight.numel() == sizes["depth"]


def test_masks_fall_to_the_density_and_stay() -> None:
    seen: list[np.ndarray] = []

    class Watched(PrunedConv):
        def select(self, stage: Any, density: float, rms: Any = None) -> Any:
            mask = super().select(stage, density, rms)
            seen.append(mask)
            return mask

    procedure = replace(SHORT, prune_epochs=2, tune_epochs=2, mask_interval=3)
    forms = {"down": Form(Watched(), 0.25), "point": Form(PrunedConv(), 0.5)}
    result = run(trained(), forms, procedure)
    kept = [int(mask.sum()) for mask in seen]
    assert kept[0] == 16 * 72
    assert kept == sorted(kept, reverse=True)
    assert len(set(kept)) >= 3
    assert kept[-1] == 16 * 72 // 4
    (stage,) = result.student.layer("down").to_structured().stages
    np.testing.assert_array_equal(stage.mask, seen[-1])
    codes = result.export(images(64)).coded["down"]
    assert isinstance(codes, Coded)
    assert not codes.codes.codes[~seen[-1]].any()
    assert result.student.layer("point").to_structured().n_values == 16 * 16 // 2


def test_masks_weigh_by_what_a_layer_reads() -> None:
    """Channels that are larger stay, though all weights are equally large; for dense layers in the map's order."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(4, 12))
    nodes = (
        conv("first", "x", (3, 2, 1, 1)),
        relu("first"),
        Flatten(name="flat", inputs=("first.relu",)),
        Dense(name="last", inputs=("flat",), weight=signs, bias=np.zeros(4)),
    )
    graph = Graph(name="weighed", input=Tensor(name="x", shape=(2, 2, 2)), nodes=nodes)
    weight = np.array([[[[0.01]], [[0.0]]], [[[1.0]], [[0.0]]], [[[0.1]], [[0.0]]]])
    graph = changed(graph, {"first": replace(nodes[0], weight=weight, bias=np.zeros(3))})
    x = np.random.default_rng(1).random((100, 2, 2, 2))
    x[:, :, 0, 1] *= 3  # the second pixel
    y = np.arange(100) % 4
    forms = {"last": Form(Pruning(), 5 / 12)}
    result = train_graph(graph, forms, x, y, STILL, device="cpu")
    (stage,) = result.student.layer("last").to_structured().stages
    # All four pixels of the second channel, and the brightest of the third; a map has its channels last.
    columns = np.flatnonzero(stage.mask.all(axis=0))
    assert stage.mask.any(axis=0).sum() == len(columns) == 5
    assert columns.tolist() == [1, 4, 5, 7, 10]


def test_the_seed_gives_the_network() -> None:
    graph, forms = METHODS["sft-8x8"].plan(trained(), 0.4, 8, images(64))
    first, second, other = (
        run(graph, forms, ONE_EPOCH, seed).export(images(64)) for seed in (3, 3, 4)
    )
    assert dict(first.network.scales) == dict(second.network.scales)
    assert dict(first.network.scales) != dict(other.network.scales)
    different = 0
    for a, b, c in zip(first.network.nodes, second.network.nodes, other.network.nodes, strict=True):
        layers = [getattr(node, "layer", node) for node in (a, b, c)]
        if not hasattr(layers[0], "coefficients"):
            continue
        np.testing.assert_array_equal(layers[0].coefficients, layers[1].coefficients)
        np.testing.assert_array_equal(layers[0].bias, layers[1].bias)
        different += (layers[0].coefficients != layers[2].coefficients).any()
    assert different == 7


def test_the_teacher_is_another_network() -> None:
    """Of a network without some filters the whole one; and it learns nothing else, if it is told so."""
    teacher = trained()
    graph, forms = METHODS["filters-l2"].plan(teacher, 0.3, 8, images(64))
    assert len(next(n for n in graph.nodes if n.name == "stem").parameters["bias"]) == 4
    rolled = next(n for n in teacher.nodes if n.name == "classes")
    assert isinstance(rolled, Dense)
    shifted = replace(rolled, weight=np.roll(rolled.weight, 1, 0), bias=np.roll(rolled.bias, 1))
    procedure = replace(SHORT, distillation=1.0)
    x = images(300, seed=5)
    for taught in (teacher, changed(teacher, {"classes": shifted})):
        wanted = evaluate(taught, x)
        before, after = (
            np.linalg.norm(run(graph, forms, p, teacher=taught).predict(x) - wanted)
            for p in (STILL, procedure)
        )
        assert after < 0.7 * before


def test_inputs_are_int8() -> None:
    result = by_method("prune-pair", 0.3, STILL)
    x = result.input_scale * np.arange(64).reshape(1, 1, 8, 8)
    y = result.predict(x + 0.4 * result.input_scale)
    np.testing.assert_array_equal(y, result.predict(x))
    scale = result.student.scales(result.input_scale)["classes"]
    np.testing.assert_allclose(y / scale, np.rint(y / scale), rtol=0, atol=1e-4)


def test_a_batch_is_as_its_parts() -> None:
    """Many inputs are predicted some at a time."""
    result, x = by_method("prune-pair", 0.3, STILL), images(600)
    parts = [result.predict(x[:5]), result.predict(x[5:])]
    np.testing.assert_array_equal(result.predict(x), np.concatenate(parts))


def test_depthwise_layers_are_trained() -> None:
    result = by_method("prune-pair", 0.3, SHORT)
    module = result.student.layer("depth")
    node = next(n for n in trained().nodes if n.name == "depth")
    for own, given in ((module.weight, "weight"), (module.bias, "bias")):
        before = node.parameters[given]
        assert np.abs(own.detach().numpy() - before).max() > 0.01 * np.abs(before).max()
    coarse = run(trained(), {"depth": Form(quantization=Quantization(4, "row"))}, STILL)
    codes = coarse.export(images(64)).coded["depth"]
    assert isinstance(codes, Codes)
    assert (codes.bits, np.abs(codes.codes).max()) == (4, 7)


def test_sequences_and_arranged_inputs() -> None:
    """One spatial axis; a dense layer on a map of several pixels."""
    nodes = (
        conv("a", "x", (8, 3, 5), (1, 2), stride=(2,)),
        relu("a"),
        conv("b", "a.relu", (8, 1, 3), (2, 0), groups=8),
        relu("b", 1.0),
        Flatten(name="flat", inputs=("b.relu",)),
        dense("y", "flat", (4, 64)),
    )
    graph = Graph(name="sequence", input=Tensor(name="x", shape=(3, 16)), nodes=nodes)
    x = np.random.default_rng(0).normal(size=(100, 3, 16))
    result = train_graph(graph, {}, x, np.arange(100) % 4, STILL, device="cpu")
    expected = evaluate(graph, x)
    assert np.abs(result.predict(x) - expected).max() < 0.05 * np.abs(expected).max()
    made = result.export(x)
    difference = np.abs(made.run(x) - result.predict(x)) / made.network.output_scale
    assert difference.max() < 3
    assert np.mean(difference) < 0.5


def test_progress_is_told_of_epochs() -> None:
    told: list[tuple[int, int]] = []
    run(trained(), {}, ONE_EPOCH, progress=lambda *done: told.append(done))
    assert told[0] == (0, 2)
    assert told[-1] == (2, 2)
    assert told == sorted(told)


@pytest.mark.parametrize(
    ("name", "technique"),
    [("down", Tucker2Conv()), ("hidden", LowRank()), ("down", SpectralConv(8))],
    ids=["conv", "dense", "tiles"],
)
def test_techniques_that_do_more_than_threshold(name: str, technique: Any) -> None:
    message = (
        f"layer '{name}' must have a technique that only thresholds, and not in tiles, to be trained, "
        f"not '{technique.name}'"
    )
    with pytest.raises(ValueError, match=message):
        run(mixed(), {name: Form(technique, 0.5)}, STILL)


@pytest.mark.parametrize(
    ("forms", "message"),
    [
        ({"nope": Form()}, "forms must be for layers with weights, not 'nope'"),
        ({"depth": Form(PrunedConv())}, "depthwise layer 'depth' must have no technique"),
        (
            {"down": Form(None, 1.0, Quantization(8, "block"))},
            "a step for each block cannot run on the engine",
        ),
    ],
)
def test_forms_that_are_refused(forms: dict[str, Form], message: str) -> None:
    with pytest.raises((ValueError, NotRunnableError), match=message):
        run(mixed(), forms, STILL)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones((4, 64)), np.zeros(4, int), r"x must have shape \(samples, \*\(1, 8, 8\)\)"),
        (np.ones((4, 1, 8, 8)), np.zeros(3, int), r"y must have shape \(4,\), not \(3,\)"),
        (np.ones((4, 1, 8, 8)), np.array([0, 1, 2, 4]), "y must be from 0 to 3, not 0 to 4"),
    ],
)
def test_data_that_do_not_fit(x: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train_graph(mixed(), {}, x, y, STILL)


def test_a_teacher_of_another_shape() -> None:
    teacher = changed(mixed(), {"classes": dense("classes", "hidden.relu", (5, 96))})
    with pytest.raises(
        ValueError, match=r"inputs \(1, 8, 8\) and 4 outputs, not \(1, 8, 8\) and 5"
    ):
        run(mixed(), {}, STILL, teacher=teacher)


def test_hidden_activations_are_not_compared() -> None:
    with pytest.raises(ValueError, match=r"features must be 0 for a network graph, not 0\.5"):
        run(mixed(), {}, replace(STILL, features=0.5))


def test_a_dead_network_is_a_bad_one_not_an_error() -> None:
    """Nothing but zeros behind a ReLU."""
    down = next(n for n in mixed().nodes if n.name == "down")
    dead = changed(mixed(), {"down": replace(down, bias=np.full(16, -100.0))})
    outputs = run(dead, {}, STILL).predict(images())
    assert np.isfinite(outputs).all()
