# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``spectramac compress``: one compressed network, or a comparison of all techniques with a report."""

import hashlib
import importlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import typer

from spectramac.compiler.compile import compile_network
from spectramac.host import cli_report
from spectramac.host.cli_files import Model
from spectramac.host.cli_run import compare, execute
from spectramac.model.batch import accuracy, quantize_input
from spectramac.model.network import Network, save_network
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.errors import MismatchError

__all__ = [
    "ReportOptions",
    "check_usage",
    "compress_once",
    "load_layers",
    "onnx_graph",
    "parse_densities",
    "report",
]


def onnx_graph(path: str | Path, input_shape: Sequence[int] | None = None) -> Any:
    """Import an ONNX model as a graph.

    Raises
    ------
    ModuleNotFoundError
        Naming the extra, if onnx is not installed.
    """
    try:
        module = importlib.import_module("spectramac.graph.onnx_import")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"reading ONNX needs the Python module {error.name!r}; `pip install 'spectramac[import]'` "
            "adds it"
        ) from error
    return module.from_onnx(path, input_shape=input_shape)


def load_layers(path: str) -> list[Any]:
    """Dense layers of an ``.onnx`` model or of an ``.npz`` file of weights."""
    if Path(path).suffix.lower() == ".onnx":
        from spectramac.graph.dense_chain import dense_chain

        return dense_chain(onnx_graph(path))
    from spectramac.compress.post_training import load_weights

    return load_weights(path)


def compress_once(
    model: str,
    output: Path,
    calibration: str,
    input_scale: float | None,
    **options: Any,
) -> None:
    """Compress in the way that the options say, and write the network."""
    from spectramac.compress.post_training import compress_dense
    from spectramac.host.inputs import check_inputs

    layers = load_layers(model)
    if calibration == "digits":
        from spectramac.compress.data import INPUT_SCALE, digits

        x: Any = digits().x_train
        scale = INPUT_SCALE if input_scale is None else input_scale
    else:
        x = np.load(calibration, allow_pickle=False)
        scale = 1.0 if input_scale is None else input_scale
    x = check_inputs(x, layers[0][0].shape[1])
    network = compress_dense(layers, x, input_scale=scale, **options)
    save_network(network, output)
    cli_report.show(*cli_report.network_table(network))
    cli_report.note(f"wrote {output}")


_ONLY_OUTPUT = {"calibration", "block", "density", "lanes"}
_ONLY_DATA = {"max_loss", "max_bytes", "tau_loss", "preset_name", "densities", "seed"}


def check_usage(context: typer.Context) -> None:
    """Refuse options of ``compress`` that do not go together.

    Raises
    ------
    typer.BadParameter
        Naming them.
    """
    has_output, has_data, has_out = (
        context.params[n] is not None for n in ("output", "data", "out")
    )
    if has_output == has_data or has_data != has_out:
        raise typer.BadParameter("either --output, or --data and --out must be given")
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}
    for name in sorted(given & (_ONLY_OUTPUT if has_data else _ONLY_DATA)):
        option = name.removesuffix("_name").replace("_", "-")
        raise typer.BadParameter(f"--{option} needs {'--output' if has_data else '--data'}")
    if {"max_loss", "max_bytes"} <= given:
        raise typer.BadParameter("--max-loss and --max-bytes exclude each other")


def parse_densities(text: str | None) -> tuple[float, ...]:
    """``1,0.5,0.25`` as numbers; None: the ladder of :mod:`spectramac.compress.compare`.

    Raises
    ------
    ValueError
        If they do not fall from at most 1 to more than 0.
    """
    if text is None:
        from spectramac.compress.compare import DENSITIES

        return DENSITIES
    try:
        densities = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"densities must be numbers with commas, not {text!r}") from None
    if not (densities[0] <= 1 and all(a > b for a, b in pairwise((*densities, 0.0)))):
        raise ValueError(f"densities must fall, from at most 1 to more than 0, not {text!r}")
    return densities


@dataclass(frozen=True)
class ReportOptions:
    """What a comparison is asked for.

    Attributes
    ----------
    max_loss : float
        Percent points, if ``max_bytes`` is None.
    densities : tuple of float
    seed : int
        Of the split of the data.
    tau_loss : float, optional
        Percent points that activation thresholds may cost besides. Default: no thresholds.
    """

    model: str
    data: Path
    out: Path
    max_loss: float
    max_bytes: int | None
    densities: tuple[float, ...]
    bits: int
    input_scale: float | None
    seed: int
    tau_loss: float | None = None

    @property
    def criterion(self) -> str:
        """In words."""
        if self.max_bytes is not None:
            return f"best accuracy within {self.max_bytes} bytes"
        return f"fewest bytes with a loss of at most {self.max_loss:g} points"

    def command(self, config: AcceleratorConfig) -> str:
        """That does the same again."""
        words = ["spectramac", "compress", self.model, "--data", str(self.data)]
        if self.max_bytes is None:
            words += ["--max-loss", f"{self.max_loss:g}"]
        else:
            words += ["--max-bytes", str(self.max_bytes)]
        words += [
            "--preset",
            config.name,
            "--densities",
            ",".join(f"{d:g}" for d in self.densities),
        ]
        words += ["--bits", str(self.bits), "--seed", str(self.seed)]
        if self.tau_loss is not None:
            words += ["--tau-loss", f"{self.tau_loss:g}"]
        if self.input_scale is not None:
            words += ["--input-scale", repr(self.input_scale)]
        return shlex.join([*words, "--out", str(self.out)])


