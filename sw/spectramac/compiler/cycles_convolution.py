# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Exact cycle prediction of a convolution: position after position, as the sequencer walks (docs/design.md)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.layer_cycles import LayerCycles, fetch_cycles
from spectramac.compiler.stage_cycles import Backward, Forward, Lanes
from spectramac.spec.config import OUTPUT_SLOTS, AcceleratorConfig
from spectramac.spec.descriptor import Kind

__all__ = ["predict_convolution"]


@dataclass(frozen=True)
class _Position:
    """A position of the walk.

    Attributes
    ----------
    pixel : (int, int) or None
        Row and column, if there is one that taps see.
    phase : int
    retires, writes : bool
        An output ends here; the output map has it.
    """

    pixel: tuple[int, int] | None
    phase: int
    retires: bool
    writes: bool


class DepthwiseLanes(Lanes):
    """Times to the lanes where each keeps a column pair of its own: a directory word for as many pairs as lanes."""

    def __init__(self, config: AcceleratorConfig, d: Mapping[str, int]) -> None:
        super().__init__(config, d)
        self.n_lanes = config.n_lanes
        self.loaded = 0
        self.words: Iterator[Sequence[int]] = iter(())

    def columns(
        self,
        written: Sequence[int],
        counts: Sequence[Sequence[int]],
        kept: Sequence[Sequence[bool]],
    ) -> None:
        """All column pairs, each to a lane; entries follow when all lanes have one."""
        self.words = iter(counts)
        for at in written:
            self._pair(at)
            if self.loaded == self.n_lanes:
                self._entries()
            self._push(1)
            self.loaded += 1
            self._leave()

    def _entries(self) -> None:
        (count,) = next(self.words)
        self.step = max(self.step, self.counts_known - 1)
        self._push(count)
        self.busy += count
        self.loaded = 0

    def _before_marker(self) -> None:
        if self.loaded:
            self._entries()


def _walk(d: Mapping[str, int]) -> Iterator[_Position]:
    """The positions of one pair."""
    kernel = d["kernel_height"], d["kernel_width"]
    stride = d["stride_y"], d["stride_x"]
    for y in range(d["walk_height"]):
        for x in range(d["walk_width"]):
            phases = y % stride[0], x % stride[1]
            pixel = y - d["top"], x - d["left"]
            inside = 0 <= pixel[0] < d["in_height"] and 0 <= pixel[1] < d["in_width"]
            seen = all(p < k for p, k in zip(phases, kernel, strict=True))
            ends = all(p == (k - 1) % s for p, k, s in zip(phases, kernel, stride, strict=True))
            yield _Position(
                pixel=pixel if inside and seen else None,
                phase=phases[0] * stride[1] + phases[1],
                retires=ends,
                writes=ends and y >= kernel[0] - 1 and x >= kernel[1] - 1,
            )


def _table_cycles(d: Mapping[str, int]) -> int:
    """Writing the tap table, and noticing that it is written."""
    phases = d["stride_y"] * d["stride_x"]
    return phases + d["kernel_height"] * d["kernel_width"] * d["pixel_rows"] + 1


def predict_convolution(
    config: AcceleratorConfig,
    descriptor: Mapping[str, int],
    counts: NDArray[Any],
    kept: NDArray[np.bool_] | None,
    n_pairs: int,
) -> LayerCycles:
    """Predict the hardware counters of one convolution.

    Parameters
    ----------
    config : AcceleratorConfig
    descriptor : mapping
        Decoded fields.
    counts : int array (phases, n_column_pairs, 2 or 3)
        The directory of each phase. Depthwise: (phases, ``pixel_rows``, 1).
    kept : bool array (n_pairs, in_height, in_width, n_column_pairs, 2 or 3), or None
        Columns of every pixel that the threshold keeps; None keeps all, an upper bound for every input. Depthwise: not
        used, for nothing is skipped.
    n_pairs : int
    """
    d = descriptor
    tables = counts.tolist()
    everything = [[True] * counts.shape[2]] * counts.shape[1]
    kind = DepthwiseLanes if d["kind"] == Kind.DEPTHWISE else Lanes
    forward, lanes, backward = Forward(config, d), kind(config, d), Backward(config, d)
    released: list[int] = []  # spectrum banks
    slot_released: list[int] = []  # parts of the bank of complete outputs
    at = 0  # when the forward loop's walk is at the position
    for p in range(n_pairs):
        for position in _walk(d):
            written: list[int] = []
            if position.pixel is not None:
                free = len(released) - config.n_spectrum_banks
                written = forward.start(max(at, released[free] + 1 if free >= 0 else 0))
                at = forward.started
            at += 1
            slot = len(slot_released) - OUTPUT_SLOTS
            wait = position.writes and slot >= 0
            lanes.begin(slot_released[slot] + 1 if wait else 0)
            if position.pixel is not None:
                keep = everything if kept is None else kept[p][position.pixel].tolist()
                lanes.columns(written, tables[position.phase], keep)
            release, complete = lanes.end(True, d["pixel_rows"] if position.retires else None)
            if position.pixel is not None:
                released.append(release)
            if position.writes:
                slot_released.append(backward.start(complete + 1, d["padded_out"]))
    run = backward.end
    sweep = config.accumulator_depth + 1
    cycles = fetch_cycles(d["kind"]) + _table_cycles(d) + run + sweep
    return LayerCycles(cycles, lanes.busy, run - lanes.busy, lanes.skipped)
