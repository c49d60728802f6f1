# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The transform as a pipeline of several samples a clock."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.fft.control import FrameControl, output_layout, ports
from spectramac.gateware.fft.output import OutputQueue
from spectramac.gateware.fft.path_twiddle import ParallelTwiddle
from spectramac.gateware.fft.paths import CrossButterfly, PathButterfly, Words
from spectramac.gateware.fft.pipelined import queue_size
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import plan
from spectramac.spec.timing import fft_cycles_per_frame, fft_latency, pipeline_latency

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


class ParallelFFT(wiring.Component):
    """Fast Fourier transform of streamed frames at 2, 4 or 8 samples a clock, radix-2² multi-path delay feedback.

    The transform, its scaling and rounding, and the two-dimensional variant chosen at run time are those of
    :func:`spectramac.model.fft.fft`, bit for bit: the same stages as in :class:`PipelinedFFT`. With P samples
    a clock, word ``t`` of a frame of N carries samples ``t*P`` to ``t*P + P - 1`` at the input (N/P words,
    natural order). At the output it carries the same positions of the bit-reversed order: ``x{k}`` of word ``t`` is bin
    ``reverse(t*P + k)``, log2 N bits reversed, that is ``reverse(k)*N/P + reverse(t)``, each with its own bits. The
    model's result with ``bit_reversed=True``, P values a word, is that order.

    Stages with blocks of more than P points are delay feedbacks in each of P paths, N - P samples of memory in all, as
    few as with any order; the others are butterflies between paths. With P = 8, eight points are one word, whose
    products are eighths of the circle and take no multiplier: an 8-point transform a clock without a multiplier. A pair
    of stages takes three multipliers for each path whose factors are not all eighths.

    ``log2_n``, ``two_d``, ``inverse`` and ``halve`` are sampled with the first word of a frame and travel with it;
    successive frames may differ in all of them, as in :class:`PipelinedFFT`: a frame that is shorter than its
    predecessor waits for the difference of their numbers of words, nothing else costs a cycle. A frame comes out
    completely although no other follows. With a fixed configuration these inputs do not exist.

    Nothing stalls the pipeline itself. Words are taken as long as there is room for their results in a queue of block
    RAM behind it. ``i.ready``, ``o.valid`` and ``o.payload`` depend on registers only, ``i.ready`` before the first
    word of a frame also on ``log2_n``.

    Latency is :meth:`latency`; throughput is one word a cycle.

    Frames are counted; ``i.payload.last`` is only compared with the count. A word with the wrong
    ``last`` strobes ``framing_error`` in the next cycle and has no other effect.

    Parameters
    ----------
    config : :class:`FFTConfig`
        Word widths, scaling, largest size, and P from 2 up.
    queue : bool
        Without the queue, ``o.ready`` must always be high, and the latency is one less.
    technology : str
        See :class:`spectramac.gateware.fft.device.BlockRAM`.
    small_roms_in_logic : bool
        See :class:`ParallelTwiddle`.

    Members
    -------
    i : :py:`In(stream.Signature(layout(sample_frame(config.data, P))))`
        Samples ``data.x0``, ``data.x1``, …; ``last`` with the last word of a frame.
    o : :py:`Out(stream.Signature(layout(sample_frame(config.output, P))))`
        Bins, likewise.
    log2_n, two_d, inverse, halve : :py:`In`
        See :class:`PipelinedFFT`.
    overflow : :py:`Out(1)`
        A value was saturated. High at least once during a frame if and only if the model flags it, not
        later than one cycle after the frame's last word was first offered.
    framing_error : :py:`Out(1)`
        ``last`` was wrong.

    References
    ----------
    M. Garrido, J. Grajal, M. A. Sánchez, O. Gustafsson, "Pipelined radix-2^k feedforward FFT architectures", IEEE
    Transactions on VLSI Systems 21(1), 2013, surveys parallel pipelines.
    """

    def __init__(
        self,
        config: FFTConfig,
        *,
        queue: bool = True,
        technology: str = "generic",
        small_roms_in_logic: bool = False,
    ) -> None:
        if config.samples_per_clock < 2:
            raise ValueError(
                f"samples_per_clock must be 2, 4 or 8, not {config.samples_per_clock!r}"
            )
        self.config = config
        self.queue = queue
        self.technology = technology
        self.small_roms_in_logic = small_roms_in_logic
        super().__init__(ports(config))

    def latency(self, log2_n: int) -> int:
        """Cycles from the first word of a frame taken to its first result offered."""
        return fft_latency(self.config, log2_n, queue=self.queue)

    def cycles_per_frame(self, log2_n: int) -> int:
        """Cycles between the starts of successive frames of one size."""
        return fft_cycles_per_frame(self.config, log2_n)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, n_paths = self.config, self.config.samples_per_clock
        log2_paths = n_paths.bit_length() - 1
        m.submodules.pipeline = pipeline = ParallelPipeline(
            config,
            technology=self.technology,
            small_roms_in_logic=self.small_roms_in_logic,
        )
        accept, room = Signal(), Signal(init=1)
        control = FrameControl(m, self, accept)
        m.d.comb += [
            accept.eq(self.i.valid & self.i.ready),
            self.i.ready.eq(room & self._may_start(m, control, accept)),
        ]
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
        count = Signal(config.log2_n_max - log2_paths)
        size: Any = Const(config.n_max - 1, config.log2_n_max)
        if not config.is_fixed:
            inverse = pipeline.o.control.inverse
            size = pipeline.o.control.size
        final = (count | ~size[log2_paths:]).all() if len(count) else Const(1, 1)
        with m.If(pipeline.o.valid):
            m.d.sync += count.eq(Mux(final, 0, count + 1))
        domain = m.d.comb if config.is_fixed else m.d.sync
        domain += [result_valid.eq(pipeline.o.valid), result.last.eq(final)]
        for k in range(n_paths):
            re, im = pipeline.o.re[k], pipeline.o.im[k]
            domain += [
                result.data[f"x{k}"].re.eq(Mux(inverse, im, re)),
                result.data[f"x{k}"].im.eq(Mux(inverse, re, im)),
            ]
        if not self.queue:
            m.d.comb += [self.o.valid.eq(result_valid), self.o.payload.eq(result)]
            return m
        depth, _ = queue_size(config, pipeline.latency)
        m.submodules.queue = queue = OutputQueue(result.shape(), depth, technology=self.technology)
        m.d.comb += [
            queue.i_valid.eq(result_valid),
            queue.i_payload.eq(result),
            queue.taken.eq(accept),
            room.eq(queue.room),
        ]
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        return m

    def _may_start(self, m: Module, control: FrameControl, accept: Any) -> Any:
        """Low while a frame must wait that is shorter than its predecessor; see :class:`PipelinedFFT`."""
        if self.config.is_fixed:
            return Const(1, 1)
        log2_paths = self.config.samples_per_clock.bit_length() - 1
        size = control.size
        left = Signal(self.config.log2_n_max - log2_paths)  # cycles in which results leave
        allowed = Signal(self.config.log2_n_max + 1, init=-1)  # bit b: a frame of 2**b points
        with m.If(accept & control.last):
            m.d.sync += [left.eq(size[log2_paths:]), allowed.eq(Cat(~size, 1))]
        with m.Elif(left.any()):
            m.d.sync += left.eq(left - 1)
            for bit in range(3, self.config.log2_n_max):
                with m.If(left == 1 << (bit - log2_paths)):
                    m.d.sync += allowed[bit].eq(1)
        return ~control.first | allowed.bit_select(self.log2_n, 1)
