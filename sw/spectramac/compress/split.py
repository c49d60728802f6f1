# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A user's labelled data in three parts: one trains and calibrates, one chooses, one reports."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.datasets import TrainingData, cut
from spectramac.compress.labelled import LabelledData, read_samples

__all__ = ["PARTS", "SplitData", "load_split"]

PARTS = 5
"""One of so many parts of the samples chooses, one reports, the others train."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SplitData(TrainingData):
    """What training and choosing may see, and a test part that neither of them sees.

    Attributes
    ----------
    x_test : float array (samples, n_in)
    y_test : int array (samples,)
    """

    x_test: Floats
    y_test: NDArray[np.int64]

    @property
    def selection(self) -> LabelledData:
        """The part that chooses: validation samples, and training inputs for scales."""
        return LabelledData(self.calibration, self.x_validation, self.y_validation)

    @property
    def test(self) -> LabelledData:
        """The part that reports, and training inputs for scales."""
        return LabelledData(self.calibration, self.x_test, self.y_test)


def load_split(
    path: str | Path,
    n_in: int,
    n_classes: int,
    *,
    seed: int = 0,
    shape: tuple[int, ...] | None = None,
) -> SplitData:
    """Read an ``.npz`` file with ``x`` and ``y``, and cut it: stratified by the labels, random by ``seed``.

    One of :data:`PARTS` parts is for validation, one for the test, the others are for training. ``shape`` is as of
    :func:`~spectramac.compress.labelled.load_labelled`.

    Raises
    ------
    ValueError
        As :func:`~spectramac.compress.labelled.load_labelled`; also if the training part has only zeros.
    """
    x, y = read_samples(path, n_in, n_classes, shape)
    x, y, x_test, y_test = cut(x, y, PARTS, seed)
    x_train, y_train, x_validation, y_validation = cut(x, y, PARTS - 1, seed)
    data = SplitData(
        x_train=x_train,
        y_train=y_train,
        x_validation=x_validation,
        y_validation=y_validation,
        x_test=x_test,
        y_test=y_test,
        n_classes=n_classes,
    )
    if not np.any(data.calibration):
        raise ValueError(f"{path}: the training part must hold something other than zeros")
    return data
