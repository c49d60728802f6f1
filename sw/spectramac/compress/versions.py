# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Versions of training images, mirrored and shifted, with the logits of a teacher for each of them.

A small network that is trained for long sees its samples often. Other versions of them, and what a large network
says of each, tell it more than the labels do. A finite number of versions lets the large network be asked once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["SHIFTS", "Versions", "image_versions"]

SHIFTS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
"""Rows and columns that an image is moved by."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Versions:
    """Versions of all training samples; the first is the sample itself.

    Attributes
    ----------
    inputs : int8 array (versions, samples, n_in)
        In the steps of the network's input.
    logits : float array (versions, samples, classes)
    plain : float
        Part of the draws that takes the sample itself, besides those that do by chance.
    """

    inputs: NDArray[np.int8]
    logits: NDArray[np.float32]
    plain: float = 0.5

    def check(self, n_samples: int, n_in: int, n_classes: int) -> None:
        """Raise unless it suits such data.

        Raises
        ------
        ValueError
            Naming what is wrong.
        """
        if not 0 <= self.plain <= 1:
            raise ValueError(f"plain must be from 0 to 1, not {self.plain!r}")
        if self.inputs.ndim != 3 or self.inputs.shape[1:] != (n_samples, n_in):
            raise ValueError(
                f"versions must have inputs of shape (versions, {n_samples}, {n_in}), not {self.inputs.shape}"
            )
        expected = (len(self.inputs), n_samples, n_classes)
        if self.logits.shape != expected:
            raise ValueError(
                f"versions must have logits of shape {expected}, not {self.logits.shape}"
            )


def image_versions(
    x: NDArray[np.int8],
    shape: tuple[int, int],
    *,
    shifts: tuple[tuple[int, int], ...] = SHIFTS,
    mirror: bool = True,
) -> NDArray[np.int8]:
    """Images moved, and mirrored left to right; what comes in from outside is zero.

    Parameters
    ----------
    x : int8 array (samples, height * width)
    shape : (int, int)
        Height and width.
    shifts : sequence of (rows, columns)
    mirror : bool

    Returns
    -------
    int8 array (versions, samples, height * width)
        All shifts of the images, then of the mirrored ones.
    """
    height, width = shape
    images = x.reshape(-1, height, width)
    versions = []
    for source in (images, images[:, :, ::-1]) if mirror else (images,):
        for rows, columns in shifts:
            moved = np.zeros_like(images)
            to_rows, from_rows = _overlap(rows, height)
            to_columns, from_columns = _overlap(columns, width)
            moved[:, to_rows, to_columns] = source[:, from_rows, from_columns]
            versions.append(moved.reshape(x.shape))
    return np.array(versions)


def _overlap(shift: int, size: int) -> tuple[slice, slice]:
    """Where elements moved by ``shift`` come to lie, and where they were."""
    return (
        slice(max(shift, 0), size + min(shift, 0)),
        slice(max(-shift, 0), size - max(shift, 0)),
    )
