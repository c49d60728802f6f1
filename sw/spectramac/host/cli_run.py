# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``spectramac run``: execute, compare, report."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from spectramac.host import cli_report
from spectramac.host.accelerator import Accelerator, RunResult
from spectramac.host.cli_files import Data, Model
from spectramac.host.transport import open_transport
from spectramac.model.batch import accuracy
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.graph_image import GraphImage
from spectramac.spec.image import Image

__all__ = ["compare", "differences_of", "execute", "run_table"]


def execute(
    model: Model, x: NDArray[np.int8], transport: str, *, timeout: float, **options: Any
) -> RunResult:
    """Load and run a model through a transport, with a progress bar."""
    with (
        cli_report.progress(f"running on {transport}") as progress,
        open_transport(transport, model.config, **options) as bus,
    ):
        accelerator = Accelerator(bus, model.config)
        accelerator.load(model.image)
        return accelerator.run(x, timeout=timeout, progress=progress)


class Counted(Protocol):
    """Outputs of a run and what was counted."""

    @property
    def outputs(self) -> NDArray[np.int8]: ...
    @property
    def counters(self) -> dict[str, int]: ...
    @property
    def layer_cycles(self) -> NDArray[np.int64]: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...


def differences_of(result: Counted, golden: Counted) -> list[str]:
    """What differs between a result and the golden model."""
    differences = []
    n = int((result.outputs != golden.outputs).sum())
    if n:
        differences.append(f"{n} of {golden.outputs.size} outputs differ from the golden model's")
    for name, value in golden.counters.items():
        if result.counters[name] != value:
            differences.append(
                f"counter {name!r} is {result.counters[name]}, the golden model says {value}"
            )
    if not np.array_equal(result.layer_cycles, golden.layer_cycles):
        differences.append(
            f"layer cycles are {result.layer_cycles.tolist()}, the golden model says "
            f"{golden.layer_cycles.tolist()}"
        )
    if result.warnings != golden.warnings:
        differences.append(
            f"overflow flags are {result.warnings}, the golden model says {golden.warnings}"
        )
    return differences


def compare(model: Model, x: NDArray[np.int8], result: RunResult, golden: RunResult) -> list[str]:
    """What differs between a result, the golden model and, if it is known, the network itself."""
    differences = differences_of(result, golden)
    if model.network is not None and not golden.warnings:
        from spectramac.model.layer import run_network

        config = model.config
        direct = run_network(
            model.network,
            x.astype(np.int64),
            data_width=config.data_width,
            twiddle_width=config.twiddle_width,
        )
        n = int((golden.outputs != direct).sum())
        if n:
            differences.append(f"{n} outputs of the golden model differ from the network's")
    return differences


class Measured(Counted, Protocol):
    """A run's figures besides."""

    @property
    def n_passes(self) -> int: ...
    @property
    def cycles_per_inference(self) -> float: ...


class Compiled(Protocol):
    """A model of either kind."""

    @property
    def config(self) -> AcceleratorConfig: ...
    @property
    def image(self) -> Image | GraphImage: ...


def run_table(
    model: Compiled, transport: str, data: Data, result: Measured, golden: Measured
) -> Table:
    """The report of a run."""
    counters = result.counters
    rows: list[tuple[str, object]] = [
        ("configuration", model.config.name),
        ("transport", transport),
        ("inferences", len(result.outputs)),
        ("passes", result.n_passes),
    ]
    if data.labels is not None:
        flat = result.outputs.reshape(len(result.outputs), -1)
        rows.append(("accuracy", f"{accuracy(flat, data.labels):.2f} %"))
    if transport != "model":
        rows.append(("differing outputs", int((result.outputs != golden.outputs).sum())))
        rows.append(("cycles per inference, counted", f"{result.cycles_per_inference:.1f}"))
    rows += [
        ("cycles per inference, predicted", f"{golden.cycles_per_inference:.1f}"),
        ("lane utilisation", f"{100 * counters['lane_busy'] / max(1, counters['cycles']):.1f} %"),
        ("columns skipped", counters["columns_skipped"]),
        ("saturated outputs", counters["saturations"]),
        ("saturated inside", ", ".join(result.warnings) or "never"),
        ("stored bytes", model.image.stored_bytes),
    ]
    return cli_report.table("Run", ("", ""), rows)
