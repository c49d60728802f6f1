# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The demonstration and the cocotb bench of the whole accelerator, on a small network."""

import numpy as np
import pytest

from spectramac.compiler.compile import compile_network
from spectramac.compress.data import INPUT_SCALE
from spectramac.compress.graph_codes import Form
from spectramac.compress.post_training import compress_dense
from spectramac.compress.quantize_graph import quantize_graph
from spectramac.compress.techniques import SftConv
from spectramac.graph.graph import Graph, Tensor
from spectramac.graph.nodes import Conv, Dense, Flatten, MaxPool
from spectramac.host.accelerator import Accelerator
from spectramac.host.transport import open_transport
from spectramac.model.graph_file import save_graph
from spectramac.model.graph_network import GraphNetwork
from spectramac.model.network import Network, save_network
from spectramac.spec.config import preset

pytest.importorskip("sklearn")
pytest.importorskip("cocotb")
from spectramac.sim import demo, demo_run
from spectramac.sim.accelerator_bench import bench_accelerator

CONFIG = preset("tiny")


@pytest.fixture(scope="module")
def network() -> Network:
    rng = np.random.default_rng(2)
    layers = [(rng.normal(size=(10, 64)), rng.normal(size=10))]
    calibration = rng.integers(0, 113, (32, 64)).astype(np.int8)
    return compress_dense(layers, calibration, input_scale=INPUT_SCALE, density=0.5, bits=4)


def test_run_demo(network: Network) -> None:
    result = demo.run_demo("tiny", network=network, limit=21)
    assert result.differences == []
    assert (result.n_inferences, result.n_outputs, result.n_different) == (21, 210, 0)
    assert result.golden_accuracy == result.rtl_accuracy
    assert result.counted == result.predicted > 0
    assert 0 < result.utilisation < 1
    assert result.dense_bytes == 640 + 20
    assert result.simulated_cycles > 0


def test_the_command_prints_the_table(network, tmp_path, capsys) -> None:
    path = tmp_path / "net.npz"
    save_network(network, path)
    arguments = ["--preset", "tiny", "--limit", "5", "--network", str(path), "--bench-digits", "1"]
    assert demo.main(arguments) == 0
    out = capsys.readouterr().out
    for text in ("5 handwritten digits on preset tiny", "0 of 50", "cocotb: 1 test passed"):
        assert text in out


def test_the_command_fails_on_a_difference(network, tmp_path, capsys, monkeypatch) -> None:
    path = tmp_path / "net.npz"
    save_network(network, path)
    monkeypatch.setattr(demo_run, "compare", lambda *arguments: ["one output differs"])
    arguments = ["--preset", "tiny", "--limit", "2", "--network", str(path), "--no-cocotb"]
    assert demo.main(arguments) == 1
    assert "error: one output differs" in capsys.readouterr().err


@pytest.fixture(scope="module")
def graph() -> GraphNetwork:
    """A convolution of the digits in spectra, a maximum, a classifier: weights that nobody trained."""
    rng = np.random.default_rng(3)
    spectra = Form(SftConv(0, 8), 0.5)
    image = Tensor(name="image", shape=(1, 8, 8))
    nodes = (
        Conv(
            name="conv", inputs=("image",), weight=rng.normal(size=(8, 1, 3, 3)),
            bias=rng.normal(size=8), stride=(2, 2), padding=((1, 1), (1, 1)),
        ),
        MaxPool(name="pool", inputs=("conv",), kernel=(2, 2), stride=(2, 2)),
        Flatten(name="flat", inputs=("pool",)),
        Dense(name="dense", inputs=("flat",), weight=rng.normal(size=(10, 32)), bias=np.zeros(10)),
    )  # fmt: skip
    calibration = rng.random((32, 1, 8, 8))
    made = quantize_graph(
        Graph(name="untrained", input=image, nodes=nodes), calibration, forms={"conv": spectra}
    )
    return made.network


def test_run_graph_demo(graph: GraphNetwork) -> None:
    result = demo.run_graph_demo(preset("conv"), network=graph, limit=21)
    assert result.differences == []
    assert (result.n_inferences, result.n_outputs, result.n_different) == (21, 210, 0)
    assert result.network == "convolutional, 1-8-10"
    assert result.float_accuracy is None
    assert result.golden_accuracy == result.rtl_accuracy
    assert result.counted == result.predicted > 0
    assert 0 < result.utilisation < 1
    assert result.dense_bytes == 9 * 8 + 32 * 10 + 2 * 18
    assert result.dense_cycles * result.n_multipliers == 16 * 9 * 8 + 32 * 10
    assert result.simulated_cycles > 0


def test_the_command_runs_a_graph(graph, tmp_path, capsys) -> None:
    """Alone, and without the bench of fully-connected layers; fails on a difference."""
    path = tmp_path / "graph.npz"
    save_graph(graph, path)
    arguments = ["--conv-preset", "conv", "--limit", "5", "--network", str(path)]
    assert demo.main(arguments) == 0
    out = capsys.readouterr().out
    assert "5 handwritten digits on preset conv" in out
    assert "0 of 50" in out
    assert "cocotb" not in out
    assert "fully-connected" not in out


def test_the_command_runs_both_networks(network, graph, capsys, monkeypatch) -> None:
    """By default, and fails if the second differs."""
    monkeypatch.setattr(demo, "demo_network", lambda: network)
    monkeypatch.setattr(demo, "demo_graph", lambda: graph)
    arguments = ["--preset", "tiny", "--conv-preset", "conv", "--limit", "2", "--no-cocotb"]
    assert demo.main(arguments) == 0
    out = capsys.readouterr().out
    assert out.index("fully-connected, 64-10") < out.index("convolutional, 1-8-10")
    monkeypatch.setattr(demo_run.cli_graph, "compare", lambda *arguments: ["a counter differs"])
    assert demo.main(arguments) == 1
    assert "error: a counter differs" in capsys.readouterr().err


def test_presets_get_a_network_that_they_run(monkeypatch) -> None:
    for name in ("run_demo", "run_graph_demo"):
        monkeypatch.setattr(demo_run, name, lambda config, *, name=name, **_: (name, config))
    assert demo.run_preset("large") == ("run_demo", "large")
    assert demo.run_preset("conv", limit=3) == ("run_graph_demo", preset("conv"))


def test_the_shipped_convolutional_network_is_for_these_lanes() -> None:
    assert demo.demo_graph().meta["n_lanes"] == demo.CONVOLUTIONS.n_lanes
    assert demo.CONVOLUTIONS.n_multipliers == 22 < preset("small").n_multipliers


def test_three_transports_give_identical_arrays(network: Network) -> None:
    image = compile_network(network, CONFIG)
    x = np.random.default_rng(8).integers(-128, 128, (5, 64)).astype(np.int8)
    results = []
    for name in ("model", "sim"):
        with open_transport(name, CONFIG) as transport:
            accelerator = Accelerator(transport, CONFIG)
            accelerator.load(image)
            results.append(accelerator.run(x))
    third = bench_accelerator(CONFIG, image, x)
    assert third.bench.n_checks > 50
    for result in results:
        assert np.array_equal(result.outputs, third.outputs)
        assert np.array_equal(result.layer_cycles, third.layer_cycles)
