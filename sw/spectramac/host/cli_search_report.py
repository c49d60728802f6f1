# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What ``spectramac search`` writes and prints of a search."""

from typing import Any

from spectramac.host import cli_report

__all__ = ["figures_of", "tables_of"]


def figures_of(command: str, problem: Any, result: Any) -> dict[str, Any]:
    """All of a search as JSON values; problem and result as of :mod:`spectramac.compress.search`."""
    trials = [
        {"number": t.number, "state": t.state.name, "params": t.params, **t.user_attrs}
        for t in result.study.get_trials(deepcopy=False)
        if t.state.is_finished()
    ]
    found = result.found
    return {
        "demand": problem.demand.text,
        "command": command,
        "problem": problem.identity(),
        "float_accuracy": problem.reference,
        "chosen": {
            "trial": result.trial.number,
            "layers": problem.layer_names(len(result.trial.user_attrs["techniques"])),
            "params": result.trial.params,
            "techniques": result.trial.user_attrs["techniques"],
            "densities": result.trial.user_attrs["densities"],
            "bits": result.trial.user_attrs["bits"],
            "steps": result.trial.user_attrs["steps"],
            "validation_accuracy": found.accuracy,
            "bytes": found.size.stored_bytes,
            "cycles": found.size.cycles,
            "multiplications": found.multiplications,
        },
        "trials": trials,
    }


def tables_of(figures: dict[str, Any]) -> list[Any]:
    """For the terminal."""
    chosen, trials = figures["chosen"], figures["trials"]
    n_pruned = sum(t["state"] == "PRUNED" for t in trials)
    facts = [
        ("demand", figures["demand"]),
        ("trials", f"{len(trials)}, {n_pruned} of them pruned"),
        ("chosen", f"trial {chosen['trial']}"),
        (
            "validation accuracy, %",
            f"{chosen['validation_accuracy']:.2f} (float network {figures['float_accuracy']:.2f})",
        ),
        ("bytes", chosen["bytes"]),
        ("cycles/inference, predicted", f"{chosen['cycles']:.1f}"),
        ("multiplications", f"{chosen['multiplications']:.0f}"),
    ]
    kept = chosen["params"].get("filters", 1.0)
    if kept < 1:
        facts.append(("filters that stay, %", f"{100 * kept:.1f}, where some may be removed"))
    names = ("layers", "techniques", "densities", "bits", "steps")
    columns = zip(*(chosen[name] for name in names), strict=True)
    rows = [(name, t, f"{d:.4f}", b, s) for name, t, d, b, s in columns]
    return [
        cli_report.table("Search", ("", ""), facts),
        cli_report.table(
            "Layers", ("layer", "technique", "density", "bits", "a step for each"), rows
        ),
    ]
