# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A fully-connected layer of a program: gather to write-back, from the memories (docs/design.md).

Work is ordered as in the hardware wherever order can be observed; pairs of inferences, which cannot observe each other,
are evaluated together.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.model.accumulate import accumulate
from spectramac.model.fft import fft
from spectramac.model.fixed import Ints, round_shift, saturate
from spectramac.model.program import ProgramLayer, signed
from spectramac.model.requantize import requantize
from spectramac.model.spectrum import merge, pair_map, split, threshold
from spectramac.spec.registers import OVERFLOWS

__all__ = ["LayerProgram", "LayerTrace"]

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LayerTrace:
    """What one layer did.

    Attributes
    ----------
    descriptor : dict
        Decoded fields.
    counts : int array (n_groups, n_column_pairs, 2 or 3)
        Directory: entries of columns (a, b), or of (complex, a, b). Convolution: phases instead of groups.
        Depthwise on the lanes: (phases, ``pixel_rows``, 1).
    kept : bool array (n_pairs, n_column_pairs, 2 or 3)
        For each pair of inferences, whether the entries of a directory word were executed. Convolution: for each
        pixel of the map, (n_pairs, in_height, in_width, n_column_pairs, 2 or 3).
    counters : dict
        ``columns_skipped`` and ``saturations`` of this layer.
    overflows : dict
        For each of :data:`spectramac.spec.registers.OVERFLOWS`, whether it saturated in this layer.
    """

    descriptor: dict[str, int]
    counts: Ints
    kept: Bools
    counters: dict[str, int]
    overflows: dict[str, bool]


