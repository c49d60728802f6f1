# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Exact cycle prediction of a convolution in tiles: a tile is a row group, each of its channels a spectrum."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.layer_cycles import LayerCycles, fetch_cycles
from spectramac.compiler.stage_cycles import Backward, Forward, Lanes
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.timing import TILE_GATHER_LATENCY, tile_banks

__all__ = ["predict_tiles"]


class _Forward(Forward):
    """A channel of a tile at a time."""

    gather_latency = TILE_GATHER_LATENCY


def predict_tiles(
    config: AcceleratorConfig,
    descriptor: Mapping[str, int],
    counts: NDArray[Any],
    kept: NDArray[np.bool_] | None,
    n_pairs: int,
) -> LayerCycles:
    """Predict the hardware counters of one convolution in tiles.

    Parameters
    ----------
    config : AcceleratorConfig
    descriptor : mapping
        Decoded fields.
    counts : int array (1, n_column_pairs, 1)
        The directory.
    kept : bool array (tiles, n_column_pairs, 1), or None
        Columns that the threshold keeps in each tile of each pair; None keeps all.
    n_pairs : int
    """
    size, channels = 1 << descriptor["in_log2_n"], descriptor["n_in"]
    n_tiles = n_pairs * descriptor["walk_height"] * descriptor["walk_width"]
    kinds = counts.shape[2]
    n_banks = tile_banks(config, descriptor["in_log2_n"])
    table = counts.reshape(channels, size // 2, kinds).tolist()
    everything = [[[True] * kinds] * (size // 2)] * channels
    forward = _Forward(config, {**descriptor, "padded_in": size})
    lanes = Lanes(config, descriptor)
    backward = Backward(config, descriptor)
    spectrum_released: list[int] = []
    bank_released: list[int] = []
    for tile in range(n_tiles):
        keep = everything
        if kept is not None:
            keep = kept[tile].reshape(channels, size // 2, kinds).tolist()
        for channel in range(channels):
            free = len(spectrum_released) - n_banks
            written = forward.start(spectrum_released[free] + 1 if free >= 0 else 0)
            if channel == 0:
                bank = tile - config.n_accumulator_banks
                lanes.begin(bank_released[bank] + 1 if bank >= 0 else 0)
            lanes.columns(written, table[channel], keep[channel])
            spectrum_released.append(lanes.pair_read)
        _, complete = lanes.end(final=True)
        bank_released.append(backward.start(complete + 1, descriptor["padded_out"]))
    run = backward.end
    cycles = fetch_cycles(descriptor["kind"]) + run
    return LayerCycles(cycles, lanes.busy, run - lanes.busy, lanes.skipped)
