# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Rectangles of maps in activation memory, and passes over them: descriptors with what they need in other memories."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from numpy.typing import NDArray

from spectramac.model.map_window import Window
from spectramac.spec.descriptor import FIELDS, Kind

__all__ = ["MapView", "Pass", "Source", "Span", "Tables", "map_values", "source_span", "sources"]

Span = tuple[int, int]
"""First, and one after the last."""


@dataclass(frozen=True)
class MapView:
    """A rectangle of a map: channel c of pixel (y, x) of pair p is activation word
    ``base + p·pair_stride + (y - rows[0])·row_stride + (x - columns[0])·pixel_stride + c``.

    Parameters
    ----------
    rows, columns : (int, int)
        Of the map; first, and one after the last.
    channels : int
    base, pair_stride, row_stride, pixel_stride : int
    """

    rows: Span
    columns: Span
    channels: int
    base: int
    pair_stride: int
    row_stride: int
    pixel_stride: int

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.rows[1] - self.rows[0]

    @property
    def width(self) -> int:
        """Pixels of a row."""
        return self.columns[1] - self.columns[0]

    def part(self, rows: Span, columns: Span) -> "MapView":
        """A rectangle inside this one, in the map's coordinates."""
        assert self.rows[0] <= rows[0] < rows[1] <= self.rows[1]
        assert self.columns[0] <= columns[0] < columns[1] <= self.columns[1]
        down, across = rows[0] - self.rows[0], columns[0] - self.columns[0]
        base = self.base + down * self.row_stride + across * self.pixel_stride
        return replace(self, rows=rows, columns=columns, base=base)

    def some_channels(self, first: int, end: int) -> "MapView":
        """The same pixels with fewer channels."""
        return replace(self, base=self.base + first, channels=end - first)

    def fields(self, side: str) -> dict[str, int]:
        """Of a descriptor; ``side`` is ``"in"`` or ``"out"``."""
        return {
            f"{side}_base": self.base,
            f"{side}_stride": self.pair_stride,
            f"{side}_height": self.height,
            f"{side}_width": self.width,
            f"{side}_pixel_stride": self.pixel_stride,
            f"{side}_row_stride": self.row_stride,
            f"n_{side}": self.channels,
        }


@dataclass(frozen=True)
class Source:
    """What outputs see of a map on one axis: pixels inside it, and how many are missing before them."""

    span: Span
    before: int


def source_span(outputs: Span, kernel: int, stride: int, before: int, size: int) -> Source:
    """The pixels that windows ``outputs`` see, of ``size`` behind ``before`` zeros."""
    first = outputs[0] * stride - before
    end = (outputs[1] - 1) * stride + kernel - before
    start = max(first, 0)
    return Source((start, min(end, size)), start - first)


def sources(window: Window, rows: Span, columns: Span, size: tuple[int, int]) -> list[Source]:
    """:func:`source_span` on both axes."""
    axes = zip((rows, columns), window.kernel, window.stride, window.padding, size, strict=True)
    return [source_span(span, k, s, pad[0], n) for span, k, s, pad, n in axes]


def map_values(kind: Kind, window: Window, sees: list[Source]) -> dict[str, int]:
    """Fields of a layer over maps: all 0, but for the kind and the window."""
    values = dict.fromkeys((f.name for f in FIELDS), 0)
    return values | {
        "kind": kind,
        "maximum": 127,
        "kernel_height": window.kernel[0],
        "kernel_width": window.kernel[1],
        "stride_y": window.stride[0],
        "stride_x": window.stride[1],
        "top": sees[0].before,
        "left": sees[1].before,
    }


@dataclass(frozen=True, eq=False)
class Tables:
    """Words of memories that passes share.

    Parameters
    ----------
    words : mapping of str to array
        By memory; the descriptor's field is the memory's name and ``_base``.
    stored_pairs, entries : int
        Coefficient pairs without padding (complex ones twice), and entries of all lanes.
    """

    words: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    stored_pairs: int = 0
    entries: int = 0


@dataclass(frozen=True, eq=False)
class Pass:
    """A descriptor, without the addresses of its tables.

    Parameters
    ----------
    node : str
    values : mapping of str to int
    tables : Tables
    """

    node: str
    values: Mapping[str, int]
    tables: Tables
