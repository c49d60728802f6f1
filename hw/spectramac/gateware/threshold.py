# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Split of the packed spectrum into two inferences, and the magnitude threshold."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.stream import layout
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import bins, columns, control_fields, kept_columns
from spectramac.spec.timing import threshold_cycles

__all__ = ["Split", "Threshold"]


def _control(config: AcceleratorConfig) -> list[str]:
    """Names of what passes through unchanged."""
    return [field.name for field in control_fields(config)]


class Split(wiring.Component):
    """Recover both inferences' columns from two packed spectral values; exact.

    Complex bin (``joint``), with F = ``first``, S = ``second`` (the conjugate bin): a1 = F.re + S.re,
    b1 = F.im - S.im, a2 = F.im + S.im, b2 = S.re - F.re: the doubled spectra. Two real bins: a1 = F.re, a2 = F.im,
    b1 = S.re, b2 = S.im.

    Combinational: latency 0, ``i.ready`` is ``o.ready``.

    Members
    -------
    i : :py:`In(stream.Signature(bins(config)))`
    o : :py:`Out(stream.Signature(columns(config)))`

    References
    ----------
    :func:`spectramac.model.spectrum.split`
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(layout(bins(config)))),
                "o": Out(stream.Signature(layout(columns(config)))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        i, o = self.i.payload, self.o.payload
        first, second = i.first, i.second
        m.d.comb += [self.o.valid.eq(self.i.valid), self.i.ready.eq(self.o.ready)]
        m.d.comb += [o[name].eq(i[name]) for name in _control(self.config)]
        with m.If(i.joint):
            m.d.comb += [
                o.a1.eq(first.re + second.re),
                o.b1.eq(first.im - second.im),
                o.a2.eq(first.im + second.im),
                o.b2.eq(second.re - first.re),
            ]
        with m.Else():
            m.d.comb += [
                o.a1.eq(first.re),
                o.a2.eq(first.im),
                o.b1.eq(second.re),
                o.b2.eq(second.im),
            ]
        return m


class Threshold(wiring.Component):
    """Zero the columns of each inference whose squared magnitude is below ``level``; exact.

    A complex pair is judged as one, on a² + b² (of doubled values); real columns singly, on (2a)² and (2b)². So
    ``level`` = (2τ)² keeps |X| ≥ τ. Nothing is rounded and nothing can overflow: ``level`` and the squares have the
    full product width. Markers pass unchanged.

    Accepts a pair every :attr:`cycles_per_pair` cycles; its result is valid :attr:`latency` cycles after it was
    accepted. ``i.ready`` depends combinationally on ``o.ready``.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`
        ``n_threshold_multipliers`` squares are formed per cycle.

    Members
    -------
    i : :py:`In(stream.Signature(columns(config)))`
    o : :py:`Out(stream.Signature(kept_columns(config)))`
    level : :py:`In(config.level_width)`
        Must be stable while pairs are inside.

    References
    ----------
    :func:`spectramac.model.spectrum.threshold`
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(layout(columns(config)))),
                "o": Out(stream.Signature(layout(kept_columns(config)))),
                "level": In(config.level_width),
            }
        )

    @property
    def cycles_per_pair(self) -> int:
        """Cycles a pair occupies the multipliers."""
        return threshold_cycles(self.config)

    @property
    def latency(self) -> int:
        """Cycles from accepting a pair to its result."""
        return self.cycles_per_pair + 2

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        n_mult = self.config.n_threshold_multipliers
        last_phase = self.cycles_per_pair - 1
        pair_shape = layout(columns(self.config))

        # Stage 0 holds a pair while its squares are formed; stage 1 holds it until it is passed on.
        pair, pair_valid = Signal(pair_shape, reset_less=True), Signal()
        result, result_valid = Signal(pair_shape, reset_less=True), Signal()
        phase, waiting = Signal(2), Signal()
        keep, keep_next, result_keep = Signal(4), Signal(4), Signal(4)
        pending = Signal()
        move = Signal()
        m.d.comb += [
            move.eq(
                pair_valid
                & (waiting | (phase == last_phase))
                & (~result_valid | (self.o.valid & self.o.ready))
            ),
            self.i.ready.eq(~pair_valid | move),
        ]

        # Squares: a register behind nothing but a multiplier, so that it can be the block's own.
        names = ("a1", "b1", "a2", "b2")
        product = [
            Signal(unsigned(self.config.level_width), name=f"square_{i}", reset_less=True)
            for i in range(n_mult)
        ]
        product_phase, product_valid = Signal(2), Signal()
        # The operands of a phase, beside the pair: nothing but a register is in front of a multiplier either.
        operands = [
            Signal(signed(self.config.column_width), name=f"operand_{i}", reset_less=True)
            for i in range(n_mult)
        ]
        accept = Signal()
        m.d.comb += accept.eq(self.i.valid & self.i.ready)
        for i, operand in enumerate(operands):
            sources = [(self.i.payload, names[i])]
            sources += [(pair, names[p * n_mult + i]) for p in range(1, last_phase + 1)]
            scaled = [Mux(source.joint, source[n], source[n] << 1) for source, n in sources]
            with m.If(accept):
                m.d.sync += operand.eq(scaled[0])
            with m.Else():
                with m.Switch(phase):
                    for p in range(last_phase):
                        with m.Case(p):
                            m.d.sync += operand.eq(scaled[p + 1])
        for i in range(n_mult):
            m.d.sync += product[i].eq((operands[i] * operands[i])[: self.config.level_width])
        m.d.sync += [product_phase.eq(phase), product_valid.eq(pair_valid & ~waiting)]

        # Judgement of one inference when both of its squares are there.
        if n_mult == 2:
            square_a, square_b = product
            judge = [product_valid & (product_phase == i) for i in range(2)]
        else:
            square_b = product[0]
            square_a = Signal.like(square_b)
            m.d.sync += square_a.eq(square_b)
            judge = [product_valid & (product_phase == 2 * i + 1) for i in range(2)]
        judged_pair_joint = Signal()
        m.d.sync += judged_pair_joint.eq(pair.joint)
        # a + b - level in carry-save form, so that one carry chain gives the sign.
        addends = Mux(judged_pair_joint, square_b, 0)
        difference_low = square_a ^ addends ^ ~self.level
        carries = (square_a & addends) | (square_a & ~self.level) | (addends & ~self.level)
        width = self.config.level_width
        total = Signal(width + 2)
        keep_a = Signal()
        keep_b = Signal()
        m.d.comb += [
            # ~level stands for -level - 1 plus 2**width: a carry out of it means "not negative".
            total.eq(difference_low[:width] + (carries[:width] << 1) + 1),
            keep_a.eq(total[width:].any()),
            keep_b.eq(Mux(judged_pair_joint, keep_a, square_b >= self.level)),
            keep_next.eq(keep),
        ]
        for i in range(2):
            with m.If(judge[i] & ~pending):
                m.d.comb += keep_next[2 * i : 2 * i + 2].eq(Cat(keep_a, keep_b))
        m.d.sync += keep.eq(keep_next)

        with m.If(pair_valid & ~waiting):
            m.d.sync += phase.eq(phase + 1)
            with m.If(phase == last_phase):
                m.d.sync += waiting.eq(1)
        with m.If(pending):
            m.d.sync += [result_keep[2:].eq(Cat(keep_a, keep_b)), pending.eq(0)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += result_valid.eq(0)
        with m.If(move):
            m.d.sync += [
                result.eq(pair),
                result_keep.eq(keep_next),
                result_valid.eq(1),
                pending.eq(~waiting),
                pair_valid.eq(0),
            ]
        with m.If(accept):
            m.d.sync += [pair.eq(self.i.payload), pair_valid.eq(1), phase.eq(0), waiting.eq(0)]

        o = self.o.payload
        m.d.comb += [
            self.o.valid.eq(result_valid & ~pending),
            o.a1.eq(Mux(result_keep[0], result.a1, 0)),
            o.b1.eq(Mux(result_keep[1], result.b1, 0)),
            o.a2.eq(Mux(result_keep[2], result.a2, 0)),
            o.b2.eq(Mux(result_keep[3], result.b2, 0)),
            o.keep_a.eq(result_keep[0] | result_keep[2]),
            o.keep_b.eq(result_keep[1] | result_keep[3]),
        ]
        m.d.comb += [o[name].eq(result[name]) for name in _control(self.config)]
        return m
