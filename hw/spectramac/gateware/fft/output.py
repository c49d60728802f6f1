# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A queue behind a pipeline that cannot stop."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spectramac.gateware.delay import delayed
from spectramac.gateware.fft.block import FrameExponent, Normalise
from spectramac.gateware.fft.control import output_layout
from spectramac.gateware.fft.device import BlockRAM, SmallRAM
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.timing import EXPONENT_LATENCY, reorder_delay

__all__ = ["OutputQueue"]


class OutputQueue(wiring.Component):
    """Takes whatever comes and offers it as a stream; says when the producer may start another item.

    A word goes to a short queue of logic cells; only if that is filling up, through a long one of block RAM in
    front of it. ``room`` counts items from their start (``taken``) to their delivery.

    Latency is 1 cycle while the short queue keeps up; throughput is one word a cycle. ``room`` is a register.

    Parameters
    ----------
    shape : shape-like
        Of a word.
    depth : int
        Items that may be on their way, a power of two.
    reverse : tuple of int
        Words come in frames of ``2**sum(reverse)`` in bit-reversed order, without a gap in a frame, and leave in
        natural order; ``depth`` must be at least four frames. All go through the long queue. The fields of a word's
        number have these widths, lowest first, and each is reversed on its own. Empty: nothing is moved.
    block : :class:`FFTConfig`, optional
        Of a transform in block floating point, whose words these are: frames go through the long queue and leave
        normalised, once they are complete. ``depth`` must be four frames or more.
    technology : str
        See :class:`BlockRAM`.

    Members
    -------
    i_valid, i_payload : :py:`In`
    taken : :py:`In(1)`
        The producer has started an item; only while ``room``.
    room : :py:`Out(1)`
    o : :py:`Out(stream.Signature(shape))`
        With ``block``, of :func:`output_layout`.
    """

    short = 16

    def __init__(
        self,
        shape: Any,
        depth: int,
        *,
        reverse: tuple[int, ...] = (),
        block: FFTConfig | None = None,
        technology: str = "generic",
    ) -> None:
        self.block = block
        self.reverse = reverse
        self.shape = shape
        self.depth = depth
        self.technology = technology
        super().__init__(
            {
                "i_valid": In(1),
                "i_payload": In(shape),
                "taken": In(1),
                "room": Out(1, init=1),
                "o": Out(stream.Signature(output_layout(block) if block else shape)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        word = self.i_payload.as_value()
        pop = Signal()
        m.d.comb += pop.eq(self.o.valid & self.o.ready)

        # Items on their way; `room` lags by a cycle, in which one more may start.
        left = Signal(range(self.depth + 1), init=self.depth)
        popped = Signal()
        m.d.sync += popped.eq(pop)
        with m.If(self.taken ^ popped):
            m.d.sync += left.eq(left + Mux(popped, 1, -1))
        m.d.sync += self.room.eq(left > 2)

        m.submodules.long = long = BlockRAM(len(word), self.depth, technology=self.technology)
        written, read = Signal(long.address_width), Signal(long.address_width)
        fields, moved = [], 0
        for size in self.reverse:
            fields.append(written[moved : moved + size][::-1])
            moved += size
        issue = Signal()
        stored, latency = long.read_data, BlockRAM.latency
        if self.block:
            stored = self._normalised(m, self.block, stored, written, read)
            latency += Normalise.latency
        reading = Signal(latency)
        arrived = reading[-1]
        m.submodules.short = short = SmallRAM(
            len(self.o.payload.as_value()), self.short, technology=self.technology
        )
        head, tail = Signal(range(self.short)), Signal(range(self.short))
        free = Signal(range(self.short + 1), init=self.short)  # neither filled nor about to be
        filled = Signal(range(self.short + 1))
        waiting = Signal(range(self.depth + 1))  # written, or about to be in time, and not yet read
        more = Signal()
        some_waiting = Signal()
        # Registers on the safe side: 0 only if no word is in the long queue; 1 only if one is free.
        behind, some_free = Signal(), Signal(init=1)
        direct, spill, fill = Signal(), Signal(), Signal()
        whole = self.block is not None or bool(self.reverse)
        m.d.comb += [
            direct.eq(0 if whole else self.i_valid & ~behind & some_free),
            spill.eq(self.i_valid & ~direct),
            issue.eq(some_waiting & some_free),
            fill.eq(direct | arrived),
            long.write_enable.eq(spill),
            long.write_address.eq(Cat(fields, written[moved:])),
            long.write_data.eq(word),
            long.read_address.eq(read),
            short.write_enable.eq(fill),
            short.write_address.eq(tail),
            short.write_data.eq(stored if whole else Mux(arrived, stored, word)),
            short.read_address.eq(head),
            short.next_address.eq(Mux(pop, head + 1, head)),
            self.o.payload.as_value().eq(short.read_data),
            self.o.valid.eq(filled != 0),
        ]
        reserve = Signal()
        m.d.comb += reserve.eq(direct | issue)
        m.d.sync += [
            some_waiting.eq(more | waiting[1:].any() | (waiting[0] & ~issue)),
            behind.eq(spill | waiting.any() | reading[0]),
            some_free.eq(free[1:].any()),
            reading.eq(reading << 1 | issue),
        ]
        for pointer, moves in ((written, spill), (read, issue), (tail, fill), (head, pop)):
            with m.If(moves):
                m.d.sync += pointer.eq(pointer + 1)
        if whole:
            if self.block:
                log2_n = self.block.log2_n_max
                complete = spill & written[:log2_n].all()
                m.d.comb += more.eq(delayed(m, complete, EXPONENT_LATENCY, "complete", reset=True))
            else:
                log2_n = moved
                m.d.comb += more.eq(spill & (written[:moved] == reorder_delay(*self.reverse)))
            m.d.sync += waiting.eq(waiting + Mux(more, 1 << log2_n, 0) - issue)
        else:
            m.d.comb += more.eq(spill)
            with m.If(spill ^ issue):
                m.d.sync += waiting.eq(waiting + Mux(spill, 1, -1))
        with m.If(fill ^ pop):
            m.d.sync += filled.eq(filled + Mux(fill, 1, -1))
        with m.If(reserve ^ pop):
            m.d.sync += free.eq(free + Mux(pop, 1, -1))
        return m

    def _normalised(
        self, m: Module, config: FFTConfig, stored: Any, written: Signal, read: Signal
    ) -> Any:
        """Output words, :attr:`Normalise.latency` cycles after the words of the long queue.

        Exponents lie in a memory of their own, by the number of the frame, written when the frame is complete and
        before it is read.
        """
        shape = self.i_payload.shape()
        m.submodules.exponent = exponent = FrameExponent(config)
        m.submodules.normalise = normalise = Normalise(config)
        m.submodules.exponents = memory = Memory(
            shape=len(exponent.shift),
            depth=self.depth >> config.log2_n_max,
            init=[],
            attrs={"ram_style": "distributed"},
        )
        write_port, read_port = memory.write_port(), memory.read_port(domain="comb")
        data = self.i_payload.data
        frame = written[config.log2_n_max :]
        word = shape(stored)
        m.d.comb += [
            exponent.valid.eq(self.i_valid),
            exponent.last.eq(self.i_payload.last),
            exponent.re.eq(data.re),
            exponent.im.eq(data.im),
            write_port.en.eq(exponent.done),
            write_port.addr.eq(delayed(m, frame, exponent.latency, "frame")),
            write_port.data.eq(exponent.shift),
            read_port.addr.eq(delayed(m, read[config.log2_n_max :], 1, "read_frame")),
            normalise.re.eq(word.data.re),
            normalise.im.eq(word.data.im),
        ]
        m.d.comb += normalise.shift.eq(delayed(m, read_port.data, BlockRAM.latency - 1, "shift"))
        result = Signal(output_layout(config))
        m.d.comb += [
            result.data.re.eq(normalise.out_re),
            result.data.im.eq(normalise.out_im),
            result.exponent.eq(normalise.exponent),
            result.last.eq(delayed(m, word.last, normalise.latency, "last")),
        ]
        return result.as_value()
