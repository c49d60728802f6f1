# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
from fractions import Fraction

import pytest

from spectramac.spec.fixed import Format, Narrowing, Overflow, Rounding


@pytest.mark.parametrize(
    ("fmt", "text", "minimum", "maximum"),
    [
        (Format(16, 15), "sQ1.15", -(1 << 15), (1 << 15) - 1),
        (Format(8), "sQ8.0", -128, 127),
        (Format(8, 8, signed=False), "uQ0.8", 0, 255),
        (Format(1), "sQ1.0", -1, 0),
        (Format(1, signed=False), "uQ1.0", 0, 1),
    ],
)
def test_format(fmt: Format, text: str, minimum: int, maximum: int) -> None:
    assert (str(fmt), fmt.minimum, fmt.maximum) == (text, minimum, maximum)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("width", range(1, 11))
def test_format_holds_exactly_its_codes(width: int, signed: bool) -> None:
    fmt = Format(width, signed=signed)
    held = [raw for raw in range(-2048, 2049) if fmt.holds(raw)]
    assert len(held) == 1 << width
    assert (held[0], held[-1]) == (fmt.minimum, fmt.maximum)


def test_format_needs_a_bit() -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        Format(0)


def test_narrowing_names_what_it_does() -> None:
    narrowing = Narrowing("stage", Format(18, 15), Format(16, 13))
    assert narrowing.shift == 2
    assert str(narrowing) == "stage: sQ3.15 -> sQ3.13, half-even, saturate"
    ratio = Fraction(1, 1 << narrowing.source.fraction) * (1 << narrowing.shift)
    assert ratio == Fraction(1, 1 << narrowing.destination.fraction)


def test_modes_have_distinct_names() -> None:
    assert {mode.value for mode in Rounding} == {"floor", "half-up", "half-even"}
    assert {mode.value for mode in Overflow} == {"saturate", "impossible"}
