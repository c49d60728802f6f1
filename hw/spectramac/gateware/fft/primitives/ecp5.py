# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""ECP5: ``DP16KD`` with output registers, ``MULT18X18D`` with all of its registers."""

from collections.abc import Sequence
from typing import Any

from amaranth import C, Cat, ClockSignal, Const, Instance, Module, Signal, signed, unsigned

__all__ = ["block_ram", "can_multiply", "multiplier"]


def block_ram(m: Module, ram: Any) -> None:
    """Slices of 36 bits (up to 512 words), or 18, 9, 4, 2, 1 (16384), side by side; port A writes, port B reads."""
    slices = {36: 512, 18: 1024, 9: 2048, 4: 4096, 2: 8192, 1: 16384}
    slice_width = next(w for w, words in slices.items() if words >= ram.depth)
    low = {36: 5, 18: 4, 9: 3, 4: 2, 2: 1, 1: 0}[slice_width]  # address bits below the word's
    for k, start in enumerate(range(0, ram.width, slice_width)):
        width = min(slice_width, ram.width - start)
        ports: dict[str, Any] = {}
        write = Cat(Const(0, low), ram.write_address)
        if slice_width >= 18:
            n_bytes = slice_width // 9
            write = Cat(Const(-1, unsigned(n_bytes)), write[n_bytes:])  # byte enables
        read = Cat(Const(0, low), ram.read_address)
        data = Cat(ram.write_data[start : start + width], C(0, 36 - width))
        out = Signal(36, name=f"slice{k}")
        for bit in range(14):
            ports[f"i_ADA{bit}"] = write[bit] if bit < len(write) else C(0)
            ports[f"i_ADB{bit}"] = read[bit] if bit < len(read) else C(0)
        # 36 bits go through the data pins of both ports; what port A shows comes first in a read.
        low_half, high_half = ("A", "B") if slice_width == 36 else ("B", "A")
        for bit in range(18):
            ports[f"i_DIA{bit}"], ports[f"i_DIB{bit}"] = data[bit], data[18 + bit]
            ports[f"o_DO{low_half}{bit}"] = out[bit]
            ports[f"o_DO{high_half}{bit}"] = out[18 + bit]
        for side in "AB":
            ports |= {
                f"i_CLK{side}": ClockSignal(),
                f"i_CE{side}": C(1),
                f"i_OCE{side}": C(1),
                f"i_RST{side}": C(0),
                f"i_CS{side}0": C(0),
                f"i_CS{side}1": C(0),
                f"i_CS{side}2": C(0),
                f"p_DATA_WIDTH_{side}": slice_width,
                f"p_REGMODE_{side}": "OUTREG",
                f"p_WRITEMODE_{side}": "NORMAL",
                f"p_CSDECODE_{side}": "0b000",
                f"p_CLK{side}MUX": f"CLK{side}",
            }
        m.submodules[f"slice_{k}"] = Instance(
            "DP16KD",
            p_RESETMODE="SYNC",
            p_ASYNC_RESET_RELEASE="SYNC",
            p_GSR="DISABLED",
            i_WEA=ram.write_enable,
            i_WEB=C(0),
            **ports,
            **_contents(ram.init, start, slice_width),
        )
        m.d.comb += ram.read_data[start : start + width].eq(out[:width])


def _contents(init: Sequence[int], start: int, slice_width: int) -> dict[str, Const]:
    """``INITVAL_xx``: 64 rows of 320 bits, each 16 times 18 bits padded to 20."""
    bits = 0
    mask = (1 << slice_width) - 1
    # Words of 9 and 18 bits lie side by side; narrower ones leave every ninth bit unused.
    room = slice_width if slice_width >= 9 else 0
    for address, word in enumerate(init):
        value = (word >> start) & mask
        if room:
            bits |= value << (room * address)
        else:
            for bit in range(slice_width):
                position = address * slice_width + bit
                bits |= (value >> bit & 1) << (position // 8 * 9 + position % 8)
    contents = {}
    for row in range(64):
        value = 0
        for i in range(16):
            value |= (bits >> ((row * 16 + i) * 18) & 0x3FFFF) << (20 * i)
        contents[f"p_INITVAL_{row:02X}"] = Const(value, 320)
    return contents


def can_multiply(a_width: int, b_width: int, p_width: int) -> bool:
    """Whether one cell does it."""
    return max(a_width, b_width) <= 18


def multiplier(m: Module, mult: Any) -> None:
    ports: dict[str, Any] = {}
    a, b, p = Signal(signed(18)), Signal(signed(18)), Signal(signed(36))
    m.d.comb += [a.eq(mult.a), b.eq(mult.b), mult.p.eq(p)]
    for bit in range(18):
        ports |= {f"i_A{bit}": a[bit], f"i_B{bit}": b[bit], f"i_C{bit}": C(0)}
    for bit in range(36):
        ports[f"o_P{bit}"] = p[bit]
    for name in ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT"):
        ports |= {
            f"p_REG_{name}_CLK": "CLK0",
            f"p_REG_{name}_CE": "CE0",
            f"p_REG_{name}_RST": "RST0",
        }
    m.submodules.mult = Instance(
        "MULT18X18D",
        p_GSR="DISABLED",
        p_RESETMODE="SYNC",
        p_CLK0_DIV="ENABLED",
        i_CLK0=ClockSignal(),
        i_CE0=C(1),
        i_RST0=C(0),
        i_SIGNEDA=C(1),
        i_SIGNEDB=C(1),
        i_SOURCEA=C(0),
        i_SOURCEB=C(0),
        **ports,
    )
