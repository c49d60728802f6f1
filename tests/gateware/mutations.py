# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What can be broken in the engine, and which check must see it; applied by tests/test_mutations.py."""

from collections.abc import Callable
from typing import Any

from tests.gateware.cases import CONFIG, SINGLE
from tests.gateware.checks import (
    check_columns,
    check_gather,
    check_narrowing,
    check_placement,
    check_reader,
    check_scheduler,
    check_shift,
    check_walker,
)
from tests.gateware.checks_back import check_lanes, check_merge, check_requantize
from tests.gateware.checks_registers import check_registers
from tests.gateware.mutation import Mutation

from spectramac.gateware import fixed
from spectramac.gateware.accumulators import (
    BlockAccumulators,
    LogicAccumulators,
    _Accumulators,
)
from spectramac.gateware.directory import DirectoryReader
from spectramac.gateware.gather import Gather
from spectramac.gateware.lane import Lane
from spectramac.gateware.lanes import Lanes
from spectramac.gateware.merge import Merge
from spectramac.gateware.regfile import RegisterFile
from spectramac.gateware.requantize import Requantize
from spectramac.gateware.rows import BlockWalker, RowPlacement
from spectramac.gateware.scheduler import Scheduler
from spectramac.gateware.shift import Shift
from spectramac.gateware.spectrum import ColumnReader, SpectrumMemory
from spectramac.gateware.threshold import Split, Threshold

__all__ = ["CHECKS", "MUTATIONS"]

CHECKS: dict[str, Callable[[], Any]] = {
    "bin_major_merge": lambda: check_merge(CONFIG, log2_n=3, bin_major=True),
    # Level 0 keeps zeros: only ``>=`` does.
    "boundary": lambda: check_columns(CONFIG, level=0, seed=1),
    "columns": lambda: check_columns(CONFIG, level=1 << 12, seed=1, n_frames=6),
    "gather": lambda: check_gather(CONFIG, 3, stalls="none", seed=1),
    "lanes": lambda: check_lanes(CONFIG, seed=1),
    "block_lanes": lambda: check_lanes(CONFIG, seed=1, block=True),
    "stalled_merge": lambda: check_merge(CONFIG, log2_n=4, stall=0.9),
    "merge": lambda: check_merge(
        CONFIG, log2_n=4, two_d=True, per_row_shift=True, loud=True, seed=1
    ),
    "narrowing": lambda: check_narrowing(6),
    "placement": lambda: check_placement(CONFIG),
    "reader": lambda: check_reader(CONFIG, 4, two_d=True, seed=1),
    "registers": lambda: check_registers(CONFIG, seed=0, n_rounds=100),
    "requantize": lambda: check_requantize(
        CONFIG, log2_n=3, per_channel_scale=True, relu=True, seed=3
    ),
    "requantize_single": lambda: check_requantize(SINGLE, log2_n=3, seed=3),
    "scheduler": lambda: check_scheduler(CONFIG, is_complex=True, seed=1),
    "scheduler_flags": lambda: check_scheduler(CONFIG, is_complex=True, seed=1, uniform_count=3),
    "shift": lambda: check_shift(6, 4, range(-32, 32), range(4)),
    "walker": lambda: check_walker(6),
}
"""Checks that need no arguments; each has its place in the suite with many."""


