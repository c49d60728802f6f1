# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Reads the tiles of a map from activation memory, channel by channel, as complex samples."""

from typing import Any

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.memory import ReadPort
from spectramac.gateware.stream import layout
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import EXTENT_WIDTH, TILE_SIDE_WIDTH, sample

__all__ = ["TileGather"]


class _Axis:
    """The walk along one axis of the map: through a tile, and to the next one.

    Pixel numbers are negative in the padding. Addresses never are: before the map and in its first line they are that
    of the first line, so that nothing is multiplied. The next tile begins where line number ``step`` of this one does.

    Parameters
    ----------
    m : Module
    name : str
    stride, extent, side_last, step : Value
        Addresses between lines; lines of the map; T - 1; lines from tile to tile.
    """

    def __init__(
        self, m: Module, name: str, stride: Any, extent: Any, side_last: Any, step: Any
    ) -> None:
        number = signed(EXTENT_WIDTH + 2)
        self.m = m
        self.index = Signal(TILE_SIDE_WIDTH, name=f"{name}_index")
        self.line = Signal(number, name=f"{name}_line")
        self.address = Signal(16, name=f"{name}_address")
        self.line_after = Signal(number, name=f"{name}_line_after")
        self.address_after = Signal(16, name=f"{name}_address_after")
        self.tile_line = Signal(number, name=f"{name}_tile_line")
        self.tile_address = Signal(16, name=f"{name}_tile_address")
        self.next_line = Signal(number, name=f"{name}_next_line")
        self.next_address = Signal(16, name=f"{name}_next_address")
        self.inside = Signal(name=f"{name}_inside")
        self.end = Signal(name=f"{name}_end")
        self.passes = Signal(name=f"{name}_passes")
        m.d.comb += [
            self.inside.eq((self.line >= 0) & (self.line < extent)),
            self.end.eq(self.index == side_last),
            self.line_after.eq(self.line + 1),
            self.address_after.eq(self.address + Mux(self.line >= 0, stride, 0)),
            self.passes.eq(self.index + 1 == step),
        ]

    def step(self) -> None:
        """To the next line of the tile."""
        self.m.d.sync += [
            self.index.eq(self.index + 1),
            self.line.eq(self.line_after),
            self.address.eq(self.address_after),
        ]

    def note(self) -> None:
        """While ``passes``: the next tile begins at the next line."""
        self.m.d.sync += [
            self.next_line.eq(self.line_after),
            self.next_address.eq(self.address_after),
        ]

    def restart(self) -> None:
        """To the tile's first line."""
        self.m.d.sync += [
            self.index.eq(0),
            self.line.eq(self.tile_line),
            self.address.eq(self.tile_address),
        ]

    def go_to(self, line: Any, address: Any) -> None:
        """To the tile that begins there."""
        self.m.d.sync += [self.tile_line.eq(line), self.tile_address.eq(address)]


