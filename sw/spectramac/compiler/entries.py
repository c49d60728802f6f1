# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The entries of directory words: which rows get one, and what it holds (docs/design.md)."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bools", "Ints", "choose_rows", "make_entries"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def choose_rows(stored: Bools, step: int | None, uniform: int | None = None) -> Bools:
    """Rows that get an entry, for each lane and word: the same number in all lanes of a word.

    Parameters
    ----------
    stored : bool array (rows, lanes, words)
        Where S is not zero.
    step : int or None
        Largest distance between successive rows; None: rows without gaps from 0.
    uniform : int or None
        Entries of every word that has any, at least as many as any word needs; None: as many as each needs.

    Returns
    -------
    chosen : bool array (rows, lanes, words)
        ``stored`` and padding. Padding never reaches past the last row, because it takes rows that are
        there and vacant.
    """

    def padded(count: Ints) -> Ints:
        return count if uniform is None else np.where(count > 0, uniform, 0)

    n_rows = len(stored)
    row = np.arange(n_rows)[:, None, None]
    last = np.where(stored, row, -1).max(axis=0)
    if step is None:
        return np.broadcast_to(row < padded(last.max(axis=0) + 1), stored.shape)
    chosen = stored.copy()
    previous = np.full(stored.shape[1:], -1)
    for r in range(n_rows):
        chosen[r] |= (r - previous == step) & (r < last)
        previous[chosen[r]] = r
    n_chosen = chosen.sum(axis=0)
    missing = padded(n_chosen.max(axis=0)) - n_chosen
    vacant = ~chosen
    return np.asarray(chosen | (vacant & (np.cumsum(vacant, axis=0) <= missing)), np.bool_)


def make_entries(
    a: NDArray[np.int16], b: NDArray[np.int16], chosen: Bools, count: Ints
) -> tuple[Ints, Ints, Ints]:
    """Entries (n, lanes) of all words, word after word: a, b and the distance minus one."""
    depth = int(count.max(initial=0))
    # Chosen rows first, in order.
    order = np.argsort(~chosen, axis=0, kind="stable")[:depth]
    d = np.diff(order, axis=0, prepend=-1) - 1
    present = (np.arange(depth) < count[:, None]).reshape(-1)

    def flat(values: NDArray[np.integer]) -> Ints:
        n_lanes = values.shape[1]
        return values.transpose(2, 0, 1).reshape(-1, n_lanes)[present].astype(np.int64)

    return (
        flat(np.take_along_axis(a, order, axis=0)),
        flat(np.take_along_axis(b, order, axis=0)),
        flat(d),
    )
