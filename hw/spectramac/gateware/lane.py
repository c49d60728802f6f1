# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""One multiply-accumulate lane: 2x2 outer products of stored coefficient pairs with column values."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.accumulators import accumulators
from spectramac.gateware.delay import delayed, repeated
from spectramac.gateware.fft.device import Multiplier
from spectramac.gateware.memory import Storage
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import row_width
from spectramac.spec.timing import MAP_STAGES

__all__ = ["Lane"]


class Lane(wiring.Component):
    """One lane: decode, address, multiply, accumulate; one entry a cycle, never stalls.

    Stages, counted from the cycle in which the entry's words are on ``coefficient`` and ``index``: 0 decode, 1 row
    address and operands, 2 row known, 3 multiply, up to 5 accumulate (:mod:`spectramac.gateware.accumulators`).

    Parameters
    ----------
    config : :class:`AcceleratorConfig`
    technology : str
        See :class:`~spectramac.gateware.fft.device.Multiplier`.

    Members
    -------
    valid, first, half, bank, swap : :py:`In(1)`
        At stage 0: there is an entry; it is the first of its directory word; the narrow half to use; accumulator bank;
        this is the second step of a complex entry, (-b, a) in place of (a, b).
    base : :py:`In(row)`
    x1, x2 : :py:`In(signed(column_width))`
        Column values of both inferences.
    is_narrow, is_indexed : :py:`In(1)`
    coefficient : :py:`In(16)`
    index : :py:`In(8)`
    draining, drain_row, drain_select, clear, drained, overflow
        See :class:`~spectramac.gateware.accumulators.BlockAccumulators`.

    With ``config.maps`` the row address of a convolution's entry is looked up and added to the position's ring row, two
    stages more for every entry:

    in_ring : :py:`In(1)`
        This layer is a convolution.
    ring : :py:`In(row)`
        At stage 0: what the row of the tap table is added to.
    retire, copy : :py:`In(1)`
        At stage 0: the row ``ring`` becomes zero; what it was goes to ``copy_row`` of bank 1.
    copy_row : :py:`In(row)`
    apart : :py:`In(1)`
        At stage 0: the steps of a complex entry are (a, 0) and (0, b).
    tap_write, tap_index, tap_offset : :py:`In(…)`
        Writes the tap table.
    load : :py:`In(1)`
        At stage 0: keep what is on ``x1`` and ``x2`` (:meth:`both`) as this lane's own column pair.
    own : :py:`In(1)`
        At stage 0: a is multiplied by this lane's own first column, b by the second.
    row_step : :py:`In(8)`
        The step of every entry without index.
    """

    def __init__(self, config: AcceleratorConfig, *, technology: str = "generic") -> None:
        self.config = config
        self.technology = technology
        row = row_width(config)
        maps = {
            "in_ring": In(1),
            "ring": In(row),
            "retire": In(1),
            "copy": In(1),
            "copy_row": In(row),
            "apart": In(1),
            "load": In(1),
            "own": In(1),
            "row_step": In(config.index_width),
            "tap_write": In(1),
            "tap_index": In((config.tap_depth - 1).bit_length()),
            "tap_offset": In(row),
        }
        super().__init__(
            {
                **(maps if config.maps else {}),
                "valid": In(1),
                "first": In(1),
                "half": In(1),
                "bank": In(1),
                "swap": In(1),
                "base": In(row),
                "x1": In(signed(self.bus_width(config))),
                "x2": In(signed(self.bus_width(config))),
                "is_narrow": In(1),
                "is_indexed": In(1),
                "coefficient": In(2 * config.coefficient_width),
                "index": In(config.index_width),
                "draining": In(config.n_accumulator_banks),
                "drain_row": In(row),
                "drain_select": In(1),
                "clear": In(1),
                "drained": Out(4 * config.accumulator_width),
                "overflow": Out(1),
            }
        )

    @staticmethod
    def bus_width(config: AcceleratorConfig) -> int:
        """Bits of ``x1`` and ``x2``: a column's, and room for two activations."""
        return max(config.column_width, 2 * config.activation_width if config.maps else 0)

    @staticmethod
    def both(config: AcceleratorConfig, pair: Any, inference: int) -> Value:
        """What ``x1`` (``x2``) is for ``load``: an inference's two columns, which are activations, in one."""
        width = config.activation_width
        return Cat(pair[f"a{inference}"][:width], pair[f"b{inference}"][:width]).as_signed()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        row_bits = row_width(config)
        operand_width = config.coefficient_width + 1
        narrow = config.narrow_coefficient_width

        # Stage 0: decode.
        word, index = self.coefficient, self.index
        pair = [
            Signal(signed(config.coefficient_width), name=f"coefficient_{c}", reset_less=True)
            for c in "ab"
        ]
        step = Signal(config.index_width, reset_less=True)
        for k, (wide, low, high) in enumerate(((0, 0, 2), (1, 1, 3))):
            halves = Mux(
                self.half,
                word[narrow * high : narrow * (high + 1)],
                word[narrow * low : narrow * (low + 1)],
            )
            m.d.sync += pair[k].eq(
                Mux(
                    self.is_narrow,
                    halves.as_signed(),
                    word[8 * wide : 8 * wide + 8].as_signed(),
                )
            )
        index_half = Mux(self.half, index[4:], index[:4])
        row_step = self.row_step if config.maps else 0
        m.d.sync += step.eq(Mux(self.is_indexed, Mux(self.is_narrow, index_half, index), row_step))
        valid = [self.valid]
        bank = [self.bank]
        # What all lanes get: each has its own registers.
        valid_1, bank_1, first_1, swap_1, base_1, *x = (
            repeated(m, getattr(self, name), f"{name}_1", technology=self.technology)
            for name in ("valid", "bank", "first", "swap", "base", "x1", "x2")
        )
        more = MAP_STAGES if config.maps else 0
        valid += [valid_1, delayed(m, valid_1, 1 + more, "valid_2")]
        bank += [bank_1, delayed(m, bank_1, 1 + more, "bank_2")]

        # Stage 1: row address; operands.
        row = Signal(row_bits, reset_less=True)
        with m.If(valid[1]):
            with m.If(first_1):
                m.d.sync += row.eq(base_1 + step)
            with m.Elif(~swap_1):
                m.d.sync += row.eq(row + 1 + step)
        operands: list[Any] = [Signal(signed(operand_width), name=f"operand_{c}") for c in "ab"]
        m.d.comb += [
            operands[0].eq(Mux(swap_1, -pair[1], pair[0])),
            operands[1].eq(Mux(swap_1, pair[0], pair[1])),
        ]
        if config.maps:
            apart = repeated(m, self.apart, "apart_1", technology=self.technology)
            with m.If(apart & swap_1):
                m.d.comb += [operands[0].eq(0), operands[1].eq(pair[1])]
            with m.Elif(apart):
                m.d.comb += operands[1].eq(0)
        m.submodules.accumulators = sums = accumulators(config, technology=self.technology)
        address: Any = row
        factors = [x, x]
        if config.maps:
            address, retire = self._ring(m, row, sums)
            operands = [
                delayed(m, Mux(retire, 0, value).as_signed(), more, f"operand_{c}")
                for value, c in zip(operands, "ab", strict=True)
            ]
            factors = self._columns(m, x)

        # Stages 2 to 4 (with maps: 4 to 6) are the multipliers' registers.
        for k in range(4):
            m.submodules[f"multiplier_{k}"] = multiplier = Multiplier(
                operand_width, config.column_width, technology=self.technology
            )
            m.d.comb += [
                multiplier.a.eq(operands[k // 2]),
                multiplier.b.eq(factors[k // 2][k % 2]),
                sums.products[k].eq(multiplier.p),
            ]
        m.d.comb += [
            sums.valid.eq(valid[2]),
            sums.bank.eq(bank[2]),
            sums.row.eq(address),
            sums.draining.eq(self.draining),
            sums.drain_row.eq(self.drain_row),
            sums.drain_select.eq(self.drain_select),
            sums.clear.eq(self.clear),
            self.drained.eq(sums.drained),
            self.overflow.eq(sums.overflow),
        ]
        return m

    def _columns(self, m: Module, x: list[Any]) -> list[list[Any]]:
        """Columns that a and b are multiplied by, of both inferences, :data:`MAP_STAGES` stages after ``x``."""
        load, own = (
            delayed(
                m,
                repeated(m, getattr(self, name), f"{name}_1", technology=self.technology),
                MAP_STAGES - 1,
                name,
            )
            for name in ("load", "own")
        )
        width = self.config.activation_width
        factors: list[list[Any]] = [[], []]
        for inference, value in enumerate(x, 1):
            common = delayed(m, value, MAP_STAGES - 1, f"x{inference}_2")
            for part, name in enumerate("ab"):
                kept = Signal(signed(width), name=f"own_{name}{inference}", reset_less=True)
                with m.If(load):
                    m.d.sync += kept.eq(common[width * part : width * (part + 1)])
                factor = Signal(
                    signed(self.config.column_width),
                    name=f"factor_{name}{inference}",
                    reset_less=True,
                )
                m.d.sync += factor.eq(Mux(own, kept, common))
                factors[part].append(factor)
        return factors

    def _ring(self, m: Module, row: Signal, sums: Any) -> tuple[Signal, Signal]:
        """The accumulator row, :data:`MAP_STAGES` stages later; at stage 1, whether a row retires."""
        config = self.config
        ring, retire, copy, copy_row = (
            repeated(m, getattr(self, name), f"{name}_1", technology=self.technology)
            for name in ("ring", "retire", "copy", "copy_row")
        )
        in_ring = delayed(m, self.in_ring, 1, "in_ring")
        m.submodules.taps = taps = Storage(row_width(config), config.tap_depth)
        m.d.comb += [
            taps.write.address.eq(self.tap_index),
            taps.write.data.eq(self.tap_offset),
            taps.write.enable.eq(self.tap_write),
            taps.read.address.eq(row[: taps.address_width]),
            taps.read.enable.eq(1),
        ]
        # Stage 2: the row is known. Stage 3: the table answers.
        row_3 = delayed(m, row, 1, "row")
        ring_3 = delayed(m, ring, 2, "ring")
        table_3 = in_ring & ~delayed(m, retire, 2, "retire_2")
        address = Signal.like(row_3, name="address", reset_less=True)
        offset = Mux(table_3, taps.read.data, Mux(in_ring, 0, row_3))
        m.d.sync += address.eq(Mux(in_ring, ring_3, 0) + offset)
        later = 1 + MAP_STAGES
        m.d.comb += [
            sums.retire.eq(delayed(m, retire, later, "retire")),
            sums.copy.eq(delayed(m, copy, later, "copy")),
            sums.copy_row.eq(delayed(m, copy_row, later, "copy_row")),
        ]
        return address, retire
