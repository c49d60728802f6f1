# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Twiddle products of the transform of several samples a clock; eighths of the circle take no multiplier."""

from typing import Any

import numpy as np
from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.fft.butterfly import Announcement, delayed
from spectramac.gateware.fft.control import is_square
from spectramac.gateware.fft.paths import Words
from spectramac.gateware.fft.twiddle import Twiddle
from spectramac.model.fft import twiddle_index, twiddle_table
from spectramac.spec.config import FFTConfig
from spectramac.spec.fft_plan import StagePlan
from spectramac.spec.timing import DISTRIBUTED_DEPTH_MAX, twiddle_latency

__all__ = ["ParallelTwiddle", "path_exponents"]


def path_exponents(
    config: FFTConfig, stage: StagePlan, n_paths: int, path: int
) -> list[tuple[int, int]]:
    """Exponents of a path's factors, by ROM address, and whether the factor is negative.

    The address is the number of the word in a block; with run-time control a table for two dimensions
    may follow, where the path's part of the index i is 0 (:class:`ParallelTwiddle`).
    """
    number = stage.m
    log2_block = number + (number < config.log2_n_max)
    index = np.arange(0, 1 << log2_block, n_paths) + path
    tables = [index]
    if not config.is_fixed:
        square = index & ~(min(n_paths, 1 << (number - 1)) - 1)
        if not np.array_equal(square, index):
            tables.append(square)
    exponents = twiddle_index(number, log2_block, False)
    return [
        (int(exponents[n]), int(stage.negates and n >> (number - 1) & 1))
        for n in np.concatenate(tables)
    ]


class _PathTwiddle(Twiddle):
    """The product of one path; ``address`` is a signal of the component that instantiates it."""

    def __init__(
        self,
        config: FFTConfig,
        stage: StagePlan,
        exponents: list[tuple[int, int]],
        address: Any,
        *,
        lead: int,
        technology: str,
        small_roms_in_logic: bool,
    ) -> None:
        self.exponents = exponents
        self.address = address
        small = small_roms_in_logic or len(exponents) <= DISTRIBUTED_DEPTH_MAX
        super().__init__(config, stage, lead=lead, technology=technology, small_roms_in_logic=small)

    def _rom(self) -> list[int]:
        words = self._factors()
        half_turn = len(words) // 2
        return [words[(e + half_turn * sign) % len(words)] for e, sign in self.exponents]

    def _address(self, m: Module) -> Any:
        return self.address


