# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``spectramac compress --data`` of convolutional networks: files, figures, the same again, refusals."""

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("typer", reason="the command line is the extra 'cli'")
pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
import onnx
from onnx import helper
from tests.compress.clusters import clusters
from tests.compress.clusters import trained as trained_chain
from tests.compress.conv_cases import bars
from tests.compress.small_graphs import onnx_model, trained
from tests.graph.onnx_models import Quantized, model
from tests.host.test_cli_compress import Page, figures_of, spectramac
from typer.testing import Result

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compiler.graph_explain import explain_graph
from spectramac.compress.graph_methods import graph_methods
from spectramac.compress.labelled import LabelledData, load_labelled
from spectramac.compress.size import graph_multiplications
from spectramac.graph.evaluate import evaluate
from spectramac.graph.onnx_import import from_onnx
from spectramac.host.cli_graph import GraphModel, execute
from spectramac.model.batch import accuracy, quantize_input
from spectramac.model.graph_file import load_graph
from spectramac.model.graph_network import GraphNetwork, run_graph
from spectramac.model.map_node import Arithmetic
from spectramac.spec.config import preset

CONV = preset("conv")
OPTIONS = ["--densities", "1,0.4", "--max-loss", 8]


def write_inputs(folder: Path, n: int = 160) -> list[object]:
    """A model and data; returns the start of a command."""
    onnx.save(onnx_model(trained()), folder / "m <&>.onnx")
    x, labels = bars(n)
    np.savez(folder / "d.npz", x=x.reshape(-1, 1, 8, 8), y=labels)
    return ["compress", folder / "m <&>.onnx", "--data", folder / "d.npz"]


@pytest.fixture(scope="module", autouse=True)
def without_pictures() -> Iterator[None]:
    """They take longer than all the rest; test_report_page has them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)
        yield


@pytest.fixture
def start(tmp_path: Path) -> list[object]:
    return write_inputs(tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A folder with the model, the data and the report in ``out``."""
    folder = tmp_path_factory.mktemp("report")
    result = spectramac(*write_inputs(folder), *OPTIONS, "--out", folder / "out")
    assert result.exit_code == 0, result.output
    return folder, result


def network_of(folder: Path) -> GraphNetwork:
    return load_graph(folder / "out" / "network.npz")


def maps(network: GraphNetwork, x: np.ndarray) -> np.ndarray:
    """Inputs of one channel as the engine reads them."""
    return quantize_input(x.reshape(-1, 8, 8, 1), network.input_scale)


def golden_accuracy(network: GraphNetwork, data: LabelledData) -> float:
    outputs = run_graph(network, maps(network, data.x), Arithmetic.of(CONV))
    return accuracy(outputs.reshape(len(data.x), -1), data.labels)


def float_accuracy(folder: Path, data: LabelledData) -> float:
    graph = from_onnx(folder / "m <&>.onnx")
    return accuracy(evaluate(graph, data.x.reshape(-1, 1, 8, 8)), data.labels)


def refused(tmp_path: Path, *arguments: object) -> str:
    """What a command says that writes nothing and prints no result."""
    result = spectramac(*arguments, "--out", tmp_path / "out")
    assert result.exit_code == 1, result.output
    assert not result.stdout
    assert not (tmp_path / "out").exists()
    text = result.stderr.strip()
    assert text.startswith("error: ")
    return text


def test_results_on_stdout_and_progress_on_stderr(made: tuple[Path, Result]) -> None:
    folder, result = made
    figures = figures_of(folder)
    chosen = figures["chosen"]
    for text in ("Candidates", "Chosen", chosen["method"], str(chosen["bytes"]), "spectral-tiles"):
        assert text in result.stdout
    assert "cycles/inference, predicted for two" in result.stdout
    assert "wrote network.npz" in result.stderr
    assert "wrote" not in result.stdout
    names = sorted(p.name for p in (folder / "out").iterdir())
    assert names == ["network.npz", "report.html", "report.json"]
    assert (figures["kind"], figures["version"]) == ("graph", 4)
    assert figures["configuration"]["name"] == "conv"


