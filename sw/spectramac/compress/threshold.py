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
    "check_density",
    "column_rms",
    "group_energy",
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


def check_density(density: float) -> None:
    """Refuse what is no part of a whole."""
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
    check_density(density)
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