MUTATIONS = {
    # Rounding and saturation.
    "rounding half up": Mutation(
        fixed, "round_half_even", "(below | value[shift])", "1", "narrowing"
    ),
    "rounding by truncation": Mutation(
        fixed, "round_half_even", "floor + (half & (below | value[shift]))", "floor", "narrowing"
    ),
    "wrapping instead of saturating": Mutation(
        fixed, "saturate", "Mux(overflow, bound, value[:width])", "value[:width]", "narrowing"
    ),
    "run-time shift rounds half up": Mutation(
        Shift, "elaborate", "(half & (below | floor[0]))", "half", "shift"
    ),
    "run-time shift truncates": Mutation(
        Shift, "elaborate", "floor + (half & (below | floor[0]))", "floor", "shift"
    ),
    "run-time shift forgets lost bits": Mutation(
        Shift, "elaborate", "below.eq(rest)", "below.eq(0)", "shift"
    ),
    # Gather, spectrum memory, reader.
    "gather: last dropped": Mutation(
        Gather, "elaborate", "payload.last.eq(frame_end)", "payload.last.eq(0)", "gather"
    ),
    "gather: re and im swapped": Mutation(
        Gather, "elaborate", "data.re.eq(data[:width]", "data.re.eq(data[width:]", "gather"
    ),
    "gather: one input too many": Mutation(
        Gather, "elaborate", "count >= self.n_in", "count > self.n_in", "gather"
    ),
    "spectrum memory: natural order": Mutation(
        SpectrumMemory,
        "elaborate",
        "reversed_low_bits(in_frame, self.log2_n, config.log2_n_max)",
        "in_frame",
        "reader",
    ),
    "spectrum memory: re and im swapped": Mutation(
        SpectrumMemory,
        "elaborate",
        "Cat(self.i.payload.data.re, self.i.payload.data.im)",
        "Cat(self.i.payload.data.im, self.i.payload.data.re)",
        "reader",
    ),
    "reader: carry between the halves": Mutation(
        ColumnReader, "_addresses", "negated_high.eq(-high", "negated_high.eq(-pair", "reader"
    ),
    "reader: row base not reset": Mutation(
        ColumnReader, "elaborate", "m.d.sync += row_base.eq(first_row)", "pass", "reader"
    ),
    # Split and threshold.
    "split: re and im swapped": Mutation(
        Split,
        "elaborate",
        "o.b1.eq(first.im - second.im)",
        "o.b1.eq(first.re - second.re)",
        "columns",
    ),
    "threshold: > instead of >=": Mutation(
        Threshold, "elaborate", "square_b >= self.level", "square_b > self.level", "boundary"
    ),
    "threshold: complex > instead of >=": Mutation(
        Threshold, "elaborate", "(carries[:width] << 1) + 1", "(carries[:width] << 1)", "boundary"
    ),
    "threshold: real columns not doubled": Mutation(
        Threshold, "elaborate", "source[n] << 1", "source[n]", "columns"
    ),
    "threshold: parts judged singly": Mutation(
        Threshold,
        "elaborate",
        "Mux(judged_pair_joint, square_b, 0)",
        "Mux(judged_pair_joint, 0, 0)",
        "columns",
    ),
    # Scheduler.
    "scheduler: a dropped column's entries are not passed over": Mutation(
        Scheduler,
        "elaborate",
        "entry.eq(entry + count)",
        "entry.eq(entry + Mux(keep, count, 0))",
        "scheduler",
    ),
    "scheduler: the directory is not rewound": Mutation(
        Scheduler,
        "elaborate",
        "self.rewind | (done & marker & i.final)",
        "self.rewind",
        "scheduler",
    ),
    "directory: a word's flags in the wrong order": Mutation(
        DirectoryReader,
        "elaborate",
        "word.bit_select(there, 1)",
        "word.bit_select(~there, 1)",
        "scheduler_flags",
    ),
    "directory: flags do not begin anew": Mutation(
        DirectoryReader, "elaborate", ", coming.eq(0)]", "]", "scheduler_flags"
    ),
    "scheduler: skipped columns not counted": Mutation(
        Scheduler, "elaborate", "take & ~count_zero & ~(keep | own)", "0", "scheduler"
    ),
    # Lanes.
    "lanes: no forwarding from the entry ahead": Mutation(
        BlockAccumulators,
        "elaborate",
        "use_sums.eq(ahead[0])",
        "use_sums.eq(0)",
        "block_lanes",
    ),
    "lanes: no forwarding from two entries ahead": Mutation(
        BlockAccumulators,
        "elaborate",
        "Mux(ahead[1], kept, sums_3)",
        "sums_3",
        "block_lanes",
    ),
    "lanes: no forwarding from three entries ahead": Mutation(
        BlockAccumulators,
        "elaborate",
        "(ahead[1] | ahead[2])",
        "ahead[1]",
        "block_lanes",
    ),
    "lanes: forwarding from other rows": Mutation(
        BlockAccumulators, "elaborate", "(row[0] == row[k])", "1", "block_lanes"
    ),
    "lanes: the backward loop reads the other bank": Mutation(
        BlockAccumulators,
        "elaborate",
        "drain_select & draining[b]",
        "drain_select & ~draining[b]",
        "block_lanes",
    ),
    "lanes: no forwarding beside memories of logic cells": Mutation(
        LogicAccumulators, "elaborate", "Mux(use_last, last, 0)", "0", "lanes"
    ),
    "lanes: cleared sums come back": Mutation(
        LogicAccumulators, "elaborate", "read.data[-1]", "Value.cast(1)", "lanes"
    ),
    "lanes: the neighbour answers": Mutation(
        Lanes, "elaborate", "(drain_lane == i)", "(drain_lane == i ^ 1)", "lanes"
    ),
    "lanes: sums wrap": Mutation(
        _Accumulators,
        "_add",
        "saturate(",
        "(lambda value, width: (value[:width].as_signed(), saturate(value, width)[1]))(",
        "lanes",
    ),
    "lanes: the wrong bank": Mutation(
        Lanes, "elaborate", "bank.eq(~bank)", "bank.eq(bank)", "lanes"
    ),
    "lanes: neighbour's coefficients": Mutation(
        Lanes,
        "elaborate",
        "self.coefficients.data.word_select(i, 16)",
        "self.coefficients.data.word_select((i + 1) % config.n_lanes, 16)",
        "lanes",
    ),
    "lanes: complex entry not negated": Mutation(
        Lane,
        "elaborate",
        "Mux(swap_1, -pair[1], pair[0])",
        "Mux(swap_1, pair[1], pair[0])",
        "lanes",
    ),
    "lanes: rows off by one": Mutation(Lane, "elaborate", "row + 1 + step", "row + step", "lanes"),
    # Merge.
    "placement: off by one lane": Mutation(
        RowPlacement, "elaborate", "number % n_lanes |", "(number + 1) % n_lanes |", "placement"
    ),
    "merge: off by one lane, bin-major": Mutation(
        Merge,
        "elaborate",
        "lane_bin == config.n_lanes - 1",
        "lane_bin == config.n_lanes",
        "bin_major_merge",
    ),
    "merge: more begun than there is room for": Mutation(
        Merge, "elaborate", "& (room != 0)", "", "stalled_merge"
    ),
    "merge: last dropped": Mutation(
        Merge, "elaborate", "walked.last.eq(block_end)", "walked.last.eq(0)", "merge"
    ),
    "merge: wrong sign": Mutation(
        Merge, "elaborate", "combined[0].eq(a1 - b2)", "combined[0].eq(a1 + b2)", "merge"
    ),
    "merge: re and im swapped": Mutation(
        Merge,
        "elaborate",
        'for part, name in enumerate(("re", "im"))',
        'for part, name in enumerate(("im", "re"))',
        "merge",
    ),
    "merge: one row left": Mutation(
        Merge, "elaborate", "self.clear_depth) - 1", "self.clear_depth - 1) - 1", "merge"
    ),
    "walker: carry between the halves": Mutation(
        BlockWalker, "elaborate", "negated_high.eq(-high", "negated_high.eq(-index", "walker"
    ),
    # Requantize.
    "requantize: bias off by one channel": Mutation(
        Requantize,
        "elaborate",
        "self.bias_base + number",
        "self.bias_base + number + 1",
        "requantize",
    ),
    "requantize: outputs swapped": Mutation(
        Requantize,
        "elaborate",
        "Cat(*outputs)",
        "Cat(*reversed(outputs))",
        "requantize",
    ),
    "requantize: one multiplier, outputs swapped": Mutation(
        Requantize,
        "elaborate",
        "Cat(earlier[:-1], outputs[0])",
        "Cat(outputs[0], earlier[:-1])",
        "requantize_single",
    ),
    "requantize: no ReLU": Mutation(
        Requantize, "elaborate", "Mux(self.relu & product[-1], 0, product)", "product", "requantize"
    ),
    "requantize: one output too many": Mutation(
        Requantize, "elaborate", "channel >= self.n_out", "channel > self.n_out", "requantize"
    ),
    "requantize: natural order": Mutation(
        Requantize,
        "elaborate",
        "reversed_low_bits(in_frame, self.log2_n, config.log2_n_max)",
        "in_frame",
        "requantize",
    ),
    # Registers.
    "registers: a clear also clears the others": Mutation(
        RegisterFile, "_field", "flag.eq(flag & ~bits)", "flag.eq(0)", "registers"
    ),
    "registers: words of memory off by one": Mutation(
        RegisterFile,
        "_memory_port",
        "word_address.eq(address)",
        "word_address.eq(address + 1)",
        "registers",
    ),
    "registers: refused accesses are not reported": Mutation(
        RegisterFile, "_memory_port", "m.d.comb += bus_error.eq(1)", "pass", "registers"
    ),
    "registers: a busy device takes writes": Mutation(
        RegisterFile, "_memory_port", "in_depth & ~self.status_busy", "in_depth", "registers"
    ),
    "registers: chunks in the wrong order": Mutation(
        RegisterFile, "_memory_port", "(chunk == i)", "(chunk == i + 1)", "registers"
    ),
}