def test_the_network_has_the_claimed_figures(made: tuple[Path, Result]) -> None:
    folder, _ = made
    figures, network = figures_of(folder), network_of(folder)
    chosen, data = figures["chosen"], load_labelled(folder / "d.npz", 64, 4)
    assert chosen["accuracy"] == golden_accuracy(network, data)
    assert chosen["test_accuracy"] is None
    assert figures["float"]["accuracy"] == float_accuracy(folder, data)
    image = compile_graph(network, CONV)
    assert chosen["bytes"] == image.stored_bytes
    assert (chosen["multiplications"], chosen["fft_multiplications"]) == (
        graph_multiplications(network)
    )
    plans = explain_graph(image, CONV, maps(network, data.x[:2]))
    assert chosen["cycles"] == sum(plan.cycles for plan in plans) / 2
    # 9448 weights and biases that are compressed or not, 144 depthwise ones.
    weights = 72 + 1152 + 144 + 256 + 2400 + 96 * 54 + 4 * 96
    biases = 8 + 16 + 16 + 16 + 6 + 96 + 4
    assert figures["float"]["float32_bytes"] == 4 * (weights + biases)
    assert figures["float"]["dense_int8_bytes"] == weights + 2 * biases
    assert figures["data"] == {
        "n_training": 0,
        "n_calibration": len(data.calibration),
        "n_selection": len(data.x),
        "n_test": 0,
        "n_classes": 4,
    }
    assert len(data.calibration) + len(data.x) == 160
    assert network.meta == {
        "method": chosen["method"],
        "density": chosen["density"],
        "selection_accuracy": chosen["accuracy"],
    }
    assert (chosen["input_scale"], chosen["output_scale"]) == (
        network.input_scale,
        network.output_scale,
    )


def test_it_ran_on_the_accelerator(made: tuple[Path, Result]) -> None:
    """Counted on the first 32 samples; those that the prediction is for take as many cycles as predicted."""
    folder, _ = made
    chosen, network = figures_of(folder)["chosen"], network_of(folder)
    x = maps(network, load_labelled(folder / "d.npz", 64, 4).x[:32])
    compiled = GraphModel(compile_graph(network, CONV), CONV, network)
    pair, result = (execute(compiled, some, "model", timeout=600.0) for some in (x[:2], x))
    assert chosen["n_run"] == 32
    assert chosen["counted_cycles"] == result.cycles_per_inference
    assert chosen["columns_skipped"] == result.counters["columns_skipped"]
    assert pair.cycles_per_inference == pytest.approx(chosen["cycles"], rel=0.02)


def test_nodes_are_those_of_the_network(made: tuple[Path, Result]) -> None:
    folder, _ = made
    chosen, network = figures_of(folder)["chosen"], network_of(folder)
    data = load_labelled(folder / "d.npz", 64, 4)
    plans = explain_graph(compile_graph(network, CONV), CONV, maps(network, data.x[:2]))
    for row, plan, node in zip(chosen["layers"], plans, network.nodes, strict=True):
        assert (row["name"], row["kind"], row["form"]) == (node.name, plan.kind, plan.form)
        assert (row["bytes"], row["stored_pairs"]) == (plan.n_bytes, plan.stored_pairs)
        assert (row["cycles"], row["bound"]) == (plan.cycles / 2, plan.bound)
        assert row["dense_cycles"] == plan.ideal_dense_cycles(CONV)
        layer = getattr(node, "layer", node)
        q = getattr(layer, "coefficients", None)
        assert row["bits"] == (None if q is None else layer.coefficient_bits)
        assert (row["nonzero"] is None) == (q is None)
    rows = {row["name"]: row for row in chosen["layers"]}
    assert list(rows) == [
        "stem", "down", "depth", "point", "sum", "narrow", "pool", "hidden", "classes",
    ]  # fmt: skip
    for name, technique in (("stem", "dense"), ("depth", "dense"), ("pool", ""), ("sum", "")):
        assert (rows[name]["technique"], rows[name]["density"]) == (technique, None)
    assert rows["down"]["density"] == chosen["density"]
    assert sum(row["bytes"] for row in rows.values()) < chosen["bytes"]


