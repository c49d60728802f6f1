# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Complex multiplication with three real multipliers."""

from typing import Any

from amaranth import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ComplexMultiplier"]


class ComplexMultiplier(wiring.Component):
    """The exact product ``(a + jb)(c + js)`` from ``c``, ``s - c`` and ``c + s``.

    With ``k1 = c(a + b)``, ``k2 = a(s - c)`` and ``k3 = b(c + s)``, the product is
    ``(k1 - k3) + j(k1 + k2)``.
    ``|c + js|`` must not exceed ``√2 · 2**(twiddle_width - 2)``, as for twiddle factors, so that all three
    precomputed numbers fit ``twiddle_width`` bits. Nothing is rounded and overflow is impossible.

    Latency is 3 cycles with ``en`` high (operands, products, sums); one product a cycle. One of the three
    multipliers is ``data_width + 1`` bits wide, so up to 17-bit data fit 18-bit DSP blocks.

    Parameters
    ----------
    data_width, twiddle_width : int
        Bits of ``a`` and ``b``, and of the precomputed factors.

    Members
    -------
    en : :py:`In(1)`
        Clock enable of all registers.
    a, b : :py:`In(signed(data_width))`
        Data, re and im.
    c, s_minus_c, c_plus_s : :py:`In(signed(twiddle_width))`
        Factor.
    re, im : :py:`Out(signed(data_width + twiddle_width))`
        Product.
    """

    latency = 3

    def __init__(self, *, data_width: int, twiddle_width: int) -> None:
        self.data_width = data_width
        self.twiddle_width = twiddle_width
        product_width = data_width + twiddle_width
        super().__init__(
            {
                "en": In(1),
                "a": In(signed(data_width)),
                "b": In(signed(data_width)),
                "c": In(signed(twiddle_width)),
                "s_minus_c": In(signed(twiddle_width)),
                "c_plus_s": In(signed(twiddle_width)),
                "re": Out(signed(product_width)),
                "im": Out(signed(product_width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        data_shape, factor_shape = signed(self.data_width), signed(self.twiddle_width)
        a, b = Signal(data_shape), Signal(data_shape)
        a_plus_b = Signal(signed(self.data_width + 1))
        c, s_minus_c, c_plus_s = (Signal(factor_shape, name=f"factor{k}") for k in range(3))
        k1 = Signal(signed(self.data_width + 1 + self.twiddle_width))
        k2, k3 = (
            Signal(signed(self.data_width + self.twiddle_width), name=f"k{k}") for k in (2, 3)
        )
        with m.If(self.en):
            m.d.sync += [
                a.eq(self.a),
                b.eq(self.b),
                a_plus_b.eq(self.a + self.b),
                c.eq(self.c),
                s_minus_c.eq(self.s_minus_c),
                c_plus_s.eq(self.c_plus_s),
                k1.eq(a_plus_b * c),
                k2.eq(a * s_minus_c),
                k3.eq(b * c_plus_s),
                # Modulo the result width, which holds the product: |re|, |im| <= sqrt(2) * |a + jb|.
                self.re.eq(k1 - k3),
                self.im.eq(k1 + k2),
            ]
        return m
