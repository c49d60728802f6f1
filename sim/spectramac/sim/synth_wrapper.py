# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Any component behind five pins, with every port on a register, so that it can be placed on its own."""

import re
from typing import Any

from amaranth import Cat, ClockDomain, ClockSignal, Module, ResetSignal, Signal
from amaranth.back import rtlil
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["PinWrapper", "to_rtlil"]


class PinWrapper(wiring.Component):  # type: ignore[misc]  # Amaranth classes are Any to mypy
    """Serial pins around a component.

    Inputs come from a shift register that ``serial_in`` feeds; outputs are captured in registers and, when
    ``load`` was high, leave through ``serial_out``. Every path into and out of the component thus starts or
    ends at a register beside it. The wrapper costs one flip-flop an input bit, two an output bit, and one
    LUT an output bit.

    Parameters
    ----------
    component : :class:`amaranth.lib.wiring.Component`
        What is measured; it appears as ``dut``.

    Members
    -------
    clk, rst, serial_in, load : :py:`In(1)`
    serial_out : :py:`Out(1)`
    """

    def __init__(self, component: Any) -> None:
        super().__init__(
            {
                "clk": In(1),
                "rst": In(1),
                "serial_in": In(1),
                "load": In(1),
                "serial_out": Out(1),
            }
        )
        self.component = component
        inputs: list[Any] = []
        outputs: list[Any] = []
        for _, member, value in component.signature.flatten(component):
            bits = value.as_value() if hasattr(value, "as_value") else value
            if len(bits):
                (inputs if member.flow == In else outputs).append(bits)
        self._inputs, self._outputs = Cat(inputs), Cat(outputs)

    @property
    def n_flip_flops(self) -> int:
        """Flip-flops of the wrapper itself."""
        return len(self._inputs) + 2 * len(self._outputs) + 2

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.dut = self.component
        reset = Signal(reset_less=True)
        load = Signal()
        shift_in = Signal(len(self._inputs), reset_less=True)
        capture = Signal(len(self._outputs), reset_less=True)
        shift_out = Signal(len(self._outputs), reset_less=True)
        m.d.comb += [
            ClockSignal().eq(self.clk),
            ResetSignal().eq(reset),
            self._inputs.eq(shift_in),
            self.serial_out.eq(shift_out[-1]),
        ]
        m.d.sync += [
            reset.eq(self.rst),
            load.eq(self.load),
            shift_in.eq(Cat(self.serial_in, shift_in)),
            capture.eq(self._outputs),
            shift_out.eq(Cat(self.serial_in, shift_out)),
        ]
        with m.If(load):
            m.d.sync += shift_out.eq(capture)
        return m


def to_rtlil(component: Any, name: str = "top") -> str:
    """RTLIL of a component; its top module is called ``name``.

    Yosys honours ``no_rw_check`` only where it makes the synchronous read itself, as from Verilog. Here the reads are
    synchronous already, so the attribute is turned into what Yosys would make of it.
    """
    text: str = rtlil.convert(component, name=name, emit_src=False)
    return "".join(_allow_collisions(part) for part in re.split(r"(?m)^(?=module )", text))


def _allow_collisions(module: str) -> str:
    """Let a read that collides with a write give any word, in the memories with ``no_rw_check``."""
    for attributes, name in re.findall(
        r"(?m)((?:^ +attribute .*\n)*)^ +memory width \d+ size \d+ \\(\S+)$", module
    ):
        if "no_rw_check 1" in attributes:
            module = re.sub(
                rf'(\\MEMID "\\\\{re.escape(name)}"(?:\n +parameter .*)*?'
                r"\n +parameter \\COLLISION_X_MASK \d+')([01]+)",
                lambda match: match[1] + "1" * len(match[2]),
                module,
            )
    return module
