# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A compiled network graph on the golden model: segment after segment, from the memories."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectramac.model.accelerator import ProgramResult, run_program
from spectramac.model.image import Chunks, empty_memories, to_chunks
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.graph_image import GraphImage
from spectramac.spec.graph_segment import Transfer

__all__ = ["GraphProgramResult", "HostMaps", "run_graph_program"]

Words = NDArray[np.uint32]


class HostMaps:
    """The maps of one run that pass through the host, as activation words.

    Parameters
    ----------
    image : GraphImage
    x : int8 array (batch, height, width, channels)
        Inputs; an odd batch gets a zero partner.
    """

    def __init__(self, image: GraphImage, x: NDArray[np.int8]) -> None:
        self.image = image
        self.batch = len(x)
        self.n_pairs = -(-len(x) // 2)
        self.maps = {
            name: np.zeros((self.n_pairs, *shape), np.uint32) for name, shape in image.maps.items()
        }
        words = x.view(np.uint8).astype(np.uint32)
        target = self.maps[image.input]
        target[:] = words[0::2]
        target[: self.batch // 2] |= words[1::2] << np.uint32(8)

    def load(self, transfer: Transfer) -> Words:
        """Words of every pair, (n_pairs, n)."""
        part = self.maps[transfer.map][:, *transfer.box]
        return part.reshape(self.n_pairs, -1)

    def store(self, transfer: Transfer, words: Words) -> None:
        """Take words of every pair, (n_pairs, n)."""
        target = self.maps[transfer.map][:, *transfer.box]
        target[:] = words.reshape(target.shape)

    @property
    def outputs(self) -> NDArray[np.int8]:
        """int8 array (batch, height, width, channels)"""
        words = self.maps[self.image.output]
        both = np.stack([words & 0xFF, words >> 8 & 0xFF], axis=1).astype(np.uint8)
        return both.reshape(-1, *words.shape[1:])[: self.batch].view(np.int8)


@dataclass(frozen=True, eq=False)
class GraphProgramResult:
    """Outputs of a run and what each program did.

    Attributes
    ----------
    outputs : int8 array (batch, height, width, channels)
    programs : tuple of ProgramResult
        Of each segment that has a program.
    """

    outputs: NDArray[np.int8]
    programs: tuple[ProgramResult, ...]


def run_graph_program(
    config: AcceleratorConfig, image: GraphImage, x: NDArray[np.int8]
) -> GraphProgramResult:
    """Run all segments for inputs of at most ``image.max_pairs`` pairs.

    Raises
    ------
    ImageError
        If the image does not fit the configuration.
    ProgramError
        If a descriptor is inconsistent.
    """
    image.check(config)
    host = HostMaps(image, x)
    memories = empty_memories(config)
    return GraphProgramResult(*_run(config, image, host, memories))


def _run(
    config: AcceleratorConfig, image: GraphImage, host: HostMaps, memories: dict[str, Chunks]
) -> tuple[NDArray[np.int8], tuple[ProgramResult, ...]]:
    programs = []
    for segment in image.segments:
        for name, number in segment.sections.items():
            section = image.sections[number]
            memories[name][: section.n_words] = to_chunks(section)
        for transfer in segment.loads:
            for at, words in zip(_places(transfer, host.n_pairs), host.load(transfer), strict=True):
                memories["activation"][at : at + len(words), 0] = words
        if segment.n_layers:
            result = run_program(config, memories, segment.n_layers, host.n_pairs)
            memories["activation"] = result.activation
            programs.append(result)
        for transfer in segment.stores:
            parts = [
                memories["activation"][at : at + transfer.size, 0]
                for at in _places(transfer, host.n_pairs)
            ]
            host.store(transfer, np.stack(parts))
    return host.outputs, tuple(programs)


def _places(transfer: Transfer, n_pairs: int) -> Iterator[int]:
    yield from (transfer.base + p * transfer.stride for p in range(n_pairs))
