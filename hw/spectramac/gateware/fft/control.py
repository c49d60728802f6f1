# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What both architectures of the transform share: ports, run-time control, input framing."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from spectramac.gateware.stream import layout
from spectramac.spec.config import FFTConfig
from spectramac.spec.stream import complex_payload, frame

__all__ = ["FrameControl", "control_layout", "frame_layout", "ports"]


def frame_layout(config: FFTConfig) -> data.StructLayout:
    """``{data: {re, im}, last}``, the payload of every stream of a transform."""
    return layout(frame(complex_payload(config.data)))


def control_layout(config: FFTConfig) -> data.StructLayout:
    """What may differ from frame to frame."""
    return data.StructLayout(
        {
            "log2_n": range(config.log2_n_max + 1),
            "two_d": 1,
            "inverse": 1,
            "halve": config.log2_n_max,
        }
    )


def ports(config: FFTConfig) -> dict[str, Any]:
    """Signature members of both architectures."""
    return {
        "i": In(stream.Signature(frame_layout(config))),
        "o": Out(stream.Signature(frame_layout(config))),
        "log2_n": In(range(config.log2_n_max + 1)),
        "two_d": In(1),
        "inverse": In(1),
        "halve": In(config.log2_n_max),
        "overflow": Out(1),
        "framing_error": Out(1),
    }


class FrameControl:
    """Sampling of the control inputs with the first sample of a frame, and counting of the frame.

    Not a component: a group of signals of the core ``dut`` that instantiates it, driven in its ``m``.

    Parameters
    ----------
    m : Module
        Of the core.
    dut : wiring.Component
        A component with :func:`ports`.
    accept : Value
        High in a cycle in which an input sample is taken.

    Attributes
    ----------
    first : Signal
        The next sample is the first of a frame.
    held : Signal
        Control of the frame being taken, from the cycle after its first sample.
    now : Signal
        ``held``, and in the cycle of the first sample already its control.
    index : Signal
        Number of the next sample in its frame.
    last : Signal
        The next sample is the last of its frame, by count.
    """

    def __init__(self, m: Module, dut: Any, accept: Any) -> None:
        config: FFTConfig = dut.config
        shape = control_layout(config)
        self.first = Signal(init=1)
        self.held = Signal(shape)
        self.now = Signal(shape)
        self.index = Signal(config.log2_n_max)
        self.last = Signal()
        for name in ("log2_n", "two_d", "inverse", "halve"):
            port = getattr(dut, name)
            m.d.comb += self.now[name].eq(Mux(self.first, port, self.held[name]))
        # The first sample is never the last, so the held size is enough.
        final = Signal(config.log2_n_max)
        with m.Switch(self.held.log2_n):
            for log2_n in range(3, config.log2_n_max + 1):
                with m.Case(log2_n):
                    m.d.comb += final.eq((1 << log2_n) - 1)
        m.d.comb += self.last.eq(~self.first & (self.index == final))
        m.d.sync += dut.framing_error.eq(accept & (dut.i.payload.last != self.last))
        with m.If(accept):
            m.d.sync += [
                self.held.eq(self.now),
                self.first.eq(self.last),
                self.index.eq(Mux(self.last, 0, self.index + 1)),
            ]
