# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Which samples of overlapping tiles are outputs, and where they are written."""

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import TILE_SIDE_WIDTH

__all__ = ["TileWriter"]


class TileWriter(wiring.Component):
    """Address of every sample of the tiles, frame after frame; whether it is an output of the map.

    Frames are the output channels of a tile, tile after tile, row of tiles after row of tiles, pair after pair. Sample
    ``index`` = T·k + l of a frame is the output (a·``tile_rows`` + i, b·``tile_columns`` + j) of tile (a, b) if
    (k, l) = (i·``stride_y``, j·``stride_x``) with i < ``tile_rows``, j < ``tile_columns``, and the map has it.

    An address follows its sample by :attr:`LATENCY` cycles. Only the offset in the tile is a product, of 4 bits: a
    tree of adders.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`

    Members
    -------
    start : :py:`In(1)`
        Start of a layer. The descriptor's fields must be stable from then on; the first sample is at least
        16 cycles later.
    accept : :py:`In(1)`
        There is a sample.
    index : :py:`In(config.log2_n_max)`
        Its number in the frame, in natural order; samples of a frame may come in any order.
    frame_end : :py:`In(1)`
        It is the frame's last.
    log2_n : :py:`In(4)`
        Of T²: 4, 6 or 8.
    n_out, out_base, out_stride, out_row_stride, out_pixel_stride, out_height, out_width : :py:`In(16)`
    tile_rows, tile_columns, stride_y, stride_x : :py:`In(8)`
        From the descriptor.
    channel : :py:`Out(16)`
        Of the present frame.
    drop : :py:`Out(1)`
        The sample is not an output; combinational.
    final : :py:`Out(1)`
        The present frame is the pair's last.
    address : :py:`Out(activation address)`
    """

    LATENCY = 5

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.address_width = (config.activation_depth - 1).bit_length()
        words = (
            "n_out", "out_base", "out_stride", "out_row_stride", "out_pixel_stride", "out_height",
            "out_width",
        )  # fmt: skip
        super().__init__(
            {
                "start": In(1),
                "accept": In(1),
                "index": In(config.log2_n_max),
                "frame_end": In(1),
                "log2_n": In(4),
                **{name: In(16) for name in words},
                **{n: In(8) for n in ("tile_rows", "tile_columns", "stride_y", "stride_x")},
                "channel": Out(16),
                "drop": Out(1),
                "final": Out(1),
                "address": Out(self.address_width),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        base, rows, columns = self._tiles(m)

        # Stage 0: the output in the tile, if there is one.
        shift = (self.log2_n >> 1)[:3]
        mask = ((1 << shift) - 1)[:TILE_SIDE_WIDTH]
        positions = []
        drops = []
        for sample, stride, n, left in (
            (self.index >> shift, self.stride_y, self.tile_rows, rows),
            (self.index & mask, self.stride_x, self.tile_columns, columns),
        ):
            number = Mux(stride[1], sample >> 1, sample)[:TILE_SIDE_WIDTH]
            positions.append(number)
            drops.append((stride[1] & sample[0]) | (number >= n) | (number >= left))
        m.d.comb += self.drop.eq(drops[0] | drops[1])

        # Stages 1 to 5: the offset of the pixel, bit by bit of its row and column; the tile's address and channel.
        row, column, base_1 = Signal(4), Signal(4), Signal(self.address_width)
        with m.If(self.accept):
            m.d.sync += [row.eq(positions[0]), column.eq(positions[1]), base_1.eq(base)]
        terms: list[Value] = [
            Mux(number[bit], stride << bit, 0)
            for number, stride in ((row, self.out_row_stride), (column, self.out_pixel_stride))
            for bit in range(4)
        ]
        stage = 2
        bases = base_1
        while len(terms) > 1:
            sums = []
            for k in range(0, len(terms), 2):
                total = Signal(self.address_width, name=f"sum_{stage}_{k}", reset_less=True)
                m.d.sync += total.eq(terms[k] + terms[k + 1])
                sums.append(total)
            following = Signal(self.address_width, name=f"base_{stage}", reset_less=True)
            m.d.sync += following.eq(bases)
            terms, bases = sums, following
            stage += 1
        assert stage == self.LATENCY
        m.d.sync += self.address.eq(terms[0] + bases)
        return m

    def _tiles(self, m: Module) -> tuple[Signal, Signal, Signal]:
        """The present channel's address of the tile's first output; rows and columns of the map from there on."""
        width = self.address_width
        rows, columns = Signal(16, name="rows_left"), Signal(16, name="columns_left")
        pair_base, row_base, tile_base, base = (
            Signal(width, name=name) for name in ("pair_base", "row_base", "tile_base", "base")
        )
        last_channel, last_column, last_row = Signal(), Signal(), Signal()
        row_step = self._times(m, "row_step", self.tile_rows, self.out_row_stride)
        column_step = self._times(m, "column_step", self.tile_columns, self.out_pixel_stride)
        m.d.comb += [
            last_channel.eq(self.channel + 1 == self.n_out),
            last_column.eq(columns <= self.tile_columns),
            last_row.eq(rows <= self.tile_rows),
            self.final.eq(last_channel & last_column & last_row),
        ]
        with m.If(self.accept & self.frame_end):
            m.d.sync += [self.channel.eq(self.channel + 1), base.eq(base + 1)]
            with m.If(last_channel):
                m.d.sync += [self.channel.eq(0), columns.eq(columns - self.tile_columns)]
                self._go_to(m, tile_base + column_step, tile_base, base)
                with m.If(last_column):
                    m.d.sync += [columns.eq(self.out_width), rows.eq(rows - self.tile_rows)]
                    self._go_to(m, row_base + row_step, row_base, tile_base, base)
                    with m.If(last_row):
                        m.d.sync += rows.eq(self.out_height)
                        following = pair_base + self.out_stride
                        self._go_to(m, following, pair_base, row_base, tile_base, base)
        with m.If(self.start):
            m.d.sync += [
                self.channel.eq(0),
                columns.eq(self.out_width),
                rows.eq(self.out_height),
            ]
            self._go_to(m, self.out_base, pair_base, row_base, tile_base, base)
        return base, rows, columns

    @staticmethod
    def _go_to(m: Module, address: Any, *registers: Signal) -> None:
        m.d.sync += [register.eq(address) for register in registers]

    def _times(self, m: Module, name: str, factor: Value, stride: Value) -> Signal:
        """The product, ``factor`` cycles after ``start``."""
        product, left = Signal(self.address_width, name=name), Signal(8, name=f"{name}_left")
        with m.If(self.start):
            m.d.sync += [left.eq(factor), product.eq(0)]
        with m.Elif(left != 0):
            m.d.sync += [left.eq(left - 1), product.eq(product + stride)]
        return product
