# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Masks of whole coefficient words: the same number of pairs in every lane of a column, so that nothing is padded
but lanes that have no row left (of 5 row pairs on 3 lanes, the second word of a column holds 2).

The pairs of a lane and column are chosen by dynamic programming, because an entry's index reaches only so many
rows past the entry before it. Tables hold only as many entries as some column needs, and few columns at a
time, so that memory stays small for any matrix.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.threshold import PAIR, Mask, check_density, group_energy, spread
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import index_reach

__all__ = ["entries_per_lane", "lane_balanced", "reach_of_bits"]

_TABLE = 1 << 21
"""Entries of one table: 16 MiB of float64."""


def reach_of_bits(bits: int) -> int:
    """:func:`~spectramac.spec.payloads.index_reach` beside coefficients of so many bits."""
    return index_reach(bits <= AcceleratorConfig.narrow_coefficient_width)


def entries_per_lane(mask: Mask, n_lanes: int) -> NDArray[np.int64]:
    """Kept pairs of every column in every lane, int (columns, lanes); pair r lives in lane r mod n_lanes."""
    pairs = mask[0::2] | mask[1::2]
    return np.stack([pairs[lane::n_lanes].sum(axis=0) for lane in range(n_lanes)], axis=1)


def _reachable(best: Floats, reach: int) -> Floats:
    """For every row, the largest of the ``reach`` rows before it; -inf for the first.

    Windows of a power of two are the larger of two half as long; any length is two of those, overlapping.
    """
    whole = np.full((len(best) + reach, best.shape[1]), -np.inf)
    whole[reach:] = best
    window = whole
    length = 1
    while 2 * length <= reach:
        window = np.maximum(window[length:], window[:-length])
        length *= 2
    rest = reach - length
    if rest:
        window = np.maximum(window[rest:], window[:-rest])
    # Row r of ``window`` is now over rows r - reach to r - 1.
    return window[: len(best)]


def _chains(energy: Floats, depth: int, reach: int) -> Iterator[Floats]:
    """Energy of the best chain of 1, 2, …, ``depth`` rows that ends in each row, float (rows, columns)."""
    best = np.full(energy.shape, -np.inf)
    best[: reach + 1] = energy[: reach + 1]
    yield best
    for _ in range(1, depth):
        best = energy + _reachable(best, reach)
        yield best


def _totals(energy: Floats, depth: int, reach: int | None) -> Floats:
    """Energy of the best 1, 2, …, ``depth`` rows of every column, float (depth, columns).

    Parameters
    ----------
    energy : float array (rows, columns)
        Of the pairs of one lane.
        A lane with fewer rows keeps what it has.
    reach : int or None
        Largest distance of successive rows; the first may be that far after row 0. None: any.
    """
    own = min(depth, len(energy))
    if reach is None:
        totals = np.cumsum(-np.sort(-energy, axis=0)[:own], axis=0)
    else:
        totals = np.array([best.max(axis=0) for best in _chains(energy, own, reach)])
    return np.pad(totals, ((0, depth - own), (0, 0)), mode="edge")


def _best_rows(energy: Floats, words: NDArray[np.int64], reach: int | None) -> Mask:
    """The best ``words[c]`` rows of every column c, or all if there are fewer; bool (rows, columns)."""
    words = np.minimum(words, len(energy))
    keep = np.zeros(energy.shape, np.bool_)
    depth = int(words.max(initial=0))
    if reach is None:
        order = np.argsort(-energy, axis=0, kind="stable")[:depth]
        np.put_along_axis(keep, order, np.arange(len(order))[:, None] < words, axis=0)
        return keep
    chains = list(_chains(energy, depth, reach)) if depth else []
    row = np.zeros(energy.shape[1], np.int64)
    for k in range(depth - 1, -1, -1):
        used = np.flatnonzero(words > k)
        # From the last row of the best chain, or from the best row that reaches the one chosen before; of
        # equals the first.
        first = np.maximum(row[used] - reach, 0)
        window = first + np.arange(reach)[:, None]
        values = chains[k][np.minimum(window, len(energy) - 1), used]
        values[window >= row[used]] = -np.inf
        ends = words[used] == k + 1
        row[used] = np.where(
            ends, np.argmax(chains[k][:, used], axis=0), first + np.argmax(values, axis=0)
        )
        keep[row[used], used] = True
    return keep


