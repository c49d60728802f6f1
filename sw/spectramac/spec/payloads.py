# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Payloads of the transforms' and of the engine's inner streams, as functions of the configuration (docs/design.md)."""

from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import exponents
from spectramac.spec.fixed import Format
from spectramac.spec.stream import Field, Payload, complex_payload, frame, sample_frame

__all__ = [
    "bins",
    "columns",
    "control_fields",
    "fft_exponent",
    "fft_input",
    "fft_output",
    "index_reach",
    "job",
    "job_fields",
    "kept_columns",
    "position_fields",
    "sample",
]

ENTRY_WIDTH = 17
"""Bits of an entry number: two narrow entries in each of 2**16 words."""
COUNT_WIDTH = 8
"""Bits of a directory word."""
FLAGS_PER_WORD = COUNT_WIDTH
"""Columns of a directory word where all that have entries have equally many."""

EXTENT_WIDTH = 16
"""Bits of a map's height and width."""
TILE_SIDE_WIDTH = 5
"""Bits of numbers up to 16, the longest side of a tile."""

_BIT = Format(1, signed=False)


def index_reach(is_narrow: bool) -> int:
    """The most rows that an index can skip, for the width of coefficients that it is stored with."""
    narrow, wide = AcceleratorConfig.narrow_index_width, AcceleratorConfig.index_width
    return (1 << (narrow if is_narrow else wide)) - 1


def fft_input(config: FFTConfig) -> Payload:
    """Samples of a transform, :attr:`FFTConfig.samples_per_clock` in a word."""
    return sample_frame(config.data, config.samples_per_clock)


def fft_exponent(config: FFTConfig) -> Format:
    """Format of a frame's exponent, with scaling ``"block"``."""
    least, *_, greatest = exponents(config)
    return Format(1 + max(-1 - least, greatest).bit_length())


def fft_output(config: FFTConfig) -> Payload:
    """Bins of a transform, likewise: with scaling ``"block"``, the frame's exponent beside each of them."""
    payload = sample_frame(config.output, config.samples_per_clock)
    if config.scaling != "block":
        return payload
    *data, last = payload.fields
    return Payload((*data, Field("exponent", fft_exponent(config)), last))


def sample(config: AcceleratorConfig) -> Payload:
    """A complex sample in a frame: input and output of the transforms."""
    return frame(complex_payload(config.data))


def row_width(config: AcceleratorConfig) -> int:
    """Bits of an accumulator row address."""
    return (config.accumulator_depth - 1).bit_length()


def position_fields(config: AcceleratorConfig) -> tuple[Field, ...]:
    """What accompanies the column pairs and the marker of a position of a convolution, where there are maps.

    ``ring``: its ring row; ``retires``: an output ends here; ``writes``: the output map has it.
    """
    if not config.maps:
        return ()
    return (
        Field("ring", Format(row_width(config), signed=False)),
        Field("retires", _BIT),
        Field("writes", _BIT),
    )


def job_fields(config: AcceleratorConfig) -> tuple[Field, ...]:
    """What accompanies a job, where there are maps: :func:`position_fields`, and how entries meet columns.

    ``apart``: a complex entry of a tile joins two real bins: (a, 0) with the first column, (0, b) with the second.
    ``load``: no entry, but lane number ``base`` keeps the column pair as its own. ``own``: in every lane a meets the
    first column that it keeps, b the second.
    """
    if not config.maps:
        return ()
    return (*position_fields(config), *(Field(name, _BIT) for name in ("apart", "load", "own")))


def control_fields(config: AcceleratorConfig) -> tuple[Field, ...]:
    """What accompanies a column pair: its kind, its first accumulator row, and group marks.

    ``marker``: not a column pair but the end of a row group (of a position of a convolution); ``final``: of the
    inference pair's last group; ``next_phase``: whose directory comes next.
    """
    return (
        Field("joint", _BIT),
        Field("base", Format(row_width(config), signed=False)),
        Field("marker", _BIT),
        Field("final", _BIT),
        *position_fields(config),
        *((Field("next_phase", Format(2, signed=False)),) if config.maps else ()),
    )


def bins(config: AcceleratorConfig) -> Payload:
    """The two spectral values of a column pair, as read from spectrum memory."""
    value = complex_payload(config.data)
    return Payload((Field("first", value), Field("second", value), *control_fields(config)))


def _values(config: AcceleratorConfig) -> tuple[Field, ...]:
    return tuple(Field(name, config.column) for name in ("a1", "a2", "b1", "b2"))


def columns(config: AcceleratorConfig) -> Payload:
    """A column pair (a, b) of both inferences."""
    return Payload((*_values(config), *control_fields(config)))


def kept_columns(config: AcceleratorConfig) -> Payload:
    """A column pair after the threshold; ``keep_a``, ``keep_b``: not dropped by both inferences."""
    keep = (Field("keep_a", _BIT), Field("keep_b", _BIT))
    return Payload((*_values(config), *keep, *control_fields(config)))


def job(config: AcceleratorConfig) -> Payload:
    """Work for the lanes: ``count`` entries from number ``entry``, with (a1, a2), and (b1, b2) if complex."""
    return Payload(
        (
            *_values(config),
            Field("entry", Format(ENTRY_WIDTH, signed=False)),
            Field("count", Format(COUNT_WIDTH, signed=False)),
            Field("base", Format(row_width(config), signed=False)),
            Field("is_complex", _BIT),
            Field("marker", _BIT),
            *job_fields(config),
        )
    )
