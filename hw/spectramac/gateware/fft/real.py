# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Transforms of real frames: two at once, or one of twice the length, by one complex transform."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.delay import delayed
from spectramac.gateware.fft.chain import Chain
from spectramac.gateware.fft.device import BlockRAM, Multiplier
from spectramac.gateware.fft.factors import packed_factors
from spectramac.gateware.fft.narrow import Narrow
from spectramac.gateware.fft.split import ConjugateSplit
from spectramac.gateware.stream import layout
from spectramac.model.fft import twiddle_table
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import Narrowing
from spectramac.spec.fft_real import (
    check_real,
    final_narrowing,
    pair_input,
    pair_output,
    parts_format,
    real_input,
    real_output,
)
from spectramac.spec.timing import (
    REAL_LATENCY,
    SPLIT_LATENCY,
    fft_real_latency,
    fft_real_pair_latency,
)

__all__ = ["RealButterfly", "RealFFT", "RealPairFFT"]


def _ports(i: Any, o: Any) -> dict[str, Any]:
    return {
        "i": In(stream.Signature(layout(i))),
        "o": Out(stream.Signature(layout(o))),
        "overflow": Out(1),
        "framing_error": Out(1),
    }


def _split(m: Module, dut: Any, chain: Chain, n_out: int) -> ConjugateSplit:
    """Behind the transform."""
    split = ConjugateSplit(dut.config, n_out, technology=dut.technology)
    m.submodules.split = split
    bins = chain.core.o
    m.d.comb += [
        split.valid.eq(bins.valid),
        split.last.eq(bins.payload.last),
        split.re.eq(bins.payload.data.re),
        split.im.eq(bins.payload.data.im),
    ]
    return split


