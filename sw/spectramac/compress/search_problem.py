# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""One point of a search: from a trial's parameters to an integer network and its validation accuracy."""

import hashlib
import importlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from spectramac.compress.compare import float_accuracy
from spectramac.compress.datasets import TrainingData
from spectramac.compress.measure import Evaluated, Score, evaluated, measure
from spectramac.compress.methods import remove_neurons
from spectramac.compress.outline import layer_inputs, within
from spectramac.compress.post_training import Choice, DenseLayer, compress_layers
from spectramac.compress.quantize import activation_scale
from spectramac.compress.search_demand import Demand
from spectramac.compress.search_space import (
    MODEL_WIDTHS,
    Space,
    Trial,
    spend,
)
from spectramac.compress.training import Training
from spectramac.model.batch import quantize_input
from spectramac.model.network import Network

__all__ = ["Problem"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Problem:
    """What is searched, and how a point is evaluated. Everything in it can be sent to another process.

    Parameters
    ----------
    layers : sequence of (weights, bias)
        The trained network; ReLU follows each layer but the last.
    data : TrainingData
        Accuracies are those of the validation part; the training part calibrates and trains.
    space : Space
    demand : Demand
    training : Training, optional
        Of every point. Default: compression in one step, which is cheap. What is trained learns from the trained
        network, and never exceeds a budget.
    rates : tuple of float
        Learning rates that a point chooses from. Default: that of ``training``.
    teacher_epochs : int
        Of training of the dense networks with other widths.
    teachers : path
        Folder where those are kept; processes may share it.
    input_scale : float, optional
        Real value of one int8 step. Default: that of the largest calibration input.
    seed : int
        Of all training.
    folds : tuple of Problem
        If there are any, accuracies are those of their validation parts together: of small data, whose folds are
        held out in turn. ``data`` needs no validation part then.
    """

    layers: Sequence[DenseLayer]
    data: TrainingData
    space: Space
    demand: Demand
    training: Training | None = None
    rates: tuple[float, ...] = ()
    teacher_epochs: int = 20
    teachers: Path = Path("teachers")
    input_scale: float | None = None
    seed: int = 0
    folds: "tuple[Problem, ...]" = ()

    @cached_property
    def scale(self) -> float:
        """Real value of one int8 step of the input."""
        if self.input_scale is not None:
            return self.input_scale
        return activation_scale(self.data.calibration, "max")

    @cached_property
    def reference(self) -> float:
        """Validation accuracy of the network before compression, in percent."""
        if self.folds:
            return self._pooled([Score(fold.reference, 0.0) for fold in self.folds]).accuracy
        return float_accuracy(self.layers, self.data.x_validation, self.data.y_validation)

    def identity(self) -> dict[str, Any]:
        """What must be the same for all processes of a study, as JSON values."""
        digest = hashlib.sha256()
        for array in (
            *(a for layer in self.layers for a in layer),
            self.data.x_train,
            self.data.y_train,
            self.data.x_validation,
            self.data.y_validation,
        ):
            digest.update(np.ascontiguousarray(array).tobytes())
        optional: dict[str, Any] = {"rates": list(self.rates)} if self.rates else {}
        optional |= {"neurons": True} if self.space.neurons else {}
        optional |= {"folds": [fold.identity() for fold in self.folds]} if self.folds else {}
        return optional | {
            "model and data": digest.hexdigest(),
            "demand": self.demand.text,
            "configuration": f"0x{self.space.config.build_id:08x}",
            "image": None if self.space.image is None else list(self.space.image),
            "widths": [list(w) for w in self.space.widths],
            "min_bits": self.space.min_bits,
            "training": None if self.training is None else vars(self.training),
            "teacher_epochs": self.teacher_epochs if self.space.widths else None,
            "input_scale": self.scale,
            "seed": self.seed,
        }

    def layer_names(self, n_layers: int) -> list[str]:
        """Of the dense layers of a trial; other widths may be of another number of layers."""
        return [f"fc{i}" for i in range(1, n_layers + 1)]

    def starting_points(self) -> list[dict[str, Any]]:
        """Parameters that a search begins with."""
        return self.space.starting_points(len(self.layers), trained=self.training is not None)

    def chain(self, widths: str) -> Sequence[DenseLayer]:
        """The dense network of these hidden widths, trained if it is not in the cache."""
        if widths == MODEL_WIDTHS:
            return self.layers
        hidden = [int(n) for n in widths.split("-")]
        module = importlib.import_module("spectramac.compress.train_dense")
        layers: list[DenseLayer] = module.cached_dense(
            self.teachers,
            [self.data.n_in, *hidden, self.data.n_classes],
            self.data.x_train,
            self.data.y_train,
            epochs=self.teacher_epochs,
            seed=self.seed,
        )
        return layers

    def asked(self, trial: Trial) -> list[Choice]:
        """Everything that a trial chooses, nothing computed."""
        self.space.widths_of(trial)
        self.space.neurons_of(trial)
        choices = self.space.choose(trial, len(self.layers))
        self.training_of(trial)
        return choices

    def plan(self, trial: Trial) -> tuple[Sequence[DenseLayer], list[Choice]]:
        """The dense network that a trial starts from, and a choice for each of its layers.

        Raises
        ------
        ValueError
            If no density meets the budget or fits the configuration.
        """
        layers = self.chain(self.space.widths_of(trial))
        neurons = self.space.neurons_of(trial)
        choices = self.space.choose(trial, len(layers))
        if neurons < 1:
            layers = remove_neurons(layers, neurons, self.data.calibration)
        if self.demand.is_budget:
            inputs = layer_inputs(layers, self.data.calibration)
            choices = spend(layers, choices, inputs, self.space.config, self.demand)
        return layers, choices

    def build(
        self,
        layers: Sequence[DenseLayer],
        choices: Sequence[Choice],
        training: Training | None = None,
    ) -> Network:
        """The integer network, trained if there is training. Default: :attr:`training`."""
        training = training or self.training
        if training is None:
            return compress_layers(
                layers,
                choices,
                quantize_input(self.data.calibration, self.scale),
                input_scale=self.scale,
                accumulator_width=self.space.config.accumulator_width,
            )
        budget = within(self.demand, self.space.config) if self.demand.is_budget else None
        return training.network(
            layers,
            choices,
            self.data,
            self.space.config,
            input_scale=self.scale,
            seed=self.seed,
            teacher=self.layers,
            within=budget,
        )

    def training_of(self, trial: Trial) -> Training | None:
        """With the rate that a trial chooses, if there are any to choose from."""
        if self.training is None or not self.rates:
            return self.training
        return replace(self.training, rate=trial.suggest_categorical("rate", self.rates))

    def evaluate(self, trial: Trial) -> tuple[Evaluated, list[Choice]]:
        """Everything about the point of a trial; the same parameters give the same network."""
        layers, choices = self.plan(trial)
        network = self.build(layers, choices, self.training_of(trial))
        data, config = self.data, self.space.config
        if self.folds:
            score = self._pooled([fold.evaluate(trial)[0].score for fold in self.folds])
            return evaluated(network, score, config), choices
        return measure(network, data.x_validation, data.y_validation, config), choices

    def _pooled(self, scores: Sequence[Score]) -> Score:
        """Of the scores of all folds."""
        return Score.pooled(scores, [len(fold.data.y_validation) for fold in self.folds])
