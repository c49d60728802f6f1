# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""iCE40 UltraPlus: every memory in block RAM, ``SB_MAC16`` with its registers.

Block RAM (``SB_RAM40_4K``) is inferred. It has no output register, but 48 MHz do not need one: the address is
delayed instead of the data, which takes fewer flip-flops. There are no memories of logic cells: a small memory is a
block RAM too, which is given its address a cycle ahead.
"""

from typing import Any

from amaranth import C, ClockSignal, Const, Instance, Module, Mux, Signal, signed
from amaranth.lib.memory import Memory

__all__ = ["block_ram", "can_multiply", "multiplier", "small_ram"]

BLOCK = {"ram_style": "block", "rom_style": "block", "no_rw_check": 1}


def block_ram(m: Module, ram: Any) -> None:
    """The address waits a cycle, then the memory answers in the next."""
    m.submodules.memory = memory = Memory(
        shape=ram.width, depth=ram.depth, init=ram.init, attrs=BLOCK
    )
    read = memory.read_port()
    address = Signal.like(ram.read_address, reset_less=True)
    m.d.sync += address.eq(ram.read_address)
    m.d.comb += [read.addr.eq(address), read.en.eq(1), ram.read_data.eq(read.data)]
    if not ram.init:
        _write(m, memory, ram)


def small_ram(m: Module, ram: Any) -> None:
    """A word written while it is read comes from a register beside the memory."""
    m.submodules.memory = memory = Memory(shape=ram.width, depth=ram.depth, init=[], attrs=BLOCK)
    read = memory.read_port()
    m.d.comb += [read.addr.eq(ram.next_address), read.en.eq(1), ram.read_data.eq(read.data)]
    _write(m, memory, ram)
    if ram.fresh:
        written, hit = Signal(ram.width, reset_less=True), Signal()
        m.d.sync += [
            written.eq(ram.write_data),
            hit.eq(ram.write_enable & (ram.write_address == ram.next_address)),
        ]
        m.d.comb += ram.read_data.eq(Mux(hit, written, read.data))


def _write(m: Module, memory: Memory, ram: Any) -> None:
    write = memory.write_port()
    m.d.comb += [
        write.addr.eq(ram.write_address),
        write.data.eq(ram.write_data),
        write.en.eq(ram.write_enable),
    ]


def can_multiply(a_width: int, b_width: int, p_width: int) -> bool:
    """One ``SB_MAC16`` makes the low 32 bits of up to 18 by 16 bits."""
    return max(a_width, b_width) <= 18 and min(a_width, b_width) <= 16 and p_width <= 32


def multiplier(m: Module, mult: Any) -> None:
    """``SB_MAC16`` with registers before and inside the multiplier and behind its adder.

    A factor of 17 or 18 bits is ``high·2**16 + low`` with low unsigned and high from -2 to 1. The cell multiplies
    by low and adds ``high·b`` to the upper half: a multiple of b, or the inverted bits of one, which are short of it by
    1. This comes as a carry from the lower half, to which all ones and a carry, together 2**16, are added.
    """
    a, b = (mult.a, mult.b) if len(mult.a) >= len(mult.b) else (mult.b, mult.a)
    wide = len(a) > 16
    long, short = Signal(signed(18)), Signal(signed(16))
    m.d.comb += [long.eq(a), short.eq(b)]
    upper, ones = C(0, 16), C(0, 1)
    carry: Any = C(0, 1)
    if wide:
        twice = (short << 1)[:16]
        magnitude = Mux(long[16], short, Mux(long[17], twice, 0))
        upper, ones = Signal(16, reset_less=True), Signal(reset_less=True)
        carry = Signal(reset_less=True)
        m.d.sync += [
            upper.eq(magnitude[:16] ^ long[17].replicate(16)),
            ones.eq(long[17]),
            carry.eq(ones),
        ]
    product = Signal(32)
    one, zero = Const(1, 1), Const(0, 1)
    m.submodules.mult = Instance(
        "SB_MAC16",
        p_NEG_TRIGGER=zero,
        p_A_REG=one,
        p_B_REG=one,
        p_C_REG=one,
        p_D_REG=one,
        # The four 8x8 products are registered, not their sum.
        p_TOP_8x8_MULT_REG=one,
        p_BOT_8x8_MULT_REG=one,
        p_PIPELINE_16x16_MULT_REG1=one,
        p_PIPELINE_16x16_MULT_REG2=zero,
        # Upper half: C + product + carry of the lower half; lower half: D + product + CI; both registered.
        p_TOPOUTPUT_SELECT=Const(1, 2),
        p_TOPADDSUB_LOWERINPUT=Const(2, 2),
        p_TOPADDSUB_UPPERINPUT=one,
        p_TOPADDSUB_CARRYSELECT=Const(2, 2),
        p_BOTOUTPUT_SELECT=Const(1, 2),
        p_BOTADDSUB_LOWERINPUT=Const(2, 2),
        p_BOTADDSUB_UPPERINPUT=one,
        p_BOTADDSUB_CARRYSELECT=Const(3, 2),
        p_MODE_8x8=zero,
        p_A_SIGNED=Const(not wide, 1),
        p_B_SIGNED=one,
        i_CLK=ClockSignal(),
        i_CE=C(1),
        i_A=long[:16],
        i_B=short,
        i_C=upper,
        i_D=ones.replicate(16),
        i_CI=carry,
        o_O=product,
        **{f"i_{name}": C(0) for name in _UNUSED},
    )
    m.d.comb += mult.p.eq(product)


_UNUSED = (
    *("AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT"),
    *("OLOADTOP", "OLOADBOT", "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT"),
    *("ACCUMCI", "SIGNEXTIN"),
)
