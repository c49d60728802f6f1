# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Draws curves (:mod:`spectramac.compress.curve`) with their chosen points. Needs the extra ``plot``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from spectramac.compress.curve import Curve, Point

__all__ = ["plot_curves"]

_LABELS = {
    "value": "density",
    "stored_bytes": "stored bytes",
    "multiplications": "multiplications",
    "cycles": "cycles of an inference, predicted",
    "score": "accuracy, %",
    "error": "relative error",
    "energy": "energy kept",
}

_N_COLORS = 10
"""Of matplotlib's cycle; then the next style of line."""
_LINES = ("-", "--", ":")


def plot_curves(
    curves: Sequence[Curve],
    path: str | Path,
    *,
    x: Literal["value", "stored_bytes", "multiplications", "cycles"] = "stored_bytes",
    y: Literal["score", "error", "energy"] = "score",
    x_label: str | None = None,
) -> None:
    """Write one picture of several curves; the suffix of ``path`` gives the format.

    Chosen points are marked with a ring and named with their criterion in the legend. Scores of several
    folds get error bars of one standard deviation of their mean. The same curves give the same SVG.

    Raises
    ------
    ModuleNotFoundError
        If matplotlib is not installed.
    ValueError
        If a curve lacks what is asked for.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
        from matplotlib.ticker import LogLocator, NullFormatter
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "matplotlib must be installed for pictures; use: pip install 'spectramac[plot]'"
        ) from error
    style: Any = {"svg.hashsalt": "spectramac", "svg.fonttype": "path", "font.size": 10}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(7.2, 4.5 if len(curves) <= 3 else 5.6), layout="constrained")
        axes = figure.subplots()
        for i, curve in enumerate(curves):
            _draw(axes, curve, x, y, _LINES[i // _N_COLORS % len(_LINES)], f"{x}-{i}")
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(x_label or _LABELS[x])
        axes.set_ylabel(_LABELS[y])
        axes.grid(visible=True, alpha=0.3)
        # Outside: inside, names hide curves, and the search for the best place warns on a slow machine.
        figure.legend(fontsize=8, loc="outside lower center", ncols=3 if len(curves) > 3 else 1)
        path = Path(path)
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, dpi=110, metadata=metadata, facecolor="white")


def _draw(axes: Any, curve: Curve, x: str, y: str, line_style: str, name: str) -> None:
    """In an SVG the line is the group ``curve-<name>``, the ring ``chosen-<name>``."""
    across = [_coordinate(curve, point, x) for point in curve.points]
    up = [_coordinate(curve, point, y) for point in curve.points]
    bars = [point.spread for point in curve.points] if y == "score" else []
    line = axes.errorbar(
        across,
        up,
        yerr=bars if any(bars) else None,
        marker=".",
        capsize=2,
        label=curve.name,
        linestyle=line_style,
    )
    line[0].set_gid(f"curve-{name}")
    if curve.chosen is not None:
        (ring,) = axes.plot(
            [across[curve.chosen]], [up[curve.chosen]], "o", markersize=11, fillstyle="none",
            color=line[0].get_color(), label=f"{curve.name}: {curve.criterion}", zorder=5,
        )  # fmt: skip
        ring.set_gid(f"chosen-{name}")


def _coordinate(curve: Curve, point: Point, name: str) -> float:
    value = None if name == "score" and not point.scores else getattr(point, name)
    if value is None:
        raise ValueError(f"{curve.name}: every point must have {name}")
    return float(value)
