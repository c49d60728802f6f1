# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The layer descriptor: everything about a layer that is chosen at run time.

A program is a list of descriptors in descriptor memory. The sequencer reads a descriptor into registers before the
layer starts. A field never crosses a word of 32 bits, except ``level``, which is in two halves.

A fully-connected layer (``kind`` 0) has the first :data:`WORDS` words, a layer over maps (:class:`Kind`) all
:data:`MAP_WORDS`. Each descriptor begins at a multiple of :data:`PITCH` words, the next after the last one's words.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

__all__ = [
    "FIELDS",
    "LAYER_FIELDS",
    "MAP_WORDS",
    "PITCH",
    "WORDS",
    "DescriptorField",
    "Kind",
    "decode",
    "encode",
    "n_words",
    "pitch",
    "program",
]


class Kind(IntEnum):
    """What a descriptor describes (docs/design.md)."""

    LAYER = 0
    """Fully-connected."""
    CONVOLUTION = 1
    """Direct, or in the spectra of blocks of channels."""
    TILES = 2
    """Convolution in the spectra of overlapping tiles."""
    WINDOW_SUM = 3
    """Depthwise convolution, average pooling."""
    WINDOW_MAXIMUM = 4
    """Maximum pooling, ReLU."""
    ADDITION = 5
    """Of two maps."""
    DEPTHWISE = 6
    """Convolution of every channel on its own, on the lanes."""

    @property
    def in_ring(self) -> bool:
        """Whether sums are scattered into a ring of accumulators."""
        return self in (Kind.CONVOLUTION, Kind.DEPTHWISE)

    @property
    def in_window(self) -> bool:
        """Whether the window unit runs it."""
        return self in (Kind.WINDOW_SUM, Kind.WINDOW_MAXIMUM, Kind.ADDITION)


@dataclass(frozen=True)
class DescriptorField:
    """A field: ``width`` bits from bit ``offset`` of word ``word``."""

    name: str
    word: int
    offset: int
    width: int
    doc: str


def _fields() -> tuple[DescriptorField, ...]:
    words: list[list[tuple[str, int, str]]] = [
        [
            ("in_log2_n", 4, "log2 of the input transform's length; 0 = identity"),
            ("in_two_d", 1, "input transform is two-dimensional"),
            ("out_log2_n", 4, "log2 of the output transform's length; 0 = identity"),
            ("out_two_d", 1, "output transform is two-dimensional"),
            (
                "is_complex",
                1,
                "entries are complex too: three counts a column pair (complex, real, real); tiles: one",
            ),
            ("is_narrow", 1, "4-bit coefficients, two entries a word; else 8-bit, one"),
            ("is_indexed", 1, "entries have row indices; else rows are consecutive"),
            ("bin_major", 1, "accumulators are ordered bin by bin (diagonal patterns)"),
            ("per_channel_scale", 1, "multiplier and shift come from scale memory"),
            ("per_row_shift", 1, "row shifts come from row-shift memory"),
            ("relu", 1, "activation function is ReLU; else none"),
            ("row_shift", 5, "uniform row shift"),
            ("kind", 3, ", ".join(f"{k} {k.name.lower().replace('_', ' ')}" for k in Kind)),
            ("maximum", 7, "largest output"),
        ],
        [
            ("halve_in", 10, "bit m-1 halves the stage of block 2**m of the forward FFT"),
            ("halve_out", 10, "likewise of the inverse FFT"),
            ("shift", 5, "uniform requantization shift"),
        ],
        [
            ("n_in", 16, "inputs; further ones up to the padded size read as zero"),
            ("n_out", 16, "outputs; further ones up to the padded size are dropped"),
        ],
        [
            ("padded_in", 16, "inputs in whole blocks (identity: in whole pairs)"),
            ("padded_out", 16, "outputs in whole blocks (identity: in whole pairs)"),
        ],
        [
            ("group_out", 16, "padded outputs of one row group; the last group may be smaller"),
            ("column_stride", 16, "accumulator rows between column pairs: 0 or a power of two"),
        ],
        [
            ("clear_depth", 16, "accumulator rows that a group uses"),
            ("multiplier", 15, "uniform requantization multiplier"),
        ],
        [("level_low", 32, "threshold level, low half")],
        [
            ("level_high", 8, "threshold level, high part"),
            ("uniform_count", 8, "entries of a flagged column; 0 = directory words are counts"),
        ],
        [
            ("coefficient_base", 16, "first coefficient word"),
            ("index_base", 16, "first index word"),
        ],
        [
            ("directory_base", 16, "first directory word"),
            ("row_shift_base", 16, "first row-shift word"),
        ],
        [("bias_base", 16, "first bias word"), ("scale_base", 16, "first scale word")],
        [
            ("in_base", 16, "activation address of the first input of the first pair"),
            ("in_stride", 16, "activation addresses between pairs, at the input"),
        ],
        [
            ("out_base", 16, "activation address of the first output of the first pair"),
            ("out_stride", 16, "activation addresses between pairs, at the output"),
        ],
        # Layers over maps only, from here on.
        [
            ("in_height", 16, "rows of the input map"),
            ("in_width", 16, "pixels of its rows"),
        ],
        [
            ("in_pixel_stride", 16, "activation addresses between its pixels"),
            ("in_row_stride", 16, "activation addresses between its rows"),
        ],
        [
            ("out_height", 16, "rows of the output map"),
            ("out_width", 16, "pixels of its rows"),
        ],
        [
            ("out_pixel_stride", 16, "activation addresses between its pixels"),
            ("out_row_stride", 16, "activation addresses between its rows"),
        ],
        [
            ("kernel_height", 8, "rows of the window"),
            ("kernel_width", 8, "columns of the window"),
            ("stride_y", 8, "rows between windows"),
            ("stride_x", 8, "columns between windows"),
        ],
        [
            ("top", 8, "rows of padding above the map"),
            ("left", 8, "columns of padding left of the map"),
            ("multiplicity", 8, "window sum: output channels of an input channel"),
            ("no_bias", 1, "the bias is 0"),
            ("unit_kernel", 1, "window sum: all coefficients are 1"),
        ],
        [
            ("walk_height", 16, "convolution: rows that are walked over; tiles: rows of tiles"),
            (
                "walk_width",
                16,
                "convolution: columns that are walked over; tiles: columns of tiles",
            ),
        ],
        [
            ("pixel_rows", 16, "convolution: accumulator rows of an output pixel"),
            ("line_rows", 16, "convolution: accumulator rows of a line of output pixels"),
        ],
        [
            (
                "retire_rows",
                16,
                "convolution: accumulator rows from a position back to its complete output",
            ),
            ("phase_words", 16, "convolution: directory words of a phase"),
        ],
        [("entry_1", 17, "convolution: first entry of phase 1")],
        [("entry_2", 17, "convolution: first entry of phase 2")],
        [("entry_3", 17, "convolution: first entry of phase 3")],
        [
            ("tile_rows", 8, "tiles: rows of outputs of a tile"),
            ("tile_columns", 8, "tiles: columns of outputs of a tile"),
            ("kernel_base", 16, "window sum: first word of kernel memory"),
        ],
        [
            ("second_base", 16, "addition: activation address of the second map of the first pair"),
            ("second_stride", 16, "addition: activation addresses between pairs of the second map"),
        ],
        [
            ("first_multiplier", 15, "addition: factor of the first map"),
            ("second_multiplier", 15, "addition: factor of the second map"),
        ],
    ]
    fields = []
    for word, members in enumerate(words):
        offset = 0
        for name, width, doc in members:
            fields.append(DescriptorField(name, word, offset, width, doc))
            offset += width
        assert offset <= 32, f"descriptor word {word} has {offset} bits"
    return tuple(fields)


