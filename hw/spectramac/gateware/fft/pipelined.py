# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The transform as a pipeline: one sample a clock."""

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.fft.butterfly import Butterfly, Samples
from spectramac.gateware.fft.control import output_layout, raw_layout
from spectramac.gateware.fft.sixteenths import SixteenthTwiddle
from spectramac.gateware.fft.streamed import StreamedFFT
from spectramac.gateware.fft.twiddle import Twiddle
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import plan
from spectramac.spec.timing import pipeline_latency

__all__ = ["FFTPipeline", "PipelinedFFT"]


class FFTPipeline(wiring.Component):
    """Transforms, samples in natural order in, bit-reversed order out, no handshake.

    The inverse rotates by j where the forward transform does by -j, and takes conjugate twiddle factors: what
    exchanging re and im before and after would give, bit for bit, since every narrowing treats both alike.

    A frame may come with gaps; its results leave as early as they can. A frame that is shorter than its
    predecessor must wait for the difference of their sizes, in cycles.

    Parameters
    ----------
    config : :class:`FFTConfig`
    technology : str
        See :class:`spectramac.gateware.fft.device.BlockRAM`.
    small_roms_in_logic : bool
        See :class:`Twiddle`.

    Members
    -------
    i, o : :func:`Samples`
    overflow : :py:`Out(1)`
    """

    def __init__(
        self,
        config: FFTConfig,
        *,
        technology: str = "generic",
        small_roms_in_logic: bool = False,
    ) -> None:
        self.config = config
        self.technology = technology
        self.small_roms_in_logic = small_roms_in_logic
        super().__init__(
            {
                "i": In(Samples(config, config.data_width)),
                "o": Out(Samples(config, plan(config)[-1].output_width)),
                "overflow": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles besides collecting the frame."""
        return pipeline_latency(self.config)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        overflows = []
        source: Any = wiring.flipped(self.i)
        for stage in plan(self.config):
            butterfly = Butterfly(self.config, stage, technology=self.technology)
            m.submodules[f"butterfly{stage.m}"] = butterfly
            wiring.connect(m, source, butterfly.i)
            overflows.append(butterfly.overflow)
            source = butterfly.o
            if stage.product:
                kind = SixteenthTwiddle if self.config.log2_axis_max else Twiddle
                twiddle = kind(
                    self.config,
                    stage,
                    lead=butterfly.lead,
                    technology=self.technology,
                    small_roms_in_logic=self.small_roms_in_logic,
                )
                m.submodules[f"twiddle{stage.m}"] = twiddle
                wiring.connect(m, butterfly.early, twiddle.early)
                wiring.connect(m, source, twiddle.i)
                overflows.append(twiddle.overflow)
                source = twiddle.o
        wiring.connect(m, source, wiring.flipped(self.o))
        m.d.sync += self.overflow.eq(Cat(overflows).any())
        return m


class PipelinedFFT(StreamedFFT):
    """Fast Fourier transform of streamed frames, radix-2² single-path delay feedback.

    One sample a clock. Frames leave in bit-reversed order or, with :attr:`FFTConfig.order`, natural. A pair of stages
    takes three multipliers, except the last pair.

    Parameters and members are those of :class:`StreamedFFT`.

    References
    ----------
    S. He, M. Torkelson, "A new approach to pipeline FFT processor", IPPS 1996.
    """

    RATES = (1,)

    def elaborate(self, platform: Any) -> Module:
        block = self.config.scaling == "block"
        if not self.queue and (self.config.order == "natural" or block):
            raise ValueError(
                "queue must be True with order 'natural' or scaling 'block', which are made there"
            )
        m = Module()
        m.submodules.pipeline = pipeline = FFTPipeline(
            self.config,
            technology=self.technology,
            small_roms_in_logic=self.small_roms_in_logic,
        )
        accept, room, control = self._admit(m)
        data = self.i.payload.data
        # A register waits for the control, where it is chosen.
        domain = m.d.comb if self.config.is_fixed else m.d.sync
        domain += [
            pipeline.i.valid.eq(accept),
            pipeline.i.first.eq(control.first),
            pipeline.i.re.eq(data.re),
            pipeline.i.im.eq(data.im),
        ]
        if not self.config.is_fixed:
            m.d.comb += pipeline.i.control.eq(control.held)
        m.d.comb += self.overflow.eq(pipeline.overflow)

        result = Signal(raw_layout(self.config) if block else output_layout(self.config))
        result_valid = Signal()
        last = self._last(m, pipeline.o)
        domain += [
            result_valid.eq(pipeline.o.valid),
            result.data.re.eq(pipeline.o.re),
            result.data.im.eq(pipeline.o.im),
            result.last.eq(last),
        ]
        self._offer(m, pipeline, accept, room, result_valid, result)
        return m
