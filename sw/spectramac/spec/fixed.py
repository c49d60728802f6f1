# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Fixed-point formats and narrowings, as values.

Notation: ``sQ1.15`` is signed with 1 integer bit (the sign) and 15 fraction bits; ``uQ0.8`` is unsigned
with no integer bit and 8 fraction bits. The width is the sum of the two numbers.

Every place where a number loses bits is one :class:`Narrowing`: it names the source, the destination, the
rounding and the overflow behaviour. The model (:mod:`spectramac.model.fixed`) and the gateware
(:mod:`spectramac.gateware.fixed`) each implement these on their own.
"""

from dataclasses import dataclass
from enum import Enum


class Rounding(Enum):
    """How bits below the destination's last fraction bit are removed."""

    FLOOR = "floor"
    """Towards minus infinity: the bits are dropped (two's complement truncation)."""
    HALF_UP = "half-up"
    """To nearest, ties towards plus infinity."""
    HALF_EVEN = "half-even"
    """To nearest, ties to the even neighbour (convergent rounding): no bias."""


class Overflow(Enum):
    """What happens to a value that the destination cannot hold."""

    SATURATE = "saturate"
    """It becomes the nearest bound, and a sticky flag is raised."""
    IMPOSSIBLE = "impossible"
    """It cannot happen; the model raises :class:`OverflowError` if it does."""


@dataclass(frozen=True)
class Format:
    """A fixed-point number format.

    Parameters
    ----------
    width : int
        Total bits, including the sign bit.
    fraction : int
        Bits right of the binary point.
    signed : bool
        Two's complement if true.
    """

    width: int
    fraction: int = 0
    signed: bool = True

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"format width must be at least 1, not {self.width!r}")

    def __str__(self) -> str:
        return f"{'s' if self.signed else 'u'}Q{self.width - self.fraction}.{self.fraction}"

    @property
    def minimum(self) -> int:
        """Smallest raw integer."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """Largest raw integer."""
        return (1 << (self.width - 1)) - 1 if self.signed else (1 << self.width) - 1

    def holds(self, raw: int) -> bool:
        """Whether the raw integer ``raw`` is representable."""
        return self.minimum <= raw <= self.maximum


@dataclass(frozen=True)
class Narrowing:
    """One loss of bits: from ``source`` to ``destination``, rounded and bounded as named."""

    name: str
    source: Format
    destination: Format
    rounding: Rounding = Rounding.HALF_EVEN
    overflow: Overflow = Overflow.SATURATE

    @property
    def shift(self) -> int:
        """Fraction bits removed."""
        return self.source.fraction - self.destination.fraction

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.source} -> {self.destination}, "
            f"{self.rounding.value}, {self.overflow.value}"
        )
