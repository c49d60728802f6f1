# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
r"""Word widths and narrowings along the pipelined transform: what the model computes and the gateware builds.

Every stage is a butterfly, at most one narrowing, and after the second of a pair (odd ``m``) a twiddle product, which
ends in a narrowing of its own. A *narrowing* drops low bits by rounding half to even, and where the result may exceed
the word it saturates and raises a flag.

Scalings (:attr:`spectramac.spec.fft_config.FFTConfig.scaling`):

``"per_stage"``
    All words have ``data_width`` bits. Bit ``m - 1`` of the run-time mask ``halve`` halves stage ``m``. Every narrowing
    saturates.
``"halving"``
    The result is X/N. Inside, a word has one fraction bit more than the result (a *guard* bit) and one integer bit,
    because |X[k]| may reach √2·N·2^(data_width-1) on the diagonal of the complex plane. Butterflies grow; one narrowing
    before each product brings words back to the guard bit, one after it drops the fraction of the product, the last
    one gives ``data_width`` bits and saturates, or one more and does not
    (:attr:`spectramac.spec.fft_config.FFTConfig.headroom`). Nothing else can overflow: magnitudes never exceed
    √2·2^(data_width-1) by more than the sum of the roundings (:func:`spectramac.model.fft.error_bound`).
``"growth"``
    The result is X, ``data_width + log2 N + 1`` bits. Only products are rounded.

``"block"``
    Block floating point: the result is a mantissa of ``data_width`` bits for each part and one exponent for the frame
    (:func:`exponents`), X = mantissa · 2**exponent. Words grow as in ``"growth"``, with a guard bit from the first
    product on. So that no multiplier is wider than with ``"halving"``, each sample is brought to ``data_width + 1``
    bits before its product by one of four right shifts, the same for its two parts, and shifted back after it, when
    all bits of the product are still there: small samples lose nothing, large ones little of what they are.

In two dimensions (:attr:`spectramac.spec.fft_config.FFTConfig.log2_columns`) the stages of the rows' number come
first. The last of them does not rotate if it is the first of a pair, and has no product if it is the second, where all
factors would be 1.

In all scalings but the first, differences of the second of a pair are kept negative (``a - b`` as ``-(b - a)``), which
saves the hardware an adder, and their twiddle factors have the opposite sign.
"""

from dataclasses import dataclass
from functools import lru_cache

from spectramac.spec.fft_config import FFTConfig

__all__ = ["GUARD", "Narrowing", "StagePlan", "exponents", "has_twiddle", "plan"]


@dataclass(frozen=True)
class Narrowing:
    """Dropping of low bits, half to even.

    Attributes
    ----------
    shift : int or None
        Bits dropped; None: one or none, as ``halve`` says at run time.
    width : int
        Of the result.
    saturates : bool
        Whether the result may exceed ``width`` and is clipped then. Otherwise it provably fits.
    """

    shift: int | None
    width: int
    saturates: bool


@dataclass(frozen=True)
class StagePlan:
    """Stage ``m``, with blocks of ``2**m`` samples.

    Attributes
    ----------
    m : int
        Number of the stage; the first is log2 N, the last 1.
    width : int
        Bits of each part at its input. Sums and differences have one more.
    rotates : bool
        First of a pair: half of the differences are multiplied by -j.
    narrowing : Narrowing or None
        After the butterfly.
    negates : bool
        Differences are kept negative, and so are their twiddle factors.
    sum_width : int
        Bits of ``a + b``, which the product needs; clipped (no more than a rounding error: see the module).
    shifts : tuple of int
        Of each sample, before its product: the smallest that brings both parts to ``sum_width - 1`` bits, where
        rounding up may need one more. ``(0,)``: samples go to the multiplier as they are.
    product : Narrowing or None
        After the twiddle product, if there is one, and after the shift has been undone.
    """

    m: int
    width: int
    rotates: bool
    narrowing: Narrowing | None
    negates: bool
    sum_width: int
    shifts: tuple[int, ...]
    product: Narrowing | None

    @property
    def butterfly_width(self) -> int:
        """Bits of each part after the butterfly and its narrowing."""
        return self.narrowing.width if self.narrowing else self.width + 1

    @property
    def factor_width(self) -> int:
        """Bits of the data at the multiplier."""
        return self.sum_width if self.shifts[-1] else self.butterfly_width

    @property
    def output_width(self) -> int:
        """Bits of each part after the stage."""
        return self.product.width if self.product else self.butterfly_width


def has_twiddle(m: int) -> bool:
    """Whether the stage with blocks of ``2**m`` ends with a multiplication."""
    return m % 2 == 1 and m > 1


GUARD = 1
"""Fraction bits more than in the result, inside ``"halving"`` and ``"block"``."""


def exponents(config: FFTConfig) -> range:
    """Exponents that a frame may have with scaling ``"block"``; the first if it is small, or zero."""
    if config.scaling != "block":
        raise ValueError(f"scaling must be 'block' for exponents, not {config.scaling!r}")
    return range(-GUARD, plan(config)[-1].output_width - config.data_width - GUARD + 1)


def _shifts(most: int) -> tuple[int, ...]:
    """Four shifts up to ``most``: noise needs about half of it, a tone all."""
    return tuple(sorted({0, -(-most // 4), -(-most // 2), most}))


@lru_cache(maxsize=64)
def plan(config: FFTConfig) -> tuple[StagePlan, ...]:
    """The stages from ``m = config.log2_n_max`` down to 1."""
    stages: list[StagePlan] = []
    width, fraction = config.data_width, 0
    inside = config.data_width + 1 + GUARD
    product_shift = config.twiddle.fraction
    for m in range(config.log2_n_max, 0, -1):
        rows_end = m == config.log2_columns + 1 > 1
        twiddle = has_twiddle(m) and not rows_end
        narrowing = product = None
        sum_width = 0
        shifts: tuple[int, ...] = (0,)
        if config.scaling == "per_stage":
            narrowing = Narrowing(None, width, True)
            if twiddle:
                sum_width = width + 1
                product = Narrowing(product_shift, width, True)
        else:
            raw, fraction = width + 1, fraction + 1
            if config.scaling == "halving":
                if m == 1:
                    narrowing = Narrowing(fraction, config.output.width, not config.headroom)
                elif twiddle and fraction > GUARD:
                    narrowing = Narrowing(fraction - GUARD, raw - (fraction - GUARD), False)
                    fraction = GUARD
            data = narrowing.width if narrowing else raw
            if twiddle and config.scaling == "halving":
                sum_width = min(data + 1, inside)
                product = Narrowing(product_shift, inside, False)
            elif twiddle:
                # The first product turns the diagonal into an axis: up to √2 times more.
                first = all(stage.product is None for stage in stages)
                guard = GUARD if config.scaling == "block" and first else 0
                product = Narrowing(product_shift - guard, data + first + guard, False)
                sum_width = data + 1
                if config.scaling == "block" and data > config.data_width + 1:
                    sum_width = config.data_width + 2
                    shifts = _shifts(data - config.data_width - 1)
        stages.append(
            StagePlan(
                m=m,
                width=width,
                rotates=m % 2 == 0 and not rows_end,
                narrowing=narrowing,
                negates=twiddle and config.scaling != "per_stage",
                sum_width=sum_width,
                shifts=shifts,
                product=product,
            )
        )
        width = stages[-1].output_width
    return tuple(stages)
