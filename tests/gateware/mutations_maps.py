# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What can be broken in layers over maps, and which check must see it; applied by tests/test_mutations.py."""

from collections.abc import Callable
from typing import Any

from tests.gateware.cases_back import MapOutputs
from tests.gateware.cases_walk import MAPS
from tests.gateware.checks import check_scheduler
from tests.gateware.checks_back import check_requantize
from tests.gateware.checks_maps import check_phases, check_positions
from tests.gateware.checks_ring import check_ring, check_ring_merge
from tests.gateware.checks_walk import check_output_walker, check_taps, check_walk
from tests.gateware.mutation import Mutation

from spectramac.gateware.accumulators import BlockAccumulators
from spectramac.gateware.lane import Lane
from spectramac.gateware.lanes import Lanes
from spectramac.gateware.merge import Merge
from spectramac.gateware.output_walker import OutputWalker
from spectramac.gateware.requantize import Requantize
from spectramac.gateware.scheduler import Scheduler
from spectramac.gateware.spectrum import ColumnReader
from spectramac.gateware.walk import TapTable, Walk

__all__ = ["CHECKS", "MUTATIONS"]

CHECKS: dict[str, Callable[[], Any]] = {
    "layers": lambda: check_scheduler(MAPS, is_complex=False, seed=1),
    "map_outputs": lambda: check_requantize(
        MAPS, log2_n=3, seed=1, maps=MapOutputs(2, 3, no_bias=True, maximum=50)
    ),
    "map_vectors": lambda: check_requantize(
        MAPS, log2_n=3, seed=1, maps=MapOutputs(is_map=False, no_bias=True)
    ),
    "output_maps": lambda: check_output_walker(MAPS, is_map=True, seed=1),
    "output_vectors": lambda: check_output_walker(MAPS, is_map=False, seed=1),
    "phases": lambda: check_phases(MAPS, is_complex=True, seed=1),
    "positions": lambda: check_positions(MAPS, 3, seed=1),
    "ring": lambda: check_ring(MAPS, seed=1, n_layers=1),
    "ring_merge": lambda: check_ring_merge(MAPS, log2_n=3, seed=1),
    "taps": lambda: check_taps(MAPS, seed=1, n_layers=12),
    "walk": lambda: check_walk(MAPS, seed=1, n_layers=12),
}
"""Checks that need no arguments; each has its place in the suite with many."""

