# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The transform as a pipeline: one sample a clock."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.fft.butterfly import Butterfly, Samples
from spectramac.gateware.fft.control import FrameControl, output_layout, ports, raw_layout
from spectramac.gateware.fft.output import OutputQueue
from spectramac.gateware.fft.twiddle import Twiddle
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import plan
from spectramac.spec.timing import (
    fft_cycles_per_frame,
    fft_latency,
    pipeline_latency,
    reorder_delay,
)

__all__ = ["FFTPipeline", "PipelinedFFT", "queue_size"]


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
                twiddle = Twiddle(
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


def queue_size(config: FFTConfig, latency: int) -> tuple[int, tuple[int, ...]]:
    """``depth`` and ``reverse`` of an :class:`OutputQueue` behind a pipeline.

    Its latency is besides collecting a frame.
    """
    fields = config.reversed_fields if config.order == "natural" else ()
    words = config.n_max // config.samples_per_clock + latency + 8 + reorder_delay(*fields)
    if config.scaling == "block":
        # A frame comes in while the one before waits for its exponent or leaves.
        words = 2 * config.n_max + latency + 16
    whole = fields or config.scaling == "block"
    return max(1 << words.bit_length(), 4 * config.n_max if whole else 0), fields


class PipelinedFFT(wiring.Component):
    """Fast Fourier transform of streamed frames, radix-2² single-path delay feedback.

    The transform, its scaling and rounding, and the two-dimensional variant are those of
    :func:`spectramac.model.fft.fft`, bit for bit. Frames come in natural order and leave in bit-reversed
    order (or, with :attr:`FFTConfig.order`, natural), at one sample a cycle and without a gap between frames of the
    same size.

    ``log2_n``, ``two_d``, ``inverse`` and ``halve`` are sampled with the first sample of a frame and travel
    with it; successive frames may differ in all of them. Frames of different direction, scaling or
    dimension follow each other without a gap. A frame that is shorter than its predecessor waits at the input for the
    difference of their sizes, in cycles; the results still leave without a gap. A frame comes out completely although
    no other follows. With a fixed configuration (:attr:`FFTConfig.is_fixed`) these inputs do not exist.

    Nothing stalls the pipeline itself. Samples are taken as long as there is room for their results
    in a queue behind it, of block RAM, which holds more than the pipeline: a sink that pauses at random loses no
    cycle. ``i.ready``, ``o.valid`` and ``o.payload`` depend on registers only, ``i.ready`` before the first sample
    of a frame also on ``log2_n``.

    Latency is :meth:`latency`, the same for all settings of one size; throughput is one sample a cycle. A pair of
    stages takes three multipliers, except the last pair.

    Frames are counted; ``i.payload.last`` is only compared with the count. A sample with the wrong
    ``last`` strobes ``framing_error`` in the next cycle and has no other effect.

    Parameters
    ----------
    config : :class:`FFTConfig`
        Word widths, scaling and largest size; its architecture is ignored.
    queue : bool
        Without the queue, ``o.ready`` must always be high, and the latency is one less.
    technology : str
        See :class:`spectramac.gateware.fft.device.BlockRAM`.
    small_roms_in_logic : bool
        See :class:`Twiddle`.

    Members
    -------
    i : :py:`In(stream.Signature(frame(complex_payload(config.data))))`
        Samples in natural order (the inverse in two dimensions: index ``k2*T + k1``).
    o : :py:`Out(stream.Signature(frame(complex_payload(config.output))))`
        Bins, in the order of the configuration; ``last`` with the last of a frame.
    log2_n : :py:`In(range(config.log2_n_max + 1))`
        Size, from 3 to ``config.log2_n_max``; other values are not allowed.
    two_d : :py:`In(1)`
        Two dimensions; only with an even ``log2_n``.
    inverse : :py:`In(1)`
        Inverse transform.
    halve : :py:`In(config.log2_n_max)`
        Bit ``m - 1`` halves the stage with blocks of ``2**m``; bits from ``log2_n`` up are ignored.
    overflow : :py:`Out(1)`
        A value was saturated. High at least once during a frame if and only if the model flags it, not
        later than one cycle after the frame's last sample was first offered.
    framing_error : :py:`Out(1)`
        ``last`` was wrong.

    References
    ----------
    S. He, M. Torkelson, "A new approach to pipeline FFT processor", IPPS 1996.
    """

    def __init__(
        self,
        config: FFTConfig,
        *,
        queue: bool = True,
        technology: str = "generic",
        small_roms_in_logic: bool = False,
    ) -> None:
        if config.samples_per_clock != 1:
            raise ValueError(f"samples_per_clock must be 1, not {config.samples_per_clock!r}")
        self.small_roms_in_logic = small_roms_in_logic
        self.config = config
        self.queue = queue
        self.technology = technology
        super().__init__(ports(config))

    def latency(self, log2_n: int) -> int:
        """Cycles from the first sample of a frame taken to its first result offered."""
        return fft_latency(self.config, log2_n, queue=self.queue)

    def cycles_per_frame(self, log2_n: int) -> int:
        """Cycles between the starts of successive frames of one size."""
        return fft_cycles_per_frame(self.config, log2_n)

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
        accept, room = Signal(), Signal(init=1)
        control = FrameControl(m, self, accept)
        m.d.comb += [
            accept.eq(self.i.valid & self.i.ready),
            self.i.ready.eq(room & self._may_start(m, control, accept)),
        ]
        data = self.i.payload.data
        if self.config.is_fixed:
            m.d.comb += [
                pipeline.i.valid.eq(accept),
                pipeline.i.first.eq(control.first),
                pipeline.i.re.eq(data.re),
                pipeline.i.im.eq(data.im),
            ]
        else:
            # The register waits for the control.
            m.d.sync += [
                pipeline.i.valid.eq(accept),
                pipeline.i.first.eq(control.first),
                pipeline.i.re.eq(data.re),
                pipeline.i.im.eq(data.im),
            ]
            m.d.comb += pipeline.i.control.eq(control.held)
        m.d.comb += self.overflow.eq(pipeline.overflow)

        result = Signal(raw_layout(self.config) if block else output_layout(self.config))
        valid, result_valid = pipeline.o.valid, Signal()
        count = Signal(self.config.log2_n_max)
        final: Any = count.all()
        if not self.config.is_fixed:
            final = (count | ~pipeline.o.control.size).all()
        with m.If(valid):
            m.d.sync += count.eq(Mux(final, 0, count + 1))
        domain = m.d.comb if self.config.is_fixed else m.d.sync
        domain += [
            result_valid.eq(valid),
            result.data.re.eq(pipeline.o.re),
            result.data.im.eq(pipeline.o.im),
            result.last.eq(final),
        ]
        if not self.queue:
            m.d.comb += [self.o.valid.eq(result_valid), self.o.payload.eq(result)]
            return m
        depth, reverse = queue_size(self.config, pipeline.latency)
        m.submodules.queue = queue = OutputQueue(
            result.shape(),
            depth,
            reverse=reverse,
            block=self.config if block else None,
            technology=self.technology,
        )
        m.d.comb += [
            queue.i_valid.eq(result_valid),
            queue.i_payload.eq(result),
            queue.taken.eq(accept),
            room.eq(queue.room),
        ]
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        return m

    def _may_start(self, m: Module, control: FrameControl, accept: Any) -> Any:
        """Low while a frame must wait that is shorter than its predecessor.

        From the last sample of a frame of N points on, its results leave for N - 1 more cycles. A frame of n
        points that starts N - n cycles later than it could comes right behind them.
        """
        if self.config.is_fixed:
            return Const(1, 1)
        left = Signal(self.config.log2_n_max)  # cycles in which the predecessor's results leave
        allowed = Signal(self.config.log2_n_max + 1, init=-1)  # bit b: a frame of 2**b points
        with m.If(accept & control.last):
            m.d.sync += [left.eq(control.held.size), allowed.eq(Cat(~control.held.size, 1))]
        with m.Elif(left.any()):
            m.d.sync += left.eq(left - 1)
            for bit in range(3, self.config.log2_n_max):
                with m.If(left == 1 << bit):
                    m.d.sync += allowed[bit].eq(1)
        return ~control.first | allowed.bit_select(self.log2_n, 1)
