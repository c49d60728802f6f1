# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark: every method, trained for the same number of epochs, at several densities or within several
budgets of bytes, with several seeds.

For every data set and seed a dense network is trained. Each method compresses and trains it, distilled from it.
The learning rate is chosen for each data set, method and point by the accuracy on the validation part (of equals
by the cross-entropy there), with the first seed. What does not fit the configuration is noted with the reason,
before any training.

This is what fully-connected networks (:mod:`spectramac.compress.bench_dense`) and convolutional ones
(:mod:`spectramac.compress.bench_conv`) share. Results go to a file as they come: a stopped run goes on where it was.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from spectramac.compress.bench_results import Results, Target
from spectramac.compress.datasets import DataSet
from spectramac.compress.measure import Score
from spectramac.compress.post_training import DenseLayer
from spectramac.compress.quantize import activation_scale
from spectramac.compress.techniques import NotRunnableError
from spectramac.compress.training import passes
from spectramac.spec.config import AcceleratorConfig

__all__ = ["DENSITIES", "RATES", "Bench", "Settings"]

N = TypeVar("N")
"""What training gives."""

DENSITIES = (0.12, 0.06, 0.03, 0.015, 0.008, 0.004)
RATES = (2e-3, 5e-3, 1.2e-2)

Log = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all results of a file have in common.

    Attributes
    ----------
    config : AcceleratorConfig
    epochs : int
        Of every method; see :func:`~spectramac.compress.training.passes`.
    teacher_epochs : int
        Of the dense networks.
    rates : tuple of float
        Learning rates to choose from.
    steps : str
        Of coefficients, of every method: one for each ``"layer"``, row ``"pair"`` or ``"row"``. More of them
        cost bytes, and training does without.
    """

    config: AcceleratorConfig
    epochs: int
    teacher_epochs: int
    rates: tuple[float, ...] = RATES
    steps: Literal["layer", "pair", "row"] = "layer"

    def identity(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "preset": self.config.name,
            "coefficient_depth": self.config.coefficient_depth,
            "configuration": self.config.identity(),
            "epochs": self.epochs,
            "teacher_epochs": self.teacher_epochs,
            "rates": list(self.rates),
            "steps": self.steps,
        }


@dataclass(eq=False)
class Bench(ABC, Generic[N]):
    """The benchmark of one data set.

    Parameters
    ----------
    data : DataSet
    settings : Settings
    results : Results
    out : path
        Folder for dense and compressed networks.
    log : callable, optional
        Gets a line for every result.
    """

    data: DataSet
    settings: Settings
    results: Results
    out: Path
    log: Log = lambda _: None
    _densities: dict[tuple[str, int, int], float] = field(default_factory=dict, init=False)
    _layers: dict[int, list[DenseLayer]] = field(default_factory=dict, init=False)

    @property
    @abstractmethod
    def methods(self) -> Mapping[str, Any]:
        """By name."""

    @property
    @abstractmethod
    def about(self) -> dict[str, Any]:
        """What the report says about the dense network and the figures, as JSON values: ``sizes`` or
        ``architecture``; ``figures``, if they are other ones than those of a compiled network.
        """

    @abstractmethod
    def _dense(self, seed: int) -> list[DenseLayer]:
        """The dense network, trained if it is not there yet."""

    @abstractmethod
    def _dense_accuracy(self, layers: list[DenseLayer]) -> float:
        """Percent of the test part, in floating point."""

    @abstractmethod
    def _density_within(self, method: str, budget: int, seed: int) -> float:
        """The density at which a budget of bytes is just used up; :exc:`ValueError` if there is none."""

    @abstractmethod
    def _check(self, method: str, density: float, seed: int) -> None:
        """Raise what the plan or the configuration does not allow."""

    @abstractmethod
    def _train(
        self, method: str, density: float, seed: int, rate: float, budget: int | None = None
    ) -> N:
        """A compressed network, of at most ``budget`` bytes."""

    @abstractmethod
    def validate(self, network: N) -> Score:
        """On the validation part."""

    @abstractmethod
    def figures(self, network: N, name: str) -> dict[str, Any]:
        """Accuracy on the test part, bytes and multiplications, and whatever else a row has.

        ``name`` is that of this result, for a file of the network.
        """

    @property
    def passes(self) -> int:
        """Over the data, in an epoch."""
        return passes(len(self.data.x_train))

    @cached_property
    def scale(self) -> float:
        """Real value of one int8 step of the input."""
        return activation_scale(self.data.calibration, "max")

    def dense(self, seed: int) -> list[DenseLayer]:
        """The network that is compressed, trained and noted if it is not there yet."""
        if seed not in self._layers:
            self._layers[seed] = self._dense(seed)
        layers = self._layers[seed]
        key = {"dataset": self.data.name, "seed": seed}
        if self.results.find("dense", **key) is None:
            accuracy = self._dense_accuracy(layers)
            n_weights = sum(w.size + b.size for w, b in layers)
            self.results.add(
                "dense",
                **key,
                **self.about,
                split=self.data.split,
                passes=self.passes,
                accuracy=accuracy,
                float32_bytes=4 * n_weights,
            )
            self.log(f"{self.data.name}, seed {seed}: dense, floating point, {accuracy:.2f} %")
        return layers

    def run(self, method: str, target: Target, seeds: Sequence[int]) -> None:
        """One point of a curve with all seeds; what is in the results already is not done again."""
        key = {"dataset": self.data.name, "method": method, **target.key}
        missing = [s for s in seeds if self.results.find("results", **key, seed=s) is None]
        if not missing:
            return
        refusal = self._refusal(method, target, seeds[0])
        if refusal:
            for seed in missing:
                self.results.add("results", **key, seed=seed, refusal=refusal)
            self.log(f"{self.data.name}, {method} {target.text}: {refusal}")
            return
        rate, trained = self._choose_rate(method, target, seeds[0])
        for seed in missing:
            network = trained if seed == seeds[0] and trained is not None else None
            self._add_result(method, target, seed, rate, network)

    def density(self, method: str, target: Target, seed: int) -> float:
        """That a target stands for, on the dense network of this seed.

        Raises
        ------
        ValueError
            If a budget is less than the method takes at least.
        """
        if target.density is not None:
            return target.density
        assert target.budget is not None
        key = method, target.budget, seed
        if key not in self._densities:
            self._densities[key] = self._density_within(*key)
        return self._densities[key]

    def _refusal(self, method: str, target: Target, seed: int) -> str:
        """Why the configuration does not run it; nothing if it does."""
        try:
            self._check(method, self.density(method, target, seed), seed)
        except (NotRunnableError, ValueError) as error:
            return str(error)
        return ""

    def _trained(self, method: str, target: Target, seed: int, rate: float) -> N:
        density = self.density(method, target, seed)
        return self._train(method, density, seed, rate, target.budget)

    def _choose_rate(self, method: str, target: Target, seed: int) -> tuple[float, N | None]:
        """The best learning rate on the validation part, and its network if it was trained now."""
        key = {"dataset": self.data.name, "method": method, **target.key}
        best = Score(-1.0, 0.0)
        chosen: tuple[float, N | None] = (self.settings.rates[0], None)
        for rate in self.settings.rates:
            row = self.results.find("rates", **key, rate=rate)
            network = None
            if row is None:
                network = self._trained(method, target, seed, rate)
                score = self.validate(network)
                self.results.add("rates", **key, seed=seed, rate=rate, **score.fields())
            else:
                score = Score.of(row)
            if score.order > best.order:
                best, chosen = score, (rate, network)
        return chosen

    def _add_result(
        self, method: str, target: Target, seed: int, rate: float, network: N | None
    ) -> None:
        start = time.perf_counter()
        data = self.data
        if network is None:
            network = self._trained(method, target, seed, rate)
        found = self.figures(network, f"{data.name}-{method}-{target.name}-{seed}")
        density = self.density(method, target, seed)
        self.results.add(
            "results",
            **{"dataset": data.name, "method": method, **target.key, "density": density},
            seed=seed,
            rate=rate,
            **self.validate(network).fields(),
            **found,
        )
        self.log(
            f"{data.name}, {method} {target.text}, seed {seed}, rate {rate:g}: "
            f"{found['accuracy']:.2f} % in {found['bytes']} bytes "
            f"({time.perf_counter() - start:.0f} s)"
        )