def test_every_technique_is_a_candidate(made: tuple[Path, Result]) -> None:
    figures = figures_of(made[0])
    found = [(c["method"], c["density"]) for c in figures["candidates"]]
    assert found == [(m.name, d) for m in graph_methods(CONV, 8) for d in (1.0, 0.4)]
    least = figures["float"]["accuracy"] - 8
    good = [c["bytes"] for c in figures["candidates"] if c["accuracy"] >= least - 1e-9]
    assert figures["chosen"]["bytes"] == min(good)
    assert 0 < len(good) < len(found)


def test_the_command_in_the_report_makes_the_same_files(made: tuple[Path, Result]) -> None:
    folder, _ = made
    command = shlex.split(figures_of(folder)["options"]["command"])
    assert command[0] == "spectramac"
    assert command[command.index("--preset") + 1] == "conv"
    before = {p.name: p.read_bytes() for p in (folder / "out").iterdir()}
    result = spectramac(*command[1:])
    assert result.exit_code == 0, result.output
    after = {p.name: p.read_bytes() for p in (folder / "out").iterdir()}
    assert after.keys() == before.keys()
    assert [name for name in after if after[name] != before[name]] == []


def test_the_page(made: tuple[Path, Result]) -> None:
    folder, _ = made
    text, figures = (folder / "out" / "report.html").read_text(), figures_of(folder)
    page = Page(text)
    assert "m <&>.onnx" in page.text
    assert "m <&>.onnx" not in text
    assert "cycles of an inference, counted on the first 32 samples" in page.text
    for row in figures["chosen"]["layers"]:
        assert f"<td>{row['name']}</td>" in text
    assert "order of hidden units" not in page.text


def test_compile_and_run_take_the_network(made: tuple[Path, Result], tmp_path: Path) -> None:
    folder, _ = made
    network, chosen = folder / "out" / "network.npz", figures_of(folder)["chosen"]
    result = spectramac("compile", network, "--preset", "conv", "-o", tmp_path / "n.img")
    assert result.exit_code == 0, result.output
    assert str(chosen["bytes"]) in result.stdout
    data = load_labelled(folder / "d.npz", 64, 4)
    np.save(tmp_path / "x.npy", data.x.reshape(-1, 8, 8, 1))
    arguments = ["--data", tmp_path / "x.npy", "--quantize", "--check", "-o", tmp_path / "y.npy"]
    result = spectramac("run", network, "--preset", "conv", *arguments)
    assert result.exit_code == 0, result.output
    assert "identical to the golden model" in result.stdout
    outputs = np.load(tmp_path / "y.npy").reshape(len(data.x), -1)
    assert accuracy(outputs, data.labels) == chosen["accuracy"]


