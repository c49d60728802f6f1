# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark of convolutional networks, on the golden model: its speeds are promises of the README."""

import json
from pathlib import Path

import numpy as np
import pytest

from spectramac.host.bench_conv import main, measure_network, speed_layers
from spectramac.spec.config import preset


@pytest.mark.parametrize(("name", "least"), [("sft-quarter", 3.2), ("sft-eighth", 6.0)])
def test_sparse_layers_are_faster_than_a_perfect_dense_engine(name: str, least: float) -> None:
    """With as many multipliers, those of the FFTs included."""
    config = preset("conv")
    network, x = speed_layers(config)[name]()
    (node,) = network.nodes
    kept = np.count_nonzero(node.layer.coefficients.reshape(16, 2, -1).any(axis=1))
    part = float(name == "sft-quarter") / 8 + 1 / 8
    assert kept == pytest.approx(part * 16 * 288, rel=0.005)  # pairs
    measured = measure_network(network, x, config, "model")
    assert measured.exact
    assert measured.n_multipliers == sum(config.multipliers.values()) == 38
    dense = 2 * 9 * 32 * 32 * 32 * 32 / 38
    assert measured.total("ideal") == pytest.approx(dense)
    assert dense / measured.total("counted") >= least


@pytest.mark.long
def test_dense_tiles_are_faster() -> None:
    config = preset("conv")
    measured = measure_network(*speed_layers(config)["tiles-dense"](), config, "model")
    assert measured.exact
    assert measured.total("ideal") / measured.total("counted") >= 4


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--transport", "model", "--layers", "none", "--networks", "autoencoder"]
    pytest.importorskip("onnx", reason="the topologies are ONNX models")
    main([*arguments, "--out", str(tmp_path)])
    assert "| autoencoder | conv, 38 | 0 |" in capsys.readouterr().out
    text = (tmp_path / "bench-conv.md").read_text(encoding="utf-8")
    assert "--networks autoencoder" in text
    (found,) = json.loads((tmp_path / "bench-conv.json").read_text(encoding="utf-8"))
    assert all(row["counted"] == row["predicted"] for row in found["rows"])
    with pytest.raises(SystemExit):
        main([*arguments[:4], "--networks", "lenet", "--out", str(tmp_path)])
    assert "networks must be of autoencoder, " in capsys.readouterr().err
