# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Which coefficients of a spectrum stay: the group that is kept or dropped together.

==========  ==========================================================================================
group       kept or dropped together
==========  ==========================================================================================
``value``   every value alone; the engine stores the value beside it (a zero) all the same
``pair``    what one entry holds: two neighbouring rows of a column; a complex bin's Re and Im
``bin``     2x2: everything between a row pair and a column pair, so that both columns of a complex
            bin are fetched or skipped together
``lanes``   pairs, as many in each lane for every column (as long as the lane has rows): whole coefficient words
==========  ==========================================================================================

In a complex pattern a group is one complex coefficient (four tied values, stored as one pair), or a pair
where a real bin takes part.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from spectramac.compress.blocks import Floats
from spectramac.compress.lanes import lane_balanced
from spectramac.compress.sft import joint_blocks
from spectramac.compress.threshold import (
    PAIR,
    Mask,
    by_density,
    group_energy,
    largest,
    spread,
)
from spectramac.model.network import Transform

__all__ = ["PAIRS", "Selection", "keep_complex", "keep_diagonal"]

_GROUPS = {"value": (1, 1), "pair": PAIR, "bin": (2, 2)}


@dataclass(frozen=True)
class Selection:
    """How the largest coefficients are chosen.

    Parameters
    ----------
    group : str
        ``"value"``, ``"pair"``, ``"bin"`` or ``"lanes"``, see the module's table.
    n_lanes : int
        Of the accelerator; for ``"lanes"``.
    max_gap : int or None
        Largest distance of successive rows of a lane, for ``"lanes"``: 15 for coefficients of 4 bits, 255
        for wider ones.
    """

    group: Literal["value", "pair", "bin", "lanes"] = "pair"
    n_lanes: int = 3
    max_gap: int | None = 15

    def __post_init__(self) -> None:
        if self.group not in (*_GROUPS, "lanes"):
            raise ValueError(f"group must be one of {(*_GROUPS, 'lanes')}, not {self.group!r}")

    def __call__(self, S: Floats, density: float, weights: Floats | None = None) -> Mask:
        """Mask of the part ``density`` of the orthonormal spectrum ``S``, columns weighted by ``weights``."""
        if self.group != "lanes":
            return by_density(S, density, weights, group=_GROUPS[self.group])
        return lane_balanced(S, density, self.n_lanes, weights, max_gap=self.max_gap)


PAIRS = Selection()


def keep_complex(
    S: Floats, density: float, t_in: Transform, t_out: Transform, weights: Floats | None = None
) -> Mask:
    """The largest groups of a complex pattern: ``round(density * groups)`` of them.

    Parameters
    ----------
    S : float array (rows, columns)
        A complex pattern (:func:`~spectramac.compress.sft.complex_pattern`).
    """
    energy = group_energy(S, PAIR, weights)
    joint = joint_blocks(S.shape, t_in, t_out)
    # The second column of a complex coefficient is no group of its own: its energy goes to the first.
    energy[:, 0::2] += np.where(joint, energy[:, 1::2], 0.0)
    energy[:, 1::2][joint] = -1
    keep = largest(energy, round(density * np.count_nonzero(energy >= 0)))
    keep[:, 1::2] |= keep[:, 0::2] & joint
    return spread(keep)


def keep_diagonal(S: Floats, density: float, t: Transform, weights: Floats | None = None) -> Mask:
    """The largest bins of a block-circulant spectrum; nothing off the diagonals of its blocks.

    Parameters
    ----------
    S : float array (output blocks * n, input blocks * n)
        A complex pattern. A group is one bin of one block; the two real bins of a pair are one group.
    """
    half = t.n // 2
    shape = (len(S) // t.n, half, 2, S.shape[1] // t.n, half, 2)
    energy = group_energy(S, (1, 1), weights).reshape(shape)
    k = np.arange(half)
    on_diagonal = energy[:, k, :, :, k, :].sum(axis=(2, 4))  # (bins, output blocks, input blocks)
    real = ~joint_blocks((t.n, t.n), t, t)[k, k]
    diagonal_values = energy[:, k, :, :, k, :][..., [0, 1], :, [0, 1]].sum(axis=0)
    on_diagonal[real] = diagonal_values[real]
    keep = largest(on_diagonal, round(density * on_diagonal.size))
    mask = np.zeros(shape, np.bool_)
    for bin_ in k:
        block = np.eye(2, dtype=np.bool_) if real[bin_] else np.ones((2, 2), np.bool_)
        mask[:, bin_, :, :, bin_, :] = keep[bin_][:, None, :, None] & block[:, None, :]
    return mask.reshape(S.shape)
