# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Twiddle product of one path: three multipliers, or, by eighths of the circle, shifts and additions."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, signed

from spectramac.gateware.delay import delayed
from spectramac.gateware.fft.constants import canonical_digits
from spectramac.gateware.fft.factors import packed_factors
from spectramac.gateware.fft.twiddle import Twiddle
from spectramac.model.fft import twiddle_table
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import StagePlan
from spectramac.spec.timing import DISTRIBUTED_DEPTH_MAX

__all__ = ["EighthTwiddle", "PathTwiddle", "signed_digits"]


class PathTwiddle(Twiddle):
    """The product of one path, on the datapath of :class:`Twiddle`; gives only samples and ``overflow``.

    ``exponents`` are :func:`spectramac.model.fft_paths.path_exponents`; their ``address`` is a signal of the component
    that instantiates it, of the word :attr:`lead` cycles ahead.
    """

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
        super().__init__(
            config,
            stage,
            lead=lead,
            technology=technology,
            small_roms_in_logic=small_roms_in_logic or len(exponents) <= DISTRIBUTED_DEPTH_MAX,
        )

    @property
    def _n_factors(self) -> int:
        return len(self.exponents)

    @property
    def _inverse_in_rom(self) -> bool:
        """Whether the words tell the direction, as all that is chosen by ``address``."""
        return True

    def _address(self, m: Module) -> Any:
        return self.address

    def _rom(self) -> list[int]:
        """Packed words ``c, c - s, c + s``."""
        width = self.config.twiddle_width
        re, im = twiddle_table(self.stage.m + 1, width)
        signs = [(e, -1 if negative else 1) for e, negative in self.exponents]
        return packed_factors(((sign * int(re[e]), sign * int(im[e])) for e, sign in signs), width)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        (re, less_re), (im, less_im) = self._terms(m)
        # Cycle 4: differences. Cycle 5: rounded. Cycle 6, where due: clipped.
        flags = [self._narrowed(m, "re", re, less_re), self._narrowed(m, "im", im, less_im)]
        if self.product.saturates:
            valid = delayed(m, self.i.valid, self.latency - 1, "valid_clip", reset=True)
            flag = Signal()
            m.d.sync += [flag.eq(valid & Cat(flags).any()), self.overflow.eq(flag)]
        return m

    def _terms(self, m: Module) -> Any:
        """In cycle 4, what is to be subtracted from what, for re and for im."""
        k1, k2, k3 = self._products(m, self._operands(m, self.i.re, self.i.im), 0)
        return (k1, k3), (k1, k2)


class EighthTwiddle(PathTwiddle):
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
            address = delayed(m, self.address, self.lead - 1, "address")
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
    signs = canonical_digits(value)
    digits = [(top := max(signs), 1, signs.pop(top))]
    for k in sorted(signs, reverse=True):
        if k in signs and signs.get(k - 2) == signs[k]:
            digits.append((k - 2, 5, signs[k]))
            del signs[k - 2]
        elif k in signs:
            digits.append((k, 1, signs[k]))
    return digits
