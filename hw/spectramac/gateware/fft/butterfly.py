# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A butterfly stage of the pipelined transform: single-path delay feedback that nothing can stall."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.delay import delayed
from spectramac.gateware.fft.control import control_layout, is_square
from spectramac.gateware.fft.device import BlockRAM, SmallRAM
from spectramac.gateware.fft.narrow import Narrow
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import StagePlan
from spectramac.spec.timing import butterfly_latency, delay_storage

__all__ = ["Announcement", "Butterfly", "Samples"]


def Samples(config: FFTConfig, width: int) -> wiring.Signature:  # noqa: N802 (reads as a class)
    """Samples that flow without handshake: ``re``, ``im`` where ``valid``.

    ``first`` marks the first of a frame. ``control`` is that of the frame, constant from its first sample until
    the first of the next.
    """
    return wiring.Signature(
        {
            "valid": Out(1),
            "first": Out(1),
            "re": Out(signed(width)),
            "im": Out(signed(width)),
            "control": Out(control_layout(config)),
        }
    )


def Announcement(config: FFTConfig) -> wiring.Signature:  # noqa: N802
    """Tells of a sample some cycles before it is there."""
    return wiring.Signature(
        {"valid": Out(1), "first": Out(1), "control": Out(control_layout(config))}
    )


