# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark: every method, trained for the same number of epochs, at several densities or within several
budgets of bytes, with several seeds.

For every data set and seed a dense network is trained. Each method compresses and trains it, distilled from it.
The learning rate is chosen for each data set, method and point by the accuracy on the validation part (of equals
by the cross-entropy there), with the first seed. What does not fit the configuration is noted with the reason,
before any training.

A small data set has no validation part (:attr:`Settings.folds`): its training part is cut into stratified folds, anew
with every seed. Each fold in turn is held out from dense network, density, scales and training; what is chosen by are
all samples of the training part, each as the network sees it that was trained without it. What the tables report is
trained on the whole training part.

This is what fully-connected networks (:mod:`spectramac.compress.bench_dense`) and convolutional ones
(:mod:`spectramac.compress.bench_conv`) share. Results go to a file as they come: a stopped run goes on where it was.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Literal, Self, TypeVar

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

FOLDS = 3
MIN_VALIDATION = 200
"""A data set whose validation part has fewer samples is cut into :data:`FOLDS` folds, if nothing else is said."""

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
    folds : int, optional
        That the training part is cut into; 1: it has a validation part. Default: see :data:`MIN_VALIDATION`.
    """

    config: AcceleratorConfig
    epochs: int
    teacher_epochs: int
    rates: tuple[float, ...] = RATES
    steps: Literal["layer", "pair", "row"] = "layer"
    folds: int | None = None

    def __post_init__(self) -> None:
        if self.folds is not None and self.folds < 1:
            raise ValueError(f"folds must be at least 1, not {self.folds!r}")

    def folds_of(self, data: DataSet) -> int:
        """For a data set."""
        if self.folds is not None:
            return self.folds
        return 1 if len(data.y_validation) >= MIN_VALIDATION else FOLDS

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
            "folds": self.folds,
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
    _folds: dict[int, list[Self]] = field(default_factory=dict, init=False)
    _n_folds: int = field(init=False)

    def __post_init__(self) -> None:
        self._n_folds = self.settings.folds_of(self.data)
        if self._n_folds > 1:
            self.data = self.data.merged(
                f"{self._n_folds} folds of the training samples, stratified, anew with every seed; results are of "
                "networks that were trained on all of them"
            )

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

    def folds(self, seed: int) -> list[Self]:
        """Benches of the same methods with a fold of the training part each as validation part; none without folds."""
        n = self._n_folds
        if n > 1 and seed not in self._folds:
            settings = replace(self.settings, folds=1)
            self._folds[seed] = [
                type(self)(self.data.fold(i, n, seed), settings, self.results, self.out)
                for i in range(n)
            ]
        return self._folds.get(seed, [])

    def layers(self, seed: int) -> list[DenseLayer]:
        """The network that is compressed, trained if it is not there yet."""
        if seed not in self._layers:
            self._layers[seed] = self._dense(seed)
        return self._layers[seed]

    def dense(self, seed: int) -> list[DenseLayer]:
        """The same; noted if it is not yet."""
        layers = self.layers(seed)
        key = {"dataset": self.data.name, "seed": seed}
        if self.results.find("dense", **key) is None:
            accuracy = self._dense_accuracy(layers)
            n_weights = sum(w.size + b.size for w, b in layers)
            self.results.add(
                "dense",
                **key,
                **self.about,
                split=f"{self.data.split}; validation: {self.data.validation}",
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
        refusal = self._refusal(method, target, seeds)
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

    def _refusal(self, method: str, target: Target, seeds: Sequence[int]) -> str:
        """Why the configuration does not run it with all seeds; nothing if it does."""
        try:
            for seed in seeds:
                for bench in (self, *self.folds(seed)):
                    bench._check(method, bench.density(method, target, seed), seed)
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
                if self._n_folds == 1:
                    network = self._trained(method, target, seed, rate)
                score = self._score(method, target, seed, rate, network)
                self.results.add("rates", **key, seed=seed, rate=rate, **score.fields())
            else:
                score = Score.of(row)
            if score.order > best.order:
                best, chosen = score, (rate, network)
        return chosen

    def _score(
        self, method: str, target: Target, seed: int, rate: float, network: N | None
    ) -> Score:
        """What is chosen by: that of ``network`` on the validation part, or of those that the folds train."""
        if network is not None and self._n_folds == 1:
            return self.validate(network)
        key = {"dataset": self.data.name, "method": method, **target.key}
        row = self.results.find("rates", **key, seed=seed, rate=rate)
        if row is not None:
            return Score.of(row)
        folds = self.folds(seed)
        scores = [fold.validate(fold._trained(method, target, seed, rate)) for fold in folds]
        return Score.pooled(scores, [len(fold.data.y_validation) for fold in folds])

    def _add_result(
        self, method: str, target: Target, seed: int, rate: float, network: N | None
    ) -> None:
        start = time.perf_counter()
        data = self.data
        self.dense(seed)
        if network is None:
            network = self._trained(method, target, seed, rate)
        found = self.figures(network, f"{data.name}-{method}-{target.name}-{seed}")
        density = self.density(method, target, seed)
        self.results.add(
            "results",
            **{"dataset": data.name, "method": method, **target.key, "density": density},
            seed=seed,
            rate=rate,
            **self._score(method, target, seed, rate, network).fields(),
            **found,
        )
        self.log(
            f"{data.name}, {method} {target.text}, seed {seed}, rate {rate:g}: "
            f"{found['accuracy']:.2f} % in {found['bytes']} bytes "
            f"({time.perf_counter() - start:.0f} s)"
        )
