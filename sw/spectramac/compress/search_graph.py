# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a search over a network graph chooses from, and how a point becomes an integer network and its accuracy.

As :mod:`spectramac.compress.search_space` and :mod:`spectramac.compress.search_problem` for chains of dense layers: for
every layer that methods compress a technique, a density and bits; and how many filters stay. A demand on bytes or
cycles is met by construction: the search chooses how dense layers are relative to each other, and a common factor
spends the budget.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compress.blocks import Floats
from spectramac.compress.datasets import TrainingData
from spectramac.compress.graph_channels import remove_filters
from spectramac.compress.graph_codes import Form
from spectramac.compress.graph_making import GraphMaker, calibration_of
from spectramac.compress.graph_measure import graph_float_accuracy, graph_size, measure_graph
from spectramac.compress.graph_methods import (
    GraphMethod,
    GraphPlan,
    Steps,
    compressible,
    form_of,
    graph_methods,
)
from spectramac.compress.measure import Evaluated, Size
from spectramac.compress.post_training import Choice
from spectramac.compress.search_demand import Demand
from spectramac.compress.search_space import MIN_RELATIVE, START, Trial, spend_by
from spectramac.compress.techniques import Quantization
from spectramac.compress.training import Training
from spectramac.graph.graph import Graph
from spectramac.graph.nodes import Conv, Dense
from spectramac.spec.config import AcceleratorConfig

__all__ = ["GraphProblem", "GraphSpace"]

_BISECTIONS = 7
"""Of the common factor: each compiles the network."""


@dataclass(frozen=True)
class GraphSpace:
    """What every layer may become.

    Parameters
    ----------
    config : AcceleratorConfig
        With ``maps``.
    min_bits : int
        From 4; 8 is the largest.
    is_trained : bool
        Leave out what is not trained.
    """

    config: AcceleratorConfig
    min_bits: int = 4
    is_trained: bool = False

    def __post_init__(self) -> None:
        if not 4 <= self.min_bits <= 8:
            raise ValueError(f"min_bits must be from 4 to 8, not {self.min_bits!r}")

    def methods(self, bits: int = 8) -> list[GraphMethod]:
        """That layers choose from."""
        found = [m for m in graph_methods(self.config, bits) if isinstance(m, GraphMethod)]
        return [m for m in found if m.is_trainable or not self.is_trained]

    def names(self, node: Conv | Dense) -> list[str]:
        """Of methods that differ for a layer."""
        found: dict[Any, str] = {}
        for method in self.methods():
            found.setdefault(method.technique(node), method.name)
        return list(found.values())

    def filters_of(self, trial: Trial) -> float:
        """Part of the filters that stays, where some may be removed."""
        return trial.suggest_float("filters", 0.05, 1.0, log=True)

    def choose(self, trial: Trial, layers: Sequence[Conv | Dense]) -> list[Choice]:
        """A choice for every layer; densities still to be multiplied, if there is a budget."""
        choices = []
        # Training does without a step for each row, which costs bytes.
        steps: Steps = "layer" if self.is_trained else "row"
        for i, node in enumerate(layers):
            kind = trial.suggest_categorical(f"{i}.technique", self.names(node))
            bits = trial.suggest_int(f"{i}.bits", self.min_bits, 8)
            density = trial.suggest_float(f"{i}.density", MIN_RELATIVE, 1.0, log=True)
            method = next(m for m in self.methods(bits) if m.name == kind)
            choices.append(Choice(method.technique(node), density, Quantization(bits, steps)))
        return choices

    def _point(
        self, layers: Sequence[Conv | Dense], kind: str, bits: int, part: float, density: float
    ) -> dict[str, Any]:
        """Parameters that compress all layers by one method, and keep a part of the filters.

        A layer has only one name for what several methods do with it, that of the first.
        """
        methods = self.methods()
        own = next(method for method in methods if method.name == kind)
        found: dict[str, Any] = {"filters": part}
        for i, node in enumerate(layers):
            technique = own.technique(node)
            name = next(m.name for m in methods if m.technique(node) == technique)
            found |= {f"{i}.technique": name, f"{i}.bits": bits, f"{i}.density": density}
        return found

    def parameters_of(
        self, layers: Sequence[Conv | Dense], method: GraphPlan, bits: int, part: float
    ) -> dict[str, Any] | None:
        """Parameters of a trial that compresses all layers by one method, or keeps a part of the filters and all
        coefficients of what stays, but for a common factor of densities; None if none does.
        """
        kinds = [known.name for known in self.methods()]
        if not isinstance(method, GraphMethod):
            return self._point(layers, kinds[0], bits, part, 1.0)
        if method.name not in kinds:
            return None
        return self._point(layers, method.name, bits, part, START)

    def starting_points(self, layers: Sequence[Conv | Dense]) -> list[dict[str, Any]]:
        """Parameters of one technique for all layers, for each, so that a search never ends below any of them; then of
        all coefficients kept, with all filters and with half of them.
        """
        bits = [self.min_bits, 8] if self.is_trained else [max(6, self.min_bits), 8]
        names = [method.name for method in self.methods()]
        starts = [(name, 1.0, START) for name in names]
        starts += [(names[0], part, 1.0) for part in (1.0, 0.5)]
        return [
            self._point(layers, kind, n, part, density)
            for kind, part, density in starts
            for n in dict.fromkeys(bits)
        ]


