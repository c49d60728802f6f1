# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the command line prints of compiled network graphs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from spectramac.compiler.graph_explain import NodePlan, explain_graph
from spectramac.host import cli_report
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.graph_image import GraphImage

__all__ = ["form_table", "graph_tables", "plan_table"]


def plan_table(
    image: GraphImage, config: AcceleratorConfig, x: NDArray[np.int8], what: str
) -> Table:
    """What every node costs, one inference, predicted for the columns that ``x`` keeps."""
    plans = explain_graph(image, config, x)
    rows = [_plan_row(plan, config) for plan in plans]
    if len(rows) > 1:
        known = [plan.cycles for plan in plans if plan.cycles is not None]
        ideal = sum(plan.ideal_dense_cycles(config) for plan in plans)
        total = round(sum(known) / 2, 1) if len(known) == len(plans) else "not predicted"
        passes, pairs, n_bytes = (
            sum(getattr(plan, name) for plan in plans)
            for name in ("n_passes", "stored_pairs", "n_bytes")
        )
        rows.append(("all", "", passes, pairs, n_bytes, total, "", round(ideal, 1)))
    header = (
        "node", "form", "passes", "pairs", "bytes", "cycles", "bound by",
        f"dense, {config.n_multipliers} multipliers",
    )  # fmt: skip
    return cli_report.table(f"Plan: cycles of one inference, {what}", header, rows)


def form_table(chosen: Mapping[str, Any], tried: Sequence[Any]) -> Table:
    """The candidates for every convolution (:mod:`spectramac.compress.choose_forms`)."""
    rows = [
        (
            c.node,
            c.name,
            c.refusal or "not predicted" if c.cycles is None else round(c.cycles / 2, 1),
            c.n_bytes,
            f"{c.error:.3f}",
            "chosen" if chosen[c.node] is c.form else "",
        )
        for c in tried
    ]
    header = ("convolution", "form", "cycles of one inference", "bytes", "relative error", "")
    return cli_report.table("Forms", header, rows)


def _plan_row(plan: NodePlan, config: AcceleratorConfig) -> tuple[object, ...]:
    cycles = "not predicted" if plan.cycles is None else round(plan.cycles / 2, 1)
    ideal = round(plan.ideal_dense_cycles(config), 1)
    return (
        plan.node, plan.form, plan.n_passes, plan.stored_pairs, plan.n_bytes, cycles, plan.bound, ideal,
    )  # fmt: skip


def graph_tables(image: GraphImage, config: AcceleratorConfig) -> list[Table]:
    """Everything about an image."""
    facts = [
        ("network", image.name),
        ("configuration", config.name),
        ("build id", f"0x{image.build_id:08x}"),
        ("input", f"{'×'.join(map(str, image.input_shape))} (step {image.input_scale:g})"),
        ("output", f"{'×'.join(map(str, image.output_shape))} (step {image.output_scale:g})"),
        ("pairs in one run", image.max_pairs),
        ("descriptors", image.n_layers),
        ("stored bytes", image.stored_bytes),
        ("bytes written for one run", image.loaded_bytes),
    ]
    rows = []
    for number, segment in enumerate(image.segments):
        nodes = list(dict.fromkeys(layer["node"] for layer in segment.layers))
        size = sum(len(image.sections[i].data) for i in segment.sections.values())
        moved = [
            ", ".join(dict.fromkeys(t.map for t in some))
            for some in (segment.loads, segment.stores)
        ]
        rows.append((number, ", ".join(nodes), segment.n_layers, size, *moved))
    header = ("segment", "nodes", "descriptors", "bytes", "loads", "stores")
    return [
        cli_report.table("Network graph", ("", ""), facts),
        cli_report.table("Segments", header, rows),
    ]
