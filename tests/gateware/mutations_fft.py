# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What can be broken in the transforms, and which check must see it; applied by tests/test_mutations.py."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from tests.gateware import checks_fft_core, test_fft_block, test_fft_parallel, test_fft_primitives
from tests.gateware.cases_fft import random_frame
from tests.gateware.checks_fft import (
    check_fft2d,
    check_real,
    check_real_pair,
    check_threshold,
    check_window,
)
from tests.gateware.mutation import Mutation

from spectramac.gateware.fft import (
    block,
    butterfly,
    constants,
    iterative,
    narrow,
    output,
    parallel,
    path_product,
    path_twiddle,
    paths,
    pipelined,
    sixteenths,
    twiddle,
)
from spectramac.gateware.fft.real import RealButterfly, RealPairFFT
from spectramac.gateware.fft.split import ConjugateSplit
from spectramac.gateware.fft.threshold import ThresholdFFT
from spectramac.gateware.fft.window import Window
from spectramac.spec.fft_config import FFTConfig

__all__ = ["CHECKS", "MUTATIONS"]

PIPELINED = FFTConfig(log2_n_max=4)
SHORT_AXES = FFTConfig(log2_n_max=4, log2_axis_max=4)
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
    frames = [random_frame(config, rng, n) for _ in range(4)]
    frames[0].halve = (1 << n) - 1
    frames[1].inverse = not frames[0].inverse
    checks_fft_core.run(config, frames)


CHECKS: dict[str, Callable[[], Any]] = {
    "iterative_fft": lambda: fft(ITERATIVE),
    "pipelined_fft": lambda: fft(PIPELINED),
    "short_axes_fft": lambda: fft(SHORT_AXES),
    "halving_fft": lambda: checks_fft_core.check_fixed(HALVING),
    "full_scale_fft": lambda: checks_fft_core.check_full_scale(PIPELINED),
    "block_fft": lambda: test_fft_block.check_amplitudes(BLOCK),
    "block_edges_fft": lambda: checks_fft_core.run(BLOCK, test_fft_block.edges(BLOCK)),
    "fft2d": lambda: check_fft2d(TILE),
    "real_fft": lambda: check_real(REAL, n_frames=6),
    "real_pair_fft": lambda: check_real_pair(REAL, n_frames=6),
    "stalled_real_pair_fft": lambda: check_real_pair(
        REAL, n_frames=24, stalls="sink", sink_delay=300
    ),
    "threshold_fft": lambda: check_threshold(PIPELINED, any_size=True),
    "windowed_fft": lambda: check_window(REAL),
    "twiddle": lambda: checks_fft_core.check_twiddle(HALVING),
    "ice40_butterfly": lambda: test_fft_primitives.check_butterfly(HALVING, 3, gaps=True),
    "ice40_queue": test_fft_primitives.check_queue,
    "falling_fft": lambda: checks_fft_core.check_falling_sizes(PIPELINED),
    "stalled_fft": lambda: checks_fft_core.check_long_stall(PIPELINED),
    "parallel_fft": lambda: test_fft_parallel.check_square(PARALLEL),
    "parallel_falling_fft": lambda: checks_fft_core.check_falling_sizes(
        dataclasses.replace(PARALLEL, log2_n_max=4, samples_per_clock=8)
    ),
    "parallel_products": lambda: test_fft_parallel.check_products(PARALLEL_HALVING, 3),
}
"""Checks that need no arguments; each has its place in the suite with many."""


MUTATIONS = {
    "FFT: rounding half up": Mutation(
        narrow.Narrow,
        "_halve_or_clip",
        "self.halve & value[0] & value[1]",
        "self.halve & value[0]",
        "pipelined_fft",
    ),
    "FFT: a negative term of a constant lacks its one": Mutation(
        constants.ConstantMultiplier,
        "elaborate",
        "if digit < 0)",
        "if digit < -2)",
        "short_axes_fft",
    ),
    "FFT: the inverse chooses the constants of the forward transform": Mutation(
        sixteenths.SixteenthTwiddle, "_constants", "sign * im", "im", "short_axes_fft"
    ),
    "FFT: a constant is chosen a cycle early": Mutation(
        sixteenths.SixteenthTwiddle,
        "_products",
        'self.lead, "index"',
        'self.lead - 1, "index"',
        "short_axes_fft",
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
        "result.last.eq(last)",
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
        "allowed.eq(Cat(~size, 1))",
        "allowed.eq(-1)",
        "falling_fft",
    ),
    "FFT: a longer frame's successor waits a cycle less": Mutation(
        pipelined.PipelinedFFT,
        "_may_start",
        "left == 1 << (bit - self._log2_rate)",
        "left == (1 << bit) + 1",
        "falling_fft",
    ),
    "FFT: twiddle factors conjugated": Mutation(
        twiddle, "packed_factors", "(c - s) & mask", "(c + s) & mask", "pipelined_fft"
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
        "_operands",
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
}
