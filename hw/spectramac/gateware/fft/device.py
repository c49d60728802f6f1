# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Memories and multipliers with their own pipeline registers, behind one interface for all devices.

No synthesis tool from PyPI infers these registers, and without them block RAM answers in 5.8 ns on ECP5 and a
multiplier takes 3.9 ns. A technology of :data:`PRIMITIVES` instantiates the primitives with registers, where it has
such; ``"generic"`` describes the same function, cycle for cycle, for simulation and for other devices.
"""

from collections.abc import Sequence
from typing import Any

from amaranth import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spectramac.gateware.fft.primitives import PRIMITIVES, Primitives

__all__ = ["TECHNOLOGIES", "BlockRAM", "Multiplier", "SmallRAM"]

TECHNOLOGIES = tuple(PRIMITIVES)


def _primitives(technology: str) -> Primitives:
    try:
        return PRIMITIVES[technology]
    except KeyError:
        raise ValueError(f"technology must be one of {TECHNOLOGIES}, not {technology!r}") from None


def _memory_ports(width: int, address_width: int) -> dict[str, Any]:
    return {
        "read_address": In(address_width),
        "read_data": Out(width),
        "write_enable": In(1),
        "write_address": In(address_width),
        "write_data": In(width),
    }


class BlockRAM(wiring.Component):
    """A memory whose read data come from a register behind its own, or as if they did.

    A read takes two cycles: the word at ``read_address`` in cycle 0 is on ``read_data`` in cycle 2. A word
    written in cycle 0 is read from cycle 1 on; reading and writing one word in the same cycle gives an undefined word.

    Parameters
    ----------
    width, depth : int
        Bits of a word; number of words.
    init : sequence of int
        Contents, unsigned; missing words are 0. With contents, nothing may be written.
    technology : str
        ``"generic"``: inferred. ``"ecp5"``: ``DP16KD`` with their output registers. ``"ice40"``: inferred, with
        a register for the address instead.
    in_logic : bool
        Contents are made of logic cells after all, in any technology: for a few words, where block RAM is short.

    Members
    -------
    read_address, write_address : :py:`In(address_width)`
    read_data : :py:`Out(width)`
    write_enable : :py:`In(1)`
    write_data : :py:`In(width)`

    Raises
    ------
    ValueError
        If there is no such technology.
    """

    latency = 2

    def __init__(
        self,
        width: int,
        depth: int,
        *,
        init: Sequence[int] = (),
        technology: str = "generic",
        in_logic: bool = False,
    ) -> None:
        self.in_logic = in_logic
        self.width = width
        self.depth = depth
        self.init = tuple(init)
        self.primitives = _primitives(technology)
        self.address_width = max(1, (depth - 1).bit_length())
        super().__init__(_memory_ports(width, self.address_width))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        primitives = self.primitives
        if primitives.block_ram and self.depth <= primitives.depth_max and not self.in_logic:
            primitives.block_ram(m, self)
            return m
        style = "logic" if self.in_logic else "block"
        attrs = {"ram_style": style, "rom_style": style, "no_rw_check": 1}
        m.submodules.memory = memory = Memory(
            shape=self.width, depth=self.depth, init=self.init, attrs=attrs
        )
        read = memory.read_port()
        m.d.comb += [read.addr.eq(self.read_address), read.en.eq(1)]
        data = Signal(self.width, reset_less=True)
        m.d.sync += data.eq(read.data)
        m.d.comb += self.read_data.eq(data)
        if not self.init:
            write = memory.write_port()
            m.d.comb += [
                write.addr.eq(self.write_address),
                write.data.eq(self.write_data),
                write.en.eq(self.write_enable),
            ]
        return m


class SmallRAM(wiring.Component):
    """A memory of a few words that answers in the same cycle.

    A word written in cycle 0 is read from cycle 1 on; without ``fresh``, from cycle 2 on.

    Parameters
    ----------
    width, depth : int
        Bits of a word; number of words.
    technology : str
        ``"generic"``, ``"ecp5"``: inferred, of logic cells. ``"ice40"``: block RAM, which takes ``next_address`` and
        ignores ``read_address``.
    fresh : bool
        A word is asked for in the cycle after it was written.

    Members
    -------
    read_address, write_address : :py:`In(address_width)`
    next_address : :py:`In(address_width)`
        What ``read_address`` will be in the next cycle.
    read_data : :py:`Out(width)`
    write_enable : :py:`In(1)`
    write_data : :py:`In(width)`

    Raises
    ------
    ValueError
        If there is no such technology.
    """

    def __init__(
        self, width: int, depth: int, *, technology: str = "generic", fresh: bool = True
    ) -> None:
        self.width = width
        self.depth = depth
        self.fresh = fresh
        self.primitives = _primitives(technology)
        self.address_width = max(1, (depth - 1).bit_length())
        ports = _memory_ports(width, self.address_width)
        super().__init__({**ports, "next_address": In(self.address_width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.primitives.small_ram:
            self.primitives.small_ram(m, self)
            return m
        m.submodules.memory = memory = Memory(
            shape=self.width, depth=self.depth, init=[], attrs={"ram_style": "distributed"}
        )
        read, write = memory.read_port(domain="comb"), memory.write_port()
        m.d.comb += [
            read.addr.eq(self.read_address),
            self.read_data.eq(read.data),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            write.en.eq(self.write_enable),
        ]
        return m


class Multiplier(wiring.Component):
    """A signed multiplier with registers before, inside and behind it.

    The product of ``a`` and ``b`` in cycle 0 is on ``p`` in cycle 3.

    Parameters
    ----------
    a_width, b_width : int
        Bits of the factors.
    p_width : int, optional
        Low bits of the product that are wanted; all by default.
    technology : str
        ``"generic"``: inferred. ``"ecp5"``: ``MULT18X18D`` if both factors fit 18 bits. ``"ice40"``: ``SB_MAC16`` if
        one fits 18 bits, the other 16, and no more than 32 are wanted. Otherwise inferred.

    Members
    -------
    a : :py:`In(signed(a_width))`
    b : :py:`In(signed(b_width))`
    p : :py:`Out(signed(p_width))`

    Raises
    ------
    ValueError
        If there is no such technology.
    """

    latency = 3

    def __init__(
        self,
        a_width: int,
        b_width: int,
        p_width: int | None = None,
        *,
        technology: str = "generic",
    ) -> None:
        self.primitives = _primitives(technology)
        p_width = a_width + b_width if p_width is None else min(p_width, a_width + b_width)
        super().__init__(
            {"a": In(signed(a_width)), "b": In(signed(b_width)), "p": Out(signed(p_width))}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        multiplier = self.primitives.multiplier
        if multiplier and self.primitives.can_multiply(len(self.a), len(self.b), len(self.p)):
            multiplier(m, self)
            return m
        a, b = Signal.like(self.a, reset_less=True), Signal.like(self.b, reset_less=True)
        product, p = (Signal.like(self.p, name=n, reset_less=True) for n in ("product", "p_reg"))
        m.d.sync += [a.eq(self.a), b.eq(self.b), product.eq(a * b), p.eq(product)]
        m.d.comb += self.p.eq(p)
        return m
