# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Reading the directory: how many entries each column has."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.memory import ReadPort
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import COUNT_WIDTH, FLAGS_PER_WORD

__all__ = ["DirectoryReader"]


class DirectoryReader(wiring.Component):
    """The counts of a layer's columns, one after the other.

    A directory word is a count or, if ``uniform_count`` is not zero, the flags of :data:`FLAGS_PER_WORD` columns,
    lowest bit first: each has ``uniform_count`` entries or none. Such a word is read again for each of its flags, so
    that both kinds take the same time: ``count`` is that of the next column in the cycle after each ``fetch``.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`

    Members
    -------
    base : :py:`In(16)`
        The layer's first directory word.
    uniform_count : :py:`In(8)`
        Of the layer.
    rewind : :py:`In(1)`
        The next ``fetch`` is that of the layer's first column.
    fetch : :py:`In(1)`
    memory : :py:`Out(ReadPort)`
        Directory memory.
    count : :py:`Out(8)`
        Combinational, from the memory's output.
    zero : :py:`Out(1)`
        Whether ``count`` is zero.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        address_width = (config.directory_depth - 1).bit_length()
        super().__init__(
            {
                "base": In(16),
                "uniform_count": In(COUNT_WIDTH),
                "rewind": In(1),
                "fetch": In(1),
                "memory": Out(ReadPort(address_width, COUNT_WIDTH)),
                "count": Out(COUNT_WIDTH),
                "zero": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        word = self.memory.data
        address = Signal(len(self.memory.address))
        coming, there = Signal(range(FLAGS_PER_WORD)), Signal(range(FLAGS_PER_WORD))  # flags
        has_flags, flag = Signal(), Signal()
        m.d.comb += [
            self.memory.address.eq(address),
            self.memory.enable.eq(self.fetch),
            has_flags.eq(self.uniform_count != 0),
            flag.eq(word.bit_select(there, 1)),
            self.zero.eq(Mux(has_flags, ~flag, word == 0)),
            self.count.eq(Mux(has_flags, self.uniform_count & flag.replicate(COUNT_WIDTH), word)),
        ]
        with m.If(self.fetch):
            m.d.sync += [coming.eq(coming + 1), there.eq(coming)]
            with m.If(~has_flags | (coming == FLAGS_PER_WORD - 1)):
                m.d.sync += address.eq(address + 1)
        with m.If(self.rewind):
            m.d.sync += [address.eq(self.base), coming.eq(0)]
        return m
