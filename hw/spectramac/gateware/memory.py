# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Memories behind one small interface, so that a device's own primitive can stand in."""

from typing import Any

from amaranth import C, Cat, Instance, Module, Mux, Signal, unsigned
from amaranth.hdl import ClockSignal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["ReadPort", "Storage", "WritePort"]


def ReadPort(address_width: int, width: int) -> wiring.Signature:  # noqa: N802
    """A synchronous read, from the reader's side: ``data`` follows ``address`` by one cycle if ``enable``.

    ``data`` keeps its value while ``enable`` is 0.
    """
    return wiring.Signature({"address": Out(address_width), "enable": Out(1), "data": In(width)})


def WritePort(address_width: int, width: int) -> wiring.Signature:  # noqa: N802
    """A synchronous write, from the writer's side."""
    return wiring.Signature({"address": Out(address_width), "enable": Out(1), "data": Out(width)})


class Storage(wiring.Component):
    """A memory with one read and one write port.

    A read of a word that is written in the same cycle gives an undefined word (``no_rw_check``: tools add no bypass
    logic), or, with ``single_port``, must not happen. Nobody uses such a word: see the users' docstrings.

    Parameters
    ----------
    width, depth : int
        Bits of a word; number of words.
    technology : str
        ``"generic"``: inferred. ``"ice40"`` with ``single_port``: the UP5K's SPRAM (16384 × 16 bits each).
    single_port : bool
        The user never reads and writes in one cycle.
    block : bool
        Block RAM, however few the words: wide ones cost too many logic cells.

    Members
    -------
    read : :py:`In(ReadPort(address_width, width))`
    write : :py:`In(WritePort(address_width, width))`
    """

    def __init__(
        self,
        width: int,
        depth: int,
        *,
        technology: str = "generic",
        single_port: bool = False,
        block: bool = False,
    ) -> None:
        self.block = block
        self.width = width
        self.depth = depth
        self.technology = technology
        self.single_port = single_port
        self.address_width = max(1, (depth - 1).bit_length())
        super().__init__(
            {
                "read": In(ReadPort(self.address_width, width)),
                "write": In(WritePort(self.address_width, width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.technology == "ice40" and self.single_port:
            self._elaborate_spram(m)
            return m
        m.submodules.memory = memory = Memory(
            shape=unsigned(self.width),
            depth=self.depth,
            init=[],
            attrs={"no_rw_check": 1, **({"ram_style": "block"} if self.block else {})},
        )
        write = memory.write_port()
        read = memory.read_port()
        m.d.comb += [
            write.addr.eq(self.write.address),
            write.data.eq(self.write.data),
            write.en.eq(self.write.enable),
            read.addr.eq(self.read.address),
            read.en.eq(self.read.enable),
            self.read.data.eq(read.data),
        ]
        return m

    def _elaborate_spram(self, m: Module) -> None:
        if self.depth > 16384:
            raise ValueError(f"depth of an SPRAM must be at most 16384, not {self.depth!r}")
        address = Signal(14)
        m.d.comb += address.eq(Mux(self.write.enable, self.write.address, self.read.address))
        n_blocks = -(-self.width // 16)
        written = Cat(self.write.data, C(0, 16 * n_blocks - self.width))
        data = Signal(16 * n_blocks)
        for i in range(n_blocks):
            m.submodules[f"spram_{i}"] = Instance(
                "SB_SPRAM256KA",
                i_ADDRESS=address,
                i_DATAIN=written[16 * i : 16 * i + 16],
                i_MASKWREN=C(0b1111, 4),
                i_WREN=self.write.enable,
                i_CHIPSELECT=self.write.enable | self.read.enable,
                i_CLOCK=ClockSignal(),
                i_STANDBY=C(0),
                i_SLEEP=C(0),
                i_POWEROFF=C(1),
                o_DATAOUT=data[16 * i : 16 * i + 16],
            )
        m.d.comb += self.read.data.eq(data)
