# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What ``spectramac compress --data`` prints of a comparison."""

from typing import Any

from spectramac.host import cli_report

__all__ = ["tables_of"]


def tables_of(figures: dict[str, Any]) -> list[Any]:
    """For the terminal."""
    chosen, before = figures["chosen"], figures["float"]
    rows: list[tuple[object, ...]] = []
    for i, c in enumerate(figures["candidates"]):
        mark = "chosen" if i == chosen["index"] else ""
        if c["refusal"] is None:
            numbers = (
                f"{c['accuracy']:.2f}",
                c["bytes"],
                c["multiplications"],
                f"{c['cycles']:.1f}",
            )
        else:
            numbers, mark = ("", "", "", ""), c["refusal"]
        rows.append((c["method"], f"{c['density']:g}", *numbers, mark))
    accuracies = [("accuracy, %", "accuracy")]
    if chosen["test_accuracy"] is not None:
        accuracies = [
            ("accuracy where it was chosen, %", "accuracy"),
            ("accuracy on the test part, %", "test_accuracy"),
        ]
    predicted = "predicted for two" if figures["kind"] == "graph" else "at most"
    facts = [
        ("chosen", f"{chosen['method']} at density {chosen['density']:g}"),
        ("why", chosen["criterion"]),
        *((name, f"{chosen[k]:.2f} (float network {before[k]:.2f})") for name, k in accuracies),
        ("bytes", f"{chosen['bytes']} (float32 {before['float32_bytes']})"),
        (f"cycles/inference, {predicted}", f"{chosen['cycles']:.1f}"),
        ("cycles/inference, counted", f"{chosen['counted_cycles']:.1f}"),
    ]
    header = ("technique", "density", "accuracy, %", "bytes", "multiplications", "cycles", "")
    return [
        cli_report.table("Candidates", header, rows),
        cli_report.table("Chosen", ("", ""), facts),
    ]
