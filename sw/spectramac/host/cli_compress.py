# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``spectramac compress``: one compressed network, or a comparison of all techniques with a report."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spectramac.compiler.compile import compile_network
from spectramac.host import cli_report
from spectramac.host.cli_compress_choice import trained, untrained
from spectramac.host.cli_compress_options import ReportOptions
from spectramac.host.cli_compress_report import tables_of
from spectramac.host.cli_files import Model
from spectramac.host.cli_run import compare, execute
from spectramac.host.extras import import_extra
from spectramac.model.batch import accuracy, quantize_input
from spectramac.model.network import Network, save_network
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.errors import MismatchError

__all__ = ["Finished", "compress_once", "load_layers", "onnx_graph", "report"]


def onnx_graph(path: str | Path, input_shape: Sequence[int] | None = None) -> Any:
    """Import an ONNX model as a graph.

    Raises
    ------
    ModuleNotFoundError
        Naming the extra, if onnx is not installed.
    """
    module = import_extra("spectramac.graph.onnx_import", "import", "reading ONNX")
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


def _sha256(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@dataclass(frozen=True, eq=False)
class Finished:
    """A comparison, and what is written of it.

    Attributes
    ----------
    outcome : Outcome
    figures : dict
    save : callable (path)
        Writes the chosen network.
    """

    outcome: Any
    figures: dict[str, Any]
    save: Callable[[Path], None]


def report(options: ReportOptions, config: AcceleratorConfig, graph: Any = None) -> None:
    """Compare all techniques, choose, run the chosen network on the golden model, write the folder.

    ``graph`` is the model if it is no chain of dense layers. Nothing is written if it raises.

    Raises
    ------
    ModuleNotFoundError
        Naming the extra, before any work, if training needs what is not installed.
    NoCandidateError
        If none meets the demand.
    MismatchError
        If the accelerator's golden model gives other outputs than the network, or flags an overflow.
    """
    from spectramac.compress.page import html_page

    if options.train:
        import_extra("torch", "train", "--train")
    given = {
        **options.figures(config),
        "model_sha256": _sha256(options.model),
        "data_sha256": _sha256(options.data),
    }
    if graph is None:
        finished = _chain_report(options, config, given)
    else:
        from spectramac.host.cli_compress_graph import graph_report

        finished = graph_report(options, config, graph, given)
    figures, outcome = finished.figures, finished.outcome
    options.out.mkdir(parents=True, exist_ok=True)
    finished.save(options.out / "network.npz")
    text = json.dumps(figures, indent=1, allow_nan=False) + "\n"
    (options.out / "report.json").write_text(text, encoding="utf-8")
    curves = outcome.comparison.curves(outcome.chosen, options.demand.text)
    page = html_page(figures, curves, given["command"], outcome.spectra)
    (options.out / "report.html").write_text(page, encoding="utf-8")
    cli_report.show(*tables_of(figures))
    cli_report.note(f"wrote network.npz, report.json and report.html to {options.out}")


def _chain_report(
    options: ReportOptions, config: AcceleratorConfig, given: dict[str, Any]
) -> Finished:
    """Of a chain of dense layers."""
    from spectramac.compress.choose import raise_levels
    from spectramac.compress.measure import integer_accuracy
    from spectramac.compress.report import chain_before, layer_rows, report_figures

    layers = load_layers(options.model)
    outcome = (trained if options.train else untrained)(options, config, layers)
    best, data = outcome.comparison.candidates[outcome.chosen], outcome.selection
    meta = {"method": best.method, "density": best.density, "selection_accuracy": best.accuracy}
    network, claimed = replace(best.network, meta=meta), best.accuracy
    if options.tau_loss is not None:
        x = quantize_input(data.x, network.input_scale)
        widths = {"data_width": config.data_width, "twiddle_width": config.twiddle_width}
        network = raise_levels(network, x, data.labels, max_loss=options.tau_loss, **widths)
        claimed = integer_accuracy(network, data.x, data.labels, config)
    run = _run_on_device(network, config, data, claimed)
    if outcome.test is not None:
        test = outcome.test
        claimed = integer_accuracy(network, test.x, test.labels, config)
        run["test_accuracy"] = _run_on_device(network, config, test, claimed)["accuracy"]
    figures = report_figures(
        outcome,
        options.demand.text,
        chain_before(outcome, layers),
        layer_rows(network, config, outcome.spectra),
        config,
        given,
        n_classes=len(layers[-1][0]),
        network=network,
        run=run,
    )
    return Finished(outcome, figures, partial(save_network, network))


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
        "n_run": len(x),
    }
