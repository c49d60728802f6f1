# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What both architectures of the transform share: ports, run-time control, input framing."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from spectramac.gateware.stream import layout
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import plan
from spectramac.spec.fixed import Format
from spectramac.spec.payloads import fft_input, fft_output
from spectramac.spec.stream import complex_payload, frame

__all__ = [
    "FrameControl",
    "control_layout",
    "frame_layout",
    "is_square",
    "output_layout",
    "ports",
    "raw_layout",
]


def frame_layout(config: FFTConfig) -> data.StructLayout:
    """The payload of the input stream: ``{data: {re, im}, last}``, or several samples in ``data``."""
    return layout(fft_input(config))


def output_layout(config: FFTConfig) -> data.StructLayout:
    """The payload of the output stream."""
    return layout(fft_output(config))


def raw_layout(config: FFTConfig) -> data.StructLayout:
    """The words of the pipeline with scaling ``"block"``, before they are normalised."""
    return layout(frame(complex_payload(Format(plan(config)[-1].output_width))))


def control_layout(config: FFTConfig) -> data.StructLayout:
    """What may differ from frame to frame: nothing if the configuration is fixed.

    Bit ``b`` of ``size`` tells that log2 N is greater than ``b``: the field is N - 1, and stage ``m`` works if bit
    ``m - 1`` is set.
    """
    if config.is_fixed:
        return data.StructLayout({})
    return data.StructLayout(
        {
            "size": config.log2_n_max,
            "two_d": 1,
            "inverse": 1,
            "halve": config.log2_n_max,
        }
    )


def is_square(control: Any, log2_t: int) -> Any:
    """Whether a frame is in two dimensions, ``2**log2_t`` points each."""
    size = control.size
    wider = size[2 * log2_t] if 2 * log2_t < len(size) else Const(0, 1)
    at_least = size[2 * log2_t - 1] if 2 * log2_t <= len(size) else Const(0, 1)
    return control.two_d & at_least & ~wider


def ports(config: FFTConfig) -> dict[str, Any]:
    """Signature members of both architectures."""
    choices = {
        "log2_n": In(range(config.log2_n_max + 1)),
        "two_d": In(1),
        "inverse": In(1),
        "halve": In(config.log2_n_max),
    }
    return {
        "i": In(stream.Signature(frame_layout(config))),
        "o": Out(stream.Signature(output_layout(config))),
        **({} if config.is_fixed else choices),
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
        High in a cycle in which an input transfer is taken.

    Attributes
    ----------
    first : Signal
        The next transfer is the first of a frame.
    held : Signal
        Control of the frame being taken, from the cycle after its first transfer.
    size : Value
        That of the frame to which the next transfer belongs.
    ending : Value
        That of the frame whose last transfer is the next, if any is.
    index : Signal
        Number of the next transfer in its frame.
    last : Signal
        The next transfer is the last of its frame, by count.
    """

    def __init__(self, m: Module, dut: Any, accept: Any) -> None:
        config: FFTConfig = dut.config
        shape = control_layout(config)
        log2_samples = config.samples_per_clock.bit_length() - 1
        self.first = Signal(init=1)
        self.held = Signal(shape)
        self.index = Signal(config.log2_n_max - log2_samples)
        self.last = Signal()
        self.size: Any = Const(config.n_max - 1, config.log2_n_max)
        if not config.is_fixed:
            size = Cat(dut.log2_n > bit for bit in range(config.log2_n_max))
            with m.If(accept & self.first):
                m.d.sync += self.held.size.eq(size)
                for name in ("two_d", "inverse", "halve"):
                    m.d.sync += self.held[name].eq(getattr(dut, name))
            self.size = Mux(self.first, size, self.held.size)
        self.ending = self.size
        if not log2_samples:
            # The first sample is never the last, so the held size is enough.
            if not config.is_fixed:
                self.ending = self.held.size
            m.d.comb += self.last.eq(~self.first & (self.index | ~self.ending).all())
        elif len(self.index):
            m.d.comb += self.last.eq((self.index | ~self.ending[log2_samples:]).all())
        else:
            m.d.comb += self.last.eq(1)
        m.d.sync += dut.framing_error.eq(accept & (dut.i.payload.last != self.last))
        with m.If(accept):
            m.d.sync += [
                self.first.eq(self.last),
                self.index.eq(Mux(self.last, 0, self.index + 1)),
            ]
