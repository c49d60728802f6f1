# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Block RAM and multipliers with their own pipeline registers, behind one interface for all devices.

No synthesis tool from PyPI infers these registers on ECP5, and without them block RAM answers in 5.8 ns and a
multiplier takes 3.9 ns. ``technology="ecp5"`` instantiates the primitives with registers; ``"generic"`` describes
the same function, cycle for cycle, for simulation and for other devices.
"""

from collections.abc import Sequence
from typing import Any

from amaranth import C, Cat, ClockSignal, Const, Instance, Module, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["BlockRAM", "Multiplier"]


class BlockRAM(wiring.Component):
    """A memory whose read data come from a register behind its own.

    A read takes two cycles: the word at ``read_address`` in cycle 0 is on ``read_data`` in cycle 2. A word
    written in cycle 0 is read from cycle 1 on; reading and writing one word in the same cycle gives an undefined word.

    Parameters
    ----------
    width, depth : int
        Bits of a word; number of words.
    init : sequence of int
        Contents, unsigned; missing words are 0. With contents, nothing may be written.
    technology : str
        ``"generic"``: inferred. ``"ecp5"``: ``DP16KD`` with their output registers.
    in_logic : bool
        Contents are made of logic cells after all, in any technology: for a few words, where block RAM is short.

    Members
    -------
    read_address, write_address : :py:`In(address_width)`
    read_data : :py:`Out(width)`
    write_enable : :py:`In(1)`
    write_data : :py:`In(width)`
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
        self.technology = technology
        self.address_width = max(1, (depth - 1).bit_length())
        super().__init__(
            {
                "read_address": In(self.address_width),
                "read_data": Out(width),
                "write_enable": In(1),
                "write_address": In(self.address_width),
                "write_data": In(width),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.technology == "ecp5" and not self.in_logic:
            self._elaborate_ecp5(m)
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

    def _elaborate_ecp5(self, m: Module) -> None:
        """Slices of 36 bits (up to 512 words), or 18, 9, 4, 2, 1, side by side; port A writes, port B reads."""
        slices = {36: 512, 18: 1024, 9: 2048, 4: 4096, 2: 8192, 1: 16384}
        try:
            slice_width = next(w for w, words in slices.items() if words >= self.depth)
        except StopIteration:
            raise ValueError(f"depth must be at most 16384, not {self.depth!r}") from None
        low = {36: 5, 18: 4, 9: 3, 4: 2, 2: 1, 1: 0}[slice_width]  # address bits below the word's
        for k, start in enumerate(range(0, self.width, slice_width)):
            width = min(slice_width, self.width - start)
            ports: dict[str, Any] = {}
            write = Cat(Const(0, low), self.write_address)
            if slice_width >= 18:
                n_bytes = slice_width // 9
                write = Cat(Const(-1, unsigned(n_bytes)), write[n_bytes:])  # byte enables
            read = Cat(Const(0, low), self.read_address)
            data = Cat(self.write_data[start : start + width], C(0, 36 - width))
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
                i_WEA=self.write_enable,
                i_WEB=C(0),
                **ports,
                **self._contents(start, slice_width),
            )
            m.d.comb += self.read_data[start : start + width].eq(out[:width])

    def _contents(self, start: int, slice_width: int) -> dict[str, Const]:
        """``INITVAL_xx``: 64 rows of 320 bits, each 16 times 18 bits padded to 20."""
        bits = 0
        mask = (1 << slice_width) - 1
        # Words of 9 and 18 bits lie side by side; narrower ones leave every ninth bit unused.
        room = slice_width if slice_width >= 9 else 0
        for address, word in enumerate(self.init):
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


class Multiplier(wiring.Component):
    """A signed multiplier with registers before, inside and behind it.

    The product of ``a`` and ``b`` in cycle 0 is on ``p`` in cycle 3.

    Parameters
    ----------
    a_width, b_width : int
        Bits of the factors.
    technology : str
        ``"generic"``: inferred. ``"ecp5"``: ``MULT18X18D`` if both fit 18 bits, otherwise inferred.

    Members
    -------
    a : :py:`In(signed(a_width))`
    b : :py:`In(signed(b_width))`
    p : :py:`Out(signed(a_width + b_width))`
    """

    latency = 3

    def __init__(self, a_width: int, b_width: int, *, technology: str = "generic") -> None:
        self.technology = technology
        super().__init__(
            {
                "a": In(signed(a_width)),
                "b": In(signed(b_width)),
                "p": Out(signed(a_width + b_width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.technology == "ecp5" and len(self.a) <= 18 and len(self.b) <= 18:
            self._elaborate_ecp5(m)
            return m
        a, b = Signal.like(self.a, reset_less=True), Signal.like(self.b, reset_less=True)
        product, p = (Signal.like(self.p, name=n, reset_less=True) for n in ("product", "p_reg"))
        m.d.sync += [a.eq(self.a), b.eq(self.b), product.eq(a * b), p.eq(product)]
        m.d.comb += self.p.eq(p)
        return m

    def _elaborate_ecp5(self, m: Module) -> None:
        ports: dict[str, Any] = {}
        a, b, p = Signal(signed(18)), Signal(signed(18)), Signal(signed(36))
        m.d.comb += [a.eq(self.a), b.eq(self.b), self.p.eq(p)]
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
