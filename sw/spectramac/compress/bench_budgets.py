# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the report of the benchmark says about equal bytes: all methods budget by budget, the mix against the best
single technique, SFT against the fair controls, and where pruning wins."""

import math
from collections.abc import Callable, Sequence

from spectramac.compress.bench_rows import FIGURES, Measured, Row, measured, table

__all__ = ["CONTROLS", "MIX", "equal_bytes"]

MIX = "mix"
"""Name of the automatic mix in the results."""

CONTROLS = ("prune-pair-int4", "prune-lanes-int4")
"""Fair controls of SFT: pruning of the same groups, with as few bits, as activation-aware."""

_FREQUENCY = ("sft", "rows-sft", "spectral-input", "circulant")
_SFT = ("sft", "rows-sft")

_ABOUT = (
    "Budgets: every method has the density at which its compiled image takes nearly all of the bytes, never more. "
    "It is found on the masks of the dense network, and once more when training fixes the masks."
)
_ABOUT_MIX = (
    "Technique, block, bits and density of every layer, how many hidden neurons or filters stay, and the learning "
    "rate, by an Optuna study on the validation samples that begins with the single techniques above as known trials. "
    "The best trials are trained with all seeds; of them and the single techniques, the one with the best mean on "
    "the validation samples is the mix: the highest accuracy, of equals the lowest cross-entropy. Compared with the "
    "single technique that turned out best on the *test* part, which nothing could choose. The spread is the root mean "
    "square of both standard deviations."
)


def _starts(*names: str) -> Callable[[Measured], bool]:
    return lambda point: point.method.startswith(names)


def _best(points: Sequence[Measured], wanted: Callable[[Measured], bool]) -> Measured | None:
    return max(filter(wanted, points), key=lambda p: p.accuracy, default=None)


def _cell(point: Measured | None) -> str:
    return "" if point is None else f"{point.accuracy:.2f} ± {point.spread:.2f} ({point.method})"


def _all_methods(points: Sequence[Measured]) -> list[str]:
    ordered = sorted(points, key=lambda p: -p.accuracy)
    return table(("method", *FIGURES), ((p.method, *p.figures()) for p in ordered))


def _verdict(difference: float, spread: float) -> str:
    if difference >= 0:
        return "on or above"
    return "within the spread" if -difference <= spread else "below"


def _mixes(budgets: dict[int, list[Measured]]) -> list[str]:
    """The mix against the single technique that turned out best on the test part, and what it is."""
    cells, plans = [], []
    for budget, points in budgets.items():
        mix, single = _best(points, _starts(MIX)), _best(points, lambda p: p.method != MIX)
        if mix is None or single is None:
            continue
        difference = mix.accuracy - single.accuracy
        spread = math.hypot(mix.spread, single.spread) / math.sqrt(2)
        cells.append(
            (
                budget,
                f"{mix.accuracy:.2f} ± {mix.spread:.2f}",
                f"{mix.mean('multiplications'):.0f}",
                _cell(single),
                f"{single.mean('multiplications'):.0f}",
                f"{difference:+.2f}",
                f"{spread:.2f}",
                _verdict(difference, spread),
            )
        )
        plans.append(f"- {budget} bytes: {'; '.join(mix.rows[0]['plan'])}")
    if not cells:
        return []
    header = (
        "budget", "mix, %", "multiplications", "best single technique, %", "multiplications",
        "difference", "spread", "the mix is",
    )  # fmt: skip
    return [
        "### The mix",
        "",
        _ABOUT_MIX,
        "",
        *table(header, cells),
        "",
        "What the mix is (densities with the first seed):",
        "",
        *plans,
        "",
    ]


def _against_controls(budgets: dict[int, list[Measured]]) -> list[str]:
    cells = []
    for budget, points in budgets.items():
        control = _best(points, lambda p: p.method in CONTROLS)
        for own in sorted(filter(_starts(*_SFT), points), key=lambda p: -p.accuracy):
            if control is not None and own.method.endswith("-int4"):
                ratio = own.mean("multiplications") / control.mean("multiplications")
                points_more = own.accuracy - control.accuracy
                cells.append(
                    (budget, own.method, control.method, f"{points_more:+.2f}", f"{ratio:.2f}")
                )
    if not cells:
        return []
    header = ("budget", "SFT", "better control", "points", "multiplications, times")
    return [
        "### SFT against the fair control",
        "",
        f"The control is the more accurate of {' and '.join(CONTROLS)} in the same budget.",
        "",
        *table(header, cells),
        "",
    ]


def _winners(budgets: dict[int, list[Measured]]) -> list[str]:
    """The best of each kind; in words where pruning is better than all that is done in the frequency domain."""
    cells, words = [], []
    for budget, points in budgets.items():
        frequency = _best(points, _starts(*_FREQUENCY))
        weights, neurons = (
            _best(points, _starts("prune-")),
            _best(points, _starts("neurons-", "filters-")),
        )
        cells.append((budget, *map(_cell, (frequency, weights, neurons))))
        for name, pruned in (
            ("pruning of weights", weights),
            ("removal of neurons or filters", neurons),
        ):
            if pruned is None or frequency is None:
                continue
            more = pruned.accuracy - frequency.accuracy
            if more > 0:
                words.append(
                    f"- In {budget} bytes {name} ({pruned.method}) wins over everything in the frequency domain "
                    f"by {more:.2f} points."
                )
    header = ("budget", "frequency domain", "pruning of weights", "removal of neurons or filters")
    said = words or ["Nowhere is pruning more accurate than the best in the frequency domain."]
    return ["### Where pruning wins", "", *table(header, cells), "", *said, ""]


def equal_bytes(rows: Sequence[Row]) -> list[str]:
    """Lines about the budgets of one data set; none if there are none."""
    budgets: dict[int, list[Measured]] = {}
    for point in measured(rows):
        if point.target.budget is not None:
            budgets.setdefault(point.target.budget, []).append(point)
    budgets = dict(sorted(budgets.items()))
    lines = [_ABOUT, ""] if budgets else []
    for budget, points in budgets.items():
        lines += [f"### At most {budget} bytes", "", *_all_methods(points), ""]
    if budgets:
        lines += _mixes(budgets) + _against_controls(budgets) + _winners(budgets)
    return lines
