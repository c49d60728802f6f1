# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Division by a power of two that is known at run time."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.fixed import saturate

__all__ = ["Shift"]


class Shift(wiring.Component):
    """Divide by ``2**shift`` (0 to 31), round half to even, saturate. Two register stages.

    Both stages hold while ``enable`` is 0. Saturation is reported with the result.

    Parameters
    ----------
    in_width, out_width : int
        Signed widths.

    Members
    -------
    enable : :py:`In(1)`
    i : :py:`In(signed(in_width))`
    shift : :py:`In(5)`
    o : :py:`Out(signed(out_width))`
    overflow : :py:`Out(1)`

    References
    ----------
    :func:`spectramac.model.fixed.round_shift`, :func:`spectramac.model.fixed.saturate`
    """

    LATENCY = 2

    def __init__(self, in_width: int, out_width: int) -> None:
        self.in_width = in_width
        self.out_width = out_width
        super().__init__(
            {
                "enable": In(1),
                "i": In(signed(in_width)),
                "shift": In(5),
                "o": Out(signed(out_width)),
                "overflow": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # floor(i / 2**shift), with the bit below (half) and whether any bit under that is set.
        floor = Signal(signed(self.in_width), reset_less=True)
        half, below = Signal(reset_less=True), Signal(reset_less=True)
        value: Value = Cat(0, self.i).as_signed()  # one guard bit
        rest: Value = Value.cast(0)[:1]
        for bit in range(5):
            amount = 1 << bit
            lost = value[: min(amount, len(value))].any()
            rest = rest | (self.shift[bit] & lost)
            value = Mux(self.shift[bit], value >> amount, value).as_signed()[: self.in_width + 1]
            value = value.as_signed()
        with m.If(self.enable):
            m.d.sync += [floor.eq(value[1:].as_signed()), half.eq(value[0]), below.eq(rest)]
        rounded = Signal(signed(self.in_width + 1))
        m.d.comb += rounded.eq(floor + (half & (below | floor[0])))
        clipped, flag = saturate(rounded, self.out_width)
        with m.If(self.enable):
            m.d.sync += [self.o.eq(clipped), self.overflow.eq(flag)]
        return m
