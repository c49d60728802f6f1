# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What can be broken in the gateware, and which check must see it; applied by tests/test_mutations.py."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from tests.gateware import test_fft, test_fft_parallel
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

from spectramac.gateware import fixed
from spectramac.gateware.fft import (
    butterfly,
    iterative,
    narrow,
    output,
    parallel,
    path_product,
    path_twiddle,
    paths,
    pipelined,
    twiddle,
)
from spectramac.gateware.gather import Gather
from spectramac.gateware.lanes import Lane, Lanes
from spectramac.gateware.merge import Merge
from spectramac.gateware.regfile import RegisterFile
from spectramac.gateware.requantize import Requantize
from spectramac.gateware.rows import BlockWalker, RowPlacement
from spectramac.gateware.scheduler import Scheduler
from spectramac.gateware.shift import Shift
from spectramac.gateware.spectrum import ColumnReader, SpectrumMemory
from spectramac.gateware.threshold import Split, Threshold
from spectramac.spec.config import FFTConfig

__all__ = ["CHECKS", "MUTATIONS", "Mutation"]

PIPELINED = FFTConfig(log2_n_max=4)
PARALLEL = FFTConfig(log2_n_max=6, samples_per_clock=4)
PARALLEL_HALVING = FFTConfig(log2_n_max=6, twiddle_width=18, scaling="halving", samples_per_clock=8)
HALVING = FFTConfig(log2_n_max=5, twiddle_width=18, scaling="halving")
ITERATIVE = FFTConfig(log2_n_max=3, data_width=15, architecture="iterative")


def fft(config: FFTConfig) -> None:
    """Frames of all kinds, as tests/gateware/test_fft.py compares them."""
    rng = np.random.default_rng(1)
    n = config.log2_n_max
    frames = [test_fft.random_frame(config, rng, n) for _ in range(4)]
    frames[0].halve = (1 << n) - 1
    frames[1].inverse = not frames[0].inverse
    test_fft.run(config, frames)


CHECKS: dict[str, Callable[[], Any]] = {
    "bin_major_merge": lambda: check_merge(CONFIG, log2_n=3, bin_major=True),
    # Level 0 keeps zeros: only ``>=`` does.
    "boundary": lambda: check_columns(CONFIG, level=0, seed=1),
    "columns": lambda: check_columns(CONFIG, level=1 << 12, seed=1, n_frames=6),
    "gather": lambda: check_gather(CONFIG, 3, stalls="none", seed=1),
    "iterative_fft": lambda: fft(ITERATIVE),
    "lanes": lambda: check_lanes(CONFIG, seed=1),
    "merge": lambda: check_merge(
        CONFIG, log2_n=4, two_d=True, per_row_shift=True, loud=True, seed=1
    ),
    "narrowing": lambda: check_narrowing(6),
    "pipelined_fft": lambda: fft(PIPELINED),
    "halving_fft": lambda: test_fft.check_fixed(HALVING),
    "full_scale_fft": lambda: test_fft.check_full_scale(PIPELINED),
    "twiddle": lambda: test_fft.check_twiddle(HALVING),
    "falling_fft": lambda: test_fft.check_falling_sizes(PIPELINED),
    "stalled_fft": lambda: test_fft.check_long_stall(PIPELINED),
    "parallel_fft": lambda: test_fft_parallel.check_square(PARALLEL),
    "parallel_falling_fft": lambda: test_fft_parallel.check_falling_sizes(
        dataclasses.replace(PARALLEL, log2_n_max=4, samples_per_clock=8)
    ),
    "parallel_products": lambda: test_fft_parallel.check_products(PARALLEL_HALVING, 3),
    "placement": lambda: check_placement(CONFIG),
    "reader": lambda: check_reader(CONFIG, 4, two_d=True, seed=1),
    "registers": lambda: check_registers(CONFIG, seed=0, n_rounds=100),
    "requantize": lambda: check_requantize(
        CONFIG, log2_n=3, per_channel_scale=True, relu=True, seed=3
    ),
    "requantize_single": lambda: check_requantize(SINGLE, log2_n=3, seed=3),
    "scheduler": lambda: check_scheduler(CONFIG, is_complex=True, seed=1),
    "shift": lambda: check_shift(6, 4, range(-32, 32), range(4)),
    "walker": lambda: check_walker(6),
}
"""Checks that need no arguments; each has its place in the suite with many."""