def test_options_reach_the_comparison(start: list[object], tmp_path: Path) -> None:
    options = ["--max-bytes", 9000, "--densities", "0.5", "--bits", 5, "--seed", 3]
    result = spectramac(*start, *options, "--input-scale", 0.0125, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    figures, network = figures_of(tmp_path), network_of(tmp_path)
    chosen = figures["chosen"]
    within = [c for c in figures["candidates"] if c["bytes"] is not None and c["bytes"] <= 9000]
    assert chosen["accuracy"] == max(c["accuracy"] for c in within)
    assert network.input_scale == 0.0125
    data = load_labelled(tmp_path / "d.npz", 64, 4, seed=3)
    assert chosen["accuracy"] == golden_accuracy(network, data)
    bits = {row["name"]: row["bits"] for row in chosen["layers"] if row["bits"] is not None}
    assert bits == {
        "stem": 8, "down": 5, "depth": 8, "point": 5, "narrow": 5, "hidden": 5, "classes": 5,
    }  # fmt: skip


def test_data_may_leave_out_axes(
    start: list[object], tmp_path: Path, made: tuple[Path, Result]
) -> None:
    """That have one element: here the channel's."""
    x, labels = bars(160)
    np.savez(tmp_path / "d.npz", x=x.reshape(-1, 8, 8), y=labels)
    options = ["--densities", "1", "--max-loss", 8, "--out", tmp_path / "out"]
    result = spectramac(*start, *options)
    assert result.exit_code == 0, result.output
    assert figures_of(tmp_path)["candidates"] == figures_of(made[0])["candidates"][::2]


def colour_model(folder: Path) -> Path:
    """Three channels of 8 x 6 pixels, four classes."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("Flatten", ["c"], ["f"], name="flat"),
        helper.make_node("Gemm", ["f", "v"], ["y"], transB=1, name="classes"),
    ]
    constants = {
        "w": rng.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "v": rng.normal(size=(4, 4 * 6 * 4)).astype(np.float32),
    }
    onnx.save(model(nodes, constants, shape=("n", 3, 8, 6)), folder / "colour.onnx")
    return folder / "colour.onnx"


@pytest.mark.parametrize("train", [[], ["--train", "--epochs", "1"]], ids=["once", "trained"])
def test_channels_last_are_refused(tmp_path: Path, train: list[str]) -> None:
    """With as many elements they would be taken for something else."""
    if train:
        pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")
    x = np.random.default_rng(0).normal(size=(40, 8, 6, 3))
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(40) % 4)
    start = ["compress", colour_model(tmp_path), "--data", tmp_path / "d.npz", *train]
    text = refused(tmp_path, *start, "--densities", "0.5")
    assert "x must have shape ('samples', 3, 8, 6), as the network's input" in text
    assert "or (samples, 144), not (40, 8, 6, 3)" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--reorder"], "--reorder is for chains of dense layers, and {} is a network graph; leave it out"),
        (["--tau-loss", 1], "--tau-loss is for chains of dense layers, and {} is a network graph; leave it out"),
        (["--preset", "small"], "configuration 'small' runs no network graphs, and {} is one; use --preset conv"),
        (["--max-bytes", 100], "no candidate takes at most 100 bytes"),
        (["--max-loss", 0, "--densities", "0.01"], "no candidate loses at most 0 points"),
    ],
    ids=["reorder", "tau", "preset", "bytes", "loss"],
)  # fmt: skip
def test_refusals(start: list[object], tmp_path: Path, options: list[object], message: str) -> None:
    densities = [] if "--densities" in options else ["--densities", "0.5"]
    assert message.format(start[1]) in refused(tmp_path, *start, *densities, *options)


def test_a_network_that_does_not_fit(tmp_path: Path) -> None:
    """Says what was wrong with the last candidate."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("GlobalAveragePool", ["c"], ["y"], name="mean"),
    ]
    constants = {"w": rng.normal(size=(4, 1024, 9, 9)).astype(np.float32)}
    onnx.save(model(nodes, constants, shape=("n", 1024, 9, 9)), tmp_path / "large.onnx")
    x = rng.normal(size=(8, 1024 * 81)).astype(np.float32)
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(8) % 4)
    start = ["compress", tmp_path / "large.onnx", "--data", tmp_path / "d.npz"]
    text = refused(tmp_path, *start, "--densities", "1")
    assert "no candidate fits the configuration; the last one: " in text


def test_quantized_models_are_refused(tmp_path: Path) -> None:
    _, data = write_inputs(tmp_path)[1], tmp_path / "d.npz"
    q = Quantized()
    q.pair("x", "xq", 0.1, np.int8(0))
    q.weight("w", np.ones((4, 1, 8, 8), np.int8), np.full(4, 0.1, np.float32), 0)
    q.nodes.append(helper.make_node("Conv", ["xq", "w"], ["c"], name="conv"))
    q.pair("c", "cq", 0.1, np.int8(0))
    q.nodes.append(helper.make_node("Flatten", ["cq"], ["y"], name="flat"))
    onnx.save(q.model(("n", 1, 8, 8)), tmp_path / "q.onnx")
    text = refused(tmp_path, "compress", tmp_path / "q.onnx", "--data", data)
    assert f"{tmp_path / 'q.onnx'} is quantized already: compress the floating-point model" in text
    assert "spectramac compile" in text


