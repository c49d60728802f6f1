# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Window sums, window maxima and additions of maps: activation memory to requantization."""

from itertools import pairwise
from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.memory import ReadPort
from spectramac.gateware.shift import Shift
from spectramac.gateware.stream import layout
from spectramac.gateware.window_walk import WALK_FIELDS, WindowWalk
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import FIELDS, Kind
from spectramac.spec.payloads import sample

__all__ = ["WINDOW_FIELDS", "WindowUnit"]

WINDOW_FIELDS = (
    *WALK_FIELDS,
    "kind",
    "unit_kernel",
    "first_multiplier",
    "second_multiplier",
    "row_shift",
    "per_row_shift",
)
"""Descriptor fields that it reads."""
SUM_WIDTH = 24
"""Bits of an exact sum (docs/design.md)."""


class WindowUnit(wiring.Component):
    """Stream what a layer of kind 3, 4 or 5 has before requantization, channel after channel of pixel after pixel.

    ``re`` is the first inference, ``im`` the second; ``last`` marks the last channel of a pixel. A tap takes one cycle,
    whether it is inside the map or not, and there is none between windows: the first sample is offered
    :attr:`LATENCY` + taps cycles after ``start``, then one every ``taps`` cycles (window sum and maximum:
    ``kernel_height * kernel_width``, addition: 2). A sample that is not taken stops everything.

    Two multipliers, one for each inference. A sum has 24 bits and is exact. A window's maximum is found before the
    multiplier and multiplied by 1.

    ``memory`` is read beyond the map too; what comes from there is not used. ``o.ready`` reaches all registers as
    their enable.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`

    Members
    -------
    start : :py:`In(1)`
        Begin a layer; only while not ``busy``. The inputs below are stable from then until the last sample has been
        taken.
    n_pairs : :py:`In(16)`
    <field> : :py:`In(…)`
        :data:`WINDOW_FIELDS`, from the descriptor.
    busy : :py:`Out(1)`
        Taps remain to be read.
    memory, kernels, shifts : :py:`Out(ReadPort)`
        Activation, kernel and row-shift memory.
    o : :py:`Out(stream.Signature(sample(config)))`
    overflow : :py:`Out(1)`
        The sample that is offered was saturated.

    References
    ----------
    :class:`spectramac.model.program_window.WindowProgram`
    """

    PIPELINE = 7
    """Cycles from a window's last tap to its sample."""
    LATENCY = WindowWalk.SETUP + PIPELINE - 1

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        widths = {field.name: field.width for field in FIELDS}
        kernel_address = (config.kernel_depth - 1).bit_length()
        channel_address = (config.channel_depth - 1).bit_length()
        activation_address = (config.activation_depth - 1).bit_length()
        super().__init__(
            {
                "start": In(1),
                "n_pairs": In(16),
                **{name: In(widths[name]) for name in WINDOW_FIELDS},
                "busy": Out(1),
                "memory": Out(ReadPort(activation_address, 2 * config.activation_width)),
                "kernels": Out(ReadPort(kernel_address, config.coefficient_width)),
                "shifts": Out(ReadPort(channel_address, config.shift_width)),
                "o": Out(stream.Signature(layout(sample(config)))),
                "overflow": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = self.config.activation_width
        is_maximum, is_addition = self.kind == Kind.WINDOW_MAXIMUM, self.kind == Kind.ADDITION
        advance = Signal()
        m.submodules.walk = walk = WindowWalk(self.config)
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            walk.start.eq(self.start),
            walk.enable.eq(advance),
            walk.is_addition.eq(is_addition),
            walk.n_pairs.eq(self.n_pairs),
            *(getattr(walk, name).eq(getattr(self, name)) for name in WALK_FIELDS),
            self.busy.eq(walk.busy),
        ]
        for port, address in (
            (self.memory, walk.address),
            (self.kernels, walk.kernel_address),
            (self.shifts, walk.shift_address),
        ):
            m.d.comb += [port.address.eq(address), port.enable.eq(advance)]

        # What goes with a tap, stage after stage: 1 memories answer, 2 their words are in registers, 3 operands, 4
        # products, 5 sums, 6 and 7 shift.
        kind = data.StructLayout({"first": 1, "complete": 1, "final": 1, "second": 1})
        tap = [Signal(kind, name=f"tap_{stage}") for stage in range(1, 1 + self.PIPELINE)]
        inside_2 = Signal()
        word = Signal(2 * width, reset_less=True)
        k = Signal(signed(self.config.coefficient_width), reset_less=True)
        shifts = [
            Signal(self.config.shift_width, name=f"shift_{n}", reset_less=True) for n in range(2, 6)
        ]
        coefficient = Signal(signed(1 + self.config.multiplier_width), reset_less=True)
        with m.If(advance):
            m.d.sync += [
                tap[0].first.eq(walk.first),
                tap[0].complete.eq(walk.valid & walk.last),
                tap[0].final.eq(walk.final),
                tap[0].second.eq(walk.column_end),
                *(after.eq(before) for before, after in pairwise(tap)),
                inside_2.eq(walk.inside),
                word.eq(self.memory.data),
                k.eq(self.kernels.data),
                shifts[0].eq(Mux(self.per_row_shift, self.shifts.data, self.row_shift)),
                *(after.eq(before) for before, after in pairwise(shifts)),
            ]
            with m.If(is_addition):
                factor = Mux(tap[1].second, self.second_multiplier, self.first_multiplier)
                m.d.sync += coefficient.eq(factor)
            with m.Elif(is_maximum | self.unit_kernel):
                m.d.sync += coefficient.eq(1)
            with m.Else():
                m.d.sync += coefficient.eq(k)

        flags = []
        for number, name in enumerate(("re", "im")):
            pixel = word.word_select(number, width).as_signed()
            operand = Signal(signed(width), name=f"operand_{name}", reset_less=True)
            product = Signal(signed(SUM_WIDTH), name=f"product_{name}", reset_less=True)
            total = Signal(signed(SUM_WIDTH), name=f"total_{name}", reset_less=True)
            m.submodules[f"shift_{name}"] = shift = Shift(SUM_WIDTH, self.config.data_width)
            with m.If(advance):
                m.d.sync += [
                    product.eq(operand * coefficient),
                    total.eq(Mux(tap[3].first | is_maximum, 0, total) + product),
                ]
                # The largest pixel so far is the operand itself; nothing is below the first value of all.
                is_larger = (operand - pixel)[-1]
                with m.If(inside_2 & (~is_maximum | tap[1].first | is_larger)):
                    m.d.sync += operand.eq(pixel)
                with m.Elif(~is_maximum | tap[1].first):
                    m.d.sync += operand.eq(Cat(C(0, width - 1), is_maximum).as_signed())
            m.d.comb += [
                shift.enable.eq(advance),
                shift.i.eq(total),
                shift.shift.eq(shifts[-1]),
                self.o.payload.data[name].eq(shift.o),
            ]
            flags.append(shift.overflow)
        m.d.comb += [
            self.o.valid.eq(tap[-1].complete),
            self.o.payload.last.eq(tap[-1].final),
            self.overflow.eq(self.o.valid & (flags[0] | flags[1])),
        ]
        return m
