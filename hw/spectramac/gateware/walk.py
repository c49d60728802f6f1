# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The walk of a convolution over its padded map, and the tap table of its phases (docs/design.md)."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import EXTENT_WIDTH, row_width

__all__ = ["N_PHASES", "TapTable", "Walk"]

N_PHASES = 4
"""Phases of a convolution: strides are 1 or 2 on each axis."""


class Walk(wiring.Component):
    """Positions of the padded map, row by row, pair after pair; one a cycle.

    Outputs describe the present position; they are valid from the cycle after ``start`` while ``active``.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`

    Members
    -------
    start : :py:`In(1)`
        Begin a layer.
    step : :py:`In(1)`
        Go on.
    n_pairs : :py:`In(16)`
    descriptor fields, of the same names
    active : :py:`Out(1)`
    used : :py:`Out(1)`
        There is a pixel, and taps see it.
    phase : :py:`Out(2)`
    next_phase : :py:`Out(2)`
        Of the next position, whatever it is.
    address : :py:`Out(16)`
        Activation address of the pixel.
    ring : :py:`Out(row)`
        Accumulator row.
    retires : :py:`Out(1)`
        The rows of an output leave the ring.
    writes : :py:`Out(1)`
        The output map has it.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        row = row_width(config)
        super().__init__(
            {
                "start": In(1),
                "step": In(1),
                "n_pairs": In(16),
                "in_base": In(16),
                "in_stride": In(16),
                "in_height": In(EXTENT_WIDTH),
                "in_width": In(EXTENT_WIDTH),
                "in_pixel_stride": In(16),
                "in_row_stride": In(16),
                "walk_height": In(EXTENT_WIDTH),
                "walk_width": In(EXTENT_WIDTH),
                "top": In(8),
                "left": In(8),
                "kernel_height": In(8),
                "kernel_width": In(8),
                "stride_y": In(8),
                "stride_x": In(8),
                "pixel_rows": In(16),
                "line_rows": In(16),
                "active": Out(1),
                "used": Out(1),
                "phase": Out(2),
                "next_phase": Out(2),
                "address": Out(16),
                "ring": Out(row),
                "retires": Out(1),
                "writes": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        row = row_width(self.config)
        # Facts of the layer, stable long before they matter.
        two_y, two_x = Signal(), Signal()
        last_y, last_x = Signal(EXTENT_WIDTH), Signal(EXTENT_WIDTH)
        bottom, right = Signal(EXTENT_WIDTH + 1), Signal(EXTENT_WIDTH + 1)
        kernel_y, kernel_x = Signal(8), Signal(8)  # last row and column
        m.d.sync += [
            two_y.eq(self.stride_y[1]),
            two_x.eq(self.stride_x[1]),
            last_y.eq(self.walk_height - 1),
            last_x.eq(self.walk_width - 1),
            bottom.eq(self.top + self.in_height),
            right.eq(self.left + self.in_width),
            kernel_y.eq(self.kernel_height - 1),
            kernel_x.eq(self.kernel_width - 1),
        ]
        y, x = Signal(EXTENT_WIDTH), Signal(EXTENT_WIDTH)
        odd_y, odd_x = Signal(), Signal()  # phases
        pairs = Signal(16)
        end_x, end_y = Signal(), Signal()
        m.d.comb += [end_x.eq(x == last_x), end_y.eq(y == last_y)]

        # The pixel, and whether there is one.
        inside_y, inside_x = Signal(), Signal()
        pair_base, line_base = Signal(16), Signal(16)
        m.d.comb += [
            inside_y.eq((y >= self.top) & (y < bottom)),
            inside_x.eq((x >= self.left) & (x < right)),
            self.used.eq(
                inside_y & inside_x & (~odd_y | (kernel_y != 0)) & (~odd_x | (kernel_x != 0))
            ),
            self.phase.eq(Mux(two_x, Cat(odd_x, odd_y), odd_y)),
        ]
        next_odd_y, next_odd_x = Signal(), Signal()
        m.d.comb += [
            next_odd_x.eq(two_x & ~odd_x & ~end_x),
            next_odd_y.eq(Mux(end_x, two_y & ~odd_y & ~end_y, odd_y)),
            self.next_phase.eq(Mux(two_x, Cat(next_odd_x, next_odd_y), next_odd_y)),
        ]

        # The output that ends here: that of the last tap, if its coordinates are not negative.
        ends_y, ends_x = Signal(), Signal()
        m.d.comb += [
            ends_y.eq(odd_y == (two_y & kernel_y[0])),
            ends_x.eq(odd_x == (two_x & kernel_x[0])),
            self.retires.eq(ends_y & ends_x),
            self.writes.eq(self.retires & (y >= kernel_y) & (x >= kernel_x)),
        ]

        line_ring = Signal(row)  # ring row of the first position of the line
        with m.If(self.step):
            m.d.sync += [x.eq(x + 1), odd_x.eq(next_odd_x), odd_y.eq(next_odd_y)]
            with m.If(~two_x | odd_x):
                m.d.sync += self.ring.eq(self.ring + self.pixel_rows)
            with m.If(inside_x):
                m.d.sync += self.address.eq(self.address + self.in_pixel_stride)
            with m.If(end_x):
                m.d.sync += [x.eq(0), y.eq(y + 1), self.ring.eq(line_ring)]
                following = line_base + Mux(inside_y, self.in_row_stride, 0)
                m.d.sync += [line_base.eq(following), self.address.eq(following)]
                with m.If(~two_y | odd_y | end_y):
                    m.d.sync += [
                        line_ring.eq(line_ring + self.line_rows),
                        self.ring.eq(line_ring + self.line_rows),
                    ]
                with m.If(end_y):
                    base = pair_base + self.in_stride
                    m.d.sync += [y.eq(0), pairs.eq(pairs - 1)]
                    m.d.sync += [s.eq(base) for s in (pair_base, line_base, self.address)]
                    with m.If(pairs == 1):
                        m.d.sync += self.active.eq(0)
        with m.If(self.start):
            m.d.sync += [
                self.active.eq(1),
                pairs.eq(self.n_pairs),
                *(s.eq(0) for s in (x, y, odd_x, odd_y, self.ring, line_ring)),
                *(s.eq(self.in_base) for s in (pair_base, line_base, self.address)),
            ]
        return m


class TapTable(wiring.Component):
    """What the lanes add to a position's ring row, for every row that an entry may name.

    After ``start`` the table is written, one word a cycle, and one cycle more for each phase: phase after phase, tap
    after tap, the rows of an output. ``busy`` from the cycle after ``start`` until the last word is written.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`

    Members
    -------
    start : :py:`In(1)`
    descriptor fields, of the same names
    busy : :py:`Out(1)`
    write : :py:`Out(1)`
    index : :py:`Out(tap)`
        Row, numbered through over the phases.
    offset : :py:`Out(row)`
        Modulo the accumulators' depth.
    first_0 … first_3 : :py:`Out(row)`
        First row of each phase.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        row = row_width(config)
        super().__init__(
            {
                "start": In(1),
                "kernel_height": In(8),
                "kernel_width": In(8),
                "stride_y": In(8),
                "stride_x": In(8),
                "pixel_rows": In(16),
                "line_rows": In(16),
                "busy": Out(1),
                "write": Out(1),
                "index": Out((config.tap_depth - 1).bit_length()),
                "offset": Out(row),
                **{f"first_{f}": Out(row) for f in range(N_PHASES)},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        row = row_width(self.config)
        odd_y, odd_x = Signal(), Signal()
        two_y, two_x = self.stride_y[1], self.stride_x[1]
        last_y, none_y = self._taps(m, "y", self.kernel_height, two_y, odd_y)
        last_x, none_x = self._taps(m, "x", self.kernel_width, two_x, odd_x)
        last_u = Signal(16)
        m.d.sync += last_u.eq(self.pixel_rows - 1)
        i, j, u = Signal(8), Signal(8), Signal(16)
        line, tap = Signal(row), Signal(row)  # offset of the tap's row of taps, of the tap
        end_u, end_j, end_i, phase_end = Signal(), Signal(), Signal(), Signal()
        phase = Signal(2)
        begin = Signal()
        m.d.comb += [
            end_u.eq(u == last_u),
            end_j.eq(j == last_x),
            end_i.eq(i == last_y),
            phase.eq(Mux(two_x, Cat(odd_x, odd_y), odd_y)),
            self.write.eq(self.busy & ~begin),
            phase_end.eq(Mux(begin, none_y | none_x, self.write & end_u & end_j & end_i)),
        ]
        with m.If(begin):
            m.d.sync += [s.eq(0) for s in (i, j, u, line, tap, self.offset)]
            m.d.sync += begin.eq(0)
            for f in range(N_PHASES):
                with m.If(phase == f):
                    m.d.sync += getattr(self, f"first_{f}").eq(self.index)
        with m.If(self.write):
            m.d.sync += [
                self.index.eq(self.index + 1),
                self.offset.eq(self.offset + 1),
                u.eq(u + 1),
            ]
            with m.If(end_u):
                following = tap - self.pixel_rows
                m.d.sync += [u.eq(0), j.eq(j + 1), tap.eq(following), self.offset.eq(following)]
                with m.If(end_j):
                    below = line - self.line_rows
                    m.d.sync += [j.eq(0), i.eq(i + 1)]
                    m.d.sync += [s.eq(below) for s in (line, tap, self.offset)]
        with m.If(phase_end):
            second_x, second_y = ~two_x | odd_x, ~two_y | odd_y  # no phase follows on the axis
            m.d.sync += [
                begin.eq(1),
                odd_x.eq(~second_x),
                odd_y.eq(Mux(second_x, ~odd_y, odd_y)),
            ]
            with m.If(second_x & second_y):
                m.d.sync += [begin.eq(0), self.busy.eq(0)]
        with m.If(self.start):
            m.d.sync += [self.busy.eq(1), begin.eq(1)]
            m.d.sync += [s.eq(0) for s in (self.index, odd_y, odd_x)]
        return m

    @staticmethod
    def _taps(m: Module, axis: str, kernel: Any, two: Any, odd: Any) -> tuple[Any, Any]:
        """Number of the phase's last tap on an axis, and whether it has none.

        For either phase they are known long before they matter, so that they are in no path.
        """
        lasts = [Signal(8, name=f"last_{axis}_{phase}") for phase in range(2)]
        nones = [Signal(name=f"none_{axis}_{phase}") for phase in range(2)]
        for phase, (last, none) in enumerate(zip(lasts, nones, strict=True)):
            n = Mux(two, (kernel + (1 - phase)) >> 1, kernel)
            m.d.sync += [last.eq(n - 1), none.eq(n == 0)]
        return Mux(odd, lasts[1], lasts[0]), Mux(odd, nones[1], nones[0])
