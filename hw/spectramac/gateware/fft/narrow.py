# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Narrowing of a sample's parts between stages of the pipelined transform."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.fixed import round_half_even, saturate
from spectramac.spec.fft_plan import Narrowing

__all__ = ["Narrow"]


class Narrow(wiring.Component):
    """A :class:`Narrowing` of both parts of a sample, in one cycle, or two if it may saturate.

    Parameters
    ----------
    width : int
        Bits of each part at the input.
    narrowing : Narrowing

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

    def __init__(self, width: int, narrowing: Narrowing) -> None:
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
        """Round; clip in a second cycle. Returns whether it clips, then."""
        narrowing = self.narrowing
        assert narrowing.shift is not None
        width = self.width - narrowing.shift + narrowing.saturates
        rounded = Signal(signed(width), name=f"rounded_{name}", reset_less=True)
        m.d.sync += rounded.eq(round_half_even(value, narrowing.shift))
        if not narrowing.saturates:
            m.d.comb += output.eq(rounded)
            return None
        result = Signal.like(output, name=f"clipped_{name}", reset_less=True)
        clipped, flag = saturate(rounded, narrowing.width)
        m.d.sync += result.eq(clipped)
        m.d.comb += output.eq(result)
        return flag

    def _halve_or_clip(self, m: Module, name: str, value: Any, output: Any) -> Any:
        """One bit less: half the value, or the value clipped. Returns whether it clips, in the second cycle.

        The only half that needs clipping is that of the greatest value, which is a tie.
        """
        halved = Signal(signed(self.width - 1), name=f"halved_{name}", reset_less=True)
        low = Signal(self.width - 1, name=f"low_{name}", reset_less=True)
        constant, chosen, flag = (
            Signal(name=f"{kind}_{name}", reset_less=True)
            for kind in ("constant", "chosen", "flag")
        )
        sign = value[-1]
        greatest = value[:-1].all() & ~sign
        clips = Mux(self.halve, greatest, sign ^ value[-2])
        m.d.sync += [
            halved.eq(round_half_even(value, 1)),
            low.eq(value[:-1]),
            constant.eq(clips),
            chosen.eq(Mux(clips, sign, self.halve)),
            flag.eq(clips),
        ]
        bound = Cat((~chosen).replicate(self.width - 2), chosen)
        result = Signal.like(output, name=f"clipped_{name}", reset_less=True)
        m.d.sync += result.eq(Mux(constant, bound, Mux(chosen, halved, low)))
        m.d.comb += output.eq(result)
        return flag
