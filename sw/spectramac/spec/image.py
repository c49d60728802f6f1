# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The model image: a compiled network as the contents of an accelerator's memories, with what is
needed to feed it.

File format, version 1. Numbers are little-endian.

======================  =====================================================================
bytes                   content
======================  =====================================================================
8                       magic ``93 53 50 4d 41 43 0d 0a`` (``\\x93SPMAC\\r\\n``)
2                       format version
2                       reserved, 0
4                       H, length of the header, at most 16 MiB
8                       P, length of the payload, at most 256 MiB
H                       header: canonical JSON (sorted keys, no spaces, ASCII)
P                       payload: the sections in the order of the header, each in whole bytes
32                      SHA-256 of all that precedes
======================  =====================================================================

The header is an object with the fields of :class:`Image`; ``sections`` is a list of ``[name, width,
n_words]``. Word w of a section of ``width`` bits a word occupies bits ``w*width`` up to
``(w+1)*width`` of its bytes, bit 0 being the lowest of the first byte; the bits after the last word
are zero. A section starts at word 0 of the memory it names.

The same image always gives the same bytes. Reading parses JSON and nothing else: no code in the
file is executed.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.container import (
    StoredFile,
)
from spectramac.spec.descriptor import PITCH
from spectramac.spec.descriptor import WORDS as DESCRIPTOR_WORDS
from spectramac.spec.errors import ImageError, ImageTooLargeError
from spectramac.spec.section import (
    Section,
    check_identity,
    check_integer,
    check_section,
    split_sections,
)

__all__ = ["Image", "Placement"]


@dataclass(frozen=True)
class Placement:
    """Where a vector is in activation memory: element i of pair p is word ``base + p*stride +
    i``."""

    base: int
    stride: int
    count: int

    def __post_init__(self) -> None:
        for name, low in (("base", 0), ("stride", 0), ("count", 1)):
            check_integer(f"placement {name}", getattr(self, name), low, (1 << 16) - 1)

    def end(self, n_pairs: int) -> int:
        """First word after the last pair."""
        return self.base + (n_pairs - 1) * self.stride + self.count


