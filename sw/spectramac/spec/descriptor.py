# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The layer descriptor: everything about a layer that is chosen at run time.

A program is a list of descriptors in descriptor memory, each :data:`WORDS` words of 32 bits. The sequencer reads a
descriptor into registers before the layer starts. A field never crosses a word, except ``level``, which is in two
halves.
"""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["FIELDS", "WORDS", "DescriptorField", "decode", "encode"]


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
            ("is_complex", 1, "directory has three counts a column pair: complex, real, real"),
            ("is_narrow", 1, "4-bit coefficients, two entries a word; else 8-bit, one"),
            ("is_indexed", 1, "entries have row indices; else rows are consecutive"),
            ("bin_major", 1, "accumulators are ordered bin by bin (diagonal patterns)"),
            ("per_channel_scale", 1, "multiplier and shift come from scale memory"),
            ("per_row_shift", 1, "row shifts come from row-shift memory"),
            ("relu", 1, "activation function is ReLU; else none"),
            ("row_shift", 5, "uniform row shift"),
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
"""Words stored for one descriptor."""
PITCH = 16
"""Words from one descriptor to the next in descriptor memory."""


def encode(values: Mapping[str, int]) -> list[int]:
    """Pack field values into :data:`WORDS` words.

    Raises
    ------
    ValueError
        If a field is missing, unknown, or does not fit.
    """
    names = {field.name for field in FIELDS}
    for name in values:
        if name not in names:
            raise ValueError(f"descriptor has no field {name!r}")
    words = [0] * WORDS
    for field in FIELDS:
        if field.name not in values:
            raise ValueError(f"descriptor field {field.name!r} must be given")
        value = int(values[field.name])
        if not 0 <= value < 1 << field.width:
            raise ValueError(
                f"descriptor field {field.name!r} must fit {field.width} bits, not {value!r}"
            )
        words[field.word] |= value << field.offset
    return words


def decode(words: list[int]) -> dict[str, int]:
    """Unpack :func:`encode`'s words."""
    return {
        field.name: (int(words[field.word]) >> field.offset) & ((1 << field.width) - 1)
        for field in FIELDS
    }
