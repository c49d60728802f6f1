# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Words of the memories that hold the factors of three-multiplier products."""

from collections.abc import Iterable

__all__ = ["packed_factors"]


def packed_factors(pairs: Iterable[tuple[int, int]], width: int) -> list[int]:
    """For each factor ``c + js`` the word ``c, c - s, c + s``, each ``signed(width)``, from bit 0 up."""
    mask = (1 << width) - 1
    return [c & mask | ((c - s) & mask) << width | ((c + s) & mask) << 2 * width for c, s in pairs]
