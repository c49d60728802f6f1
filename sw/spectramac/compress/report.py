# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A comparison of techniques (:mod:`spectramac.compress.compare`) as figures, ready for JSON.

:mod:`spectramac.compress.page` shows them. The same run gives the same figures.
"""

import math
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import numpy as np

from spectramac.compiler.bounds import upper_bounds
from spectramac.compiler.compile import compile_network
from spectramac.compress.compare import Comparison
from spectramac.compress.labelled import LabelledData
from spectramac.compress.post_training import DenseLayer
from spectramac.compress.size import dense_bytes, layers_cost
from spectramac.compress.spectra import LayerSpectra
from spectramac.model.network import Network
from spectramac.spec.config import ARCHITECTURE_VERSION, AcceleratorConfig

__all__ = ["layer_rows", "report_figures", "versions"]

FORMAT_NAME = "spectramac-compression-report"
FORMAT_VERSION = 2
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


def report_figures(
    comparison: Comparison,
    chosen: int,
    criterion: str,
    layers: Sequence[DenseLayer],
    data: LabelledData,
    config: AcceleratorConfig,
    options: Mapping[str, Any],
    *,
    network: Network,
    spectra: Sequence[LayerSpectra],
    run: Mapping[str, Any],
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
    network : Network
        The chosen candidate's, perhaps with activation thresholds.
    spectra : sequence of LayerSpectra
        Of its dense layers.
    run : mapping
        What was counted on the golden model of the accelerator: ``accuracy``, ``cycles`` of an inference,
        ``columns_skipped``.
    """
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
            "accuracy": run["accuracy"],
            "counted_cycles": run["cycles"],
            "columns_skipped": run["columns_skipped"],
            "input_scale": network.input_scale,
            "output_scale": network.output_scale,
            "layers": layer_rows(network, config, spectra),
        },
    }
