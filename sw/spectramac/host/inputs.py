# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""From a batch of integers to activation words: checks, packing of two inferences a word."""

from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from spectramac.host.transport import Words
from spectramac.model.requantize import ACTIVATION
from spectramac.spec.errors import InputRangeError, InputShapeError, InputTypeError
from spectramac.spec.image import Image

__all__ = ["check_inputs", "flatten_batch", "pack_pairs", "unpack_pairs"]


def flatten_batch(x: NDArray[Any], n_inputs: int) -> NDArray[Any]:
    """``(batch, n_inputs)`` from that or ``(batch, *shape)``, in C order.

    Raises
    ------
    InputShapeError
        If one item of the batch does not have ``n_inputs`` elements.
    """
    if x.ndim < 2 or int(np.prod(x.shape[1:])) != n_inputs:
        hint = "; a single input needs a batch axis: x[None]" if x.size == n_inputs else ""
        raise InputShapeError(
            f"input must have shape (batch, {n_inputs}), or (batch, ...) with {n_inputs} elements "
            f"each, not {x.shape}{hint}"
        )
    return x.reshape(len(x), n_inputs)


def check_inputs(x: npt.ArrayLike, n_inputs: int) -> NDArray[np.int8]:
    """A batch of int8 vectors ``(batch, n_inputs)``, copied from ``x`` if all is well.

    Raises
    ------
    InputTypeError
        If ``x`` is not of an integer type.
    InputShapeError
        If its shape is wrong (:func:`flatten_batch`).
    InputRangeError
        If a value does not fit int8.
    """
    array = np.asarray(x)
    if array.dtype.kind not in "iu":
        hint = "; quantize_input converts real values" if array.dtype.kind == "f" else ""
        raise InputTypeError(f"input must be of an integer type, not {array.dtype}{hint}")
    array = flatten_batch(array, n_inputs)
    bad = (array < ACTIVATION.minimum) | (array > ACTIVATION.maximum)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InputRangeError(
            f"input must be from {ACTIVATION.minimum} to {ACTIVATION.maximum}, not "
            f"{int(array[where])} (item {where[0]}, element {where[1]})"
        )
    return array.astype(np.int8)


def pack_pairs(image: Image, x: NDArray[np.int8]) -> Words:
    """Activation words ``(pairs, image.input.count)`` of a batch ``(batch, n_inputs)``.

    Pair p has item 2p in the low byte and item 2p+1 in the high byte. An odd batch gets a zero
    partner; positions that no input maps to are zero.
    """
    batch = len(x)
    placed = np.zeros((batch + batch % 2, image.input.count), np.uint8)
    positions = slice(image.n_inputs) if image.input_map is None else np.array(image.input_map)
    placed[:batch, positions] = x.view(np.uint8)
    low, high = placed[0::2].astype(np.uint32), placed[1::2].astype(np.uint32)
    return low | (high << np.uint32(8))


def unpack_pairs(words: Words, batch: int) -> NDArray[np.int8]:
    """The first ``batch`` vectors of words ``(pairs, n)``."""
    both = np.stack([words & 0xFF, words >> 8 & 0xFF], axis=1).astype(np.uint8)
    return both.reshape(2 * len(words), words.shape[1])[:batch].view(np.int8)
