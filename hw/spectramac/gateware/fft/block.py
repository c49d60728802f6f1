# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Block floating point: one shift for a sample before its product, one exponent for a frame at the end."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.delay import delayed
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import GUARD, StagePlan, exponents, plan
from spectramac.spec.payloads import fft_exponent
from spectramac.spec.timing import NORMALISE_LATENCY, SHIFT_LATENCY

__all__ = ["FrameExponent", "Normalise", "SampleShift"]


def _round(value: Any, half: Any, below: Any) -> Any:
    """Half to even: ``value`` and what was dropped, its first bit and whether there was more."""
    return value + (half & (below | value[0]))


class SampleShift(wiring.Component):
    """Shifts both parts of a sample right by the smallest of :attr:`StagePlan.shifts` that makes them fit.

    Rounds half to even. Latency is :attr:`latency` cycles, one sample a cycle; nothing overflows: a part of
    ``factor_width - 1`` bits that is rounded up has ``factor_width``.

    Parameters
    ----------
    stage : StagePlan

    Members
    -------
    re, im : :py:`In(signed(stage.butterfly_width))`
    out_re, out_im : :py:`Out(signed(stage.factor_width))`
    choice : :py:`Out(range(len(stage.shifts)))`
        Number of the shift, :attr:`choice_lead` cycles before the sample is at the output.
    """

    latency = SHIFT_LATENCY
    choice_lead = 2

    def __init__(self, stage: StagePlan) -> None:
        self.stage = stage
        super().__init__(
            {
                "re": In(signed(stage.butterfly_width)),
                "im": In(signed(stage.butterfly_width)),
                "out_re": Out(signed(stage.factor_width)),
                "out_im": Out(signed(stage.factor_width)),
                "choice": Out(range(len(stage.shifts))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        shifts, width = self.stage.shifts, self.stage.factor_width - 1
        # Cycle 0: what does not fit.
        too_small = []
        for shift in shifts[:-1]:
            tops = [part[width - 1 + shift :] for part in (self.re, self.im)]
            too_small.append(Cat(top.any() & ~top.all() for top in tops).any())
        choice = Signal.like(self.choice, reset_less=True)
        m.d.sync += choice.eq(sum(too_small[1:], start=Cat(too_small[0])))
        m.d.comb += self.choice.eq(choice)
        for part, output in ((self.re, self.out_re), (self.im, self.out_im)):
            x = delayed(m, part, 1, "x")
            # Cycle 1: shifted. Cycle 2: rounded.
            value = Signal(signed(width), reset_less=True)
            half, below = Signal(reset_less=True), Signal(reset_less=True)
            with m.Switch(choice):
                for number, shift in enumerate(shifts):
                    with m.Case(number):
                        m.d.sync += [
                            value.eq(x >> shift),
                            half.eq(x[shift - 1] if shift else 0),
                            below.eq(x[: shift - 1].any() if shift > 1 else 0),
                        ]
            rounded = Signal.like(output, reset_less=True)
            m.d.sync += rounded.eq(_round(value, half, below))
            m.d.comb += output.eq(rounded)
        return m


class FrameExponent(wiring.Component):
    """Finds the exponent of each frame that passes by.

    It is the smallest with which every part is from the least to the greatest mantissa before rounding
    (:mod:`spectramac.model.fft`). A part ``x >= 0`` is at most ``(2**(w-1) - 1)·2**e`` if and only if
    ``x + (x >> (w-1))`` is less than ``2**(w-1+e)``, and a negative one at least ``-2**(w-1)·2**e`` if and only if
    ``~x`` is: the highest bit among those of all parts tells e.

    Parameters
    ----------
    config : :class:`FFTConfig`

    Members
    -------
    valid, last, re, im : :py:`In`
        Words of a frame, with gaps or without, ``GUARD`` bits of each part being fraction.
    done : :py:`Out(1)`
        :attr:`latency` cycles after the last word of a frame: ``shift`` is that of the frame.
    shift : :py:`Out`
        Bits to drop: exponent and ``GUARD``.
    """

    latency = 3

    def __init__(self, config: FFTConfig) -> None:
        self.config = config
        self.width = plan(config)[-1].output_width
        super().__init__(
            {
                "valid": In(1),
                "last": In(1),
                "re": In(signed(self.width)),
                "im": In(signed(self.width)),
                "done": Out(1),
                "shift": Out(range(len(exponents(config)))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        low = self.config.data_width - 1
        n_shifts = len(exponents(self.config)) - 1
        # Cycle 0: bits that ask for a shift. Cycle 1: those of the frame. Cycle 2: the highest.
        bits = []
        for name in ("re", "im"):
            x = getattr(self, name)
            total = Signal.like(x, name=f"total_{name}", reset_less=True)
            sign = x[-1]
            m.d.sync += total.eq(x + (x[low:] & (~sign).replicate(self.width - low)))
            bits.append(total[low : low + n_shifts] ^ total[-1].replicate(n_shifts))
        valid = delayed(m, self.valid, 1, "valid", reset=True)
        last = delayed(m, self.last, 1, "last")
        fresh = Signal(init=1)
        seen = Signal(n_shifts)
        with m.If(valid):
            m.d.sync += [
                seen.eq(Mux(fresh, 0, seen) | bits[0] | bits[1]),
                fresh.eq(last),
            ]
        complete = Signal()
        m.d.sync += [complete.eq(valid & last), self.done.eq(complete)]
        m.d.sync += self.shift.eq(0)
        for bit in range(n_shifts):
            with m.If(seen[bit]):
                m.d.sync += self.shift.eq(bit + 1)
        return m


class Normalise(wiring.Component):
    """Drops ``shift`` low bits of both parts, rounding half to even: the mantissas.

    Latency is :attr:`latency` cycles, one sample a cycle. Nothing overflows with the ``shift`` of
    :class:`FrameExponent`.

    Parameters
    ----------
    config : :class:`FFTConfig`

    Members
    -------
    re, im, shift : :py:`In`
    out_re, out_im : :py:`Out(signed(config.data_width))`
    exponent : :py:`Out`
    """

    latency = NORMALISE_LATENCY
    fine = 2
    """Low bits of ``shift`` that a second step takes."""

    def __init__(self, config: FFTConfig) -> None:
        self.config = config
        self.width = plan(config)[-1].output_width
        super().__init__(
            {
                "re": In(signed(self.width)),
                "im": In(signed(self.width)),
                "shift": In(range(len(exponents(config)))),
                "out_re": Out(signed(config.data_width)),
                "out_im": Out(signed(config.data_width)),
                "exponent": Out(signed(fft_exponent(config).width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width, fine = self.config.data_width, 1 << self.fine
        n_coarse = -(-len(exponents(self.config)) // fine)
        coarse = self.shift[self.fine :]
        rest = delayed(m, self.shift[: self.fine], 1, "rest")
        exponent = Signal.like(self.exponent)
        m.d.comb += exponent.eq(self.shift - GUARD)
        m.d.comb += self.exponent.eq(delayed(m, exponent, self.latency, "exponent"))
        for name in ("re", "im"):
            # Cycle 0: by a multiple of 4; the lowest bit is the first that was dropped.
            x = Cat(Const(0, 1), getattr(self, name)).as_signed()
            partly = Signal(signed(width + fine), name=f"partly_{name}", reset_less=True)
            below = Signal(name=f"below_{name}", reset_less=True)
            with m.Switch(coarse):
                for step in range(n_coarse):
                    with m.Case(step):
                        dropped = x[: step * fine]
                        m.d.sync += [partly.eq(x >> step * fine), below.eq(dropped.any())]
            # Cycle 1: by the rest. Cycle 2: rounded.
            value = Signal(signed(width + 1), name=f"value_{name}", reset_less=True)
            more = Signal(name=f"more_{name}", reset_less=True)
            with m.Switch(rest):
                for step in range(fine):
                    with m.Case(step):
                        m.d.sync += [
                            value.eq(partly >> step),
                            more.eq(below | partly[:step].any()),
                        ]
            output = getattr(self, f"out_{name}")
            rounded = Signal.like(output, name=f"rounded_{name}", reset_less=True)
            m.d.sync += rounded.eq(_round(value[1:].as_signed(), value[0], more))
            m.d.comb += output.eq(rounded)
        return m
