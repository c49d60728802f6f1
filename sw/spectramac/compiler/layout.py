# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""From the matrix S of a layer to the entries that the lanes execute (docs/design.md).

Three choices are made for each layer. *Order of the accumulators*: bin-major suits patterns that are
diagonal over frequency, because the rows of a column are then neighbours; block-major everything
else. *Indexed*: entries carry row indices, or each lane's rows follow each other from the base, with
zeros stored where S has some. *Number of row groups*: as few as the accumulators and the 8-bit counts
allow. *Uniform*: columns are padded to one count, so that the directory needs a flag for each only. The layout that
stores the fewest bits wins.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.directory import Directory
from spectramac.compiler.entries import Ints, choose_rows, make_entries
from spectramac.compiler.errors import CompileError
from spectramac.model.network import Layer
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import COUNT_WIDTH, FLAGS_PER_WORD, index_reach

__all__ = [
    "MAX_COUNT",
    "CompileError",
    "Layout",
    "RowPlacement",
    "is_diagonal",
    "lay_out",
    "make_layout",
    "padded_if_smaller",
]

MAX_COUNT = (1 << COUNT_WIDTH) - 1
"""Largest directory word."""
MAX_GROUPS = 64
"""Row groups that are tried beyond the fewest that the accumulators allow."""


