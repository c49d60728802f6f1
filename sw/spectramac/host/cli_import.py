# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``spectramac import``: look at an ONNX model and take its weights; other commands are in
:mod:`spectramac.host.cli_app`.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from spectramac.graph.graph import Graph
from spectramac.host.cli_app import app, command

__all__ = ["app"]


def _shape(text: str | None) -> tuple[int, ...] | None:
    """``1,28,28`` as a tuple."""
    if text is None:
        return None
    try:
        return tuple(int(n) for n in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"--input-shape must be numbers with commas, as 1,28,28, not {text!r}"
        ) from None


def _tables(graph: Graph) -> list[Any]:
    from spectramac.compress.graph_steps import plan_graph
    from spectramac.graph.dense_chain import chain_refusals
    from spectramac.graph.errors import UnsupportedModelError
    from spectramac.graph.summary import summarize
    from spectramac.host import cli_report

    refusals = {}
    try:
        plan_graph(graph)
    except UnsupportedModelError as error:
        refusals = {r.node: r for r in error.refusals}
    n_chain = len(chain_refusals(graph))
    rows: list[tuple[object, ...]] = []
    for r in summarize(graph):
        shape = "×".join(str(n) for n in r.shape)
        engine = "no" if r.name in refusals else "yes"
        numbers = (r.parameters, r.multiplications, r.dense_bytes)
        rows.append((r.name, r.operator, r.detail, shape, *numbers, engine))
    header = (
        "node",
        "operator",
        "",
        "shape",
        "parameters",
        "multiplications",
        "bytes, dense int8",
        "engine",
    )
    totals = [sum(int(str(row[i])) for row in rows) for i in (4, 5, 6)]
    runs, chain = (
        f"no: {n} nodes of {len(rows)}" if n else "yes" for n in (len(refusals), n_chain)
    )
    facts = [
        ("input", f"{graph.input.name}, {'×'.join(str(n) for n in graph.input.shape)}"),
        ("output", f"{graph.output.name}, {'×'.join(str(n) for n in graph.output.shape)}"),
        ("quantized", "yes (QDQ)" if graph.is_quantized else "no"),
        ("parameters", totals[0]),
        ("multiplications", totals[1]),
        ("bytes, dense int8", totals[2]),
        ("network graph, for `spectramac compile`, `compress` and `search`", runs),
        ("chain of dense layers, which needs no maps", chain),
    ]
    return [
        cli_report.table(graph.name, ("", ""), facts),
        cli_report.table("Nodes", header, rows),
        *(str(refusal) for refusal in refusals.values()),
    ]


@command("import")
def import_model(
    model: Annotated[
        Path, typer.Argument(help="An ONNX model, opset 13 or later.", exists=True, dir_okay=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write the dense layers as .npz for `compress`. Default: only look.",
        ),
    ] = None,
    input_shape: Annotated[
        str | None,
        typer.Option(help="Shape of one sample, as 1,28,28. Default: the model's own."),
    ] = None,
) -> None:
    """Show what an ONNX model consists of and what the engine can run (needs extra 'import')."""
    import numpy as np

    from spectramac.graph.dense_chain import dense_chain
    from spectramac.host import cli_report
    from spectramac.host.cli_compress import onnx_graph

    shape = _shape(input_shape)
    graph = onnx_graph(model, shape)
    cli_report.show(*_tables(graph))
    if output is not None:
        arrays: dict[str, Any] = {}
        for i, (weight, bias) in enumerate(dense_chain(graph)):
            arrays |= {f"w{i}": weight, f"b{i}": bias}
        with output.open("wb") as file:
            np.savez_compressed(file, **arrays)
        cli_report.note(f"wrote {output}; `spectramac compress {output}` takes it")
