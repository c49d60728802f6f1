# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Split, threshold, scheduler and one lane, a value at a time: for devices with few logic cells."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.directory import DirectoryReader
from spectramac.gateware.fixed import saturate
from spectramac.gateware.memory import ReadPort, Storage
from spectramac.gateware.stream import layout
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import COUNT_WIDTH, bins, row_width
from spectramac.spec.timing import SERIAL_ENTRY_CYCLES, SERIAL_JUDGE_CYCLES

__all__ = ["SerialLanes", "SerialSplit"]


class SerialSplit(wiring.Component):
    """One column value of a pair, exact: what :class:`~spectramac.gateware.threshold.Split` gives all at once.

    With F, S the two spectral values; complex bin (``joint``): a1 = F.re + S.re, a2 = F.im + S.im,
    b1 = F.im - S.im, b2 = S.re - F.re = ~(F.re + ~S.re); else a1 = F.re, a2 = F.im, b1 = S.re, b2 = S.im.

    Combinational, one adder.

    Members
    -------
    pair : :py:`In(layout(bins(config)))`
    column, inference : :py:`In(1)`
        Which value: a or b, of the first or of the second inference.
    value : :py:`Out(signed(column_width))`

    References
    ----------
    :func:`spectramac.model.spectrum.split`
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "pair": In(layout(bins(config))),
                "column": In(1),
                "inference": In(1),
                "value": Out(signed(config.column_width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        first, second, joint = self.pair.first, self.pair.second, self.pair.joint
        width = self.config.data_width
        imaginary, negative, complement = Signal(), Signal(), Signal()
        p, q = Signal(signed(width)), Signal(signed(width))
        total = Signal(signed(width + 2))
        m.d.comb += [
            imaginary.eq(self.inference ^ (joint & self.column)),
            negative.eq(joint & self.column),
            complement.eq(negative & self.inference),
        ]
        with m.If(joint | ~self.column):
            m.d.comb += p.eq(Mux(imaginary, first.im, first.re))
        with m.If(joint | self.column):
            m.d.comb += q.eq(Mux(imaginary, second.im, second.re) ^ negative.replicate(width))
        # A carry enters below the least significant bit where S is subtracted.
        carry = negative & ~self.inference
        m.d.comb += [
            total.eq(Cat(carry, p).as_signed() + Cat(carry, q).as_signed()),
            self.value.eq(total[1:] ^ complement.replicate(width + 1)),
        ]
        return m


class SerialLanes(wiring.Component):
    """Judge a column pair, look up its entries, multiply and accumulate: one coefficient a cycle.

    Does what :class:`~spectramac.gateware.threshold.Split`, :class:`~spectramac.gateware.threshold.Threshold`,
    :class:`~spectramac.gateware.scheduler.Scheduler` and :class:`~spectramac.gateware.lanes.Lanes` do, bit for bit,
    with two adders for the split, one multiplier for the squares, two for the products, and for each inference an
    accumulator memory (word ``2 * row + (0 a, 1 b)``). A pair stays on ``i`` until its last products are issued, so
    that nothing else needs to hold it.

    *Judge*, :attr:`JUDGE_CYCLES` cycles from the first in which a pair is offered: the values a1, b1, a2, b2 in turn,
    their squares (doubled values where the pair is real), and the sign of ``a² (+ b²) - level``. *Step*, one cycle for
    each directory word; a word with entries of a kept column is followed by *run*, :attr:`ENTRY_CYCLES` cycles an entry
    (twice that for complex ones). The pair is taken in the last of these cycles. A marker is taken at once.

    A sum is read two cycles after its product is issued and written one later; the same sum is needed again two cycles
    later at the earliest, so there is nothing to forward. A product with a dropped column is not written.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`
        With ``lane_architecture="serial"``.

    Members
    -------
    i : :py:`In(stream.Signature(bins(config)))`
        ``i.ready`` does not depend on anything downstream.
    start_layer : :py:`In(1)`
    level, directory_base, uniform_count, is_complex, is_narrow, is_indexed, coefficient_base, index_base : :py:`In(…)`
        From the descriptor.
    directory, coefficients, indices : :py:`Out(ReadPort)`
    busy : :py:`Out(1)`
        Products are issued in this cycle.
    skipped : :py:`Out(1)`
        Strobe: a column with entries was not kept.
    group_done : :py:`Out(1)`
        Strobe: a marker was taken; its row group's sums may be read from 3 cycles later on.
    overflow : :py:`Out(1)`
        Strobe: a sum saturated.
    draining : :py:`In(1)`
        The accumulators belong to the backward loop.
    drain_address : :py:`In(row + 1 bits)`
        Sums to read, or to zero one cycle later if ``clear``, while ``draining``.
    clear : :py:`In(1)`
    drained : :py:`Out(accumulator_width)` per inference
        The sums whose address was given in the last cycle.
    """

    JUDGE_CYCLES = SERIAL_JUDGE_CYCLES
    ENTRY_CYCLES = SERIAL_ENTRY_CYCLES

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        address_width = (config.coefficient_depth - 1).bit_length()
        directory_width = (config.directory_depth - 1).bit_length()
        super().__init__(
            {
                "i": In(stream.Signature(layout(bins(config)))),
                "start_layer": In(1),
                "level": In(config.level_width),
                "directory_base": In(16),
                "uniform_count": In(COUNT_WIDTH),
                "is_complex": In(1),
                "is_narrow": In(1),
                "is_indexed": In(1),
                "coefficient_base": In(16),
                "index_base": In(16),
                "directory": Out(ReadPort(directory_width, COUNT_WIDTH)),
                "coefficients": Out(ReadPort(address_width, 2 * config.coefficient_width)),
                "indices": Out(ReadPort(address_width, config.index_width)),
                "busy": Out(1),
                "skipped": Out(1),
                "group_done": Out(1),
                "overflow": Out(1),
                "draining": In(1),
                "drain_address": In(row_width(config) + 1),
                "clear": In(1),
                "drained": Out(config.accumulator_width).array(2),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        pair = self.i.payload
        self._phase = phase = Signal(
            3
        )  # judge: column and inference; run: coefficient, second step
        self._first = first = Signal()  # first entry of its directory word
        self._keep = keep = [Signal(2, name=f"keep_{i}") for i in (1, 2)]  # per inference: a, b
        self._entry = entry = Signal(len(self.coefficients.address) + 1)
        judging, stepping, taken = Signal(), Signal(), Signal()
        m.submodules.directory = directory = DirectoryReader(self.config)
        wiring.connect(m, wiring.flipped(self.directory), directory.memory)
        count, no_count, count_valid = directory.count, directory.zero, Signal()
        remaining = Signal(COUNT_WIDTH)
        kind, last_kind = Signal(2), Signal()  # 0 complex, 1 column a, 2 column b
        kept, entry_end = Signal(), Signal()
        m.d.comb += [
            last_kind.eq(kind[1]),
            kept.eq(
                ((keep[0][0] | keep[1][0]) & ~kind[1]) | ((keep[0][1] | keep[1][1]) & ~kind[0])
            ),
            entry_end.eq(phase[0] & (phase[1] | (kind != 0))),
            self.i.ready.eq((judging & pair.marker) | (taken & last_kind)),
            self.group_done.eq(self.i.valid & judging & pair.marker),
            directory.base.eq(self.directory_base),
            directory.uniform_count.eq(self.uniform_count),
            directory.rewind.eq(self.start_layer | (self.group_done & pair.final)),
            directory.fetch.eq(~count_valid | taken),
        ]
        with m.FSM():
            with m.State("judge"):
                m.d.comb += judging.eq(1)
                m.d.sync += kind.eq(~self.is_complex)
                with m.If(self.i.valid & ~pair.marker):
                    m.d.sync += phase.eq(phase + 1)
                    with m.If(phase == self.JUDGE_CYCLES - 1):
                        m.d.sync += phase.eq(0)
                        m.next = "step"
            with m.State("step"):
                m.d.sync += [first.eq(1), remaining.eq(count)]
                m.d.comb += stepping.eq(1)
                with m.If(~no_count & kept):
                    m.next = "run"
                with m.Else():
                    m.d.comb += [taken.eq(1), self.skipped.eq(~no_count)]
                    with m.If(last_kind):
                        m.next = "judge"
            with m.State("run"):
                m.d.comb += self.busy.eq(1)
                m.d.sync += phase.eq(phase + 1)
                with m.If(entry_end):
                    m.d.sync += [phase.eq(0), first.eq(0), remaining.eq(remaining - 1)]
                    with m.If(remaining == 1):
                        m.d.comb += taken.eq(1)
                        m.next = "step"
                        with m.If(last_kind):
                            m.next = "judge"
        with m.If((self.busy & entry_end) | self.skipped):
            m.d.sync += entry.eq(entry + Mux(self.busy, 1, count))
        with m.If(directory.fetch):
            m.d.sync += count_valid.eq(1)
        with m.If(taken):
            m.d.sync += kind.eq(kind + 1)
        with m.If(directory.rewind):
            m.d.sync += [count_valid.eq(0), entry.eq(0)]

        column = Signal()
        m.d.comb += column.eq(Mux(judging, phase[0], kind[1] | phase[1]))
        values = [Signal(signed(self.config.column_width), name=f"x{i}") for i in (1, 2)]
        for i, value in enumerate(values):
            m.submodules[f"split_{i}"] = split = SerialSplit(self.config)
            m.d.comb += [split.pair.eq(pair), split.column.eq(column), split.inference.eq(i)]
            m.d.sync += value.eq(split.value)
        self._judge(m, judging, values)
        issued = [self.busy & keep[i].bit_select(column, 1) for i in range(2)]
        self._lane(m, values, issued)
        return m

    def _judge(self, m: Module, judging: Signal, values: list[Signal]) -> None:
        """Squares of a1, b1, a2, b2, less the level: value p is squared in phase p + 1, judged in p + 2."""
        joint = self.i.payload.joint
        operand = Signal(signed(self.config.column_width))
        square = Signal(self.config.level_width, reset_less=True)
        difference, earlier = (
            Signal(self.config.level_width + 1, name=n) for n in ("sum", "earlier")
        )
        is_b, single = self._phase[0], Signal()
        value = Mux(self._phase[2] | self._phase[:2].all(), values[1], values[0]).as_signed()
        m.d.comb += [
            operand.eq(Mux(joint, value, value << 1)),
            single.eq(~(joint & is_b)),  # nothing to add to
            difference.eq(
                (Cat(single, Mux(single, Cat(~self.level, 1), earlier)) + Cat(single, square))[1:]
            ),
        ]
        m.d.sync += [square.eq((operand * operand)[: len(square)]), earlier.eq(difference)]
        with m.If(judging):
            for i in range(2):
                with m.If(self._phase[2] == i):
                    with m.If(is_b):
                        m.d.sync += self._keep[i][1].eq(~difference[-1])
                    with m.If(~is_b | joint):
                        m.d.sync += self._keep[i][0].eq(~difference[-1])

    def _lane(self, m: Module, values: list[Signal], issued: list[Any]) -> None:
        """Fetch, address, multiply, accumulate."""
        config = self.config
        acc = config.accumulator_width
        phase, entry = self._phase, self._entry
        # Stage 0: fetch.
        fetch = self.busy & (phase == 0)
        word_number = Mux(self.is_narrow, entry >> 1, entry)
        m.d.comb += [
            self.coefficients.address.eq(self.coefficient_base + word_number),
            self.coefficients.enable.eq(fetch),
            self.indices.address.eq(self.index_base + word_number),
            self.indices.enable.eq(fetch),
        ]
        # Stage 1: the words are there, and stay. Decode; next row.
        second_1, swap_1 = Signal(), Signal()  # second coefficient; second step
        half_1, fetch_1, first_1 = Signal(), Signal(), Signal()
        m.d.sync += [
            Cat(second_1, swap_1).eq(phase),
            half_1.eq(entry[0]),
            fetch_1.eq(fetch),
            first_1.eq(self._first),
        ]
        select_b = second_1 ^ swap_1
        word = self.coefficients.data
        low = word.word_select(Mux(self.is_narrow, Cat(select_b, half_1), Cat(0, select_b)), 4)
        high = Mux(self.is_narrow, low[3].replicate(4), Mux(select_b, word[12:], word[4:8]))
        coefficient = Cat(low, high).as_signed()
        operand = Signal(signed(config.coefficient_width + 1))
        m.d.sync += operand.eq(Mux(swap_1 & ~second_1, -coefficient, coefficient))
        index = self.indices.data
        distance = Mux(self.is_narrow, Mux(half_1, index[4:], index[:4]), index)
        row = Signal(row_width(config))
        with m.If(fetch_1):
            m.d.sync += row.eq(
                Mux(first_1, self.i.payload.base, row)
                + Mux(self.is_indexed, distance, 0)
                + ~first_1
            )
        # Stage 2: read. The registers around the multiplier can be its block's own, as they have no reset.
        second_2 = Signal()
        address, address_3 = (
            Signal(len(self.drain_address), name=n) for n in ("address", "address_3")
        )
        clear_3 = Signal()
        m.d.comb += address.eq(Mux(self.draining, self.drain_address, Cat(second_2, row)))
        m.d.sync += [
            second_2.eq(second_1),
            address_3.eq(address),
            clear_3.eq(self.draining & self.clear),
        ]
        flags = []
        for i, value in enumerate(values):
            valid = Signal(3, name=f"valid_{i}")
            value_2 = Signal.like(value, name=f"x{i}_2", reset_less=True)
            product = Signal(
                signed(len(value) + len(operand)), name=f"product_{i}", reset_less=True
            )
            m.d.sync += [
                valid.eq(Cat(issued[i], valid)),
                value_2.eq(value),
                product.eq(value_2 * operand),
            ]
            storage = Storage(acc, 2 * config.accumulator_depth)
            m.submodules[f"accumulators_{i}"] = storage
            # Stage 3: add and write.
            total, flag = saturate(storage.read.data.as_signed() + product, acc)
            m.d.comb += [
                storage.read.enable.eq(1),
                storage.read.address.eq(address),
                self.drained[i].eq(storage.read.data),
                storage.write.enable.eq(valid[2] | clear_3),
                storage.write.address.eq(address_3),
                storage.write.data.eq(Mux(clear_3, 0, total)),
            ]
            flags.append(valid[2] & flag)
        m.d.sync += self.overflow.eq(flags[0] | flags[1])
