# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A depthwise convolution of a program on the lanes, each of which has column pairs of its own (docs/design.md)."""

import numpy as np
from numpy.typing import NDArray

from spectramac.model.fixed import Ints
from spectramac.model.program_convolution import ConvolutionProgram

__all__ = ["DepthwiseProgram"]

Bools = NDArray[np.bool_]

NOTHING = (
    *("in_log2_n", "out_log2_n", "is_complex", "is_narrow", "is_indexed"),
    *("uniform_count", "level_low", "level_high"),
)
"""Fields of a convolution that a depthwise one does not use: they are 0."""


class DepthwiseProgram(ConvolutionProgram):
    """Kind 6.

    ``counts`` has a directory word for each accumulator row of a pixel: (phases, ``pixel_rows``, 1).
    """

    def _check_geometry(self) -> None:
        for field in NOTHING:
            self.need(self.d[field] == 0, field, "0 for a depthwise convolution")
        super()._check_geometry()
        n_in = self.d["n_in"]
        self.need(self.d["n_out"] == n_in, "n_out", f"n_in = {n_in}")
        padded = n_in + n_in % 2
        for side in ("in", "out"):
            what = f"n_{side} in whole pairs = {padded}"
            self.need(self.d[f"padded_{side}"] == padded, f"padded_{side}", what)

    def _directory(self) -> Ints:
        d, rows = self.d, self.d["pixel_rows"]
        with_taps = [f for f in range(self.n_phases) if self.taps(f)]
        last = with_taps[-1]
        if last:
            self.need(d["phase_words"] >= rows, "phase_words", f"at least {rows}")
        self.need_range("directory_base", last * d["phase_words"] + rows, "directory")
        counts = np.zeros((self.n_phases, rows, 1), np.int64)
        for f in with_taps:
            base = d["directory_base"] + f * d["phase_words"]
            words = self.memories["directory"][base : base + rows, 0].astype(np.int64)
            n = len(self.taps(f))
            other = words[words != n]
            if len(other):
                what = f"such that every word of phase {f} is {n}, its taps"
                self.need(False, "directory_base", what, int(other[0]))
            counts[f] = words[:, None]
        return counts

    def _forward(self, words: NDArray[np.uint32], overflows: dict[str, bool]) -> tuple[Ints, Bools]:
        """Gather; there is no threshold, so that all entries are executed."""
        columns, _ = super()._forward(words, overflows)
        return columns, np.ones((len(words), *self.counts.shape[1:]), np.bool_)

    def _matrices(self) -> Ints:
        """Coefficients of every tap, diagonal: (taps, padded_out, padded_in)."""
        (h, w), rows, padded = self.kernel, self.d["pixel_rows"], self.d["padded_out"]
        a, b, _ = self.entries()
        matrices = np.zeros((h * w, padded, padded), np.int64)
        channels = np.arange(padded)
        for phase, start in enumerate(self.starts):
            taps = self.taps(phase)
            part = slice(start, start + rows * len(taps))
            pairs = np.stack([a[part], b[part]], axis=-1).reshape(
                rows, len(taps), 2 * self.config.n_lanes
            )
            for t, tap in enumerate(taps):
                matrices[tap, channels, channels] = pairs[:, t].reshape(-1)[:padded]
        return matrices
