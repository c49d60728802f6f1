# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Arrays that describe a layer: copied, read-only, checked."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["check_numbers", "read_only"]


def read_only(value: Any, dtype: Any) -> NDArray[Any]:
    """A copy as an array that cannot be written."""
    array = np.array(value, dtype=dtype)
    array.setflags(write=False)
    return array


def check_numbers(what: str, name: str, value: Any, size: int, bits: int) -> Any:
    """An integer, or a read-only int32 array (size,), of ``bits`` unsigned bits; errors start with ``what``."""
    if not isinstance(value, int):
        value = read_only(value, np.int32)
        if value.shape != (size,):
            raise ValueError(
                f"{what}: {name} must be an integer or have shape {(size,)}, not {value.shape}"
            )
    if np.min(value) < 0 or np.max(value) >= 1 << bits:
        raise ValueError(f"{what}: {name} must be from 0 to {(1 << bits) - 1}, not {value!r}")
    return value
