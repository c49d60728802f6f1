# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Scale and zero point of an int8 activation from calibration data.

Three methods: the whole range (``"max"``), the range between two percentiles, and the range of least mean
squared error after rounding and saturation. Symmetric: zero is the integer 0, and 127 the largest magnitude.
Affine: the range, which always holds zero, fills all 256 integers; behind a ReLU the zero point is then -128,
int8 saturation is the ReLU, and a step is half as large. In return a zero is not a zero to the engine any more:
columns of zero activations are not skipped (:mod:`spectramac.compress.quantize` says how zero points lower).
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.quantize import activation_scale
from spectramac.graph.quantization import Quantization

__all__ = ["affine_range", "calibrate"]

Method = Literal["max", "percentile", "mse"]
_PARTS: Floats = np.linspace(1.0, 0.3, 36)


def affine_range(low: float, high: float) -> Quantization:
    """int8 with ``low`` at -128 and ``high`` at 127, the zero point rounded to an integer.

    Raises
    ------
    ValueError
        If the range is empty or does not hold zero.
    """
    if not low <= 0 <= high or low == high:
        raise ValueError(f"a range must hold zero and not be empty, not be {low!r} to {high!r}")
    scale = (high - low) / 255
    zero = int(np.clip(np.rint(-128 - low / scale), -128, 127))
    return Quantization(scale=np.array(scale), zero_point=np.array(zero))


def calibrate(
    values: NDArray[Any],
    method: Method = "mse",
    *,
    affine: bool = False,
    percentile: float = 99.9,
) -> Quantization:
    """int8 quantization of an activation.

    Parameters
    ----------
    values : array
        Typical values after the activation function, in real units.
    method : str
        ``"max"``, ``"percentile"`` or ``"mse"``.
    affine : bool
        With a zero point. Default: symmetric, as :func:`~spectramac.compress.quantize.activation_scale`.
    percentile : float
        More than 50 to 100; affine ranges go from ``100 - percentile`` to it.

    Raises
    ------
    ValueError
        If there is nothing but zeros, or a parameter is unknown or out of range.
    """
    values = np.asarray(values, np.float64).ravel()
    if not 50 < percentile <= 100:
        raise ValueError(f"percentile must be more than 50 and at most 100, not {percentile!r}")
    if values.size and not np.isfinite(values).all():
        raise ValueError("calibration values must be finite")
    # Also refuses an unknown method and values without any but zeros.
    symmetric = activation_scale(values, method, percentile=percentile)
    if not affine:
        return Quantization(scale=np.array(symmetric), zero_point=np.array(0))
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    if method == "percentile":
        inner = np.percentile(values, [100 - percentile, percentile])
        inner_low, inner_high = min(float(inner[0]), 0.0), max(float(inner[1]), 0.0)
        low, high = (inner_low, inner_high) if inner_low < inner_high else (low, high)
    elif method == "mse":
        low, high = _best_range(values, low, high)
    return affine_range(low, high)


def _best_range(values: Floats, low: float, high: float) -> tuple[float, float]:
    """Of least squared error: both ends, then each alone."""

    def best(ranges: list[tuple[float, float]]) -> tuple[float, float]:
        return min(
            ranges, key=lambda r: float(np.sum((values - affine_range(*r).round_trip(values)) ** 2))
        )

    low, high = best([(part * low, part * high) for part in _PARTS])
    if low < 0 < high:
        low, high = best([(part * low, high) for part in _PARTS])
        low, high = best([(low, part * high) for part in _PARTS])
    return low, high