class _EighthTwiddle(_PathTwiddle):
    """A product whose factors are eighths of the circle, by shifts and additions.

    The product with ``exp(-2πj power / 8)`` is a number in each part that is shifted only, or multiplied by C, √½ as
    the twiddle factors have it. If clipping takes ``d`` from ``a + b``, it is exactly what :class:`Twiddle` computes:

    ===== =============== ===============
    power re              im
    ===== =============== ===============
    0     a - d           b - d
    1     C(a + b - d)    C(b - a - d)
    2     b               -a
    3     -C(a - b - d)   -C(a + b - d)
    ===== =============== ===============
    """

    def _rom(self) -> list[int]:
        """Words ``{negative, power}``."""
        eighth = (2 << self.stage.m) // 8
        return [sign << 2 | e // eighth for e, sign in self.exponents]

    def _code(self, m: Module) -> Signal:
        """The word of the sample at ``i``."""
        words = self._rom()
        code = Signal(3, reset_less=True)
        if len(set(words)) == 1:
            m.d.comb += code.eq(words[0])
        else:
            table = Const(sum(word << 3 * k for k, word in enumerate(words)), 3 * len(words))
            address = delayed(m, self._address(m), self.lead - 1, "address")
            m.d.sync += code.eq(table.word_select(address, 3))
        return code

    def _terms(self, m: Module) -> Any:
        code = self._code(m)
        power, later = code[:2], delayed(m, code, 1, "code")
        a, b = self.i.re, self.i.im
        # Cycle 0: sums and differences.
        total = Signal(signed(self.stage.factor_width + 1), reset_less=True)
        m.d.sync += total.eq(a + b)
        terms = []
        for name, whole, other, alone, minus, negative in (
            ("re", a, b, 2, 3, later[2] ^ later[:2].all()),
            ("im", b, a, 2, 1, later[2] ^ later[1]),
        ):
            base = Signal.like(total, name=f"base_{name}")
            carry = power == minus
            first = Mux(power == alone, 0, whole)
            second = Mux(power == 0, 0, other[:] ^ carry.replicate(len(other))).as_signed()
            m.d.sync += base.eq(
                (Cat(carry, first).as_signed() + Cat(carry, second).as_signed())[1:]
            )
            # Cycle 1: less what clipping takes.
            value = Signal(signed(len(base) + 1), name=f"value_{name}", reset_less=True)
            if self.stage.sum_width > self.stage.factor_width:
                m.d.sync += value.eq(base)
            else:
                assert self.stage.sum_width == self.stage.factor_width
                sign, over = total[-1], (total[-1] ^ total[-2]) & (later[:2] != 2)
                # Low bits t over positive: t + 1 is taken; over negative: t - 2**len(t).
                t = total[:-2]
                taken = Cat(~t & over.replicate(len(t)), over & ~sign).as_signed()
                down = over & sign
                m.d.sync += value.eq(
                    (Cat(down, base).as_signed() + Cat(down, taken).as_signed())[1:]
                )
            terms.append(
                self._scaled(m, name, value, delayed(m, negative, 1, f"negative_{name}"), later[0])
            )
        return tuple(terms)

    def _scaled(
        self, m: Module, name: str, value: Signal, negative: Any, scaled: Any
    ) -> tuple[Any, Any]:
        """``value``, negated if so, times C if ``scaled`` (a cycle earlier), as the difference of two numbers."""
        top = self.config.twiddle.fraction
        c = int(twiddle_table(3, self.config.twiddle_width)[0][1])
        scaled = delayed(m, scaled, 1, f"scaled_{name}")
        # -v·f is (~v)·f + f. Of C, the digit 1.0 also makes the factor 1.
        whole, part = (Signal.like(value, name=f"{kind}_{name}") for kind in ("whole", "part"))
        rest = Signal(top + 1, name=f"rest_{name}")
        m.d.comb += [
            whole.eq(value ^ negative.replicate(len(value))),
            part.eq(Mux(scaled, whole, 0)),
            rest.eq(Mux(negative, Mux(scaled, c, 1 << top), 0)),
        ]
        # Cycle 2: times 5. Cycle 3: all digits.
        width = len(whole) + top
        digits = [item for item in signed_digits(c) if item != (top, 1, 1)]
        lead = Signal(signed(width), name=f"lead_{name}", reset_less=True)
        five = Signal(signed(len(part) + 3), name=f"five_{name}", reset_less=True)
        m.d.sync += [lead.eq(whole.shift_left(top) + rest), five.eq(part.shift_left(2) + part)]
        single = delayed(m, part, 1, f"single_{name}")
        plus, minus = (
            [
                (five if times == 5 else single).shift_left(k)
                for k, times, sign in digits
                if sign == wanted
            ]
            for wanted in (1, -1)
        )
        common, other = (
            Signal(signed(width), name=f"{kind}_{name}", reset_less=True)
            for kind in ("common", "other")
        )
        m.d.sync += [
            common.eq(sum(plus[:1], lead)),
            other.eq(sum(minus, Const(0, 1)) - sum(plus[1:], Const(0, 1))),
        ]
        return common, other


def signed_digits(value: int) -> list[tuple[int, int, int]]:
    """``value`` as few terms ``sign * times * 2**k``, times 1 or 5: its canonical digits, equal ones two apart joined.

    Returns
    -------
    list of (k, times, sign)
    """
    signs: dict[int, int] = {}
    k, left = 0, value
    while left:
        if left & 1:
            signs[k] = 2 - (left & 3)
            left -= signs[k]
        left >>= 1
        k += 1
    digits = [(top := max(signs), 1, signs.pop(top))]
    for k in sorted(signs, reverse=True):
        if k in signs and signs.get(k - 2) == signs[k]:
            digits.append((k - 2, 5, signs[k]))
            del signs[k - 2]
        elif k in signs:
            digits.append((k, 1, signs[k]))
    return digits


class ParallelTwiddle(wiring.Component):
    """Multiplication of words by the twiddle factors of the pair of stages that ends with stage ``m``.

    Sample ``n = t*n_paths + k`` of a frame, in path k, has the factor that :class:`Twiddle` gives it. A path has a
    table of its own, by the word's number t in a block. In two dimensions low bits of the index i are cleared: those
    of t in the address; for those of k the path has a second table.

    Paths whose factors are all eighths of the circle take no multiplier, the others three. Latency is
    :func:`spectramac.spec.timing.twiddle_latency`.

    Parameters
    ----------
    config : :class:`FFTConfig`
    stage : StagePlan
        With a product.
    n_paths : int
        Samples a word.
    lead : int
        Cycles from ``early`` to the word at ``i``, at least 1.
    technology : str
        See :class:`BlockRAM`.
    small_roms_in_logic : bool
        Factors are made of logic cells if there are no more than 64; otherwise, if no more than 16.

    Members
    -------
    early : :func:`Announcement`
    i, o : :func:`Words`
    overflow : :py:`Out(1)`
    """

    def __init__(
        self,
        config: FFTConfig,
        stage: StagePlan,
        n_paths: int,
        *,
        lead: int,
        technology: str = "generic",
        small_roms_in_logic: bool = False,
    ) -> None:
        self.config = config
        self.stage = stage
        self.n_paths = n_paths
        self.lead = lead
        self.technology = technology
        self.small_roms_in_logic = small_roms_in_logic
        super().__init__(
            {
                "early": In(Announcement(config)),
                "i": In(Words(config, stage.factor_width, n_paths)),
                "o": Out(Words(config, stage.output_width, n_paths)),
                "overflow": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from ``i`` to ``o``."""
        return twiddle_latency(self.stage)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        own, with_square = self._addresses(m)
        flags = []
        for k in range(self.n_paths):
            exponents = path_exponents(self.config, self.stage, self.n_paths, k)
            eighth = (2 << self.stage.m) // 8
            kind = _PathTwiddle if any(e % eighth for e, _ in exponents) else _EighthTwiddle
            address = with_square if len(exponents) > 1 << len(own) else own
            path = kind(
                self.config,
                self.stage,
                exponents,
                address,
                lead=self.lead,
                technology=self.technology,
                small_roms_in_logic=self.small_roms_in_logic,
            )
            m.submodules[f"path{k}"] = path
            m.d.comb += [
                path.i.valid.eq(self.i.valid),
                path.i.re.eq(self.i.re[k]),
                path.i.im.eq(self.i.im[k]),
                self.o.re[k].eq(path.o.re),
                self.o.im[k].eq(path.o.im),
            ]
            flags.append(path.overflow)
        m.d.comb += [
            self.overflow.eq(Cat(flags).any()),
            self.o.valid.eq(delayed(m, self.i.valid, self.latency, "valid", reset=True)),
            self.o.first.eq(delayed(m, self.i.first, self.latency, "first", reset=True)),
        ]
        if not self.config.is_fixed:
            m.d.comb += self.o.control.eq(delayed(m, self.i.control, self.latency, "control"))
        return m

    def _addresses(self, m: Module) -> tuple[Any, Any]:
        """ROM addresses of the announced word: without and with the choice of the second table."""
        stage = self.stage
        log2_paths = self.n_paths.bit_length() - 1
        top = stage.m == self.config.log2_n_max
        n_bits = max(stage.m - log2_paths, 0)  # of t below p
        n_i = max(n_bits - 1, 0)  # of t in i
        index = Signal(n_bits + (not top))
        now = Signal.like(index)
        m.d.comb += now.eq(Mux(self.early.first, 0, index))
        with m.If(self.early.valid):
            m.d.sync += index.eq(now + 1)
        if self.config.is_fixed:
            return now, now
        clear_i: Any = Const(0, n_i)
        clear_p: Any = Const(0, 1)
        square: Any = Const(0, 1)
        for log2_t in range(2, self.config.log2_n_max // 2 + 1):
            here = is_square(self.early.control, log2_t)
            if log2_t == stage.m:
                clear_p = clear_p | here
            elif log2_t < stage.m:
                square = square | here
                low = (1 << max(log2_t - log2_paths, 0)) - 1
                clear_i = clear_i | Mux(here, low, 0)
        chosen = Cat(now[:n_i] & ~clear_i[:n_i], now[n_i:n_bits], now[n_bits:] & ~clear_p)
        return chosen, Cat(chosen, square)
