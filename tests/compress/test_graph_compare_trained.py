# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Comparison of techniques on a network graph, each candidate trained: by what, and what is not trained at all."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")

import torch
from tests.compress.conv_cases import bars
from tests.compress.small_graphs import trained

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compress.datasets import TrainingData
from spectramac.compress.graph_compare import GraphComparison
from spectramac.compress.graph_methods import graph_methods
from spectramac.compress.labelled import LabelledData
from spectramac.compress.train_graph import train_graph
from spectramac.compress.training import Training
from spectramac.model.batch import accuracy
from spectramac.model.graph_network import GraphNetwork
from spectramac.model.map_node import Arithmetic
from spectramac.spec.config import preset

CONFIG = preset("conv")
METHODS = [method.name for method in graph_methods(CONFIG, 8) if method.is_trainable]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_candidates_are_trained() -> None:
    """As a comparison makes them: taught by the given network, calibrated by the part that calibrates."""
    x, y = bars(300)
    x_validation, y_validation = bars(100, seed=5)
    data = TrainingData(
        x_train=x, y_train=y, x_validation=x_validation, y_validation=y_validation, n_classes=4
    )
    training = Training(2, 1e-2)
    compared = GraphComparison(
        graph=trained(),
        data=LabelledData(x, x_validation, y_validation),
        config=CONFIG,
        training=(training, data),
        densities=(0.3,),
        seed=5,
    )
    told: list[tuple[int, int]] = []
    found = list(compared.candidates(lambda *done: told.append(done)))
    assert [a.candidate.method for a in found] == METHODS
    assert told[-1] == (600, 600)
    assert told == sorted(told)
    attempt = next(a for a in found if a.candidate.method == "filters-l2")
    assert attempt.made is not None
    assert attempt.graph is not None
    scale = attempt.made.network.input_scale
    expected = train_graph(
        attempt.graph,
        attempt.forms,
        x.reshape(-1, 1, 8, 8),
        y,
        training.procedure(),
        5,
        teacher=trained(),
        input_scale=scale,
        device="cpu",
    )
    made = expected.export(x[:128].reshape(-1, 1, 8, 8), Arithmetic.of(CONFIG))
    inputs = x_validation.reshape(-1, 1, 8, 8)
    outputs = made.run(inputs, Arithmetic.of(CONFIG))
    np.testing.assert_array_equal(attempt.made.run(inputs, Arithmetic.of(CONFIG)), outputs)
    assert attempt.candidate.accuracy == accuracy(outputs, y_validation)
    network = attempt.candidate.network
    assert isinstance(network, GraphNetwork)
    assert attempt.candidate.stored_bytes == compile_graph(network, CONFIG).stored_bytes


def test_what_does_not_fit_is_not_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal comes first."""
    x, y = bars(100)
    data = TrainingData(x_train=x, y_train=y, x_validation=x, y_validation=y, n_classes=4)
    compared = GraphComparison(
        graph=trained(),
        data=LabelledData(x, x, y),
        config=CONFIG.replace(coefficient_depth=16),
        training=(Training(1), data),
        densities=(1.0,),
    )
    monkeypatch.setattr("spectramac.compress.train_graph.train_graph", None)
    refusals = [a.candidate.refusal for a in compared.candidates()]
    assert len(refusals) == len(METHODS)
    assert all("memory 'coefficient'" in refusal for refusal in refusals)
