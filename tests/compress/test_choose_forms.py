# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The form of every convolution is the one of the fewest cycles that errs no more than asked."""

import numpy as np
import pytest

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compiler.graph_explain import explain_graph
from spectramac.compress.choose_forms import candidate_forms, choose_forms
from spectramac.compress.quantize_graph import quantize_graph
from spectramac.graph.graph import Graph, Tensor
from spectramac.graph.nodes import Conv
from spectramac.spec.config import preset

CONFIG = preset("small").replace(name="maps", maps=True)
RNG = np.random.default_rng(3)


def conv(name: str, source: str, shape: tuple[int, ...], pad: int, groups: int = 1) -> Conv:
    return Conv(
        name=name, inputs=(source,), weight=RNG.normal(size=shape), bias=RNG.normal(size=shape[0]),
        padding=((pad, pad), (pad, pad)), groups=groups,
    )  # fmt: skip


GRAPH = Graph(
    name="two",
    input=Tensor(name="x", shape=(4, 6, 6)),
    nodes=(
        conv("a", "x", (8, 4, 3, 3), 1),
        conv("depthwise", "a", (8, 1, 3, 3), 1, groups=8),
        conv("b", "depthwise", (8, 8, 5, 5), 2),
    ),
)
X = RNG.normal(size=(4, 4, 6, 6))


@pytest.mark.parametrize("density", [1.0, 0.25])
def test_the_fastest_is_chosen_and_its_figures_are_true(density: float) -> None:
    forms = candidate_forms(CONFIG, density)
    assert list(forms) == ["direct", "sft", "tiles 4", "tiles 8"]
    chosen, tried = choose_forms(GRAPH, X, CONFIG, forms)
    assert list(chosen) == ["a", "b"]  # a depthwise convolution has one form
    for node, form in chosen.items():
        run = [c for c in tried if c.node == node and c.cycles is not None]
        best = min(run, key=lambda c: (c.cycles, c.n_bytes))
        assert best.form is form
    (refused,) = [c for c in tried if c.node == "b" and c.name == "tiles 4"]
    assert refused.cycles is None
    assert "5 x 5" in refused.refusal or "kernel" in refused.refusal
    network = quantize_graph(GRAPH, X, forms=chosen).network
    x = quantize_graph(GRAPH, X, forms=chosen).quantize_input(X)
    plans = explain_graph(compile_graph(network, CONFIG), CONFIG, x[:2])
    sizes = {c.node: c.n_bytes for c in tried if chosen.get(c.node) is c.form}
    assert {p.node: p.n_bytes for p in plans if p.node in sizes} == sizes


def test_the_error_is_bounded() -> None:
    forms = candidate_forms(CONFIG, 0.25)
    _, tried = choose_forms(GRAPH, X, CONFIG, forms)
    errors = sorted(c.error for c in tried if c.node == "a" and c.cycles is not None)
    limit = (errors[0] + errors[1]) / 2
    chosen, tried = choose_forms(GRAPH, X, CONFIG, forms, limit)
    (best,) = [c for c in tried if c.node == "a" and c.form is chosen["a"]]
    assert best.error == errors[0]
    chosen, _ = choose_forms(GRAPH, X, CONFIG, forms, 0.0)
    assert chosen["a"] is best.form


def test_refusals() -> None:
    with pytest.raises(ValueError, match="two typical inputs at least, not 1"):
        choose_forms(GRAPH, X[:1], CONFIG, candidate_forms(CONFIG))
    forms = {"tiles 4": candidate_forms(CONFIG)["tiles 4"]}
    with pytest.raises(ValueError, match="convolution 'b' can be run in no form: tiles 4: "):
        choose_forms(GRAPH, X, CONFIG, forms)
