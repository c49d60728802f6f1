# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``spectramac compile``, ``run`` and ``info`` of network graphs."""

from pathlib import Path

import numpy as np
import pytest
from tests.graphs import CONFIGS, random_graph, random_graph_inputs

pytest.importorskip("typer", reason="the command line is the extra 'cli'")
from typer.testing import CliRunner, Result

from spectramac.host.cli import commands
from spectramac.model.graph_file import load_graph, save_graph
from spectramac.model.graph_network import run_graph
from spectramac.model.map_node import Arithmetic
from spectramac.spec.config import preset
from spectramac.spec.graph_image import GraphImage

NETWORK = random_graph(3)
MAPS = ("--set", "maps=true")


def spectramac(*arguments: object) -> Result:
    return CliRunner().invoke(commands(), [str(a) for a in arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_graph(NETWORK, tmp_path / "graph.npz")
    np.save(tmp_path / "x.npy", random_graph_inputs(NETWORK, 3))
    return tmp_path


def test_compile_and_run(folder: Path) -> None:
    compiled = spectramac("compile", folder / "graph.npz", *MAPS, "-o", folder / "graph.smg")
    assert compiled.exit_code == 0, compiled.output
    assert "bytes written for one run" in compiled.stdout
    image = GraphImage.load(folder / "graph.smg")
    assert image.identity["maps"] is True
    ran = spectramac(
        "run", folder / "graph.smg", "--data", folder / "x.npy", "-o", folder / "y.npy"
    )
    assert ran.exit_code == 0, ran.output
    expected = run_graph(NETWORK, random_graph_inputs(NETWORK, 3), Arithmetic.of(preset("small")))
    np.testing.assert_array_equal(np.load(folder / "y.npy"), expected)


def test_check_compares_with_the_network(folder: Path) -> None:
    ran = spectramac(
        "run", folder / "graph.npz", *MAPS, "--data", folder / "x.npy", "--check", "--limit", 2
    )
    assert ran.exit_code == 0, ran.output
    assert "identical to the golden model" in ran.stdout
    assert any(line.split()[1:3] == ["inferences", "│"] for line in ran.stdout.splitlines())


def test_explain_has_every_node(folder: Path) -> None:
    for data in ([], ["--data", folder / "x.npy"]):
        result = spectramac(
            "compile", folder / "graph.npz", *MAPS, "-o", folder / "g.smg", "--explain", *data
        )
        assert result.exit_code == 0, result.output
        assert ("the first two of" if data else "two random inputs") in result.stdout
        table = result.stdout[result.stdout.index("Plan: ") :]
        assert all(node.name in table for node in NETWORK.nodes)
        assert "bound by" in table


def test_info(folder: Path) -> None:
    spectramac("compile", folder / "graph.npz", *MAPS, "-o", folder / "graph.smg")
    result = spectramac("info", folder / "graph.smg")
    assert result.exit_code == 0, result.output
    assert NETWORK.name in result.stdout
    assert "Segments" in result.stdout


def test_real_inputs_and_channels_first(folder: Path) -> None:
    spectramac("compile", folder / "graph.npz", *MAPS, "-o", folder / "graph.smg")
    x = random_graph_inputs(NETWORK, 3)
    real = x.transpose(0, 3, 1, 2) * 0.5
    assert real.shape[1:] != NETWORK.input_shape
    np.save(folder / "real.npy", real)
    arguments = ("run", folder / "graph.smg", "--data", folder / "real.npy")
    refused = spectramac(*arguments)
    assert refused.exit_code == 1
    assert "has real values" in refused.output
    ran = spectramac(*arguments, "--quantize", "-o", folder / "y.npy")
    assert ran.exit_code == 0, ran.output
    expected = run_graph(NETWORK, x, Arithmetic.of(preset("small")))
    np.testing.assert_array_equal(np.load(folder / "y.npy"), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compile", "graph.npz", "-o", "g.smg"], "must have maps to run a network graph"),
        (["compile", "graph.npz", "-o", "g.smg", "--set", "map=1"], "--set must be one of n_lanes"),
        (["compile", "graph.npz", "-o", "g.smg", "--set", "maps"], "--set must be one of n_lanes"),
        (
            ["compile", "graph.npz", "-o", "g.smg", *MAPS, "--set", "n_lanes=99"],
            "n_lanes must be an integer from 1 to 64, not 99",
        ),
        (["compile", "model.onnx", "-o", "g.smg", *MAPS], "needs calibration inputs: --data FILE"),
        (["run", "graph.npz", *MAPS, "--data", "bad.npy"], "inputs must have shape"),
        (["run", "damaged.smg", "--data", "x.npy"], "must match its SHA-256 checksum"),
    ],
)
def test_errors(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "model.onnx").write_bytes(b"")
    np.save("bad.npy", np.zeros((2, 3, 3), np.int8))
    spectramac("compile", "graph.npz", *MAPS, "-o", "graph.smg")
    data = bytearray((folder / "graph.smg").read_bytes())
    data[200] ^= 1
    (folder / "damaged.smg").write_bytes(data)
    result = spectramac(*arguments)
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())


