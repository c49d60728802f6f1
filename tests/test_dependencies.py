# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Dependencies point one way: spec ← model, graph ← compiler ← compress, host; spec ← gateware; sim on top.

Read from the syntax trees, so nothing needs to be installed and imports inside functions count too.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TREES = ("hw", "sw", "sim")

# Facts of the model that the gateware shares: contents of ROMs, not computation on data.
TABLES = {
    "spectramac.model.fft.has_twiddle",
    "spectramac.model.fft.twiddle_index",
    "spectramac.model.fft.twiddle_table",
    "spectramac.model.fft_paths.multiplied_paths",
    "spectramac.model.fft_paths.path_exponents",
}
# What each package may import besides the standard library and itself.
ALLOWED = {
    "spec": set(),
    "model": {"spectramac.spec", "numpy"},
    "graph": {"spectramac.spec", "numpy"},
    "compress": {
        "spectramac.spec",
        "spectramac.model",
        "spectramac.graph",
        "spectramac.compiler",
        "numpy",
    },
    "compiler": {"spectramac.spec", "spectramac.model", "spectramac.graph", "numpy"},
    "host": {
        "spectramac.spec",
        "spectramac.model",
        "spectramac.graph",
        "spectramac.compiler",
        "numpy",
    },
    "gateware": {"spectramac.spec", "amaranth", *TABLES},
    "sim": None,  # anything
}
# What may be imported where it is used, inside a function, so that the package installs without it.
LAZY = {
    "compress": {"torch", "sklearn", "matplotlib"},
    "host": {"spectramac.compress", "spectramac.gateware", "spectramac.sim", "matplotlib"},
    "model": set(),
}
# Modules that are the door to an extra, by the start of their names, and what they may import at their top.
MODULE_EXTRAS = {
    "spectramac.compress.search": {"optuna", "sqlalchemy"},
    "spectramac.compress.torch_": {"torch"},
    "spectramac.compress.train": {"torch", "sklearn"},
    "spectramac.graph.onnx_": {"onnx", "google.protobuf"},
    "spectramac.graph.torch_": {"torch"},
    "spectramac.host.cli": {"typer", "rich"},
}


def sources() -> list[tuple[str, str, Path]]:
    """(package, dotted module, path) of every module."""
    found = []
    for tree in TREES:
        base = ROOT / tree
        for path in sorted(base.glob("spectramac/*/**/*.py")):
            parts = path.relative_to(base).with_suffix("").parts
            found.append((parts[1], ".".join(p for p in parts if p != "__init__"), path))
    return found


SOURCES = sources()


def imports(tree: ast.Module, module: str) -> Iterator[tuple[str, int, bool]]:
    """Dotted name (down to the imported member), line, and whether inside a function."""

    def visit(node: ast.AST, lazy: bool) -> Iterator[tuple[str, int, bool]]:
        for child in ast.iter_child_nodes(node):
            inner = lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            if isinstance(child, ast.Import):
                yield from ((alias.name, child.lineno, inner) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = module.split(".")[: -child.level] if child.level else []
                origin = ".".join([*base, *([child.module] if child.module else [])])
                yield from ((f"{origin}.{a.name}", child.lineno, inner) for a in child.names)
            yield from visit(child, inner)

    return visit(tree, False)


def within(name: str, prefixes: set[str]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def violations(package: str, module: str, text: str) -> list[str]:
    """Imports that the rule forbids."""
    allowed = ALLOWED[package]
    if allowed is None:
        return []
    allowed = allowed | {f"spectramac.{package}"}
    for start, extra in MODULE_EXTRAS.items():
        if module.startswith(start):
            allowed = allowed | extra
    found = []
    for name, line, lazy in imports(ast.parse(text), module):
        standard = name.split(".")[0] in sys.stdlib_module_names
        may = standard or within(name, allowed) or (lazy and within(name, LAZY.get(package, set())))
        if not may:
            found.append(f"{module}:{line} must not import {name}")
    return found


def test_there_are_sources_of_every_package():
    assert {package for package, _, _ in SOURCES} == set(ALLOWED)


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_point_one_way(package):
    found = []
    for owner, module, path in SOURCES:
        if owner == package:
            found += violations(package, module, path.read_text())
    assert found == []


@pytest.mark.parametrize(
    ("package", "text"),
    [
        ("spec", "import numpy"),
        ("model", "from spectramac.compiler import layout"),
        ("model", "def f():\n    import torch"),
        ("compress", "import torch"),
        ("graph", "import onnx"),
        ("graph", "def f():\n    import torch"),
        ("graph", "from spectramac.compress import sft"),
        ("compress", "from spectramac import host"),
        ("host", "from amaranth import Signal"),
        ("gateware", "from spectramac.model.fft import fft"),
        ("spec", "from ..model import fft"),
    ],
)
def test_the_rule_sees(package, text):
    assert violations(package, f"spectramac.{package}.example", text)


@pytest.mark.parametrize("tree", TREES)
def test_namespace_folder_has_no_init(tree):
    assert not (ROOT / tree / "spectramac" / "__init__.py").exists(), (
        f"{tree}/spectramac/__init__.py hides the other two folders of the namespace; delete it"
    )


def test_software_never_imports_hardware_tools():
    for package, module, path in SOURCES:
        if package in ("spec", "model", "graph", "compress", "compiler", "host"):
            for name, line, _ in imports(ast.parse(path.read_text()), module):
                assert not within(name, {"amaranth", "cocotb", "cocotb_tools"}), f"{module}:{line}"


def test_no_star_imports():
    for _, module, path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert "*" not in {a.name for a in node.names}, f"{module}:{node.lineno}"


def test_gateware_evaluates_its_annotations():
    """Annotated Amaranth components break under ``from __future__ import annotations``."""
    for package, module, path in SOURCES:
        if package == "gateware":
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                    assert "annotations" not in {a.name for a in node.names}, module
