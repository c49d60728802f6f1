# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A convolution of a program in the spectra of overlapping tiles (docs/design.md).

Every tile is a fully-connected layer of its own, whose inputs are a patch of all channels; pairs of inferences and
tiles are evaluated together.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from spectramac.model.accumulate import accumulate
from spectramac.model.fixed import Ints
from spectramac.model.program_layer import LayerTrace
from spectramac.model.program_map import MapProgram
from spectramac.model.spectrum import pair_map
from spectramac.model.tiles import TILE_SIDES
from spectramac.spec.registers import OVERFLOWS

Bools = NDArray[np.bool_]

__all__ = ["TilesProgram"]

SIDES = {(side * side).bit_length() - 1: side for side in TILE_SIDES}
"""T by log2 of its transform's length."""
CHUNK = 1 << 20
"""Samples of tiles at a time: bounds the memory, changes no result."""


class TilesProgram(MapProgram):
    """Kind 2. The trace's ``kept`` has tiles, row by row and pair after pair, where a layer's has pairs."""

    # The descriptor.

    @property
    def side(self) -> int:
        """T."""
        return SIDES[self.d["in_log2_n"]]

    @property
    def strides(self) -> tuple[int, int]:
        """Of the windows."""
        return self.d["stride_y"], self.d["stride_x"]

    @property
    def outputs(self) -> tuple[int, int]:
        """Of a tile, on each axis."""
        return self.d["tile_rows"], self.d["tile_columns"]

    def _check_geometry(self) -> None:
        d, need, config = self.d, self.need, self.config
        sizes = [log2_n for log2_n in SIDES if config.fft.allows(log2_n, two_d=True)]
        need(d["in_log2_n"] in sizes, "in_log2_n", f"one of {', '.join(map(str, sizes))}")
        need(d["out_log2_n"] == d["in_log2_n"], "out_log2_n", f"in_log2_n = {d['in_log2_n']}")
        for side in ("in", "out"):
            need(d[f"{side}_two_d"] == 1, f"{side}_two_d", "1")
            need(d[f"n_{side}"] >= 1, f"n_{side}", "at least 1")
            padded = d[f"n_{side}"] * self.n
            need(d[f"padded_{side}"] == padded, f"padded_{side}", f"{padded}, {self.n} a channel")
        depth = config.spectrum_depth
        need(
            self.n <= depth,
            "in_log2_n",
            f"such that {self.n} samples fit spectrum memory's {depth}",
        )
        need(bool(d["is_complex"]), "is_complex", "1 for tiles")
        need(d["group_out"] == d["padded_out"], "group_out", f"padded_out = {d['padded_out']}")
        self._check_level()
        for axis, side in (("y", "rows"), ("x", "columns")):
            need(d[f"stride_{axis}"] in (1, 2), f"stride_{axis}", "1 or 2")
            most = self.side // d[f"stride_{axis}"]
            need(1 <= d[f"tile_{side}"] <= most, f"tile_{side}", f"from 1 to {most}")
            extent = "height" if axis == "y" else "width"
            tiles = -(-d[f"out_{extent}"] // d[f"tile_{side}"])
            need(
                d[f"walk_{extent}"] == tiles, f"walk_{extent}", f"{tiles}, those of the output map"
            )

    @property
    def n_row_shifts(self) -> int:
        """One for each output channel."""
        return self.d["n_out"]

    @property
    def words_of_a_pair(self) -> int:
        """One: complex, or two real bins apart."""
        return 1

    # Execution.

    def run(self, activation: NDArray[np.uint32], n_pairs: int) -> LayerTrace:
        """Carry all pairs of inferences through the layer; writes ``activation``."""
        source = self.map_addresses("in", n_pairs, len(activation))
        target = self.map_addresses("out", n_pairs, len(activation))
        self.check_output(target, source)
        overflows = dict.fromkeys(OVERFLOWS, False)
        tiles, z, kept = self._tiles(activation[source]), [], []
        step = max(1, CHUNK // tiles.shape[1])
        for first in range(0, len(tiles), step):
            columns, keep = self._forward(tiles[first : first + step], overflows)
            kept.append(keep)
            ((rows, shift),) = self._lanes(columns, overflows)
            z.append(self._backward(rows, shift, overflows))
        y, clipped = self._requantize(self._outputs(np.concatenate(z), n_pairs), 0)
        self.write(activation, target, y)
        keeps = np.concatenate(kept)
        skipped = np.sum((self.counts[0] > 0) & ~keeps)
        counters = {"columns_skipped": int(skipped), "saturations": int(clipped.sum())}
        return LayerTrace(self.d, self.counts, keeps, counters, overflows)

    def _forward(self, words: NDArray[np.uint32], overflows: dict[str, bool]) -> tuple[Ints, Bools]:
        """As of a layer; a pair is kept as a whole."""
        columns, kept = super()._forward(words, overflows)
        whole: Bools = np.any(kept, axis=-1)[..., None]
        return columns, whole

    def _tiles(self, words: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """From maps (n_pairs, height, width, n_in) to patches (tiles, padded_in), zero beyond the map."""
        d, n_tiles = self.d, (self.d["walk_height"], self.d["walk_width"])
        steps = [n * s for n, s in zip(self.outputs, self.strides, strict=True)]
        spans = [(n - 1) * step + self.side for n, step in zip(n_tiles, steps, strict=True)]
        padded = np.zeros((len(words), *spans, d["n_in"]), np.uint32)
        top, left = d["top"], d["left"]
        part = words[:, : max(0, spans[0] - top), : max(0, spans[1] - left)]
        padded[:, top : top + part.shape[1], left : left + part.shape[2]] = part
        views = sliding_window_view(padded, (self.side, self.side), axis=(1, 2))
        return views[:, :: steps[0], :: steps[1]].reshape(-1, d["padded_in"])

    def _sums(self, group: int, a: Ints, b: Ints, index: Ints, matrix: Ints) -> tuple[Ints, bool]:
        """Row after row, for a row meets few of the columns."""
        n_lanes, depth = self.config.n_lanes, self.depth(group)
        row, pair, _ = self._rows(group, index)
        joint = np.tile(pair_map(self.n, True).joint, self.n_column_pairs // (self.n // 2))
        x = matrix.reshape(self.n_column_pairs, 2, -1)
        sums = np.zeros((depth, n_lanes, 2, x.shape[-1]), np.int64)
        saturated = False
        order = np.argsort(row, axis=None, kind="stable")
        ends = np.cumsum(np.bincount(row.reshape(-1), minlength=depth))
        for r, some in enumerate(np.split(order, ends[:-1])):
            if not len(some):
                continue
            entry, lane = np.divmod(some, n_lanes)
            pairs, where = np.unique(pair[entry], return_inverse=True)
            weights = np.zeros((n_lanes, 2, len(pairs), 2), np.int64)
            first, second = a[entry, lane], b[entry, lane]
            bins = joint[pair[entry]]
            weights[lane, 0, where, 0] = first
            weights[lane, 1, where, 0] = np.where(bins, second, 0)
            weights[lane, 0, where, 1] = np.where(bins, -second, 0)
            weights[lane, 1, where, 1] = np.where(bins, first, second)
            v, clipped = accumulate(
                weights.reshape(2 * n_lanes, -1),
                x[pairs].reshape(-1, x.shape[-1]),
                self.config.accumulator,
            )
            sums[r] = v.reshape(n_lanes, 2, -1)
            saturated |= clipped
        return sums.reshape(-1, x.shape[-1]), saturated

    def _row_shifts(self, group: int, rho: Ints) -> Ints:
        """Of channel o, where a layer's are of row pairs."""
        return super()._row_shifts(group, rho // (self.m // 2))

    def _outputs(self, z: Ints, n_pairs: int) -> Ints:
        """From samples (tiles, 2, padded_out) to the output map (n_pairs, 2, height, width, n_out)."""
        d, (rows, columns), (sy, sx) = self.d, self.outputs, self.strides
        down, across = d["walk_height"], d["walk_width"]
        samples = z.reshape(n_pairs, down, across, 2, d["n_out"], self.side, self.side)
        samples = samples[..., : rows * sy : sy, : columns * sx : sx]
        # (pair, inference; tile row, row; tile column, column; channel)
        whole = samples.transpose(0, 3, 1, 5, 2, 6, 4)
        whole = whole.reshape(n_pairs, 2, down * rows, across * columns, d["n_out"])
        return whole[:, :, : d["out_height"], : d["out_width"]]
