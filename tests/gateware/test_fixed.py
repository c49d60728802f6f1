# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Every code of every width up to 10 through every narrowing."""

import pytest
from amaranth import Signal, signed
from tests.gateware.checks import check_narrowing

from spectramac.gateware.fixed import round_half_even, saturate


@pytest.mark.parametrize("in_width", range(2, 11))
def test_narrowing(in_width: int) -> None:
    assert check_narrowing(in_width) == in_width * in_width << in_width


def test_an_unsigned_value_is_made_signed() -> None:
    value = Signal(5)
    assert round_half_even(value, 0).shape().signed
    assert round_half_even(Signal(signed(5)), 0).shape() == signed(5)


def test_nothing_to_clip() -> None:
    value = Signal(signed(5))
    result, overflow = saturate(value, 5)
    assert result is value
    assert len(overflow) == 1
