# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The page of ``spectramac compress --data`` in a real browser: loads alone, shows what report.json says."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("typer", reason="the command line is the extra 'cli'")
pytest.importorskip("matplotlib", reason="pictures are the extra 'plot'")

from tests.host.browser import Loaded, chromium, load, screenshot
from tests.host.test_cli_compress import spectramac, write_inputs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    chromium()
    made = tmp_path_factory.mktemp("page")
    options = ["--max-loss", 3, "--tau-loss", 1, "--densities", "1,0.5,0.3", "--out", made]
    result = spectramac(*write_inputs(made), *options)
    assert result.exit_code == 0, result.output
    return made


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Loaded:
    return load(folder / "report.html", folder)


@pytest.fixture(scope="module")
def figures(folder: Path) -> Any:
    return json.loads((folder / "report.json").read_text())


class Tables(HTMLParser):
    """Cells of every table by the heading before it; class of every row."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.marked: list[list[str]] = []
        self._heading, self._inside = "", ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("h1", "h2"):
            self._heading, self._inside = "", "heading"
        elif tag == "tr":
            self.tables.setdefault(self._heading, []).append([])
            if ("class", "chosen") in attrs:
                self.marked.append(self.tables[self._heading][-1])
        elif tag in ("td", "th"):
            self._inside = "cell"
            self.tables[self._heading][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("h1", "h2", "td", "th"):
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "heading":
            self._heading += data
        elif self._inside == "cell":
            self.tables[self._heading][-1][-1] += data


def test_it_loads_without_the_network_and_without_errors(loaded: Loaded) -> None:
    assert loaded.requests == ()
    assert loaded.console == ()
    assert "<h1>Compression report</h1>" in loaded.document


def test_the_browser_sees_what_it_should_not_find(tmp_path: Path) -> None:
    """The two checks above can fail: a page that asks for pictures, one that its own policy forbids."""
    page = tmp_path / "bad.html"
    page.write_text(
        '<!DOCTYPE html><img src="http://127.0.0.1:9/a.png"><script>missing()</script>',
        encoding="utf-8",
    )
    bad = load(page, tmp_path)
    assert bad.requests == ("http://127.0.0.1:9/a.png",)
    assert any("missing is not defined" in line for line in bad.console)
    policy = "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\">"
    page.write_text(
        f"<!DOCTYPE html>{policy}<img src='http://127.0.0.1:9/a.png'>", encoding="utf-8"
    )
    bad = load(page, tmp_path)
    assert bad.requests == ()
    assert any("Content Security Policy" in line for line in bad.console)


def test_candidates_are_those_of_the_json(loaded: Loaded, figures: Any) -> None:
    tables = Tables(loaded.document)
    rows = tables.tables["All candidates"][1:]
    names = ("accuracy", "bytes", "multiplications", "fft_multiplications", "cycles")
    expected = [
        [c["method"], f"{c['density']:g}"]
        + [f"{c[n]:.2f}" if isinstance(c[n], float) else str(c[n]) for n in names]
        + [c["refusal"] or ""]
        for c in figures["candidates"]
    ]
    assert rows == expected
    assert tables.marked == [expected[figures["chosen"]["index"]]]


def test_layers_are_those_of_the_json(loaded: Loaded, figures: Any) -> None:
    header, *rows = Tables(loaded.document).tables["Layers of the chosen network"]
    layers = figures["chosen"]["layers"]
    assert len(rows) == len(layers) == 2
    assert header[-1] == "τ"
    for row, layer in zip(rows, layers, strict=True):
        cells = dict(zip(header, row, strict=True))
        for name, value in (
            ("layer", layer["name"]),
            ("technique", layer["technique"]),
            ("density", f"{layer['density']:g}"),
            ("bits", str(layer["bits"])),
            ("nonzero, %", f"{100 * layer['nonzero']:.2f}"),
            ("error, %", f"{100 * layer['weight_error']:.2f}"),
            ("pairs", str(layer["stored_pairs"])),
            ("bytes", str(layer["bytes"])),
            ("multiplications", str(layer["multiplications"])),
            ("in transforms", f"{layer['fft_multiplications']:.2f}"),
            ("cycles, at most", f"{layer['cycles']:.2f}"),
        ):
            assert cells[name] == value, name
        tau = "zeros only" if layer["level"] <= 1 else f"{np.sqrt(layer['level']) / 2:.1f}"
        assert cells["τ"] == tau
    assert any(layer["level"] > 1 for layer in layers)
    chosen = figures["chosen"]
    assert sum(layer["multiplications"] for layer in layers) == chosen["multiplications"]
    assert chosen["counted_cycles"] < chosen["cycles"]


def test_the_summary_and_the_command(loaded: Loaded, figures: Any) -> None:
    tables, chosen = Tables(loaded.document).tables, figures["chosen"]
    summary = dict(tables["Compression report"])
    assert summary["chosen"] == f"{chosen['method']} at density {chosen['density']:g}"
    assert summary["accuracy"] == f"{chosen['accuracy']:.2f} %"
    assert summary["bytes"] == str(chosen["bytes"])
    assert summary["multiplications of an inference"] == str(chosen["multiplications"])
    assert summary["cycles of an inference, at most"] == f"{chosen['cycles']:.2f}"
    assert "--tau-loss 1" in figures["options"]["command"]
    (command,) = re.findall(r"<pre>(.*?)</pre>", loaded.document, flags=re.DOTALL)
    assert (
        command.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        == (figures["options"]["command"])
    )


def group(picture: Any, name: str) -> Any:
    (found,) = [g for g in picture.iter("g") if g.get("id", "").endswith(f".{name}")]
    return found


def places(element: Any) -> list[tuple[float, float]]:
    """Of markers."""
    return [(float(u.get("x")), float(u.get("y"))) for u in element.iter("use")]


@pytest.mark.parametrize(("x", "title"), [("stored_bytes", "stored bytes"), ("cycles", "cycles")])
def test_curves(loaded: Loaded, figures: Any, x: str, title: str) -> None:
    """A line for each technique, a marker where each candidate lies, the ring around the chosen one."""
    (text,) = re.findall(
        rf'<svg[^>]*aria-label="Accuracy over {title}.*?</svg>', loaded.document, flags=re.DOTALL
    )
    picture = ElementTree.fromstring(text.replace("xlink:href", "href"))
    chosen = figures["chosen"]
    methods = list(dict.fromkeys(c["method"] for c in figures["candidates"]))
    key = "bytes" if x == "stored_bytes" else "cycles"
    across: list[float] = []
    wanted: list[float] = []
    for i, method in enumerate(methods):
        candidates = [c for c in figures["candidates"] if c["method"] == method]
        markers = places(group(picture, f"curve-{x}-{i}"))
        assert len(markers) == len(candidates)
        across += [place[0] for place in markers]
        wanted += [np.log(c[key]) for c in candidates]
        rising = np.argsort([c["accuracy"] for c in candidates], kind="stable")
        assert all(np.diff([-markers[k][1] for k in rising]) >= 0)
        if method == chosen["method"]:
            (ring,) = places(group(picture, f"chosen-{x}-{i}"))
            index = next(k for k, c in enumerate(candidates) if c["density"] == chosen["density"])
            assert ring == markers[index]
    # The axis is logarithmic: places are a straight line over the logarithm.
    fit = np.polyfit(wanted, across, 1)
    np.testing.assert_allclose(np.polyval(fit, wanted), across, atol=0.01)
    assert len([g for g in picture.iter("g") if ".chosen-" in g.get("id", "")]) == 1


def test_it_is_drawn(folder: Path, figures: Any) -> None:
    """Pixels: lines in their colours, the marked row, both spectra of every layer."""
    from matplotlib.colors import to_rgb
    from matplotlib.image import imread

    pixels = imread(screenshot(folder / "report.html", folder, 1200, 4200))[..., :3]
    assert pixels.shape == (4200, 1200, 3)

    def count(colour: str) -> int:
        return int((np.abs(pixels - to_rgb(colour)).max(axis=2) < 0.02).sum())

    for colour in ("C0", "C1", "C2", "C3", "C4"):
        assert count(colour) > 300, colour
    assert count("#fff0b3") > 5000
    # The darkest end of the scale is used in each picture of spectra, and nowhere else.
    assert count("#440154") > 100 * len(figures["chosen"]["layers"])


@pytest.fixture(scope="module")
def graph_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a convolutional network."""
    pytest.importorskip("onnx", reason="onnx is the extra 'import'; without it nothing is imported")
    chromium()
    from tests.host.test_cli_compress_graph import write_inputs as write_graph

    made = tmp_path_factory.mktemp("graph")
    options = ["--max-loss", 5, "--densities", "1,0.5", "--out", made]
    result = spectramac(*write_graph(made), *options)
    assert result.exit_code == 0, result.output
    return made