class TileGather(wiring.Component):
    """Stream the channels of overlapping tiles, zeros beyond the map.

    Pair after pair, tile row after tile row, tile after tile, channel after channel: after each ``start`` the T x T
    samples of the next channel, row by row, ``re`` the first inference's activation, ``im`` the second's;
    ``last`` with the last one. Tile (a, b) begins at pixel (a·``tile_rows``·``stride_y`` - ``top``,
    b·``tile_columns``·``stride_x`` - ``left``).

    The first sample is valid :data:`~spectramac.spec.timing.TILE_GATHER_LATENCY` cycles after ``start``, then one a
    cycle. Stalls hold the memory's output register.
    Addresses are made by counting and adding only.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`

    Members
    -------
    start_layer : :py:`In(1)`
        Go to the first channel of the first tile. All descriptor fields must be stable from the cycle before.
    start : :py:`In(1)`
        Begin the next channel; only when ``more`` and not ``busy``.
    more : :py:`Out(1)`
        A channel has not been started, or not finished.
    busy : :py:`Out(1)`
        Samples of the present channel remain to be read.
    n_pairs : :py:`In(16)`
    log2_n : :py:`In(4)`
        Of T²: 4, 6 or 8.
    in_base, in_stride, in_row_stride, in_pixel_stride : :py:`In(16)`
    n_in, in_height, in_width, walk_height, walk_width : :py:`In(16)`
    top, left, tile_rows, tile_columns, stride_y, stride_x : :py:`In(8)`
        From the descriptor.
    memory : :py:`Out(ReadPort)`
        Activation memory.
    o : :py:`Out(stream.Signature(sample(config)))`

    References
    ----------
    :meth:`spectramac.model.program_tiles.TilesProgram` gathers the same tiles at once.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        address_width = (config.activation_depth - 1).bit_length()
        words = (
            "in_base", "in_stride", "in_row_stride", "in_pixel_stride", "n_in", "in_height", "in_width",
            "walk_height", "walk_width", "n_pairs",
        )  # fmt: skip
        small = ("top", "left", "tile_rows", "tile_columns", "stride_y", "stride_x")
        super().__init__(
            {
                "start_layer": In(1),
                "start": In(1),
                "log2_n": In(4),
                **{name: In(16) for name in words},
                **{name: In(8) for name in small},
                "more": Out(1),
                "busy": Out(1),
                "memory": Out(ReadPort(address_width, 2 * config.activation_width)),
                "o": Out(stream.Signature(layout(sample(config)))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = self.config.activation_width
        side_last = Signal(TILE_SIDE_WIDTH)
        steps = {axis: Signal(TILE_SIDE_WIDTH, name=f"step_{axis}") for axis in "yx"}
        m.d.sync += [
            side_last.eq((1 << (self.log2_n >> 1)) - 1),
            steps["y"].eq(self.tile_rows << self.stride_y[1]),
            steps["x"].eq(self.tile_columns << self.stride_x[1]),
        ]
        y = _Axis(m, "y", self.in_row_stride, self.in_height, side_last, steps["y"])
        x = _Axis(m, "x", self.in_pixel_stride, self.in_width, side_last, steps["x"])

        # Stage 0: walk. Stage 1: the address is known. Stage 2: the memory answers.
        active, advance = Signal(), Signal()
        address = Signal(len(self.memory.address))
        valid_1, inside_1, last_1, inside_2 = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            self.busy.eq(active),
            self.memory.address.eq(address),
            self.memory.enable.eq(advance),
        ]
        with m.If(advance):
            m.d.sync += [
                address.eq(y.address + x.address),
                valid_1.eq(active),
                inside_1.eq(y.inside & x.inside),
                last_1.eq(y.end & x.end),
                self.o.valid.eq(valid_1),
                inside_2.eq(inside_1),
                self.o.payload.last.eq(last_1),
            ]
            with m.If(active):
                x.step()
                with m.If(x.end):
                    x.restart()
                    y.step()
                with m.If(x.end & y.end):
                    m.d.sync += active.eq(0)
        self._tiles(m, y, x, advance & active)
        with m.If(self.start):
            m.d.sync += active.eq(1)
            y.restart()
            x.restart()
        data = self.memory.data
        with m.If(inside_2):
            m.d.comb += [
                self.o.payload.data.re.eq(data[:width].as_signed()),
                self.o.payload.data.im.eq(data[width:].as_signed()),
            ]
        return m

    def _tiles(self, m: Module, y: _Axis, x: _Axis, step: Any) -> None:
        """With a channel's last sample, on to the next channel, tile, row of tiles, pair; count what is left of each.

        The channel is part of the address along x.
        """
        channels, columns, rows, pairs = (
            Signal(16, name=f"{name}_left") for name in ("channels", "columns", "rows", "pairs")
        )
        pair_base = Signal(16)
        first_channel = Signal()
        following = pair_base + self.in_stride
        m.d.comb += self.more.eq(pairs != 0)
        with m.If(step & x.passes & first_channel):
            x.note()
        with m.If(step & y.passes & x.end):
            y.note()
        with m.If(step & x.end & y.end):
            m.d.sync += [
                channels.eq(channels - 1),
                first_channel.eq(0),
                x.tile_address.eq(x.tile_address + 1),
            ]
            with m.If(channels == 1):
                m.d.sync += [channels.eq(self.n_in), first_channel.eq(1), columns.eq(columns - 1)]
                x.go_to(x.next_line, x.next_address)
                with m.If(columns == 1):
                    m.d.sync += [columns.eq(self.walk_width), rows.eq(rows - 1)]
                    x.go_to(-self.left, 0)
                    # This line may be the last one before the next tile.
                    with m.If(y.passes):
                        y.go_to(y.line_after, y.address_after)
                    with m.Else():
                        y.go_to(y.next_line, y.next_address)
                    with m.If(rows == 1):
                        m.d.sync += [rows.eq(self.walk_height), pairs.eq(pairs - 1)]
                        m.d.sync += pair_base.eq(following)
                        y.go_to(-self.top, following)
        with m.If(self.start_layer):
            m.d.sync += [
                channels.eq(self.n_in),
                first_channel.eq(1),
                columns.eq(self.walk_width),
                rows.eq(self.walk_height),
                pairs.eq(self.n_pairs),
                pair_base.eq(self.in_base),
            ]
            x.go_to(-self.left, 0)
            y.go_to(-self.top, self.in_base)
