# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A comparison of techniques (:mod:`spectramac.compress.compare`) as figures, ready for JSON; what is particular to
network graphs is in :mod:`spectramac.compress.graph_report`.

:mod:`spectramac.compress.page` shows them. The same run gives the same figures.
"""

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

from spectramac.compiler.bounds import upper_bounds
from spectramac.compiler.compile import compile_network
from spectramac.compress.candidates import Comparison
from spectramac.compress.compare import float_accuracy
from spectramac.compress.labelled import LabelledData
from spectramac.compress.post_training import DenseLayer
from spectramac.compress.reorder import Reordering
from spectramac.compress.size import dense_bytes, layers_cost
from spectramac.compress.spectra import LayerSpectra
from spectramac.model.graph_network import GraphNetwork
from spectramac.model.network import Network
from spectramac.spec.config import ARCHITECTURE_VERSION, AcceleratorConfig

__all__ = ["Outcome", "chain_before", "layer_rows", "report_figures", "versions"]

FORMAT_NAME = "spectramac-compression-report"
FORMAT_VERSION = 4
_PACKAGES = ("spectramac", "numpy", "onnx", "matplotlib")


def versions(*, trained: bool = False) -> dict[str, str]:
    """Of what the figures depend on; PyTorch if they are of trained networks."""
    found = {"architecture": str(ARCHITECTURE_VERSION), "python": platform.python_version()}
    for name in (*_PACKAGES, "torch") if trained else _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def layer_rows(
    network: Network, config: AcceleratorConfig, spectra: Sequence[LayerSpectra]
) -> list[dict[str, Any]]:
    """What each layer stores and takes, as compiled: technique, sizes, bytes, multiplications, cycles.

    ``nonzero`` is the part of its coefficients that differ from zero after quantization.

    ``tau`` is the magnitude of a spectral value, in the integers that the FFT gives, from which on it is used:
    half the root of ``level``. Level 1 drops zeros only.
    """
    sources = {name: shown for shown in spectra for name in shown.names}
    sizes = {name: n for shown in spectra for name, n in zip(shown.names, shown.sizes, strict=True)}
    image = compile_network(network, config)
    bounds = upper_bounds(image, config, image.max_pairs)
    rows = []
    for layer, report, cycles in zip(network.layers, image.layers, bounds, strict=True):
        cost, shown = layers_cost([layer], config), sources[layer.name]
        rows.append(
            {
                "name": layer.name,
                "technique": shown.technique,
                "density": shown.density,
                "nonzero": np.count_nonzero(layer.coefficients) / sizes[layer.name],
                "weight_error": shown.error,
                "n_in": layer.n_in,
                "n_out": layer.n_out,
                "t_in": {"kind": layer.t_in.kind, "n": layer.t_in.n},
                "t_out": {"kind": layer.t_out.kind, "n": layer.t_out.n},
                "pattern": layer.pattern,
                "bits": layer.coefficient_bits,
                "stored_pairs": report["stored_pairs"],
                "bytes": sum(report["bytes"].values()),
                "multiplications": cost.multiplications,
                "fft_multiplications": cost.fft_multiplications,
                "level": layer.level,
                "tau": math.sqrt(layer.level) / 2,
                "cycles": cycles / (2 * image.max_pairs),
            }
        )
    return rows


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcome:
    """All candidates, and what is known of the chosen one.

    Attributes
    ----------
    comparison : Comparison
        Accuracies are those on ``selection``.
    chosen : int
        Index of the chosen candidate.
    spectra : sequence of LayerSpectra
        Of its layers.
    orders : sequence of Reordering
        Of its hidden layers; none if they have the order of the given network.
    selection : LabelledData
        By which it was chosen.
    test : LabelledData, optional
        Samples that neither trained nor chose.
    training : mapping, optional
        How candidates were trained, JSON-serialisable: ``passes``, ``rate``, ``procedure``, ``n_samples``, …
    """

    comparison: Comparison
    chosen: int
    spectra: Sequence[LayerSpectra]
    orders: Sequence[Reordering]
    selection: LabelledData
    test: LabelledData | None = None
    training: Mapping[str, Any] | None = None


def chain_before(outcome: Outcome, layers: Sequence[DenseLayer]) -> dict[str, Any]:
    """Figures of a chain before compression; ``layers`` are its (weights, bias)."""
    sizes, test = [layers[0][0].shape[1], *(len(w) for w, _ in layers)], outcome.test
    return {
        "sizes": sizes,
        "accuracy": outcome.comparison.float_accuracy,
        "test_accuracy": None if test is None else float_accuracy(layers, test.x, test.labels),
        "float32_bytes": 4 * sum(w.size + b.size for w, b in layers),
        "dense_int8_bytes": dense_bytes(sizes),
    }


def report_figures(
    outcome: Outcome,
    criterion: str,
    before: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    config: AcceleratorConfig,
    options: Mapping[str, Any],
    *,
    n_classes: int,
    network: Network | GraphNetwork,
    run: Mapping[str, Any],
) -> dict[str, Any]:
    """Every figure, ready for JSON.

    Parameters
    ----------
    outcome : Outcome
    criterion : str
        Why the chosen candidate, in words.
    before : mapping
        Figures of the network before compression, as of :func:`chain_before`.
    rows : sequence of mapping
        Of the layers of the chosen network, as of :func:`layer_rows`.
    config : AcceleratorConfig
    options : mapping
        What the user asked for, JSON-serialisable.
    n_classes : int
    network : Network or GraphNetwork
        The chosen candidate's, perhaps with activation thresholds.
    run : mapping
        What was counted on the golden model of the accelerator, in ``n_run`` samples of the selection: ``cycles`` of an
        inference, ``columns_skipped``; and ``accuracy`` of all, ``test_accuracy`` if there is a test part.
    """
    comparison, data, test = outcome.comparison, outcome.selection, outcome.test
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
        "kind": "chain" if isinstance(network, Network) else "graph",
        "versions": versions(trained=outcome.training is not None),
        "options": dict(options),
        "configuration": {"name": config.name, **config.identity()},
        "data": {
            "n_training": 0 if outcome.training is None else outcome.training["n_samples"],
            "n_calibration": len(data.calibration),
            "n_selection": len(data.x),
            "n_test": 0 if test is None else len(test.x),
            "n_classes": n_classes,
        },
        "training": None if outcome.training is None else dict(outcome.training),
        "float": dict(before),
        "candidates": candidates,
        "chosen": {
            "index": outcome.chosen,
            "criterion": criterion,
            **candidates[outcome.chosen],
            "accuracy": run["accuracy"],
            "test_accuracy": run.get("test_accuracy"),
            "counted_cycles": run["cycles"],
            "columns_skipped": run["columns_skipped"],
            "n_run": run["n_run"],
            "input_scale": network.input_scale,
            "output_scale": network.output_scale,
            "orders": [
                {"error_before": o.error_before, "error_after": o.error_after, "taken": o.helps}
                for o in outcome.orders
            ],
            "layers": [dict(row) for row in rows],
        },
    }
