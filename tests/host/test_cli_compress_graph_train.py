# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``spectramac compress --data --train`` of convolutional networks: parts of the data, figures, the same again."""

import shlex
import sys
from importlib import metadata
from pathlib import Path

import pytest

pytest.importorskip("typer", reason="the command line is the extra 'cli'")
pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
from tests.host.test_cli_compress import Page, figures_of, spectramac
from tests.host.test_cli_compress_graph import (
    CONV,
    float_accuracy,
    golden_accuracy,
    network_of,
    refused,
    write_inputs,
)

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compress.graph_methods import graph_methods
from spectramac.compress.split import load_split


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take longer than the training; test_report_page has them."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)


def test_training_without_pytorch_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data are not looked into: they are empty."""
    start = write_inputs(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "d.npz").write_bytes(b"")
    assert refused(tmp_path, *start, "--train") == (
        "error: --train needs the Python module 'torch'; `pip install 'spectramac[train]'` adds it"
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> str:
    """Short epochs of one method, whose name it gives, and of another one, which cannot be trained."""
    torch = pytest.importorskip(
        "torch", reason="training is an extra: pip install 'spectramac[train]'"
    )
    from spectramac.compress import graph_compare, training

    torch.set_num_threads(1)
    monkeypatch.setattr(training, "MIN_EPOCH", 6000)
    few = [m for m in graph_methods(CONV, 8) if m.name in ("prune-pair", "spectral-tiles")]
    monkeypatch.setattr(graph_compare, "graph_methods", lambda *_: few)
    return "prune-pair"


def test_training(tmp_path: Path, quick: str) -> None:
    """Parts of the data, figures, adjusting, and the same files again."""
    start = write_inputs(tmp_path, 400)
    options = ["--train", "--epochs", 1, "--rate", 0.01, "--densities", "1,0.5", "--seed", 2]
    demand = ["--max-bytes", 12500, "--adjust", 2]
    result = spectramac(*start, *options, *demand, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    figures, network = figures_of(tmp_path), network_of(tmp_path)
    chosen, data = figures["chosen"], load_split(tmp_path / "d.npz", 64, 4, seed=2)
    for name, part in (("accuracy", data.selection), ("test_accuracy", data.test)):
        assert chosen[name] == golden_accuracy(network, part)
        assert figures["float"][name] == float_accuracy(tmp_path, part)
        assert chosen[name] > 50
    assert chosen["bytes"] == compile_graph(network, CONV).stored_bytes <= 12500
    counts = figures["data"]
    assert (counts["n_training"], counts["n_selection"], counts["n_test"]) == (
        len(data.x_train), len(data.x_validation), len(data.x_test),
    )  # fmt: skip
    assert counts["n_training"] + counts["n_selection"] + counts["n_test"] == 400

    passes = -(-6000 // counts["n_training"])
    assert (figures["training"]["epochs"], figures["training"]["passes"]) == (1, passes)
    assert figures["training"]["procedure"]["prune_rate"] == 0.01
    assert figures["training"]["adjust"] == 2
    assert figures["versions"]["torch"] == metadata.version("torch")
    whole, half, *adjusted = figures["candidates"]
    # From the one that fits, half of the way to the one that does not.
    assert [(c["method"], c["density"]) for c in (whole, half)] == [(quick, 1.0), (quick, 0.5)]
    assert half["bytes"] <= 12500 < whole["bytes"]
    assert [c["method"] for c in adjusted] == [f"{quick}-adjusted"] * 2
    next_one = 0.25 if adjusted[0]["bytes"] <= 12500 else 0.75
    assert [c["density"] for c in adjusted] == pytest.approx([0.5**0.5, 0.5**next_one])
    within = [c["accuracy"] for c in figures["candidates"] if c["bytes"] <= 12500]
    assert chosen["accuracy"] == max(within)

    page = Page((tmp_path / "out" / "report.html").read_text()).text
    assert f"{counts['n_training']} samples trained every candidate, in {passes} passes" in page
    assert "Nothing was trained" not in page
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    result = spectramac(*shlex.split(figures["options"]["command"])[1:])
    assert result.exit_code == 0, result.output
    after = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    assert [name for name in before if after[name] != before[name]] == []
