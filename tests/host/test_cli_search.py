# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``spectramac search``: files, figures, going on, refusals, exit status."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.compress.clusters import clusters, trained
from tests.compress.conv_cases import bars
from tests.compress.small_graphs import onnx_model
from tests.compress.small_graphs import trained as trained_graph

pytest.importorskip("typer", reason="the command line is the extra 'cli'")
pytest.importorskip("optuna", reason="the search is an extra: pip install 'spectramac[search]'")
from typer.testing import CliRunner, Result

from spectramac.compiler.compile import compile_network
from spectramac.compiler.graph_compile import compile_graph
from spectramac.compress.datasets import TrainingData, load_training
from spectramac.compress.graph_methods import compressible
from spectramac.compress.search_demand import Demand
from spectramac.compress.search_problem import Problem
from spectramac.compress.search_space import Space
from spectramac.host import cli_search, cli_search_report
from spectramac.host.cli_search import parse_widths
from spectramac.model.batch import accuracy, quantize_input
from spectramac.model.graph_file import load_graph
from spectramac.model.graph_network import run_graph
from spectramac.model.layer import run_network
from spectramac.model.map_node import Arithmetic
from spectramac.model.network import load_network
from spectramac.spec.config import preset


def spectramac(*arguments: object) -> Result:
    return CliRunner().invoke(cli_search.app, [str(a) for a in arguments])


def start(folder: Path) -> list[object]:
    """Weights and data; returns the start of a command."""
    arrays = {}
    for i, (w, b) in enumerate(trained()):
        arrays |= {f"w{i}": w, f"b{i}": b}
    np.savez(folder / "w.npz", **arrays)
    x, labels = clusters()
    np.savez(folder / "d.npz", x=x, y=labels)
    return ["search", folder / "w.npz", "--data", folder / "d.npz", "--out", folder / "out"]


def figures_of(folder: Path) -> Any:
    return json.loads((folder / "out" / "search.json").read_text())


def test_the_network_that_is_written_is_what_the_figures_say(tmp_path: Path) -> None:
    options = ["--max-bytes", 600, "--storage", tmp_path / "journal", "--jobs", 1]
    result = spectramac(*start(tmp_path), *options, "--trials", 4)
    assert result.exit_code == 0, result.output
    figures = figures_of(tmp_path)
    chosen = figures["chosen"]
    network = load_network(tmp_path / "out" / "network.npz")
    assert compile_network(network, preset("small")).stored_bytes == chosen["bytes"] <= 600
    data = load_training(str(tmp_path / "d.npz"), 32, 4)
    outputs = run_network(
        network, quantize_input(data.x_validation, network.input_scale).astype(np.int64)
    )
    assert accuracy(outputs, data.y_validation) == chosen["validation_accuracy"]
    assert network.meta["techniques"] == chosen["techniques"]
    assert "best accuracy within 600 bytes" in result.stdout
    assert "wrote network.npz" in result.stderr
    assert len(figures["trials"]) == 4

    again = spectramac(*start(tmp_path), *options, "--trials", 5)
    assert again.exit_code == 0, again.output
    assert figures_of(tmp_path)["trials"][:4] == figures["trials"]

    other = spectramac(*start(tmp_path), *options, "--trials", 5, "--seed", 3)
    assert other.exit_code == 1
    assert "give the study another name" in other.stderr


def write_graph(folder: Path) -> list[object]:
    """A convolutional model and data; returns the start of a command."""
    onnx = pytest.importorskip("onnx", reason="onnx is the extra 'import'; nothing is read without")
    onnx.save(onnx_model(trained_graph()), folder / "m.onnx")
    x, labels = bars(160)
    np.savez(folder / "d.npz", x=x.reshape(-1, 1, 8, 8), y=labels)
    options = ["--storage", folder / "journal", "--jobs", 1, "--trials", 2, "--out", folder / "out"]
    return ["search", folder / "m.onnx", "--data", folder / "d.npz", *options]


