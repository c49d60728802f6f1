# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Tables in Markdown and pictures in SVG from the benchmark's results."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spectramac.compress.bench_budgets import equal_bytes
from spectramac.compress.bench_rows import (
    FIGURES,
    Row,
    curves_of,
    measured,
    spread,
    table,
    target_of,
)

__all__ = ["BUDGETS", "introduction", "markdown", "write_report"]

Tables = dict[str, list[Row]]

BUDGETS = (2300, 4400, 8700, 11000, 16000)
"""Bytes for the table of best accuracies of points that were chosen by density."""


def _all_points(rows: Sequence[Row]) -> list[str]:
    cells = [(p.method, f"{p.target.density:g}", *p.figures()) for p in measured(rows)]
    return table(("method", "density", *FIGURES), cells)


def _best_within(rows: Sequence[Row], budgets: Sequence[int]) -> list[str]:
    """Best mean accuracy of each method within so many bytes (mean over the seeds), with its size."""
    cells = []
    for curve in curves_of(rows):
        found: list[str] = []
        for budget in budgets:
            fits = [p for p in curve.points if (p.stored_bytes or 0) <= budget]
            best = max(fits, key=lambda p: p.score, default=None)
            found.append("" if best is None else f"{best.score:.2f} ({best.stored_bytes})")
        cells.append((curve.name, *found))
    return table(("method", *(f"at most {b} bytes" for b in budgets)), cells)


def _by_density(rows: Sequence[Row]) -> list[str]:
    if not measured(rows):
        return []
    within = [
        "Best mean accuracy within a budget (bytes it takes):",
        "",
        *_best_within(rows, BUDGETS),
    ]
    return [*_all_points(rows), "", *within, ""]


def _of_integers(rows: Sequence[Row]) -> list[str]:
    """Convolutional networks that were exported, with all seeds, on the golden model; why the others were not."""
    names = ("golden_accuracy", "accuracy", "image_bytes", "bytes")
    points = measured(rows)
    cells = [
        (
            p.method,
            p.target.text,
            f"{p.mean(names[0]):.2f} ± {spread([row[names[0]] for row in p.rows]):.2f}",
            f"{p.mean(names[1]):.2f}",
            *(f"{p.mean(name):.0f}" for name in names[2:]),
        )
        for p in points
        if all(names[0] in row for row in p.rows)
    ]
    reasons = {p.method: r["not_run"] for p in points for r in p.rows if "not_run" in r}
    if not cells and not reasons:
        return []
    header = (
        "method", "density", "golden model, %", "fake-quantized, %", "bytes of the image", "bytes of the layers",
    )  # fmt: skip
    return [
        "### Integers",
        "",
        "Images are compiled for preset `conv` with as many lanes: programs, directories and tables are in them too.",
        "",
        *table(header, cells),
        "",
        *(f"- {method} is not exported: {reason}" for method, reason in reasons.items()),
        "",
    ]


def _refused(rows: Sequence[Row]) -> list[str]:
    reasons = {(r["method"], _target_text(r)): r["refusal"] for r in rows if "refusal" in r}
    return [f"- {method} {text}: {reason}" for (method, text), reason in reasons.items()]


def _target_text(row: Row) -> str:
    return target_of(row).text


def _architecture(dense: Row) -> str:
    return str(dense.get("architecture") or "-".join(map(str, dense["sizes"])))


def _dataset(name: str, tables: Tables) -> list[str]:
    dense = [row for row in tables["dense"] if row["dataset"] == name]
    rows = [row for row in tables["results"] if row["dataset"] == name]
    accuracies = [row["accuracy"] for row in dense]
    lines = [
        f"## {name}",
        "",
        (
            f"Dense network {_architecture(dense[0])}, floating point: {np.mean(accuracies):.2f} ± "
            f"{spread(accuracies):.2f} % ({len(dense)} seeds), {dense[0]['float32_bytes']} bytes of "
            f"float32. Data: {dense[0]['split']}. An epoch is {dense[0]['passes']} passes over them."
        ),
        "",
        *([dense[0]["figures"], ""] if "figures" in dense[0] else []),
        *_by_density([row for row in rows if row.get("budget") is None]),
        *equal_bytes(rows),
        *_of_integers(rows),
        f"![accuracy by bytes]({name}-bytes.svg)",
        f"![accuracy by multiplications]({name}-multiplications.svg)",
        "",
    ]
    refused = _refused(rows)
    if refused:
        lines += ["What was not trained, and why:", "", *refused, ""]
    return lines


def introduction(settings: dict[str, Any], command: str) -> str:
    """How the benchmark of all techniques was made."""
    rates = ", ".join(f"{r:g}" for r in settings["rates"])
    return (
        f"Made by `{command}`. Every method was trained for {settings['epochs']} epochs from the same dense "
        f"networks ({settings['teacher_epochs']} epochs). Its learning rate was the best of {rates} on the "
        "validation samples (highest accuracy; of equals, lowest cross-entropy), for each point, with the first seed. "
        "If nothing else is said, accuracies are those of the test part on the "
        f"golden integer model; bytes those of the compiled image for preset {settings['preset']} with "
        f"{settings['coefficient_depth']} words of coefficients, everything "
        "counted; multiplications of an inference, those of the transforms included, nothing skipped; cycles at "
        "most. ± is the standard deviation between seeds."
    )


def markdown(tables: Tables, title: str, text: str) -> str:
    """The whole report: a title, how it was made, and the tables of each data set."""
    lines = [f"# {title}", "", text, ""]
    for name in dict.fromkeys(row["dataset"] for row in tables["dense"]):
        lines += _dataset(name, tables)
    return "\n".join(lines)


def write_report(
    tables: Tables, title: str, text: str, path: Path, *, plots: bool = True
) -> list[Path]:
    """Write :func:`markdown` to ``path``, and two pictures a data set beside it.

    Raises
    ------
    ModuleNotFoundError
        If there are to be pictures and matplotlib is not installed.
    """
    out = path.parent
    out.mkdir(parents=True, exist_ok=True)
    written = [path]
    path.write_text(markdown(tables, title, text), encoding="utf-8")
    if plots:
        from spectramac.compress.plot import plot_curves

        for name in dict.fromkeys(row["dataset"] for row in tables["dense"]):
            curves = curves_of(row for row in tables["results"] if row["dataset"] == name)
            if curves:
                for_bytes = out / f"{name}-bytes.svg"
                plot_curves(curves, for_bytes, x="stored_bytes")
                for_products = out / f"{name}-multiplications.svg"
                plot_curves(curves, for_products, x="multiplications")
                written += [for_bytes, for_products]
    return written
