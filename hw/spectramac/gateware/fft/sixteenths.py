# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The twiddle product of transforms of at most 16 points on an axis: additions, no multiplier."""

from collections.abc import Sequence
from typing import Any

from amaranth import Cat, Module, Signal

from spectramac.gateware.delay import delayed
from spectramac.gateware.fft.constants import ConstantMultiplier
from spectramac.gateware.fft.twiddle import Twiddle
from spectramac.model.fft import twiddle_index, twiddle_table

__all__ = ["SixteenthTwiddle"]


class SixteenthTwiddle(Twiddle):
    """:class:`Twiddle` with :attr:`FFTConfig.log2_axis_max`: its factors are sixteenths of the circle.

    The same products, to the bit and to the cycle, by constants that each sample chooses.
    """

    @property
    def _inverse_in_rom(self) -> bool:
        """Whether the address tells the direction."""
        return True

    def _used(self) -> set[int]:
        """Exponents of frames that may be transformed, in sixteenths."""
        number, config = self.stage.m, self.config
        kinds = (
            (n, two_d) for n in range(number, config.log2_n_max + 1) for two_d in (False, True)
        )
        return {
            e >> (number - 3)
            for log2_n, two_d in kinds
            if config.allows(log2_n, two_d)
            for e in twiddle_index(number, log2_n, two_d).tolist()
        }

    def _constants(self) -> list[list[int]]:
        """c, c - s and c + s by {inverse, exponent}; 0 where there is no such exponent."""
        number = self.stage.m
        re, im = (part.tolist() for part in twiddle_table(number + 1, self.config.twiddle_width))
        used = self._used()
        pairs = [
            (re[e << (number - 3)], sign * im[e << (number - 3)]) if e in used else (0, 0)
            for sign in (1, -1)
            for e in range(16)
        ]
        return [[c for c, _ in pairs], [c - s for c, s in pairs], [c + s for c, s in pairs]]

    def _products(self, m: Module, values: Sequence[Any], before: int) -> Sequence[Signal]:
        assert before == 0
        number = self.stage.m
        address = Signal(number + 2)
        m.d.comb += address.eq(self._address(m))
        index = delayed(m, Cat(address[number - 3 : number + 1], address[-1]), self.lead, "index")
        products = []
        for k, (value, constants) in enumerate(zip(values, self._constants(), strict=True), 1):
            product = ConstantMultiplier(len(value), constants, self._exact_width)
            m.submodules[f"k{k}"] = product
            m.d.comb += [product.a.eq(value), product.index.eq(index)]
            products.append(product.p)
        return products