MUTATIONS = {
    "walk: a phase without taps is read": Mutation(
        Walk, "elaborate", "(~odd_y | (kernel_y != 0)) & ", "", "walk"
    ),
    "walk: a pixel right of the map": Mutation(
        Walk, "elaborate", "(x < right)", "(x <= right)", "walk"
    ),
    "walk: outputs above the map are written": Mutation(
        Walk, "elaborate", "(y >= kernel_y) & (x >= kernel_x)", "(x >= kernel_x)", "walk"
    ),
    "walk: outputs end in the wrong phase": Mutation(
        Walk, "elaborate", "odd_x == (two_x & kernel_x[0])", "odd_x == kernel_x[0]", "walk"
    ),
    "walk: the next pair does not begin in phase 0": Mutation(
        Walk, "elaborate", "two_y & ~odd_y & ~end_y", "two_y & ~odd_y", "walk"
    ),
    "walk: pairs share ring rows": Mutation(
        Walk, "elaborate", "~two_y | odd_y | end_y", "~two_y | odd_y", "walk"
    ),
    "walk: all pairs are the first": Mutation(
        Walk, "elaborate", "base = pair_base + self.in_stride", "base = pair_base", "walk"
    ),
    "walk: a pair too many": Mutation(Walk, "elaborate", "pairs == 1", "pairs == 0", "walk"),
    "taps: outputs to come": Mutation(
        TapTable,
        "elaborate",
        "following = tap - self.pixel_rows",
        "following = tap + self.pixel_rows",
        "taps",
    ),
    "taps: the middle one of an odd kernel in the other phase": Mutation(
        TapTable, "_taps", "(1 - phase)", "phase", "taps"
    ),
    "taps: a phase without taps has one": Mutation(
        TapTable, "elaborate", "none_y | none_x", "0", "taps"
    ),
    "taps: rows of a phase numbered from 0": Mutation(
        TapTable, "elaborate", ".eq(self.index)", ".eq(0)", "taps"
    ),
    "outputs: rows without gaps": Mutation(
        OutputWalker,
        "_maps",
        "row = row_base + self.out_row_stride",
        "row = self.address + self.out_pixel_stride",
        "output_maps",
    ),
    "outputs: one map only": Mutation(
        OutputWalker, "_maps", "m.d.sync += rows.eq(self.out_height)", "pass", "output_maps"
    ),
    "outputs: a vector has pixels": Mutation(
        OutputWalker, "_maps", "~self.is_map | (columns == 1)", "columns == 1", "output_vectors"
    ),
    "ring: a row that retires stays": Mutation(
        BlockAccumulators, "elaborate", "kept.eq(0)", "kept.eq(sums)", "ring"
    ),
    "ring: the next entry adds to a row that retired": Mutation(
        BlockAccumulators, "elaborate", "Mux(use_sums, kept, 0)", "Mux(use_sums, sums, 0)", "ring"
    ),
    "ring: the next but one adds to a row that retired": Mutation(
        BlockAccumulators,
        "elaborate",
        "Mux(ahead[1], kept, sums_3)",
        "Mux(ahead[1], sums, sums_3)",
        "ring",
    ),
    "ring: what is copied is of the next entry": Mutation(
        BlockAccumulators, "_copy", "write.data.eq(sums_copied)", "write.data.eq(sums)", "ring"
    ),
    "ring: nothing is copied while an output is read": Mutation(
        BlockAccumulators, "_copy", "copy & ~clear", "copy & ~self.draining[1]", "ring"
    ),
    "ring: the tap table for a row that retires": Mutation(
        Lane, "_ring", 'in_ring & ~delayed(m, retire, 2, "retire_2")', "in_ring", "ring"
    ),
    "ring: the next position's row": Mutation(
        Lane, "_ring", 'delayed(m, ring, 2, "ring")', 'delayed(m, ring, 1, "ring")', "ring"
    ),
    "ring: a marker's values are added": Mutation(
        Lane, "elaborate", "Mux(retire, 0, value).as_signed()", "value", "ring"
    ),
    "ring: all outputs in one part": Mutation(
        Lanes, "_ring", "slot << (row - len(slot))", "0", "ring"
    ),
    "ring: an output's first row only": Mutation(
        Lanes, "_ring", "gone.eq(gone + 1)", "gone.eq(gone)", "ring"
    ),
    "ring: a part for each row": Mutation(
        Lanes, "_ring", "(remaining == 1) & current.writes", "current.writes", "ring"
    ),
    "ring: the newest row retires": Mutation(
        Lanes, "_ring", "self.i.payload.ring - self.retire_rows", "self.i.payload.ring", "ring"
    ),
    "ring: outputs beside the map are complete": Mutation(
        Lanes, "elaborate", "current.writes & (remaining == 1)", "remaining == 1", "ring"
    ),
    "ring: an output is complete with its first row": Mutation(
        Lanes, "elaborate", "current.writes & (remaining == 1)", "current.writes & first", "ring"
    ),
    "ring: banks in turn": Mutation(
        Lanes, "elaborate", "current.marker & ~in_ring", "current.marker", "ring"
    ),
    "phases: every marker passes": Mutation(
        Scheduler, "_phase", "~self.is_convolution | i.retires", "C(1)", "phases"
    ),
    "phases: one directory": Mutation(
        Scheduler, "_phase", "bases[f - 1] + self.phase_words", "bases[f - 1]", "phases"
    ),
    "phases: entries of the first": Mutation(
        Scheduler, "_phase", "Array(entries)[phase]", "C(0)", "phases"
    ),
    "phases: a marker has one row": Mutation(
        Scheduler, "_phase", "self.pixel_rows[:COUNT_WIDTH], 1", "1, 1", "phases"
    ),
    "phases: a layer has them too": Mutation(
        Scheduler, "_phase", "self.is_convolution & ~self.rewind", "~self.rewind", "layers"
    ),
    "ring: the first output again": Mutation(
        Merge, "elaborate", "m.d.sync += slot.eq(slot + 1)", "pass", "ring_merge"
    ),
    "ring: parts half as large": Mutation(
        Merge,
        "elaborate",
        "row_width(config) - len(slot)",
        "row_width(config) - len(slot) - 1",
        "ring_merge",
    ),
    "ring: an output's rows are cleared": Mutation(
        Merge, "elaborate", "[clear_now.eq(0), clearing.eq(0)]", "[clearing.eq(0)]", "ring_merge"
    ),
    "ring: parts are never free": Mutation(
        Merge, "elaborate", "released |= self.in_ring & kinds[2].end", "pass", "ring_merge"
    ),
    "ring: no sweep": Mutation(Merge, "elaborate", ", self.sweeping.eq(1)]", "]", "ring_merge"),
    "reader: a position without pixel has columns": Mutation(
        ColumnReader, "elaborate", "marker.eq(self.empty)", "marker.eq(0)", "positions"
    ),
    "reader: a position without pixel releases a spectrum": Mutation(
        ColumnReader, "elaborate", "has_columns.eq(~self.empty)", "has_columns.eq(1)", "positions"
    ),
    "reader: all phases in the first one's rows": Mutation(
        ColumnReader, "elaborate", "row_base.eq(self.first_row)", "row_base.eq(0)", "positions"
    ),
    "requantize: no maximum": Mutation(
        Requantize, "_limited", "Mux(value > limit, limit, value)", "value", "map_outputs"
    ),
    "requantize: always a bias": Mutation(
        Requantize, "elaborate", "Mux(self.is_map & self.no_bias, 0, bias)", "bias", "map_outputs"
    ),
    "requantize: the last map's bias": Mutation(
        Requantize, "elaborate", "self.is_map & self.no_bias", "self.no_bias", "map_vectors"
    ),
    "requantize: a pair ends with each pixel": Mutation(
        Requantize, "elaborate", "vector_end & walker.final", "vector_end", "map_outputs"
    ),
}
