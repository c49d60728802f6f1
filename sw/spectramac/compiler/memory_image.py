# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Contents of the memories: bit packing and allocation (:mod:`spectramac.spec.memory`)."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.layout import CompileError, Layout
from spectramac.model.image import Chunks, from_chunks
from spectramac.spec import descriptor as descriptors
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.memory import BUS_WIDTH, memories
from spectramac.spec.section import Section

__all__ = ["MemoryImage", "pack_coefficients", "pack_indices", "to_words"]

_REMEDIES = {
    "coefficient": "lower the density or use fewer bits",
    "index": "lower the density or use fewer bits",
    "directory": "use smaller layers or fewer row groups (more lanes, a larger accumulator_depth)",
    "bias": "use smaller layers",
    "scale": "use uniform scales or smaller layers",
    "row_shift": "use uniform row shifts or smaller layers",
    "descriptor": "use fewer layers",
    "kernel": "use fewer depthwise channels",
}


def pack_coefficients(layout: Layout, config: AcceleratorConfig) -> Chunks:
    """Words of coefficient memory: wide pairs (a, b) in two bytes, narrow ones in one."""
    a, b = layout.a & 0xFF, layout.b & 0xFF
    if layout.is_narrow:
        pair = (a & 15) | (b & 15) << 4
        lanes = _pad_even(pair).reshape(-1, 2, config.n_lanes).transpose(0, 2, 1)
    else:
        lanes = np.stack([a, b], axis=-1)
    return to_words(lanes.reshape(layout.n_words, 2 * config.n_lanes))


def pack_indices(layout: Layout, config: AcceleratorConfig) -> Chunks:
    """Words of index memory: one wide index in a byte, or two narrow ones."""
    d = layout.d
    if layout.is_narrow:
        pairs = _pad_even(d).reshape(-1, 2, config.n_lanes)
        d = pairs[:, 0] | pairs[:, 1] << 4
    return to_words(d.reshape(layout.n_words, config.n_lanes))


def _pad_even(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.pad(values, ((0, len(values) % 2), (0, 0)))


def to_words(data: NDArray[np.int64]) -> Chunks:
    """Words given as bytes (n_words, bytes), lowest first."""
    per_chunk = BUS_WIDTH // 8
    padding = -data.shape[1] % per_chunk
    padded = np.pad(data, ((0, 0), (0, padding))).astype(np.uint8)
    return padded.view("<u4").astype(np.uint32)


class MemoryImage:
    """Memories that are filled from word 0 up, layer after layer.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self._memories = {n: m for n, m in memories(config).items() if m.in_image}
        self._parts: dict[str, list[Chunks]] = {name: [] for name in self._memories}
        self._used = dict.fromkeys(self._memories, 0)

    def append(self, name: str, words: NDArray[np.integer], layer: str) -> int:
        """Store words of a layer; returns the address of the first.

        Parameters
        ----------
        name : str
            Memory.
        words : int array (n_words,), or uint32 array (n_words, chunks)
            Plain values may be negative.
        layer : str
            Name of the layer, for messages.

        Returns
        -------
        int
            The address; 0 if there is nothing to store.

        Raises
        ------
        CompileError
            If the memory is full.
        """
        memory = self._memories[name]
        if not len(words):
            return 0
        if words.ndim == 1:
            words = (words.astype(np.int64) & ((1 << memory.width) - 1))[:, None]
        base = self._used[name]
        needed = base + len(words)
        if needed > memory.depth:
            raise CompileError(
                f"layer {layer!r}: memory {name!r}: {needed} words are needed up to this layer, "
                f"configuration {self.config.name!r} has {memory.depth}; {_REMEDIES[name]}, or use "
                "a larger preset"
            )
        self._used[name] = needed
        self._parts[name].append(words.astype(np.uint32))
        return base

    def append_descriptor(self, values: Mapping[str, int], layer: str) -> None:
        """Store the next layer's descriptor."""
        padding = -self._used["descriptor"] % descriptors.PITCH
        self.append("descriptor", np.zeros(padding, np.int64), layer)
        self.append("descriptor", np.array(descriptors.encode(values), np.int64), layer)

    def sections(self) -> dict[str, Section]:
        """What was stored, by memory; empty memories are left out."""
        return {
            name: from_chunks(np.concatenate(parts), self._memories[name].width)
            for name, parts in self._parts.items()
            if parts
        }
