# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``spectramac import``: tables, files, errors, exit status."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("typer", reason="the command line is the extra 'cli'")
pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
import onnx
from onnx import helper
from tests.graph.onnx_models import model, random_weights
from typer.testing import CliRunner, Result

from spectramac.compress.post_training import load_weights
from spectramac.host.cli import commands

node = helper.make_node


def spectramac(*arguments: object) -> Result:
    return CliRunner().invoke(commands(), [str(a) for a in arguments])


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    """Two dense layers on 1×8×8 images."""
    nodes = [
        node("Flatten", ["x"], ["f"]),
        node("Gemm", ["f", "w1", "b1"], ["h"], name="first", transB=1),
        node("Relu", ["h"], ["r"], name="relu"),
        node("Gemm", ["r", "w2", "b2"], ["y"], name="second", transB=1),
    ]
    constants = random_weights(0, w1=(16, 64), b1=(16,), w2=(10, 16), b2=(10,))
    path = tmp_path / "dense.onnx"
    onnx.save(model(nodes, constants, shape=("n", 1, 8, 8)), path)
    return path


@pytest.fixture
def conv(tmp_path: Path) -> Path:
    """A convolution on images of any size."""
    nodes = [
        node("Conv", ["x", "w"], ["h"], name="conv", pads=[1, 1, 1, 1]),
        node("GlobalAveragePool", ["h"], ["y"], name="mean"),
    ]
    path = tmp_path / "conv.onnx"
    onnx.save(model(nodes, random_weights(1, w=(4, 3, 3, 3)), shape=("n", 3, "h", "w")), path)
    return path


def test_help_shows_defaults() -> None:
    result = spectramac("import", "--help")
    assert result.exit_code == 0
    assert "efault" in result.stdout
    assert "--input-shape" in result.stdout


def test_the_summary(dense: Path) -> None:
    result = spectramac("import", dense)
    assert result.exit_code == 0, result.output
    assert not result.stderr
    for text in ("dense.onnx", "first", "second", "ReLU", "`compress` and `search`", "1×8×8"):
        assert text in result.stdout
    parameters = 64 * 16 + 16 + 16 * 10 + 10
    stored = 64 * 16 + 16 * 10 + 2 * (16 + 10)
    assert str(parameters) in result.stdout
    assert str(stored) in result.stdout


def test_compress_takes_what_import_writes(dense: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.npz"
    result = spectramac("import", dense, "-o", weights)
    assert result.exit_code == 0, result.output
    assert "wrote" in result.stderr
    layers = load_weights(weights)
    expected = random_weights(0, w1=(16, 64), b1=(16,), w2=(10, 16), b2=(10,))
    np.testing.assert_array_equal(layers[0][0], expected["w1"])
    np.testing.assert_array_equal(layers[1][1], expected["b2"])
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 100, (50, 64)).astype(np.int8))
    network = tmp_path / "net.npz"
    arguments = ["--calibration", tmp_path / "x.npy", "-o", network]
    result = spectramac("compress", weights, *arguments)
    assert result.exit_code == 0, result.output
    assert network.exists()


def test_what_is_no_chain_is_named(conv: Path, tmp_path: Path) -> None:
    result = spectramac("import", conv, "--input-shape", "3,6,5")
    assert result.exit_code == 0, result.output
    assert "no: 2 nodes of 2" in result.stdout
    output = tmp_path / "weights.npz"
    result = spectramac("import", conv, "--input-shape", "3,6,5", "-o", output)
    assert result.exit_code == 1
    assert "error: conv.onnx cannot be compressed to a chain of dense layers" in result.stderr
    assert "node 'conv' (Conv)" in result.stderr
    assert not output.exists()


def test_errors_exit_with_1(conv: Path, tmp_path: Path) -> None:
    result = spectramac("import", conv)
    assert result.exit_code == 1
    assert "axes without fixed length: h, w" in result.stderr
    (tmp_path / "damaged.onnx").write_bytes(b"\xff" * 50)
    result = spectramac("import", tmp_path / "damaged.onnx")
    assert result.exit_code == 1
    assert "damaged.onnx must be an ONNX file" in result.stderr
    assert "Traceback" not in result.output
    made = model([node("Tanh", ["x"], ["y"], name="curve")])
    onnx.save(made, tmp_path / "tanh.onnx")
    result = spectramac("import", tmp_path / "tanh.onnx")
    assert result.exit_code == 1
    assert "node 'curve' (Tanh): unsupported operator; train the model with Relu" in result.stderr


@pytest.mark.parametrize(
    "arguments", [["none.onnx"], [], [__file__, "--input-shape", "three"], [__file__, "--wrong"]]
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    result = spectramac("import", *arguments)
    assert result.exit_code == 2
    assert "Error" in result.stderr


def test_without_onnx_the_extra_is_named(dense: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "spectramac.graph.onnx_import", raising=False)
    monkeypatch.setitem(sys.modules, "onnx", None)
    result = spectramac("import", dense)
    assert result.exit_code == 1
    assert "pip install 'spectramac[import]'" in result.stderr