def test_a_network_graph(tmp_path: Path) -> None:
    result = spectramac(*write_graph(tmp_path), "--max-bytes", 6000)
    assert result.exit_code == 0, result.output
    chosen = figures_of(tmp_path)["chosen"]
    network, config = load_graph(tmp_path / "out" / "network.npz"), preset("conv")
    assert compile_graph(network, config).stored_bytes == chosen["bytes"] <= 6000
    data = load_training(str(tmp_path / "d.npz"), 64, 4, shape=(1, 8, 8))
    x = quantize_input(data.x_validation.reshape(-1, 8, 8, 1), network.input_scale)
    outputs = run_graph(network, x, Arithmetic.of(config)).reshape(len(x), -1)
    assert accuracy(outputs, data.y_validation) == chosen["validation_accuracy"]
    assert chosen["layers"] == [node.name for node in compressible(trained_graph())]
    assert network.meta["techniques"] == chosen["techniques"]
    assert " down " in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--widths", "8"], "--widths is for chains of dense layers"),
        (["--image", "8,8"], "--image is for chains of dense layers"),
        (["--preset", "small"], "configuration 'small' runs no network graphs"),
    ],
)
def test_what_is_for_chains_is_refused_for_graphs(
    tmp_path: Path, options: list[str], message: str
) -> None:
    result = spectramac(*write_graph(tmp_path), "--max-bytes", 6000, *options)
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_trial_with_other_widths_may_have_another_number_of_layers() -> None:
    data = TrainingData(
        x_train=np.ones((2, 32)), y_train=np.zeros(2, int), n_classes=4,
        x_validation=np.ones((2, 32)), y_validation=np.zeros(2, int),
    )  # fmt: skip
    space = Space(preset("small"), widths=((12, 8),))
    problem = Problem(layers=trained(), data=data, space=space, demand=Demand(max_bytes=600))
    chosen = {"techniques": ["a", "b", "c"], "densities": [0.5] * 3, "bits": [8] * 3}
    trial = SimpleNamespace(number=0, params={}, user_attrs=chosen | {"steps": ["row"] * 3})
    found = SimpleNamespace(
        accuracy=50.0, size=SimpleNamespace(stored_bytes=1, cycles=1.0), multiplications=1
    )
    study = SimpleNamespace(get_trials=lambda deepcopy: [])
    result = SimpleNamespace(trial=trial, found=found, study=study)
    figures = cli_search_report.figures_of("", problem, result)
    assert len(problem.layers) == 2
    assert figures["chosen"]["layers"] == ["fc1", "fc2", "fc3"]
    assert cli_search_report.tables_of(figures)[1].row_count == 3


def test_nothing_that_meets_the_demand_is_status_1_and_writes_nothing(tmp_path: Path) -> None:
    options = ["--max-bytes", 100, "--storage", tmp_path / "journal", "--jobs", 1, "--trials", 2]
    result = spectramac(*start(tmp_path), *options)
    assert result.exit_code == 1
    assert "error: none of 2 trials could be evaluated; the last: even the smallest" in (
        result.stderr
    )
    assert not (tmp_path / "out" / "network.npz").exists()


@pytest.mark.parametrize("limits", [[], ["--max-bytes", 500, "--max-loss", 1]])
def test_exactly_one_limit_is_wanted(tmp_path: Path, limits: list[object]) -> None:
    result = spectramac(*start(tmp_path), "--storage", tmp_path / "journal", *limits)
    assert result.exit_code == 2
    assert "exactly one of --max-bytes" in " ".join(result.stderr.split())


def test_unknown_data_are_refused(tmp_path: Path) -> None:
    arguments = start(tmp_path)
    arguments[3] = "mnist"
    result = spectramac(*arguments, "--storage", tmp_path / "j", "--max-bytes", 500)
    assert result.exit_code == 1
    assert "mnist" in result.stderr


def test_widths() -> None:
    assert parse_widths("64-32,8") == ((64, 32), (8,))
    assert parse_widths(None) == ()
    with pytest.raises(ValueError, match=r"widths must be numbers .* not '64x32'"):
        parse_widths("64x32")


def test_help_states_the_defaults() -> None:
    text = " ".join(spectramac("search", "--help").output.split())
    for word in ("--max-cycles", "default: 100", "--jobs", "default: spectramac", "sqlite"):
        assert word in text
