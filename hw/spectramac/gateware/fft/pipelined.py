# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The transform as a pipeline: one sample a clock."""

from itertools import pairwise
from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring

from spectramac.gateware.fft.control import FrameControl, ports
from spectramac.gateware.fft.sdf import ButterflyStage, TwiddleStage
from spectramac.gateware.stream import connect, connect_pipeline
from spectramac.model.fft import has_twiddle
from spectramac.spec.config import FFTConfig
from spectramac.spec.timing import fft_cycles_per_frame, fft_latency

__all__ = ["PipelinedFFT"]


class PipelinedFFT(wiring.Component):
    """Fast Fourier transform of streamed frames, radix-2² single-path delay feedback.

    The transform, its scaling and rounding, and the two-dimensional variant are those of
    :func:`spectramac.model.fft.fft`, bit for bit. Frames come in natural order and leave in bit-reversed
    order, at one sample a cycle and without a gap between frames of the same size.

    ``log2_n``, ``two_d``, ``inverse`` and ``halve`` are sampled with the first sample of a frame and travel
    with it; successive frames may differ in all of them. Frames of different direction, scaling or
    dimension follow each other without a gap; a frame of another *size* waits at each stage until its
    predecessor has left the stage. A frame comes out completely although no other follows.

    Latency is :meth:`latency`, the same for all settings of one size; throughput is one sample a cycle.
    ``i.ready`` does not depend combinationally on ``o.ready``. A pair of stages takes three multipliers,
    except the last pair.

    Frames are counted; ``i.payload.last`` is only compared with the count. A sample with the wrong
    ``last`` strobes ``framing_error`` in the next cycle and has no other effect.

    Parameters
    ----------
    config : :class:`FFTConfig`
        Word widths and largest size; its architecture is ignored.

    Members
    -------
    i : :py:`In(stream.Signature(frame(complex_payload(config.data))))`
        Samples in natural order (the inverse in two dimensions: index ``k2*T + k1``).
    o : :py:`Out(stream.Signature(frame(complex_payload(config.data))))`
        Bins in bit-reversed order; ``last`` with the last of a frame.
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

    def __init__(self, config: FFTConfig) -> None:
        self.config = config
        super().__init__(ports(config))

    def latency(self, log2_n: int) -> int:
        """Cycles from the first sample of a frame taken to its first result offered."""
        return fft_latency(self.config, log2_n)

    def cycles_per_frame(self, log2_n: int) -> int:
        """Cycles between the starts of successive frames of one size."""
        return fft_cycles_per_frame(self.config, log2_n)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        stages: list[Any] = []
        for log2_block in range(self.config.log2_n_max, 0, -1):
            m.submodules[f"butterfly{log2_block}"] = butterfly = ButterflyStage(
                self.config, log2_block
            )
            stages.append(butterfly)
            if has_twiddle(log2_block):
                m.submodules[f"twiddle{log2_block}"] = twiddle = TwiddleStage(
                    self.config, log2_block
                )
                stages.append(twiddle)
        connect_pipeline(m, *stages)
        for a, b in pairwise(stages):
            m.d.comb += b.i_control.eq(a.o_control)
        head, tail = stages[0], stages[-1]
        accept = Signal()
        control = FrameControl(m, self, accept)
        x, inverse = self.i.payload.data, control.now.inverse
        m.d.comb += [
            accept.eq(self.i.valid & self.i.ready),
            self.i.ready.eq(head.i.ready),
            head.i.valid.eq(self.i.valid),
            head.i.payload.data.re.eq(Mux(inverse, x.im, x.re)),
            head.i.payload.data.im.eq(Mux(inverse, x.re, x.im)),
            head.i.payload.last.eq(control.last),
            head.i_control.eq(control.now),
        ]
        connect(m, tail.o, wiring.flipped(self.o), ("PipelinedFFT.tail", "PipelinedFFT.o"))
        m.d.sync += self.overflow.eq(Cat(stage.overflow for stage in stages).any())
        return m
