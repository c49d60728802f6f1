# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``spectramac compress --data`` of a network graph: of an ONNX model that is no chain of dense layers."""

from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

from spectramac.host import cli_report
from spectramac.host.cli_compress import Finished, onnx_graph
from spectramac.host.cli_compress_choice import Choosing
from spectramac.host.cli_compress_options import ReportOptions
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.errors import MismatchError

__all__ = ["check_maps", "graph_report", "network_graph"]

_RUN = 32
"""Samples that run on the golden model of the accelerator, at most."""


def network_graph(model: str) -> Any:
    """The graph of an ONNX model that is no chain of dense layers; None of what is one.

    Raises
    ------
    ValueError
        If it is quantized.
    UnsupportedModelError
        Naming every node that the engine does not run.
    """
    if Path(model).suffix.lower() != ".onnx":
        return None
    from spectramac.compress.graph_steps import plan_graph
    from spectramac.graph.dense_chain import chain_refusals
    from spectramac.graph.nodes import Conv

    graph = onnx_graph(model)
    convolutional = any(isinstance(node, Conv) for node in graph.nodes)
    if not convolutional and (graph.is_quantized or not chain_refusals(graph)):
        return None
    if graph.is_quantized:
        raise ValueError(
            f"{model} is quantized already: compress the floating-point model, or compile this one as it is "
            "(spectramac compile), or in other forms (--requantize there)"
        )
    plan_graph(graph)
    return graph


def _check(options: ReportOptions, config: AcceleratorConfig) -> None:
    """Refuse what is for chains of dense layers only."""
    for name, given in (("reorder", options.reorder), ("tau-loss", options.tau_loss is not None)):
        if given:
            raise ValueError(
                f"--{name} is for chains of dense layers, and {options.model} is a network graph; leave it out"
            )
    check_maps(config, options.model)


def check_maps(config: AcceleratorConfig, model: str) -> None:
    """Refuse a configuration that runs no network graphs."""
    if not config.maps:
        raise ValueError(
            f"configuration {config.name!r} runs no network graphs, and {model} is one; use --preset conv"
        )


def _compared(options: ReportOptions, config: AcceleratorConfig, graph: Any) -> tuple[Any, Any]:
    """The :class:`~spectramac.compress.report.Outcome`, and the best
    :class:`~spectramac.compress.graph_compare.Attempt`.

    Raises
    ------
    NoCandidateError
        If no candidate meets the demand.
    """
    from spectramac.compress.candidates import Comparison
    from spectramac.compress.graph_compare import GraphComparison
    from spectramac.compress.graph_making import CALIBRATION
    from spectramac.compress.graph_report import graph_spectra
    from spectramac.compress.labelled import load_labelled
    from spectramac.compress.report import Outcome
    from spectramac.compress.split import load_split

    shapes: dict[str, Any] = {
        "n_in": prod(graph.input.shape),
        "n_classes": prod(graph.output.shape),
        "shape": graph.input.shape,
    }
    test, training, figures = None, None, None
    if options.train:
        split = load_split(options.data, seed=options.seed, **shapes)
        data, test = split.selection, split.test
        recipe = options.training(len(split.x_train))
        training, figures = (recipe, split), options.training_figures(recipe, len(split.x_train))
    else:
        data = load_labelled(options.data, seed=options.seed, **shapes)
    data = replace(data, calibration=data.calibration[:CALIBRATION])
    plans = GraphComparison(
        graph=graph,
        data=data,
        config=config,
        training=training,
        densities=options.densities,
        bits=options.bits,
        input_scale=options.input_scale,
        seed=options.seed,
    )
    choosing = Choosing(options.demand, Comparison((), plans.float_accuracy))
    if figures is not None:
        cli_report.note(
            f"training {len(plans.used_methods) * len(options.densities)} candidates, each in {figures['passes']} "
            f"passes over {figures['n_samples']} samples"
        )
    with cli_report.progress("training" if options.train else "comparing") as progress:
        choosing.take(plans.candidates(progress))
    first = choosing.comparison.candidates[choosing.comparison.choose(options.demand)]
    if options.train and options.adjust:
        with cli_report.progress(f"adjusting {first.method}") as progress:
            choosing.take(plans.adjust(first, options.demand, options.adjust, progress))
    best = choosing.best
    outcome = Outcome(
        comparison=choosing.comparison,
        chosen=choosing.comparison.choose(options.demand),
        spectra=graph_spectra(best.graph, best.made, best.forms),
        orders=[],
        selection=data,
        test=test,
        training=figures,
    )
    return outcome, best


def graph_report(
    options: ReportOptions, config: AcceleratorConfig, graph: Any, given: dict[str, Any]
) -> Finished:
    """Compare, choose, and run the chosen network.

    Raises
    ------
    NoCandidateError
        If none meets the demand.
    MismatchError
        If the accelerator's golden model gives other outputs than the network, or flags an overflow.
    """
    from spectramac.compress.graph_measure import graph_accuracy
    from spectramac.compress.graph_report import graph_before, node_rows
    from spectramac.compress.report import report_figures
    from spectramac.model.graph_file import save_graph

    _check(options, config)
    outcome, best = _compared(options, config, graph)
    found, made, x = best.candidate, best.made, outcome.selection.x
    meta = {
        "method": found.method,
        "density": found.density,
        "selection_accuracy": found.accuracy,
    }
    network = replace(made.network, meta=meta)
    shape = (-1, *graph.input.shape)
    run = _run_on_device(made, config, x[:_RUN].reshape(shape)) | {"accuracy": found.accuracy}
    if outcome.test is not None:
        test = outcome.test
        run["test_accuracy"] = graph_accuracy(made, test.x, test.labels, config)
    figures = report_figures(
        outcome,
        options.demand.text,
        graph_before(outcome, graph, made),
        node_rows(made, best.forms, config, x[:2].reshape(shape)),
        config,
        given,
        n_classes=prod(graph.output.shape),
        network=network,
        run=run,
    )
    return Finished(outcome, figures, partial(save_graph, network))


def _run_on_device(made: Any, config: AcceleratorConfig, x: Any) -> dict[str, Any]:
    """Inputs through the golden model of the accelerator: same outputs as the network's, no overflow.

    Returns what was counted.
    """
    from spectramac.compiler.graph_compile import compile_graph
    from spectramac.host.cli_graph import GraphModel, compare, execute

    model = GraphModel(compile_graph(made.network, config), config, made.network)
    codes = made.quantize_input(x)
    result = execute(model, codes, "model", timeout=600.0)
    differences = compare(model, codes, result, result)
    differences += [f"warning: {warning}" for warning in result.warnings]
    if differences:
        raise MismatchError(
            f"the chosen network on configuration {config.name}: {'; '.join(differences)}"
        )
    return {
        "cycles": result.cycles_per_inference,
        "columns_skipped": int(result.counters["columns_skipped"]),
        "n_run": len(codes),
    }
