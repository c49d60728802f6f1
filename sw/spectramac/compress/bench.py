# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark: every method, trained for the same number of epochs, at several densities, with several seeds.

For every data set and seed a dense network is trained. Each method compresses and trains it, distilled from it.
The learning rate is chosen for each data set, method and density by the accuracy on the validation part, with
the first seed. What does not fit the configuration is noted with the reason, before any training.

This is what fully-connected networks (:mod:`spectramac.compress.bench_dense`) and convolutional ones
(:mod:`spectramac.compress.bench_conv`) share. Results go to a file as they come: a stopped run goes on where it was.
"""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from spectramac.compress.datasets import DataSet
from spectramac.compress.post_training import DenseLayer
from spectramac.compress.quantize import activation_scale
from spectramac.compress.techniques import NotRunnableError
from spectramac.compress.training import passes
from spectramac.compress.whole_file import whole_file
from spectramac.spec.config import AcceleratorConfig

__all__ = ["DENSITIES", "RATES", "Bench", "Results", "Settings", "open_results"]

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


class Results:
    """A JSON file of results, complete after every :meth:`add`.

    Parameters
    ----------
    path : path
        Read if it is there.
    settings : dict
        :meth:`Settings.identity`.

    Raises
    ------
    ValueError
        If the file is of other settings; names the difference.
    """

    _TABLES = ("dense", "rates", "results", "rtl")

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path = path
        self.tables: dict[str, list[dict[str, Any]]] = {name: [] for name in self._TABLES}
        self._settings = settings
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            for key, value in settings.items():
                if found["settings"].get(key) != value:
                    raise ValueError(
                        f"{path} was made with {key} {found['settings'].get(key)!r}, not {value!r}; "
                        "use the same options, or another folder"
                    )
            self.tables = {name: found.get(name, []) for name in self._TABLES}

    def find(self, table: str, **key: Any) -> dict[str, Any] | None:
        """The row with this key, if there is one."""
        rows = (r for r in self.tables[table] if all(r.get(k) == v for k, v in key.items()))
        return next(rows, None)

    def add(self, table: str, **row: Any) -> None:
        """Append a row and write the file, whole or not at all."""
        self.tables[table].append(row)
        text = json.dumps({"settings": self._settings, **self.tables}, indent=1, allow_nan=False)
        with whole_file(self.path) as partial:
            partial.write_text(text + "\n", encoding="utf-8")


def open_results(path: Path) -> tuple[Results, AcceleratorConfig]:
    """Results that are there, and the configuration that they are for.

    Raises
    ------
    ValueError
        If they are for another version of the architecture.
    """
    settings = json.loads(path.read_text(encoding="utf-8"))["settings"]
    identity = settings["configuration"]
    parameters = {k: v for k, v in identity.items() if k != "architecture_version"}
    config = AcceleratorConfig(name="benchmark", **parameters)
    if config.identity() != identity:
        version = identity["architecture_version"]
        raise ValueError(f"{path} is for architecture version {version}; run the benchmark again")
    return Results(path, settings), config


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
    def _check(self, method: str, density: float, seed: int) -> None:
        """Raise what the plan or the configuration does not allow."""

    @abstractmethod
    def _train(self, method: str, density: float, seed: int, rate: float) -> N:
        """A compressed network."""

    @abstractmethod
    def validate(self, network: N) -> float:
        """Percent of the validation part."""

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
        layers = self._dense(seed)
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

    def run(self, method: str, density: float, seeds: Sequence[int]) -> None:
        """One point of a curve with all seeds; what is in the results already is not done again."""
        key = {"dataset": self.data.name, "method": method, "density": density}
        missing = [s for s in seeds if self.results.find("results", **key, seed=s) is None]
        if not missing:
            return
        refusal = self._refusal(method, density, seeds[0])
        if refusal:
            for seed in missing:
                self.results.add("results", **key, seed=seed, refusal=refusal)
            self.log(f"{self.data.name}, {method} at {density:g}: {refusal}")
            return
        rate, trained = self._choose_rate(method, density, seeds[0])
        for seed in missing:
            network = trained if seed == seeds[0] and trained is not None else None
            self._add_result(method, density, seed, rate, network)

    def _refusal(self, method: str, density: float, seed: int) -> str:
        """Why the configuration does not run it; nothing if it does."""
        try:
            self._check(method, density, seed)
        except (NotRunnableError, ValueError) as error:
            return str(error)
        return ""

    def _choose_rate(self, method: str, density: float, seed: int) -> tuple[float, N | None]:
        """The best learning rate on the validation part, and its network if it was trained now."""
        key = {"dataset": self.data.name, "method": method, "density": density}
        best: tuple[float, float, N | None] = (-1.0, self.settings.rates[0], None)
        for rate in self.settings.rates:
            row = self.results.find("rates", **key, rate=rate)
            network = None
            if row is None:
                network = self._train(method, density, seed, rate)
                accuracy = self.validate(network)
                self.results.add("rates", **key, seed=seed, rate=rate, validation=accuracy)
            else:
                accuracy = row["validation"]
            if accuracy > best[0]:
                best = accuracy, rate, network
        return best[1], best[2]

    def _add_result(
        self, method: str, density: float, seed: int, rate: float, network: N | None
    ) -> None:
        start = time.perf_counter()
        data = self.data
        if network is None:
            network = self._train(method, density, seed, rate)
        found = self.figures(network, f"{data.name}-{method}-{density:g}-{seed}")
        self.results.add(
            "results",
            dataset=data.name,
            method=method,
            density=density,
            seed=seed,
            rate=rate,
            validation=self.validate(network),
            **found,
        )
        self.log(
            f"{data.name}, {method} at {density:g}, seed {seed}, rate {rate:g}: "
            f"{found['accuracy']:.2f} % in {found['bytes']} bytes "
            f"({time.perf_counter() - start:.0f} s)"
        )
