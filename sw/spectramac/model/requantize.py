# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""From a wide value to an int8 activation: bias, scale, round, activation function, saturate."""

import numpy as np
from numpy.typing import NDArray

from spectramac.model.fixed import Ints, round_shift, saturate
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.fixed import Format

__all__ = ["ACTIVATION", "requantize"]

ACTIVATION = Format(AcceleratorConfig.activation_width)
"""Of every input and output of a layer."""


def requantize(
    z: Ints,
    bias: int | NDArray[np.int32],
    multiplier: int | NDArray[np.int32],
    shift: int | NDArray[np.int32],
    relu: bool,
) -> tuple[Ints, NDArray[np.bool_]]:
    """``sat8(round_half_even(relu((z + bias) * multiplier) / 2**shift))``.

    Parameters
    ----------
    z : int array (..., channels)
        Values in the data format (16 bits or fewer), as ``bias``.
    bias, multiplier, shift : int or int array (channels,)

    Returns
    -------
    (y, saturated) : int array, bool array, both (..., channels)
        A negative value that ReLU zeroes does not count as saturated.
    """
    product = (z + np.asarray(bias, np.int64)) * np.asarray(multiplier, np.int64)
    if relu:
        product = np.maximum(product, 0)
    return saturate(round_shift(product, np.asarray(shift, np.int64)), ACTIVATION)
