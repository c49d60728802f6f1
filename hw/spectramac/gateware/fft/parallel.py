# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The transform as a pipeline of several samples a clock."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.fft.control import output_layout
from spectramac.gateware.fft.path_twiddle import ParallelTwiddle
from spectramac.gateware.fft.paths import CrossButterfly, PathButterfly, Words
from spectramac.gateware.fft.streamed import StreamedFFT
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import plan
from spectramac.spec.timing import pipeline_latency

__all__ = ["ParallelFFT", "ParallelPipeline"]


class ParallelPipeline(wiring.Component):
    """Forward transforms, words in natural order in, bit-reversed order out, no handshake.

    A frame may come with gaps; its results leave as early as they can. A frame that is shorter than its
    predecessor must wait for the difference of their numbers of words, in cycles.

    Parameters
    ----------
    config : :class:`FFTConfig`
    technology : str
        See :class:`spectramac.gateware.fft.device.BlockRAM`.
    small_roms_in_logic : bool
        See :class:`ParallelTwiddle`.

    Members
    -------
    i, o : :func:`Words`
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
                "i": In(Words(config, config.data_width, config.samples_per_clock)),
                "o": Out(Words(config, config.output.width, config.samples_per_clock)),
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
        n_paths = self.config.samples_per_clock
        for stage in plan(self.config):
            kind = PathButterfly if 1 << stage.m > n_paths else CrossButterfly
            butterfly = kind(self.config, stage, n_paths, technology=self.technology)
            m.submodules[f"butterfly{stage.m}"] = butterfly
            wiring.connect(m, source, butterfly.i)
            overflows.append(butterfly.overflow)
            source = butterfly.o
            if stage.product:
                twiddle = ParallelTwiddle(
                    self.config,
                    stage,
                    n_paths,
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
        # The last flags must be in time; the others are collected a cycle earlier.
        earlier = Signal()
        m.d.sync += [
            earlier.eq(Cat(overflows[:-1]).any()),
            self.overflow.eq(earlier | overflows[-1]),
        ]
        return m


class ParallelFFT(StreamedFFT):
    """Fast Fourier transform of streamed frames at 2, 4 or 8 samples a clock, radix-2² multi-path delay feedback.

    The same stages as in :class:`PipelinedFFT`. With P samples a clock, word ``t`` of a frame of N carries samples
    ``t*P`` to ``t*P + P - 1`` at the input (N/P words, natural order). At the output it carries the same positions of
    the bit-reversed order: ``x{k}`` of word ``t`` is bin ``reverse(t*P + k)``, log2 N bits reversed, that is
    ``reverse(k)*N/P + reverse(t)``, each with its own bits. The model's result with ``bit_reversed=True``, P values a
    word, is that order.

    Stages with blocks of more than P points are delay feedbacks in each of P paths, N - P samples of memory in all, as
    few as with any order; the others are butterflies between paths. With P = 8, eight points are one word, whose
    products are eighths of the circle and take no multiplier: an 8-point transform a clock without a multiplier. A pair
    of stages takes three multipliers for each path whose factors are not all eighths.

    Parameters and members are those of :class:`StreamedFFT`.

    References
    ----------
    M. Garrido, J. Grajal, M. A. Sánchez, O. Gustafsson, "Pipelined radix-2^k feedforward FFT architectures", IEEE
    Transactions on VLSI Systems 21(1), 2013, surveys parallel pipelines.
    """

    RATES = (2, 4, 8)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, n_paths = self.config, self.config.samples_per_clock
        m.submodules.pipeline = pipeline = ParallelPipeline(
            config,
            technology=self.technology,
            small_roms_in_logic=self.small_roms_in_logic,
        )
        accept, room, control = self._admit(m)
        # A register, for what ``accept`` drives and to wait for the control. Inverse: re and im are exchanged here and
        # at the end.
        inverse: Any = Const(0, 1)
        if not config.is_fixed:
            inverse = Mux(control.first, self.inverse, control.held.inverse)
            m.d.comb += pipeline.i.control.eq(control.held)
        m.d.sync += [pipeline.i.valid.eq(accept), pipeline.i.first.eq(control.first)]
        for k in range(n_paths):
            sample = self.i.payload.data[f"x{k}"]
            m.d.sync += [
                pipeline.i.re[k].eq(Mux(inverse, sample.im, sample.re)),
                pipeline.i.im[k].eq(Mux(inverse, sample.re, sample.im)),
            ]
        m.d.comb += self.overflow.eq(pipeline.overflow)

        result = Signal(output_layout(config))
        result_valid = Signal()
        last = self._last(m, pipeline.o)
        domain = m.d.comb if config.is_fixed else m.d.sync
        domain += [result_valid.eq(pipeline.o.valid), result.last.eq(last)]
        if not config.is_fixed:
            inverse = pipeline.o.control.inverse
        for k in range(n_paths):
            re, im = pipeline.o.re[k], pipeline.o.im[k]
            domain += [
                result.data[f"x{k}"].re.eq(Mux(inverse, im, re)),
                result.data[f"x{k}"].im.eq(Mux(inverse, re, im)),
            ]
        self._offer(m, pipeline, accept, room, result_valid, result)
        return m
