# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Narrowing of a sample's parts between stages of the pipelined transform."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.delay import delayed
from spectramac.gateware.fft.increment import ALL_ONES, ALL_ZEROS, FIRST, SECOND, Increment
from spectramac.gateware.fixed import round_half_even
from spectramac.spec.fft_plan import Narrowing

__all__ = ["Narrow", "round_or_clip"]


class Narrow(wiring.Component):
    """A :class:`Narrowing` of both parts of a sample, in one cycle, or two if it may saturate.

    Parameters
    ----------
    width : int
        Bits of each part at the input.
    narrowing : Narrowing
    technology : str
        See :class:`Increment`.

    Members
    -------
    re, im : :py:`In(signed(width))`
    valid : :py:`In(1)`
        Only these samples can raise ``overflow``.
    halve : :py:`In(1)`
        With the sample, if the shift is chosen at run time.
    out_re, out_im : :py:`Out(signed(narrowing.width))`
    overflow : :py:`Out(1)`
        In the cycle after the one in which a clipped value is at the output.
    """

    def __init__(self, width: int, narrowing: Narrowing, *, technology: str = "generic") -> None:
        self.technology = technology
        self.width = width
        self.narrowing = narrowing
        super().__init__(
            {
                "re": In(signed(width)),
                "im": In(signed(width)),
                "valid": In(1),
                "halve": In(1),
                "out_re": Out(signed(narrowing.width)),
                "out_im": Out(signed(narrowing.width)),
                "overflow": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        narrow = self._halve_or_clip if self.narrowing.shift is None else self._round
        flags = [
            flag
            for name in ("re", "im")
            if (flag := narrow(m, name, getattr(self, name), getattr(self, f"out_{name}")))
            is not None
        ]
        if flags:
            valid, flag = Signal(), Signal()
            m.d.sync += [
                valid.eq(self.valid),
                flag.eq(valid & Cat(flags).any()),
                self.overflow.eq(flag),
            ]
        return m

    def _round(self, m: Module, name: str, value: Any, output: Any) -> Any:
        """Round; if that may saturate, in a second cycle. Returns whether it saturates, then."""
        narrowing = self.narrowing
        shift = narrowing.shift
        assert shift is not None
        if not narrowing.saturates:
            rounded = Signal.like(output, name=f"rounded_{name}", reset_less=True)
            m.d.sync += rounded.eq(round_half_even(value, shift))
            m.d.comb += output.eq(rounded)
            return None
        floor = value[shift:]
        if len(floor) == len(output):
            floor = Cat(floor, floor[-1])  # a tile without product: only rounding can exceed
        below = value[: shift - 1].any() if shift > 1 else Const(0, 1)
        up = value[shift - 1] & (below | value[shift]) if shift else Const(0, 1)
        return round_or_clip(m, name, floor, up, output, technology=self.technology)

    def _halve_or_clip(self, m: Module, name: str, value: Any, output: Any) -> Any:
        """One bit less: half the value, or the value clipped. Returns whether it clips, in the second cycle.

        The only half that needs clipping is that of the greatest value, a tie: it is not rounded up.
        """
        up = self.halve & value[0] & value[1]
        return round_or_clip(
            m, name, value, up, output, halve=self.halve, technology=self.technology
        )


def round_or_clip(
    m: Module,
    name: str,
    value: Any,
    up: Any,
    output: Any,
    *,
    halve: Any = None,
    tie: Any = None,
    technology: str = "generic",
) -> Any:
    """``value + up``, clipped to ``output``, which has one bit less; or, if ``halve``, ``(value >> 1) + up``.

    In two cycles. Returns whether it clips, in the second cycle. A value that exceeds the output by itself becomes
    constant; one that would if rounded up is not rounded up, which is the bound.

    Parameters
    ----------
    m, name
        Module, and part of its signals' names.
    value, up, output
        Signed value, whether it is rounded up, and where the result goes.
    halve
        If there is a choice; ``up`` is 0 where it is 0.
    tie
        Of what ``up`` is a half of: then the result must be even.
    technology
        See :class:`Increment`.
    """
    sign = value[-1]
    exceeds, places, choose = sign ^ value[-2], value[:-2], Const(FIRST, 2)
    if halve is not None:
        exceeds, places, choose = exceeds & ~halve, value[1:-1], Mux(halve, SECOND, FIRST)
    else:
        up = up & ~exceeds
    choice = Signal(2, name=f"choice_{name}", reset_less=True)
    m.d.sync += choice.eq(Mux(exceeds, Mux(sign, ALL_ZEROS, ALL_ONES), choose))
    x = delayed(m, value, 1, f"value_{name}")
    clips = delayed(m, exceeds, 1, f"exceeds_{name}")
    carry = delayed(m, up, 1, f"carry_{name}")
    # Of the greatest value all are ones.
    bits = Cat(places, ~sign)
    groups = Cat(bits[k : k + 4].all() for k in range(0, len(bits), 4))
    greatest, hold = Signal(name=f"greatest_{name}"), Signal(name=f"hold_{name}")
    m.d.comb += greatest.eq(delayed(m, groups, 1, f"ones_{name}").all())
    m.d.comb += hold.eq(greatest)
    if tie is not None:
        m.d.comb += hold.eq(greatest | (delayed(m, tie, 1, f"tie_{name}") & ~x[0]))
    m.submodules[f"increment_{name}"] = increment = Increment(len(output), technology=technology)
    result = Signal.like(output, name=f"result_{name}", reset_less=True)
    m.d.comb += [
        increment.a.eq(x[:-2]),
        increment.b.eq(x[1:-1] if halve is not None else 0),
        increment.sign.eq(x[-1]),
        increment.choice.eq(choice),
        increment.carry.eq(carry),
        increment.hold.eq(hold),
        output.eq(result),
    ]
    m.d.sync += result.eq(increment.o)
    return clips | (carry & greatest)
