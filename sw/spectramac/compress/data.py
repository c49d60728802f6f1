# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The data of the demonstration: scikit-learn's handwritten digits.

From UCI: 1797 images of 8 x 8 pixels with levels 0 to 16.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["INPUT_FACTOR", "INPUT_SCALE", "SPLIT", "Digits", "digits"]

INPUT_FACTOR = 7
"""An int8 input is the pixel times this: 0 to 112. Exact, and 7 is the largest factor that fits 127."""

INPUT_SCALE = 1 / (16 * INPUT_FACTOR)
"""Real value of one integer step: a pixel of 16 is 1.0."""

SPLIT = "stratified 80/20, scikit-learn train_test_split(test_size=360, random_state=0)"


class Digits(NamedTuple):
    """Images (batch, 64), int8 0 to 112, row-major; labels (batch,), 0 to 9."""

    x_train: NDArray[np.int8]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.int8]
    y_test: NDArray[np.int64]


def digits() -> Digits:
    """The digits, split in 1437 training and 360 test images, always the same.

    Raises
    ------
    ModuleNotFoundError
        If scikit-learn, which ships the images, is not installed.
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "scikit-learn must be installed for the digits; use: pip install 'spectramac[data]'"
        ) from error
    images, labels = load_digits(return_X_y=True)
    x = (images * INPUT_FACTOR).astype(np.int8)
    y = labels.astype(np.int64)
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=360, random_state=0, stratify=y
    )
    return Digits(x_train, y_train, x_test, y_test)
