# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``spectramac compress --data --train``: parts of the data, figures, the same again, refusals."""

import json
import shlex
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("typer", reason="the command line is the extra 'cli'")
pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")
pytest.importorskip("sklearn", reason="the digits are an extra: pip install 'spectramac[data]'")

import torch
from tests.compress.digits_case import dense, labelled
from tests.host.test_cli_compress import Page, spectramac
from typer.testing import Result

from spectramac.compiler.compile import compile_network
from spectramac.compress import training
from spectramac.compress.compare import float_accuracy
from spectramac.compress.measure import integer_accuracy
from spectramac.compress.methods import methods_for
from spectramac.compress.split import load_split
from spectramac.model.network import load_network
from spectramac.spec.config import preset

SMALL = preset("small")
_MIN_EPOCH = 1200
"""Samples; a few seconds for a command."""
OPTIONS = ["--train", "--epochs", 1, "--rate", 0.01, "--densities", "0.3", "--seed", 2]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(training, "MIN_EPOCH", _MIN_EPOCH)
    # Pictures take longer than the training; test_cli_compress has them.
    monkeypatch.setitem(sys.modules, "matplotlib", None)


def write_digits(folder: Path) -> list[object]:
    """Weights and data; returns the start of a command."""
    layers = dense()
    arrays = {
        f"{k}{i}": v for i, layer in enumerate(layers) for k, v in zip("wb", layer, strict=True)
    }
    np.savez(folder / "w.npz", **arrays)
    x, labels = labelled()
    np.savez(folder / "d.npz", x=x.reshape(-1, 8, 8), y=labels)
    return ["compress", folder / "w.npz", "--data", folder / "d.npz"]


def figures_of(folder: Path) -> Any:
    return json.loads((folder / "out" / "report.json").read_text())


def run(folder: Path, *demand: object) -> Result:
    start = write_digits(folder)
    result = spectramac(*start, *demand, *OPTIONS, "--out", folder / "out")
    assert result.exit_code == 0, result.output
    return result


def test_parts_figures_and_page(tmp_path: Path) -> None:
    result = run(tmp_path, "--max-bytes", 1900, "--adjust", 1)
    figures = figures_of(tmp_path)
    chosen, data = figures["chosen"], load_split(tmp_path / "d.npz", 64, 10, seed=2)

    counts = figures["data"]
    assert counts["n_training"] + counts["n_selection"] + counts["n_test"] == len(labelled()[0])
    assert (counts["n_selection"], counts["n_test"]) == (len(data.x_validation), len(data.x_test))
    network = load_network(tmp_path / "out" / "network.npz")
    for name, part in (("accuracy", data.selection), ("test_accuracy", data.test)):
        assert chosen[name] == integer_accuracy(network, part.x, part.labels, SMALL)
        assert figures["float"][name] == float_accuracy(dense(), part.x, part.labels)
    assert chosen["bytes"] == compile_network(network, SMALL).stored_bytes <= 1900
    fitting = [c for c in figures["candidates"] if c["bytes"] is not None and c["bytes"] <= 1900]
    assert chosen["accuracy"] == max(c["accuracy"] for c in fitting)

    passes = -(-_MIN_EPOCH // counts["n_training"])
    assert (figures["training"]["epochs"], figures["training"]["passes"]) == (1, passes)
    procedure = figures["training"]["procedure"]
    assert procedure["prune_epochs"] + procedure["tune_epochs"] == passes
    assert procedure["prune_rate"] == figures["training"]["rate"] == 0.01
    assert figures["versions"]["torch"] == metadata.version("torch")
    names = {m.name for m in methods_for(SMALL, 8)}
    assert {c["method"].removesuffix("-adjusted") for c in figures["candidates"]} == names

    assert f"training {len(names)} candidates, each in {passes} passes over" in result.stderr
    shown = " ".join(result.stdout.split())
    for name, key in (("where it was chosen", "accuracy"), ("on the test part", "test_accuracy")):
        both = f"{chosen[key]:.2f} (float network {figures['float'][key]:.2f})"
        assert f"accuracy {name}, % │ {both}" in shown
    page = Page((tmp_path / "out" / "report.html").read_text()).text
    assert f"{counts['n_training']} samples trained every candidate, in {passes} passes" in page
    assert f"{counts['n_selection']} other samples chose" in page
    assert f"The last {counts['n_test']}, the test part, neither trained nor chose" in page
    assert "Nothing was trained" not in page


def test_the_command_in_the_report_makes_the_same_files_and_adjusts(tmp_path: Path) -> None:
    """The loss allows a much lower density than the one of the ladder."""
    run(tmp_path, "--max-loss", 60, "--adjust", 2)
    figures = figures_of(tmp_path)
    chosen = figures["chosen"]
    adjusted = [c for c in figures["candidates"] if c["method"].endswith("-adjusted")]
    assert len(adjusted) == 2
    ladder = [c for c in figures["candidates"] if c not in adjusted]
    least = figures["float"]["accuracy"] - 60
    assert chosen["bytes"] < min(c["bytes"] for c in ladder if c["accuracy"] >= least)
    assert chosen["method"].endswith("-adjusted")
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    result = spectramac(*shlex.split(figures["options"]["command"])[1:])
    assert result.exit_code == 0, result.output
    for name in ("report.json", "report.html"):
        assert (tmp_path / "out" / name).read_bytes() == before[name]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max-bytes", 100], "no candidate takes at most 100 bytes"),
        (["--rate", 0], "prune_rate must be more than 0, not 0.0"),
    ],
)
def test_nothing_is_written_on_errors(tmp_path: Path, options: list[object], message: str) -> None:
    start = write_digits(tmp_path)
    result = spectramac(*start, *OPTIONS, *options, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert f"error: {message}" in result.stderr
    assert not (tmp_path / "out").exists()


def test_calibration_inputs_of_the_file_are_refused(tmp_path: Path) -> None:
    start = write_digits(tmp_path)
    x, labels = labelled()
    np.savez(tmp_path / "d.npz", x=x, y=labels, x_calibration=x)
    result = spectramac(*start, *OPTIONS, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "arrays must be called x and y, not 'x_calibration'" in result.stderr
