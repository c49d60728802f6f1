# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Labelled data of a user, checked, and cut into a part that calibrates and a part that chooses."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.choose import folds_of

__all__ = ["MAX_CALIBRATION", "LabelledData", "load_labelled", "read_samples", "split_labelled"]

MAX_CALIBRATION = 1000
"""Samples of the calibration part, at most: scales hardly change with more, and time does."""
_PARTS = 4
_MIN_SAMPLES = 2 * _PARTS


@dataclass(frozen=True, eq=False)
class LabelledData:
    """Real inputs and labels.

    Attributes
    ----------
    calibration : float array (batch, n_in)
        For scales and the choice of coefficients; labels are not needed.
    x : float array (batch, n_in)
        On which accuracies are measured that something is chosen by. Test data belong to neither.
    labels : int array (batch,)
        Of ``x``.
    """

    calibration: Floats
    x: Floats
    labels: NDArray[np.int64]


def _read(path: str | Path) -> dict[str, NDArray[Any]]:
    try:
        with Path(path).open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            if isinstance(file, np.ndarray):
                raise ValueError("it is a single array")
            with file:
                return {name: np.asarray(file[name]) for name in file.files}
    except (zipfile.BadZipFile, EOFError, ValueError) as error:
        raise ValueError(f"{path} must be an .npz file of arrays: {error}") from error


Shape = tuple[int, ...]


def _inputs(
    path: object, name: str, array: NDArray[Any], n_in: int, shape: Shape | None = None
) -> Floats:
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{path}: {name} must hold real numbers, not {array.dtype}")
    if array.ndim < 2 or not len(array) or int(np.prod(array.shape[1:])) != n_in:
        raise ValueError(
            f"{path}: {name} must have shape (samples, {n_in}), or (samples, ...) with {n_in} "
            f"elements each, not {array.shape}"
        )
    if shape is not None and array.ndim > 2 and _long(array.shape[1:]) != _long(shape):
        raise ValueError(
            f"{path}: {name} must have shape {('samples', *shape)}, as the network's input, or (samples, {n_in}), "
            f"not {array.shape}"
        )
    values = array.reshape(len(array), n_in).astype(np.float64)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        where = tuple(bad[0].tolist())
        raise ValueError(
            f"{path}: {name} must be finite, not {values[where]} (sample {where[0]}, element "
            f"{where[1]})"
        )
    return values


def _long(shape: Shape) -> Shape:
    """Axes of more than one element, which say in what order they are."""
    return tuple(n for n in shape if n > 1)


def _labels(path: object, array: NDArray[Any], n_samples: int, n_classes: int) -> NDArray[np.int64]:
    if array.shape != (n_samples,):
        raise ValueError(
            f"{path}: y must have shape ({n_samples},), a label for each sample, not {array.shape}"
        )
    if array.dtype.kind not in "iu":
        raise ValueError(f"{path}: y must hold integers, the labels, not {array.dtype}")
    bad = array[(array < 0) | (array >= n_classes)]
    if len(bad):
        raise ValueError(
            f"{path}: y must be from 0 to {n_classes - 1}, because the network has {n_classes} "
            f"outputs, not {int(bad[0])}"
        )
    return array.astype(np.int64)


def load_labelled(
    path: str | Path, n_in: int, n_classes: int, *, seed: int = 0, shape: Shape | None = None
) -> LabelledData:
    """Read an ``.npz`` file with ``x`` (samples, n_in) or (samples, …) and ``y`` (samples,).

    With an array ``x_calibration`` in it, that is the calibration part, and all of ``x`` the other one.
    Otherwise :func:`split_labelled` cuts ``x``. Nothing in the file is executed.

    With a ``shape``, samples that are no vectors must have it, axes of one element aside.

    Raises
    ------
    ValueError
        Naming what is wrong with a name, a shape, a type or a value.
    """
    arrays = _read(path)
    return _check(path, arrays, n_in, n_classes, seed, shape)


def read_samples(
    path: str | Path, n_in: int, n_classes: int, shape: Shape | None = None
) -> tuple[Floats, NDArray[np.int64]]:
    """All of ``x`` and ``y`` of an ``.npz`` file of these two, checked but not split.

    Raises
    ------
    ValueError
        As :func:`load_labelled`.
    """
    return _samples(path, _read(path), n_in, n_classes, shape, "x", "y")


def _samples(
    path: object,
    arrays: Mapping[str, NDArray[Any]],
    n_in: int,
    n_classes: int,
    shape: Shape | None,
    *known: str,
) -> tuple[Floats, NDArray[np.int64]]:
    if n_classes < 2:
        raise ValueError(f"the network must have at least 2 outputs, classes, not {n_classes}")
    unknown = sorted(set(arrays) - set(known))
    if unknown:
        wanted = f"{', '.join(known[:-1])} and {known[-1]}"
        raise ValueError(f"{path}: arrays must be called {wanted}, not {unknown[0]!r}")
    for name in ("x", "y"):
        if name not in arrays:
            raise ValueError(f"{path}: there must be an array {name}")
    x = _inputs(path, "x", arrays["x"], n_in, shape)
    labels = _labels(path, arrays["y"], len(x), n_classes)
    if len(x) < _MIN_SAMPLES and "x_calibration" not in arrays:
        raise ValueError(
            f"{path}: x must have at least {_MIN_SAMPLES} samples to be split, not {len(x)}"
        )
    return x, labels


def _check(
    path: object,
    arrays: Mapping[str, NDArray[Any]],
    n_in: int,
    n_classes: int,
    seed: int,
    shape: Shape | None,
) -> LabelledData:
    x, labels = _samples(path, arrays, n_in, n_classes, shape, "x", "y", "x_calibration")
    if "x_calibration" in arrays:
        given = _inputs(path, "x_calibration", arrays["x_calibration"], n_in, shape)
        data = LabelledData(given, x, labels)
    else:
        data = split_labelled(x, labels, seed=seed)
    if not np.any(data.calibration):
        raise ValueError(f"{path}: the calibration part must hold something other than zeros")
    return data


def split_labelled(x: Floats, labels: NDArray[np.int64], *, seed: int = 0) -> LabelledData:
    """A quarter of the samples, but at most :data:`MAX_CALIBRATION`, for calibration; the rest to choose by.

    Random by ``seed``, stratified by the labels.
    """
    parts = max(_PARTS, -(-len(labels) // MAX_CALIBRATION))
    first = folds_of(labels, parts, seed) == 0
    return LabelledData(x[first], x[~first], labels[~first])
