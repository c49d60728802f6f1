# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Reads a layer's inputs from activation memory as complex samples."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.memory import ReadPort
from spectramac.gateware.stream import layout
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import sample

__all__ = ["Gather"]


class Gather(wiring.Component):
    """Stream one inference pair's inputs, zero-padded to whole blocks.

    After ``start``, sends ``padded_in`` samples: ``re`` is the first inference's activation, ``im`` the second's,
    sign-extended; zero from sample ``n_in`` on. ``last`` marks the end of each frame of ``2**log2_n``
    samples (``log2_n`` = 0: every sample).

    The first sample is valid 2 cycles after ``start``; one sample a cycle. Stalls hold the memory's output register.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`

    Members
    -------
    start : :py:`In(1)`
        Begin; the other inputs must be stable while ``busy``. Ignored never: raise it only when not ``busy``.
    base : :py:`In(16)`
        Activation address of the first input.
    n_in, padded_in : :py:`In(config.size_width)`
    log2_n : :py:`In(4)`
    busy : :py:`Out(1)`
        Samples remain to be read.
    memory : :py:`Out(ReadPort)`
        Activation memory.
    o : :py:`Out(stream.Signature(sample(config)))`
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        address_width = (config.activation_depth - 1).bit_length()
        super().__init__(
            {
                "start": In(1),
                "base": In(16),
                "n_in": In(config.size_width),
                "padded_in": In(config.size_width),
                "log2_n": In(4),
                "busy": Out(1),
                "memory": Out(ReadPort(address_width, 2 * config.activation_width)),
                "o": Out(stream.Signature(layout(sample(config)))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = self.config.activation_width
        active = Signal()
        count = Signal(self.config.size_width)
        address = Signal(len(self.memory.address))
        in_frame = Signal(self.config.log2_n_max)
        frame_mask = Signal(self.config.log2_n_max)
        last_count = Signal(self.config.size_width)
        padding = Signal()
        advance = Signal()
        frame_end = Signal()
        m.d.sync += [
            frame_mask.eq((1 << self.log2_n) - 1),
            last_count.eq(self.padded_in - 1),
        ]
        m.d.comb += [
            frame_end.eq(in_frame == frame_mask),
            advance.eq(~self.o.valid | self.o.ready),
            self.busy.eq(active),
            self.memory.address.eq(address),
            self.memory.enable.eq(advance),
        ]
        with m.If(advance):
            m.d.sync += [
                self.o.valid.eq(active),
                padding.eq(count >= self.n_in),
                self.o.payload.last.eq(frame_end),
            ]
            with m.If(active):
                m.d.sync += [
                    count.eq(count + 1),
                    address.eq(address + 1),
                    in_frame.eq(Mux(frame_end, 0, in_frame + 1)),
                ]
                with m.If(count == last_count):
                    m.d.sync += active.eq(0)
        with m.If(self.start):
            m.d.sync += [active.eq(1), count.eq(0), in_frame.eq(0), address.eq(self.base)]
        data = self.memory.data
        with m.If(~padding):
            m.d.comb += [
                self.o.payload.data.re.eq(data[:width].as_signed()),
                self.o.payload.data.im.eq(data[width:].as_signed()),
            ]
        return m
