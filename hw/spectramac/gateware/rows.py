# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Which accumulator row makes which sample: the order of a packed spectrum, and the lanes."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spectramac.gateware.spectrum import FrameSizes
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import row_width

__all__ = ["BlockWalker", "RowPlacement"]


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

    Wires if the number of lanes is a power of two, else a table in block RAM. One cycle.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.number_width = (config.row_pairs_max - 1).bit_length()
        super().__init__(
            {
                "number": In(self.number_width),
                "lane": Out(range(config.n_lanes)),
                "row": Out(row_width(config)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        n_lanes = self.config.n_lanes
        if n_lanes & (n_lanes - 1) == 0:
            log2_lanes = n_lanes.bit_length() - 1
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
            Cat(self.lane, self.row).eq(read.data),
        ]
        return m
