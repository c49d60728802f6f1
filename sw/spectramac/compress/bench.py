# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark: every method, trained for the same number of epochs, at several densities, with several seeds.

For every data set and seed a dense network is trained. Each method compresses and trains it, distilled from it.
The learning rate is chosen for each data set, method and density by the accuracy on the validation part, with
the first seed. Test accuracies are those of the integer network on the golden model; bytes are those of the
compiled image. What does not fit the configuration is noted with the reason, before any training.

Results go to a file as they come: a stopped run goes on where it was.
"""

import importlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from spectramac.compress.bench_methods import BenchMethod, bench_methods
from spectramac.compress.compare import float_accuracy
from spectramac.compress.datasets import DataSet
from spectramac.compress.measure import measure
from spectramac.compress.post_training import Choice, DenseLayer
from spectramac.compress.quantize import activation_scale
from spectramac.compress.search_space import layer_inputs, outline
from spectramac.compress.techniques import NotRunnableError
from spectramac.compress.training import Training, passes
from spectramac.compress.whole_file import whole_file
from spectramac.model.network import Network, save_network
from spectramac.spec.config import AcceleratorConfig

__all__ = ["DENSITIES", "RATES", "Bench", "Results", "Settings", "open_results"]

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
class Bench:
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

    @cached_property
    def methods(self) -> dict[str, BenchMethod]:
        """By name."""
        return bench_methods(self.data, self.settings.config, self.settings.steps)

    @property
    def passes(self) -> int:
        """Over the data, in an epoch."""
        return passes(len(self.data.x_train))

    @cached_property
    def scale(self) -> float:
        """Real value of one int8 step of the input."""
        return activation_scale(self.data.calibration, "max")

    def dense(self, seed: int) -> list[DenseLayer]:
        """The network that is compressed, trained if it is not there yet."""
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
        key = {"dataset": data.name, "seed": seed}
        if self.results.find("dense", **key) is None:
            accuracy = float_accuracy(layers, data.x_test, data.y_test)
            n_weights = sum(w.size + b.size for w, b in layers)
            self.results.add(
                "dense",
                **key,
                sizes=list(data.sizes),
                split=data.split,
                passes=self.passes,
                accuracy=accuracy,
                float32_bytes=4 * n_weights,
            )
            self.log(f"{data.name}, seed {seed}: dense, floating point, {accuracy:.2f} %")
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
            self._measure(method, density, seed, rate, network)

    def _plan(
        self, method: str, density: float, seed: int
    ) -> tuple[list[DenseLayer], list[DenseLayer], list[Choice]]:
        layers = self.dense(seed)
        chain, choices = self.methods[method].plan(layers, density, self.data.calibration)
        return layers, chain, choices

    def _refusal(self, method: str, density: float, seed: int) -> str:
        """Why the configuration does not run it; nothing if it does."""
        config = self.settings.config
        try:
            _, chain, choices = self._plan(method, density, seed)
            outline(chain, choices, layer_inputs(chain, self.data.calibration), config)
        except (NotRunnableError, ValueError) as error:
            return str(error)
        return ""

    def _train(self, method: str, density: float, seed: int, rate: float) -> Network:
        layers, chain, choices = self._plan(method, density, seed)
        return Training(self.settings.epochs * self.passes, rate).network(
            chain,
            choices,
            self.data,
            self.settings.config,
            input_scale=self.scale,
            seed=seed,
            teacher=layers,
        )

    def _validate(self, network: Network) -> float:
        data, config = self.data, self.settings.config
        return measure(network, data.x_validation, data.y_validation, config).accuracy

    def _choose_rate(self, method: str, density: float, seed: int) -> tuple[float, Network | None]:
        """The best learning rate on the validation part, and its network if it was trained now."""
        key = {"dataset": self.data.name, "method": method, "density": density}
        best: tuple[float, float, Network | None] = (-1.0, self.settings.rates[0], None)
        for rate in self.settings.rates:
            row = self.results.find("rates", **key, rate=rate)
            network = None
            if row is None:
                network = self._train(method, density, seed, rate)
                accuracy = self._validate(network)
                self.results.add("rates", **key, seed=seed, rate=rate, validation=accuracy)
            else:
                accuracy = row["validation"]
            if accuracy > best[0]:
                best = accuracy, rate, network
        return best[1], best[2]

    def _measure(
        self, method: str, density: float, seed: int, rate: float, network: Network | None
    ) -> None:
        start = time.perf_counter()
        data, config = self.data, self.settings.config
        network = network or self._train(method, density, seed, rate)
        found = measure(network, data.x_test, data.y_test, config)
        name = f"{data.name}-{method}-{density:g}-{seed}.npz"
        (self.out / "networks").mkdir(parents=True, exist_ok=True)
        save_network(network, self.out / "networks" / name)
        self.results.add(
            "results",
            dataset=data.name,
            method=method,
            density=density,
            seed=seed,
            rate=rate,
            validation=self._validate(network),
            accuracy=found.accuracy,
            bytes=found.size.stored_bytes,
            multiplications=found.multiplications,
            cycles=found.size.cycles,
            network=name,
        )
        self.log(
            f"{data.name}, {method} at {density:g}, seed {seed}, rate {rate:g}: "
            f"{found.accuracy:.2f} % in {found.size.stored_bytes} bytes "
            f"({time.perf_counter() - start:.0f} s)"
        )
