# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Three parts of a user's data: disjoint, complete, stratified, given by the seed."""

from pathlib import Path

import numpy as np
import pytest
from tests.compress.clusters import N_CLASSES, N_IN, clusters

from spectramac.compress.split import PARTS, SplitData, load_split


def load(folder: Path, n: int = 200, **options: int) -> SplitData:
    x, labels = clusters(n)
    np.savez(folder / "d.npz", x=x, y=labels)
    return load_split(folder / "d.npz", N_IN, N_CLASSES, **options)


def rows(x: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in x}


def test_parts_are_disjoint_complete_and_stratified(tmp_path: Path) -> None:
    data = load(tmp_path)
    x, labels = clusters(200)
    parts = (
        (data.x_train, data.y_train, PARTS - 2),
        (data.x_validation, data.y_validation, 1),
        (data.x_test, data.y_test, 1),
    )
    assert set.union(*(rows(part) for part, _, _ in parts)) == rows(x)
    assert sum(len(part) for part, _, _ in parts) == len(x)
    label_of = {row.tobytes(): label for row, label in zip(x, labels, strict=True)}
    for part, y, share in parts:
        assert abs(len(part) - share * len(x) / PARTS) <= N_CLASSES
        assert [label_of[row.tobytes()] for row in part] == y.tolist()
        for label in range(N_CLASSES):
            n = np.count_nonzero(labels == label)
            assert abs(np.count_nonzero(y == label) - share * n / PARTS) <= 2


def test_what_chooses_and_what_reports(tmp_path: Path) -> None:
    data = load(tmp_path)
    assert data.selection.x is data.x_validation
    assert data.selection.labels is data.y_validation
    assert data.test.x is data.x_test
    assert data.test.labels is data.y_test
    for part in (data.selection, data.test):
        assert rows(part.calibration) <= rows(data.x_train)


def test_the_seed_gives_the_split(tmp_path: Path) -> None:
    a, b, other = (load(tmp_path, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(a.x_test, b.x_test)
    assert np.array_equal(a.x_train, b.x_train)
    assert rows(a.x_test) != rows(other.x_test)


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 8 samples to be split, not 7"):
        load(tmp_path, 7)
    np.savez(tmp_path / "d.npz", x=np.zeros((20, N_IN)), y=np.arange(20) % N_CLASSES)
    with pytest.raises(ValueError, match="training part must hold something other than zeros"):
        load_split(tmp_path / "d.npz", N_IN, N_CLASSES)


def test_the_shape_of_an_input_is_checked(tmp_path: Path) -> None:
    x, labels = clusters(40)
    np.savez(tmp_path / "d.npz", x=x.reshape(40, 4, 8), y=labels)
    data = load_split(tmp_path / "d.npz", N_IN, N_CLASSES, shape=(4, 1, 8))
    assert np.array_equal(data.x_train, load(tmp_path, 40).x_train)
    np.savez(tmp_path / "d.npz", x=x.reshape(40, 4, 8), y=labels)
    with pytest.raises(
        ValueError, match=r"must have shape \('samples', 8, 4\), .* not \(40, 4, 8\)"
    ):
        load_split(tmp_path / "d.npz", N_IN, N_CLASSES, shape=(8, 4))
