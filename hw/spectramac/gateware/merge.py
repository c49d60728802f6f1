# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""From row sums back to a packed spectrum: accumulators to inverse FFT."""

from itertools import pairwise
from typing import Any

from amaranth import C, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.lanes import Lanes
from spectramac.gateware.memory import ReadPort
from spectramac.gateware.rows import BlockWalker, RowPlacement
from spectramac.gateware.shift import Shift
from spectramac.gateware.spectrum import FrameSizes
from spectramac.gateware.stream import Queue, connect, layout
from spectramac.spec.config import OUTPUT_SLOTS, AcceleratorConfig
from spectramac.spec.payloads import row_width, sample

__all__ = ["Merge"]


class Merge(wiring.Component):
    """Stream a row group's packed spectrum out of the accumulators, then clear them.

    After ``start``, for each block, samples in natural order: the exact sum or difference of the sums of both
    inferences, shifted by the row pair's shift, rounded half to even, saturated to the data width. Then ``clear_depth``
    rows are zeroed, and ``released`` tells that the bank is free.

    The first sample is valid :attr:`LATENCY` cycles after ``start``, then one a cycle (one every two cycles if the
    requantizer has one multiplier). Where the inverse FFT holds one frame at a time, each frame waits until
    ``frame_free``. Nothing stalls inside: samples that ``o`` does not take wait in a queue, and no more are begun than
    it has room for.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`

    Members
    -------
    start : :py:`In(1)`
        Only when not ``busy``.
    size : :py:`In(config.size_width)`
        Samples of the group, sampled at ``start``.
    first_pair : :py:`In(16)`
        The group's first row pair in the layer, sampled at ``start``: address of its row shift.
    log2_n, two_d, bin_major, column_stride, clear_depth, per_row_shift, row_shift : :py:`In(…)`
        From the descriptor.
    frame_free : :py:`In(1)`
        A frame may begin.
    busy, released, overflow : :py:`Out(1)`
    sweeping : :py:`Out(1)`
        After a reset, and after ``sweep``, all rows of all banks are being zeroed, so that a run that was stopped, or a
        convolution, leaves nothing behind.
    frame_start : :py:`Out(1)`
        Strobe: the first sample of a frame is on its way.
    shifts : :py:`Out(ReadPort)`
        Row-shift memory.
    drain_row, drain_lane, clear, drained : see :class:`~spectramac.gateware.lanes.Lanes`
    in_ring : :py:`In(1)`
        With ``config.maps``: this layer is a convolution. A group is an output of the ring, in the next part of
        bank 1, the first after ``start_layer``; its rows need not be cleared.
    start_layer : :py:`In(1)`
    sweep : :py:`In(1)`
        With ``config.maps``: zero all rows, as after a reset; only when not ``busy``.
    shift_per_block : :py:`In(1)`
        With ``config.maps``: row-shift memory has one word for each block.
    o : :py:`Out(stream.Signature(sample(config)))`
    """

    LATENCY = 14
    """Cycles from ``start`` to the first sample."""
    ROOM = 16
    """Samples on their way or waiting; enough for one a cycle."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        shift_address = (config.channel_depth - 1).bit_length()
        maps = {"in_ring": In(1), "start_layer": In(1), "sweep": In(1), "shift_per_block": In(1)}
        super().__init__(
            {
                **(maps if config.maps else {}),
                "start": In(1),
                "size": In(config.size_width),
                "first_pair": In(16),
                "log2_n": In(4),
                "two_d": In(1),
                "bin_major": In(1),
                "column_stride": In(16),
                "clear_depth": In(row_width(config) + 1),
                "per_row_shift": In(1),
                "row_shift": In(5),
                "frame_free": In(1),
                "busy": Out(1),
                "released": Out(1),
                "overflow": Out(1),
                "sweeping": Out(1, init=1),
                "frame_start": Out(1),
                "shifts": Out(ReadPort(shift_address, 5)),
                "drain_row": Out(row_width(config)),
                "drain_lane": Out(range(config.n_lanes)),
                "clear": Out(1),
                "drained": In(4 * config.accumulator_width),
                "o": Out(stream.Signature(layout(sample(config)))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        acc = config.accumulator_width
        width = config.log2_n_max
        pace = 2 // config.n_requantize_multipliers
        room = Signal(range(self.ROOM + 1), init=self.ROOM)

        # Stage 0: walk over the samples of each block.
        active, clearing, wait = Signal(), Signal(), Signal()
        remaining = Signal(config.size_width)
        index = Signal(width)
        number_base, shift_base = Signal(16), Signal(16)  # of the block's first row pair
        lane_bin, row_bin = Signal(range(config.n_lanes)), Signal(16)
        m.submodules.walker = walker = BlockWalker(width)
        block_end, issue, last = Signal(), Signal(), Signal()
        sizes = FrameSizes(m, self.log2_n, self.two_d, width)
        block_shifts: Any = sizes.half  # row shifts of a block
        if config.maps:
            block_shifts = Mux(self.shift_per_block, 1, sizes.half)
        m.d.comb += [
            walker.index.eq(index),
            walker.log2_n.eq(self.log2_n),
            walker.two_d.eq(self.two_d),
            block_end.eq(index == sizes.last),
            issue.eq(active & ~wait & ((index != 0) | self.frame_free) & (room != 0)),
            last.eq(remaining == 1),
            self.frame_start.eq(issue & (index == 0)),
            self.busy.eq(active | clearing | self.sweeping),
        ]
        if pace == 2:
            m.d.sync += wait.eq(issue & (self.log2_n == 0))
        with m.If(issue):
            m.d.sync += [index.eq(Mux(block_end, 0, index + 1)), remaining.eq(remaining - 1)]
            with m.If(block_end):
                m.d.sync += [
                    number_base.eq(number_base + sizes.half),
                    shift_base.eq(shift_base + block_shifts),
                    lane_bin.eq(lane_bin + 1),
                ]
                with m.If(lane_bin == config.n_lanes - 1):
                    m.d.sync += [lane_bin.eq(0), row_bin.eq(row_bin + 1)]
            with m.If(last):
                m.d.sync += [active.eq(0), clearing.eq(1)]

        # Between stages 0 and 1: what the walk says, so that it is not added in the same cycle.
        walked = Signal(
            data.StructLayout(
                {
                    "valid": 1,
                    "joint": 1,
                    "second": 1,
                    "last": 1,
                    "end": 1,
                    "pair": width,
                    "number": 16,
                    "shift": 16,
                    "lane": range(config.n_lanes),
                    "row": 16,
                }
            )
        )
        m.d.sync += [
            walked.valid.eq(issue),
            walked.joint.eq(walker.joint),
            walked.second.eq(walker.second),
            walked.last.eq(block_end),
            walked.end.eq(issue & last),
            walked.pair.eq(walker.pair),
            walked.number.eq(number_base),
            walked.shift.eq(shift_base),
            walked.lane.eq(lane_bin),
            walked.row.eq(row_bin),
        ]

        # Stage 1: numbers known. Stage 2: lane and row known; accumulators and row shift are read.
        combined_stage = 3 + Lanes.DRAIN_LATENCY  # the sums are registered, and then combined
        kind = data.StructLayout({"valid": 1, "joint": 1, "second": 1, "last": 1, "end": 1})
        kinds = [walked, *(Signal(kind, name=f"kind_{k}") for k in range(1, combined_stage + 4))]
        for k, stage in enumerate(kinds[1:]):
            m.d.sync += [stage[name].eq(kinds[k][name]) for name in kind.members]
        number_1, shift_1 = Signal(16), Signal(16)
        lane_1, lane_2 = Signal(range(config.n_lanes)), Signal(range(config.n_lanes))
        row_1, row_2 = Signal(row_width(config)), Signal(row_width(config))
        m.submodules.placement = placement = RowPlacement(config)
        slot_row: Any = C(0)
        if config.maps:
            slot = Signal(range(OUTPUT_SLOTS))
            slot_row = Mux(self.in_ring, slot, 0) << (row_width(config) - len(slot))
            with m.If(self.released):
                m.d.sync += slot.eq(slot + 1)
            with m.If(self.start_layer):
                m.d.sync += slot.eq(0)
        shift_in_block: Any = walked.pair
        if config.maps:
            shift_in_block = Mux(self.shift_per_block, 0, walked.pair)
        scaled = Value.cast(0)
        for bit in range(row_width(config)):  # pair * stride, the stride being a power of two
            scaled = scaled | Mux(self.column_stride[bit], walked.pair << bit, 0)
        m.d.comb += [
            placement.number.eq(number_1),
            self.shifts.address.eq(shift_1),
            self.shifts.enable.eq(1),
            self.drain_row.eq(Mux(self.bin_major, row_2, placement.row) | slot_row),
            self.drain_lane.eq(Mux(self.bin_major, lane_2, placement.lane)),
        ]
        m.d.sync += [
            number_1.eq(walked.number + walked.pair),
            shift_1.eq(walked.shift + shift_in_block),
            lane_1.eq(walked.lane),
            row_1.eq(walked.row + scaled),
            lane_2.eq(lane_1),
            row_2.eq(row_1),
        ]

        # The lanes answer; the sums are combined; then two stages of shifting.
        sums = Signal(4 * acc, reset_less=True)
        shift_values = [
            Signal(5, name=f"shift_{k}", reset_less=True) for k in range(3, combined_stage + 2)
        ]
        combined = [
            Signal(signed(acc + 1), name=f"combined_{part}", reset_less=True)
            for part in ("re", "im")
        ]
        a1, a2, b1, b2 = (sums[acc * k : acc * (k + 1)].as_signed() for k in range(4))
        now = kinds[combined_stage]
        m.d.sync += [
            sums.eq(self.drained),
            shift_values[0].eq(Mux(self.per_row_shift, self.shifts.data, self.row_shift)),
            *(after.eq(before) for before, after in pairwise(shift_values)),
        ]
        with m.If(~now.joint):
            m.d.sync += [
                combined[0].eq(Mux(now.second, b1, a1)),
                combined[1].eq(Mux(now.second, b2, a2)),
            ]
        with m.Elif(now.second):
            m.d.sync += [combined[0].eq(a1 + b2), combined[1].eq(a2 - b1)]
        with m.Else():
            m.d.sync += [combined[0].eq(a1 - b2), combined[1].eq(b1 + a2)]
        m.submodules.queue = queue = Queue(layout(sample(config)), depth=self.ROOM)
        flags = []
        for part, name in enumerate(("re", "im")):
            m.submodules[f"shift_{name}"] = shift = Shift(acc + 1, config.data_width)
            m.d.comb += [
                shift.enable.eq(1),
                shift.i.eq(combined[part]),
                shift.shift.eq(shift_values[-1]),
                queue.i.payload.data[name].eq(shift.o),
            ]
            flags.append(shift.overflow)
        m.d.comb += [
            queue.i.valid.eq(kinds[-1].valid),
            queue.i.payload.last.eq(kinds[-1].last),
            self.overflow.eq(kinds[-1].valid & (flags[0] | flags[1])),
        ]
        connect(m, queue.o, wiring.flipped(self.o))
        with m.If(issue & ~(self.o.valid & self.o.ready)):
            m.d.sync += room.eq(room - 1)
        with m.Elif(~issue & self.o.valid & self.o.ready):
            m.d.sync += room.eq(room + 1)

        # Clear, once the last row has been asked for.
        clear_row = Signal(row_width(config) + 1)
        clear_now = Signal(init=1)
        clear_end = Signal()
        m.d.comb += [
            self.clear.eq(clear_now),
            clear_end.eq(
                clear_row == Mux(self.sweeping, config.accumulator_depth, self.clear_depth) - 1
            ),
        ]
        released: Any = clear_now & clear_end & ~self.sweeping
        with m.If(clear_now):
            m.d.comb += self.drain_row.eq(clear_row)
            m.d.sync += clear_row.eq(clear_row + 1)
            with m.If(clear_end):
                m.d.sync += [clear_now.eq(0), clearing.eq(0), self.sweeping.eq(0)]
        with m.Elif(kinds[2].end):
            m.d.sync += [clear_now.eq(1), clear_row.eq(0)]
        if config.maps:
            released |= self.in_ring & kinds[2].end
            with m.If(self.in_ring & kinds[2].end):
                m.d.sync += [clear_now.eq(0), clearing.eq(0)]
            with m.If(self.sweep):
                m.d.sync += [clear_now.eq(1), clear_row.eq(0), self.sweeping.eq(1)]
        m.d.comb += self.released.eq(released)

        with m.If(self.start):
            m.d.sync += [
                active.eq(1),
                wait.eq(0),
                remaining.eq(self.size),
                index.eq(0),
                number_base.eq(0),
                shift_base.eq(self.first_pair),
                lane_bin.eq(0),
                row_bin.eq(0),
            ]
        return m
