# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Addresses of a layer's outputs: of vectors, one for each pair of inferences, or of the pixels of maps."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.spec.config import AcceleratorConfig

__all__ = ["OutputWalker"]

_MAP_FIELDS = ("out_pixel_stride", "out_row_stride", "out_height", "out_width")


class OutputWalker(wiring.Component):
    """Address of the first output of the present vector or pixel, pair after pair.

    A vector follows ``out_stride`` after the last. With ``config.maps`` and ``is_map`` the pixels of ``out_height``
    rows of ``out_width`` follow each other.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`

    Members
    -------
    start : :py:`In(1)`
        Start of a layer.
    step : :py:`In(1)`
        Go on.
    out_base, out_stride, out_pixel_stride, out_row_stride, out_height, out_width : :py:`In(16)`
        From the descriptor.
    is_map : :py:`In(1)`
    address : :py:`Out(16)`
    final : :py:`Out(1)`
        The present one is the pair's last.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        maps = {"is_map": In(1), **{name: In(16) for name in _MAP_FIELDS}}
        super().__init__(
            {
                **(maps if config.maps else {}),
                "start": In(1),
                "step": In(1),
                "out_base": In(16),
                "out_stride": In(16),
                "address": Out(16),
                "final": Out(1, init=1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.config.maps:
            self._maps(m)
        else:
            m.d.comb += self.final.eq(1)
            with m.If(self.step):
                m.d.sync += self.address.eq(self.address + self.out_stride)
        with m.If(self.start):
            m.d.sync += self.address.eq(self.out_base)
        return m

    def _maps(self, m: Module) -> None:
        pair_base, row_base = Signal(16), Signal(16)
        columns, rows = Signal(16), Signal(16)  # left, this one included
        last_column, last_row = Signal(), Signal()
        m.d.comb += [
            last_column.eq(~self.is_map | (columns == 1)),
            last_row.eq(~self.is_map | (rows == 1)),
            self.final.eq(last_column & last_row),
        ]
        with m.If(self.step):
            m.d.sync += [
                columns.eq(columns - 1),
                self.address.eq(self.address + self.out_pixel_stride),
            ]
            with m.If(last_column):
                row = row_base + self.out_row_stride
                m.d.sync += [columns.eq(self.out_width), rows.eq(rows - 1)]
                m.d.sync += [row_base.eq(row), self.address.eq(row)]
                with m.If(last_row):
                    pair = pair_base + self.out_stride
                    m.d.sync += rows.eq(self.out_height)
                    m.d.sync += [s.eq(pair) for s in (pair_base, row_base, self.address)]
        with m.If(self.start):
            m.d.sync += [columns.eq(self.out_width), rows.eq(self.out_height)]
            m.d.sync += [s.eq(self.out_base) for s in (pair_base, row_base)]