def lane_balanced(
    S: Floats,
    density: float,
    n_lanes: int,
    column_weights: Floats | None = None,
    *,
    max_gap: int | None = 15,
) -> Mask:
    """Keep whole coefficient words: in each column every lane has the same number of pairs, so none
    is padding, except in a column's last possible word.

    A word of column c holds one pair for each lane; how many words a column gets is chosen over the
    whole matrix: the words that add most energy come first, as many as bring the number of pairs
    nearest to ``density * pairs``. Rows of a column are the best ones that relative indices reach.
    Where the row pairs are no multiple of the lanes, some lanes have no row for the last word of a
    column. It stores and takes as much as a whole one and adds less, so it comes late; a matrix with
    fewer row pairs than lanes has only such words, and keeps or drops whole columns.

    Parameters
    ----------
    S : float array (rows, columns)
        Orthonormal spectrum.
    density : float
        Part of the pairs to keep; at 1 all are.
    n_lanes : int
    column_weights : float array (columns,), optional
    max_gap : int, optional
        Largest distance of successive entries in lane rows (15 for the 4-bit indices of narrow
        coefficients, 255 for wide ones); None for any.
    """
    check_density(density)
    if n_lanes < 1:
        raise ValueError(f"n_lanes must be at least 1, not {n_lanes!r}")
    if max_gap is not None and max_gap < 1:
        raise ValueError(f"max_gap must be at least 1 or None, not {max_gap!r}")
    energy = group_energy(S, PAIR, column_weights)
    n_pairs = len(energy)
    keep = np.zeros(energy.shape, np.bool_)
    lanes = [energy[lane::n_lanes] for lane in range(min(n_lanes, n_pairs))]
    n_rows = len(lanes[0])
    reach = None if max_gap is None or max_gap >= n_rows - 1 else max_gap
    words = _words_of_columns(lanes, density * energy.size, reach)
    for columns in _alike(words, n_rows):
        for lane in range(len(lanes)):
            rows = _best_rows(lanes[lane][:, columns], words[columns], reach)
            keep[lane::n_lanes][:, columns] = rows
    return spread(keep)


def _alike(words: NDArray[np.int64], n_rows: int) -> Iterator[NDArray[np.int64]]:
    """Columns with any words, in parts whose tables are small: most need few entries, so those with many are apart."""
    longest, depth = int(words.max(initial=0)), 1
    while longest > depth // 2:
        columns = np.flatnonzero((words > depth // 2) & (words <= depth))
        step = max(1, _TABLE // (n_rows * depth))
        yield from (columns[i : i + step] for i in range(0, len(columns), step))
        depth *= 2


def _words_of_columns(lanes: list[Floats], n_pairs: float, reach: int | None) -> NDArray[np.int64]:
    """How many words each column gets, int (columns,), for about ``n_pairs`` pairs in all.

    Tables of the energies of the best k rows begin with small k and grow where a column is at their end: what
    lies beyond could not have been chosen elsewhere.
    """
    full, n_columns = lanes[0].shape
    sizes = np.array([sum(len(lane) > k for lane in lanes) for k in range(full)])
    depth = min(full, 4 + int(2 * n_pairs / (len(lanes) * n_columns)))
    depths = np.full(n_columns, depth)
    gain = np.zeros((0, n_columns))
    longer = np.arange(n_columns)
    while True:
        own = [_totals(lane[:, longer], depth, reach) for lane in lanes]
        unknown = np.full((depth - len(gain), n_columns), -np.inf)
        gain = np.concatenate([gain, unknown])
        # Without gaps the gain of one more word falls; with them it may rise, and min keeps the words in order.
        total = sum(own, np.zeros((depth, len(longer))))
        gain[:, longer] = np.minimum.accumulate(np.diff(total, axis=0, prepend=0.0), axis=0)
        order = np.argsort(-gain, axis=None, kind="stable")
        held = np.concatenate([[0], np.cumsum(sizes[order // n_columns])])
        order = order[: int(np.argmin(np.abs(held - n_pairs)))]
        words = np.bincount(order % n_columns, minlength=n_columns)
        longer = np.flatnonzero((words >= depths) & (depths < full))
        if not len(longer):
            return np.asarray(words, np.int64)
        depth = min(full, 2 * depth)
        depths[longer] = depth
