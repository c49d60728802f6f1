# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark of fully-connected networks: accuracies on the golden model, bytes of the compiled image."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from spectramac.compiler.compile import compile_network
from spectramac.compress.bench_integer import IntegerBench
from spectramac.compress.bench_methods import BenchMethod, bench_methods
from spectramac.compress.compare import float_accuracy
from spectramac.compress.measure import Evaluated, measure
from spectramac.compress.methods import NeuronMethod
from spectramac.compress.outline import (
    MIN_DENSITY,
    bisected,
    layer_inputs,
    outline,
    skeleton_of,
    within,
)
from spectramac.compress.post_training import Choice, DenseLayer
from spectramac.compress.search_demand import Demand
from spectramac.compress.search_problem import Problem
from spectramac.compress.search_space import Space
from spectramac.compress.training import Training
from spectramac.model.network import Network, load_network, save_network

__all__ = ["DenseBench"]


@dataclass(eq=False)
class DenseBench(IntegerBench[Network]):
    """The benchmark of one data set with a fully-connected network."""

    @cached_property
    def methods(self) -> dict[str, BenchMethod]:
        """See :attr:`Bench.methods`."""
        return bench_methods(self.data, self.settings.config, self.settings.steps)

    @property
    def about(self) -> dict[str, Any]:
        """See :attr:`Bench.about`."""
        return {"sizes": list(self.data.sizes)}

    def _dense(self, seed: int) -> list[DenseLayer]:
        data = self.data
        module = importlib.import_module("spectramac.compress.train_dense")
        layers: list[DenseLayer] = module.cached_dense(
            self.out / "dense",
            data.sizes,
            data.x_train,
            data.y_train,
            epochs=self.settings.teacher_epochs * self.passes,
            seed=seed,
        )
        return layers

    def _dense_accuracy(self, layers: list[DenseLayer]) -> float:
        return float_accuracy(layers, self.data.x_test, self.data.y_test)

    def plan(
        self, method: str, density: float, seed: int
    ) -> tuple[list[DenseLayer], list[DenseLayer], list[Choice]]:
        """The dense network, the chain that a method compresses, and its choices."""
        layers = self.layers(seed)
        chain, choices = self.methods[method].plan(layers, density, self.data.calibration)
        return layers, chain, choices

    def _density_within(self, method: str, budget: int, seed: int) -> float:
        calibration, config = self.data.calibration, self.settings.config
        fits = within(Demand(max_bytes=budget), config)

        def skeleton(density: float) -> Network:
            _, chain, choices = self.plan(method, density, seed)
            return skeleton_of(chain, choices, layer_inputs(chain, calibration))

        if not fits(skeleton(MIN_DENSITY)):
            n_bytes = compile_network(skeleton(MIN_DENSITY), config).stored_bytes
            raise ValueError(f"takes {n_bytes} bytes at least, at a density of {MIN_DENSITY:g}")
        return bisected(lambda density: fits(skeleton(density)), MIN_DENSITY, 1.0)

    def _check(self, method: str, density: float, seed: int) -> None:
        _, chain, choices = self.plan(method, density, seed)
        inputs = layer_inputs(chain, self.data.calibration)
        outline(chain, choices, inputs, self.settings.config)

    def _train(
        self, method: str, density: float, seed: int, rate: float, budget: int | None = None
    ) -> Network:
        layers, chain, choices = self.plan(method, density, seed)
        config = self.settings.config
        demand = None if budget is None else Demand(max_bytes=budget)
        return Training(self.settings.epochs * self.passes, rate).network(
            chain,
            choices,
            self.data,
            config,
            input_scale=self.scale,
            seed=seed,
            teacher=layers,
            within=None if demand is None else within(demand, config),
        )

    def measured(self, network: Network, part: Literal["validation", "test"]) -> Evaluated:
        """See :meth:`IntegerBench.measured`."""
        x, y = self.data.part(part)
        return measure(network, x, y, self.settings.config)

    def save(self, network: Network, path: Path) -> None:
        """See :meth:`IntegerBench.save`."""
        save_network(network, path)

    def load(self, path: Path) -> Network:
        """See :meth:`IntegerBench.load`."""
        return load_network(path)

    def problem(self, budget: int, seed: int) -> Problem:
        """See :meth:`IntegerBench.problem`."""
        data, settings = self.data, self.settings
        return Problem(
            layers=self.layers(seed),
            data=data,
            space=Space(settings.config, data.shape if data.is_image else None, neurons=True),
            demand=Demand(max_bytes=budget),
            training=Training(settings.epochs * self.passes),
            rates=settings.rates,
            input_scale=self.scale,
            seed=seed,
            folds=tuple(fold.problem(budget, seed) for fold in self.folds(seed)),
        )

    def parameters(
        self, method: str, density: float, problem: Problem, seed: int
    ) -> dict[str, Any] | None:
        """See :meth:`IntegerBench.parameters`."""
        _, _, choices = self.plan(method, density, seed)
        removes = isinstance(self.methods[method].method, NeuronMethod)
        return problem.space.parameters_of(choices, density if removes else 1.0)

    def plan_of(self, params: dict[str, Any], choices: Sequence[Choice]) -> list[str]:
        """See :meth:`IntegerBench.plan_of`."""
        neurons = params["neurons"]
        lines = [f"{100 * neurons:.0f} % of the hidden neurons"] if neurons < 1 else []
        return lines + [choice.text for choice in choices]
