# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Gowin (GW1N, GW2A): ``SDPX9B`` with output registers, ``MULT18X18`` with all of its registers."""

from typing import Any

from amaranth import C, ClockSignal, Const, Instance, Module, Signal, signed

from spectramac.gateware.fft.primitives.sliced import slices

__all__ = ["block_ram", "can_multiply", "multiplier"]


def block_ram(m: Module, ram: Any) -> None:
    """Port A writes, port B reads; the low bits of a wide port's write address are byte enables."""
    for k, part in enumerate(slices(m, ram)):
        write = part.write | Const({36: 0b1111, 18: 0b11, 9: 0}[part.width], 14)
        init = {f"p_INIT_RAM_{row:02X}": Const(part.contents(row), 288) for row in range(64)}
        m.submodules[f"slice_{k}"] = Instance(
            "SDPX9B",
            p_READ_MODE=C(1),
            p_BIT_WIDTH_0=part.width,
            p_BIT_WIDTH_1=part.width,
            p_BLK_SEL_0=Const(0, 3),
            p_BLK_SEL_1=Const(0, 3),
            p_RESET_MODE="SYNC",
            i_BLKSELA=Const(0, 3),
            i_BLKSELB=Const(0, 3),
            i_CLKA=ClockSignal(),
            i_CEA=ram.write_enable,
            i_RESETA=C(0),
            i_ADA=write,
            i_DI=part.data,
            i_CLKB=ClockSignal(),
            i_CEB=C(1),
            i_OCE=C(1),
            i_RESETB=C(0),
            i_ADB=part.read,
            o_DO=part.out,
            **(init if ram.init else {}),
        )


def can_multiply(a_width: int, b_width: int, p_width: int) -> bool:
    """Whether one cell does it."""
    return max(a_width, b_width) <= 18


def multiplier(m: Module, mult: Any) -> None:
    """Signed; registers at the factors, inside and at the product."""
    a, b, p = Signal(signed(18)), Signal(signed(18)), Signal(signed(36))
    m.d.comb += [a.eq(mult.a), b.eq(mult.b), mult.p.eq(p)]
    registers = {f"p_{name}": C(1) for name in ("AREG", "BREG", "PIPE_REG", "OUT_REG")}
    m.submodules.mult = Instance(
        "MULT18X18",
        p_ASIGN_REG=C(0, 1),
        p_BSIGN_REG=C(0, 1),
        p_SOA_REG=C(0, 1),
        p_MULT_RESET_MODE="SYNC",
        i_CLK=ClockSignal(),
        i_CE=C(1),
        i_RESET=C(0),
        i_A=a,
        i_B=b,
        i_ASIGN=C(1),
        i_BSIGN=C(1),
        i_SIA=C(0, 18),
        i_SIB=C(0, 18),
        i_ASEL=C(0),
        i_BSEL=C(0),
        o_DOUT=p,
        **registers,
    )
