# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A comparison of techniques (:mod:`spectramac.compress.compare`) as JSON and as one HTML page.

The page refers to nothing outside itself: pictures are data URIs, and its content security policy forbids all
else. Everything that is shown is in the JSON, and the same run gives the same files, byte for byte.
"""

import base64
import platform
import tempfile
from collections.abc import Mapping, Sequence
from html import escape
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from spectramac.compiler.bounds import upper_bounds
from spectramac.compiler.compile import compile_network
from spectramac.compress.compare import Comparison
from spectramac.compress.curve import Curve
from spectramac.compress.labelled import LabelledData
from spectramac.compress.post_training import DenseLayer
from spectramac.compress.size import dense_bytes
from spectramac.model.network import Network
from spectramac.spec.config import ARCHITECTURE_VERSION, AcceleratorConfig

__all__ = ["html_page", "layer_rows", "picture", "report_figures", "versions"]

FORMAT_NAME = "spectramac-compression-report"
FORMAT_VERSION = 1
_PACKAGES = ("spectramac", "numpy", "onnx", "matplotlib")


def versions() -> dict[str, str]:
    """Of what the figures depend on."""
    found = {"architecture": str(ARCHITECTURE_VERSION), "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def layer_rows(network: Network, config: AcceleratorConfig) -> list[dict[str, Any]]:
    """What each layer stores and takes, as compiled: sizes, transforms, bytes, cycles of an inference."""
    image = compile_network(network, config)
    bounds = upper_bounds(image, config, image.max_pairs)
    rows = []
    for layer, report, cycles in zip(network.layers, image.layers, bounds, strict=True):
        rows.append(
            {
                "name": layer.name,
                "n_in": layer.n_in,
                "n_out": layer.n_out,
                "t_in": {"kind": layer.t_in.kind, "n": layer.t_in.n},
                "t_out": {"kind": layer.t_out.kind, "n": layer.t_out.n},
                "pattern": layer.pattern,
                "bits": layer.coefficient_bits,
                "stored_pairs": report["stored_pairs"],
                "bytes": sum(report["bytes"].values()),
                "cycles": cycles / (2 * image.max_pairs),
            }
        )
    return rows


def report_figures(
    comparison: Comparison,
    chosen: int,
    criterion: str,
    layers: Sequence[DenseLayer],
    data: LabelledData,
    config: AcceleratorConfig,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Every figure, ready for JSON.

    Parameters
    ----------
    comparison : Comparison
    chosen : int
        Index of the chosen candidate.
    criterion : str
        Why that one, in words.
    layers : sequence of (weights, bias)
        The network before compression.
    data : LabelledData
    config : AcceleratorConfig
    options : mapping
        What the user asked for, JSON-serialisable.
    """
    network = comparison.candidates[chosen].network
    assert network is not None
    sizes = [layers[0][0].shape[1], *(len(w) for w, _ in layers)]
    candidates = [
        {
            "method": c.method,
            "density": c.density,
            "accuracy": c.accuracy,
            "bytes": c.stored_bytes,
            "multiplications": c.multiplications,
            "fft_multiplications": c.fft_multiplications,
            "cycles": c.cycles,
            "refusal": c.refusal or None,
        }
        for c in comparison.candidates
    ]
    return {
        "format": FORMAT_NAME,
        "version": FORMAT_VERSION,
        "versions": versions(),
        "options": dict(options),
        "configuration": {"name": config.name, **config.identity()},
        "data": {
            "n_calibration": len(data.calibration),
            "n_selection": len(data.x),
            "n_classes": sizes[-1],
        },
        "float": {
            "sizes": sizes,
            "accuracy": comparison.float_accuracy,
            "float32_bytes": 4 * sum(w.size + b.size for w, b in layers),
            "dense_int8_bytes": dense_bytes(sizes),
        },
        "candidates": candidates,
        "chosen": {
            "index": chosen,
            "criterion": criterion,
            **candidates[chosen],
            "input_scale": network.input_scale,
            "output_scale": network.output_scale,
            "layers": layer_rows(network, config),
        },
    }


def picture(curves: Sequence[Curve], x: Literal["stored_bytes", "cycles"]) -> str | None:
    """Accuracy over bytes or cycles as a data URI of an SVG; None without matplotlib."""
    from spectramac.compress.plot import plot_curves

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "curves.svg"
        try:
            plot_curves(curves, path, x=x)
        except ModuleNotFoundError:
            return None
        return "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode()


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f'<td class="n">{value:.2f}</td>'
    if isinstance(value, int):
        return f'<td class="n">{value}</td>'
    return f"<td>{escape(str(value))}</td>"