class LayerProgram(ProgramLayer):
    """The three loops that execute a layer."""

    depth_field = "clear_depth"
    """What :meth:`depth` is, for messages."""

    def depth(self, group: int) -> int:
        """Accumulator rows that the group's entries may address."""
        return self.d["clear_depth"]

    # Execution.

    def run(self, activation: NDArray[np.uint32], n_pairs: int) -> LayerTrace:
        """Carry all pairs of inferences through the layer; writes ``activation``."""
        source = self.addresses("in", n_pairs, len(activation))
        target = self.addresses("out", n_pairs, len(activation))
        self.need(
            not np.isin(target, source).any(), "out_base", "such that no input is overwritten"
        )
        overflows = dict.fromkeys(OVERFLOWS, False)
        columns, kept = self._forward(activation[source], overflows)
        y, saturated = [], 0
        for group, (rows, shift) in enumerate(self._lanes(columns, overflows)):
            z = self._backward(rows, shift, overflows)
            first = group * self.d["group_out"]
            values, clipped = self._requantize(z[..., : max(0, self.d["n_out"] - first)], first)
            y.append(values)
            saturated += int(clipped.sum())
        out = np.concatenate(y, axis=-1) & 0xFF
        activation[target] = (out[:, 0] | out[:, 1] << 8).astype(np.uint32)
        skipped = np.sum((self.counts > 0).sum(axis=0) * (~kept).sum(axis=0))
        counters = {"columns_skipped": int(skipped), "saturations": saturated}
        return LayerTrace(self.d, self.counts, kept, counters, overflows)

    def _forward(self, words: NDArray[np.uint32], overflows: dict[str, bool]) -> tuple[Ints, Bools]:
        """Gather to threshold: columns (pairs, 2, padded_in); which directory words are kept."""
        d = self.d
        z = np.zeros((2, len(words), d["padded_in"]), np.int64)
        z[0, :, : words.shape[1]] = signed(words, 8)
        z[1, :, : words.shape[1]] = signed(words >> 8, 8)
        re, im = z.reshape(2, len(words), -1, self.n)
        two_d = bool(d["in_two_d"])
        if d["in_log2_n"]:
            halve = d["halve_in"] & (self.n - 1)
            spectrum = fft(
                re, im, config=self.config.fft, log2_n=d["in_log2_n"], two_d=two_d, halve=halve
            )
            re, im = spectrum.re, spectrum.im
            overflows["forward_fft"] |= bool(spectrum.overflow.any())
        u = np.stack(split(re, im, self.n, two_d), axis=1)
        u, mask = threshold(u, self.n, two_d, self.level)
        kept = mask.any(axis=1).reshape(len(words), self.n_column_pairs, 2)
        if self.kinds == 3:
            kept = np.concatenate([kept.any(axis=-1, keepdims=True), kept], axis=-1)
        return u.reshape(len(words), 2, d["padded_in"]), kept

    def _lanes(self, columns: Ints, overflows: dict[str, bool]) -> list[tuple[Ints, Ints]]:
        """Reader to accumulators: for each group, row sums (pairs, 2, blocks, m) and row shifts."""
        d, n_lanes = self.d, self.config.n_lanes
        n_pairs = len(columns)
        x = columns.reshape(n_pairs, 2, self.n_column_pairs, 2).transpose(2, 3, 1, 0)
        if self.kinds == 3:
            x = np.concatenate([x, x], axis=1)
        matrix = x.reshape(-1, 2 * n_pairs)
        a, b, index = self.entries()
        groups = []
        start = 0
        for group in range(self.n_groups):
            n_entries = int(self.counts[group].sum())
            part = slice(start, start + n_entries)
            start += n_entries
            sums, saturated = self._sums(group, a[part], b[part], index[part], matrix)
            overflows["accumulator"] |= saturated
            outputs = min(d["group_out"], d["padded_out"] - group * d["group_out"])
            rho = np.arange(outputs // 2)
            block, s = rho // (self.m // 2), rho % (self.m // 2)
            if d["bin_major"]:
                lane, row = block % n_lanes, s * d["column_stride"] + block // n_lanes
            else:
                lane, row = rho % n_lanes, rho // n_lanes
            v = sums.reshape(-1, n_lanes, 2, 2, n_pairs)[row, lane]
            v = v.transpose(3, 2, 0, 1).reshape(n_pairs, 2, -1, self.m)
            groups.append((v, self._row_shifts(group, rho).reshape(-1, self.m // 2)))
        return groups

    def _sums(self, group: int, a: Ints, b: Ints, index: Ints, matrix: Ints) -> tuple[Ints, bool]:
        """The group's accumulators (row, lane, a or b; inferences), and whether one saturated."""
        weights = self._weights(group, a, b, index)
        return accumulate(weights, matrix, self.config.accumulator)

    def _rows(self, group: int, index: Ints) -> tuple[Ints, Ints, Ints]:
        """The group's entries: accumulator rows (n_entries, n_lanes), column pair and kind of directory word."""
        d, kinds, n_lanes, depth = self.d, self.kinds, self.config.n_lanes, self.depth(group)
        counts = self.counts[group].reshape(-1)
        word = np.repeat(np.arange(len(counts)), counts)
        pair, kind = word // kinds, word % kinds
        position = np.cumsum(1 + index, axis=0)
        first = np.repeat(np.cumsum(counts) - counts, counts)
        before = np.concatenate([np.zeros((1, n_lanes), np.int64), position])[first]
        # With an identity input a frame is the whole input: pairs are numbered through.
        in_frame = pair % (self.n // 2) if d["in_log2_n"] else pair
        row = position - before - 1 + (in_frame * d["column_stride"])[:, None]
        top = int(row.max(initial=-1))
        constraint = f"above every row of group {group}, padding included: {top}"
        self.need(top < depth, self.depth_field, constraint, depth)
        return row, pair, kind

    def _weights(self, group: int, a: Ints, b: Ints, index: Ints) -> Ints:
        """The group's entries as a matrix: accumulators by columns, in order of execution."""
        kinds, n_lanes, depth = self.kinds, self.config.n_lanes, self.depth(group)
        row, pair, kind = self._rows(group, index)
        per_pair = 4 if kinds == 3 else 2
        weights = np.zeros((depth, n_lanes, 2, self.n_column_pairs, per_pair), np.int64)
        lane = np.arange(n_lanes)[None, :]
        column = (np.where(kind > 0, kind + 1, 0) if kinds == 3 else kind)[:, None]
        weights[row, lane, 0, pair[:, None], column] = a
        weights[row, lane, 1, pair[:, None], column] = b
        if kinds == 3:
            joint = kind == 0
            row, pair, a, b = row[joint], pair[joint, None], a[joint], b[joint]
            weights[row, lane, 0, pair, 1] = -b
            weights[row, lane, 1, pair, 1] = a
        return weights.reshape(depth * n_lanes * 2, -1)

    def _row_shifts(self, group: int, rho: Ints) -> Ints:
        d = self.d
        if not d["per_row_shift"]:
            return np.full_like(rho, d["row_shift"])
        address = d["row_shift_base"] + group * d["group_out"] // 2 + rho
        shifts: Ints = self.memories["row_shift"][address, 0].astype(np.int64) & 31
        return shifts

    def _backward(self, rows: Ints, shift: Ints, overflows: dict[str, bool]) -> Ints:
        """Merge, shift and inverse FFT of a group: values (pairs, 2, outputs of the group)."""
        d = self.d
        two_d = bool(d["out_two_d"])
        pairs = pair_map(self.m, two_d)
        shifts = np.empty((len(shift), self.m), np.int64)
        shifts[:, pairs.first] = shifts[:, pairs.second] = shift
        z = np.stack(merge(rows[:, 0], rows[:, 1], self.m, two_d))
        z, clipped = saturate(round_shift(z, shifts), self.config.data)
        overflows["merge"] |= bool(clipped.any())
        if d["out_log2_n"]:
            values = fft(
                z[0],
                z[1],
                config=self.config.fft,
                log2_n=d["out_log2_n"],
                two_d=two_d,
                inverse=True,
                halve=d["halve_out"] & (self.m - 1),
            )
            z = np.stack([values.re, values.im])
            overflows["inverse_fft"] |= bool(values.overflow.any())
        return z.transpose(1, 0, 2, 3).reshape(len(rows), 2, -1)

    def _requantize(self, z: Ints, first: int) -> tuple[Ints, Bools]:
        d = self.d
        channel = first + np.arange(z.shape[-1])
        bias = np.zeros_like(channel)
        if not d.get("no_bias"):
            words = self.memories["bias"][d["bias_base"] + channel, 0]
            bias = signed(words, self.config.bias.width)
        multiplier: Any = d["multiplier"]
        shift: Any = d["shift"]
        if d["per_channel_scale"]:
            scale = self.memories["scale"][d["scale_base"] + channel, 0].astype(np.int64)
            width = self.config.multiplier_width
            multiplier = scale & ((1 << width) - 1)
            shift = scale >> width & ((1 << self.config.shift_width) - 1)
        y, clipped = requantize(z, bias.astype(np.int32), multiplier, shift, bool(d["relu"]))
        return np.minimum(y, d["maximum"]), clipped
