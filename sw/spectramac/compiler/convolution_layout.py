# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The entries of a convolution (docs/design.md, kind 1): a matrix for each phase of the stride.

The columns of a phase are those of one pixel, its rows those of its taps one after the other, each padded to whole
accumulator rows of all lanes. All phases have the same formats.
"""

from dataclasses import dataclass, replace
from functools import partial
from math import prod

import numpy as np

from spectramac.compiler.directory import Directory
from spectramac.compiler.entries import Ints
from spectramac.compiler.layout import (
    MAX_COUNT,
    Layout,
    RowPlacement,
    make_layout,
    padded_if_smaller,
)
from spectramac.model.map_window import Window
from spectramac.model.network import Layer
from spectramac.spec.payloads import FLAGS_PER_WORD

__all__ = ["ConvolutionLayout", "lay_out_convolution", "phase_taps", "ring_positions"]


@dataclass(frozen=True, eq=False)
class ConvolutionLayout(Layout):
    """The entries of one convolution.

    Attributes
    ----------
    counts : int array (phases, n_column_pairs, 2 or 3)
        Directory of every phase; a phase may have no taps.
    n_phases_stored : int
        Phases up to the last one that has taps.
    """

    n_phases_stored: int

    @property
    def starts(self) -> list[int]:
        """Number of the first entry of phases 0 to 3."""
        ends = np.cumsum(self.counts.sum(axis=(1, 2))).tolist()
        starts = [0, *ends[:-1]]
        return starts + [0] * (4 - len(starts))

    @property
    def phase_words(self) -> int:
        """Directory words of a phase."""
        n_counts = prod(self.counts.shape[1:])
        return -(-n_counts // FLAGS_PER_WORD) if self.uniform_count else n_counts

    @property
    def directory(self) -> Ints:
        """Words of the stored phases; each phase starts at a word of its own."""
        counts = self.counts[: self.n_phases_stored].reshape(self.n_phases_stored, -1)
        if not self.uniform_count:
            return counts.reshape(-1)
        return np.packbits(counts > 0, axis=1, bitorder="little").reshape(-1).astype(np.int64)

    @property
    def uniform_bits(self) -> int:
        """:attr:`stored_bits` if all columns that have entries were padded to the most of them."""
        n_entries = int(np.count_nonzero(self.counts) * self.counts.max())
        words = -(-prod(self.counts.shape[1:]) // FLAGS_PER_WORD) * self.n_phases_stored
        return self._bits(n_entries, words)


def phase_taps(window: Window) -> list[list[int]]:
    """Numbers of the taps of every phase, i · width + j, ascending."""
    (h, w), (sy, sx) = window.kernel, window.stride
    return [
        [i * w + j for i in range(py, h, sy) for j in range(px, w, sx)]
        for py in range(sy)
        for px in range(sx)
    ]


def ring_positions(window: Window, walk_width: int) -> tuple[int, int]:
    """Outputs that are on the way at the same time, and those complete behind the newest.

    Returns
    -------
    (live, behind) : int, int
        In positions of ``pixel_rows`` accumulator rows.
    """
    (h, w), (sy, sx) = window.kernel, window.stride
    line = -(-walk_width // sx)
    behind = (h - 1) // sy * line + (w - 1) // sx
    # With the last tap in the second of two lines, the first one adds to a whole line before any output is complete.
    return behind + (line if (h - 1) % sy else 1), behind


def lay_out_convolution(
    layer: Layer, window: Window, n_lanes: int, *, indexed: bool | None = None
) -> ConvolutionLayout | None:
    """Choose formats and make the entries of a convolution.

    Parameters
    ----------
    layer : Layer
        Of one position, as of :class:`~spectramac.model.convolution.Convolution`.
    window : Window
    n_lanes : int
    indexed : bool, optional
        Whether to store indices. Default: whichever stores fewer bits.

    Returns
    -------
    ConvolutionLayout or None
        None if a column has more entries than a directory word can say.

    Raises
    ------
    CompileError
        If a complex pattern is not one.
    """
    n_columns = layer.coefficients.shape[1] // window.n_taps
    pixel_rows = -(-len(layer.coefficients) // 2 // n_lanes)
    directories = []
    for tap in range(window.n_taps):
        columns = layer.coefficients[:, tap * n_columns : (tap + 1) * n_columns]
        directories.append(Directory(replace(layer, n_in=n_columns, coefficients=columns)))
    phases = phase_taps(window)
    best: ConvolutionLayout | None = None
    for is_indexed in (False, True) if indexed is None else (indexed,):
        make = partial(_make, layer, directories, phases, pixel_rows, n_lanes, is_indexed)
        layout = padded_if_smaller(make)
        if layout.counts.max() > MAX_COUNT:
            continue
        if best is None or layout.stored_bits < best.stored_bits:
            best = layout
    return best


def _make(
    layer: Layer,
    directories: list[Directory],
    phases: list[list[int]],
    pixel_rows: int,
    n_lanes: int,
    is_indexed: bool,
    uniform: int | None = None,
) -> ConvolutionLayout:
    parts = []
    for taps in phases:
        if not taps:
            continue
        first, *others = (directories[t] for t in taps)
        stacked = first.stacked(others, pixel_rows * n_lanes)
        place = RowPlacement.make(1, len(stacked.a), n_lanes, bin_major=False)
        parts.append(make_layout(layer, stacked, place, is_indexed, uniform))
    with_taps = [f for f, taps in enumerate(phases) if taps]
    counts = np.zeros((len(phases), *parts[0].counts.shape[1:]), np.int64)
    counts[with_taps] = np.concatenate([p.counts for p in parts])
    kept = parts[0]
    return ConvolutionLayout(
        counts=counts,
        a=np.concatenate([p.a for p in parts]),
        b=np.concatenate([p.b for p in parts]),
        d=np.concatenate([p.d for p in parts]),
        is_complex=kept.is_complex,
        is_narrow=kept.is_narrow,
        is_indexed=is_indexed,
        bin_major=False,
        group_out=len(layer.coefficients),
        column_stride=0,
        clear_depth=pixel_rows,
        n_pairs=sum(p.n_pairs for p in parts),
        n_phases_stored=with_taps[-1] + 1,
    )
