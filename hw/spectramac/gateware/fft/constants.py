# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Multiplication by one of a few constants: additions, no multiplier."""

from collections.abc import Sequence
from typing import Any

from amaranth import Cat, Const, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ConstantMultiplier", "canonical_digits"]


def canonical_digits(value: int) -> dict[int, int]:
    """The canonical signed-digit form: 1 or -1 for each position of a digit, no two of them side by side.

    Raises
    ------
    ValueError
        If ``value`` is negative: its digits are those of ``-value``, negated.
    """
    if value < 0:
        raise ValueError(f"value must be at least 0, not {value!r}")
    digits: dict[int, int] = {}
    k = 0
    while value:
        if value & 1:
            digits[k] = 2 - (value & 3)
            value -= digits[k]
        value >>= 1
        k += 1
    return digits


def _quaternary(value: int) -> dict[int, int]:
    """Digits from -2 to 2 of base 4; zeros are left out."""
    digits: dict[int, int] = {}
    for k, digit in canonical_digits(abs(value)).items():
        digits[k // 2] = (digit if value > 0 else -digit) << (k % 2)
    return digits


class ConstantMultiplier(wiring.Component):
    """A multiplier by one of a few constants, made of additions.

    The product of ``a`` in cycle 0 and ``constants[index]``, with ``index`` in the cycle before, is on ``p`` in
    cycle 3, as of :class:`spectramac.gateware.fft.device.Multiplier`. Two canonical digits of the constants make a
    term: 0, a or 2a, inverted if they are negative. Cycle 1: terms. Cycle 2: sums of three. Cycle 3: their sum.

    Parameters
    ----------
    a_width : int
        Bits of the variable factor.
    constants : sequence of int
    p_width : int
        Low bits of the product that are wanted.

    Members
    -------
    a : :py:`In(signed(a_width))`
    index : :py:`In(range(len(constants)))`
    p : :py:`Out(signed(p_width))`
    """

    latency = 3

    def __init__(self, a_width: int, constants: Sequence[int], p_width: int) -> None:
        self.constants = tuple(constants)
        super().__init__(
            {
                "a": In(signed(a_width)),
                "index": In(range(len(self.constants))),
                "p": Out(signed(p_width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        numbers = [_quaternary(constant) for constant in self.constants]
        # Of an inverted term -x - 1, what is missing to -x.
        missing = [sum(1 << 2 * k for k, digit in n.items() if digit < 0) for n in numbers]
        rest = self._chosen(m, "rest", missing)
        late = Signal.like(rest, name="late_rest", reset_less=True)
        m.d.sync += late.eq(rest)
        terms: list[Any] = [late]
        for k in sorted({k for n in numbers for k in n}):
            digits = [n.get(k, 0) for n in numbers]
            one, two, negative = (
                self._chosen(m, f"{name}{k}", bits)
                for name, bits in (
                    ("one", [abs(digit) == 1 for digit in digits]),
                    ("two", [abs(digit) == 2 for digit in digits]),
                    ("negative", [digit < 0 for digit in digits]),
                )
            )
            size = Signal(signed(len(self.a) + 1), name=f"size{k}")
            term = Signal.like(size, name=f"term{k}", reset_less=True)
            m.d.comb += size.eq(
                (self.a & one.replicate(len(size)).as_signed())
                | (self.a.shift_left(1) & two.replicate(len(size)).as_signed())
            )
            m.d.sync += term.eq(size ^ negative.replicate(len(size)).as_signed())
            terms.append(term.shift_left(2 * k))
        sums = []
        for k in range(0, len(terms), 3):
            exact = sum(terms[k + 1 : k + 3], terms[k])
            part = Signal(signed(min(len(exact), len(self.p))), name=f"sum{k}", reset_less=True)
            m.d.sync += part.eq(exact)
            sums.append(part)
        product = Signal.like(self.p, name="product", reset_less=True)
        m.d.sync += product.eq(sum(sums[1:], sums[0]))
        m.d.comb += self.p.eq(product)
        return m

    def _chosen(self, m: Module, name: str, values: Sequence[int]) -> Signal:
        """That of the constant, in the cycle of ``a``."""
        width = max(1, max(values).bit_length())
        chosen = Signal(width, name=name, reset_less=True)
        tables = [
            Const(sum((v >> bit & 1) << k for k, v in enumerate(values)), len(values))
            for bit in range(width)
        ]
        m.d.sync += chosen.eq(Cat(table.bit_select(self.index, 1) for table in tables))
        return chosen
