# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Components around blocks, for benches: controls beside the data, two blocks as one."""

from typing import Any

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from tests.cocotb.payloads import controlled_sample

from spectramac.gateware.fft import FFT
from spectramac.gateware.stream import connect, connect_pipeline, layout
from spectramac.gateware.threshold import Split, Threshold
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.payloads import bins, kept_columns
from spectramac.spec.stream import complex_payload, frame

__all__ = ["Columns", "ControlledFFT"]


class ControlledFFT(wiring.Component):
    """An FFT whose control inputs come with each sample."""

    def __init__(self, config: FFTConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(layout(controlled_sample(config)))),
                "o": Out(stream.Signature(layout(frame(complex_payload(config.data))))),
                "overflow": Out(1),
                "framing_error": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.fft = fft = FFT(self.config)
        payload = self.i.payload
        m.d.comb += [
            fft.i.payload.data.eq(payload.data),
            fft.i.payload.last.eq(payload.last),
            fft.i.valid.eq(self.i.valid),
            self.i.ready.eq(fft.i.ready),
            self.overflow.eq(fft.overflow),
            self.framing_error.eq(fft.framing_error),
        ]
        m.d.comb += [
            getattr(fft, name).eq(payload[name]) for name in ("log2_n", "two_d", "inverse", "halve")
        ]
        connect(m, fft.o, wiring.flipped(self.o))
        return m


class Columns(wiring.Component):
    """Split and threshold."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(layout(bins(config)))),
                "o": Out(stream.Signature(layout(kept_columns(config)))),
                "level": In(config.level_width),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.split = split = Split(self.config)
        m.submodules.threshold = threshold = Threshold(self.config)
        connect(m, wiring.flipped(self.i), split.i)
        connect_pipeline(m, split, threshold)
        connect(m, threshold.o, wiring.flipped(self.o))
        m.d.comb += threshold.level.eq(self.level)
        return m
