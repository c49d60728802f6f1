# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The twiddle product of the pipelined transform: three multipliers, their factors from block RAM."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.delay import delayed
from spectramac.gateware.fft.block import SampleShift
from spectramac.gateware.fft.butterfly import Announcement, Samples
from spectramac.gateware.fft.control import is_square
from spectramac.gateware.fft.device import BlockRAM, Multiplier
from spectramac.gateware.fft.factors import packed_factors
from spectramac.gateware.fft.narrow import round_or_clip
from spectramac.gateware.fixed import saturate
from spectramac.model.fft import twiddle_index, twiddle_table
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import StagePlan
from spectramac.spec.timing import twiddle_latency

__all__ = ["Twiddle"]


class Twiddle(wiring.Component):
    """Multiplication by the twiddle factors of the pair of stages that ends with stage ``m``.

    Sample ``n`` of a frame is multiplied by ``exp(-2πj e / 2**(m + 1))`` with ``e = p·i + 2·r·i``:
    i is the low ``m - 1`` bits of n, r and p the two bits above; the transform in two dimensions
    clears low bits of i. Where differences are negative (:attr:`StagePlan.negates`), so are the factors of r = 1.
    A frame shorter than the block has e = 0 and passes unchanged. The inverse has -e.

    With ``k1 = c(a + b)``, ``k2 = a(c - s)`` and ``k3 = b(c + s)``, the product is ``(k1 - k3) + j(k1 - k2)``. A tie in
    its narrowing is recognised before the subtractions, where the low bits of the products are half a unit apart.
    Where samples are shifted before their product (:attr:`StagePlan.shifts`), the differences are shifted back.

    Latency is :func:`spectramac.spec.timing.twiddle_latency`, one sample a cycle, nothing waits.

    Parameters
    ----------
    config : :class:`FFTConfig`
    stage : StagePlan
        With a product.
    lead : int
        Cycles from ``early`` to the sample at ``i``, at least 1.
    technology : str
        See :class:`BlockRAM`.
    small_roms_in_logic : bool
        Factors are made of logic cells if there are no more than 64.

    Members
    -------
    early : :func:`Announcement`
    i, o : :func:`Samples`
    overflow : :py:`Out(1)`
    """

    def __init__(
        self,
        config: FFTConfig,
        stage: StagePlan,
        *,
        lead: int,
        technology: str = "generic",
        small_roms_in_logic: bool = False,
    ) -> None:
        if stage.product is None:
            raise ValueError(f"stage must have a product, not {stage!r}")
        self.config = config
        self.stage = stage
        self.product = stage.product
        self.lead = lead
        self.technology = technology
        self.small_roms_in_logic = small_roms_in_logic
        super().__init__(
            {
                "early": In(Announcement(config)),
                "i": In(Samples(config, stage.butterfly_width)),
                "o": Out(Samples(config, stage.product.width)),
                "overflow": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from ``i`` to ``o``."""
        return twiddle_latency(self.stage)

    @property
    def _top(self) -> bool:
        """Whether the pair has no first stage, so that p is always 0."""
        return self.stage.m == self.config.log2_n_max

    @property
    def _inverse_in_rom(self) -> bool:
        """Whether the factors of the inverse have words of their own: where that costs no more block RAM."""
        n_words = 4 << (self.stage.m - 1)
        return not self._in_logic and 2 * n_words <= 512

    @property
    def _in_logic(self) -> bool:
        return self.small_roms_in_logic and self._n_factors <= 64

    @property
    def _n_factors(self) -> int:
        """Words of one direction."""
        number = self.stage.m
        return (2 << number) >> self._top if self.config.is_fixed else 3 << (number - 1)

    @property
    def _exact_width(self) -> int:
        """Bits of a difference of products before narrowing; higher bits of the products do not matter."""
        if self.stage.shifts[-1]:
            # |a + jb| < √2 · 2**(factor_width - 1).
            return self.stage.factor_width + self.config.twiddle.fraction
        assert self.product.shift is not None
        return self.product.shift + self.product.width + self.product.saturates

    def _rom(self) -> list[int]:
        """Packed words ``c, c - s, c + s``: by e, or by the number of the sample if the size is fixed."""
        number, width = self.stage.m, self.config.twiddle_width
        table = twiddle_table(number + 1, width)
        words = packed_factors(zip(*(part.tolist() for part in table), strict=True), width)
        if not self.config.is_fixed:
            n = self._n_factors
            inverse = [words[-e] for e in range(n)] if self._inverse_in_rom else []
            return words[: len(words) if inverse else n] + inverse
        opposite = [words[k ^ (1 << number)] for k in range(len(words))]
        config = self.config
        indices = twiddle_index(
            number, config.log2_n_max, config.log2_columns > 0, config.log2_columns or None
        )[: 1 << (number + (not self._top))].tolist()
        return [
            (opposite if self.stage.negates and n >> (number - 1) & 1 else words)[e]
            for n, e in enumerate(indices)
        ]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        re, im, before = self.i.re, self.i.im, 0
        choice: Any = None
        if self.stage.shifts[-1]:
            m.submodules.shift = shift = SampleShift(self.stage)
            m.d.comb += [shift.re.eq(re), shift.im.eq(im)]
            re, im, before = shift.out_re, shift.out_im, shift.latency
            # Needed with the differences.
            choice = delayed(m, shift.choice, shift.choice_lead + 2 + Multiplier.latency, "choice")
        k1, k2, k3 = self._products(m, self._operands(m, re, im), before)
        # Cycle 4: differences. Then, where due: shifted back. Cycle 5: rounded. Cycle 6, where due: clipped.
        flags = []
        for name, other in (("re", k3), ("im", k2)):
            if choice is None:
                flags.append(self._narrowed(m, name, k1, other))
            else:
                self._shifted_back(m, name, k1, other, choice)
        if self.product.saturates:
            valid = delayed(m, self.i.valid, self.latency - 1, "valid_clip", reset=True)
            flag = Signal()
            m.d.sync += [flag.eq(valid & Cat(flags).any()), self.overflow.eq(flag)]
        m.d.comb += [
            self.o.valid.eq(delayed(m, self.i.valid, self.latency, "valid", reset=True)),
            self.o.first.eq(delayed(m, self.i.first, self.latency, "first", reset=True)),
        ]
        if not self.config.is_fixed:
            with m.If(delayed(m, self.i.first, self.latency - 1, "firsts", reset=True)):
                m.d.sync += self.o.control.eq(self.i.control)
        return m

    def _operands(self, m: Module, re: Any, im: Any) -> tuple[Any, Any, Any]:
        """a + b, clipped, and a and b. Cycle 0 (behind the shift): the sum. Cycle 1: clipped, into the multipliers."""
        a, b = delayed(m, re, 1, "a"), delayed(m, im, 1, "b")
        total = Signal(signed(self.stage.factor_width + 1), reset_less=True)
        m.d.sync += total.eq(re + im)
        clipped, _ = saturate(total, self.stage.sum_width)
        return clipped, a, b

    def _products(self, m: Module, values: Sequence[Any], before: int) -> Sequence[Signal]:
        """In cycle 4, those of the values in cycle 1 with c, c - s and c + s; cycle 0 is ``before`` behind ``i``."""
        c, minus, plus = self._factors(m, self._address(m), before)
        if not (self.config.is_fixed or self._inverse_in_rom):
            inverse = delayed(m, self.early.control.inverse, self.lead + 1, "inverse")
            minus, plus = Mux(inverse, plus, minus), Mux(inverse, minus, plus)
        return [
            self._multiplier(m, f"k{k}", value, factor.as_signed())
            for k, (value, factor) in enumerate(zip(values, (c, minus, plus), strict=True), 1)
        ]

    def _factors(self, m: Module, source: Any, before: int) -> list[Any]:
        """In cycle 1, the parts of the ROM's word whose address ``source`` tells :attr:`lead` cycles before ``i``."""
        width = self.config.twiddle_width
        words = self._rom()
        m.submodules.rom = rom = BlockRAM(
            3 * width,
            len(words),
            init=words,
            technology=self.technology,
            in_logic=self._in_logic,
        )
        address = Signal(rom.address_width)
        m.d.comb += [
            address.eq(source),
            rom.read_address.eq(delayed(m, address, self.lead - 1 + before, "address")),
        ]
        return [rom.read_data[k * width : (k + 1) * width] for k in range(3)]

    def _multiplier(self, m: Module, name: str, value: Any, factor: Any) -> Signal:
        multiplier = Multiplier(
            len(value), len(factor), self._exact_width, technology=self.technology
        )
        m.submodules[name] = multiplier
        m.d.comb += [multiplier.a.eq(value), multiplier.b.eq(factor)]
        return multiplier.p

    def _narrowed(self, m: Module, name: str, common: Signal, other: Signal) -> Any:
        """``common - other`` into part ``name`` of the output; returns whether it is being clipped."""
        shift = self.product.shift
        assert shift is not None
        exact = Signal(signed(self._exact_width), name=f"exact_{name}", reset_less=True)
        low, top = shift - 1, shift
        unequal = [
            common[k : min(k + 4, low)] ^ other[k : min(k + 4, low)] for k in range(0, low, 4)
        ]
        parts = Signal(len(unequal), name=f"unequal_{name}", reset_less=True)
        m.d.sync += [exact.eq(common - other), parts.eq(Cat(part.any() for part in unequal))]
        # Below half a unit all is equal: then the difference has just the bit worth half a unit, or none.
        tie = ~parts.any()
        half, floor, output = exact[low], exact[shift:], getattr(self.o, name)
        if self.product.saturates:
            return round_or_clip(m, name, floor, half, output, tie=tie, technology=self.technology)
        up = half & ~(tie & ~exact[top])
        rounded = Signal.like(output, name=f"rounded_{name}", reset_less=True)
        m.d.sync += rounded.eq(floor.as_signed() + up)
        m.d.comb += output.eq(rounded)
        return Const(0, 1)

    def _shifted_back(
        self, m: Module, name: str, common: Signal, other: Signal, choice: Signal
    ) -> None:
        """``(common - other) << shift`` into part ``name`` of the output, narrowed; it always fits."""
        drop = self.product.shift
        assert drop is not None
        assert not self.product.saturates
        shifts, width = self.stage.shifts, self.product.width
        exact = Signal(signed(self._exact_width), name=f"exact_{name}", reset_less=True)
        # Half a unit of the result is bit ``drop - 1 - shift`` of the difference.
        halves = [drop - 1 - shift for shift in shifts]
        edges = sorted({0, *range(0, drop - 1, 4), *(half for half in halves if half > 0)})
        unequal = {low: common[low:high] ^ other[low:high] for low, high in pairwise(edges)}
        parts = Signal(len(unequal), name=f"unequal_{name}", reset_less=True)
        m.d.sync += [
            exact.eq(common - other),
            parts.eq(Cat(part.any() for part in unequal.values())),
        ]
        # With the bit worth half a unit at the end, and whether there is more below.
        scaled = Signal(signed(width + 1), name=f"scaled_{name}", reset_less=True)
        below = Signal(name=f"below_{name}", reset_less=True)
        with m.Switch(choice):
            for number, half in enumerate(halves):
                with m.Case(number):
                    dropped = [part for low, part in zip(unequal, parts, strict=True) if low < half]
                    m.d.sync += [
                        scaled.eq(exact >> half if half >= 0 else exact << -half),
                        below.eq(Cat(dropped).any()),
                    ]
        rounded = Signal(signed(width), name=f"rounded_{name}", reset_less=True)
        m.d.sync += rounded.eq((scaled >> 1) + (scaled[0] & (below | scaled[1])))
        m.d.comb += getattr(self.o, name).eq(rounded)

    def _address(self, m: Module) -> Any:
        """ROM address of the announced sample."""
        block = self.stage.m
        index = Signal(block + (not self._top))
        if self.config.is_fixed:
            with m.If(self.early.valid):
                m.d.sync += index.eq(index + 1)
            return index
        now = Signal.like(index)
        m.d.comb += now.eq(Mux(self.early.first, 0, index))
        with m.If(self.early.valid):
            m.d.sync += index.eq(now + 1)
        control = self.early.control
        i, r = now[: block - 1], now[block - 1]
        p = Const(0, 1) if self._top else now[block]
        clear_p: Any = Const(0, block - 1)
        clear_r: Any = Const(0, block - 1)
        for log2_n in range(4, self.config.log2_n_max + 1, 2):
            here = is_square(control, log2_n // 2)
            low = (1 << (log2_n // 2)) - 1
            if block + 1 > log2_n // 2:
                clear_p = clear_p | Mux(here, low, 0)
            if block > log2_n // 2:
                clear_r = clear_r | Mux(here, low, 0)
        # A frame of just one block has no p, one shorter than it neither.
        if not self._top:
            p = p & control.size[block]
        r = r & control.size[block - 1]
        e = (Mux(p, i & ~clear_p, 0) + (Mux(r, i & ~clear_r, 0) << 1))[: block + 1]
        return Cat(e, control.inverse) if self._inverse_in_rom else e