def test_an_onnx_model(folder: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
    import onnx
    from onnx import helper
    from tests.graph.onnx_models import model, random_weights

    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["h"], ["r"], name="relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["y"], name="mean"),
    ]
    made = model(nodes, random_weights(1, w=(4, 3, 3, 3)), shape=("n", 3, 6, 5))
    onnx.save(made, folder / "conv.onnx")
    x = np.random.default_rng(0).normal(size=(8, 3, 6, 5)).astype(np.float32)
    np.savez(folder / "data.npz", x=x)
    result = spectramac(
        "compile", folder / "conv.onnx", *MAPS, "--data", folder / "data.npz", "-o", folder / "c.smg",
        "--graph", folder / "c.npz", "--explain",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert load_graph(folder / "c.npz").input_shape == (6, 5, 3)
    arguments = ("--data", folder / "data.npz", "--quantize")
    for file, extra in (("c.smg", ()), ("c.npz", (*MAPS, "--check"))):
        ran = spectramac("run", folder / file, *extra, *arguments)
        assert ran.exit_code == 0, ran.output


def test_a_quantized_model_can_be_quantized_anew(folder: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
    import onnx
    from tests.graph.test_dequantize import network

    onnx.save(network(True).model(("n", 2, 5, 5)), folder / "qdq.onnx")
    np.save(folder / "qdq.npy", np.random.default_rng(0).normal(size=(4, 2, 5, 5)))
    arguments = [
        "compile", folder / "qdq.onnx", *MAPS, "--data", folder / "qdq.npy", "-o", folder / "q.smg",
    ]  # fmt: skip
    refused = spectramac(*arguments)
    assert refused.exit_code == 1
    assert "--requantize" in refused.output
    refused = spectramac(*arguments, "--density", "0.5")
    assert refused.exit_code == 1
    assert "--max-error need --requantize" in " ".join(refused.output.split())
    result = spectramac(*arguments, "--requantize", "--form", "sft", "--density", "0.5")
    assert result.exit_code == 0, result.output
    ran = spectramac("run", folder / "q.smg", "--data", folder / "qdq.npy", "--quantize")
    assert ran.exit_code == 0, ran.output


def test_configurations_are_kept_in_the_image(folder: Path) -> None:
    """Run needs no preset: the image says what it was compiled for."""
    settings = ("maps=true", "n_lanes=4", "activation_depth=8192")
    options = [word for setting in settings for word in ("--set", setting)]
    spectramac("compile", folder / "graph.npz", *options, "-o", folder / "graph.smg")
    result = spectramac("run", folder / "graph.smg", "--data", folder / "x.npy")
    assert result.exit_code == 0, result.output
    assert CONFIGS["small"].n_lanes != GraphImage.load(folder / "graph.smg").identity["n_lanes"]
