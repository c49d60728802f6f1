# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Addresses of all taps of all windows of a layer, one a cycle, by counters and adders."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import FIELDS

__all__ = ["WALK_FIELDS", "WindowWalk"]

WALK_FIELDS = (
    "in_base",
    "in_stride",
    "in_row_stride",
    "in_pixel_stride",
    "in_height",
    "in_width",
    "out_height",
    "out_width",
    "n_out",
    "multiplicity",
    "kernel_height",
    "kernel_width",
    "stride_y",
    "stride_x",
    "top",
    "left",
    "kernel_base",
    "row_shift_base",
    "second_base",
    "second_stride",
)
"""Descriptor fields that say where the taps are."""
FACTOR_WIDTH = 8
"""Bits of strides and padding, which are multiplied once a layer, a bit a cycle."""


class WindowWalk(wiring.Component):
    """For pair, output row, output pixel, output channel, window row and window column, in this order: one tap.

    After ``start`` the layer's constants are made (strides of the map times ``stride_y``, ``stride_x``, ``top`` and
    ``left``), then there is a tap in each cycle in which ``enable`` is 1, without gaps; the first :attr:`SETUP` cycles
    after ``start``. Taps beyond the map are offered too, with ``inside`` 0. An addition has two taps: the pixel of
    either map.

    Two walks: the outer one is always one output pixel ahead, so that its sums have a register behind them, and what
    the inner one starts from at a pixel's end is there.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`

    Members
    -------
    start : :py:`In(1)`
        Only while not ``busy``; everything else but ``enable`` is stable from then on.
    enable : :py:`In(1)`
        Go on to the next tap.
    is_addition : :py:`In(1)`
    n_pairs : :py:`In(16)`
    <field> : :py:`In(…)`
        :data:`WALK_FIELDS`.
    busy : :py:`Out(1)`
        From the cycle after ``start`` until the last tap has been passed.
    valid : :py:`Out(1)`
        The following are a tap's.
    address, kernel_address, shift_address : :py:`Out(…)`
        In activation, kernel and row-shift memory.
    first, last, final : :py:`Out(1)`
        The first and the last tap of a window; also the last of an output pixel's channels, at its last tap.
    column_end : :py:`Out(1)`
        The last of a window's row (addition: the second map).
    inside : :py:`Out(1)`
        One step later: the tap is a pixel of the map.
    """

    SETUP = FACTOR_WIDTH + 5

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        widths = {field.name: field.width for field in FIELDS}
        self.address_width = (config.activation_depth - 1).bit_length()
        super().__init__(
            {
                "start": In(1),
                "enable": In(1),
                "is_addition": In(1),
                "n_pairs": In(16),
                **{name: In(widths[name]) for name in WALK_FIELDS},
                "busy": Out(1),
                "valid": Out(1),
                "address": Out(self.address_width),
                "kernel_address": Out((config.kernel_depth - 1).bit_length()),
                "shift_address": Out((config.channel_depth - 1).bit_length()),
                "first": Out(1),
                "last": Out(1),
                "final": Out(1),
                "column_end": Out(1),
                "inside": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = self.address_width
        # A coordinate is from -255 to the map's extent and 254 more.
        coordinate_width = max(width, FACTOR_WIDTH) + 1
        # Pixel of the window's first tap, for the next output pixel: address and coordinates.
        pixel = Signal(width)
        y, x = Signal(coordinate_width), Signal(coordinate_width)
        have, fresh, take = Signal(), Signal(), Signal()
        begin = self._outer(m, pixel, y, x, have, fresh, take)

        # The inner walk: channels of an output pixel, taps of a window.
        step = Signal()
        channel, row, tap, offset = (
            Signal(width, name=n) for n in ("channel", "row", "tap", "offset")
        )
        window_y, window_x, tap_y, tap_x = (
            Signal(coordinate_width, name=n) for n in ("window_y", "window_x", "tap_y", "tap_x")
        )
        n_columns = Mux(self.is_addition, 2, self.kernel_width)
        column_end = self._loop(m, "column", n_columns, FACTOR_WIDTH, step)
        row_end = self._loop(m, "row", self.kernel_height, FACTOR_WIDTH, step & column_end)
        window_end = column_end & row_end
        copy_end = self._loop(m, "copy", self.multiplicity, FACTOR_WIDTH, step & window_end)
        channel_end = self._loop(m, "channel", self.n_out, width + 1, step & window_end)
        pixel_end = window_end & channel_end
        m.d.comb += [
            take.eq(self.enable & have & pixel_end),
            step.eq(self.enable & (have | ~pixel_end)),
            self.address.eq(tap),
            self.last.eq(window_end),
            self.final.eq(pixel_end),
            self.column_end.eq(column_end),
        ]
        with m.If(self.enable):
            inside_rows = tap_y < self.in_height[:coordinate_width]
            inside_columns = tap_x < self.in_width[:coordinate_width]
            m.d.sync += self.inside.eq(self.is_addition | (inside_rows & inside_columns))
            with m.If(pixel_end):
                m.d.sync += self.valid.eq(have)
        # From map to map of an addition; the difference changes from pair to pair.
        gap, gap_step = Signal(width), Signal(width)
        m.d.sync += [
            gap.eq(self.second_base - self.in_base),
            gap_step.eq(self.second_stride - self.in_stride),
        ]
        with m.If(take):
            m.d.sync += offset.eq(offset + Mux(fresh, gap_step, 0))
        with m.If(begin):
            m.d.sync += offset.eq(gap)

        next_channel, next_row = Signal(width), Signal(width)
        m.d.comb += [
            next_channel.eq(channel + copy_end),
            next_row.eq(row + self.in_row_stride),
        ]
        counted = Signal(len(self.shift_address) + 1)  # output channels; two have one row shift
        m.d.comb += self.shift_address.eq(counted[1:])
        with m.If(step):
            m.d.sync += [
                self.first.eq(window_end),
                self.kernel_address.eq(self.kernel_address + 1),
            ]
            with m.If(~column_end):
                m.d.sync += [
                    tap.eq(tap + Mux(self.is_addition, offset, self.in_pixel_stride)),
                    tap_x.eq(tap_x + 1),
                ]
            with m.Elif(~row_end):
                m.d.sync += [
                    tap.eq(next_row),
                    row.eq(next_row),
                    tap_x.eq(window_x),
                    tap_y.eq(tap_y + 1),
                ]
            with m.Elif(~channel_end):
                m.d.sync += [
                    *(address.eq(next_channel) for address in (tap, row, channel)),
                    tap_x.eq(window_x),
                    tap_y.eq(window_y),
                    counted.eq(counted + 1),
                ]
            with m.Else():
                m.d.sync += [
                    *(address.eq(pixel) for address in (tap, row, channel)),
                    *(value.eq(x) for value in (tap_x, window_x)),
                    *(value.eq(y) for value in (tap_y, window_y)),
                    self.kernel_address.eq(self.kernel_base),
                    counted.eq(Cat(0, self.row_shift_base)),
                ]
        return m

    def _outer(
        self, m: Module, pixel: Signal, y: Signal, x: Signal, have: Signal, fresh: Signal, take: Any
    ) -> Signal:
        """Walk over output pixels: ``have`` says that ``pixel``, ``y``, ``x`` are the next one's, ``fresh`` that a
        further pair begins with it; ``take`` goes on. Returns a strobe: the first one's will be there.
        """
        width = self.address_width
        pair, line, pair_step = (Signal(width, name=n) for n in ("pair", "line", "pair_step"))
        next_pair, next_line = Signal(width), Signal(width)
        begin, step, is_first = Signal(), Signal(), Signal()
        row_step, column_step, above, before = (
            Signal(width, name=n) for n in ("row_step", "column_step", "above", "before")
        )
        products = (
            (row_step, self.stride_y, self.in_row_stride, False),
            (column_step, self.stride_x, self.in_pixel_stride, False),
            (above, self.top, self.in_row_stride, True),
            (before, self.left, self.in_pixel_stride, True),
        )
        bit = Signal(range(FACTOR_WIDTH))
        m.d.comb += pair_step.eq(Mux(is_first, 0, self.in_stride))
        with m.FSM() as fsm:
            with m.State("idle"):
                with m.If(self.start):
                    m.d.sync += [product.eq(0) for product, *_ in products]
                    m.d.sync += [bit.eq(FACTOR_WIDTH - 1), pair.eq(self.in_base), is_first.eq(1)]
                    m.next = "multiply"
            with m.State("multiply"):
                for product, factor, stride, is_negative in products:
                    digit = Mux(factor.bit_select(bit, 1), stride, 0)
                    twice = product << 1
                    m.d.sync += product.eq(twice - digit if is_negative else twice + digit)
                m.d.sync += bit.eq(bit - 1)
                with m.If(bit == 0):
                    m.next = "above"
            with m.State("above"):
                m.d.comb += pair_step.eq(above)
                m.d.sync += pair.eq(next_pair)
                m.next = "before"
            with m.State("before"):
                m.d.comb += pair_step.eq(before)
                m.d.sync += pair.eq(next_pair)
                m.next = "begin"
            with m.State("begin"):
                m.d.comb += begin.eq(1)
                m.next = "idle"
        m.d.comb += self.busy.eq(~fsm.ongoing("idle") | have | self.valid)

        # All loops are at their end before the first pixel, as they are after the last.
        line_end = self._loop(m, "out_column", self.out_width, width + 1, step)
        map_end = self._loop(m, "out_row", self.out_height, width + 1, step & line_end)
        pair_end = line_end & map_end
        layer_end = pair_end & self._loop(m, "pair", self.n_pairs, 16, step & pair_end)
        m.d.comb += step.eq(begin | (take & ~layer_end))
        with m.If(begin):
            m.d.sync += have.eq(1)
        with m.Elif(take & layer_end):
            m.d.sync += have.eq(0)
        m.d.comb += [
            next_pair.eq(pair + pair_step),
            next_line.eq(Mux(map_end, next_pair, line + row_step)),
        ]
        with m.If(step):
            m.d.sync += [
                is_first.eq(0),
                fresh.eq(pair_end & ~is_first),
                pixel.eq(Mux(line_end, next_line, pixel + column_step)),
                x.eq(Mux(line_end, -self.left, x + self.stride_x)),
            ]
            with m.If(line_end):
                m.d.sync += [
                    line.eq(next_line),
                    y.eq(Mux(map_end, -self.top, y + self.stride_y)),
                ]
            with m.If(pair_end):
                m.d.sync += pair.eq(next_pair)
        return begin

    @staticmethod
    def _loop(m: Module, name: str, size: Any, width: int, step: Any) -> Signal:
        """A loop of ``size`` rounds; returns whether this is the last. A step from the last begins the first."""
        left = Signal(width, name=f"{name}_left")
        end = Signal(name=f"{name}_end", init=1)
        is_one = Signal(name=f"{name}_is_one")
        m.d.sync += is_one.eq(size == 1)
        with m.If(step):
            m.d.sync += [
                left.eq(Mux(end, size, left - 1)),
                end.eq(Mux(end, is_one, left == 2)),
            ]
        return end
