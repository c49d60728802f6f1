# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Exact cycle prediction of a layer.

The engine is a line of stages with bounded room between them, so the time of every event is a maximum of earlier
times plus constants. Only the lanes part depends on the data: which columns the threshold kept. The rest (gather,
FFT, merge, inverse FFT, requantize) takes constant time. ``prediction == counter`` is asserted by the tests for
every network they run.

Time 0 is the first cycle in which the layer's loops run. Names of events follow the gateware's signals.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.cycles_convolution import predict_convolution
from spectramac.compiler.cycles_tiles import predict_tiles
from spectramac.compiler.cycles_window import predict_window
from spectramac.compiler.layer_cycles import LayerCycles, fetch_cycles
from spectramac.compiler.stage_cycles import Backward, Forward, Lanes, SerialLanes
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import Kind

__all__ = ["LayerCycles", "predict", "predict_descriptor", "predict_layer", "total_cycles"]


def predict_layer(
    config: AcceleratorConfig,
    descriptor: Mapping[str, int],
    counts: NDArray[Any],
    kept: NDArray[np.bool_] | None,
    n_pairs: int,
) -> LayerCycles:
    """Predict the hardware counters of one layer.

    Parameters
    ----------
    config : AcceleratorConfig
    descriptor : mapping
        Decoded fields (:mod:`spectramac.spec.descriptor`).
    counts : int array (n_groups, n_column_pairs, 2 or 3)
        The directory: entries of each column, for each row group.
    kept : bool array (n_pairs, n_column_pairs, 2 or 3), or None
        Columns that the threshold keeps, as the golden model's trace says; None keeps all, which gives an
        upper bound for every input.
    n_pairs : int
        Inference pairs carried through the layer.
    """
    n_groups, n_columns, n_kinds = counts.shape
    group_out, padded_out = descriptor["group_out"], descriptor["padded_out"]
    sizes = [min(group_out, padded_out - g * group_out) for g in range(n_groups)]
    table = counts.tolist()
    everything = [[True] * n_kinds] * n_columns
    forward = Forward(config, descriptor)
    lanes = (SerialLanes if config.is_serial else Lanes)(config, descriptor)
    backward = Backward(config, descriptor)
    spectrum_released: list[int] = []
    bank_released: list[int] = []
    for p in range(n_pairs):
        free = p - config.n_spectrum_banks
        written = forward.start(spectrum_released[free] + 1 if free >= 0 else 0)
        keep = everything if kept is None else kept[p].tolist()
        release = 0
        for g in range(n_groups):
            free = len(bank_released) - config.n_accumulator_banks
            release, complete = lanes.group(
                bank_released[free] + 1 if free >= 0 else 0,
                written,
                table[g],
                keep,
                g == n_groups - 1,
            )
            bank_released.append(backward.start(complete + 1, sizes[g]))
        spectrum_released.append(release)
    run = backward.end
    cycles = fetch_cycles(Kind.LAYER) + run
    return LayerCycles(cycles, lanes.busy, run - lanes.busy, lanes.skipped)


_PREDICTIONS = {
    Kind.LAYER: predict_layer,
    Kind.CONVOLUTION: predict_convolution,
    Kind.TILES: predict_tiles,
    Kind.WINDOW_SUM: predict_window,
    Kind.WINDOW_MAXIMUM: predict_window,
    Kind.ADDITION: predict_window,
    Kind.DEPTHWISE: predict_convolution,
}


def predict_descriptor(config: AcceleratorConfig, trace: Any, n_pairs: int) -> LayerCycles:
    """Predict a layer of any kind from the golden model's trace of it (``descriptor``, ``counts``, ``kept``)."""
    kind = Kind(trace.descriptor["kind"])
    return _PREDICTIONS[kind](config, trace.descriptor, trace.counts, trace.kept, n_pairs)


def predict(config: AcceleratorConfig, layers: Sequence[Any], n_pairs: int) -> list[LayerCycles]:
    """Predict every layer of a run (:func:`predict_descriptor`)."""
    return [predict_descriptor(config, trace, n_pairs) for trace in layers]


def total_cycles(layers: Sequence[LayerCycles]) -> int:
    """The ``cycles`` counter of a run: its layers and one cycle to finish."""
    return sum(layer.cycles for layer in layers) + 1