class RealPairFFT(wiring.Component):
    """Spectra of two real frames of N samples from one complex transform.

    Gives, for k = 0 to N/2, ``2 X1[k]`` and ``2 X2[k]`` as scaled by the transform, exact in one bit more than its
    result: nothing is rounded behind it, and nothing can overflow. The other bins are the conjugates of these.

    Takes a sample of each frame a cycle without a gap between frames; N/2 + 1 results leave, one a cycle, once the
    transform is complete. Streams, room, ``overflow`` and ``framing_error`` are as of :class:`StreamedFFT`. All
    outputs depend on registers only.

    Parameters
    ----------
    config : :class:`FFTConfig`
        Of the complex transform, see :func:`spectramac.spec.fft_real.check_real`; its order does not matter.
    technology, small_roms_in_logic
        See :class:`StreamedFFT`.

    Members
    -------
    i : :py:`In(stream.Signature(pair_input(config)))`
        ``first`` and ``second``: sample n of each frame.
    o : :py:`Out(stream.Signature(pair_output(config)))`
        Bin k of each, doubled, in natural order; ``last`` with k = N/2.
    overflow, framing_error : :py:`Out(1)`

    References
    ----------
    :func:`spectramac.model.fft_real.fft_real_pair`
    """

    def __init__(
        self,
        config: FFTConfig,
        *,
        technology: str = "generic",
        small_roms_in_logic: bool = False,
    ) -> None:
        self.config = check_real(config)
        self.technology = technology
        self.small_roms_in_logic = small_roms_in_logic
        super().__init__(_ports(pair_input(config), pair_output(config)))

    @property
    def latency(self) -> int:
        """Cycles from the first sample of a frame taken to its first result offered."""
        return fft_real_pair_latency(self.config)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        n = self.config.n_max
        chain = Chain(m, self)
        chain.feed(m, chain.accept, self.i.payload.data.first, self.i.payload.data.second)
        split = _split(m, self, chain, n // 2 + 1)
        result = Signal(layout(pair_output(self.config)))
        m.d.comb += [
            result.data.first.re.eq(split.e_re),
            result.data.first.im.eq(split.e_im),
            result.data.second.re.eq(split.o_re),
            result.data.second.im.eq(split.o_im),
            result.last.eq(split.o_last),
        ]
        # Room for N/2 + 1 results is taken with as many samples.
        index = chain.control.index
        taken = chain.accept & (~index[-1] | ~index[:-1].any())
        chain.finish(
            m, self, split.o_valid, result, latency=n + SPLIT_LATENCY, taken=taken, ordered=True
        )
        return m


class RealButterfly(wiring.Component):
    """``E + exp(-πj k/N) O``, narrowed once: the bins of a real frame of 2N samples.

    With k = 0 comes ``(E + O) + j (E - O)``: bins 0 and N, which are real. Three multipliers: with ``k1 = c(a + b)``,
    ``k2 = a(c - s)``, ``k3 = b(c + s)`` the product of ``a + jb`` and ``c + js`` is ``(k1 - k3) + j(k1 - k2)``; for
    k = 0 it is that of ``O + jO`` and -j.

    Latency is :data:`spectramac.spec.timing.REAL_LATENCY`, one more where it clips; one bin a cycle.

    Parameters
    ----------
    config : :class:`FFTConfig`
        Of the complex transform of N points.
    technology, small_roms_in_logic
        See :class:`StreamedFFT`.

    Members
    -------
    valid, first : :py:`In(1)`
        E and O are there; of k = 0.
    e_re, e_im, o_re, o_im : :py:`In(signed(parts_format(config).width))`
    out_re, out_im : :py:`Out(signed(final_narrowing(config).width))`
    overflow : :py:`Out(1)`
        In the cycle after the one in which a clipped bin is at the output.
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
        part = In(signed(parts_format(config).width))
        out = Out(signed(final_narrowing(config).width))
        super().__init__(
            {
                "valid": In(1),
                "first": In(1),
                "e_re": part,
                "e_im": part,
                "o_re": part,
                "o_im": part,
                "out_re": out,
                "out_im": out,
                "overflow": Out(1),
            }
        )

    def _factors(self) -> list[int]:
        """Packed words ``c, c - s, c + s`` by k."""
        width = self.config.twiddle_width
        c, s = (
            part[: self.config.n_max].tolist()
            for part in twiddle_table(self.config.log2_n_max + 1, width)
        )
        c[0], s[0] = 0, -c[0]
        return packed_factors(zip(c, s, strict=True), width)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width, fraction = self.config.twiddle_width, self.config.twiddle.fraction
        part_width = parts_format(self.config).width
        words = self._factors()
        m.submodules.rom = rom = BlockRAM(
            3 * width,
            len(words),
            init=words,
            technology=self.technology,
            in_logic=self.small_roms_in_logic and len(words) <= 64,
        )
        k = Signal(rom.address_width)
        with m.If(self.valid):
            m.d.sync += k.eq(k + 1)
        m.d.comb += rom.read_address.eq(k)
        c, c_less_s, c_plus_s = (
            rom.read_data[j * width : (j + 1) * width].as_signed() for j in range(3)
        )
        # Cycle 0: operands. Cycle 1: sum of the parts. Cycle 2: into the multipliers, with the factors.
        a, b, e_re, e_im = (
            Signal(signed(part_width), name=name, reset_less=True)
            for name in ("a", "b", "e_re", "e_im")
        )
        m.d.sync += [
            a.eq(self.o_re),
            b.eq(Mux(self.first, self.o_re, self.o_im)),
            e_re.eq(self.e_re),
            e_im.eq(Mux(self.first, self.e_re, self.e_im)),
        ]
        # No bit more: |O| is at most twice full scale (and for k = 0 the sum is multiplied by 0).
        total = Signal(signed(part_width), reset_less=True)
        m.d.sync += total.eq(a + b)
        products = []
        for name, value, factor in (
            ("k1", total, c),
            ("k2", delayed(m, a, 1, "a"), c_less_s),
            ("k3", delayed(m, b, 1, "b"), c_plus_s),
        ):
            multiplier = Multiplier(len(value), width, technology=self.technology)
            m.submodules[name] = multiplier
            m.d.comb += [multiplier.a.eq(value), multiplier.b.eq(factor)]
            products.append(multiplier.p)
        k1, k2, k3 = products
        # Cycle 5: differences. Cycle 6: E added above the fraction, of which one bit tells whether anything is left.
        # Then rounded and, where due, clipped.
        exact = final_narrowing(self.config)
        assert exact.shift is not None
        narrowing = Narrowing(exact.shift - fraction + 1, exact.width, exact.saturates)
        m.submodules.narrow = narrow = Narrow(part_width + 2, narrowing)
        for name, other, part in (("re", k3, e_re), ("im", k2, e_im)):
            product = Signal(signed(part_width + fraction), name=f"product_{name}", reset_less=True)
            above = Signal(signed(part_width + 1), name=f"above_{name}", reset_less=True)
            left = Signal(name=f"left_{name}", reset_less=True)
            m.d.sync += [
                product.eq(k1 - other),
                above.eq(
                    delayed(m, part, Multiplier.latency + 2, f"e_{name}") + (product >> fraction)
                ),
                left.eq(product[:fraction].any()),
            ]
            m.d.comb += getattr(narrow, name).eq(Cat(left, above).as_signed())
        m.d.comb += [
            narrow.valid.eq(delayed(m, self.valid, REAL_LATENCY - 1, "valid", reset=True)),
            self.out_re.eq(narrow.out_re),
            self.out_im.eq(narrow.out_im),
            self.overflow.eq(narrow.overflow),
        ]
        return m


class RealFFT(wiring.Component):
    """Spectrum of a real frame of 2N samples from a complex transform of N points.

    Gives bins k = 0 to N - 1 in natural order; that of k = 0 has ``X[0]`` in ``re`` and ``X[N]`` in ``im``, which are
    both real. The other bins are the conjugates of these. ``X[k]/2N`` with scaling ``"halving"``, saturated; ``X[k]``
    with ``"growth"``, which cannot overflow. One narrowing behind the transform, half to even.

    Takes two samples a cycle without a gap between frames; N results leave, one a cycle, once the transform is
    complete. Streams, room, ``overflow`` and ``framing_error`` are as of :class:`StreamedFFT`. All outputs depend on
    registers only.

    Parameters
    ----------
    config : :class:`FFTConfig`
        Of the complex transform of N points, see :func:`spectramac.spec.fft_real.check_real`; its order does not
        matter.
    technology, small_roms_in_logic
        See :class:`StreamedFFT`.

    Members
    -------
    i : :py:`In(stream.Signature(real_input(config)))`
        ``even`` and ``odd``: samples 2n and 2n + 1.
    o : :py:`Out(stream.Signature(real_output(config)))`
        Bins; ``last`` with k = N - 1.
    overflow, framing_error : :py:`Out(1)`

    References
    ----------
    :func:`spectramac.model.fft_real.fft_real`
    """

    def __init__(
        self,
        config: FFTConfig,
        *,
        technology: str = "generic",
        small_roms_in_logic: bool = False,
    ) -> None:
        self.config = check_real(config)
        self.technology = technology
        self.small_roms_in_logic = small_roms_in_logic
        super().__init__(_ports(real_input(config), real_output(config)))

    @property
    def latency(self) -> int:
        """Cycles from the first samples of a frame taken to its first bin offered."""
        return fft_real_latency(self.config)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        n = self.config.n_max
        chain = Chain(m, self)
        chain.feed(m, chain.accept, self.i.payload.data.even, self.i.payload.data.odd)
        split = _split(m, self, chain, n)
        m.submodules.butterfly = butterfly = RealButterfly(
            self.config,
            technology=self.technology,
            small_roms_in_logic=self.small_roms_in_logic,
        )
        m.d.comb += [
            butterfly.valid.eq(split.o_valid),
            butterfly.first.eq(split.o_first),
            *(
                getattr(butterfly, name).eq(getattr(split, name))
                for name in ("e_re", "e_im", "o_re", "o_im")
            ),
        ]
        latency = REAL_LATENCY + final_narrowing(self.config).saturates
        result = Signal(layout(real_output(self.config)))
        m.d.comb += [
            result.data.re.eq(butterfly.out_re),
            result.data.im.eq(butterfly.out_im),
            result.last.eq(delayed(m, split.o_last, latency, "last")),
        ]
        chain.finish(
            m,
            self,
            delayed(m, split.o_valid, latency, "valid", reset=True),
            result,
            latency=n + SPLIT_LATENCY + latency,
            ordered=True,
            overflow=butterfly.overflow,
        )
        return m