class Butterfly(wiring.Component):
    """Butterflies over blocks of ``2**m`` samples.

    The first half of a block is stored. With each sample of the second half the sum is emitted and the difference
    stored in the place of its partner; the differences are emitted in the cycles after the last sum, one a cycle,
    while the next block may already be stored behind them. Sums of the next block cannot come before the last
    difference has left, so nothing ever waits. Between the samples of a frame there may be gaps.

    A frame shorter than the block passes unchanged, with the same latency. It must not come while
    differences are still to be emitted: whoever feeds the pipeline waits when the size falls.

    The memory holds ``b - a``: the adder in front of it only ever subtracts; a first half is stored by subtracting 0.

    Latency is ``2**(m - 1)`` and :func:`spectramac.spec.timing.butterfly_latency`, which shorter frames take too.

    Parameters
    ----------
    config : :class:`FFTConfig`
    stage : StagePlan
        Widths and narrowing.
    technology : str
        See :class:`BlockRAM`.

    Members
    -------
    i, o : :func:`Samples`
    early : :func:`Announcement`
        Of the samples at ``o``, :attr:`lead` cycles ahead.
    overflow : :py:`Out(1)`
    """

    def __init__(self, config: FFTConfig, stage: StagePlan, *, technology: str = "generic") -> None:
        self.config = config
        self.stage = stage
        self.technology = technology
        width = stage.narrowing.width if stage.narrowing else stage.width + 1
        super().__init__(
            {
                "i": In(Samples(config, stage.width)),
                "o": Out(Samples(config, width)),
                "early": Out(Announcement(config)),
                "overflow": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles besides waiting for the second half of a block."""
        return butterfly_latency(self.stage)

    @property
    def lead(self) -> int:
        """Cycles from ``early`` to ``o``."""
        return self.latency - 1

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        stage, number = self.stage, self.stage.m
        control = self.i.control
        active: Any = Const(1, 1)
        if not self.config.is_fixed:
            active = control.size[number - 1]
        taken = Signal(number)
        # Slot to be read: of the next sample's partner, then of the next difference. It comes round in time for both.
        slot, next_slot = Signal(number - 1), Signal(number - 1)
        draining, draining_next = Signal(), Signal()
        fresh = Signal(reset_less=True)  # each frame sets it
        held = Signal(control_layout(self.config))
        accept, computing, first = Signal(), Signal(), Signal()
        passing = Signal()
        m.d.comb += [
            accept.eq(self.i.valid & active),
            passing.eq(self.i.valid & ~active),
            computing.eq(accept & taken[-1]),
            next_slot.eq(Mux(computing | draining, slot + 1, slot)),
            first.eq((computing & fresh) | (passing & self.i.first)),
        ]
        with m.If(accept):
            m.d.sync += taken.eq(taken + 1)
        with m.If(computing | draining):
            m.d.sync += slot.eq(slot + 1)
        last_slot = (computing | draining) & slot.all()
        m.d.comb += draining_next.eq(Mux(last_slot, computing, draining))
        m.d.sync += draining.eq(draining_next)
        with m.If(accept & self.i.first):
            m.d.sync += fresh.eq(1)
        with m.If(computing):
            m.d.sync += fresh.eq(0)
        with m.If(first):
            m.d.sync += held.eq(control)

        valid = computing | draining | passing
        m.d.sync += [self.early.valid.eq(valid), self.early.first.eq(first)]
        m.d.comb += self.early.control.eq(held)
        halve: Any = Const(0, 1)
        if stage.narrowing and stage.narrowing.shift is None:
            halve = Mux(draining, held.halve[number - 1], control.halve[number - 1] & ~passing)
        if number == 1:
            raw_re, raw_im = self._adjacent(m, accept, computing, draining)
        else:
            rotate, rotate_next = Signal(), Signal()
            m.d.comb += rotate_next.eq(rotate)
            if stage.rotates:
                plain = Signal()
                if not self.config.is_fixed:
                    with m.If(first):
                        m.d.sync += plain.eq(is_square(control, number - 1))
                with m.If(draining & slot[:-1].all()):
                    m.d.comb += rotate_next.eq(~slot[-1] & ~plain)
                m.d.sync += rotate.eq(rotate_next)
            idle = ~active & ~draining
            # Stored differences are b - a. Emitted are a - b, or -j(a - b) (j in the inverse), or b - a.
            inverts: list[Any] = [Const(0, 1), Const(0, 1)]
            if not stage.negates:
                inverse = Const(0, 1) if self.config.is_fixed else held.inverse
                for k in range(2):
                    positive = rotate_next & (inverse == 1 - k)
                    inverts[k] = delayed(m, draining_next & ~positive, 1, f"invert{k}", reset=True)
            raw_re, raw_im = self._stored(
                m, accept, computing, draining, idle, rotate, inverts, taken, (slot, next_slot)
            )
        self._emit(m, raw_re, raw_im, valid, first, halve, held)
        return m

    def _emit(
        self,
        m: Module,
        raw_re: Any,
        raw_im: Any,
        valid: Any,
        first: Any,
        halve: Any,
        held: Any,
    ) -> None:
        """From the sums and differences to ``o``."""
        narrowing = self.stage.narrowing
        after = 0 if narrowing is None else 2 if narrowing.saturates else 1
        before = self.latency - after
        if narrowing is None:
            m.d.comb += [self.o.re.eq(raw_re), self.o.im.eq(raw_im)]
        else:
            m.submodules.narrow = narrow = Narrow(
                len(raw_re), narrowing, technology=self.technology
            )
            m.d.comb += [
                narrow.re.eq(raw_re),
                narrow.im.eq(raw_im),
                narrow.valid.eq(delayed(m, valid, before, "raw_valid", reset=True)),
                narrow.halve.eq(delayed(m, halve, before, "halve")),
                self.o.re.eq(narrow.out_re),
                self.o.im.eq(narrow.out_im),
                self.overflow.eq(narrow.overflow),
            ]
        m.d.comb += [
            self.o.valid.eq(delayed(m, valid, self.latency, "valid", reset=True)),
            self.o.first.eq(delayed(m, first, self.latency, "first", reset=True)),
        ]
        if not self.config.is_fixed:
            with m.If(delayed(m, first, self.latency - 1, "firsts", reset=True)):
                m.d.sync += self.o.control.eq(held)

    def _adjacent(self, m: Module, accept: Any, computing: Any, draining: Any) -> tuple[Any, Any]:
        """Stage 1: the partner is the sample before; latency 1."""
        raw = []
        for name in ("re", "im"):
            x = getattr(self.i, name)
            partner = Signal.like(x, name=f"partner_{name}", reset_less=True)
            difference, output = (
                Signal(signed(self.stage.width + 1), name=f"{kind}_{name}", reset_less=True)
                for kind in ("difference", "raw")
            )
            with m.If(accept):
                m.d.sync += partner.eq(x)
            with m.If(computing):
                m.d.sync += difference.eq(partner - x)
            m.d.sync += output.eq(Mux(draining, difference, partner + x))
            raw.append(output)
        return raw[0], raw[1]

    def _stored(
        self,
        m: Module,
        accept: Any,
        computing: Any,
        draining: Any,
        passing: Any,
        rotate: Any,
        inverts: list[Any],
        taken: Any,
        slots: tuple[Signal, Signal],
    ) -> tuple[Any, Any]:
        """Stages with a memory: read, register, add; latency 2 behind the memory's."""
        width = self.stage.width + 1
        storage = delay_storage(self.stage)
        wait = BlockRAM.latency if storage == "block" else 0

        def later(value: Any, name: str, *, reset: bool = False) -> Any:
            return delayed(m, value, wait, name, reset=reset)

        word = Signal(2 * width)  # difference or partner
        write_word = Signal(2 * width, reset_less=True)
        # Where no sample is, nothing matters: registers decide, not ``computing``.
        second, taken = taken[-1], taken[:-1]
        accept_w = later(accept, "accept", reset=True)
        computing_w = later(computing, "computing", reset=True)
        draining_w = later(draining, "draining", reset=True)
        passing_w = later(passing, "passing", reset=True)
        second_w = later(second, "second")
        rotate_w = later(rotate, "rotate")
        x = [later(self.i.re, "x_re"), later(self.i.im, "x_im")]
        # With the word at hand: registers, each 0 where its adder must only pass the other operand.
        write, push = Signal(), Signal()
        m.d.sync += [write.eq(accept_w), push.eq(computing_w)]
        stored = [word[:width].as_signed(), word[width:].as_signed()]
        if storage == "registers":
            before = self._two_before(m, accept)
            partner = [before[:width].as_signed(), before[width:].as_signed()]
            # The second difference is rotated, with re and im exchanged ahead of the subtraction.
            turned = taken[0]
            if not self.config.is_fixed:
                turned = turned & ~is_square(self.i.control, self.stage.m - 1)
            minuends = [Mux(turned, x[1 - k], x[k]) for k in range(2)]
            subtrahends = [Mux(turned, partner[1 - k], partner[k]) for k in range(2)]
        else:
            minuends, subtrahends = x, stored
        sums, differences = [], []
        for k, name in enumerate(("re", "im")):
            minuend = Signal(signed(self.stage.width), name=f"minuend_{name}", reset_less=True)
            subtrahend, addend = (
                Signal(signed(width), name=f"{kind}_{name}", reset_less=True)
                for kind in ("subtrahend", "addend")
            )
            augend = Signal(signed(self.stage.width), name=f"augend_{name}", reset_less=True)
            carry = Signal(name=f"carry_{name}", reset_less=True)
            invert = later(inverts[k], f"invert{k}")
            operand = stored[k]
            if self.stage.rotates and storage != "registers":
                operand = Mux(rotate_w, stored[1 - k], operand)
            inverted = operand[:] ^ invert.replicate(width)
            m.d.sync += [
                minuend.eq(minuends[k]),
                subtrahend.eq(Mux(second_w, subtrahends[k], 0)),
                augend.eq(Mux(draining_w, 0, x[k])),
                addend.eq(Mux(passing_w, 0, inverted.as_signed())),
                carry.eq(invert),
            ]
            total = Signal(signed(width), name=f"raw_{name}", reset_less=True)
            if self.stage.negates:
                m.d.sync += total.eq(augend + addend)
            else:
                m.d.sync += total.eq(
                    (Cat(carry, augend).as_signed() + Cat(carry, addend).as_signed())[1:]
                )
            sums.append(total)
            differences.append(minuend - subtrahend)
        if storage == "registers":
            # One difference is enough: the second is computed while the first is emitted.
            waiting = Signal(2 * width, reset_less=True)
            with m.If(push):
                m.d.sync += waiting.eq(Cat(value[:width] for value in differences))
            m.d.comb += word.eq(Mux(draining, waiting, before))
        else:
            slot_w = delayed(m, taken, wait + 2, "slot")
            write_now = Signal()
            m.d.sync += [
                write_now.eq(write),
                write_word.eq(Cat(value[:width] for value in differences)),
            ]
            self._memory(m, storage, word, slots, write_now, slot_w, write_word)
        return sums[0], sums[1]

    def _memory(
        self,
        m: Module,
        storage: str,
        word: Signal,
        slots: tuple[Signal, Signal],
        write: Signal,
        write_slot: Value,
        write_word: Signal,
    ) -> None:
        size = len(word), 1 << (self.stage.m - 1)
        delay: Any
        if storage == "block":
            delay = BlockRAM(*size, technology=self.technology)
        else:
            # A word is written three cycles after its sample, and a block has at least four.
            delay = SmallRAM(*size, technology=self.technology, fresh=False)
            m.d.comb += delay.next_address.eq(slots[1])
        m.submodules.delay = delay
        m.d.comb += [
            delay.read_address.eq(slots[0]),
            word.eq(delay.read_data),
            delay.write_enable.eq(write),
            delay.write_address.eq(write_slot),
            delay.write_data.eq(write_word),
        ]

    def _two_before(self, m: Module, accept: Any) -> Signal:
        """Stage 2: the sample before the last."""
        samples = [
            Signal(2 * (self.stage.width + 1), name=f"sample{k}", reset_less=True) for k in range(2)
        ]
        wide = [Signal(signed(self.stage.width + 1), name=f"wide_{name}") for name in ("re", "im")]
        m.d.comb += [wide[0].eq(self.i.re), wide[1].eq(self.i.im)]
        with m.If(accept):
            m.d.sync += [samples[0].eq(Cat(wide)), samples[1].eq(samples[0])]
        return samples[1]
