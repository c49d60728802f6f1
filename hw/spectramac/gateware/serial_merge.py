# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""From row sums back to a packed spectrum, a sum at a time: for devices with few logic cells."""

from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.memory import ReadPort
from spectramac.gateware.rows import BlockWalker
from spectramac.gateware.shift import Shift
from spectramac.gateware.spectrum import FrameSizes
from spectramac.gateware.stream import layout
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import row_width, sample
from spectramac.spec.timing import SERIAL_SAMPLE_CYCLES

__all__ = ["SerialMerge"]


class SerialMerge(wiring.Component):
    """Stream a row group's packed spectrum out of the accumulators, then clear them: one adder, one shift unit.

    Does what :class:`~spectramac.gateware.merge.Merge` does, bit for bit. A sample takes :attr:`CYCLES` cycles, in the
    last of which it is offered; longer while ``o.ready`` is low, or if it begins a frame and ``frame_free`` is low.
    Then each row takes two cycles to clear. The first sample begins in the cycle after ``start``; the sums that matter
    are read from its second cycle on.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`
        With ``lane_architecture="serial"``.

    Members
    -------
    start, size, first_pair, frame_free, busy, released, overflow, sweeping, frame_start, shifts, o :
        See :class:`~spectramac.gateware.merge.Merge`.
    log2_n, two_d, bin_major, column_stride, clear_depth, per_row_shift, row_shift : :py:`In(…)`
        From the descriptor.
    drain_address, clear, drained : see :class:`~spectramac.gateware.serial_lanes.SerialLanes`
    """

    CYCLES = SERIAL_SAMPLE_CYCLES

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        shift_address = (config.channel_depth - 1).bit_length()
        super().__init__(
            {
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
                "drain_address": Out(row_width(config) + 1),
                "clear": Out(1),
                "drained": In(config.accumulator_width).array(2),
                "o": Out(stream.Signature(layout(sample(config)))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        row_bits = row_width(config)
        active, clearing = Signal(), Signal(init=1)
        phase = Signal(3)
        remaining = Signal(config.size_width)
        index = Signal(config.log2_n_max)
        row_base = Signal(row_bits)  # the block's first row
        shift_base = Signal(len(self.shifts.address))  # its first row pair in the layer
        clear_count = Signal(row_bits + 1)
        m.submodules.walker = walker = BlockWalker(config.log2_n_max)
        block_end, hold, sample_end, clear_end = Signal(), Signal(), Signal(), Signal()
        pair, joint, second = Signal(config.log2_n_max), Signal(), Signal()
        sizes = FrameSizes(m, self.log2_n, self.two_d, config.log2_n_max)
        m.d.comb += [
            walker.index.eq(index),
            walker.log2_n.eq(self.log2_n),
            walker.two_d.eq(self.two_d),
            block_end.eq(index == sizes.last),
            hold.eq(
                ((phase == 0) & (index == 0) & ~self.frame_free) | (self.o.valid & ~self.o.ready)
            ),
            sample_end.eq(self.o.valid & self.o.ready),
            self.frame_start.eq(active & (phase == 0) & (index == 0) & self.frame_free),
            self.busy.eq(active | clearing),
            self.o.valid.eq(active & (phase == self.CYCLES - 1)),
        ]
        m.d.sync += [pair.eq(walker.pair), joint.eq(walker.joint), second.eq(walker.second)]
        with m.If(active & ~hold):
            m.d.sync += phase.eq(phase + 1)
        # All sums have been read: the walker's registers need a cycle for the next sample.
        with m.If(active & (phase == 5)):
            m.d.sync += [index.eq(Mux(block_end, 0, index + 1)), self.o.payload.last.eq(block_end)]
            with m.If(block_end):
                m.d.sync += [
                    row_base.eq(row_base + Mux(self.bin_major, 1, sizes.half)),
                    shift_base.eq(shift_base + sizes.half),
                ]
        with m.If(sample_end):
            m.d.sync += remaining.eq(remaining - 1)
            with m.If(remaining == 1):
                m.d.sync += [active.eq(0), clearing.eq(1)]

        # Which sum to read: parts re, im in phases 0 and 1, 2 and 3. The first is only used of complex bins.
        column, inference = Signal(), Signal()
        row = Signal(row_bits)
        scaled = Value.cast(0)
        for bit in range(row_bits):  # pair * stride, the stride being a power of two
            scaled = scaled | Mux(self.column_stride[bit], pair << bit, 0)
        m.d.comb += [
            column.eq(phase[0] & (joint | second)),
            inference.eq((phase[0] & joint) ^ phase[1]),
            row.eq(row_base + Mux(self.bin_major, scaled, pair)),
            self.drain_address.eq(Mux(clearing, clear_count, Cat(column, row))),
            self.shifts.address.eq(shift_base + pair),
            self.shifts.enable.eq(1),
        ]
        drained = Signal(config.accumulator_width)
        drained_inference = Signal()
        m.d.sync += drained_inference.eq(inference)
        m.d.comb += drained.eq(Mux(drained_inference, self.drained[1], self.drained[0]))
        self._combine(m, phase, drained, joint, second)

        # Clear.
        clear_rows = Mux(self.sweeping, config.accumulator_depth, self.clear_depth)
        m.d.comb += [
            self.clear.eq(clearing),
            clear_end.eq(clear_count == Cat(C(1, 1), (clear_rows - 1)[:row_bits])),
            self.released.eq(clearing & clear_end & ~self.sweeping),
        ]
        with m.If(clearing):
            m.d.sync += clear_count.eq(clear_count + 1)
            with m.If(clear_end):
                m.d.sync += [clearing.eq(0), clear_count.eq(0), self.sweeping.eq(0)]
        with m.If(self.start):
            m.d.sync += [
                active.eq(1),
                remaining.eq(self.size),
                row_base.eq(0),
                shift_base.eq(self.first_pair),
            ]
        return m

    def _combine(
        self, m: Module, phase: Signal, drained: Signal, joint: Signal, second: Signal
    ) -> None:
        """First sum plus or minus second, shifted: re in phases 1 to 5, im two phases later.

        A difference X - Y is ~(~X + Y). Where there is nothing to combine, the first is taken as zero.
        """
        config = self.config
        acc = config.accumulator_width
        first, combined = Signal(signed(acc)), Signal(signed(acc + 1))
        subtract = Signal()
        is_re = ~phase[2] & ~phase[:2].all()
        held = Signal(config.data_width)
        held_overflow = Signal()
        m.d.comb += subtract.eq(joint & (second ^ is_re))
        m.d.sync += [
            first.eq(drained ^ subtract.replicate(acc)),
            combined.eq((first + drained.as_signed()) ^ subtract.replicate(acc + 1)),
        ]
        with m.If(~joint):
            m.d.sync += first.eq(0)
        m.submodules.shift = shift = Shift(acc + 1, config.data_width)
        m.d.comb += [
            shift.enable.eq(~phase.all()),
            shift.i.eq(combined),
            shift.shift.eq(Mux(self.per_row_shift, self.shifts.data, self.row_shift)),
            self.o.payload.data.re.eq(held),
            self.o.payload.data.im.eq(shift.o),
            self.overflow.eq(self.o.valid & self.o.ready & (held_overflow | shift.overflow)),
        ]
        with m.If(phase == 5):
            m.d.sync += [held.eq(shift.o), held_overflow.eq(shift.overflow)]
