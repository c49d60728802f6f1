# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Predicted cycles of window sums, window maxima and additions against the window unit's own."""

from tests.gateware.checks_window import WINDOWS, check_window
from tests.windows import NODES

from spectramac.compiler.cycles_window import END_CYCLES, predict_window
from spectramac.compiler.layer_cycles import fetch_cycles
from spectramac.compiler.stage_cycles import REQUANTIZE_LATENCY
from spectramac.spec.descriptor import Kind


def test_equals_the_window_unit() -> None:
    """``start`` is the last cycle of fetching; requantization and the end of the layer follow the last sample."""
    around = fetch_cycles(Kind.ADDITION) - 1 + REQUANTIZE_LATENCY[2] + END_CYCLES
    for n_pairs in (1, 3):
        for timing in check_window(NODES, seed=n_pairs, n_pairs=n_pairs, size=4):
            predicted = predict_window(WINDOWS, timing.descriptor, None, None, n_pairs)
            assert predicted.cycles == around + timing.last
            assert predicted.lane_busy == predicted.columns_skipped == 0
            assert predicted.lane_stalled == predicted.cycles - fetch_cycles(Kind.ADDITION)
