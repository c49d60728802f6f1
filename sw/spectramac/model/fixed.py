# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Integer-exact narrowing of NumPy arrays, the reference of :mod:`spectramac.gateware.fixed`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.spec.fixed import Format, Rounding

Ints = NDArray[np.int64]


def round_shift(x: Ints, shift: int | Ints, rounding: Rounding = Rounding.HALF_EVEN) -> Ints:
    """Divide by ``2**shift`` and round to an integer.

    Parameters
    ----------
    x : int64 array
        Values; ``|x| < 2**62`` is assumed.
    shift : int or int64 array
        Bits to remove, 0 or more; broadcast against ``x``.
    rounding : Rounding
        How the removed bits count.
    """
    x = np.asarray(x, np.int64)
    s = np.asarray(shift, np.int64)
    if np.any(s < 0):
        raise ValueError(f"shift must be 0 or more, not {int(s.min())}")
    floor = x >> s
    if rounding is Rounding.FLOOR:
        return floor
    rest = x - (floor << s)
    half = np.where(s > 0, np.int64(1) << np.maximum(s - 1, 0), np.int64(1))
    up: NDArray[Any]
    if rounding is Rounding.HALF_UP:
        up = rest >= half
    else:
        up = (rest > half) | ((rest == half) & ((floor & 1) == 1))
    return floor + up


def saturate(x: Ints, fmt: Format) -> tuple[Ints, NDArray[np.bool_]]:
    """Clip to the range of ``fmt``; also returns where that changed the value."""
    y = np.clip(x, fmt.minimum, fmt.maximum)
    return y, y != x


def check(x: Ints, fmt: Format, what: str) -> Ints:
    """Return ``x``, raising :class:`OverflowError` if ``fmt`` cannot hold it."""
    bad = (x < fmt.minimum) | (x > fmt.maximum)
    if np.any(bad):
        raise OverflowError(f"{what}: {int(x[bad].flat[0])} does not fit {fmt}")
    return x