@dataclass(frozen=True, kw_only=True)
class Image(StoredFile):
    """A compiled network.

    Parameters
    ----------
    identity : dict
        :meth:`~spectramac.spec.config.AcceleratorConfig.identity` of the configuration it was
        compiled for.
    build_id : int
        That configuration's build id.
    n_layers : int
        Descriptors in the program.
    layers : tuple of dict
        For reports, one for each layer: ``name``, ``n_in``, ``n_out`` and anything else that is
        JSON.
    input, output : Placement
        Where inputs are written and results are read.
    n_inputs : int
        Elements of one flattened input.
    input_map : tuple of int, optional
        Input element i goes to element ``input_map[i]`` of ``input``; all others are zero. Default:
        in order.
    input_scale, output_scale : float
        real value = integer * scale.
    max_pairs : int
        Pairs of inferences that fit in one run.
    sections : dict of str to Section
        By name of memory.
    meta : dict
        Anything else that is JSON (accuracies, dense sizes).
    """

    identity: Mapping[str, Any]
    build_id: int
    n_layers: int
    layers: tuple[Mapping[str, Any], ...]
    input: Placement
    output: Placement
    n_inputs: int
    input_map: tuple[int, ...] | None = None
    input_scale: float = 1.0
    output_scale: float = 1.0
    max_pairs: int = 1
    sections: Mapping[str, Section]
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if self.input_map is not None:
            object.__setattr__(self, "input_map", tuple(int(i) for i in self.input_map))
        check_integer("build_id", self.build_id, 0, (1 << 32) - 1)
        check_integer("n_layers", self.n_layers, 1, 1 << 16)
        check_integer("n_inputs", self.n_inputs, 1, self.input.count)
        check_integer("max_pairs", self.max_pairs, 1, (1 << 16) - 1)
        if len(self.layers) != self.n_layers:
            raise ImageError(f"layers must have {self.n_layers} entries, not {len(self.layers)}")
        for name in ("input_scale", "output_scale"):
            value = getattr(self, name)
            if not isinstance(value, float | int) or not math.isfinite(value) or value <= 0:
                raise ImageError(f"{name} must be a positive number, not {value!r}")
            object.__setattr__(self, name, float(value))
        if self.input_map is not None:
            if len(self.input_map) != self.n_inputs or len(set(self.input_map)) != self.n_inputs:
                raise ImageError(f"input_map must have {self.n_inputs} different positions")
            for position in self.input_map:
                check_integer("an input_map position", position, 0, self.input.count - 1)

    @property
    def n_outputs(self) -> int:
        """Elements of one output."""
        return self.output.count

    @property
    def stored_bytes_by_section(self) -> dict[str, int]:
        """Bytes that the device must hold for this model, by memory."""
        return {name: len(section.data) for name, section in self.sections.items()}

    @property
    def stored_bytes(self) -> int:
        """Bytes that the device must hold: weights, indices, directory, tables, program."""
        return sum(self.stored_bytes_by_section.values())

    # Fitting a configuration.

    def check(self, config: AcceleratorConfig) -> None:
        """Raise unless this image can run on an accelerator of configuration ``config``.

        Raises
        ------
        BuildIdMismatchError
            If it was compiled for another configuration.
        ImageTooLargeError
            If something exceeds a memory.
        ImageError
            If a section has no memory or the wrong width.
        """
        check_identity(self.identity, self.build_id, config)
        for name, section in self.sections.items():
            check_section(name, section, config)
        self._check_program(config)

    def _check_program(self, config: AcceleratorConfig) -> None:
        if self.n_layers > config.n_layers_max:
            raise ImageTooLargeError(
                f"the image has {self.n_layers} layers, but memory 'descriptor' of configuration "
                f"{config.name!r} holds {config.n_layers_max}; use a configuration with a larger "
                f"n_layers_max"
            )
        descriptor = self.sections.get("descriptor")
        needed = PITCH * (self.n_layers - 1) + DESCRIPTOR_WORDS  # at least
        if descriptor is None or descriptor.n_words < needed:
            raise ImageError(
                f"image section 'descriptor' must have at least {needed} words for {self.n_layers} "
                "layers; compile the network again"
            )
        for name, place in (("input", self.input), ("output", self.output)):
            end = place.end(self.max_pairs)
            if end > config.activation_depth:
                raise ImageTooLargeError(
                    f"the image's {name} of {self.max_pairs} pairs needs {end} words, but memory "
                    f"'activation' of configuration {config.name!r} has a depth of "
                    f"{config.activation_depth}; use a configuration with a larger activation_depth"
                )

    # The file format.

    def header(self) -> dict[str, Any]:
        """The file's header."""
        header: dict[str, Any] = {
            "identity": dict(self.identity),
            "layers": [dict(layer) for layer in self.layers],
            "meta": dict(self.meta),
            "input_map": None if self.input_map is None else list(self.input_map),
            "sections": [[name, s.width, s.n_words] for name, s in self.sections.items()],
        }
        for key in _SCALARS:
            header[key] = getattr(self, key)
        for key in ("input", "output"):
            place: Placement = getattr(self, key)
            header[key] = [place.base, place.stride, place.count]
        return header

    def payload(self) -> bytes:
        """The sections."""
        return b"".join(section.data for section in self.sections.values())

    @classmethod
    def parse(cls, header: dict[str, Any], payload: bytes) -> "Image":
        """From a file's parts."""
        return cls(**_fields(header, payload))


_SCALARS = ("build_id", "n_layers", "n_inputs", "input_scale", "output_scale", "max_pairs")
_COMPOUND = ("identity", "layers", "meta", "input_map", "sections", "input", "output")


def _fields(header: dict[str, Any], payload: bytes) -> dict[str, Any]:
    """Constructor arguments from a parsed header."""
    expected = {*_SCALARS, *_COMPOUND}
    if set(header) != expected:
        raise ImageError(f"the header must have exactly the fields {', '.join(sorted(expected))}")
    values = dict(header)
    for key in ("input", "output"):
        values[key] = Placement(*header[key])
    for key in ("identity", "meta"):
        if not isinstance(header[key], dict):
            raise ImageError(f"header field {key!r} must be an object, not {header[key]!r}")
    if not all(isinstance(layer, dict) for layer in header["layers"]):
        raise ImageError("header field 'layers' must be a list of objects")
    names = [name for name, *_ in header["sections"]]
    for n, name in enumerate(names):
        if not isinstance(name, str) or name in names[:n]:
            raise ImageError(f"section names must be different strings, not {name!r}")
    sections = split_sections([size for _, *size in header["sections"]], payload)
    values["sections"] = dict(zip(names, sections, strict=True))
    return values
