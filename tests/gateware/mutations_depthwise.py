# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What can be broken in depthwise convolutions on the lanes, and which check must see it."""

from collections.abc import Callable
from typing import Any

from tests.gateware.cases_walk import MAPS
from tests.gateware.checks_maps import check_own_columns
from tests.gateware.checks_ring import check_ring
from tests.gateware.mutation import Mutation

from spectramac.gateware.lane import Lane
from spectramac.gateware.lanes import Lanes
from spectramac.gateware.scheduler import Scheduler

__all__ = ["CHECKS", "MUTATIONS"]

CHECKS: dict[str, Callable[[], Any]] = {
    "own_columns": lambda: [check_own_columns(MAPS, seed=seed) for seed in (1, 2)],
    "own_ring": lambda: check_ring(MAPS, is_indexed=False, seed=3, n_layers=1, depthwise=True),
}

MUTATIONS = {
    "own: a pixel's rows go on in the next": Mutation(
        Scheduler, "_own", "row.eq(1 - self.pixel_rows)", "row.eq(row)", "own_columns"
    ),
    "own: all rows in the first": Mutation(
        Scheduler, "_own", "row.eq(row + 1)", "row.eq(row)", "own_columns"
    ),
    "own: the last lanes' columns wait for the next pixel": Mutation(
        Scheduler, "_own", "full | (i.marker & some)", "full", "own_columns"
    ),
    "own: one lane stays empty": Mutation(
        Scheduler, "_own", "loaded == n_lanes - 1", "loaded == n_lanes - 2", "own_columns"
    ),
    "own: entries of a column that was dropped are skipped": Mutation(
        Scheduler,
        "elaborate",
        "load | (~count_zero & (keep | own))",
        "load | (~count_zero & keep)",
        "own_columns",
    ),
    "own: a load takes a directory word": Mutation(
        Scheduler, "elaborate", "take.eq(done & ~marker & ~load)", "take.eq(done & ~marker)", "own_columns"
    ),
    "own: every lane keeps every pair": Mutation(
        Lanes, "elaborate", "loads & (base == i)", "loads", "own_ring"
    ),
    "own: a pair that is loaded is an entry": Mutation(
        Lanes, "elaborate", "~current.marker & ~loading", "~current.marker", "own_ring"
    ),
    "own: taps in neighbouring rows": Mutation(
        Lanes, "_ring", "Mux(self.is_depthwise, self.pixel_rows - 1, 0)", "0", "own_ring"
    ),
    "own: a convolution's rows are apart too": Mutation(
        Lanes, "_ring", "Mux(self.is_depthwise, self.pixel_rows - 1, 0)", "self.pixel_rows - 1", "own_ring"
    ),
    "own: the columns on the bus": Mutation(
        Lane, "_columns", "Mux(own, kept, common)", "common", "own_ring"
    ),
    "own: b meets the first column": Mutation(
        Lane, "_columns", "width * part : width * (part + 1)", ":width", "own_ring"
    ),
    "own: columns are unsigned": Mutation(
        Lane, "_columns", "Mux(own, kept, common)", "Mux(own, kept.as_unsigned(), common)", "own_ring"
    ),
}  # fmt: skip