@dataclass(frozen=True)
class Mutation:
    """In ``owner.name``, ``old`` becomes ``new``; the check of that name must fail."""

    owner: Any
    name: str
    old: str
    new: str
    check: str


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
    # Transforms.
    "FFT: rounding half up": Mutation(
        narrow.Narrow,
        "_halve_or_clip",
        "round_half_even(value, 1)",
        "((value + 1) >> 1)",
        "pipelined_fft",
    ),
    "FFT: the greatest value is halved past the end": Mutation(
        narrow.Narrow,
        "_halve_or_clip",
        "Mux(self.halve, greatest, sign ^ value[-2])",
        "~self.halve & (sign ^ value[-2])",
        "full_scale_fft",
    ),
    "FFT: last dropped": Mutation(
        pipelined.PipelinedFFT,
        "elaborate",
        "result.last.eq(final)",
        "result.last.eq(0)",
        "pipelined_fft",
    ),
    "FFT: re and im swapped": Mutation(
        pipelined.PipelinedFFT,
        "elaborate",
        "pipeline.i.re.eq(Mux(inverse, data.im, data.re))",
        "pipeline.i.re.eq(Mux(inverse, data.re, data.im))",
        "pipelined_fft",
    ),
    "FFT: a shorter frame does not wait": Mutation(
        pipelined.PipelinedFFT,
        "_may_start",
        "Cat(~control.held.size, 1)",
        "-1",
        "falling_fft",
    ),
    "FFT: a longer frame's successor waits a cycle less": Mutation(
        pipelined.PipelinedFFT,
        "_may_start",
        "left == 1 << bit",
        "left == (1 << bit) + 1",
        "falling_fft",
    ),
    "FFT: twiddle factors conjugated": Mutation(
        twiddle.Twiddle, "_rom", "(c - s) & mask", "(c + s) & mask", "pipelined_fft"
    ),
    "FFT: twiddle table off by one": Mutation(
        twiddle.Twiddle, "_address", "Mux(self.early.first, 0, index)", "index", "falling_fft"
    ),
    "FFT: wrong sign in the product": Mutation(
        twiddle.Twiddle,
        "_narrowed",
        "exact.eq(common - other)",
        "exact.eq(common + other)",
        "halving_fft",
    ),
    "FFT: a tie in the product rounds up": Mutation(
        twiddle.Twiddle, "_narrowed", "exact[low] & ~(tie & ~exact[top])", "exact[low]", "twiddle"
    ),
    "FFT: the sum of a product wraps": Mutation(
        twiddle.Twiddle,
        "elaborate",
        "clipped, _ = saturate(total, self.stage.sum_width)",
        "clipped = total[: self.stage.sum_width].as_signed()",
        "twiddle",
    ),
    "FFT: multiplied by j instead of -j": Mutation(
        butterfly.Butterfly,
        "_stored",
        "positive = rotate_w & (k == 1)",
        "positive = rotate_w & (k == 0)",
        "pipelined_fft",
    ),
    "FFT: rotated too early": Mutation(
        butterfly.Butterfly,
        "elaborate",
        "rotate.eq(~slot[-1] & ~plain)",
        "rotate.eq(~plain)",
        "pipelined_fft",
    ),
    "FFT: the queue forgets the words behind": Mutation(
        output.OutputQueue, "elaborate", "~behind & some_free", "some_free", "stalled_fft"
    ),
    "FFT: the queue promises too much": Mutation(
        output.OutputQueue, "elaborate", "self.room.eq(left > 2)", "self.room.eq(1)", "stalled_fft"
    ),
    "parallel FFT: paths crossed": Mutation(
        paths.CrossButterfly,
        "elaborate",
        "raw[k], raw[k + half] = sums, differences",
        "raw[k], raw[k + half] = differences, sums",
        "parallel_fft",
    ),
    "parallel FFT: rotated between the dimensions": Mutation(
        paths._Stage,
        "_plain",
        "is_square(control, self.stage.m - 1)",
        "Const(0, 1)",
        "parallel_fft",
    ),
    "parallel FFT: a path keeps its part of the index in two dimensions": Mutation(
        path_twiddle.ParallelTwiddle,
        "_addresses",
        "square = square | here",
        "pass",
        "parallel_fft",
    ),
    "parallel FFT: the next frame's control too early": Mutation(
        paths.PathButterfly,
        "elaborate",
        "now.eq(Mux(first, i.control, held))",
        "now.eq(i.control)",
        "parallel_fft",
    ),
    "parallel FFT: a shorter frame does not wait": Mutation(
        parallel.ParallelFFT,
        "_may_start",
        "allowed.eq(Cat(~size, 1))",
        "allowed.eq(-1)",
        "parallel_falling_fft",
    ),
    "parallel FFT: eighths are not negated exactly": Mutation(
        path_product.EighthTwiddle,
        "_scaled",
        "Mux(scaled, c, 1 << top)",
        "1 << top",
        "parallel_fft",
    ),
    "parallel FFT: the sum of an eighth wraps": Mutation(
        path_product.EighthTwiddle,
        "_terms",
        "(total[-1] ^ total[-2]) & (later[:2] != 2)",
        "Const(0, 1)",
        "parallel_products",
    ),
    "iterative FFT: a tie stays odd": Mutation(
        iterative.IterativeFFT,
        "_butterfly",
        "halve & total[0] & total[1]",
        "halve & total[0]",
        "iterative_fft",
    ),
    "iterative FFT: re and im swapped": Mutation(
        iterative.IterativeFFT,
        "elaborate",
        "data.im.eq(read_data_im)",
        "data.im.eq(read_data_re)",
        "iterative_fft",
    ),
    "iterative FFT: last dropped": Mutation(
        iterative.IterativeFFT,
        "elaborate",
        "self.o.payload.last.eq(at_end)",
        "self.o.payload.last.eq(0)",
        "iterative_fft",
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
        ColumnReader, "elaborate", "m.d.sync += row_base.eq(0)", "pass", "reader"
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
        Threshold, "elaborate", "value << 1", "value", "columns"
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
        "self.rewind | (done & i.marker & i.final)",
        "self.rewind",
        "scheduler",
    ),
    "scheduler: skipped columns not counted": Mutation(
        Scheduler, "elaborate", "take & ~count_zero & ~keep", "0", "scheduler"
    ),
    # Lanes.
    "lanes: no forwarding from the entry ahead": Mutation(
        Lane, "elaborate", "use_sums.eq(ahead[0])", "use_sums.eq(0)", "lanes"
    ),
    "lanes: no forwarding from two entries ahead": Mutation(
        Lane, "elaborate", "Mux(ahead[1], sums, sums_5)", "sums_5", "lanes"
    ),
    "lanes: no forwarding from three entries ahead": Mutation(
        Lane, "elaborate", "(ahead[1] | ahead[2])", "ahead[1]", "lanes"
    ),
    "lanes: forwarding from other rows": Mutation(
        Lane, "elaborate", "(rows[0] == rows[k])", "1", "lanes"
    ),
    "lanes: the backward loop reads the other bank": Mutation(
        Lane, "elaborate", "wanted[0] & draining[b]", "wanted[0] & ~draining[b]", "lanes"
    ),
    "lanes: the neighbour answers": Mutation(
        Lanes, "elaborate", "self.drain_lane == i", "self.drain_lane == i ^ 1", "lanes"
    ),
    "lanes: sums wrap": Mutation(
        Lane,
        "elaborate",
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
    "lanes: rows off by one": Mutation(
        Lane, "elaborate", "rows[0] + 1 + step", "rows[0] + step", "lanes"
    ),
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
        Merge, "elaborate", "& (room != 0)", "", "merge"
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
        "self.bias_base + channel",
        "self.bias_base + channel + 1",
        "requantize",
    ),
    "requantize: outputs swapped": Mutation(
        Requantize,
        "elaborate",
        "Cat(results[0].o, results[1].o)",
        "Cat(results[1].o, results[0].o)",
        "requantize",
    ),
    "requantize: one multiplier, outputs swapped": Mutation(
        Requantize,
        "elaborate",
        "Cat(earlier[:-1], results[0].o)",
        "Cat(results[0].o, earlier[:-1])",
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
        RegisterFile, "_memory_port", "m.If(chunk == i)", "m.If(chunk == i + 1)", "registers"
    ),
}
