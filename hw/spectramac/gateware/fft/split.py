# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Even and odd part of a spectrum: what makes real frames of a complex transform."""

from typing import Any

from amaranth import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.delay import delayed
from spectramac.gateware.fft.device import BlockRAM
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_real import check_real, parts_format
from spectramac.spec.timing import SPLIT_LATENCY

__all__ = ["ConjugateSplit"]


class ConjugateSplit(wiring.Component):
    """``E = Z[k] + conj Z[N-k]`` and ``O = -j (Z[k] - conj Z[N-k])`` for k = 0, 1, ...; exact.

    Takes the bins of a frame in bit-reversed order in successive cycles, frames no closer than N cycles, and gives E
    and O in natural order, one bin a cycle, from the last bin on. Two memories of two frames each hold the same, so
    that both bins of a pair are read at once while the next frame is written.

    Latency, from the last bin in to the first pair out, is :data:`spectramac.spec.timing.SPLIT_LATENCY`; nothing waits.

    Parameters
    ----------
    config : :class:`FFTConfig`
        Of the transform, fixed and in one dimension.
    n_out : int
        Bins 0 to ``n_out - 1`` are given; at most N.
    technology : str
        See :class:`BlockRAM`.

    Members
    -------
    valid, last : :py:`In(1)`
        A bin is there; it is the last of its frame.
    re, im : :py:`In(signed(config.output.width))`
    o_valid, o_first, o_last : :py:`Out(1)`
        E and O are there; of k = 0; of k = n_out - 1.
    e_re, e_im, o_re, o_im : :py:`Out(signed(parts_format(config).width))`

    References
    ----------
    :mod:`spectramac.model.fft_real`
    """

    def __init__(self, config: FFTConfig, n_out: int, *, technology: str = "generic") -> None:
        self.config = check_real(config)
        self.n_out = n_out
        self.technology = technology
        width = config.output.width
        part = Out(signed(parts_format(config).width))
        super().__init__(
            {
                "valid": In(1),
                "last": In(1),
                "re": In(signed(width)),
                "im": In(signed(width)),
                "o_valid": Out(1),
                "o_first": Out(1),
                "o_last": Out(1),
                "e_re": part,
                "e_im": part,
                "o_re": part,
                "o_im": part,
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        n_bits, width = self.config.log2_n_max, self.config.output.width
        place, half = Signal(n_bits), Signal()
        with m.If(self.valid):
            m.d.sync += place.eq(place + 1)
        start = self.valid & self.last
        # Frames are no closer than N cycles: all of one is read before the next has come.
        number, mirror = Signal(n_bits), Signal(n_bits)
        reading, read_half = Signal(), Signal()
        end = Signal()
        m.d.comb += end.eq(number == self.n_out - 1)
        with m.If(start):
            m.d.sync += [half.eq(~half), read_half.eq(half), reading.eq(1)]
            m.d.sync += [number.eq(0), mirror.eq(0)]
        with m.Elif(reading):
            m.d.sync += [number.eq(number + 1), mirror.eq(mirror - 1), reading.eq(~end)]
        words = []
        for name, address in (("near", number), ("far", mirror)):
            memory = BlockRAM(2 * width, 2 << n_bits, technology=self.technology)
            m.submodules[name] = memory
            m.d.comb += [
                memory.write_enable.eq(self.valid),
                memory.write_address.eq(Cat(place[::-1], half)),
                memory.write_data.eq(Cat(self.re, self.im)),
                memory.read_address.eq(Cat(address, read_half)),
            ]
            words.append(memory.read_data)
        (a_re, a_im), (b_re, b_im) = (
            (word[:width].as_signed(), word[width:].as_signed()) for word in words
        )
        m.d.sync += [
            self.e_re.eq(a_re + b_re),
            self.e_im.eq(a_im - b_im),
            self.o_re.eq(a_im + b_im),
            self.o_im.eq(b_re - a_re),
        ]
        after = SPLIT_LATENCY - 1
        m.d.comb += [
            self.o_valid.eq(delayed(m, reading, after, "reading", reset=True)),
            self.o_first.eq(delayed(m, number == 0, after, "first")),
            self.o_last.eq(delayed(m, end, after, "end")),
        ]
        return m
