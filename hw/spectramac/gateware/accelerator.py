# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The accelerator: the engine behind its register file."""

from typing import Any

from amaranth import Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.engine import Engine
from spectramac.gateware.regfile import RegisterFile, memory_ports
from spectramac.gateware.stream import connect, layout
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.registers import COUNTERS, OVERFLOWS, REQUEST, RESPONSE

__all__ = ["Accelerator"]


class Accelerator(wiring.Component):
    """The whole accelerator behind its register file.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`
    technology : str
        ``"generic"``, or ``"ice40"`` to keep coefficients and indices in the UP5K's SPRAM.

    Members
    -------
    i_request : :py:`In(stream.Signature(layout(REQUEST)))`
        Register reads and writes (docs/REGISTERS.md).
    o_response : :py:`Out(stream.Signature(layout(RESPONSE)))`
        One for each read.
    interrupt : :py:`Out(1)`
        Level: a run has finished and ``status.done`` has not been cleared.
    """

    def __init__(self, config: AcceleratorConfig, *, technology: str = "generic") -> None:
        self.config = config
        self.technology = technology
        super().__init__(
            {
                "i_request": In(stream.Signature(layout(REQUEST))),
                "o_response": Out(stream.Signature(layout(RESPONSE))),
                "interrupt": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.registers = registers = RegisterFile(self.config)
        engine = Engine(self.config, technology=self.technology)
        # From registers, for a reset goes everywhere.
        reset, start = Signal(), Signal()
        m.d.sync += [
            reset.eq(registers.control_reset),
            start.eq(registers.control_start & ~registers.control_reset & ~registers.status_busy),
        ]
        m.submodules.engine = ResetInserter(reset)(engine)
        connect(m, wiring.flipped(self.i_request), registers.i_request)
        connect(m, registers.o_response, wiring.flipped(self.o_response))
        for name in memory_ports(self.config):
            wiring.connect(m, getattr(registers, name), getattr(engine, name))
        m.d.comb += [
            engine.start.eq(start),
            engine.n_layers.eq(registers.program_n_layers),
            engine.n_pairs.eq(registers.program_n_pairs),
            registers.status_busy.eq((engine.busy & ~reset) | start),
            registers.status_done.eq(engine.done & ~reset),
        ]
        for place in OVERFLOWS:
            port = getattr(registers, f"status_overflow_{place}")
            m.d.comb += port.eq(getattr(engine, f"overflow_{place}"))
        m.d.comb += [getattr(registers, name).eq(getattr(engine, name)) for name in COUNTERS]
        m.d.comb += self.interrupt.eq(registers.interrupt)
        return m
