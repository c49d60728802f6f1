# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Sections of images: the contents of memories, and whether a configuration can take them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.container import MAX_PAYLOAD_BYTES
from spectramac.spec.errors import BuildIdMismatchError, ImageError, ImageTooLargeError
from spectramac.spec.memory import memories

__all__ = ["Section", "check_identity", "check_integer", "check_section", "split_sections"]

MAX_SECTION_WIDTH = 1 << 12
_DEPTHS = {
    "coefficient": "coefficient_depth",
    "index": "coefficient_depth",
    "directory": "directory_depth",
    "bias": "channel_depth",
    "scale": "channel_depth",
    "row_shift": "channel_depth",
    "descriptor": "n_layers_max",
    "kernel": "kernel_depth",
}
"""Which parameter of a configuration sets the depth of each memory of an image."""


def check_integer(what: str, value: Any, low: int, high: int) -> int:
    """``value``, if it is an integer in this range."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ImageError(f"{what} must be an integer from {low} to {high}, not {value!r}")
    return value


def check_identity(identity: Mapping[str, Any], build_id: int, config: AcceleratorConfig) -> None:
    """Raise unless an image was compiled for ``config``.

    Raises
    ------
    BuildIdMismatchError
    """
    if build_id != config.build_id or dict(identity) != config.identity():
        differing = [
            f"{key} is {identity.get(key)!r} there and {value!r} here"
            for key, value in config.identity().items()
            if identity.get(key) != value
        ]
        if len(differing) > 5:
            differing[4:] = [f"and {len(differing) - 4} more"]
        raise BuildIdMismatchError(
            "image",
            build_id,
            config.build_id,
            f"{'; '.join(differing) or 'the image contradicts itself'}; compile the network "
            f"for configuration {config.name!r}",
        )


def check_section(name: str, section: "Section", config: AcceleratorConfig) -> None:
    """Raise unless a section fits memory ``name`` of ``config``.

    Raises
    ------
    ImageTooLargeError, ImageError
    """
    known = {name: m for name, m in memories(config).items() if m.in_image}
    if name not in known:
        raise ImageError(
            f"image section {name!r} must be one of {', '.join(known)}; compile the network again"
        )
    memory = known[name]
    if section.width != memory.width:
        raise ImageError(
            f"image section {name!r} must have words of {memory.width} bits, not {section.width}; "
            "compile the network again"
        )
    if section.n_words > memory.depth:
        raise ImageTooLargeError(
            f"image section {name!r} has {section.n_words} words, but memory {name!r} of "
            f"configuration {config.name!r} has a depth of {memory.depth}; compress the network "
            f"further or compile it for a configuration with a larger {_DEPTHS[name]}"
        )


@dataclass(frozen=True)
class Section:
    """Contents of the first words of one memory.

    Parameters
    ----------
    width : int
        Bits of a word.
    n_words : int
    data : bytes
        The words, bit-packed (:mod:`spectramac.spec.image`).
    """

    width: int
    n_words: int
    data: bytes

    def __post_init__(self) -> None:
        check_integer("section width", self.width, 1, MAX_SECTION_WIDTH)
        check_integer("section n_words", self.n_words, 0, 8 * MAX_PAYLOAD_BYTES // self.width)
        bits = self.width * self.n_words
        if len(self.data) != -(-bits // 8):
            raise ImageError(
                f"a section of {self.n_words} words of {self.width} bits must have {-(-bits // 8)} "
                f"bytes, not {len(self.data)}"
            )
        if bits % 8 and self.data[-1] >> bits % 8:
            raise ImageError("the bits after the last word of a section must be zero")

    @classmethod
    def from_words(cls, words: list[int], width: int) -> "Section":
        """Pack unsigned integers."""
        packed = 0
        for i, word in enumerate(words):
            packed |= check_integer(f"word {i}", word, 0, (1 << width) - 1) << (i * width)
        return cls(width, len(words), packed.to_bytes(-(-len(words) * width // 8), "little"))

    def words(self) -> list[int]:
        """Unpack to unsigned integers."""
        packed = int.from_bytes(self.data, "little")
        mask = (1 << self.width) - 1
        return [(packed >> (i * self.width)) & mask for i in range(self.n_words)]


def split_sections(sizes: Iterable[tuple[int, int]], payload: bytes) -> list[Section]:
    """Sections of these widths and numbers of words, from the payload of a file.

    Raises
    ------
    ImageError
        If they are not what the payload has.
    """
    sections, offset = [], 0
    for width, n_words in sizes:
        check_integer("section width", width, 1, MAX_SECTION_WIDTH)
        check_integer("section n_words", n_words, 0, 8 * MAX_PAYLOAD_BYTES // width)
        end = offset + -(-width * n_words // 8)
        sections.append(Section(width, n_words, payload[offset:end]))
        offset = end
    if offset != len(payload):
        raise ImageError(f"the sections must have {len(payload)} bytes in all, not {offset}")
    return sections
