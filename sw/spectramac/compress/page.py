# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The figures of a comparison (:mod:`spectramac.compress.report`) as one HTML page.

The page refers to nothing outside itself: pictures are SVG in the page, what they contain of pixels is data
URIs, and its content security policy forbids all else. The same figures give the same page, byte for byte.
"""

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import Any, Literal

from spectramac.compress.compare_trained import ADJUSTED
from spectramac.compress.curve import Curve
from spectramac.compress.spectra import LayerSpectra, draw_spectra

__all__ = ["html_page", "picture"]


def _svg(draw: Callable[[Path], None], title: str) -> str | None:
    """What ``draw`` writes as an element of a page; None without matplotlib.

    Names inside are made unique by the title, because all pictures of a page share one name space.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.svg"
        try:
            draw(path)
        except ModuleNotFoundError:
            return None
        text = path.read_text(encoding="utf-8")
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"| (width|height)="[\d.]+pt"', "", text)
    unique = re.sub(r"\W+", "-", title.lower())
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{unique}.", text)
    start = f'<svg role="img" aria-label="{escape(title)}"'
    return text.replace("<svg", start, 1).strip()


def picture(
    curves: Sequence[Curve], x: Literal["stored_bytes", "cycles"], title: str
) -> str | None:
    """Accuracy over bytes or cycles as an SVG element; None without matplotlib."""
    from spectramac.compress.plot import plot_curves

    return _svg(partial(plot_curves, curves, x=x), title)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f'<td class="n">{value:.2f}</td>'
    if isinstance(value, int):
        return f'<td class="n">{value}</td>'
    return f"<td>{escape(str(value))}</td>"


def _table(header: Sequence[str], rows: Sequence[Sequence[object]], mark: int | None = None) -> str:
    """An HTML table; row ``mark`` is set off."""
    lines = ["<table>"]
    if any(header):
        lines.append("<tr>" + "".join(f"<th>{escape(h)}</th>" for h in header) + "</tr>")
    for i, row in enumerate(rows):
        start = '<tr class="chosen">' if i == mark else "<tr>"
        lines.append(start + "".join(map(_cell, row)) + "</tr>")
    return "\n".join(['<div class="wide">', *lines, "</table>", "</div>"])


_STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 0.7rem 0; }
th, td { border: 1px solid #bbb; padding: 0.2rem 0.45rem; text-align: left; }
th { background: #f4f4f4; font-weight: 600; vertical-align: bottom; }
td { white-space: nowrap; font-size: 14px; }
td:last-child { white-space: normal; }
figure { margin: 0.7rem 0; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
tr.chosen { background: #fff0b3; font-weight: bold; }
.wide { overflow-x: auto; }
svg { max-width: 58rem; width: 100%; height: auto; }
pre { background: #f4f4f4; padding: 0.6rem; white-space: pre-wrap; overflow-wrap: anywhere; }
"""

_POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
    "style-src 'unsafe-inline'\">"
)
_COUNTED = "Bytes count everything that is stored."
_UNTRAINED = (
    "The accuracy of the chosen network is that on the samples it was chosen by, so it is slightly too good: "
    "measure it on others. Nothing was trained."
)


def _remark(figures: Mapping[str, Any]) -> str:
    training, n = figures["training"], figures["data"]
    if training is None:
        return f"{_UNTRAINED} {_COUNTED}"
    how, longer = training["procedure"], ""
    if any(c["method"].endswith(ADJUSTED) for c in figures["candidates"]):
        longer = (
            f"Candidates called …{ADJUSTED} have other densities, to meet the demand more closely. "
            if figures["kind"] == "graph"
            else f"Candidates called …{ADJUSTED} go on from the best of the others, so they were trained for longer. "
        )
    return (
        f"The data were cut into three parts, at random (seed {figures['options']['seed']}) and stratified by the "
        f"labels. {n['n_training']} samples trained every candidate, in {training['passes']} passes with a "
        f"learning rate of {training['rate']:g} at most: {how['prune_epochs']} while the density falls, "
        f"{how['tune_epochs']} through the quantizers; distilled from the given network. {n['n_selection']} other "
        "samples chose: accuracies are those on them, where nothing else is said. The last "
        f"{n['n_test']}, the test part, neither trained nor chose, and report. What the given network was trained on "
        f"is not known here: on samples that it has seen, its own accuracy is too good. {longer}{_COUNTED}"
    )


def _orders(orders: Sequence[Mapping[str, Any]]) -> str:
    """Whether hidden units were put in another order."""
    if not orders:
        return "as given"
    return "; ".join(
        f"hidden layer {i}: error of the outputs {100 * o['error_before']:.1f} % as given, "
        f"{100 * o['error_after']:.1f} % reordered, so it is {'reordered' if o['taken'] else 'as given'}"
        for i, o in enumerate(orders, 1)
    )


def _accuracies(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Of the chosen network and of the given one, on every part that has any."""
    parts = [("", "accuracy")]
    if figures["data"]["n_test"]:
        parts = [(" on the test part", "test_accuracy"), (" where it was chosen", "accuracy")]
    return [
        (f"accuracy{network}{part}", f"{figures[key][name]:.2f} %")
        for part, name in parts
        for network, key in (("", "chosen"), (" of the float network", "float"))
    ]


def _samples(data: Mapping[str, Any]) -> str:
    if data["n_test"]:
        return (
            f"{data['n_training']} to train by, {data['n_selection']} to choose by, {data['n_test']} to test; "
            f"{data['n_calibration']} of the first to calibrate"
        )
    return f"{data['n_selection']} to choose by, {data['n_calibration']} to calibrate"


_TAU = (
    "τ is the magnitude from which on a value of a layer's input is used, in integers: of the spectrum that the "
    "forward FFT gives, or of the activation itself where nothing is transformed. What is below is taken as zero "
    "and its coefficients are not fetched."
)


_NODES = (
    "Cycles are of one inference, two run at a time; they depend on which columns are zero for the input. A perfect "
    "dense engine has as many multipliers, those of the transforms counted, and all of them at work in every cycle."
)


def _transform(t: Mapping[str, Any]) -> str:
    return str(t["kind"]) if t["kind"] == "identity" else f"{t['kind']}({t['n']})"


def _figure(svg: str | None) -> str:
    if svg is None:
        return "<p>No picture: matplotlib is not installed (pip install 'spectramac[plot]').</p>"
    return f"<figure>{svg}</figure>"


def _tau(row: Mapping[str, Any]) -> str:
    return "zeros only" if row["level"] <= 1 else f"{row['tau']:.1f}"


def _layers(rows: Sequence[Mapping[str, Any]]) -> str:
    header = (
        "layer", "size", "technique", "density", "transform", "pattern", "bits", "nonzero, %", "error, %",
        "pairs", "bytes", "multiplications", "in transforms", "cycles, at most", "τ",
    )  # fmt: skip
    cells = [
        (
            r["name"],
            f"{r['n_in']} → {r['n_out']}",
            r["technique"],
            f"{r['density']:g}",
            f"{_transform(r['t_in'])} → {_transform(r['t_out'])}",
            r["pattern"],
            r["bits"],
            100 * r["nonzero"],
            100 * r["weight_error"],
            r["stored_pairs"],
            r["bytes"],
            r["multiplications"],
            r["fft_multiplications"],
            r["cycles"],
            _tau(r),
        )
        for r in rows
    ]
    return _table(header, cells)


def _nodes(rows: Sequence[Mapping[str, Any]]) -> str:
    """Of a network graph."""
    header = (
        "node", "form", "technique", "density", "bits", "nonzero, %", "pairs", "bytes", "cycles", "bound by",
        "cycles, perfect dense int8",
    )  # fmt: skip
    cells = [
        (
            r["name"],
            r["form"],
            r["technique"],
            "" if r["density"] is None else f"{r['density']:g}",
            "" if r["bits"] is None else r["bits"],
            "" if r["nonzero"] is None else 100 * r["nonzero"],
            r["stored_pairs"],
            r["bytes"],
            r["cycles"],
            r["bound"],
            r["dense_cycles"],
        )
        for r in rows
    ]
    pairs, n_bytes, cycles, dense = (
        sum(r[name] for r in rows) for name in ("stored_pairs", "bytes", "cycles", "dense_cycles")
    )
    total = ("all", "", "", "", "", "", pairs, n_bytes, cycles, "", dense)
    return _table(header, [*cells, total])


def _spectra(spectra: Sequence[LayerSpectra]) -> list[str]:
    parts = []
    for shown in spectra:
        name = ", ".join(shown.names)
        text = (
            f"{shown.technique} at density {shown.density:g} keeps {100 * shown.kept:.1f} % of the coefficients; "
            f"with their quantization the weights err by {100 * shown.error:.1f} % (root mean square)."
        )
        svg = _svg(partial(draw_spectra, shown), f"spectra of {name}")
        parts += [f"<h3>{escape(name)}</h3>", f"<p>{escape(text)}</p>", _figure(svg)]
    return parts


def html_page(
    figures: Mapping[str, Any],
    curves: Sequence[Curve],
    command: str,
    spectra: Sequence[LayerSpectra] = (),
) -> str:
    """The page.

    Parameters
    ----------
    figures : mapping
        Of :func:`~spectramac.compress.report.report_figures`.
    curves : sequence of Curve
        Of :meth:`~spectramac.compress.compare.Comparison.curves`, with the chosen point.
    command : str
        That makes the report again.
    spectra : sequence of LayerSpectra
        Of the chosen network's layers.
    """
    chosen, before = figures["chosen"], figures["float"]
    ratio = before["float32_bytes"] / chosen["bytes"]
    order: list[tuple[str, str]] = []
    if figures["kind"] == "graph":
        predicted, counted = "predicted for two samples", f"the first {chosen['n_run']} samples"
        layers = [_nodes(chosen["layers"]), f"<p>{_NODES}</p>"]
    else:
        predicted, counted = "at most", "these samples"
        order.append(("order of hidden units", _orders(chosen["orders"])))
        layers = [_layers(chosen["layers"]), f"<p>{_TAU}</p>"]
    summary = [
        ("chosen", f"{chosen['method']} at density {chosen['density']:g}"),
        ("why", chosen["criterion"]),
        *_accuracies(figures),
        ("bytes", str(chosen["bytes"])),
        ("bytes of the float32 network", f"{before['float32_bytes']} ({ratio:.1f} times as many)"),
        ("bytes of a dense int8 network", str(before["dense_int8_bytes"])),
        ("multiplications of an inference", str(chosen["multiplications"])),
        ("those of the transforms, besides", f"{chosen['fft_multiplications']:g}"),
        (f"cycles of an inference, {predicted}", f"{chosen['cycles']:.2f}"),
        (f"cycles of an inference, counted on {counted}", f"{chosen['counted_cycles']:.2f}"),
        ("configuration", figures["configuration"]["name"]),
        *order,
        ("samples", _samples(figures["data"])),
    ]
    names = ("accuracy", "bytes", "multiplications", "fft_multiplications", "cycles")
    rows = [
        (c["method"], f"{c['density']:g}", *("" if c[n] is None else c[n] for n in names),
         c["refusal"] or "")
        for c in figures["candidates"]
    ]  # fmt: skip
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        _POLICY,
        f"<title>spectramac: compression report</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
        "<h1>Compression report</h1>",
        _table(("", ""), summary),
        f"<p>{escape(_remark(figures))}</p>",
        "<h2>Accuracy and bytes</h2>",
        _figure(picture(curves, "stored_bytes", "Accuracy over stored bytes of all techniques")),
        "<h2>Accuracy and cycles</h2>",
        _figure(picture(curves, "cycles", "Accuracy over cycles of all techniques")),
        "<h2>Layers of the chosen network</h2>",
        *layers,
        "<h2>Spectra before and after</h2>",
        *_spectra(spectra),
        "<h2>All candidates</h2>",
        _table(
            ("technique", "density", "accuracy, %", "bytes", "multiplications",
             "in transforms", f"cycles, {predicted}", "why not"),
            rows,
            chosen["index"],
        ),
        "<h2>To make this again</h2>",
        f"<pre>{escape(command)}</pre>",
        _table(("", "version"), list(figures["versions"].items())),
        "</body>\n</html>\n",
    ]  # fmt: skip
    return "\n".join(parts)
