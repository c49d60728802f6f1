# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Layers over maps without a transform, channel by channel: window sum, window maximum, addition (docs/design.md)."""

from collections.abc import Iterator
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from spectramac.model.fixed import Ints, check, round_shift, saturate
from spectramac.model.program import signed
from spectramac.model.program_layer import LayerTrace
from spectramac.model.program_map import MapProgram
from spectramac.spec.descriptor import Kind
from spectramac.spec.fixed import Format
from spectramac.spec.registers import OVERFLOWS

__all__ = ["KERNEL_TAPS_MAX", "SUM", "WindowProgram"]

SUM = Format(24)
"""Of an exact sum: of :data:`KERNEL_TAPS_MAX` products of int8, of 255 × 255 pixels, of two pixels times 15 bits."""
KERNEL_TAPS_MAX = 256
"""Taps of a window with a kernel."""
PIXEL = {
    "kernel_height": 1,
    "kernel_width": 1,
    "stride_y": 1,
    "stride_x": 1,
    "top": 0,
    "left": 0,
}
"""The window of an addition."""
Bools = NDArray[np.bool_]


class WindowProgram(MapProgram):
    """Kinds 3, 4 and 5."""

    # Checks.

    def _check_geometry(self) -> None:
        d, need, kind = self.d, self.need, self.d["kind"]
        for side in ("in", "out"):
            need(d[f"{side}_log2_n"] == 0, f"{side}_log2_n", "0: there is no transform")
        padded = d["n_out"] + d["n_out"] % 2
        need(d["padded_out"] == padded, "padded_out", f"n_out in whole pairs = {padded}")
        need(d["group_out"] == padded, "group_out", f"padded_out = {padded}")
        if kind != Kind.WINDOW_SUM:
            need(d["multiplicity"] == 1, "multiplicity", "1 but for a window sum")
            need(d["per_row_shift"] == 0, "per_row_shift", "0 but for a window sum")
        n_out = d["n_in"] * d["multiplicity"]
        need(d["n_out"] == n_out, "n_out", f"n_in times multiplicity = {n_out}")
        if kind == Kind.WINDOW_MAXIMUM:
            need(d["row_shift"] == 0, "row_shift", "0 for a window maximum")
        if kind == Kind.ADDITION:
            for field, value in PIXEL.items():
                need(d[field] == value, field, f"{value} for an addition")
        self._check_windows()

    def _check_windows(self) -> None:
        """Every window meets the map."""
        d, need = self.d, self.need
        axes = (("height", "stride_y", "top"), ("width", "stride_x", "left"))
        for extent, stride, before in axes:
            kernel, size = d[f"kernel_{extent}"], d[f"in_{extent}"]
            depth = self.config.activation_depth
            need(kernel >= 1, f"kernel_{extent}", "at least 1")
            need(d[stride] >= 1, stride, "at least 1")
            need(size <= depth, f"in_{extent}", f"at most activation_depth = {depth}")
            need(d[before] < kernel, before, f"below kernel_{extent} = {kernel}")
            last = (size - 1 + d[before]) // d[stride] + 1
            what = f"from 1 to {last}, so that every window meets the map"
            need(1 <= d[f"out_{extent}"] <= last, f"out_{extent}", what)

    def _check_rows(self) -> None:
        """No accumulators take part."""

    def _directory(self) -> Ints:
        return np.zeros((self.n_groups, 0, 2), np.int64)

    def _check_tables(self) -> None:
        super()._check_tables()
        if self._has_kernel:
            limit = KERNEL_TAPS_MAX
            what = f"such that a window has at most {limit} taps, or unit_kernel must be 1"
            self.need(self.n_taps <= limit, "kernel_height", what)
            self.need_range("kernel_base", self.n_taps * self.d["n_out"], "kernel")

    @property
    def _has_kernel(self) -> bool:
        return self.d["kind"] == Kind.WINDOW_SUM and not self.d["unit_kernel"]

    @property
    def n_taps(self) -> int:
        """Pixels of a window."""
        return self.d["kernel_height"] * self.d["kernel_width"]

    # Execution.

    def run(self, activation: NDArray[np.uint32], n_pairs: int) -> LayerTrace:
        """Carry all pairs of inferences through the layer; writes ``activation``."""
        depth = len(activation)
        sources = self._sources(n_pairs, depth)
        target = self.map_addresses("out", n_pairs, depth)
        self.check_output(target, *sources)
        z, clipped = self.samples(activation, n_pairs)
        y, saturated = self._requantize(z, 0)
        self.write(activation, target, y)
        counters = {"columns_skipped": 0, "saturations": int(saturated.sum())}
        overflows = dict.fromkeys(OVERFLOWS, False) | {"merge": bool(clipped.any())}
        kept = np.zeros((n_pairs, 0, 2), np.bool_)
        return LayerTrace(self.d, self.counts, kept, counters, overflows)

    def _sources(self, n_pairs: int, depth: int) -> list[Ints]:
        """Addresses of the maps that are read."""
        sources = [self.map_addresses("in", n_pairs, depth)]
        if self.d["kind"] == Kind.ADDITION:
            second = self.map_addresses("in", n_pairs, depth, "second_base", "second_stride")
            sources.append(second)
        return sources

    def samples(self, activation: NDArray[np.uint32], n_pairs: int) -> tuple[Ints, Bools]:
        """What goes to requantization, (n_pairs, 2, rows, columns, n_out), and where it saturated."""
        sources = self._sources(n_pairs, len(activation))
        v = check(self._window_sums(*(_maps(activation[source]) for source in sources)), SUM, "sum")
        return saturate(round_shift(v, self._shifts()), self.config.data)

    def _window_sums(self, x: Ints, *second: Ints) -> Ints:
        """v, (n_pairs, 2, rows, columns, n_out)."""
        d = self.d
        if d["kind"] == Kind.ADDITION:
            return x * d["first_multiplier"] + second[0] * d["second_multiplier"]
        if d["kind"] == Kind.WINDOW_MAXIMUM:
            return reduce(np.maximum, self._taps(x, fill=-128))
        v = np.zeros(1, np.int64)
        for tap, k in zip(self._taps(x, fill=0), self._kernel(), strict=True):
            v = v + np.repeat(tap, d["multiplicity"], axis=-1) * k
        return v

    def _taps(self, x: Ints, fill: int) -> Iterator[Ints]:
        """Tap after tap, the pixel of every window; ``fill`` beyond the map."""
        d = self.d
        spans, padding = [], []
        axes = (("height", "stride_y", "top"), ("width", "stride_x", "left"))
        for extent, stride, before in axes:
            span = (d[f"out_{extent}"] - 1) * d[stride] + 1
            end = span - 1 + d[f"kernel_{extent}"] - d[before]
            spans.append(span)
            padding.append((d[before], max(0, end - d[f"in_{extent}"])))
        padded = np.pad(x, ((0, 0), (0, 0), *padding, (0, 0)), constant_values=fill)
        for i, j in np.ndindex(d["kernel_height"], d["kernel_width"]):
            rows = slice(i, i + spans[0], d["stride_y"])
            columns = slice(j, j + spans[1], d["stride_x"])
            yield padded[:, :, rows, columns]

    def _kernel(self) -> Ints:
        """Coefficients (taps, n_out)."""
        d, n_taps = self.d, self.n_taps
        if not self._has_kernel:
            return np.ones((n_taps, d["n_out"]), np.int64)
        base = d["kernel_base"]
        words = self.memories["kernel"][base : base + d["n_out"] * n_taps, 0]
        kernel: Ints = signed(words, 8).reshape(d["n_out"], n_taps).T
        return kernel

    def _shifts(self) -> Ints:
        """Row shift of each output channel."""
        return self._row_shifts(0, np.arange(self.d["n_out"]) // 2)


def _maps(words: NDArray[np.uint32]) -> Ints:
    """Both inferences of activation words (n_pairs, …): (n_pairs, 2, …)."""
    return np.stack([signed(words, 8), signed(words >> 8, 8)], axis=1)
