# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Both ends of a batch: real values to the int8 inputs of a network, and its outputs to accuracy."""

from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from spectramac.model.requantize import ACTIVATION
from spectramac.spec.errors import InputRangeError, InputTypeError

__all__ = ["accuracy", "quantize_input"]


def quantize_input(x: npt.ArrayLike, scale: float) -> NDArray[np.int8]:
    """Real values to int8: ``saturate(round_half_even(x / scale))``, any shape.

    Raises
    ------
    InputTypeError
        If ``x`` is not numeric.
    InputRangeError
        If a value is not finite.
    """
    array = np.asarray(x)
    if array.dtype.kind not in "iuf":
        raise InputTypeError(f"input must be real numbers, not {array.dtype}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InputRangeError(f"input must be finite, not {array[where]} at index {where}")
    steps = np.clip(np.rint(array / scale), ACTIVATION.minimum, ACTIVATION.maximum)
    return steps.astype(np.int8)


def accuracy(outputs: NDArray[Any], labels: NDArray[Any]) -> float:
    """Percent of rows whose largest element (the first of equals) is at the label; 0 of no rows."""
    return float(100 * np.mean(np.argmax(outputs, axis=1) == labels)) if len(labels) else 0.0
