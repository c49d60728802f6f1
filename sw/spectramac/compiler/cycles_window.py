# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Exact cycle prediction of a window sum, a window maximum or an addition: nothing in it depends on data."""

from collections.abc import Mapping

from spectramac.compiler.layer_cycles import LayerCycles
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import MAP_WORDS, Kind

__all__ = ["predict_window", "window_taps"]

# Of the engine around the window unit.
FETCH_CYCLES = MAP_WORDS + 2
"""Reading a descriptor and starting the layer; the last of them is the window unit's ``start``."""
REQUANTIZE_CYCLES = {1: 7, 2: 6}
"""From taking a sample to its write, for so many multipliers."""
END_CYCLES = 2
"""From the last write to the first cycle of what follows."""
# Of the window unit.
START_CYCLES = 19
"""From ``start`` to the first sample, less the taps of a window."""


def window_taps(descriptor: Mapping[str, int]) -> int:
    """Cycles for an output: pixels of its window, or two maps."""
    if descriptor["kind"] == Kind.ADDITION:
        return 2
    return descriptor["kernel_height"] * descriptor["kernel_width"]


def predict_window(
    config: AcceleratorConfig, descriptor: Mapping[str, int], n_pairs: int
) -> LayerCycles:
    """Predict the hardware counters of a layer of kind 3, 4 or 5.

    Parameters
    ----------
    config : AcceleratorConfig
    descriptor : mapping
        Decoded fields (:mod:`spectramac.spec.descriptor`).
    n_pairs : int
        Inference pairs carried through the layer.
    """
    names = ("out_height", "out_width", "n_out")
    samples = n_pairs
    for name in names:
        samples *= descriptor[name]
    taps = window_taps(descriptor)
    interval = max(taps, 2 // config.n_requantize_multipliers)
    # Time 0 is the cycle after ``start``.
    last_sample = START_CYCLES + taps - 1 + (samples - 1) * interval
    run = last_sample + REQUANTIZE_CYCLES[config.n_requantize_multipliers] + END_CYCLES
    return LayerCycles(FETCH_CYCLES + run, 0, run, 0)
