# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Bytes that a network takes, everything counted: an estimate without compiling it.

The compiled image is the authority (:mod:`spectramac.compiler`); this is for training, where it is
needed often.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from spectramac.model.network import Layer, Network
from spectramac.spec.config import AcceleratorConfig

__all__ = ["LayerSize", "dense_bytes", "layer_size", "network_bytes"]

DESCRIPTOR_BYTES = 64
DIRECTORY_BYTES = 1
BIAS_BYTES = 2
SCALE_BITS = AcceleratorConfig.multiplier_width + AcceleratorConfig.shift_width


@dataclass(frozen=True)
class LayerSize:
    """What one layer stores.

    Attributes
    ----------
    pairs, padding : int
        Stored pairs that carry a value, and those that only fill a word or bridge an index gap.
    pair_bits : int
        24 for a wide pair (8 + 8 + 8 index), 12 for a narrow one (4 + 4 + 4 index).
    words : int
        Coefficient words over all lanes.
    coefficient_bytes, directory_bytes, bias_bytes, scale_bytes, row_shift_bytes, descriptor_bytes :
    float
    """

    pairs: int
    padding: int
    pair_bits: int
    words: int
    coefficient_bytes: float
    directory_bytes: float
    bias_bytes: float
    scale_bytes: float
    row_shift_bytes: float
    descriptor_bytes: float = DESCRIPTOR_BYTES

    @property
    def total(self) -> float:
        """Bytes of the layer."""
        return (
            self.coefficient_bytes
            + self.directory_bytes
            + self.bias_bytes
            + self.scale_bytes
            + self.row_shift_bytes
            + self.descriptor_bytes
        )


def _lane_entries(rows: list[int], reach: int) -> int:
    """Entries for pairs at rising lane rows; an index reaches ``reach`` rows past the last one."""
    entries, position = 0, 0
    for row in rows:
        entries += max(0, -(-(row - position) // reach) - 1) + 1
        position = row
    return entries


def layer_size(layer: Layer, n_lanes: int, row_pairs_max: int | None = None) -> LayerSize:
    """Count what a layer stores on an accelerator of ``n_lanes`` lanes.

    Parameters
    ----------
    row_pairs_max : int, optional
        Row pairs of one group; every group has its own column directory. Default: all rows in one
        group.
    """
    if layer.pattern != "real":
        raise ValueError(f"layer {layer.name!r}: pattern must be 'real', not {layer.pattern!r}")
    pairs = layer.coefficients[0::2].astype(np.bool_) | layer.coefficients[1::2].astype(np.bool_)
    n_pairs, n_columns = pairs.shape
    group = row_pairs_max or n_pairs
    group -= group % n_lanes if group < n_pairs else 0
    narrow = layer.coefficient_bits <= 4
    reach = (1 << (4 if narrow else 8)) - 1
    words = groups = 0
    for start in range(0, n_pairs, group):
        groups += 1
        part = pairs[start : start + group]
        for c in range(n_columns):
            lanes = [np.flatnonzero(part[lane::n_lanes, c]).tolist() for lane in range(n_lanes)]
            words += max(_lane_entries(rows, reach) for rows in lanes)
    pair_bits = 12 if narrow else 24
    per_channel = not (isinstance(layer.multiplier, int) and isinstance(layer.shift, int))
    per_pair = not isinstance(layer.row_shift, int)
    stored = int(pairs.sum())
    return LayerSize(
        pairs=stored,
        padding=words * n_lanes - stored,
        pair_bits=pair_bits,
        words=words,
        coefficient_bytes=words * n_lanes * pair_bits / 8,
        directory_bytes=float(DIRECTORY_BYTES * n_columns * groups),
        bias_bytes=float(BIAS_BYTES * layer.n_out),
        scale_bytes=layer.n_out * SCALE_BITS / 8 if per_channel else 0.0,
        row_shift_bytes=n_pairs * 5 / 8 if per_pair else 0.0,
    )


def network_bytes(network: Network, n_lanes: int) -> int:
    """Stored bytes of all layers, rounded up."""
    return int(np.ceil(sum(layer_size(layer, n_lanes).total for layer in network.layers)))


def dense_bytes(sizes: list[int]) -> int:
    """Bytes of a dense int8 network n0 → n1 → …: one a weight, two a bias, nothing else."""
    return sum(a * b + BIAS_BYTES * b for a, b in pairwise(sizes))
