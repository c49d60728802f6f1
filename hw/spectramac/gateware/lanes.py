# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""All multiply-accumulate lanes, in lockstep: jobs, memories, and the backward loop's requests."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.accumulators import BlockAccumulators
from spectramac.gateware.delay import delayed, repeated
from spectramac.gateware.lane import Lane
from spectramac.gateware.memory import ReadPort
from spectramac.gateware.stream import layout
from spectramac.spec.config import OUTPUT_SLOTS, AcceleratorConfig
from spectramac.spec.payloads import ENTRY_WIDTH, job, row_width
from spectramac.spec.timing import lanes_latency

__all__ = ["Lanes"]


class Lanes(wiring.Component):
    """Execute jobs on all lanes in lockstep.

    Takes one cycle for a real entry and two for a complex one, without gaps between jobs. The result of an entry is
    in the accumulators :attr:`latency` cycles after it is issued. ``i.ready`` does not depend on anything downstream:
    lanes never stall.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`
    technology : str
        See :class:`~spectramac.gateware.fft.device.Multiplier`.

    Members
    -------
    i : :py:`In(stream.Signature(job(config)))`
    start_layer : :py:`In(1)`
        Go back to bank 0.
    is_narrow, is_indexed, coefficient_base, index_base : :py:`In(…)`
        From the descriptor.
    coefficients, indices : :py:`Out(ReadPort)`
    busy : :py:`Out(1)`
        An entry is issued in this cycle.
    group_done : :py:`Out(1)`
        Strobe: all entries of a row group are in the accumulators.
    overflow : :py:`Out(1)`
        Strobe: a sum saturated.
    draining, drain_row, clear
        See :class:`~spectramac.gateware.accumulators.BlockAccumulators`.
    drain_lane : :py:`In(range(n_lanes))`
    drained : :py:`Out(4 * accumulator_width)`
        ``drain_row`` of ``drain_lane``, :attr:`DRAIN_LATENCY` cycles later.

    With ``config.maps``, in a convolution (docs/design.md), a marker moves the complete rows of an output out of the
    ring, one a cycle, into a part of bank 1 if the output map has it; then ``group_done``, and the next part is next:

    in_ring : :py:`In(1)`
        This layer is a convolution.
    is_depthwise : :py:`In(1)`
        A convolution of every channel on its own: an entry's row follows ``pixel_rows`` after the last one's.
    retire_rows, pixel_rows : :py:`In(16)`
        From the descriptor.
    tap_write, tap_index, tap_offset : :py:`In(…)`
        See :class:`~spectramac.gateware.walk.TapTable`.
    """

    DRAIN_LATENCY = BlockAccumulators.DRAIN_LATENCY + 2
    NEIGHBOURS = 4
    """Lanes whose answers are joined before they travel: a lane's own wires stay short."""

    def __init__(self, config: AcceleratorConfig, *, technology: str = "generic") -> None:
        self.config = config
        self.technology = technology
        address_width = (config.coefficient_depth - 1).bit_length()
        n_banks = config.n_accumulator_banks
        maps = {
            "in_ring": In(1),
            "is_depthwise": In(1),
            "retire_rows": In(16),
            "pixel_rows": In(16),
            "tap_write": In(1),
            "tap_index": In((config.tap_depth - 1).bit_length()),
            "tap_offset": In(row_width(config)),
        }
        super().__init__(
            {
                **(maps if config.maps else {}),
                "i": In(stream.Signature(layout(job(config)))),
                "start_layer": In(1),
                "is_narrow": In(1),
                "is_indexed": In(1),
                "coefficient_base": In(16),
                "index_base": In(16),
                "coefficients": Out(
                    ReadPort(address_width, 2 * config.coefficient_width * config.n_lanes)
                ),
                "indices": Out(ReadPort(address_width, config.index_width * config.n_lanes)),
                "busy": Out(1),
                "group_done": Out(1),
                "overflow": Out(1),
                "draining": In(n_banks),
                "drain_row": In(row_width(config)),
                "drain_lane": In(range(config.n_lanes)),
                "clear": In(1),
                "drained": Out(4 * config.accumulator_width),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from issuing an entry to its row being written."""
        return lanes_latency(self.config)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        current = Signal(layout(job(config)), reset_less=True)
        active, first, second_step = Signal(), Signal(), Signal()
        entry = Signal(ENTRY_WIDTH, reset_less=True)
        remaining = Signal(len(self.i.payload.count), reset_less=True)
        bank = Signal()
        in_ring = self.in_ring if config.maps else C(0)
        loading = active & current.load if config.maps else C(0)
        entry_end = ~current.is_complex | second_step
        m.d.comb += [
            self.i.ready.eq(~active | (entry_end & (remaining == 1))),
            self.busy.eq(active & ~current.marker & ~loading),
        ]
        entry_next = Signal.like(entry)
        m.d.comb += entry_next.eq(entry)
        with m.If(active):
            m.d.sync += [
                first.eq(0),
                second_step.eq(current.is_complex & ~second_step),
            ]
            with m.If(entry_end):
                m.d.sync += remaining.eq(remaining - 1)
                m.d.comb += entry_next.eq(entry + 1)
            if config.n_accumulator_banks > 1:
                with m.If(current.marker & ~in_ring):
                    m.d.sync += bank.eq(~bank)
        with m.If(self.i.ready):
            m.d.sync += active.eq(self.i.valid)
            m.d.sync += [
                current.eq(self.i.payload),
                remaining.eq(self.i.payload.count),
                first.eq(1),
                second_step.eq(0),
            ]
            m.d.comb += entry_next.eq(self.i.payload.entry)
        with m.If(self.start_layer):
            m.d.sync += bank.eq(0)

        # Addresses come from registers: they go to every block of two large memories.
        word = Mux(self.is_narrow, entry_next >> 1, entry_next)
        m.d.sync += entry.eq(entry_next)
        for memory, start in (
            (self.coefficients, self.coefficient_base),
            (self.indices, self.index_base),
        ):
            address = Signal.like(memory.address, name="address", reset_less=True)
            m.d.sync += address.eq(start + word)
            m.d.comb += [memory.address.eq(address), memory.enable.eq(self.busy)]

        # The cycle in which the memories' words arrive: stage 0 of the lanes.
        valid = Signal(name="valid_0")
        first_0, swap, bank_0 = (
            Signal(name=f"{n}_0", reset_less=True) for n in ("first", "swap", "bank")
        )
        base = Signal.like(current.base, name="base_0", reset_less=True)
        x1, x2 = (
            Signal(signed(Lane.bus_width(config)), name=f"{name}_0", reset_less=True)
            for name in ("x1", "x2")
        )
        retiring = active & current.marker & in_ring
        columns = [
            Mux(second_step, current[f"b{inference}"], current[f"a{inference}"])
            for inference in (1, 2)
        ]
        if config.maps:
            columns = [
                Mux(loading, Lane.both(config, current, inference), column)
                for inference, column in zip((1, 2), columns, strict=True)
            ]
        m.d.sync += [
            valid.eq(self.busy | retiring),
            first_0.eq(first),
            swap.eq(second_step),
            bank_0.eq(bank),
            base.eq(current.base),
            x1.eq(columns[0]),
            x2.eq(columns[1]),
        ]
        # The backward loop's requests pass a register here too, for they come late and go far.
        draining, drain_row, drain_lane, clear = (
            delayed(m, getattr(self, name), 1, name)
            for name in ("draining", "drain_row", "drain_lane", "clear")
        )
        ring: dict[str, Any] = {}
        loads: Any = C(0)
        if config.maps:
            ring = self._ring(m, current, retiring, first, remaining)
            loads = delayed(m, loading, 1, "load", reset=True)
        overflows, drained = [], []
        for i in range(config.n_lanes):
            m.submodules[f"lane_{i}"] = lane = Lane(config, technology=self.technology)
            m.d.comb += [getattr(lane, name).eq(value) for name, value in ring.items()]
            if config.maps:
                m.d.comb += lane.load.eq(loads & (base == i))
            # What chooses among the bits of a word has no register between the memory and the lane's own.
            half, is_narrow, is_indexed = (
                repeated(m, value, f"{name}_{i}", technology=self.technology)
                for name, value in (
                    ("half", entry[0]),
                    ("is_narrow", self.is_narrow),
                    ("is_indexed", self.is_indexed),
                )
            )
            m.d.comb += [
                lane.valid.eq(valid),
                lane.first.eq(first_0),
                lane.half.eq(half),
                lane.swap.eq(swap),
                lane.bank.eq(bank_0),
                lane.base.eq(base),
                lane.x1.eq(x1),
                lane.x2.eq(x2),
                lane.is_narrow.eq(is_narrow),
                lane.is_indexed.eq(is_indexed),
                lane.coefficient.eq(self.coefficients.data.word_select(i, 16)),
                lane.index.eq(self.indices.data.word_select(i, 8)),
                lane.draining.eq(draining),
                lane.drain_row.eq(drain_row),
                lane.drain_select.eq(drain_lane == i),
                lane.clear.eq(clear),
            ]
            overflows.append(lane.overflow)
            drained.append(lane.drained)
        joined = Value.cast(0)
        for i in range(0, config.n_lanes, self.NEIGHBOURS):
            group = Signal(4 * config.accumulator_width, name=f"drained_{i}", reset_less=True)
            m.d.sync += group.eq(reduce(or_, drained[i : i + self.NEIGHBOURS]))
            joined = joined | group
        m.d.comb += self.drained.eq(joined)
        done = Signal(self.latency)
        complete = active & current.marker
        if config.maps:
            complete &= ~in_ring | (current.writes & (remaining == 1))
        m.d.sync += [
            done.eq(Cat(complete, done[:-1])),
            self.overflow.eq(Cat(*overflows).any()),
        ]
        m.d.comb += self.group_done.eq(done[-1])
        return m

    def _ring(
        self, m: Module, current: Any, retiring: Any, first: Any, remaining: Any
    ) -> dict[str, Signal]:
        """What lanes get besides, at their stage 0: rows that go, and the tap table."""
        row = row_width(self.config)
        retire, copy, slot = Signal(), Signal(), Signal(range(OUTPUT_SLOTS))
        ring, copy_row = Signal(row, reset_less=True), Signal(row, reset_less=True)
        # A marker's first row is far back; the further ones follow.
        gone = Signal(row, reset_less=True)
        with m.If(retiring):
            m.d.sync += gone.eq(gone + 1)
            with m.If((remaining == 1) & current.writes):
                m.d.sync += slot.eq(slot + 1)
        with m.If(self.i.ready):
            m.d.sync += gone.eq(self.i.payload.ring - self.retire_rows)
        m.d.sync += [
            retire.eq(retiring),
            copy.eq(retiring & current.writes),
            ring.eq(Mux(retiring, gone, current.ring)),
            copy_row.eq(Mux(first, slot << (row - len(slot)), copy_row + 1)),
        ]
        with m.If(self.start_layer):
            m.d.sync += slot.eq(0)
        apart, own = (delayed(m, current[name], 1, name) for name in ("apart", "own"))
        row_step = Signal(self.config.index_width)  # stable long before it matters
        m.d.sync += row_step.eq(Mux(self.is_depthwise, self.pixel_rows - 1, 0))
        values = {
            "retire": retire,
            "copy": copy,
            "ring": ring,
            "copy_row": copy_row,
            "apart": apart,
            "own": own,
            "row_step": row_step,
        }
        for name in ("in_ring", "tap_write", "tap_index", "tap_offset"):
            values[name] = delayed(m, getattr(self, name), 1, name)
        return values
