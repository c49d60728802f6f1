# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The transform with one butterfly engine and one multiplier: small, many cycles a frame."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory

from spectramac.gateware.fft.control import ports
from spectramac.gateware.fixed import saturate
from spectramac.model.fft import twiddle_table
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import has_twiddle
from spectramac.spec.timing import fft_cycles_per_frame, fft_latency

__all__ = ["IterativeFFT"]


def _any(terms: Any) -> Value:
    """Disjunction of one-bit values, 0 if there are none."""
    return Cat(*terms).any()


class IterativeFFT(wiring.Component):
    """Fast Fourier transform, radix-2², in place in one memory.

    The transform, its scaling and rounding, and the two-dimensional variant are those of
    :func:`spectramac.model.fft.fft`, bit for bit; the inverse is computed with conjugated factors, which is
    the same as an exchange of re and im at both ends.

    *Schedule.* N samples are taken, one a cycle; then ``i.ready`` is low while the frame is computed and
    emitted. A butterfly takes one cycle to fetch and one for each real product: 8 in a stage with twiddle
    factors (odd m > 1), 4 in the others, where the factor is 1. The first result is offered in the cycle
    after the last product, then one a cycle, as fast as ``o.ready`` allows. ``i.ready`` rises in the cycle
    after the last output transfer. See :func:`spectramac.spec.timing.fft_phases`.

    ``i.ready`` and ``o.valid`` depend on registers only. Uses one multiplier, ``data_width`` by
    ``twiddle_width``, both at most 16 bits on an iCE40 UP5K, and three block RAMs.

    ``log2_n``, ``two_d``, ``inverse`` and ``halve`` are sampled with the first sample of a frame. Frames are
    counted; ``i.payload.last`` is only compared with the count. A sample with the wrong ``last`` strobes
    ``framing_error`` in the next cycle and has no other effect.

    Parameters
    ----------
    config : :class:`FFTConfig`
        Word widths and largest size; its architecture must be ``"iterative"``.

    Members
    -------
    i : :py:`In(stream.Signature(frame(complex_payload(config.data))))`
        Samples in natural order (the inverse in two dimensions: index ``k2*T + k1``).
    o : :py:`Out(stream.Signature(frame(complex_payload(config.data))))`
        Bins in bit-reversed order; ``last`` with the last of a frame.
    log2_n : :py:`In(range(config.log2_n_max + 1))`
        Size, from 3 to ``config.log2_n_max``; other values are not allowed.
    two_d : :py:`In(1)`
        Two dimensions; only with an even ``log2_n``.
    inverse : :py:`In(1)`
        Inverse transform.
    halve : :py:`In(config.log2_n_max)`
        Bit ``m - 1`` halves the stage with blocks of ``2**m``; bits from ``log2_n`` up are ignored.
    overflow : :py:`Out(1)`
        A value was saturated. High at least once during a frame if and only if the model flags it, not
        later than three cycles after the frame's first result is offered.
    framing_error : :py:`Out(1)`
        ``last`` was wrong.
    """

    def __init__(self, config: FFTConfig) -> None:
        self.config = config
        super().__init__(ports(config))

    def latency(self, log2_n: int) -> int:
        """Cycles from the first sample of a frame taken to its first result offered."""
        return fft_latency(self.config, log2_n)

    def cycles_per_frame(self, log2_n: int) -> int:
        """Cycles between the starts of successive frames of one size."""
        return fft_cycles_per_frame(self.config, log2_n)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        log2_n_max = self.config.log2_n_max
        # Control of the frame. final: N - 1. low: mask of the index bits below the butterfly's, so that
        # stage m has low = 2**(m - 1) - 1; all ones while samples are addressed one by one.
        self._final = Signal(log2_n_max, init=7)
        self._low = Signal(log2_n_max, init=(1 << log2_n_max) - 1)
        self._log2_n = Signal.like(self.log2_n)
        self._two_d, self._inverse = Signal(), Signal()
        self._halve = Signal(log2_n_max)
        # stage[m - 1] is high in stage m.
        self._stage = Signal(log2_n_max)
        m.d.comb += self._stage.eq(Cat(1, self._low) & ~self._low)

        self._count = Signal(log2_n_max)
        count_next = Signal(log2_n_max)
        fetch, product = Signal(), Signal()
        # Number of the product: term of the sum, part (re or im), branch (sum or difference).
        self._term, self._part, self._branch = Signal(), Signal(), Signal()
        step = Cat(self._term, self._part, self._branch)
        twiddle = _any(self._stage[k - 1] for k in range(1, log2_n_max + 1) if has_twiddle(k))
        last_term = self._term | ~twiddle
        last_product = Signal()
        loading = Signal()
        m.d.comb += last_product.eq(product & last_term & self._part & self._branch)

        read_en, read_data_re, read_data_im, write = self._memory(
            m, count_next, fetch, product, loading
        )
        end = Mux(fetch | product, self._final >> 1, self._final)
        at_end = Signal()
        m.d.comb += [
            at_end.eq(self._count == end),
            count_next.eq(Mux(at_end, 0, self._count + 1)),
        ]
        with m.FSM():
            with m.State("load"):
                first = self._count == 0
                m.d.comb += [loading.eq(1), self.i.ready.eq(1), read_en.eq(1)]
                with m.If(self.i.valid):
                    m.d.sync += self._count.eq(count_next)
                    with m.If(first):
                        m.d.sync += [
                            self._log2_n.eq(self.log2_n),
                            self._two_d.eq(self.two_d),
                            self._inverse.eq(self.inverse),
                            self._halve.eq(self.halve),
                            self._final.eq(Cat(self.log2_n > bit for bit in range(log2_n_max))),
                        ]
                    last = at_end & ~first
                    m.d.comb += write.eq(1)
                    m.d.sync += self.framing_error.eq(self.i.payload.last != last)
                    with m.If(last):
                        m.d.sync += self._low.eq(self._final >> 1)
                        m.next = "fetch"
                with m.Else():
                    m.d.sync += self.framing_error.eq(0)
                with m.If(first):
                    m.d.comb += count_next.eq(1)
            with m.State("fetch"):
                m.d.comb += [fetch.eq(1), read_en.eq(1)]
                m.d.sync += self.framing_error.eq(0)
                m.next = "product"
            with m.State("product"):
                m.d.comb += [product.eq(1), read_en.eq(last_product)]
                m.d.sync += step.eq(step + Mux(twiddle, 1, 2))
                with m.If(last_product):
                    m.d.sync += self._count.eq(count_next)
                    m.next = "fetch"
                    with m.If(at_end):
                        m.d.sync += self._low.eq(self._low >> 1)
                        with m.If(self._stage[0]):
                            m.d.sync += self._low.eq(-1)
                            m.next = "unload"
            with m.State("unload"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.payload.last.eq(at_end),
                    read_en.eq(self.o.ready),
                ]
                with m.If(self.o.ready):
                    m.d.sync += self._count.eq(count_next)
                    with m.If(at_end):
                        m.next = "load"
        m.d.comb += [
            self.o.payload.data.re.eq(read_data_re),
            self.o.payload.data.im.eq(read_data_im),
        ]
        operand, operand_overflow = self._butterfly(m, fetch, read_data_re, read_data_im)
        self._multiply_accumulate(m, operand, product, last_term)
        m.d.sync += self.overflow.eq((product & operand_overflow) | self._product_overflow)
        return m

    def _memory(
        self, m: Module, count_next: Signal, fetch: Signal, product: Signal, loading: Signal
    ) -> tuple[Any, Any, Any, Any]:
        """Sample memory, one for each part so that parts are written as they are finished."""
        config = self.config
        width = config.log2_n_max
        # Address of one operand: a 0 or 1 inserted in the count. The next operand is fetched with the
        # last product, whose own address was captured with the first product of its branch.
        capture = product & ~self._term & ~self._part
        count = Mux(fetch | capture, self._count, count_next)
        second = fetch | (capture & self._branch)
        address = Signal(width)
        for bit in range(width):
            shifted = count[bit - 1] if bit else Const(0, 1)
            m.d.comb += address[bit].eq(
                Mux(self._low[bit], count[bit], Mux(self._stage[bit], second, shifted))
            )
        write_address = [Signal(width, name=f"write_address_d{k}") for k in range(1, 4)]
        with m.If(capture):
            m.d.sync += write_address[0].eq(address)
        m.d.sync += [
            write_address[1].eq(write_address[0]),
            write_address[2].eq(write_address[1]),
        ]
        self._result = Signal(signed(config.data_width))
        self._write_part = Signal(2)
        write, read_en = Signal(), Signal()
        outputs = []
        for k, name in enumerate(("re", "im")):
            # No word is read in the cycle in which it is written, while its value matters.
            memory = Memory(
                shape=signed(config.data_width),
                depth=config.n_max,
                init=[],
                attrs={"ram_style": "block", "no_rw_check": 1},
            )
            m.submodules[f"memory_{name}"] = memory
            write_port, read_port = memory.write_port(), memory.read_port()
            m.d.comb += [
                read_port.en.eq(read_en),
                read_port.addr.eq(address),
                write_port.en.eq(write | self._write_part[k]),
                write_port.addr.eq(Mux(loading, self._count, write_address[2])),
                write_port.data.eq(Mux(loading, self.i.payload.data[name], self._result)),
            ]
            outputs.append(read_port.data)
        return read_en, outputs[0], outputs[1], write

    def _rotate(self) -> Value:
        """Whether the difference of the butterfly being computed is multiplied by -j."""
        return _any(
            self._stage[k - 1] & self._count[k - 2] & ~(self._two_d & (self._log2_n == 2 * (k - 1)))
            for k in range(2, self.config.log2_n_max + 1, 2)
        )

    def _butterfly(self, m: Module, fetch: Signal, b_re: Any, b_im: Any) -> tuple[Any, Any]:
        """One part of a sum or difference, halved and saturated: the operand of the multiplier.

        Differences are ``b - a`` where the rotation by -j (by j in the inverse) asks for the negative.
        """
        width = self.config.data_width
        a_re, a_im = Signal(signed(width)), Signal(signed(width))
        with m.If(fetch):
            m.d.sync += [a_re.eq(b_re), a_im.eq(b_im)]
        rotate = Signal()
        negate = Signal()
        # Butterfly and stage change before the fetch, so that these registers are right after it.
        rotated, halve = Signal(), Signal()
        m.d.sync += [
            rotated.eq(self._rotate()),
            halve.eq((self._stage & self._halve).any()),
        ]
        exact = Signal(signed(width + 2))
        m.d.comb += [
            rotate.eq(self._branch & rotated),
            negate.eq(rotate & (self._part ^ self._inverse)),
        ]
        imaginary = self._part ^ self._term ^ rotate
        a = Mux(imaginary, a_im, a_re)[:] ^ negate.replicate(width)
        b = Mux(imaginary, b_im, b_re)[:] ^ (self._branch & ~negate).replicate(width)
        # The carry of the two's complement goes in below the least significant bit.
        m.d.comb += exact.eq(Cat(self._branch, a).as_signed() + Cat(self._branch, b).as_signed())
        total = exact[1:].as_signed()
        base = Mux(halve, total >> 1, total)
        rounded = Signal(signed(width + 1))
        m.d.comb += rounded.eq(base + (halve & total[0] & total[1]))
        return saturate(rounded, width)

    def _table_index(self) -> Value:
        """Exponent of the twiddle factor, modulo N_max."""
        log2_n_max = self.config.log2_n_max
        k = self._count
        spread, p = [], []
        for stage in range(3, log2_n_max + 1, 2):
            clear: Any = Const(0, stage - 1)
            for log2_n in range(4, log2_n_max + 1, 2):
                if log2_n // 2 < stage:
                    here = self._two_d & (self._log2_n == log2_n)
                    clear = clear | Mux(here, (1 << (log2_n // 2)) - 1, 0)
            i = k[: stage - 1] & ~clear & self._stage[stage - 1].replicate(stage - 1)
            spread.append(Cat(Const(0, log2_n_max - stage), i))
            if stage < log2_n_max:
                p.append(
                    self._stage[stage - 1]
                    & k[stage - 1]
                    & ~(self._two_d & (self._log2_n == 2 * stage))
                )
        total: Any = Const(0, 1)
        for value in spread:
            total = total | value
        return Mux(self._branch, total, 0) + Mux(_any(p), total >> 1, 0)

    def _multiply_accumulate(
        self, m: Module, operand: Any, product: Signal, last_term: Any
    ) -> None:
        """Sum of one or two products, rounded and saturated, and its way back to the memory.

        ``re' = re·cos + im·sin`` and ``im' = im·cos - re·sin`` with one table of cosines; conjugated in the
        inverse. Half of the last result bit is added at the start, so that the shift rounds half up, and
        a tie is then corrected to even.
        """
        config = self.config
        log2_n_max = config.log2_n_max
        rom = Memory(
            shape=signed(config.twiddle_width),
            depth=config.n_max,
            init=twiddle_table(log2_n_max, config.twiddle_width)[0].tolist(),
            attrs={"rom_style": "block", "ram_style": "block"},
        )
        m.submodules.rom = rom
        port = rom.read_port()
        quarter = Mux(self._term, Mux(self._part ^ self._inverse, 1, 3), 0)
        index = Signal(log2_n_max)
        m.d.comb += [
            index.eq(self._table_index()),
            port.addr.eq(Cat(index[:-2], (index[-2:] + quarter)[:2])),
        ]
        # |sum| <= sqrt(2) * 2**(data_width - 1) * (1 + 2**-twiddle_width) * 2**(twiddle_width - 2).
        sum_shape = signed(config.data_width + config.twiddle_width - 1)
        # Without a reset, these registers can be the multiplier block's own.
        x = Signal(signed(config.data_width), reset_less=True)
        raw_product, accumulator = (
            Signal(sum_shape, name=name, reset_less=True) for name in ("raw_product", "accumulator")
        )
        shift = config.twiddle.fraction
        start = [Signal(name=f"start_d{k}") for k in range(1, 3)]
        done = [Signal(2, name=f"done_d{k}") for k in range(1, 4)]
        m.d.sync += [
            x.eq(operand),
            raw_product.eq(x * port.data),
            accumulator.eq(raw_product + Mux(start[1], 1 << (shift - 1), accumulator)),
            start[0].eq(~self._term),
            start[1].eq(start[0]),
            done[0].eq(Cat(~self._part, self._part) & (product & last_term).replicate(2)),
            done[1].eq(done[0]),
            done[2].eq(done[1]),
        ]
        tie = ~accumulator[:shift].any()
        rounded = Cat(accumulator[shift] & ~tie, accumulator[shift + 1 :]).as_signed()
        result, flag = saturate(rounded, config.data_width)
        self._product_overflow = flag & done[2].any()
        m.d.comb += [self._result.eq(result), self._write_part.eq(done[2])]
