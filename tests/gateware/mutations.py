# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What can be broken in the gateware, and which check must see it; applied by tests/test_mutations.py."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from tests.gateware import test_fft, test_fft_block, test_fft_parallel, test_fft_primitives
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
from tests.gateware.checks_fft import (
    check_fft2d,
    check_real,
    check_real_pair,
    check_threshold,
    check_window,
)
from tests.gateware.checks_registers import check_registers

from spectramac.gateware import fixed
from spectramac.gateware.accumulators import (
    BlockAccumulators,
    LogicAccumulators,
    _Accumulators,
)
from spectramac.gateware.fft import (
    block,
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
from spectramac.gateware.fft.real import RealButterfly, RealPairFFT
from spectramac.gateware.fft.split import ConjugateSplit
from spectramac.gateware.fft.threshold import ThresholdFFT
from spectramac.gateware.fft.window import Window
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
BLOCK = FFTConfig(log2_n_max=4, twiddle_width=18, scaling="block")
TILE = FFTConfig(log2_n_max=5, scaling="halving", log2_columns=3, order="natural")
REAL = FFTConfig(log2_n_max=3, data_width=10, scaling="halving", headroom=1)
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
    "block_lanes": lambda: check_lanes(CONFIG, seed=1, block=True),
    "stalled_merge": lambda: check_merge(CONFIG, log2_n=4, stall=0.9),
    "merge": lambda: check_merge(
        CONFIG, log2_n=4, two_d=True, per_row_shift=True, loud=True, seed=1
    ),
    "narrowing": lambda: check_narrowing(6),
    "pipelined_fft": lambda: fft(PIPELINED),
    "halving_fft": lambda: test_fft.check_fixed(HALVING),
    "full_scale_fft": lambda: test_fft.check_full_scale(PIPELINED),
    "block_fft": lambda: test_fft_block.check_amplitudes(BLOCK),
    "block_edges_fft": lambda: test_fft.run(BLOCK, test_fft_block.edges(BLOCK)),
    "fft2d": lambda: check_fft2d(TILE),
    "real_fft": lambda: check_real(REAL, n_frames=6),
    "real_pair_fft": lambda: check_real_pair(REAL, n_frames=6),
    "stalled_real_pair_fft": lambda: check_real_pair(
        REAL, n_frames=24, stalls="sink", sink_delay=300
    ),
    "threshold_fft": lambda: check_threshold(PIPELINED, any_size=True),
    "windowed_fft": lambda: check_window(REAL),
    "twiddle": lambda: test_fft.check_twiddle(HALVING),
    "ice40_butterfly": lambda: test_fft_primitives.check_butterfly(HALVING, 3, gaps=True),
    "ice40_queue": test_fft_primitives.check_queue,
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
        "self.halve & value[0] & value[1]",
        "self.halve & value[0]",
        "pipelined_fft",
    ),
    "FFT: the greatest value is halved past the end": Mutation(
        narrow, "round_or_clip", "hold.eq(greatest)", "hold.eq(0)", "full_scale_fft"
    ),
    "FFT: a delay line is read a cycle late where the address is given ahead": Mutation(
        butterfly.Butterfly,
        "elaborate",
        "Mux(computing | draining, slot + 1, slot)",
        "slot",
        "ice40_butterfly",
    ),
    "FFT: the output queue is, too": Mutation(
        output.OutputQueue, "elaborate", "Mux(pop, head + 1, head)", "head", "ice40_queue"
    ),
    "FFT: the queue's newest word is read too early": Mutation(
        output.OutputQueue,
        "elaborate",
        "self.short, technology=self.technology",
        "self.short, technology=self.technology, fresh=False",
        "ice40_queue",
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
        "result.data.re.eq(pipeline.o.re)",
        "result.data.re.eq(pipeline.o.im)",
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
    "FFT: the inverse takes the factors of the forward transform": Mutation(
        twiddle.Twiddle, "_rom", "words[-e] for e", "words[e] for e", "pipelined_fft"
    ),
    "FFT: wrong sign in the product": Mutation(
        twiddle.Twiddle,
        "_narrowed",
        "exact.eq(common - other)",
        "exact.eq(common + other)",
        "halving_fft",
    ),
    "FFT: a tie in the product rounds up": Mutation(
        twiddle.Twiddle, "_narrowed", "half & ~(tie & ~exact[top])", "half", "twiddle"
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
        "elaborate",
        "inverse == 1 - k",
        "inverse == k",
        "pipelined_fft",
    ),
    "FFT: rotated too early": Mutation(
        butterfly.Butterfly,
        "elaborate",
        "rotate_next.eq(~slot[-1] & ~plain)",
        "rotate_next.eq(~plain)",
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
    "parallel FFT: rotated differences keep a wrong sign": Mutation(
        paths.PathButterfly,
        "elaborate",
        "draining_next & ~rotate_next",
        "draining_next",
        "parallel_fft",
    ),
    "parallel FFT: the inverse does not exchange re and im": Mutation(
        parallel.ParallelFFT,
        "elaborate",
        "Mux(inverse, sample.im, sample.re)",
        "sample.re",
        "parallel_fft",
    ),
    "FFT: a sample's shift is not undone": Mutation(
        twiddle.Twiddle, "_shifted_back", "drop - 1 - shift for", "drop - 1 for", "block_fft"
    ),
    "FFT: a frame keeps its predecessor's exponent": Mutation(
        block.FrameExponent, "elaborate", "Mux(fresh, 0, seen)", "seen", "block_fft"
    ),
    "FFT: the exponent leaves no room for rounding": Mutation(
        block.FrameExponent,
        "elaborate",
        "x + (x[low:] & (~sign).replicate(self.width - low))",
        "x",
        "block_edges_fft",
    ),
    "FFT: a mantissa is rounded half up": Mutation(
        block, "_round", "half & (below | value[0])", "half", "block_edges_fft"
    ),
    "FFT: a tile's twiddle factors are those of one dimension": Mutation(
        twiddle.Twiddle, "_rom", "config.log2_columns > 0", "False", "fft2d"
    ),
    "FFT: a tile's columns stay in bit-reversed order": Mutation(
        output.OutputQueue,
        "elaborate",
        "written[moved : moved + size][::-1]",
        "written[moved : moved + size][:: -1 if moved else 1]",
        "fft2d",
    ),
    "FFT with threshold: > instead of >=": Mutation(
        ThresholdFFT, "elaborate", "total >= chosen.level", "total > chosen.level", "threshold_fft"
    ),
    "FFT with threshold: the next frame's level": Mutation(
        ThresholdFFT,
        "_chosen",
        "delayed(m, start, Multiplier.latency,",
        "delayed(m, start, Multiplier.latency - 1,",
        "threshold_fft",
    ),
    "FFT with threshold: bins are numbered as in the largest size": Mutation(
        ThresholdFFT, "_bin", "place[::-1] >> shift", "place[::-1]", "threshold_fft"
    ),
    "real FFT: the mirrored bin is not conjugated": Mutation(
        ConjugateSplit,
        "elaborate",
        "self.e_im.eq(a_im - b_im)",
        "self.e_im.eq(a_im + b_im)",
        "real_pair_fft",
    ),
    "real FFT: one memory for two frames": Mutation(
        ConjugateSplit, "elaborate", "half.eq(~half)", "half.eq(half)", "real_pair_fft"
    ),
    "real FFT: room is taken for every sample": Mutation(
        RealPairFFT,
        "elaborate",
        "chain.accept & (~index[-1] | ~index[:-1].any())",
        "chain.accept",
        "stalled_real_pair_fft",
    ),
    "real FFT: bin N is bin 0": Mutation(
        RealButterfly,
        "elaborate",
        "Mux(self.first, self.o_re, self.o_im)",
        "self.o_im",
        "real_fft",
    ),
    "real FFT: ties are not recognised": Mutation(
        RealButterfly, "elaborate", "product[:fraction].any()", "0", "real_fft"
    ),
    "window: coefficients of the place behind": Mutation(
        Window,
        "elaborate",
        "rom.read_address.eq(self.index)",
        "rom.read_address.eq(self.index + 1)",
        "windowed_fft",
    ),
    "window: samples a cycle early": Mutation(
        Window, "elaborate", "BlockRAM.latency, name", "BlockRAM.latency - 1, name", "windowed_fft"
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
        BlockAccumulators,
        "elaborate",
        "use_sums.eq(ahead[0])",
        "use_sums.eq(0)",
        "block_lanes",
    ),
    "lanes: no forwarding from two entries ahead": Mutation(
        BlockAccumulators,
        "elaborate",
        "Mux(ahead[1], sums, sums_3)",
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
        LogicAccumulators, "elaborate", "use_last.eq(ahead)", "use_last.eq(0)", "lanes"
    ),
    "lanes: cleared sums come back": Mutation(
        LogicAccumulators, "elaborate", "read.data[-1]", "Value.cast(1)", "lanes"
    ),
    "lanes: the neighbour answers": Mutation(
        Lanes, "elaborate", "self.drain_lane == i", "self.drain_lane == i ^ 1", "lanes"
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
