# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Versions of training images."""

import numpy as np
import pytest

from spectramac.compress.versions import SHIFTS, Versions, image_versions


def test_versions_by_hand() -> None:
    """One image of 2 x 3 moved right, down, and mirrored."""
    x = np.arange(1, 7, dtype=np.int8)[None]
    found = image_versions(x, (2, 3), shifts=((0, 0), (0, 1), (1, 0)))
    assert found.reshape(6, 2, 3).tolist() == [
        [[1, 2, 3], [4, 5, 6]],
        [[0, 1, 2], [0, 4, 5]],
        [[0, 0, 0], [1, 2, 3]],
        [[3, 2, 1], [6, 5, 4]],
        [[0, 3, 2], [0, 6, 5]],
        [[0, 0, 0], [3, 2, 1]],
    ]


def test_shifts_undo_each_other_inside() -> None:
    rng = np.random.default_rng(0)
    x = np.zeros((4, 6, 6), np.int8)
    x[:, 1:-1, 1:-1] = rng.integers(-128, 128, (4, 4, 4))
    x = x.reshape(4, -1)
    for rows, columns in SHIFTS:
        moved = image_versions(x, (6, 6), shifts=((rows, columns),), mirror=False)[0]
        back = image_versions(moved, (6, 6), shifts=((-rows, -columns),), mirror=False)[0]
        np.testing.assert_array_equal(back, x)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"plain": 1.5}, "plain must be from 0 to 1, not 1.5"),
        ({"inputs": np.zeros((2, 4, 9), np.int8)}, r"inputs of shape \(versions, 5, 9\)"),
        ({"logits": np.zeros((3, 5, 2), np.float32)}, r"logits of shape \(2, 5, 2\)"),
    ],
)
def test_what_does_not_suit_is_refused(change: dict, message: str) -> None:
    fields = {"inputs": np.zeros((2, 5, 9), np.int8), "logits": np.zeros((2, 5, 2), np.float32)}
    versions = Versions(**fields | change)
    with pytest.raises(ValueError, match=message):
        versions.check(5, 9, 2)
