# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What stands around the pipelines of one and of several samples a clock: ports, control, waiting, queue."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring

from spectramac.gateware.fft.control import FrameControl, ports
from spectramac.gateware.fft.output import OutputQueue
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.timing import fft_cycles_per_frame, fft_latency, reorder_delay

__all__ = ["StreamedFFT", "queue_size"]


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


class StreamedFFT(wiring.Component):
    """Base of :class:`PipelinedFFT` and :class:`ParallelFFT`: transforms of streamed frames.

    The transform, its scaling and rounding, and the two-dimensional variant are those of
    :func:`spectramac.model.fft.fft`, bit for bit. With P samples a clock, a frame of N points is N/P words. Frames
    come in natural order, at one word a cycle and without a gap between frames of the same size.

    ``log2_n``, ``two_d``, ``inverse`` and ``halve`` are sampled with the first word of a frame and travel
    with it; successive frames may differ in all of them. Frames of different direction, scaling or
    dimension follow each other without a gap. A frame that is shorter than its predecessor waits at the input for the
    difference of their numbers of words, in cycles; the results still leave without a gap. A frame comes out completely
    although no other follows. With a fixed configuration (:attr:`FFTConfig.is_fixed`) these inputs do not exist.

    Nothing stalls the pipeline itself. Words are taken as long as there is room for their results
    in a queue behind it, of block RAM, which holds more than the pipeline: a sink that pauses at random loses no
    cycle. ``i.ready``, ``o.valid`` and ``o.payload`` depend on registers only, ``i.ready`` before the first word
    of a frame also on ``log2_n``.

    Latency is :meth:`latency`, the same for all settings of one size; throughput is one word a cycle.

    Frames are counted; ``i.payload.last`` is only compared with the count. A word with the wrong
    ``last`` strobes ``framing_error`` in the next cycle and has no other effect.

    Parameters
    ----------
    config : :class:`FFTConfig`
        Word widths, scaling, largest size, and P, one of :attr:`RATES`; its architecture is ignored.
    queue : bool
        Without the queue, ``o.ready`` must always be high, and the latency is one less.
    technology : str
        See :class:`spectramac.gateware.fft.device.BlockRAM`.
    small_roms_in_logic : bool
        See :class:`Twiddle` and :class:`ParallelTwiddle`.

    Members
    -------
    i : :py:`In(stream.Signature(frame_layout(config)))`
        Samples in natural order (the inverse in two dimensions: index ``k2*T + k1``): ``data``, or with several
        ``data.x0``, ``data.x1``, …; ``last`` with the last word of a frame.
    o : :py:`Out(stream.Signature(output_layout(config)))`
        Bins, in the order of the configuration, likewise.
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
        later than one cycle after the frame's last word was first offered.
    framing_error : :py:`Out(1)`
        ``last`` was wrong.
    """

    RATES: tuple[int, ...] = (1, 2, 4, 8)
    """Samples a clock that a core can take."""

    def __init__(
        self,
        config: FFTConfig,
        *,
        queue: bool = True,
        technology: str = "generic",
        small_roms_in_logic: bool = False,
    ) -> None:
        if config.samples_per_clock not in self.RATES:
            *others, last = map(str, self.RATES)
            rates = f"{', '.join(others)} or {last}" if others else last
            raise ValueError(f"samples_per_clock must be {rates}, not {config.samples_per_clock!r}")
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

    @property
    def _log2_rate(self) -> int:
        return self.config.samples_per_clock.bit_length() - 1

    def _admit(self, m: Module) -> tuple[Any, Any, FrameControl]:
        """``accept``: a word is taken; ``room`` for its results, to be driven; control of its frame."""
        accept, room = Signal(), Signal(init=1)
        control = FrameControl(m, self, accept)
        m.d.comb += [
            accept.eq(self.i.valid & self.i.ready),
            self.i.ready.eq(room & self._may_start(m, control, accept)),
        ]
        return accept, room, control

    def _may_start(self, m: Module, control: FrameControl, accept: Any) -> Any:
        """Low while a frame must wait that is shorter than its predecessor.

        From the last word of a frame of W words on, its results leave for W - 1 more cycles. A frame of w
        words that starts W - w cycles later than it could comes right behind them.
        """
        if self.config.is_fixed:
            return Const(1, 1)
        size = control.ending
        left = Signal(self.config.log2_n_max - self._log2_rate)  # cycles in which results leave
        allowed = Signal(self.config.log2_n_max + 1, init=-1)  # bit b: a frame of 2**b points
        with m.If(accept & control.last):
            m.d.sync += [left.eq(size[self._log2_rate :]), allowed.eq(Cat(~size, 1))]
        with m.Elif(left.any()):
            m.d.sync += left.eq(left - 1)
            for bit in range(3, self.config.log2_n_max):
                with m.If(left == 1 << (bit - self._log2_rate)):
                    m.d.sync += allowed[bit].eq(1)
        return ~control.first | allowed.bit_select(self.log2_n, 1)

    def _last(self, m: Module, o: Any) -> Any:
        """High with the last word of a frame at the pipeline's ``o``, by count."""
        count = Signal(self.config.log2_n_max - self._log2_rate)
        last: Any = Const(1, 1)
        if len(count) and self.config.is_fixed:
            last = count.all()
        elif len(count):
            last = (count | ~o.control.size[self._log2_rate :]).all()
        with m.If(o.valid):
            m.d.sync += count.eq(Mux(last, 0, count + 1))
        return last

    def _offer(
        self, m: Module, pipeline: Any, accept: Any, room: Any, valid: Any, result: Any
    ) -> None:
        """Put the queue, if there is one, between ``result`` and ``o``."""
        if not self.queue:
            m.d.comb += [self.o.valid.eq(valid), self.o.payload.eq(result)]
            return
        depth, reverse = queue_size(self.config, pipeline.latency)
        m.submodules.queue = queue = OutputQueue(
            result.shape(),
            depth,
            reverse=reverse,
            block=self.config if self.config.scaling == "block" else None,
            technology=self.technology,
        )
        m.d.comb += [
            queue.i_valid.eq(valid),
            queue.i_payload.eq(result),
            queue.taken.eq(accept),
            room.eq(queue.room),
        ]
        wiring.connect(m, queue.o, wiring.flipped(self.o))
