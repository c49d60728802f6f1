# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``spectramac compress --data``: files, figures, refusals, exit status."""

import json
import re
import shlex
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.compress.clusters import clusters, trained
from tests.compress.test_ordered import outputs, smooth_then_shuffled

pytest.importorskip("typer", reason="the command line is the extra 'cli'")
from typer.testing import CliRunner, Result

from spectramac.compiler.compile import compile_network
from spectramac.compress.compare import DENSITIES, float_accuracy
from spectramac.compress.labelled import load_labelled
from spectramac.compress.size import layers_cost
from spectramac.host.cli_compress_command import app
from spectramac.host.cli_compress_options import parse_densities
from spectramac.model.batch import accuracy, quantize_input
from spectramac.model.layer import run_network
from spectramac.model.network import load_network
from spectramac.spec.config import preset

SMALL = preset("small")


def spectramac(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def write_inputs(folder: Path) -> list[object]:
    """Weights and data; returns the start of a command."""
    arrays = {}
    for i, (w, b) in enumerate(trained()):
        arrays |= {f"w{i}": w, f"b{i}": b}
    np.savez(folder / "w <&>.npz", **arrays)
    x, labels = clusters()
    np.savez(folder / "d.npz", x=x, y=labels)
    return ["compress", folder / "w <&>.npz", "--data", folder / "d.npz"]


@pytest.fixture
def start(tmp_path: Path) -> list[object]:
    return write_inputs(tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A folder with ``w.npz``, ``d.npz`` and the report in ``out``."""
    folder = tmp_path_factory.mktemp("report")
    options = ["--max-loss", 3, "--densities", "1,0.5", "--out", folder / "out"]
    result = spectramac(*write_inputs(folder), *options)
    assert result.exit_code == 0, result.output
    return folder, result


def figures_of(folder: Path) -> Any:
    return json.loads((folder / "out" / "report.json").read_text())


def test_results_on_stdout_and_progress_on_stderr(made: tuple[Path, Result]) -> None:
    folder, result = made
    chosen = figures_of(folder)["chosen"]
    for text in ("Candidates", "Chosen", chosen["method"], str(chosen["bytes"]), "prune-pair"):
        assert text in result.stdout
    assert "wrote network.npz" in result.stderr
    assert "wrote" not in result.stdout
    names = sorted(p.name for p in (folder / "out").iterdir())
    assert names == ["network.npz", "report.html", "report.json"]


def test_the_network_has_the_claimed_figures(made: tuple[Path, Result]) -> None:
    folder, _ = made
    figures = figures_of(folder)
    chosen = figures["chosen"]
    network = load_network(folder / "out" / "network.npz")
    data = load_labelled(folder / "d.npz", 32, 4)
    x = quantize_input(data.x, network.input_scale).astype(np.int64)
    outputs = run_network(network, x, data_width=16, twiddle_width=16)
    assert chosen["accuracy"] == accuracy(outputs, data.labels)
    image = compile_network(network, SMALL)
    cost = layers_cost(network.layers, SMALL)
    assert chosen["bytes"] == image.stored_bytes
    assert chosen["multiplications"] == cost.multiplications
    assert chosen["fft_multiplications"] == cost.fft_multiplications
    descriptors = chosen["bytes"] - sum(layer["bytes"] for layer in chosen["layers"])
    assert 0 < descriptors <= 64 * len(network.layers)
    cycles = sum(layer["cycles"] for layer in chosen["layers"])
    assert chosen["cycles"] == pytest.approx(cycles + 0.5 / image.max_pairs)
    assert figures["float"]["accuracy"] == float_accuracy(trained(), data.x, data.labels)
    assert figures["float"]["float32_bytes"] == 4 * (32 * 24 + 24 + 24 * 4 + 4)
    assert figures["float"]["dense_int8_bytes"] == 32 * 24 + 24 * 4 + 2 * (24 + 4)
    assert figures["data"] == {
        "n_training": 0,
        "n_calibration": 40,
        "n_selection": 120,
        "n_test": 0,
        "n_classes": 4,
    }
    assert figures["candidates"][chosen["index"]]["method"] == chosen["method"]


def test_the_choice_is_the_smallest_within_the_loss(made: tuple[Path, Result]) -> None:
    figures = figures_of(made[0])
    least = figures["float"]["accuracy"] - 3
    good = [c["bytes"] for c in figures["candidates"] if c["accuracy"] >= least - 1e-9]
    assert figures["chosen"]["bytes"] == min(good)
    assert len(good) < len(figures["candidates"])


def test_compile_and_run_take_the_network(made: tuple[Path, Result], tmp_path: Path) -> None:
    folder, _ = made
    network, chosen = folder / "out" / "network.npz", figures_of(folder)["chosen"]
    result = spectramac("compile", network, "-o", tmp_path / "n.img")
    assert result.exit_code == 0, result.output
    assert f"stored bytes: {chosen['bytes']}" in result.stdout
    data = load_labelled(folder / "d.npz", 32, 4)
    np.save(tmp_path / "x.npy", data.x)
    arguments = ["--data", tmp_path / "x.npy", "--quantize", "--check", "-o", tmp_path / "y.npy"]
    result = spectramac("run", network, *arguments)
    assert result.exit_code == 0, result.output
    assert "identical to the golden model" in result.stdout
    assert accuracy(np.load(tmp_path / "y.npy"), data.labels) == chosen["accuracy"]


def test_the_command_in_the_report_makes_the_same_files(
    made: tuple[Path, Result], tmp_path: Path
) -> None:
    folder, _ = made
    command = shlex.split(figures_of(folder)["options"]["command"])
    assert command[0] == "spectramac"
    before = {p.name: p.read_bytes() for p in (folder / "out").iterdir()}
    result = spectramac(*command[1:])
    assert result.exit_code == 0, result.output
    for name in ("report.json", "report.html"):
        assert (folder / "out" / name).read_bytes() == before[name]


class Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_refers_to_nothing_outside(made: tuple[Path, Result]) -> None:
    text = (made[0] / "out" / "report.html").read_text()
    page = Page(text)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "iframe", "object", "embed", "base", "a"}
    for _, attributes in page.tags:
        assert not set(attributes) & {"href", "srcset", "action", "background"}
        assert (attributes.get("src") or "data:").startswith("data:")
    bare = re.sub(r"data:[\w/+;,=]*", "", text)
    assert "://" not in bare
    assert bare.count("url(") == bare.count("url(#")
    assert "@import" not in bare
    policy = next(a["content"] for _, a in page.tags if "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_the_page_shows_the_figures_and_escapes(made: tuple[Path, Result]) -> None:
    folder, _ = made
    text, figures = (folder / "out" / "report.html").read_text(), figures_of(folder)
    page = Page(text)
    assert "w <&>.npz" in page.text
    assert "w <&>.npz" not in text
    for candidate in figures["candidates"]:
        assert f"<td>{candidate['method']}</td>" in text
        assert f'<td class="n">{candidate["bytes"]}</td>' in text
    assert text.count('<tr class="chosen">') == 1
    for layer in figures["chosen"]["layers"]:
        assert f"<td>{layer['name']}</td>" in text


def test_pictures(made: tuple[Path, Result]) -> None:
    """Two of curves, one of every layer; what they contain of pixels lies in the page."""
    pytest.importorskip("matplotlib", reason="pictures are the extra 'plot'")
    page = Page((made[0] / "out" / "report.html").read_text())
    titles = [a["aria-label"] for tag, a in page.tags if tag == "svg"]
    layers = [layer["name"] for layer in figures_of(made[0])["chosen"]["layers"]]
    assert len(titles) == len(set(titles)) == 2 + len(layers)
    for name in layers:
        assert f"spectra of {name}" in titles
    names = [a["id"] for _, a in page.tags if "id" in a]
    assert len(set(names)) == len(names)
    references = [a["xlink:href"] or "" for _, a in page.tags if "xlink:href" in a]
    assert all(r.startswith("data:image/png;base64,") or r[1:] in names for r in references)


def test_without_matplotlib_the_page_says_so(
    start: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = spectramac(*start, "--densities", "0.9", "--max-loss", 100, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    page = Page((tmp_path / "out" / "report.html").read_text())
    assert "matplotlib is not installed" in page.text
    assert "svg" not in [tag for tag, _ in page.tags]


def test_budget_in_bytes_on_another_preset(start: list[object], tmp_path: Path) -> None:
    options = ["--max-bytes", 800, "--preset", "tiny", "--densities", "0.5", "--bits", 4]
    result = spectramac(*start, *options, "--seed", 3, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    figures = figures_of(tmp_path)
    chosen = figures["chosen"]
    within = [c for c in figures["candidates"] if c["bytes"] is not None and c["bytes"] <= 800]
    assert chosen["accuracy"] == max(c["accuracy"] for c in within)
    assert chosen["bytes"] <= 800
    assert figures["configuration"]["name"] == "tiny"
    options_in_report = figures["options"]
    assert (options_in_report["max_loss"], options_in_report["max_bytes"]) == (None, 800)
    assert (options_in_report["seed"], options_in_report["bits"]) == (3, 4)
    network = load_network(tmp_path / "out" / "network.npz")
    assert compile_network(network, preset("tiny")).stored_bytes == chosen["bytes"]


@pytest.mark.parametrize(
    ("demand", "message"),
    [(["--max-bytes", 100], "takes at most 100 bytes"), (["--max-loss", 0], "loses at most 0")],
)
def test_nothing_is_written_when_nothing_is_good_enough(
    start: list[object], tmp_path: Path, demand: list[object], message: str
) -> None:
    result = spectramac(*start, *demand, "--densities", "0.2", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert f"error: no candidate {message}" in result.stderr
    assert not result.stdout
    assert not (tmp_path / "out").exists()


def test_a_claim_that_the_accelerator_does_not_keep_is_an_error(
    start: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spectramac.compress import candidates

    monkeypatch.setattr(candidates, "integer_accuracy", lambda *_: 99.5)
    options = ["--densities", "0.5", "--max-loss", 100, "--out", tmp_path / "out"]
    result = spectramac(*start, *options)
    assert result.exit_code == 1
    assert "error: the chosen network on configuration small: accuracy is" in result.stderr
    assert "not 99.5 %" in result.stderr
    assert not (tmp_path / "out").exists()


def test_an_onnx_model_gives_the_same(made: tuple[Path, Result], tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is the extra 'import'")
    from onnx import helper
    from tests.graph.onnx_models import model

    node = helper.make_node
    nodes = [
        node("Flatten", ["x"], ["f"]),
        node("Gemm", ["f", "w0", "b0"], ["h"], transB=1),
        node("Relu", ["h"], ["r"]),
        node("Gemm", ["r", "w1", "b1"], ["y"], transB=1),
    ]
    arrays: dict[str, Any] = {}
    for i, (w, b) in enumerate(trained()):
        arrays |= {f"w{i}": w.astype(np.float32), f"b{i}": b.astype(np.float32)}
    onnx.save(model(nodes, arrays, shape=("n", 1, 4, 8)), tmp_path / "m.onnx")
    x, labels = clusters()
    np.savez(tmp_path / "d.npz", x=x.reshape(-1, 1, 4, 8), y=labels)
    start = ["compress", tmp_path / "m.onnx", "--data", tmp_path / "d.npz", "--max-loss", 3]
    result = spectramac(*start, "--densities", "1,0.5", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    ours, theirs = figures_of(tmp_path), figures_of(made[0])
    assert ours["float"] == theirs["float"]
    assert ours["chosen"]["method"] == theirs["chosen"]["method"]
    assert ours["chosen"]["accuracy"] == pytest.approx(theirs["chosen"]["accuracy"], abs=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "either --output, or --data and --out"),
        (["--data", "d.npz"], "either --output, or --data and --out"),
        (["--out", "o"], "either --output, or --data and --out"),
        (["-o", "n.npz", "--out", "o"], "either --output, or --data and --out"),
        (["-o", "n.npz", "--data", "d.npz", "--out", "o"], "either --output"),
        (["-o", "n.npz", "--max-loss", "1"], "--max-loss needs --data"),
        (["-o", "n.npz", "--preset", "tiny"], "--preset needs --data"),
        (["-o", "n.npz", "--train"], "--train needs --data"),
        (["-o", "n.npz", "--reorder"], "--reorder needs --data"),
        (["--data", "d.npz", "--out", "o", "--epochs", "3"], "--epochs needs --train"),
        (["--data", "d.npz", "--out", "o", "--rate", "1"], "--rate needs --train"),
        (["--data", "d.npz", "--out", "o", "--adjust", "1"], "--adjust needs --train"),
        (["--data", "d.npz", "--out", "o", "--train", "--epochs", "0"], "--epochs"),
        (["--data", "d.npz", "--out", "o", "--block", "8"], "--block needs --output"),
        (["--data", "d.npz", "--out", "o", "--density", "1"], "--density needs --output"),
        (["--data", "d.npz", "--out", "o", "--max-loss", "1", "--max-bytes", "9"], "exclude"),
        (["--data", "d.npz", "--out", "d.npz"], "is a file"),
        (["--data", "none.npz", "--out", "o"], "does not exist"),
        (["--data", "d.npz", "--out", "o", "--max-loss", "-1"], "--max-loss"),
    ],
)
def test_wrong_usage_exits_with_2(
    start: list[object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = spectramac(*start[:2], *options)
    assert result.exit_code == 2
    assert message in re.sub(r"[\s│]+", " ", result.stderr)
    assert not (tmp_path / "o").exists()


def test_training_without_pytorch_says_so_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither model nor data are looked into: both are empty."""
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "d.npz").write_bytes(b"")
    options = ["--data", tmp_path / "d.npz", "--train", "--out", tmp_path / "out"]
    result = spectramac("compress", tmp_path / "none.npz", *options)
    assert result.exit_code == 1
    assert result.stderr == (
        "error: --train needs the Python module 'torch'; `pip install 'spectramac[train]'` adds it\n"
    )
    assert not (tmp_path / "out").exists()


def test_reordered_units_are_compared_and_kept_where_they_help(tmp_path: Path) -> None:
    layers = smooth_then_shuffled()
    x, _ = clusters(200)
    np.savez(tmp_path / "d.npz", x=x, y=outputs(layers, x).argmax(axis=1))
    arrays = {
        f"{k}{i}": v for i, layer in enumerate(layers) for k, v in zip("wb", layer, strict=True)
    }
    np.savez(tmp_path / "w.npz", **arrays)
    start = ["compress", tmp_path / "w.npz", "--data", tmp_path / "d.npz", "--max-bytes", 740]
    options = ["--densities", "0.1"]
    plain = spectramac(*start, *options, "--out", tmp_path / "out")
    assert plain.exit_code == 0, plain.output
    without = figures_of(tmp_path)
    assert without["chosen"]["orders"] == []
    assert not any("-ordered" in c["method"] for c in without["candidates"])
    result = spectramac(*start, *options, "--reorder", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    figures = figures_of(tmp_path)
    chosen = figures["chosen"]
    assert chosen["method"].endswith("-ordered")
    assert chosen["accuracy"] > without["chosen"]["accuracy"]
    (order,) = chosen["orders"]
    assert order["taken"]
    assert order["error_after"] < order["error_before"]
    # The others are still there, and the same.
    ordered = [c for c in figures["candidates"] if c["method"].endswith("-ordered")]
    assert len(ordered) + len(without["candidates"]) == len(figures["candidates"])
    assert [c for c in figures["candidates"] if c not in ordered] == without["candidates"]
    assert "--reorder" in figures["options"]["command"]
    text = (tmp_path / "out" / "report.html").read_text()
    assert (
        f"hidden layer 1: error of the outputs {100 * order['error_before']:.1f} % as given" in text
    )
    network = load_network(tmp_path / "out" / "network.npz")
    data = load_labelled(tmp_path / "d.npz", 32, 4)
    found = run_network(network, quantize_input(data.x, network.input_scale).astype(np.int64))
    assert accuracy(found, data.labels) == chosen["accuracy"]


@pytest.mark.parametrize("text", ["", "half", "1,1", "0.5,0.6", "1.1", "0.5,0", "nan", "0.5,nan"])
def test_densities_must_fall(text: str) -> None:
    with pytest.raises(ValueError, match="densities must"):
        parse_densities(text)


def test_densities() -> None:
    assert parse_densities("1,0.5,0.25") == (1, 0.5, 0.25)
    assert parse_densities("0.3") == (0.3,)
    assert parse_densities(None) == DENSITIES


def test_bad_data_exit_with_1(start: list[object], tmp_path: Path) -> None:
    x, labels = clusters()
    np.savez(tmp_path / "d.npz", x=x[:, 1:], y=labels)
    result = spectramac(*start, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "error: " in result.stderr
    assert "x must have shape (samples, 32)" in result.stderr
    assert not (tmp_path / "out").exists()
