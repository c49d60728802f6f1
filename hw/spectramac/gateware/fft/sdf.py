# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Stages of the pipelined transform: single-path delay-feedback butterflies and twiddle products.

Between stages runs the stream of a frame, and beside it a bundle of control wires: ``o_control`` belongs to
the frame whose samples the stage emits. It changes when the first sample of the next frame is emitted
into the output registers, of which a component has at most 5; a frame has at least 8 samples, so the
successor has taken the first sample of a frame, and its control with it, before the control changes.
"""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spectramac.gateware.fft.complex_multiplier import ComplexMultiplier
from spectramac.gateware.fft.control import control_layout, frame_layout
from spectramac.gateware.fixed import narrow, round_half_even
from spectramac.gateware.stream import SkidBuffer
from spectramac.model.fft import twiddle_table
from spectramac.spec.config import FFTConfig

__all__ = ["ButterflyStage", "TwiddleStage"]


def _ports(config: FFTConfig) -> dict[str, Any]:
    return {
        "i": In(stream.Signature(frame_layout(config))),
        "i_control": In(control_layout(config)),
        "o": Out(stream.Signature(frame_layout(config))),
        "o_control": Out(control_layout(config)),
        "overflow": Out(1),
    }


class ButterflyStage(wiring.Component):
    """Butterflies over blocks of ``2**log2_block`` samples, in stream order.

    The first half of a block is stored; with each sample of the second half the sum is emitted and the
    difference takes the place of the stored sample; the differences are emitted next, on their own, while
    the next block may already be stored behind them. A frame shorter than the block passes unchanged.

    Sums and differences are one bit wider than the data, also in the memory. After a register they are
    multiplied by -j where due (even ``log2_block``), halved round-half-even if ``halve`` says so, and
    saturated to ``data_width``, with a strobe on ``overflow``.

    Latency is :attr:`latency` cycles, or :attr:`bypass_latency` for shorter frames; one sample a cycle.
    ``i.ready`` does not depend combinationally on ``o.ready``.

    Parameters
    ----------
    config : :class:`FFTConfig`
        Word widths and largest size.
    log2_block : int
        Stage number, from ``config.log2_n_max`` down to 1.

    Members
    -------
    i, o : frames of complex samples
    i_control, o_control : control of the frame at ``i`` and at ``o``
    overflow : :py:`Out(1)`
    """

    bypass_latency = 2

    def __init__(self, config: FFTConfig, log2_block: int) -> None:
        self.config = config
        self.log2_block = log2_block
        super().__init__(_ports(config))

    @property
    def latency(self) -> int:
        """Cycles from the first sample of a frame to the first emitted."""
        return (1 << (self.log2_block - 1)) + self.bypass_latency

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        raw = signed(self.config.data_width + 1)
        control_in = Signal(control_layout(self.config))
        control = Signal(control_layout(self.config))
        first = Signal(init=1)
        taken = Signal(self.log2_block)
        emitted = Signal(self.log2_block)
        computing, draining, bypass = Signal(), Signal(), Signal()
        raw_ready, accept, emit = Signal(), Signal(), Signal()
        m.d.comb += [
            control.eq(Mux(first, self.i_control, control_in)),
            computing.eq(taken[-1]),
            draining.eq(emitted[-1]),
            bypass.eq(control.log2_n < self.log2_block),
            accept.eq(self.i.valid & self.i.ready),
            emit.eq((draining | (self.i.valid & (computing | bypass))) & raw_ready),
        ]
        # While differences drain, a sample may only take a slot that is empty or being emptied.
        slot_free = taken[:-1] != emitted[:-1] if self.log2_block > 1 else Const(0, 1)
        with m.If(draining):
            m.d.comb += self.i.ready.eq(~bypass & (slot_free | raw_ready))
        with m.Else():
            m.d.comb += self.i.ready.eq(raw_ready | ~(computing | bypass))
        with m.If(accept):
            m.d.sync += [first.eq(self.i.payload.last), control_in.eq(control)]
            with m.If(~bypass):
                m.d.sync += taken.eq(taken + 1)
        with m.If(emit & (draining | computing)):
            m.d.sync += emitted.eq(emitted + 1)

        # Butterfly. The stored value is ignored for a frame that passes.
        x_re, x_im = self.i.payload.data.re, self.i.payload.data.im
        write_re, write_im, sum_re, sum_im = (Signal(raw, name=f"wide{k}") for k in range(4))
        stored_re, stored_im = self._delay(
            m,
            write=accept & ~bypass,
            write_slot=taken[:-1],
            write_word=Cat(write_re, write_im),
            # While a frame awaits its second half, slot 0 is read again and again.
            read=~(computing | draining) | emit,
            read_slot=Mux(computing | draining, (emitted + 1)[: self.log2_block - 1], 0),
        )
        keep = ~bypass | draining
        m.d.comb += [
            sum_re.eq(Mux(keep, stored_re, 0) + Mux(draining, 0, x_re)),
            sum_im.eq(Mux(keep, stored_im, 0) + Mux(draining, 0, x_im)),
            write_re.eq(Mux(computing, stored_re - x_re, x_re)),
            write_im.eq(Mux(computing, stored_im - x_im, x_im)),
        ]

        # Register of the raw sum or difference.
        wide_re, wide_im = Signal(raw), Signal(raw)
        valid, last, rotate, last_pending = Signal(), Signal(), Signal(), Signal()
        with m.If(accept & computing):
            m.d.sync += last_pending.eq(self.i.payload.last)
        with m.If(emit & ~draining):
            m.d.sync += self.o_control.eq(control)
        with m.If(raw_ready):
            m.d.sync += [
                valid.eq(emit),
                wide_re.eq(sum_re),
                wide_im.eq(sum_im),
                last.eq(
                    Mux(draining, emitted.all() & last_pending, self.i.payload.last & ~computing)
                ),
                rotate.eq(draining & self._rotates(emitted)),
            ]
        self._narrowed(m, wide_re, wide_im, valid, last, rotate, raw_ready)
        return m

    def _delay(
        self, m: Module, *, write: Any, write_slot: Any, write_word: Any, read: Any, read_slot: Any
    ) -> tuple[Any, Any]:
        """The stored values of the slot to be emitted, read a cycle early so that block RAM will do."""
        width = len(write_word) // 2
        depth = 1 << (self.log2_block - 1)
        if depth == 1:
            stored = Signal(2 * width)
            with m.If(write):
                m.d.sync += stored.eq(write_word)
            return stored[:width].as_signed(), stored[width:].as_signed()
        # A slot is never read in the cycle in which it is written, except slot 0 while a block is stored,
        # which is then read again. Yosys needs no logic that defines the outcome.
        attrs = {"ram_style": "block" if depth >= 64 else "distributed", "no_rw_check": 1}
        m.submodules.delay = delay = Memory(shape=2 * width, depth=depth, init=[], attrs=attrs)
        write_port, read_port = delay.write_port(), delay.read_port()
        # From block RAM through the subtraction and back is too far for one cycle. A word is written
        # depth - 1 cycles or more before it is read, so it may as well be written a cycle later.
        domain = m.d.sync if depth >= 64 else m.d.comb
        domain += [
            write_port.en.eq(write),
            write_port.addr.eq(write_slot),
            write_port.data.eq(write_word),
        ]
        m.d.comb += [
            read_port.en.eq(read),
            read_port.addr.eq(read_slot),
        ]
        return read_port.data[:width].as_signed(), read_port.data[width:].as_signed()

    def _rotates(self, emitted: Signal) -> Any:
        """Whether difference ``emitted`` is multiplied by -j."""
        if self.log2_block % 2:
            return Const(0, 1)
        plain = self.o_control.two_d & (self.o_control.log2_n == 2 * (self.log2_block - 1))
        return emitted[self.log2_block - 2] & ~plain

    def _narrowed(
        self,
        m: Module,
        wide_re: Signal,
        wide_im: Signal,
        valid: Signal,
        last: Signal,
        rotate: Signal,
        raw_ready: Signal,
    ) -> None:
        """From the register to ``o``: -j, halving, saturation, and a skid buffer."""
        m.submodules.skid = skid = SkidBuffer(self.o.payload.shape())
        width = self.config.data_width
        control = self.o_control
        halve = control.halve[self.log2_block - 1] & (control.log2_n >= self.log2_block)
        turned_re = Mux(rotate, wide_im, wide_re)
        turned_im = Mux(rotate, -wide_re, wide_im)
        parts = []
        overflow: Any = Const(0, 1)
        for name, turned in (("re", turned_re), ("im", turned_im)):
            exact = Signal(signed(width + 1), name=f"exact_{name}")
            m.d.comb += exact.eq(turned)
            scaled = Mux(halve, round_half_even(exact, 1), exact)
            part, flag = narrow(m, scaled, 0, width, name)
            parts.append(part)
            overflow = overflow | flag
        if self.log2_block == 1:  # the last stage undoes the exchange of the inverse
            parts = [Mux(control.inverse, a, b) for a, b in zip(parts[::-1], parts, strict=True)]
        m.d.comb += [
            raw_ready.eq(~valid | skid.i.ready),
            skid.i.valid.eq(valid),
            skid.i.payload.data.re.eq(parts[0]),
            skid.i.payload.data.im.eq(parts[1]),
            skid.i.payload.last.eq(last),
            self.o.valid.eq(skid.o.valid),
            self.o.payload.eq(skid.o.payload),
            skid.o.ready.eq(self.o.ready),
        ]
        m.d.sync += self.overflow.eq(valid & skid.i.ready & overflow)


class TwiddleStage(wiring.Component):
    """Multiplication by the twiddle factors of the pair of stages that ends with ``2**log2_block``.

    Sample ``n`` of a frame is multiplied by ``exp(-2πj e / 2**(log2_block + 1))`` with ``e = p·i + 2·r·i``:
    i is the low ``log2_block - 1`` bits of n, r and p the two bits above; the transform in two dimensions
    clears low bits of i. The exact product is rounded half-even to ``data_width`` bits and saturated,
    with a strobe on ``overflow``. A frame shorter than the block has e = 0 and passes unchanged.

    Latency is 5 cycles, one sample a cycle, three multipliers. ``i.ready`` depends combinationally on
    ``o.ready``.

    Parameters
    ----------
    config : :class:`FFTConfig`
        Word widths and largest size.
    log2_block : int
        Odd and at least 3.

    Members
    -------
    i, o : frames of complex samples
    i_control, o_control : control of the frame at ``i`` and at ``o``
    overflow : :py:`Out(1)`
    """

    latency = 2 + ComplexMultiplier.latency

    def __init__(self, config: FFTConfig, log2_block: int) -> None:
        self.config = config
        self.log2_block = log2_block
        super().__init__(_ports(config))

    def _rom(self) -> tuple[int, list[int]]:
        """Bits dropped from e, and packed words ``c, s - c, c + s`` by e."""
        top = self.log2_block == self.config.log2_n_max  # p is always 0, so e is even
        log2_circle = self.log2_block if top else self.log2_block + 1
        depth = 1 << (self.log2_block - 1) if top else 3 << (self.log2_block - 1)
        width = self.config.twiddle_width
        mask = (1 << width) - 1
        words = []
        for c, s in zip(
            *(part.tolist() for part in twiddle_table(log2_circle, width)), strict=True
        ):
            words.append(c & mask | ((s - c) & mask) << width | ((c + s) & mask) << 2 * width)
        return int(top), words[:depth]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        dropped, words = self._rom()
        rom = Memory(shape=3 * config.twiddle_width, depth=len(words), init=words)
        m.submodules.rom = rom
        port = rom.read_port()
        m.submodules.multiplier = multiplier = ComplexMultiplier(
            data_width=config.data_width, twiddle_width=config.twiddle_width
        )
        en = Signal()
        index = Signal(self.log2_block + 1)
        first = Signal(init=1)
        valid, last = Signal(self.latency), Signal(self.latency)
        m.d.comb += [
            en.eq(~valid[-1] | self.o.ready),
            self.i.ready.eq(en),
            port.en.eq(en),
            port.addr.eq(self._exponent(index) >> dropped),
            multiplier.en.eq(en),
            Cat(multiplier.c, multiplier.s_minus_c, multiplier.c_plus_s).eq(port.data),
        ]
        with m.If(en & self.i.valid):
            m.d.sync += [
                index.eq(Mux(self.i.payload.last, 0, index + 1)),
                first.eq(self.i.payload.last),
            ]
            with m.If(first):
                m.d.sync += self.o_control.eq(self.i_control)
        re, re_overflow = narrow(
            m, multiplier.re, config.twiddle.fraction, config.data_width, "product_re"
        )
        im, im_overflow = narrow(
            m, multiplier.im, config.twiddle.fraction, config.data_width, "product_im"
        )
        sample = Signal.like(self.i.payload.data)
        m.d.comb += [
            multiplier.a.eq(sample.re),
            multiplier.b.eq(sample.im),
            self.o.valid.eq(valid[-1]),
            self.o.payload.last.eq(last[-1]),
        ]
        with m.If(en):
            m.d.sync += [
                sample.eq(self.i.payload.data),
                valid.eq(Cat(self.i.valid, valid)),
                last.eq(Cat(self.i.payload.last, last)),
                self.o.payload.data.re.eq(re),
                self.o.payload.data.im.eq(im),
            ]
        m.d.sync += self.overflow.eq(en & valid[-2] & (re_overflow | im_overflow))
        return m

    def _exponent(self, index: Signal) -> Any:
        """e from the number of the sample."""
        block = self.log2_block
        i, r, p = index[: block - 1], index[block - 1], index[block]
        control = self.o_control
        clear_p: Any = Const(0, block - 1)
        clear_r: Any = Const(0, block - 1)
        for log2_n in range(4, self.config.log2_n_max + 1, 2):
            here = control.two_d & (control.log2_n == log2_n)
            low = (1 << (log2_n // 2)) - 1
            if block + 1 > log2_n // 2:
                clear_p = clear_p | Mux(here, low, 0)
            if block > log2_n // 2:
                clear_r = clear_r | Mux(here, low, 0)
        if block == self.config.log2_n_max:
            return Mux(r, i & ~clear_r, 0) << 1
        return Mux(p, i & ~clear_p, 0) + (Mux(r, i & ~clear_r, 0) << 1)
