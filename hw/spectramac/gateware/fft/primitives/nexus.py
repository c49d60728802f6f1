# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Nexus (LIFCL, LFD2NX): ``PDPSC16K`` with output registers, ``MULTADDSUB18X18`` with all of its registers.

``MULT18X18`` has no register inside, so the multiplier is the one of a multiply-adder, which adds 0.
"""

from typing import Any

from amaranth import C, ClockSignal, Const, Instance, Module, Signal, signed

from spectramac.gateware.fft.primitives.sliced import slices

__all__ = ["block_ram", "can_multiply", "multiplier"]


def block_ram(m: Module, ram: Any) -> None:
    """The low bits of a wide port's write address are byte enables; other low bits are 1."""
    for k, part in enumerate(slices(m, ram)):
        ones = Const((1 << part.low) - 1, 14)
        init = {
            f"p_INITVAL_{row:02X}": f"0x{_padded(part.contents(row)):080x}" for row in range(64)
        }
        m.submodules[f"slice_{k}"] = Instance(
            "PDPSC16K",
            p_DATA_WIDTH_W=f"X{part.width}",
            p_DATA_WIDTH_R=f"X{part.width}",
            p_OUTREG="USED",
            p_RESETMODE="SYNC",
            p_ASYNC_RST_RELEASE="SYNC",
            p_GSR="DISABLED",
            p_ECC="DISABLED",
            p_CSDECODE_W="111",
            p_CSDECODE_R="111",
            i_CLK=ClockSignal(),
            i_CEW=ram.write_enable,
            i_CSW=Const(7, 3),
            i_ADW=part.write | ones,
            i_DI=part.data,
            i_CER=C(1),
            i_CSR=Const(7, 3),
            i_RST=C(0),
            i_ADR=part.read | ones,
            o_DO=part.out,
            **(init if ram.init else {}),
        )


def _padded(row: int) -> int:
    """32 bytes of 9 bits, each in 10."""
    return sum((row >> 9 * k & 0x1FF) << 10 * k for k in range(32))


def can_multiply(a_width: int, b_width: int, p_width: int) -> bool:
    """Whether one cell does it."""
    return max(a_width, b_width) <= 18


def multiplier(m: Module, mult: Any) -> None:
    """Signed; registers at the factors, at the product and behind the adder, whose other operand C is 0."""
    a, b, p = Signal(signed(18)), Signal(signed(18)), Signal(signed(54))
    m.d.comb += [a.eq(mult.a), b.eq(mult.b), mult.p.eq(p)]
    used = ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT")
    unused = ("INPUTC", "ADDSUB", "LOADC", "LOADC2", "CIN")
    ports: dict[str, Any] = {f"p_REG{name}": "REGISTER" for name in used}
    ports |= {f"p_REG{name}": "BYPASS" for name in unused}
    for name in ("A", "B", "C", "PIPE", "CTRL", "CIN", "OUT"):
        ports |= {f"i_CE{name}": C(1), f"i_RST{name}": C(0)}
    m.submodules.mult = Instance(
        "MULTADDSUB18X18",
        p_GSR="DISABLED",
        p_RESETMODE="SYNC",
        i_CLK=ClockSignal(),
        i_A=a,
        i_B=b,
        i_C=C(0, 54),
        i_SIGNED=C(1),
        i_LOADC=C(1),
        i_ADDSUB=C(0),
        i_CIN=C(0),
        o_Z=p,
        **ports,
    )
