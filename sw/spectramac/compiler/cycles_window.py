# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Exact cycle prediction of a window sum, a window maximum or an addition: nothing in it depends on data."""

from collections.abc import Mapping

from spectramac.compiler.layer_cycles import LayerCycles, fetch_cycles
from spectramac.compiler.stage_cycles import REQUANTIZE_LATENCY
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import Kind
from spectramac.spec.timing import requantize_cycles

__all__ = ["predict_window", "window_taps"]

END_CYCLES = 2
"""From the last write to the first cycle of what follows."""
START_CYCLES = 19
"""From the window unit's ``start`` to its first sample, less the taps of a window."""


def window_taps(descriptor: Mapping[str, int]) -> int:
    """Cycles for an output: pixels of its window, or two maps."""
    if descriptor["kind"] == Kind.ADDITION:
        return 2
    return descriptor["kernel_height"] * descriptor["kernel_width"]


def predict_window(
    config: AcceleratorConfig,
    descriptor: Mapping[str, int],
    counts: object,
    kept: object,
    n_pairs: int,
) -> LayerCycles:
    """Predict the hardware counters of a layer of kind 3, 4 or 5.

    Parameters
    ----------
    config : AcceleratorConfig
    descriptor : mapping
        Decoded fields (:mod:`spectramac.spec.descriptor`).
    counts, kept
        As of :func:`~spectramac.compiler.cycles.predict_layer`; there are none.
    n_pairs : int
        Inference pairs carried through the layer.
    """
    d = descriptor
    samples = n_pairs * d["out_height"] * d["out_width"] * d["n_out"]
    taps = window_taps(descriptor)
    interval = max(taps, requantize_cycles(config))
    # Time 0 is the cycle after ``start``.
    last_sample = START_CYCLES + taps - 1 + (samples - 1) * interval
    run = last_sample + REQUANTIZE_LATENCY[config.n_requantize_multipliers] + END_CYCLES
    return LayerCycles(fetch_cycles(d["kind"]) + run, 0, run, 0)
