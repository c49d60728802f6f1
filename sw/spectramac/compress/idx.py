# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""IDX files, the format of MNIST and its successors: a header of big-endian numbers, then unsigned bytes.

======  =====================================================
bytes   contents
======  =====================================================
2       zero
1       type of an element: 8, unsigned byte, is what is read
1       number of axes
4 each  length of every axis
rest    elements, row-major
======  =====================================================
"""

import gzip
import zlib
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["find_idx", "read_idx", "read_idx_pair"]

_UNSIGNED_BYTE = 8
_GZIP = b"\x1f\x8b"


def _contents(path: Path) -> bytes:
    data = path.read_bytes()
    if not data.startswith(_GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path} must be a whole gzip file: {error}") from error


def read_idx(path: str | Path, n_axes: int) -> NDArray[np.uint8]:
    """Read a file, compressed by gzip or not (its contents tell).

    Raises
    ------
    ValueError
        If the first four bytes, the number of axes or the length of the file is wrong.
    """
    path = Path(path)
    data = _contents(path)
    wanted = bytes((0, 0, _UNSIGNED_BYTE, n_axes))
    if data[:4] != wanted:
        raise ValueError(
            f"{path}: an IDX file of unsigned bytes with {n_axes} axes must start with "
            f"{wanted.hex()}, not {data[:4].hex() or 'nothing'}"
        )
    start = 4 + 4 * n_axes
    if len(data) < start:
        raise ValueError(f"{path}: the header must have {start} bytes, not {len(data)}")
    shape = tuple(np.frombuffer(data[4:start], ">u4").tolist())
    if len(data) - start != prod(shape):
        raise ValueError(
            f"{path}: after the header there must be {prod(shape)} bytes, for shape {shape}, not "
            f"{len(data) - start}"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def find_idx(folder: Path, name: str) -> Path:
    """``name`` or ``name.gz`` in a folder.

    Raises
    ------
    FileNotFoundError
        If neither is there.
    """
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise FileNotFoundError(f"there must be a file {name} or {name}.gz in {folder}")


def read_idx_pair(
    images: str | Path, labels: str | Path
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (samples, height, width) and their labels (samples,).

    Raises
    ------
    ValueError
        If a file is wrong, or the two differ in number.
    """
    x, y = read_idx(images, 3), read_idx(labels, 1)
    if len(x) != len(y):
        raise ValueError(f"{images} and {labels} must hold equally many, not {len(x)} and {len(y)}")
    return x, y.astype(np.int64)
