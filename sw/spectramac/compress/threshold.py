# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Which coefficients to keep: thresholds on pairs.

The hardware stores *pairs*: the values of two neighbouring rows, 2r and 2r+1, in one column. A pair
is kept or dropped as one; its magnitude is √(s[2r]² + s[2r+1]²), its energy the square of that. All
functions take an orthonormal spectrum (:func:`spectramac.compress.sft.orthonormal`), in which energies
add up to the squared error of the weights, and return a mask of the same shape. Other *groups* than
pairs, (rows, columns) of values that are kept or dropped together, are a parameter where they make sense.

The largest groups are found by selection, not by sorting: linear time. Energies below 1e-308 count as zero.

**Activation-aware**: the error of the *output* is Σ |dropped S̃[r, c]|² · E|X̃[c]|² for
uncorrelated columns, so magnitudes are multiplied by ``column_weights``, the RMS of each column
(:func:`column_rms`), before they are compared.
"""

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats, analyse
from spectramac.model.network import Transform

__all__ = [
    "PAIR",
    "Group",
    "Mask",
    "by_density",
    "by_energy",
    "by_error",
    "by_tau",
    "column_rms",
    "entries_per_lane",
    "group_energy",
    "lane_balanced",
    "largest",
    "pair_magnitude",
    "spread",
]

Mask = NDArray[np.bool_]
Group = tuple[int, int]
PAIR: Group = (2, 1)
"""What one entry of coefficient memory holds: two rows of one column."""


def column_rms(x: NDArray[np.generic], t_in: Transform) -> Floats:
    """RMS of every orthonormal column of a layer's input, float (padded columns,).

    Parameters
    ----------
    x : array (batch, n_in)
        Inputs of the layer on calibration data, in any unit.
    """
    x = np.asarray(x, np.float64)
    padded = np.zeros((len(x), t_in.padded(x.shape[1])))
    padded[:, : x.shape[1]] = x
    analyse(padded, t_in, 1)
    rms: Floats = np.sqrt(np.mean(np.square(padded, out=padded), axis=0))
    return rms


def group_energy(S: Floats, group: Group = PAIR, column_weights: Floats | None = None) -> Floats:
    """Energy of every group, float (rows / group rows, columns / group columns).

    Parameters
    ----------
    S : float array (rows, columns)
    group : (int, int)
        Rows and columns of a group.
    column_weights : float array (columns,), optional
        Multiply magnitudes before they are squared.
    """
    S = np.asarray(S, np.float64)
    n_rows, n_columns = group
    if S.ndim != 2 or S.shape[0] % n_rows or S.shape[1] % n_columns:
        what = "an even number of rows" if group == PAIR else f"whole groups of {group}"
        raise ValueError(f"a spectrum must have {what}, not shape {S.shape!r}")
    energy = S[0::n_rows] * S[0::n_rows]
    for row in range(1, n_rows):
        energy += S[row::n_rows] * S[row::n_rows]
    if column_weights is not None:
        weights = np.asarray(column_weights, np.float64)
        if weights.shape != (S.shape[1],) or np.any(weights < 0):
            raise ValueError(
                f"column_weights must be {S.shape[1]} numbers of at least 0, "
                f"not shape {weights.shape!r}"
            )
        energy *= weights * weights
    if n_columns > 1:
        energy = energy.reshape(len(energy), -1, n_columns).sum(axis=2)
    return energy


def pair_magnitude(S: Floats, column_weights: Floats | None = None) -> Floats:
    """Magnitude of every pair, float (rows/2, columns); weighted if weights (columns,) are given."""
    energy = group_energy(S, PAIR, column_weights)
    return np.sqrt(energy, out=energy)


def spread(groups: Mask, group: Group = PAIR) -> Mask:
    """From a mask of groups to one of values."""
    n_rows, n_columns = group
    wide = np.repeat(groups, n_columns, axis=1) if n_columns > 1 else groups
    return np.repeat(wide, n_rows, axis=0) if n_rows > 1 else wide


def largest(values: Floats, count: int) -> Mask:
    """Where the ``count`` largest elements are; of equals, the first in memory. Linear time."""
    flat = values.reshape(-1)
    keep = np.zeros(flat.shape, np.bool_)
    if count >= flat.size:
        keep[:] = True
    elif count > 0:
        smallest = np.partition(flat, flat.size - count)[flat.size - count]
        np.greater(flat, smallest, out=keep)
        missing = count - int(np.count_nonzero(keep))
        keep[np.flatnonzero(flat == smallest)[:missing]] = True
    return keep.reshape(values.shape)


def _check_density(density: float) -> None:
    if not 0 <= density <= 1:
        raise ValueError(f"density must be from 0 to 1, not {density!r}")


def by_tau(S: Floats, tau: float, column_weights: Floats | None = None) -> Mask:
    """Keep the pairs whose magnitude is at least ``tau``, and is not zero."""
    if tau < 0:
        raise ValueError(f"tau must be at least 0, not {tau!r}")
    magnitude = pair_magnitude(S, column_weights)
    return spread((magnitude >= tau) & (magnitude > 0))


def by_density(
    S: Floats, density: float, column_weights: Floats | None = None, *, group: Group = PAIR
) -> Mask:
    """Keep exactly ``round(density * groups)`` groups, the largest; of equals, the first in memory."""
    _check_density(density)
    energy = group_energy(S, group, column_weights)
    return spread(largest(energy, round(density * energy.size)), group)


def by_energy(
    S: Floats, energy: float, column_weights: Floats | None = None, *, group: Group = PAIR
) -> Mask:
    """Keep the fewest groups that hold at least the part ``energy`` of all energy.

    By Parseval's theorem the relative squared error of the weights, or with column weights of the
    output, is then at most ``1 - energy``.

    Parameters
    ----------
    energy : float
        From 0 to 1; 1 keeps every group that is not zero.
    """
    if not 0 <= energy <= 1:
        raise ValueError(f"energy must be from 0 to 1, not {energy!r}")
    values = group_energy(S, group, column_weights)
    if energy == 1:
        return spread(values > 0, group)
    total = np.cumsum(-np.sort(-values, axis=None))
    count = int(np.searchsorted(total, energy * total[-1])) + 1 if total[-1] > 0 and energy else 0
    return spread(largest(values, count), group)


def by_error(
    S: Floats, error: float, column_weights: Floats | None = None, *, group: Group = PAIR
) -> Mask:
    """Drop as many groups as leave a relative error (root mean square) of at most ``error``.

    Parameters
    ----------
    error : float
        From 0 to 1: ‖dropped‖ / ‖S‖, both weighted if weights are given.
    """
    if not 0 <= error <= 1:
        raise ValueError(f"error must be from 0 to 1, not {error!r}")
    return by_energy(S, 1 - error * error, column_weights, group=group)


def entries_per_lane(mask: Mask, n_lanes: int) -> NDArray[np.int64]:
    """Kept pairs of every column in every lane, int (columns, lanes); pair r lives in lane r mod n_lanes."""
    pairs = mask[0::2] | mask[1::2]
    return np.stack([pairs[lane::n_lanes].sum(axis=0) for lane in range(n_lanes)], axis=1)


def _best_rows(energy: Floats, max_gap: int | None) -> tuple[Floats, NDArray[np.int64]]:
    """For one lane, the best rows for every number of entries.

    Dynamic programming over (entries, last row): best[k, r] = energy[r] + max best[k-1, r'] over
    the rows r' that the index reaches r from, r - max_gap ≤ r' < r; the first entry is at most
    max_gap after row 0.

    Parameters
    ----------
    energy : float array (lane rows, columns)

    Returns
    -------
    (total, chosen) : float (lane rows, columns), int (lane rows, lane rows, columns)
        ``total[k-1]`` is the energy of the best k rows and ``chosen[k-1, :k]`` are those rows.
    """
    n_rows, n_columns = energy.shape
    if max_gap is None or max_gap >= n_rows - 1:
        order = np.argsort(-energy, axis=0, kind="stable")
        total = np.cumsum(np.take_along_axis(energy, order, axis=0), axis=0)
        return total, np.broadcast_to(order, (n_rows, n_rows, n_columns))
    reach = max_gap
    best = np.full((n_rows, n_rows, n_columns), -np.inf)
    previous = np.zeros((n_rows, n_rows, n_columns), np.int64)
    best[0, : reach + 1] = energy[: reach + 1]
    for k in range(1, n_rows):
        for r in range(k, n_rows):
            window = best[k - 1, max(0, r - reach) : r]
            source = np.argmax(window, axis=0)
            previous[k, r] = source + max(0, r - reach)
            best[k, r] = energy[r] + np.take_along_axis(window, source[None], axis=0)[0]
    chosen = np.zeros_like(previous)
    chosen_last = np.argmax(best, axis=1)
    column = np.arange(n_columns)
    for k in range(n_rows):
        row = chosen_last[k]
        for j in range(k, -1, -1):
            chosen[k, j] = row
            row = previous[j, row, column]
    return best.max(axis=1), chosen


def lane_balanced(
    S: Floats,
    density: float,
    n_lanes: int,
    column_weights: Floats | None = None,
    *,
    max_gap: int | None = 15,
) -> Mask:
    """Keep whole coefficient words: in each column every lane has the same number of pairs, so none
    is padding.

    A word of column c holds one pair for each lane; how many words a column gets is chosen over the
    whole matrix: the words that add most energy come first, ``round(density * pairs / n_lanes)`` in
    all. Rows of a column are the best ones that relative indices reach. A word that not every lane
    has a row for is never used: of 5 row pairs on 3 lanes, at most one word a column.

    Parameters
    ----------
    S : float array (rows, columns)
        Orthonormal spectrum.
    density : float
        Part of the pairs to keep, at most what whole words can hold.
    n_lanes : int
    column_weights : float array (columns,), optional
    max_gap : int, optional
        Largest distance of successive entries in lane rows (15 for the 4-bit indices of narrow
        coefficients, 255 for wide ones); None for any.
    """
    _check_density(density)
    if n_lanes < 1:
        raise ValueError(f"n_lanes must be at least 1, not {n_lanes!r}")
    if max_gap is not None and max_gap < 1:
        raise ValueError(f"max_gap must be at least 1 or None, not {max_gap!r}")
    energy = pair_magnitude(S, column_weights) ** 2
    n_pairs, n_columns = energy.shape
    n_words = round(density * energy.size / n_lanes)
    keep = np.zeros(energy.shape, np.bool_)
    depth = n_pairs // n_lanes
    if depth == 0 or n_words == 0:
        return spread(keep)
    lanes = [_best_rows(energy[lane::n_lanes], max_gap) for lane in range(n_lanes)]
    total = sum((best[:depth] for best, _ in lanes), np.zeros((depth, n_columns)))
    # Without gaps the gain of one more word falls; with them it may rise, and min keeps the words in order.
    gain = np.minimum.accumulate(np.diff(total, axis=0, prepend=0.0), axis=0)
    order = np.argsort(-gain, axis=None, kind="stable")[:n_words]
    words = np.bincount(order % n_columns, minlength=n_columns)
    for lane, (_, chosen) in enumerate(lanes):
        for c in np.flatnonzero(words):
            k = words[c]
            keep[chosen[k - 1, :k, c] * n_lanes + lane, c] = True
    return spread(keep)