FIELDS = _fields()
WORDS = 13
"""Words of a fully-connected layer's descriptor."""
MAP_WORDS = 1 + max(field.word for field in FIELDS)
"""Words of the descriptor of a layer over maps."""
PITCH = 16
"""Descriptors begin at multiples of so many words."""
LAYER_FIELDS = tuple(field for field in FIELDS if field.word < WORDS)
"""Fields of every descriptor."""


def n_words(kind: int) -> int:
    """Words of a descriptor."""
    return WORDS if kind == Kind.LAYER else MAP_WORDS


def pitch(kind: int) -> int:
    """Words from the first of a descriptor to the first of the next."""
    return -(-n_words(kind) // PITCH) * PITCH


def encode(values: Mapping[str, int]) -> list[int]:
    """Pack field values into :func:`n_words` words.

    Fields that the kind's descriptor does not have may be left out.

    Raises
    ------
    ValueError
        If a field is missing, unknown, or does not fit.
    """
    names = {field.name for field in FIELDS}
    for name in values:
        if name not in names:
            raise ValueError(f"descriptor has no field {name!r}")
    words = [0] * n_words(values.get("kind", Kind.LAYER))
    for field in FIELDS:
        if field.word >= len(words):
            continue
        if field.name not in values:
            raise ValueError(f"descriptor field {field.name!r} must be given")
        value = int(values[field.name])
        if not 0 <= value < 1 << field.width:
            raise ValueError(
                f"descriptor field {field.name!r} must fit {field.width} bits, not {value!r}"
            )
        words[field.word] |= value << field.offset
    return words


def decode(words: Sequence[int]) -> dict[str, int]:
    """Unpack :func:`encode`'s words; further ones are ignored.

    Raises
    ------
    ValueError
        If there are too few.
    """
    found: dict[str, int] = {}
    for field in FIELDS:
        if field.word >= n_words(found.get("kind", Kind.LAYER)):
            break
        if field.word >= len(words):
            raise ValueError(
                f"descriptor must have {n_words(found['kind'])} words, not {len(words)}"
            )
        found[field.name] = (int(words[field.word]) >> field.offset) & ((1 << field.width) - 1)
    return found


def program(words: Sequence[int], n_layers: int) -> Iterator[dict[str, int]]:
    """The descriptors of a program, decoded.

    Raises
    ------
    ValueError
        If the words end before the program; names the layer.
    """
    start = 0
    for number in range(n_layers):
        try:
            values = decode(words[start : start + MAP_WORDS])
        except ValueError as error:
            raise ValueError(f"layer {number}: {error}") from None
        yield values
        start += pitch(values["kind"])
