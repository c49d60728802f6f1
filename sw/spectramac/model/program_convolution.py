# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A convolution of a program: every pixel's columns scattered into a ring of accumulators (docs/design.md).

The ring is seen as what it is made of: ring row n of the layer, n counted over all lines and pairs, is pixel row
u of the output at linear position n div ``pixel_rows``, and collects what the taps find at linear positions further on.
So every sum that the hardware makes is made here, also those of windows that cross the edge of the walk, which are
dropped but may saturate.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spectramac.model.accumulate import accumulate
from spectramac.model.fixed import Ints
from spectramac.model.program_layer import LayerTrace
from spectramac.model.program_map import MapProgram
from spectramac.spec.config import OUTPUT_SLOTS
from spectramac.spec.payloads import COUNT_WIDTH, FLAGS_PER_WORD
from spectramac.spec.registers import OVERFLOWS

__all__ = ["ConvolutionProgram"]

CHUNK = 1 << 22
"""Elements of an intermediate array: bounds the memory, changes no result."""


class ConvolutionProgram(MapProgram):
    """Kind 1."""

    depth_field = "pixel_rows"

    # The descriptor.

    @property
    def kernel(self) -> tuple[int, int]:
        """Height and width."""
        return self.d["kernel_height"], self.d["kernel_width"]

    @property
    def stride(self) -> tuple[int, int]:
        """On both axes."""
        return self.d["stride_y"], self.d["stride_x"]

    @property
    def line(self) -> int:
        """Linear positions of a line of the walk."""
        return -(-self.d["walk_width"] // self.stride[1])

    def taps(self, phase: int) -> list[int]:
        """Numbers i · width + j of the phase's taps, ascending."""
        (h, w), (sy, sx) = self.kernel, self.stride
        py, px = divmod(phase, sx)
        return [i * w + j for i in range(py, h, sy) for j in range(px, w, sx)]

    def depth(self, group: int) -> int:
        """Rows of the phase's taps, one after the other."""
        return len(self.taps(group)) * self.d["pixel_rows"]

    @property
    def n_phases(self) -> int:
        """Phases, some of which may have no taps."""
        return self.stride[0] * self.stride[1]

    @property
    def starts(self) -> list[int]:
        """Number of the first entry of each phase."""
        return [0, *(self.d[f"entry_{f}"] for f in (1, 2, 3))][: self.n_phases]

    @property
    def n_entries(self) -> int:
        """One more than the last entry's number."""
        counts = self.counts.sum(axis=(1, 2)).tolist()
        ends = [s + n for s, n in zip(self.starts, counts, strict=True) if n]
        return max(ends, default=0)

    def _check_rows(self) -> None:
        d, need, config = self.d, self.need, self.config
        for axis, side in (("y", "height"), ("x", "width")):
            k, s = d[f"kernel_{side}"], d[f"stride_{axis}"]
            need(1 <= k <= 16, f"kernel_{side}", "from 1 to 16")
            need(1 <= s <= 2, f"stride_{axis}", "1 or 2")
            before = "top" if axis == "y" else "left"
            need(d[before] < k, before, f"below kernel_{side} = {k}")
            extent = (d[f"out_{side}"] - 1) * s + k
            need(d[f"walk_{side}"] == extent, f"walk_{side}", f"{extent}, up to the last output")
        need(d["group_out"] == d["padded_out"], "group_out", f"padded_out = {d['padded_out']}")
        need(not d["bin_major"], "bin_major", "0 for a convolution")
        need(d["column_stride"] == 0, "column_stride", "0 for a convolution")
        rows = -(-d["padded_out"] // 2 // config.n_lanes)
        need(d["pixel_rows"] == rows, "pixel_rows", f"{rows} for {d['padded_out']} outputs")
        need(d["clear_depth"] == rows, "clear_depth", f"pixel_rows = {rows}")
        (h, w), (sy, sx) = self.kernel, self.stride
        line = self.line * rows
        need(d["line_rows"] == line, "line_rows", f"{line}, those of a line of the walk")
        back = (h - 1) // sy * line + (w - 1) // sx * rows
        need(d["retire_rows"] == back, "retire_rows", f"{back} for the last tap")
        # With the last tap in the second of two lines, the first adds to a whole line before an output is complete.
        live = back + (line if (h - 1) % sy else rows)
        depth = config.accumulator_depth
        need(live <= depth, "retire_rows", f"such that {live} live rows fit {depth}")
        slot = depth // OUTPUT_SLOTS
        need(rows <= slot, "pixel_rows", f"at most {slot}, the part of an output")
        need(rows < 1 << COUNT_WIDTH, "pixel_rows", f"below {1 << COUNT_WIDTH}, as a marker counts")
        limit = f"at most {config.tap_depth // (h * w)} for {h * w} taps"
        need(h * w * rows <= config.tap_depth, "pixel_rows", limit)

    def _directory(self) -> Ints:
        d, phases = self.d, self.n_phases
        shape = (self.n_column_pairs, self.kinds)
        n_counts = shape[0] * shape[1]
        uniform = d["uniform_count"]
        size = -(-n_counts // FLAGS_PER_WORD) if uniform else n_counts
        with_taps = [f for f in range(phases) if self.taps(f)]
        last = with_taps[-1]
        if last:
            self.need(d["phase_words"] >= size, "phase_words", f"at least {size}")
        self.need_range("directory_base", last * d["phase_words"] + size, "directory")
        counts = np.zeros((phases, *shape), np.int64)
        for f in with_taps:
            base = d["directory_base"] + f * d["phase_words"]
            words = self.memories["directory"][base : base + size, 0].astype(np.int64)
            if uniform:
                flags = words[:, None] >> np.arange(FLAGS_PER_WORD) & 1
                words = uniform * flags.reshape(-1)[:n_counts]
            counts[f] = words.reshape(shape)
        return counts

    # Execution.

    def run(self, activation: NDArray[np.uint32], n_pairs: int) -> LayerTrace:
        """Carry all pairs of inferences through the layer; writes ``activation``."""
        d = self.d
        source = self.map_addresses("in", n_pairs, len(activation))
        target = self.map_addresses("out", n_pairs, len(activation))
        self.check_output(target, source)
        overflows = dict.fromkeys(OVERFLOWS, False)
        words = activation[source]
        columns, kept = self._forward(words.reshape(-1, d["n_in"]), overflows)
        kept = kept.reshape(*words.shape[:3], *kept.shape[1:])
        rows = self._scatter(columns.reshape(*words.shape[:3], 2, -1), overflows)
        blocks = rows.reshape(-1, 2, d["padded_out"] // self.m, self.m)
        shift = self._row_shifts(0, np.arange(d["padded_out"] // 2)).reshape(-1, self.m // 2)
        z = self._backward(blocks, shift, overflows)
        y, clipped = self._requantize(z[..., : d["n_out"]], 0)
        y = y.reshape(*target.shape[:3], 2, -1)
        self.write(activation, target, np.moveaxis(y, 3, 1))
        counters = {"columns_skipped": self._skipped(kept), "saturations": int(clipped.sum())}
        return LayerTrace(d, self.counts, kept, counters, overflows)

    def _skipped(self, kept: NDArray[np.bool_]) -> int:
        """Directory words with entries whose column was dropped, over all pixels that are read."""
        (sy, sx), (top, left) = self.stride, (self.d["top"], self.d["left"])
        total = 0
        for phase in range(self.n_phases):
            py, px = divmod(phase, sx)
            rows = slice((py - top) % sy, self.d["walk_height"] - top, sy)
            pixels = slice((px - left) % sx, self.d["walk_width"] - left, sx)
            part = kept[:, rows, pixels]
            total += int(((self.counts[phase] > 0) & ~part).sum())
        return total

    def _matrices(self) -> Ints:
        """Coefficients of every tap, (taps, padded_out, columns): those of a pixel, doubled if ``is_complex``."""
        d, (h, w) = self.d, self.kernel
        a, b, index = self.entries()
        per_pair = 4 if self.kinds == 3 else 2
        matrices = np.zeros((h * w, d["padded_out"], self.n_column_pairs * per_pair), np.int64)
        for phase, start in enumerate(self.starts):
            taps = self.taps(phase)
            if not taps:
                continue
            part = slice(start, start + int(self.counts[phase].sum()))
            weights = self._weights(phase, a[part], b[part], index[part])
            weights = weights.reshape(len(taps), -1, weights.shape[1])
            matrices[taps] = weights[:, : d["padded_out"]]
        return matrices

    def _scatter(self, columns: Ints, overflows: dict[str, bool]) -> Ints:
        """From columns (pairs, height, width, 2, padded_in) to complete sums (pairs, height, width, 2, padded_out)."""
        d, (sy, _) = self.d, self.stride
        n_pairs, n_lines, line = len(columns), -(-d["walk_height"] // sy), self.line
        matrices = self._matrices()
        sequence, before = self._sequence(columns)
        n = n_pairs * n_lines * line
        sums = np.zeros((n + before, 2, d["padded_out"]), np.int64)
        for xq, order in self._orders(line):
            # Ring rows before the first pair's first line are added to as well.
            at = np.arange(-before, n)
            at = at[np.isin(at % line, xq)]
            offset, phase = np.array([self._offset(t, line) for t in order]).T
            weights = matrices[order].transpose(1, 0, 2).reshape(d["padded_out"], -1)
            step = max(1, CHUNK // (2 * weights.shape[1]))
            for first in range(0, len(at), step):
                some = at[first : first + step]
                windows = sequence[
                    phase, some[:, None] + before + offset
                ]  # (some, taps, 2, columns)
                inputs = windows.transpose(1, 3, 0, 2).reshape(weights.shape[1], -1)
                v, saturated = accumulate(weights, inputs, self.config.accumulator)
                overflows["accumulator"] |= saturated
                sums[some + before] = v.T.reshape(len(some), 2, -1)
        complete = sums[before:].reshape(n_pairs, n_lines, line, 2, -1)
        return complete[:, : d["out_height"], : d["out_width"]]

    def _offset(self, tap: int, line: int) -> tuple[int, int]:
        """Linear positions from an output to the position that the tap reads, and that one's phase."""
        (i, j), (sy, sx) = divmod(tap, self.kernel[1]), self.stride
        return i // sy * line + j // sx, i % sy * sx + j % sx

    def _sequence(self, columns: Ints) -> tuple[Ints, int]:
        """What lies at linear positions, (phases, positions, 2, columns), and the number of zeros before the first.

        As many zeros follow the last position.
        """
        d, (sy, sx) = self.d, self.stride
        n_pairs = len(columns)
        x = columns.reshape(*columns.shape[:4], -1, 2)
        if d["is_complex"]:
            x = np.concatenate([x, x], axis=-1)
        x = x.reshape(*columns.shape[:4], -1)
        height, width = (
            min(n, d[f"walk_{side}"] - d[before])
            for n, side, before in ((x.shape[1], "height", "top"), (x.shape[2], "width", "left"))
        )
        lines = -(-d["walk_height"] // sy)
        walk = np.zeros((n_pairs, lines * sy, self.line * sx, *x.shape[3:]), np.int64)
        inside = slice(d["top"], d["top"] + height), slice(d["left"], d["left"] + width)
        walk[:, *inside] = x[:, :height, :width]
        before = max(self._offset(t, self.line)[0] for t in range(self.kernel[0] * self.kernel[1]))
        phases = [walk[:, py::sy, px::sx] for py in range(sy) for px in range(sx)]
        sequence = np.stack(phases).reshape(len(phases), -1, *x.shape[3:])
        return np.pad(sequence, ((0, 0), (before, before), (0, 0), (0, 0))), before

    def _orders(self, line: int) -> Iterator[tuple[list[int], list[int]]]:
        """Positions in a line, and the order in which their sums meet the taps.

        The order is that of the kernel but for windows that cross the end of the line with two rows a line.
        """
        (h, w), (sy, sx) = self.kernel, self.stride
        found: dict[tuple[int, ...], list[int]] = {}
        for xq in range(line):

            def time(tap: int, xq: int = xq) -> tuple[int, int, int]:
                i, j = divmod(tap, w)
                carry, x = divmod(xq + j // sx, line)
                return i // sy + carry, i % sy, x * sx + j % sx

            found.setdefault(tuple(sorted(range(h * w), key=time)), []).append(xq)
        yield from ((xq, list(order)) for order, xq in found.items())
