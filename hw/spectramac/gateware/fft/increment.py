# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The last step of a narrowing: round up, or saturate, or neither."""

from typing import Any

from amaranth import C, Cat, Const, Instance, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ALL_ONES", "ALL_ZEROS", "FIRST", "SECOND", "Increment"]

ALL_ZEROS, FIRST, SECOND, ALL_ONES = range(4)
"""Values of :attr:`Increment.choice`."""


class Increment(wiring.Component):
    """``{sign, zeros | a | b | ones} + (carry & ~hold)``.

    Combinational. A carry chain's own look-up tables choose the operand, so that an ECP5 needs no others; Yosys does
    not merge them by itself. It wraps.

    Parameters
    ----------
    width : int
        Of the result, sign included.
    technology : str
        ``"generic"``: inferred. ``"ecp5"``: ``CCU2C``.

    Members
    -------
    a, b : :py:`In(width - 1)`
    sign, carry, hold : :py:`In(1)`
    choice : :py:`In(2)`
        :data:`ALL_ZEROS`, :data:`FIRST` (a), :data:`SECOND` (b) or :data:`ALL_ONES`.
    o : :py:`Out(signed(width))`
    """

    def __init__(self, width: int, *, technology: str = "generic") -> None:
        self.width = width
        self.technology = technology
        super().__init__(
            {
                "a": In(width - 1),
                "b": In(width - 1),
                "sign": In(1),
                "choice": In(2),
                "carry": In(1),
                "hold": In(1),
                "o": Out(signed(width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.technology == "ecp5":
            self._elaborate_ecp5(m)
            return m
        n = self.width - 1
        first, second = self.choice[0].replicate(n), self.choice[1].replicate(n)
        chosen = (self.a & first) | (self.b & second)
        operand = Mux(self.choice == ALL_ONES, Const(-1, signed(n)), chosen)[:n]
        m.d.comb += self.o.eq(Cat(operand, self.sign).as_signed() + (self.carry & ~self.hold))
        return m

    def _elaborate_ecp5(self, m: Module) -> None:
        """Halves of ``CCU2C``: the table gives the sum bit; where it is 0 the carry is what it gives for C = D = 0."""
        zero, one = C(0, 1), C(1, 1)
        # Table: of {D, C, B, A}. The first half makes the carry, the last the sign.
        halves: list[tuple[int, tuple[Any, Any, Any, Any]]] = [
            (0x0002, (self.carry, self.hold, one, zero))
        ]
        for a, b in zip(self.a, self.b, strict=True):
            halves.append((0xFCA0, (a, b, self.choice[0], self.choice[1])))
        halves.append((0xFCA0, (self.sign, zero, one, zero)))
        if len(halves) % 2:
            halves.append((0, (zero, zero, zero, zero)))
        sums = Signal(len(halves))
        carry: Any = zero
        for k in range(0, len(halves), 2):
            ports: dict[str, Any] = {}
            for number, (table, operands) in enumerate(halves[k : k + 2]):
                ports[f"p_INIT{number}"] = Const(table, 16)
                ports[f"p_INJECT1_{number}"] = "NO"
                ports[f"o_S{number}"] = sums[k + number]
                for pin, operand in zip("ABCD", operands, strict=True):
                    ports[f"i_{pin}{number}"] = operand
            next_carry = Signal(name=f"carry{k}")
            m.submodules[f"ccu{k}"] = Instance("CCU2C", i_CIN=carry, o_COUT=next_carry, **ports)
            carry = next_carry
        m.d.comb += self.o.eq(sums[1 : 1 + self.width])
