# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a cycle prediction gives for a layer."""

from dataclasses import dataclass

from spectramac.spec.descriptor import n_words

__all__ = ["LayerCycles", "fetch_cycles"]


def fetch_cycles(kind: int) -> int:
    """Reading the descriptor of a layer of ``kind`` and starting its loops."""
    return n_words(kind) + 2


@dataclass(frozen=True)
class LayerCycles:
    """What the hardware counters show for one layer.

    Attributes
    ----------
    cycles : int
        From the first cycle of fetching the descriptor to the last of the layer.
    lane_busy, lane_stalled : int
        Cycles of the layer's loops with and without an entry in the lanes.
    columns_skipped : int
        Directory words with entries whose column was dropped.
    """

    cycles: int
    lane_busy: int
    lane_stalled: int
    columns_skipped: int
