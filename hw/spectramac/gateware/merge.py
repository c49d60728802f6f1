# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""From row sums back to a packed spectrum: accumulators to inverse FFT."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spectramac.gateware.fixed import saturate
from spectramac.gateware.memory import ReadPort
from spectramac.gateware.spectrum import FrameSizes
from spectramac.gateware.stream import layout
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import row_width, sample

__all__ = ["BlockWalker", "Merge", "RowPlacement", "Shift"]


class BlockWalker(wiring.Component):
    """Which row pair, and what of it, makes sample ``index`` of a block's packed spectrum.

    Combinational from ``index``; ``log2_n`` and ``two_d`` must be stable for a cycle before.

    With Y1, Y2 the spectra of both inferences, the packed spectrum is Z = Y1 + j Y2. A complex pair gives two samples,
    its bin and the conjugate bin; a pair of two real bins gives one sample each.

    Members
    -------
    index : :py:`In(log2_n_max)`
    log2_n : :py:`In(4)`
        0: identity, two samples a pair.
    two_d : :py:`In(1)`
    pair : :py:`Out(log2_n_max)`
        Number of the pair in its block.
    joint : :py:`Out(1)`
        It is one complex bin.
    second : :py:`Out(1)`
        Wanted is the conjugate bin, or the second real value.

    References
    ----------
    :func:`spectramac.model.spectrum.pair_map`
    """

    def __init__(self, log2_n_max: int) -> None:
        self.log2_n_max = log2_n_max
        super().__init__(
            {
                "index": In(log2_n_max),
                "log2_n": In(4),
                "two_d": In(1),
                "pair": Out(log2_n_max),
                "joint": Out(1),
                "second": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = self.log2_n_max
        index = self.index
        sizes = FrameSizes(m, self.log2_n, self.two_d, width)
        low, high, negated_low, negated_high = (
            Signal(width, name=n) for n in ("low", "high", "negated_low", "negated_high")
        )
        m.d.comb += [
            low.eq(index & sizes.low_mask),
            high.eq(index & sizes.high_mask),
            negated_low.eq(-low & sizes.low_mask),
            negated_high.eq(-high & sizes.high_mask),
        ]
        with m.If(self.log2_n == 0):
            m.d.comb += [self.pair.eq(index >> 1), self.second.eq(index[0])]
        with m.Elif(~self.two_d):
            m.d.comb += [
                self.joint.eq((index != 0) & (index != sizes.half)),
                self.second.eq(index >= sizes.half),
                self.pair.eq(
                    Mux(index > sizes.half, negated_low, Mux(index == sizes.half, 0, index))
                ),
            ]
        with m.Else():
            edge, upper, real = Signal(), Signal(), Signal()
            m.d.comb += [
                edge.eq((high == 0) | (high == sizes.half)),
                upper.eq(low > sizes.low_half),
                real.eq(edge & ((low == 0) | (low == sizes.low_half))),
                self.joint.eq(~real),
            ]
            with m.If(real):
                m.d.comb += [self.pair.eq(low), self.second.eq(high != 0)]
            with m.Elif(edge):
                m.d.comb += [
                    self.second.eq(upper ^ (high != 0)),
                    self.pair.eq(Mux(self.second, negated_low, low)),
                ]
            with m.Else():
                m.d.comb += [
                    self.second.eq(index > sizes.half),
                    self.pair.eq(Mux(self.second, negated_low | negated_high, index)),
                ]
        return m


class RowPlacement(wiring.Component):
    """Lane and accumulator row of row pair number ``number``: number mod L and number div L.

    Wires if the number of lanes is a power of two, else a table in block RAM. One cycle, when ``enable``.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.number_width = (config.row_pairs_max - 1).bit_length()
        super().__init__(
            {
                "number": In(self.number_width),
                "enable": In(1),
                "lane": Out(range(config.n_lanes)),
                "row": Out(row_width(config)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        n_lanes = self.config.n_lanes
        if n_lanes & (n_lanes - 1) == 0:
            log2_lanes = n_lanes.bit_length() - 1
            with m.If(self.enable):
                m.d.sync += Cat(self.lane[:log2_lanes], self.row).eq(self.number)
            return m
        lane_width = len(self.lane)
        table = [
            number % n_lanes | number // n_lanes << lane_width
            for number in range(self.config.row_pairs_max)
        ]
        m.submodules.table = memory = Memory(
            shape=unsigned(lane_width + len(self.row)), depth=len(table), init=table
        )
        read = memory.read_port()
        m.d.comb += [
            read.addr.eq(self.number),
            read.en.eq(self.enable),
            Cat(self.lane, self.row).eq(read.data),
        ]
        return m


class Shift(wiring.Component):
    """Divide by ``2**shift`` (0 to 31), round half to even, saturate. Two register stages.

    Both stages hold while ``enable`` is 0. Saturation is reported with the result.

    Parameters
    ----------
    in_width, out_width : int
        Signed widths.

    Members
    -------
    enable : :py:`In(1)`
    i : :py:`In(signed(in_width))`
    shift : :py:`In(5)`
    o : :py:`Out(signed(out_width))`
    overflow : :py:`Out(1)`

    References
    ----------
    :func:`spectramac.model.fixed.round_shift`, :func:`spectramac.model.fixed.saturate`
    """

    LATENCY = 2

    def __init__(self, in_width: int, out_width: int) -> None:
        self.in_width = in_width
        self.out_width = out_width
        super().__init__(
            {
                "enable": In(1),
                "i": In(signed(in_width)),
                "shift": In(5),
                "o": Out(signed(out_width)),
                "overflow": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # floor(i / 2**shift), with the bit below (half) and whether any bit under that is set.
        floor = Signal(signed(self.in_width))
        half, below = Signal(), Signal()
        value: Value = Cat(0, self.i).as_signed()  # one guard bit
        rest: Value = Value.cast(0)[:1]
        for bit in range(5):
            amount = 1 << bit
            lost = value[: min(amount, len(value))].any()
            rest = rest | (self.shift[bit] & lost)
            value = Mux(self.shift[bit], value >> amount, value).as_signed()[: self.in_width + 1]
            value = value.as_signed()
        with m.If(self.enable):
            m.d.sync += [floor.eq(value[1:].as_signed()), half.eq(value[0]), below.eq(rest)]
        rounded = Signal(signed(self.in_width + 1))
        m.d.comb += rounded.eq(floor + (half & (below | floor[0])))
        clipped, flag = saturate(rounded, self.out_width)
        with m.If(self.enable):
            m.d.sync += [self.o.eq(clipped), self.overflow.eq(flag)]
        return m


class Merge(wiring.Component):
    """Stream a row group's packed spectrum out of the accumulators, then clear them.

    After ``start``, for each block, samples in natural order: the exact sum or difference of the sums of both
    inferences, shifted by the row pair's shift, rounded half to even, saturated to the data width. Then ``clear_depth``
    rows are zeroed, and ``release`` tells that the bank is free.

    The first sample is valid :attr:`LATENCY` cycles after ``start``, then one a cycle (one every two cycles if the
    requantizer has one multiplier). Where the inverse FFT holds one frame at a time, each frame waits until
    ``frame_free``.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`

    Members
    -------
    start : :py:`In(1)`
        Only when not ``busy``.
    bank : :py:`In(1)`
    size : :py:`In(config.size_width)`
        Samples of the group, sampled at ``start``.
    first_pair : :py:`In(16)`
        The group's first row pair in the layer, sampled at ``start``: address of its row shift.
    log2_n, two_d, bin_major, column_stride, clear_depth, per_row_shift, row_shift : :py:`In(…)`
        From the descriptor.
    frame_free : :py:`In(1)`
        A frame may begin.
    busy, release, overflow : :py:`Out(1)`
    sweeping : :py:`Out(1)`
        After a reset, all rows of all banks are being zeroed, so that a run that was stopped leaves nothing behind.
    frame_start : :py:`Out(1)`
        Strobe: the first sample of a frame is on its way.
    shifts : :py:`Out(ReadPort)`
        Row-shift memory.
    drain_row, drain_enable, clear, drained : see :class:`~spectramac.gateware.lanes.Lanes`
    o : :py:`Out(stream.Signature(sample(config)))`
    """

    LATENCY = 9
    """Cycles from ``start`` to the first sample."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        shift_address = (config.channel_depth - 1).bit_length()
        n_banks = config.n_accumulator_banks
        super().__init__(
            {
                "start": In(1),
                "bank": In(1),
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
                "release": Out(1),
                "overflow": Out(1),
                "sweeping": Out(1, init=1),
                "frame_start": Out(1),
                "shifts": Out(ReadPort(shift_address, 5)),
                "drain_row": Out(row_width(config)),
                "drain_enable": Out(1),
                "clear": Out(1),
                "drained": In(4 * config.accumulator_width).array(n_banks, config.n_lanes),
                "o": Out(stream.Signature(layout(sample(config)))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        acc = config.accumulator_width
        width = config.log2_n_max
        pace = 2 // config.n_requantize_multipliers
        advance = Signal()
        m.d.comb += advance.eq(~self.o.valid | self.o.ready)

        # Stage 0: walk over the samples of each block.
        active, clearing, wait = Signal(), Signal(), Signal()
        remaining = Signal(config.size_width)
        index = Signal(width)
        number_base, shift_base = Signal(16), Signal(16)  # of the block's first row pair
        lane_bin, row_bin = Signal(range(config.n_lanes)), Signal(16)
        m.submodules.walker = walker = BlockWalker(width)
        block_end, issue, last = Signal(), Signal(), Signal()
        sizes = FrameSizes(m, self.log2_n, self.two_d, width)
        m.d.comb += [
            walker.index.eq(index),
            walker.log2_n.eq(self.log2_n),
            walker.two_d.eq(self.two_d),
            block_end.eq(index == sizes.last),
            issue.eq(active & ~wait & ((index != 0) | self.frame_free) & advance),
            last.eq(remaining == 1),
            self.frame_start.eq(issue & (index == 0)),
            self.busy.eq(active | clearing | self.sweeping),
        ]
        if pace == 2:
            with m.If(advance):
                m.d.sync += wait.eq(issue & (self.log2_n == 0))
        with m.If(issue):
            m.d.sync += [index.eq(Mux(block_end, 0, index + 1)), remaining.eq(remaining - 1)]
            with m.If(block_end):
                m.d.sync += [
                    number_base.eq(number_base + sizes.half),
                    shift_base.eq(shift_base + sizes.half),
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
        with m.If(advance):
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
        kind = data.StructLayout({"valid": 1, "joint": 1, "second": 1, "last": 1, "end": 1})
        kinds = [Signal(kind, name=f"kind_{stage}") for stage in range(1, 8)]
        number_1, shift_1 = Signal(16), Signal(16)
        lane_1, lane_2 = Signal(range(config.n_lanes)), Signal(range(config.n_lanes))
        row_1, row_2 = Signal(row_width(config)), Signal(row_width(config))
        m.submodules.placement = placement = RowPlacement(config)
        scaled = Value.cast(0)
        for bit in range(row_width(config)):  # pair * stride, the stride being a power of two
            scaled = scaled | Mux(self.column_stride[bit], walked.pair << bit, 0)
        m.d.comb += [
            placement.number.eq(number_1),
            placement.enable.eq(advance),
            self.shifts.address.eq(shift_1),
            self.shifts.enable.eq(advance),
            self.drain_row.eq(Mux(self.bin_major, row_2, placement.row)),
        ]
        with m.If(advance):
            m.d.sync += [
                *(kinds[0][name].eq(walked[name]) for name in kind.members),
                number_1.eq(walked.number + walked.pair),
                shift_1.eq(walked.shift + walked.pair),
                lane_1.eq(walked.lane),
                row_1.eq(walked.row + scaled),
                lane_2.eq(lane_1),
                row_2.eq(row_1),
            ]
            m.d.sync += [kinds[k].eq(kinds[k - 1]) for k in range(1, 7)]

        # Stage 3: the row is there. Stage 4: the lane's sums. Stage 5: combined. Stages 6, 7: shifted.
        lane_3 = Signal(range(config.n_lanes))
        shift_values = [Signal(5, name=f"shift_{stage}") for stage in range(3, 6)]
        sums = Signal(4 * acc)
        combined = [Signal(signed(acc + 1), name=f"combined_{part}") for part in ("re", "im")]
        chosen = Signal(4 * acc)
        with m.Switch(self.bank):
            for b in range(config.n_accumulator_banks):
                with m.Case(b), m.Switch(lane_3):
                    for i in range(config.n_lanes):
                        with m.Case(i):
                            m.d.comb += chosen.eq(self.drained[b][i])
        a1, a2, b1, b2 = (sums[acc * k : acc * (k + 1)].as_signed() for k in range(4))
        with m.If(advance):
            m.d.sync += [
                lane_3.eq(Mux(self.bin_major, lane_2, placement.lane)),
                shift_values[0].eq(Mux(self.per_row_shift, self.shifts.data, self.row_shift)),
                shift_values[1].eq(shift_values[0]),
                shift_values[2].eq(shift_values[1]),
                sums.eq(chosen),
            ]
            with m.If(~kinds[3].joint):
                m.d.sync += [
                    combined[0].eq(Mux(kinds[3].second, b1, a1)),
                    combined[1].eq(Mux(kinds[3].second, b2, a2)),
                ]
            with m.Elif(kinds[3].second):
                m.d.sync += [combined[0].eq(a1 + b2), combined[1].eq(a2 - b1)]
            with m.Else():
                m.d.sync += [combined[0].eq(a1 - b2), combined[1].eq(b1 + a2)]
        flags = []
        for part, name in enumerate(("re", "im")):
            m.submodules[f"shift_{name}"] = shift = Shift(acc + 1, config.data_width)
            m.d.comb += [
                shift.enable.eq(advance),
                shift.i.eq(combined[part]),
                shift.shift.eq(shift_values[2]),
                self.o.payload.data[name].eq(shift.o),
            ]
            flags.append(shift.overflow)
        m.d.comb += [
            self.o.valid.eq(kinds[6].valid),
            self.o.payload.last.eq(kinds[6].last),
            self.overflow.eq(self.o.valid & self.o.ready & (flags[0] | flags[1])),
        ]

        # Clear, once the last row has been read.
        clear_row = Signal(row_width(config) + 1)
        clear_now = Signal(init=1)
        clear_end = Signal()
        m.d.comb += [
            self.drain_enable.eq(advance),
            self.clear.eq(clear_now),
            clear_end.eq(
                clear_row == Mux(self.sweeping, config.accumulator_depth, self.clear_depth) - 1
            ),
            self.release.eq(clear_now & clear_end & ~self.sweeping),
        ]
        with m.If(clear_now):
            m.d.comb += self.drain_row.eq(clear_row)
            m.d.sync += clear_row.eq(clear_row + 1)
            with m.If(clear_end):
                m.d.sync += [clear_now.eq(0), clearing.eq(0), self.sweeping.eq(0)]
        with m.Elif(kinds[3].end & kinds[3].valid & advance):
            m.d.sync += [clear_now.eq(1), clear_row.eq(0)]

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