def _table(header: Sequence[str], rows: Sequence[Sequence[object]], mark: int | None = None) -> str:
    """An HTML table; row ``mark`` is set off."""
    lines = ["<table>", "<tr>" + "".join(f"<th>{escape(h)}</th>" for h in header) + "</tr>"]
    for i, row in enumerate(rows):
        start = '<tr class="chosen">' if i == mark else "<tr>"
        lines.append(start + "".join(map(_cell, row)) + "</tr>")
    return "\n".join([*lines, "</table>"])


_STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 0.7rem 0; }
th, td { border: 1px solid #bbb; padding: 0.2rem 0.55rem; text-align: left; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
tr.chosen { background: #fff0b3; font-weight: bold; }
img { max-width: 100%; }
pre { background: #f4f4f4; padding: 0.6rem; white-space: pre-wrap; overflow-wrap: anywhere; }
"""

_POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
    "style-src 'unsafe-inline'\">"
)
_REMARK = (
    "The accuracy of the chosen network is that on the samples it was chosen by, so it is slightly too good: "
    "measure it on others. Nothing was trained. Bytes count everything that is stored."
)


def _transform(t: Mapping[str, Any]) -> str:
    return str(t["kind"]) if t["kind"] == "identity" else f"{t['kind']}({t['n']})"


def _figure(uri: str | None, title: str) -> str:
    if uri is None:
        return "<p>No picture: matplotlib is not installed (pip install 'spectramac[plot]').</p>"
    return f'<p><img alt="{escape(title)}" src="{uri}"></p>'


def html_page(figures: Mapping[str, Any], curves: Sequence[Curve], command: str) -> str:
    """The page.

    Parameters
    ----------
    figures : mapping
        Of :func:`report_figures`.
    curves : sequence of Curve
        Of :meth:`~spectramac.compress.compare.Comparison.curves`, with the chosen point.
    command : str
        That makes the report again.
    """
    chosen, before, data = figures["chosen"], figures["float"], figures["data"]
    ratio = before["float32_bytes"] / chosen["bytes"]
    summary = [
        ("chosen", f"{chosen['method']} at density {chosen['density']:g}"),
        ("why", chosen["criterion"]),
        ("accuracy, %", chosen["accuracy"]),
        ("accuracy of the float network, %", before["accuracy"]),
        ("bytes", chosen["bytes"]),
        ("bytes of the float32 network", f"{before['float32_bytes']} ({ratio:.1f} times as many)"),
        ("bytes of a dense int8 network", before["dense_int8_bytes"]),
        ("multiplications of an inference", chosen["multiplications"]),
        ("those of the transforms, besides", chosen["fft_multiplications"]),
        ("cycles of an inference, at most", chosen["cycles"]),
        ("configuration", figures["configuration"]["name"]),
        ("samples", f"{data['n_selection']} to choose by, {data['n_calibration']} to calibrate"),
    ]
    layers = [
        (
            r["name"],
            f"{r['n_in']} → {r['n_out']}",
            f"{_transform(r['t_in'])} → {_transform(r['t_out'])}",
            r["pattern"],
            r["bits"],
            r["stored_pairs"],
            r["bytes"],
            r["cycles"],
        )
        for r in chosen["layers"]
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
        f"<p>{_REMARK}</p>",
        "<h2>Accuracy and bytes</h2>",
        _figure(picture(curves, "stored_bytes"), "Accuracy over stored bytes of all techniques"),
        "<h2>Accuracy and cycles</h2>",
        _figure(picture(curves, "cycles"), "Accuracy over cycles of all techniques"),
        "<h2>Layers of the chosen network</h2>",
        _table(
            ("layer", "size", "transform", "pattern", "bits", "pairs", "bytes", "cycles, at most"),
            layers,
        ),
        "<h2>All candidates</h2>",
        _table(
            ("technique", "density", "accuracy, %", "bytes", "multiplications",
             "in transforms", "cycles, at most", "why not"),
            rows,
            chosen["index"],
        ),
        "<h2>To make this again</h2>",
        f"<pre>{escape(command)}</pre>",
        _table(("", "version"), list(figures["versions"].items())),
        "</body>\n</html>\n",
    ]  # fmt: skip
    return "\n".join(parts)