@pytest.mark.parametrize(
    ("operator", "options", "message"),
    [
        ("Sigmoid", {}, "node 'odd' (Sigmoid)"),
        ("AveragePool", {"kernel_shape": [3, 3], "pads": [1] * 4}, "its mean leaves out the padding"),
    ],
    ids=["Sigmoid", "AveragePool"],
)  # fmt: skip
def test_unsupported_operators_are_named_before_any_work(
    tmp_path: Path, operator: str, options: dict[str, Any], message: str
) -> None:
    """The data are not looked into: they are empty."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node(operator, ["c"], ["o"], name="odd", **options),
        helper.make_node("Flatten", ["o"], ["f"], name="flat"),
        helper.make_node("Gemm", ["f", "v"], ["y"], transB=1, name="classes"),
    ]
    constants = {
        "w": rng.normal(size=(4, 1, 3, 3)).astype(np.float32),
        "v": rng.normal(size=(4, 144)).astype(np.float32),
    }
    onnx.save(model(nodes, constants, shape=("n", 1, 8, 8)), tmp_path / "odd.onnx")
    (tmp_path / "d.npz").write_bytes(b"")
    text = refused(tmp_path, "compress", tmp_path / "odd.onnx", "--data", tmp_path / "d.npz")
    assert "'odd'" in text
    assert message in text


def test_models_that_are_not_there_or_damaged(tmp_path: Path) -> None:
    data = write_inputs(tmp_path)[3]
    for name, content in (("none.onnx", None), ("empty.onnx", b""), ("bad.onnx", b"no model")):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        assert name in refused(tmp_path, "compress", tmp_path / name, "--data", data)


def test_one_output_is_no_class(tmp_path: Path) -> None:
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], name="conv")]
    constants = {"w": np.ones((1, 1, 8, 8), np.float32)}
    onnx.save(model(nodes, constants, shape=("n", 1, 8, 8)), tmp_path / "one.onnx")
    data = write_inputs(tmp_path)[3]
    text = refused(tmp_path, "compress", tmp_path / "one.onnx", "--data", data)
    assert "must have at least 2 outputs, classes, not 1" in text


def test_a_claim_that_the_accelerator_does_not_keep_is_an_error(
    start: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spectramac.host import cli_graph

    monkeypatch.setattr(cli_graph, "compare", lambda *_: ["sample 3 is different"])
    text = refused(tmp_path, *start, "--densities", "0.5", "--max-loss", 100)
    assert text == "error: the chosen network on configuration conv: sample 3 is different"


def test_a_chain_of_dense_layers_goes_another_way(tmp_path: Path) -> None:
    """With the options for chains; and a limited ReLU makes it a graph."""
    arrays: dict[str, Any] = {"low": np.float32(0), "high": np.float32(100)}
    for i, (w, b) in enumerate(trained_chain()):
        arrays |= {f"w{i}": w.astype(np.float32), f"b{i}": b.astype(np.float32)}
    x, labels = clusters()
    np.savez(tmp_path / "d.npz", x=x, y=labels)
    names = {}
    for kind in ("Relu", "Clip"):
        inputs = ["h"] if kind == "Relu" else ["h", "low", "high"]
        nodes = [
            helper.make_node("Gemm", ["x", "w0", "b0"], ["h"], transB=1),
            helper.make_node(kind, inputs, ["r"]),
            helper.make_node("Gemm", ["r", "w1", "b1"], ["y"], transB=1),
        ]
        used = {k: v for k, v in arrays.items() if kind == "Clip" or k not in ("low", "high")}
        onnx.save(model(nodes, used, shape=("n", 32)), tmp_path / "m.onnx")
        start = ["compress", tmp_path / "m.onnx", "--data", tmp_path / "d.npz", "--max-loss", 100]
        more = ["--tau-loss", 1] if kind == "Relu" else []
        options = ["--densities", "0.5", *more, "--out", tmp_path / "out"]
        result = spectramac(*start, *options)
        assert result.exit_code == 0, result.output
        figures = figures_of(tmp_path)
        names[figures["kind"]] = figures["configuration"]["name"]
    assert names == {"chain": "small", "graph": "conv"}