def cell(value: Any, factor: float = 1.0) -> str:
    """As the page writes a figure; None is an empty cell."""
    if value is None:
        return ""
    shown = factor * value if factor != 1 else value
    return f"{shown:.2f}" if isinstance(shown, float) else str(shown)


def test_a_network_graph(graph_folder: Path) -> None:
    """Its nodes instead of layers; sums of what they store and take; where what was counted comes from."""
    page = load(graph_folder / "report.html", graph_folder)
    assert page.requests == ()
    assert page.console == ()
    figures = json.loads((graph_folder / "report.json").read_text())
    chosen, tables = figures["chosen"], Tables(page.document).tables
    header, *rows, total = tables["Layers of the chosen network"]
    assert "τ" not in header
    assert len(rows) == len(chosen["layers"]) == 9
    for row, node in zip(rows, chosen["layers"], strict=True):
        density = "" if node["density"] is None else f"{node['density']:g}"
        assert dict(zip(header, row, strict=True)) == {
            "node": node["name"],
            "form": node["form"],
            "technique": node["technique"],
            "density": density,
            "bits": cell(node["bits"]),
            "nonzero, %": cell(node["nonzero"], 100.0),
            "pairs": cell(node["stored_pairs"]),
            "bytes": cell(node["bytes"]),
            "cycles": cell(node["cycles"]),
            "bound by": node["bound"],
            "cycles, perfect dense int8": cell(node["dense_cycles"]),
        }
    sums = dict(zip(header, total, strict=True))
    assert sums["node"] == "all"
    for name, key in (("pairs", "stored_pairs"), ("bytes", "bytes"), ("cycles", "cycles")):
        assert sums[name] == cell(sum(node[key] for node in chosen["layers"]))
    assert sums["cycles"] == f"{chosen['cycles']:.2f}"

    summary = dict(tables["Compression report"])
    assert summary["cycles of an inference, predicted for two samples"] == f"{chosen['cycles']:.2f}"
    counted = f"cycles of an inference, counted on the first {chosen['n_run']} samples"
    assert summary[counted] == f"{chosen['counted_cycles']:.2f}"
    assert "order of hidden units" not in summary
    candidates = tables["All candidates"][1:]
    assert [row[:3] for row in candidates] == [
        [c["method"], f"{c['density']:g}", f"{c['accuracy']:.2f}"] for c in figures["candidates"]
    ]
    titles = re.findall(r'aria-label="(.*?)"', page.document)
    compressed = [n["name"] for n in chosen["layers"] if n["density"] is not None]
    assert titles[2:] == [f"spectra of {name}" for name in compressed]
    assert len(compressed) == 5
