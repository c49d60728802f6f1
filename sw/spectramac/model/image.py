# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Sections of a model image as NumPy arrays, and back.

A memory's contents are a uint32 array ``(n_words, chunks)``: each word in the 32-bit pieces in
which it travels over the register bus, low bits first.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.image import Image
from spectramac.spec.memory import BUS_WIDTH, memories
from spectramac.spec.section import Section

__all__ = ["Chunks", "empty_memories", "from_chunks", "image_memories", "to_chunks"]

Chunks = NDArray[np.uint32]


def to_chunks(section: Section) -> Chunks:
    """Unpack a section to ``(n_words, chunks)``."""
    width, n_words = section.width, section.n_words
    n_chunks = -(-width // BUS_WIDTH)
    bits = np.unpackbits(np.frombuffer(section.data, np.uint8), bitorder="little")
    padded = np.zeros((n_words, n_chunks * BUS_WIDTH), np.uint8)
    padded[:, :width] = bits[: n_words * width].reshape(n_words, width)
    packed = np.packbits(padded.reshape(-1), bitorder="little")
    return packed.view("<u4").astype(np.uint32).reshape(n_words, n_chunks)


def from_chunks(chunks: Any, width: int) -> Section:
    """Pack ``(n_words, chunks)`` words of ``width`` bits.

    Raises
    ------
    ValueError
        If the shape is wrong or a word does not fit.
    """
    chunks = np.asarray(chunks)
    n_chunks = -(-width // BUS_WIDTH)
    if chunks.ndim != 2 or chunks.shape[1] != n_chunks or chunks.dtype != np.uint32:
        raise ValueError(
            f"words of {width} bits must be a uint32 array (n_words, {n_chunks}), not "
            f"{chunks.dtype} {chunks.shape}"
        )
    raw = np.ascontiguousarray(chunks, "<u4").view(np.uint8)
    flat = np.unpackbits(raw.reshape(-1), bitorder="little")
    bits = flat.reshape(len(chunks), n_chunks * BUS_WIDTH)
    if bits[:, width:].any():
        raise ValueError(f"words must fit {width} bits")
    data = np.packbits(bits[:, :width].reshape(-1), bitorder="little").tobytes()
    return Section(width, len(chunks), data)


def empty_memories(config: AcceleratorConfig) -> dict[str, Chunks]:
    """All host-visible memories, zero, whole depth."""
    return {
        name: np.zeros((memory.depth, memory.chunks), np.uint32)
        for name, memory in memories(config).items()
    }


def image_memories(image: Image, config: AcceleratorConfig) -> dict[str, Chunks]:
    """All memories of an accelerator that was zero and then loaded with ``image``.

    Raises
    ------
    ImageError, BuildIdMismatchError
        If the image does not fit the configuration.
    """
    image.check(config)
    contents = empty_memories(config)
    for name, section in image.sections.items():
        contents[name][: section.n_words] = to_chunks(section)
    return contents