@dataclass(frozen=True, eq=False, kw_only=True)
class GraphProblem:
    """What is searched, and how a point is evaluated. Everything in it can be sent to another process.

    Parameters
    ----------
    graph : Graph
        The trained network, in floating point; one output for each class.
    data : TrainingData
        Accuracies are those of the validation part; the training part calibrates and trains.
    config : AcceleratorConfig
        With ``maps``.
    demand : Demand
        Cycles are predicted for the first two validation samples.
    training : Training, optional
        Of every point. Default: compression in one step, which is cheap. What is trained learns from the trained
        network, and never exceeds a budget of bytes.
    rates : tuple of float
        Learning rates that a point chooses from. Default: that of ``training``.
    min_bits : int
        From 4.
    input_scale : float, optional
        Real value of one int8 step of the input. Default: chosen by the calibration inputs.
    seed : int
        Of all training.
    """

    graph: Graph
    data: TrainingData
    config: AcceleratorConfig
    demand: Demand
    training: Training | None = None
    rates: tuple[float, ...] = ()
    min_bits: int = 4
    input_scale: float | None = None
    seed: int = 0

    @property
    def space(self) -> GraphSpace:
        """What is chosen from."""
        return GraphSpace(self.config, self.min_bits, self.training is not None)

    @cached_property
    def layers(self) -> list[Conv | Dense]:
        """Those that are chosen for."""
        return compressible(self.graph)

    @cached_property
    def maker(self) -> GraphMaker:
        """That makes networks."""
        return GraphMaker(
            teacher=self.graph,
            calibration=calibration_of(self.graph, self.data.calibration),
            config=self.config,
            training=None if self.training is None else (self.training, self.data),
            input_scale=self.input_scale,
            seed=self.seed,
        )

    @cached_property
    def reference(self) -> float:
        """Validation accuracy of the network before compression, in percent."""
        return graph_float_accuracy(self.graph, self.data.x_validation, self.data.y_validation)

    def identity(self) -> dict[str, Any]:
        """What must be the same for all processes of a study, as JSON values."""
        digest = hashlib.sha256()
        for node in self.graph.nodes:
            digest.update(f"{node.operator} {node.name} {node.inputs}".encode())
            for array in node.parameters.values():
                digest.update(np.ascontiguousarray(array).tobytes())
        data = self.data
        for values in (data.x_train, data.y_train, data.x_validation, data.y_validation):
            digest.update(np.ascontiguousarray(values).tobytes())
        return ({"rates": list(self.rates)} if self.rates else {}) | {
            "model and data": digest.hexdigest(),
            "demand": self.demand.text,
            "configuration": f"0x{self.config.build_id:08x}",
            "min_bits": self.min_bits,
            "training": None if self.training is None else vars(self.training),
            "input_scale": self.input_scale,
            "seed": self.seed,
        }

    def layer_names(self, n_layers: int) -> list[str]:
        """Of the nodes of :attr:`layers`, which all trials choose for."""
        return [node.name for node in self.layers]

    def starting_points(self) -> list[dict[str, Any]]:
        """Parameters that a search begins with."""
        return self.space.starting_points(self.layers)

    def training_of(self, trial: Trial) -> Training | None:
        """With the rate that a trial chooses, if there are any to choose from."""
        if self.training is None or not self.rates:
            return self.training
        return replace(self.training, rate=trial.suggest_categorical("rate", self.rates))

    def asked(self, trial: Trial) -> list[Choice]:
        """Everything that a trial chooses, nothing computed."""
        self.space.filters_of(trial)
        choices = self.space.choose(trial, self.layers)
        self.training_of(trial)
        return choices

    def plan(self, trial: Trial) -> tuple[Graph, list[Choice]]:
        """The graph that a trial starts from, and a choice for each of :attr:`layers`.

        Raises
        ------
        ValueError
            If no density meets the budget or fits the configuration.
        """
        part = self.space.filters_of(trial)
        choices = self.space.choose(trial, self.layers)
        graph = self.graph
        if part < 1:
            graph = remove_filters(graph, part, self.maker.calibration)
        return graph, self._spent(graph, choices) if self.demand.is_budget else choices

    def forms(self, graph: Graph, choices: Sequence[Choice]) -> dict[str, Form]:
        """By the name of the node."""
        nodes = {node.name: node for node in graph.nodes}
        found = {}
        for layer, choice in zip(self.layers, choices, strict=True):
            node = nodes[layer.name]
            assert isinstance(node, Conv | Dense)
            found[node.name] = form_of(node, choice)
        return found

    def _spent(self, graph: Graph, choices: Sequence[Choice]) -> list[Choice]:
        """The same choices, all densities multiplied so that a budget is just used up."""

        def excess(scaled: Sequence[Choice]) -> float:
            made = self.maker.outlined(graph, self.forms(graph, scaled))
            if self.demand.max_bytes is None:
                size = graph_size(made, self.data.x_validation, self.config)
            else:
                size = Size(compile_graph(made.network, self.config).stored_bytes, np.inf)
            return self.demand.excess(size, 0.0, 0.0)

        return spend_by(choices, excess, _BISECTIONS)

    def evaluate(self, trial: Trial) -> tuple[Evaluated, list[Choice]]:
        """Everything about the point of a trial; the same parameters give the same network."""
        graph, choices = self.plan(trial)
        training = self.training_of(trial)
        maker = self.maker
        if training is not None:
            maker = replace(maker, training=(training, self.data))
        made = maker.make(graph, self.forms(graph, choices), max_bytes=self.demand.max_bytes)
        x: Floats = self.data.x_validation
        return measure_graph(made, x, self.data.y_validation, self.config), choices
