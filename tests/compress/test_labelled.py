# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Labelled data: what is refused, and how it is split."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.compress.clusters import N_CLASSES, N_IN, clusters

from spectramac.compress.labelled import (
    MAX_CALIBRATION,
    load_labelled,
    read_samples,
    split_labelled,
)


def rows(x: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in x}


def test_parts_are_disjoint_complete_and_stratified() -> None:
    x, labels = clusters(200)
    data = split_labelled(x, labels)
    assert len(data.calibration) == 50
    assert len(data.x) == len(data.labels) == 150
    assert rows(data.calibration) | rows(data.x) == rows(x)
    assert not rows(data.calibration) & rows(data.x)
    for label in range(N_CLASSES):
        n = np.count_nonzero(labels == label)
        assert abs(np.count_nonzero(data.labels == label) - 0.75 * n) <= 1
    by_row = {row.tobytes(): label for row, label in zip(x, labels, strict=True)}
    assert [by_row[row.tobytes()] for row in data.x] == data.labels.tolist()


def test_the_seed_gives_the_split() -> None:
    x, labels = clusters(80)
    a, b, other = (split_labelled(x, labels, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(a.x, b.x)
    assert not np.array_equal(a.x, other.x)


def test_calibration_is_limited() -> None:
    n = 5 * MAX_CALIBRATION
    data = split_labelled(np.arange(n, dtype=np.float64)[:, None], np.zeros(n, np.int64))
    assert len(data.calibration) == MAX_CALIBRATION


def test_load(tmp_path: Path) -> None:
    x, labels = clusters(40)
    path = tmp_path / "d.npz"
    np.savez(path, x=x.reshape(40, 4, 8), y=labels.astype(np.uint8))
    data = load_labelled(path, N_IN, N_CLASSES, seed=2)
    expected = split_labelled(x, labels, seed=2)
    assert np.array_equal(data.x, expected.x)
    assert np.array_equal(data.labels, expected.labels)
    assert np.array_equal(data.calibration, expected.calibration)
    np.savez(path, x=x[:5], y=labels[:5], x_calibration=x[5:])
    data = load_labelled(path, N_IN, N_CLASSES)
    assert np.array_equal(data.x, x[:5])
    assert np.array_equal(data.calibration, x[5:])


X, Y = clusters(16)


def changed(value: float, dtype: Any = np.float64) -> np.ndarray:
    x = X.copy()
    x[3, 5] = value
    return x.astype(dtype)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, "must be an array y"),
        ({"y": Y}, "must be an array x"),
        ({"x": X, "y": Y, "z": Y}, "called x, y and x_calibration, not 'z'"),
        ({"x": X[:, 1:], "y": Y}, r"x must have shape \(samples, 32\).*not \(16, 31\)"),
        ({"x": X[0], "y": Y}, r"not \(32,\)"),
        ({"x": X[:0], "y": Y[:0]}, r"not \(0, 32\)"),
        ({"x": changed(np.nan), "y": Y}, r"x must be finite, not nan \(sample 3, element 5\)"),
        ({"x": changed(-np.inf), "y": Y}, "x must be finite, not -inf"),
        ({"x": X.astype(str), "y": Y}, "x must hold real numbers, not <U"),
        ({"x": X * 1j, "y": Y}, "x must hold real numbers, not complex128"),
        ({"x": X, "y": Y[:-1]}, r"y must have shape \(16,\).*not \(15,\)"),
        ({"x": X, "y": np.eye(4)[Y]}, r"y must have shape \(16,\).*not \(16, 4\)"),
        ({"x": X, "y": Y.astype(float)}, "y must hold integers, the labels, not float64"),
        ({"x": X, "y": Y + 1}, "y must be from 0 to 3, .* 4 outputs, not 4"),
        ({"x": X, "y": Y - 1}, "y must be from 0 to 3, .* 4 outputs, not -1"),
        ({"x": X[:7], "y": Y[:7]}, "at least 8 samples to be split, not 7"),
        ({"x": 0 * X, "y": Y}, "other than zeros"),
        ({"x": X, "y": Y, "x_calibration": X[:, 1:]}, "x_calibration must have shape"),
        ({"x": X, "y": Y, "x_calibration": changed(np.nan)}, "x_calibration must be finite"),
    ],
)
def test_refusals(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        load_labelled(tmp_path / "d.npz", N_IN, N_CLASSES)


def test_one_output_is_no_classifier(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=X, y=0 * Y)
    with pytest.raises(ValueError, match="at least 2 outputs, classes, not 1"):
        load_labelled(tmp_path / "d.npz", N_IN, 1)


def test_files_that_are_no_npz(tmp_path: Path) -> None:
    np.save(tmp_path / "array.npy", X)
    (tmp_path / "text.npz").write_text("x,y\n1,2\n")
    (tmp_path / "empty.npz").write_bytes(b"")
    np.savez(tmp_path / "whole.npz", x=X, y=Y)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:300])
    np.savez(tmp_path / "objects.npz", x=np.array([{}], object), y=Y)
    for name in ("array.npy", "text.npz", "empty.npz", "cut.npz", "objects.npz"):
        with pytest.raises(ValueError, match=f"{name} must be an .npz file of arrays"):
            load_labelled(tmp_path / name, N_IN, N_CLASSES)


SHAPE = (2, 16)
"""Of an input that is no vector: two channels, a sequence of sixteen."""


@pytest.mark.parametrize("given", [(16, 32), (16, 2, 16), (16, 2, 1, 16), (16, 1, 2, 16, 1)])
def test_shapes_that_say_the_same(tmp_path: Path, given: tuple[int, ...]) -> None:
    """Vectors, and other axes of one element."""
    np.savez(tmp_path / "d.npz", x=X.reshape(given), y=Y)
    expected = split_labelled(X, Y)
    for shape in (SHAPE, (2, 1, 16), None):
        data = load_labelled(tmp_path / "d.npz", N_IN, N_CLASSES, shape=shape)
        assert np.array_equal(data.x, expected.x)
    assert np.array_equal(read_samples(tmp_path / "d.npz", N_IN, N_CLASSES, SHAPE)[0], X)


@pytest.mark.parametrize("given", [(16, 16, 2), (16, 4, 8), (16, 2, 4, 4)])
@pytest.mark.parametrize("name", ["x", "x_calibration"])
def test_shapes_that_say_something_else(tmp_path: Path, given: tuple[int, ...], name: str) -> None:
    """With as many elements; without a shape they are taken in the order in which they are."""
    arrays = {"x": X, "y": Y, "x_calibration": X, name: X.reshape(given)}
    np.savez(tmp_path / "d.npz", **arrays)
    assert len(load_labelled(tmp_path / "d.npz", N_IN, N_CLASSES).x) == 16
    message = re.escape(
        f"{name} must have shape ('samples', 2, 16), as the network's input, or (samples, 32), not {given}"
    )
    with pytest.raises(ValueError, match=message):
        load_labelled(tmp_path / "d.npz", N_IN, N_CLASSES, shape=SHAPE)
