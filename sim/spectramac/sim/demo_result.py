# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What ``make sim`` found out about a network, and its tables."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from spectramac.host import cli_report

__all__ = ["DemoResult", "report_table", "speed_table"]


@dataclass(frozen=True, eq=False)
class DemoResult:
    """One network's run over the digits.

    Attributes
    ----------
    preset : str
        Name of the configuration.
    network : str
        The network in a few words.
    float_accuracy : float or None
        Of the dense float network, percent, as noted when it was trained.
    golden_accuracy, rtl_accuracy : float
        Percent.
    n_outputs, n_different : int
        Outputs compared, and those that differ between RTL and golden model.
    differences : list of str
        Everything that differs: outputs, counters, cycles of layers, flags.
    dense_bytes, stored_bytes : int
    counted, predicted : float
        Cycles per inference.
    utilisation : float
        Share of cycles in which the lanes multiplied.
    n_multipliers, n_lane_multipliers : int
    dense_cycles : float
        Cycles per inference of a perfect dense engine with as many multipliers.
    simulated_cycles : int
    seconds : float
        Wall clock of the simulation alone.
    """

    preset: str
    network: str
    float_accuracy: float | None
    golden_accuracy: float
    rtl_accuracy: float
    n_inferences: int
    n_outputs: int
    n_different: int
    differences: list[str]
    dense_bytes: int
    stored_bytes: int
    counted: float
    predicted: float
    utilisation: float
    n_multipliers: int
    n_lane_multipliers: int
    dense_cycles: float
    simulated_cycles: int
    seconds: float

    @property
    def ratio(self) -> float:
        """Compression over dense int8, every stored byte counted."""
        return self.dense_bytes / self.stored_bytes

    @property
    def cycles_per_second(self) -> float:
        """Simulation speed."""
        return self.simulated_cycles / self.seconds if self.seconds else 0.0


def report_table(result: DemoResult) -> Table:
    """The table of ``make sim``."""
    noted = result.float_accuracy
    rows = [
        ("network", result.network),
        ("accuracy, dense float network", "not noted" if noted is None else f"{noted:.2f} %"),
        ("accuracy, golden model", f"{result.golden_accuracy:.2f} %"),
        ("accuracy, RTL", f"{result.rtl_accuracy:.2f} %"),
        ("differing outputs, RTL and golden", f"{result.n_different} of {result.n_outputs}"),
        ("stored bytes, dense int8", f"{result.dense_bytes}"),
        ("stored bytes, compressed", f"{result.stored_bytes} ({result.ratio:.1f} times less)"),
        ("cycles per inference, counted", f"{result.counted:.1f}"),
        ("cycles per inference, predicted", f"{result.predicted:.1f}"),
        ("cycles per inference, perfect dense engine", f"{result.dense_cycles:.1f}"),
        ("lane utilisation", f"{100 * result.utilisation:.1f} %"),
        ("multipliers", f"{result.n_multipliers} ({result.n_lane_multipliers} in lanes)"),
        ("simulated cycles per second", f"{result.cycles_per_second:.0f}"),
    ]
    title = f"{result.n_inferences} handwritten digits on preset {result.preset}"
    return cli_report.table(title, ("", ""), rows)


def speed_table(results: Sequence[DemoResult]) -> Table:
    """Speed of several presets side by side."""
    header = (
        "preset",
        "network",
        "multipliers",
        "cycles/inference",
        "predicted",
        "perfect dense",
        "lane utilisation",
        "differing",
        "simulated cycles/s",
    )
    rows = [
        (
            r.preset,
            r.network,
            r.n_multipliers,
            f"{r.counted:.1f}",
            f"{r.predicted:.1f}",
            f"{r.dense_cycles:.1f}",
            f"{100 * r.utilisation:.1f} %",
            r.n_different,
            f"{r.cycles_per_second:.0f}",
        )
        for r in results
    ]
    return cli_report.table("Handwritten digits on the simulated RTL", header, rows)
