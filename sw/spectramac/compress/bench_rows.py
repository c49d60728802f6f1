# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Rows of the benchmark's results, taken together over the seeds, and tables in Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectramac.compress.bench_results import Target
from spectramac.compress.curve import Curve, Point

__all__ = ["FIGURES", "Measured", "Row", "curves_of", "measured", "spread", "table", "target_of"]

Row = dict[str, Any]


def spread(values: Sequence[float]) -> float:
    """Standard deviation between the seeds; 0 of one."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def target_of(row: Row) -> Target:
    """What a row is for: a budget, or a density."""
    if row.get("budget") is not None:
        return Target(budget=row["budget"])
    return Target(density=row["density"])


@dataclass(frozen=True, eq=False)
class Measured:
    """One point of a method with all seeds.

    Attributes
    ----------
    method : str
    target : Target
    rows : sequence of dict
        One a seed.
    """

    method: str
    target: Target
    rows: Sequence[Row]

    def mean(self, name: str) -> float:
        """Over the seeds."""
        return float(np.mean([row[name] for row in self.rows]))

    @property
    def accuracies(self) -> list[float]:
        """Percent of the test part, one a seed."""
        return [row["accuracy"] for row in self.rows]

    @property
    def accuracy(self) -> float:
        """Their mean."""
        return self.mean("accuracy")

    @property
    def spread(self) -> float:
        """Of the accuracy."""
        return spread(self.accuracies)

    def figures(self) -> tuple[str, ...]:
        """Cells: accuracy, its spread, bytes, multiplications, cycles, learning rate."""
        names = ("bytes", "multiplications", "cycles")
        return (
            f"{self.accuracy:.2f}",
            f"{self.spread:.2f} ({len(self.rows)})",
            *(f"{self.mean(name):.0f}" if name in self.rows[0] else "" for name in names),
            f"{self.rows[0]['rate']:g}",
        )


FIGURES = ("accuracy, %", "± (seeds)", "bytes", "multiplications", "cycles", "learning rate")
"""Heads of :meth:`Measured.figures`."""


def measured(rows: Iterable[Row]) -> list[Measured]:
    """Rows of all seeds by method, densities and budgets falling; refused ones left out."""
    found: dict[tuple[str, Target], list[Row]] = {}
    for row in rows:
        if "refusal" not in row:
            found.setdefault((row["method"], target_of(row)), []).append(row)
    points = [Measured(method, target, same) for (method, target), same in found.items()]
    return sorted(points, key=lambda p: (p.method, -(p.target.budget or p.target.density or 0)))


def curves_of(rows: Iterable[Row]) -> list[Curve]:
    """Accuracy of each method by density or budget, with bytes and multiplications; a score for every seed."""
    curves: dict[str, list[Point]] = {}
    for same in measured(rows):
        point = Point(
            same.target.budget or same.target.density or 0.0,
            stored_bytes=round(same.mean("bytes")),
            multiplications=round(same.mean("multiplications")),
            scores=tuple(same.accuracies),
            cycles=same.mean("cycles") if "cycles" in same.rows[0] else None,
        )
        curves.setdefault(same.method, []).append(point)
    return [Curve(method, tuple(points)) for method, points in curves.items()]


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """In Markdown."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