@dataclass(frozen=True, eq=False)
class Layout:
    """The entries of one layer.

    Attributes
    ----------
    counts : int array (n_groups, n_column_pairs, 2 or 3)
        Directory: entries of columns (a, b), or of (complex, a, b).
    a, b, d : int array (n_entries, n_lanes)
        Coefficient pairs and row indices in the order of the directory. d is zero unless ``is_indexed``.
    is_complex, is_narrow, is_indexed, bin_major : bool
        Formats, as in the descriptor.
    group_out, column_stride, clear_depth : int
        As in the descriptor.
    n_pairs : int
        Stored coefficient pairs without padding; complex ones count twice.
    """

    counts: Ints
    a: Ints
    b: Ints
    d: Ints
    is_complex: bool
    is_narrow: bool
    is_indexed: bool
    bin_major: bool
    group_out: int
    column_stride: int
    clear_depth: int
    n_pairs: int

    @property
    def n_groups(self) -> int:
        """Row groups."""
        return len(self.counts)

    @property
    def n_entries(self) -> int:
        """Entries, padding included: one for all lanes."""
        return len(self.a)

    @property
    def n_words(self) -> int:
        """Words of coefficient memory, and of index memory if ``is_indexed``."""
        return self._words(self.n_entries)

    @property
    def uniform_count(self) -> int:
        """As in the descriptor: entries of every column that has any, if they are equally many."""
        most = int(self.counts.max())
        return most if np.all((self.counts == 0) | (self.counts == most)) else 0

    @property
    def directory(self) -> Ints:
        """Its words: counts or, with a :attr:`uniform_count`, flags, the lowest bit first."""
        counts = self.counts.reshape(-1)
        if not self.uniform_count:
            return counts
        return np.packbits(counts > 0, bitorder="little").astype(np.int64)

    @property
    def stored_bits(self) -> int:
        """Bits of coefficients, indices and directory."""
        return self._bits(self.n_entries, len(self.directory))

    @property
    def uniform_bits(self) -> int:
        """:attr:`stored_bits` if all columns that have entries were padded to the most of them."""
        n_entries = int(np.count_nonzero(self.counts) * self.counts.max())
        return self._bits(n_entries, -(-self.counts.size // FLAGS_PER_WORD))

    def _words(self, n_entries: int) -> int:
        return -(-n_entries // 2) if self.is_narrow else n_entries

    def _bits(self, n_entries: int, n_directory_words: int) -> int:
        per_word = (24 if self.is_indexed else 16) * self.a.shape[1]
        return int(self._words(n_entries) * per_word + COUNT_WIDTH * n_directory_words)


_Layout = TypeVar("_Layout", bound=Layout)


def padded_if_smaller(make: Callable[[int | None], _Layout]) -> _Layout:
    """What ``make`` gives for the count that all columns are padded to, if that stores less than None."""
    layout = make(None)
    return make(int(layout.counts.max())) if layout.uniform_bits < layout.stored_bits else layout


def is_diagonal(layer: Layer) -> bool:
    """Whether S connects only pairs of the same number in their blocks, as block-circulants do."""
    if not (layer.t_in.is_fft and layer.t_out.is_fft and layer.t_in.n == layer.t_out.n):
        return False
    half = layer.t_in.n // 2
    rows, columns = np.nonzero(layer.coefficients)
    return bool(np.all(rows // 2 % half == columns // 2 % half))


def lay_out(
    layer: Layer,
    config: AcceleratorConfig,
    *,
    n_groups: int | None = None,
    indexed: bool | None = None,
) -> Layout:
    """Choose formats and make the entries of one layer.

    Parameters
    ----------
    layer : Layer
    config : AcceleratorConfig
    n_groups : int, optional
        At least this many row groups, if the layer has as many output blocks: the backward pass of one group
        overlaps with the lanes of the next. Default: as few as fit.
    indexed : bool, optional
        Whether to store indices. Default: whichever stores fewer bits.

    Raises
    ------
    CompileError
        If one output block exceeds the accumulators, or a complex pattern is not one.
    """
    directory = Directory(layer)
    orders = (True, False) if is_diagonal(layer) else (False,)
    choices = (False, True) if indexed is None else (indexed,)
    best: Layout | None = None
    for bin_major, is_indexed in product(orders, choices):
        for layout in _groupings(layer, config, directory, bin_major, is_indexed, n_groups or 1):
            if layout.counts.max() <= MAX_COUNT:
                key = (layout.stored_bits, layout.n_groups, layout.n_entries)
                if best is None or key < (best.stored_bits, best.n_groups, best.n_entries):
                    best = layout
                break
    if best is None:
        needed, available = layer.t_out.n // 2, config.row_pairs_max
        if needed > available:
            what = f"an output block has {needed} row pairs, but the accumulators hold {available}"
        else:
            what = f"no grouping of the rows keeps every count below {MAX_COUNT + 1} entries"
        raise CompileError(
            f"layer {layer.name!r}: accumulators: {what}; use shorter output blocks, lower the "
            "density, or a configuration with more lanes or a larger accumulator_depth"
        )
    return best


def _groupings(
    layer: Layer,
    config: AcceleratorConfig,
    directory: Directory,
    bin_major: bool,
    is_indexed: bool,
    n_groups: int,
) -> Iterator[Layout]:
    """Layouts with more and more groups, from the fewest that the accumulators allow."""
    n_blocks = layer.t_out.padded(layer.n_out) // layer.t_out.n
    tried: set[int] = set()
    for wanted in range(min(n_groups, n_blocks), n_blocks + 1):
        size = -(-n_blocks // wanted)
        if size in tried:
            continue
        tried.add(size)
        place = RowPlacement.make(layer.t_out.n // 2, size, config.n_lanes, bin_major)
        if place.depth > config.accumulator_depth:
            continue
        yield padded_if_smaller(partial(make_layout, layer, directory, place, is_indexed))
        if len(tried) > MAX_GROUPS:
            return


@dataclass(frozen=True)
class RowPlacement:
    """Where the row pairs of a group of ``n_blocks`` output blocks are."""

    n_blocks: int
    half: int
    n_lanes: int
    used: int
    stride: int
    depth: int

    @classmethod
    def make(cls, half: int, n_blocks: int, n_lanes: int, bin_major: bool) -> "RowPlacement":
        if not bin_major:
            depth = -(-n_blocks * half // n_lanes)
            return cls(n_blocks, half, n_lanes, depth, 0, depth)
        used = -(-n_blocks // n_lanes)
        stride = 1 << (used - 1).bit_length()
        return cls(n_blocks, half, n_lanes, used, stride, (half - 1) * stride + used)

    def cube(self, values: NDArray[np.int16], in_frame: Ints) -> NDArray[np.int16]:
        """Arrange (row pairs of the group, words) as (rows from the base, lanes, words).

        Bin-major, the base is that of the word's pair: a word of pair r meets row pairs r only.
        """
        n_words = values.shape[1]
        if self.stride:
            blocks = values.reshape(-1, self.half, n_words)
            values = blocks[:, in_frame, np.arange(n_words)]
        padded = np.zeros((self.used * self.n_lanes, n_words), np.int16)
        padded[: len(values)] = values
        return padded.reshape(self.used, self.n_lanes, n_words)


def make_layout(
    layer: Layer,
    directory: Directory,
    place: RowPlacement,
    is_indexed: bool,
    uniform: int | None = None,
) -> Layout:
    """A layout; columns that have entries are padded to ``uniform`` of them, if that is given."""
    is_narrow = layer.coefficient_bits <= 4
    step = index_reach(is_narrow) + 1 if is_indexed else None
    n_row_pairs = len(directory.a)
    counts, parts = [], []
    for start in range(0, n_row_pairs, place.n_blocks * place.half):
        rows = slice(start, start + place.n_blocks * place.half)
        a, b = (place.cube(v[rows], directory.in_frame) for v in (directory.a, directory.b))
        chosen = choose_rows((a | b) != 0, step, uniform)
        count = chosen.sum(axis=0).max(axis=0)
        counts.append(count)
        parts.append(make_entries(a, b, chosen, count))
    entries_a, entries_b, d = (np.concatenate(p) for p in zip(*parts, strict=True))
    return Layout(
        counts=np.array(counts, np.int64).reshape(len(counts), -1, directory.kinds),
        a=entries_a,
        b=entries_b,
        d=d,
        is_complex=directory.kinds == 3,
        is_narrow=is_narrow,
        is_indexed=is_indexed,
        bin_major=place.stride > 0,
        group_out=2 * place.half * place.n_blocks,
        column_stride=place.stride,
        clear_depth=place.depth,
        n_pairs=directory.n_pairs,
    )
