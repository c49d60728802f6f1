# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The image of a network graph: programs that run one after the other, and the maps that pass through the host.

The file is the container of :mod:`spectramac.spec.image` with another header: an object with the fields of
:class:`GraphImage` and ``"format": "graph"``. ``sections`` is a list of ``[width, n_words]``; the payload holds the
sections in this order. A segment has ``layers``, ``sections`` (an object from the name of a memory to the number of a
section), ``loads`` and ``stores`` (lists of ``[map, rows, columns, channels, base, stride]``; rows, columns and
channels are ``[first, end]``).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.container import (
    StoredFile,
    unwrap,
)
from spectramac.spec.errors import ImageError, ImageTooLargeError
from spectramac.spec.graph_segment import Segment
from spectramac.spec.section import (
    Section,
    check_identity,
    check_integer,
    check_section,
    split_sections,
)

__all__ = ["GraphImage"]

FORMAT = "graph"
_MOST = (1 << 16) - 1


@dataclass(frozen=True, kw_only=True)
class GraphImage(StoredFile):
    """A compiled network graph.

    Parameters
    ----------
    name : str
    identity, build_id, meta
        As of :class:`~spectramac.spec.image.Image`.
    maps : mapping of str to (int, int, int)
        Height, width and channels of the maps that are on the host at any time.
    input, output : str
        Names of the maps that the user gives and gets.
    input_scale, output_scale : float
        real value = integer * scale.
    max_pairs : int
        Pairs of inferences that run at a time.
    sections : tuple of Section
    segments : tuple of Segment
        In the order in which they run, all for the same pairs.
    """

    name: str
    identity: Mapping[str, Any]
    build_id: int
    maps: Mapping[str, tuple[int, int, int]]
    input: str
    output: str
    input_scale: float = 1.0
    output_scale: float = 1.0
    max_pairs: int = 1
    sections: tuple[Section, ...]
    segments: tuple[Segment, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_integer("build_id", self.build_id, 0, (1 << 32) - 1)
        check_integer("max_pairs", self.max_pairs, 1, _MOST)
        for name in ("input_scale", "output_scale"):
            value = getattr(self, name)
            if not isinstance(value, float | int) or not math.isfinite(value) or value <= 0:
                raise ImageError(f"{name} must be a positive number, not {value!r}")
            object.__setattr__(self, name, float(value))
        shapes = {}
        for name, shape in self.maps.items():
            if len(shape) != 3:
                raise ImageError(f"the shape of map {name!r} must be three numbers, not {shape}")
            for size in shape:
                check_integer(f"a size of map {name!r}", size, 1, _MOST)
            shapes[name] = tuple(shape)
        object.__setattr__(self, "maps", shapes)
        for side in ("input", "output"):
            if getattr(self, side) not in shapes:
                raise ImageError(f"{side} must be one of the maps, not {getattr(self, side)!r}")
        self._check_segments()

    def _check_segments(self) -> None:
        known = {self.input}
        for number, segment in enumerate(self.segments):
            for memory, section in segment.sections.items():
                check_integer(f"section of memory {memory!r}", section, 0, len(self.sections) - 1)
            if segment.n_layers and "descriptor" not in segment.sections:
                raise ImageError(f"segment {number} must have a section for its descriptors")
            for transfer in (*segment.loads, *segment.stores):
                if transfer.map not in self.maps:
                    raise ImageError(f"segment {number}: {transfer.map!r} must be one of the maps")
                for part, size in zip(transfer.box, self.maps[transfer.map], strict=True):
                    if part.stop > size:
                        raise ImageError(
                            f"segment {number}: a transfer of map {transfer.map!r} must end at {size}, not {part.stop}"
                        )
            for load in segment.loads:
                if load.map not in known:
                    raise ImageError(
                        f"segment {number}: map {load.map!r} must be stored before it is loaded"
                    )
            known |= {store.map for store in segment.stores}
        if self.output not in known:
            raise ImageError(f"a segment must store the output {self.output!r}")

    @property
    def n_layers(self) -> int:
        """Descriptors of all segments."""
        return sum(segment.n_layers for segment in self.segments)

    @property
    def layers(self) -> list[Mapping[str, Any]]:
        """Reports of all descriptors, in the order in which they run."""
        return [layer for segment in self.segments for layer in segment.layers]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one inference."""
        return self.maps[self.input]

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """Of one result."""
        return self.maps[self.output]

    @property
    def stored_bytes(self) -> int:
        """Bytes of all sections: weights, indices, directories, tables, programs."""
        return sum(len(section.data) for section in self.sections)

    @property
    def loaded_bytes(self) -> int:
        """Bytes of sections that one run of all segments writes; a memory that holds its section already is left."""
        held: dict[str, int] = {}
        total = 0
        for segment in self.segments:
            for memory, number in segment.sections.items():
                if held.get(memory) != number:
                    total += len(self.sections[number].data)
            held |= segment.sections
        return total

    def check(self, config: AcceleratorConfig) -> None:
        """Raise unless this image can run on an accelerator of configuration ``config``.

        Raises
        ------
        BuildIdMismatchError, ImageTooLargeError, ImageError
            As of :meth:`spectramac.spec.image.Image.check`.
        """
        check_identity(self.identity, self.build_id, config)
        for number, segment in enumerate(self.segments):
            for name, section in segment.sections.items():
                check_section(name, self.sections[section], config)
            if segment.n_layers > config.n_layers_max:
                raise ImageTooLargeError(
                    f"segment {number} has {segment.n_layers} layers, but configuration {config.name!r} holds "
                    f"{config.n_layers_max}; use a configuration with a larger n_layers_max"
                )
            for transfer in (*segment.loads, *segment.stores):
                end = transfer.base + (self.max_pairs - 1) * transfer.stride + transfer.size
                if end > config.activation_depth:
                    raise ImageTooLargeError(
                        f"segment {number}: map {transfer.map!r} of {self.max_pairs} pairs ends at word {end}, but "
                        f"memory 'activation' of configuration {config.name!r} has a depth of "
                        f"{config.activation_depth}; use a configuration with a larger activation_depth"
                    )

    # The file format.

    what = "a graph image"

    def header(self) -> dict[str, Any]:
        """The file's header."""
        header: dict[str, Any] = {key: getattr(self, key) for key in _SCALARS}
        header |= {
            "format": FORMAT,
            "identity": dict(self.identity),
            "meta": dict(self.meta),
            "maps": {name: list(shape) for name, shape in self.maps.items()},
            "sections": [[s.width, s.n_words] for s in self.sections],
            "segments": [segment.plain() for segment in self.segments],
        }
        return header

    def payload(self) -> bytes:
        """The sections."""
        return b"".join(section.data for section in self.sections)

    @classmethod
    def parse(cls, header: dict[str, Any], payload: bytes) -> "GraphImage":
        """From a file's parts."""
        return cls(**_fields(header, payload))

    @staticmethod
    def is_graph(data: bytes) -> bool:
        """Whether file contents are those of a graph image, undamaged outside its header's fields."""
        try:
            header = json.loads(unwrap(data, "image")[0])
        except (ValueError, RecursionError):
            return False
        return isinstance(header, dict) and header.get("format") == FORMAT


_SCALARS = ("name", "build_id", "input", "output", "input_scale", "output_scale", "max_pairs")
_COMPOUND = ("format", "identity", "meta", "maps", "sections", "segments")


def _fields(header: dict[str, Any], payload: bytes) -> dict[str, Any]:
    """Constructor arguments from a parsed header."""
    expected = {*_SCALARS, *_COMPOUND}
    if set(header) != expected or header["format"] != FORMAT:
        raise ImageError(
            f"the header must have exactly the fields {', '.join(sorted(expected))}, with format {FORMAT!r}"
        )
    for key in ("identity", "meta", "maps"):
        if not isinstance(header[key], dict):
            raise ImageError(f"header field {key!r} must be an object, not {header[key]!r}")
    for key in ("name", "input", "output"):
        if not isinstance(header[key], str):
            raise ImageError(f"header field {key!r} must be a string, not {header[key]!r}")
    values = {key: header[key] for key in expected - {"format"}}
    values["sections"] = tuple(split_sections(header["sections"], payload))
    values["segments"] = tuple(Segment.parse(entry) for entry in header["segments"])
    return values
