# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The transform with a threshold on the magnitude of its bins."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.delay import delayed
from spectramac.gateware.fft.chain import Chain
from spectramac.gateware.fft.control import ports
from spectramac.gateware.fft.device import Multiplier
from spectramac.gateware.stream import Queue, layout
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_streams import level_format, threshold_payload
from spectramac.spec.timing import THRESHOLD_LATENCY, fft_latency, pipeline_latency

__all__ = ["ThresholdFFT"]


class ThresholdFFT(wiring.Component):
    """Fast Fourier transform whose bins below a magnitude are zeroed.

    Of a frame, :class:`PipelinedFFT`'s bins ``X[k]`` with ``re² + im² >= level`` are kept, the others are zero.
    Squares, sum and ``level`` have all their bits: nothing is rounded, nothing can overflow. Each bin comes with its
    number and with whether it was kept.

    Streams, run-time control, rate and flags are those of :class:`StreamedFFT`; ``level`` is sampled with the first
    sample of a frame and travels with it. Latency is :data:`spectramac.spec.timing.THRESHOLD_LATENCY` more. Two
    multipliers besides the transform's.

    Parameters
    ----------
    config : :class:`FFTConfig`
        Of the transform.
    technology, small_roms_in_logic
        See :class:`StreamedFFT`.

    Members
    -------
    i : :py:`In(stream.Signature(frame(complex_payload(config.data))))`
        Samples in natural order.
    o : :py:`Out(stream.Signature(threshold_payload(config)))`
        Bins in the order of the configuration: ``data``, zero if not ``keep``; ``bin``, the number k (in two dimensions
        at run time ``k2*T + k1``, in fixed ones ``k1*C + k2``); ``last`` with the last of a frame.
    level : :py:`In(level_format(config).width)`
        Unsigned, in squared units of the last place of the output.
    log2_n, two_d, inverse, halve, overflow, framing_error
        See :class:`StreamedFFT`.

    References
    ----------
    :func:`spectramac.model.fft_threshold.keep_from` on the result of :func:`spectramac.model.fft.fft`.
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
            ports(config)
            | {
                "o": Out(stream.Signature(layout(threshold_payload(config)))),
                "level": In(level_format(config).width),
            }
        )

    def latency(self, log2_n: int) -> int:
        """Cycles from the first sample of a frame taken to its first bin offered."""
        return fft_latency(self.config, log2_n) + THRESHOLD_LATENCY

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        chain = Chain(m, self)
        core = chain.core
        offered = self.i.valid & chain.room
        chain.feed(m, offered, self.i.payload.data.re, self.i.payload.data.im)
        valid, result = core.o.valid, core.o.payload
        fresh = Signal(init=1)
        place = Signal(self.config.log2_n_max)
        with m.If(valid):
            m.d.sync += [fresh.eq(result.last), place.eq(Mux(result.last, 0, place + 1))]
        chosen = self._chosen(m, chain, valid & fresh)
        squares = []
        for name in ("re", "im"):
            part = result.data[name]
            square = Multiplier(len(part), len(part), technology=self.technology)
            m.submodules[f"square_{name}"] = square
            m.d.comb += [square.a.eq(part), square.b.eq(part)]
            squares.append(square.p.as_unsigned())
        # Behind the multipliers: sum; comparison; choice.
        total = Signal(len(self.level), reset_less=True)
        keep = Signal(reset_less=True)
        m.d.sync += [total.eq(squares[0] + squares[1]), keep.eq(total >= chosen.level)]
        before = THRESHOLD_LATENCY - 1
        re, im, then_place, last = (
            delayed(m, value, before, name)
            for name, value in (
                ("re", result.data.re),
                ("im", result.data.im),
                ("place", place),
                ("last", result.last),
            )
        )
        kept = Signal(layout(threshold_payload(self.config)), reset_less=True)
        m.d.sync += [
            kept.data.re.eq(Mux(keep, re, 0)),
            kept.data.im.eq(Mux(keep, im, 0)),
            kept.bin.eq(self._bin(m, then_place, chosen)),
            kept.keep.eq(keep),
            kept.last.eq(last),
        ]
        there = delayed(m, valid, THRESHOLD_LATENCY, "valid", reset=True)
        chain.finish(m, self, there, kept, latency=THRESHOLD_LATENCY)
        return m

    def _chosen(self, m: Module, chain: Chain, start: Any) -> Any:
        """Level (and size) of the frame whose sums are being compared.

        ``start``: its first bin leaves the transform.
        """
        fields: dict[str, Any] = {"level": len(self.level)}
        if not self.config.is_fixed:
            fields["log2_n"] = len(self.log2_n)
        shape = data.StructLayout(fields)
        # From the last sample of a frame on, other frames may start, no closer than their size.
        n_min = self.config.n_max if self.config.is_fixed else 1 << self.config.log2_n_range[0]
        during = pipeline_latency(self.config) + Multiplier.latency + 1
        m.submodules.waiting = waiting = Queue(shape, depth=1 << (during // n_min + 2).bit_length())
        fetch = delayed(m, start, Multiplier.latency, "fetch", reset=True)
        m.d.comb += [
            waiting.i.valid.eq(chain.accept & chain.control.first),
            *(waiting.i.payload[name].eq(getattr(self, name)) for name in fields),
            waiting.o.ready.eq(fetch),
        ]
        chosen = Signal(shape, reset_less=True)
        with m.If(fetch):
            m.d.sync += chosen.eq(waiting.o.payload)
        return chosen

    def _bin(self, m: Module, place: Any, chosen: Any) -> Any:
        """Number of the bin that is in that place of its frame."""
        if self.config.is_fixed:
            fields, start = [], 0
            for size in self.config.reversed_fields:
                fields.append(place[start : start + size][::-1])
                start += size
            return Cat(fields)
        log2_n = delayed(m, chosen.log2_n, 1, "log2_n")  # of the bin behind the comparison
        shift = (self.config.log2_n_max - log2_n)[: len(log2_n)]
        return place[::-1] >> shift