def _sha256(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def report(options: ReportOptions, config: AcceleratorConfig) -> None:
    """Compare all techniques, choose, run the chosen network on the golden model, write the folder.

    Nothing is written if it raises.

    Raises
    ------
    NoCandidateError
        If none meets the demand.
    MismatchError
        If the accelerator's golden model gives other outputs than the network, or flags an overflow.
    """
    from spectramac.compress.choose import raise_levels
    from spectramac.compress.compare import Comparison, float_accuracy, spectra_of
    from spectramac.compress.compare import compare as candidates_of
    from spectramac.compress.labelled import load_labelled
    from spectramac.compress.measure import integer_accuracy
    from spectramac.compress.methods import methods_for
    from spectramac.compress.page import html_page
    from spectramac.compress.report import report_figures

    layers = load_layers(options.model)
    n_in, n_out = layers[0][0].shape[1], len(layers[-1][0])
    data = load_labelled(options.data, n_in, n_out, seed=options.seed)
    total = len(methods_for(config, options.bits)) * len(options.densities)
    found = []
    with cli_report.progress("comparing") as progress:
        for candidate in candidates_of(
            layers,
            data,
            config,
            densities=options.densities,
            bits=options.bits,
            input_scale=options.input_scale,
        ):
            found.append(candidate)
            progress(len(found), total)
    comparison = Comparison(tuple(found), float_accuracy(layers, data.x, data.labels))
    if options.max_bytes is None:
        chosen = comparison.by_loss(options.max_loss)
    else:
        chosen = comparison.by_bytes(options.max_bytes)
    best = comparison.candidates[chosen]
    assert best.network is not None
    meta = {"method": best.method, "density": best.density, "selection_accuracy": best.accuracy}
    network, claimed = replace(best.network, meta=meta), best.accuracy
    if options.tau_loss is not None:
        x = quantize_input(data.x, network.input_scale)
        widths = {"data_width": config.data_width, "twiddle_width": config.twiddle_width}
        network = raise_levels(network, x, data.labels, max_loss=options.tau_loss, **widths)
        claimed = integer_accuracy(network, data.x, data.labels, config)
    run = _run_on_device(network, config, data, claimed)
    spectra = spectra_of(
        best, layers, data, config, bits=options.bits, input_scale=options.input_scale
    )
    given: dict[str, Any] = {
        "model": options.model,
        "model_sha256": _sha256(options.model),
        "data": str(options.data),
        "data_sha256": _sha256(options.data),
        "preset": config.name,
        "max_loss": options.max_loss if options.max_bytes is None else None,
        "max_bytes": options.max_bytes,
        "densities": list(options.densities),
        "bits": options.bits,
        "input_scale": options.input_scale,
        "tau_loss": options.tau_loss,
        "seed": options.seed,
        "command": options.command(config),
    }
    figures = report_figures(
        comparison, chosen, options.criterion, layers, data, config, given,
        network=network, spectra=spectra, run=run,
    )  # fmt: skip
    options.out.mkdir(parents=True, exist_ok=True)
    save_network(network, options.out / "network.npz")
    text = json.dumps(figures, indent=1, allow_nan=False) + "\n"
    (options.out / "report.json").write_text(text, encoding="utf-8")
    curves = comparison.curves(chosen, options.criterion)
    page = html_page(figures, curves, given["command"], spectra)
    (options.out / "report.html").write_text(page, encoding="utf-8")
    cli_report.show(*_tables(figures))
    cli_report.note(f"wrote network.npz, report.json and report.html to {options.out}")


def _run_on_device(
    network: Network, config: AcceleratorConfig, data: Any, claimed: Any
) -> dict[str, Any]:
    """The compiled network on the golden model of the accelerator: same outputs, no overflow, same accuracy.

    Returns what was counted.
    """
    model = Model(compile_network(network, config), config, network)
    x = quantize_input(data.x, model.image.input_scale)
    result = execute(model, x, "model", timeout=600.0)
    differences = compare(model, x, result, result)
    if accuracy(result.outputs, data.labels) != claimed:
        differences.append(
            f"accuracy is {accuracy(result.outputs, data.labels)} %, not {claimed} %"
        )
    differences += [f"warning: {warning}" for warning in result.warnings]
    if differences:
        raise MismatchError(
            f"the chosen network on configuration {config.name}: {'; '.join(differences)}"
        )
    return {
        "accuracy": claimed,
        "cycles": result.cycles_per_inference,
        "columns_skipped": int(result.counters["columns_skipped"]),
    }


def _tables(figures: dict[str, Any]) -> list[Any]:
    """For the terminal."""
    chosen, before = figures["chosen"], figures["float"]
    rows: list[tuple[object, ...]] = []
    for i, c in enumerate(figures["candidates"]):
        mark = "chosen" if i == chosen["index"] else ""
        if c["refusal"] is None:
            numbers = (
                f"{c['accuracy']:.2f}",
                c["bytes"],
                c["multiplications"],
                f"{c['cycles']:.1f}",
            )
        else:
            numbers, mark = ("", "", "", ""), c["refusal"]
        rows.append((c["method"], f"{c['density']:g}", *numbers, mark))
    facts = [
        ("chosen", f"{chosen['method']} at density {chosen['density']:g}"),
        ("why", chosen["criterion"]),
        ("accuracy, %", f"{chosen['accuracy']:.2f} (float network {before['accuracy']:.2f})"),
        ("bytes", f"{chosen['bytes']} (float32 {before['float32_bytes']})"),
        ("cycles/inference, at most", f"{chosen['cycles']:.1f}"),
        ("cycles/inference, counted", f"{chosen['counted_cycles']:.1f}"),
    ]
    header = ("technique", "density", "accuracy, %", "bytes", "multiplications", "cycles", "")
    return [
        cli_report.table("Candidates", header, rows),
        cli_report.table("Chosen", ("", ""), facts),
    ]
