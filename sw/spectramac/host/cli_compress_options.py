# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What ``spectramac compress`` is asked for: which options go together, and the command that asks for it again."""

import shlex
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer

from spectramac.spec.config import AcceleratorConfig

__all__ = ["ReportOptions", "check_usage", "parse_densities"]

_ONLY_OUTPUT = {"calibration", "block", "density", "lanes"}
_ONLY_DATA = {
    "max_loss", "max_bytes", "tau_loss", "preset_name", "densities", "seed", "reorder", "train",
}  # fmt: skip
_ONLY_TRAIN = {"epochs", "rate", "adjust"}


def check_usage(context: typer.Context) -> None:
    """Refuse options of ``compress`` that do not go together.

    Raises
    ------
    typer.BadParameter
        Naming them.
    """
    has_output, has_data, has_out = (
        context.params[n] is not None for n in ("output", "data", "out")
    )
    if has_output == has_data or has_data != has_out:
        raise typer.BadParameter("either --output, or --data and --out must be given")
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}
    for name in sorted(given & (_ONLY_OUTPUT if has_data else _ONLY_DATA)):
        option = name.removesuffix("_name").replace("_", "-")
        raise typer.BadParameter(f"--{option} needs {'--output' if has_data else '--data'}")
    for name in sorted(given & _ONLY_TRAIN):
        if not context.params["train"]:
            raise typer.BadParameter(f"--{name} needs --train")
    if {"max_loss", "max_bytes"} <= given:
        raise typer.BadParameter("--max-loss and --max-bytes exclude each other")


def parse_densities(text: str | None) -> tuple[float, ...]:
    """``1,0.5,0.25`` as numbers; None: the ladder of :mod:`spectramac.compress.compare`.

    Raises
    ------
    ValueError
        If they do not fall from at most 1 to more than 0.
    """
    if text is None:
        from spectramac.compress.compare import DENSITIES

        return DENSITIES
    try:
        densities = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"densities must be numbers with commas, not {text!r}") from None
    if not (densities[0] <= 1 and all(a > b for a, b in pairwise((*densities, 0.0)))):
        raise ValueError(f"densities must fall, from at most 1 to more than 0, not {text!r}")
    return densities


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """What a comparison is asked for.

    Attributes
    ----------
    max_loss : float
        Percent points, if ``max_bytes`` is None.
    densities : tuple of float
    seed : int
        Of the split of the data, and of training.
    tau_loss : float or None
        Percent points that activation thresholds may cost besides. None: no thresholds.
    reorder : bool
        Compare methods also with hidden units in another order.
    train : bool
        Train every candidate, for ``epochs`` (:func:`~spectramac.compress.training.passes`) with a largest learning
        rate of ``rate``; then adjust the density of the chosen method in at most ``adjust`` further rounds.
    """

    model: str
    data: Path
    out: Path
    max_loss: float
    max_bytes: int | None
    densities: tuple[float, ...]
    bits: int
    input_scale: float | None
    seed: int
    tau_loss: float | None
    reorder: bool
    train: bool
    epochs: int
    rate: float
    adjust: int

    @property
    def demand(self) -> Any:
        """A :class:`~spectramac.compress.search_demand.Demand`."""
        from spectramac.compress.search_demand import Demand

        if self.max_bytes is not None:
            return Demand(max_bytes=self.max_bytes)
        return Demand(max_loss=self.max_loss)

    def training(self, n_samples: int) -> Any:
        """A :class:`~spectramac.compress.training.Training` on so many samples."""
        from spectramac.compress.training import Training, passes

        return Training(self.epochs * passes(n_samples), self.rate)

    def training_figures(self, training: Any, n_samples: int) -> dict[str, Any]:
        """How candidates are trained on so many samples, as JSON values."""
        return {
            "epochs": self.epochs,
            "passes": training.epochs,
            "rate": training.rate,
            "procedure": asdict(training.procedure()),
            "adjust": self.adjust,
            "n_samples": n_samples,
        }

    def command(self, config: AcceleratorConfig) -> str:
        """That does the same again."""
        words = ["spectramac", "compress", self.model, "--data", str(self.data)]
        if self.max_bytes is None:
            words += ["--max-loss", f"{self.max_loss:g}"]
        else:
            words += ["--max-bytes", str(self.max_bytes)]
        words += [
            "--preset",
            config.name,
            "--densities",
            ",".join(f"{d:g}" for d in self.densities),
        ]
        words += ["--bits", str(self.bits), "--seed", str(self.seed)]
        if self.reorder:
            words.append("--reorder")
        if self.train:
            words += ["--train", "--epochs", str(self.epochs), "--rate", repr(self.rate)]
            words += ["--adjust", str(self.adjust)]
        if self.tau_loss is not None:
            words += ["--tau-loss", f"{self.tau_loss:g}"]
        if self.input_scale is not None:
            words += ["--input-scale", repr(self.input_scale)]
        return shlex.join([*words, "--out", str(self.out)])

    def figures(self, config: AcceleratorConfig) -> dict[str, Any]:
        """As JSON values."""
        return {
            "model": self.model,
            "data": str(self.data),
            "preset": config.name,
            "max_loss": self.max_loss if self.max_bytes is None else None,
            "max_bytes": self.max_bytes,
            "densities": list(self.densities),
            "bits": self.bits,
            "input_scale": self.input_scale,
            "tau_loss": self.tau_loss,
            "seed": self.seed,
            "reorder": self.reorder,
            "train": self.train,
            "command": self.command(config),
        }
