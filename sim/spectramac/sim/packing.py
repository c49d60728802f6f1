# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Stream payloads as NumPy words: the vectorised form of ``spec.stream.Payload.pack`` and ``unpack``.

A payload of up to 64 bits is one ``uint64``; a wider one is a row of them, lowest first.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from spectramac.spec.fixed import Format
from spectramac.spec.stream import Payload

__all__ = ["Words", "leaves", "n_words", "pack_words", "unpack_words"]

Words = npt.NDArray[np.uint64]


def n_words(width: int) -> int:
    """64-bit words that ``width`` bits take."""
    return (width + 63) // 64


def leaves(payload: Payload, path: str = "", offset: int = 0) -> Iterator[tuple[str, Format, int]]:
    """Dotted name, format and lowest bit of every number in a payload."""
    for field in payload.fields:
        name = path + field.name
        if isinstance(field.type, Payload):
            yield from leaves(field.type, name + ".", offset)
        else:
            yield name, field.type, offset
        offset += field.width


def pack_words(payload: Payload, values: Mapping[str, Any]) -> Words:
    """Encode arrays of field values, by dotted field name; scalars are repeated.

    Raises
    ------
    ValueError
        If a field is missing, unknown, or out of range.
    """
    names = [name for name, _, _ in leaves(payload)]
    if unknown := set(values) - set(names):
        raise ValueError(f"payload fields must be {', '.join(names)}, not {sorted(unknown)}")
    if missing := [name for name in names if name not in values]:
        raise ValueError(f"payload field {missing[0]!r} must be given")
    shape = np.broadcast_shapes(*(np.shape(values[name]) for name in names), (1,))
    words = np.zeros((int(np.prod(shape)), n_words(payload.width)), dtype=np.uint64)
    for name, fmt, offset in leaves(payload):
        given = np.asarray(values[name])
        if given.dtype.kind not in "iub":
            raise ValueError(f"payload field {name!r} must be integers, not {given.dtype}")
        bad = (given < fmt.minimum) | (given > fmt.maximum)
        if bad.any():
            raise ValueError(
                f"payload field {name!r} must fit {fmt}, not {given[bad].reshape(-1)[0]}"
            )
        raw = np.broadcast_to(given, shape).reshape(-1).astype(np.uint64)
        if fmt.width < 64:
            raw = raw & np.uint64((1 << fmt.width) - 1)
        index, shift = divmod(offset, 64)
        words[:, index] |= raw << np.uint64(shift)
        if shift and shift + fmt.width > 64:
            words[:, index + 1] |= raw >> np.uint64(64 - shift)
    return words[:, 0].copy() if words.shape[1] == 1 else words


def unpack_words(payload: Payload, words: Words) -> dict[str, npt.NDArray[np.int64]]:
    """Decode words into one ``int64`` array per number, by dotted field name."""
    rows = words.reshape(-1, n_words(payload.width)).astype(np.uint64)
    values = {}
    for name, fmt, offset in leaves(payload):
        index, shift = divmod(offset, 64)
        raw = rows[:, index] >> np.uint64(shift)
        if shift and shift + fmt.width > 64:
            raw |= rows[:, index + 1] << np.uint64(64 - shift)
        up = np.uint64(64 - fmt.width)
        if fmt.signed:
            values[name] = (raw << up).view(np.int64) >> np.int64(64 - fmt.width)
        else:
            values[name] = ((raw << up) >> up).view(np.int64)
    return values
