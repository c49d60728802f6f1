# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Exact cycle prediction of a layer.

The engine is a line of stages with bounded room between them, so the time of every event is a maximum of earlier
times plus constants. Only the lanes part depends on the data: which columns the threshold kept. The rest (gather,
FFT, merge, inverse FFT, requantize) takes constant time. ``prediction == counter`` is asserted by the tests for
every network they run.

Time 0 is the first cycle in which the layer's loops run. Names of events follow the gateware's signals.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.cycles_window import predict_window
from spectramac.compiler.layer_cycles import LayerCycles
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import WORDS, Kind
from spectramac.spec.timing import (
    SERIAL_ENTRY_CYCLES,
    SERIAL_JUDGE_CYCLES,
    SERIAL_SAMPLE_CYCLES,
    fft_latency,
    fft_phases,
    lanes_latency,
)

__all__ = ["LayerCycles", "predict", "predict_layer", "total_cycles"]

FETCH_CYCLES = WORDS + 2
"""Reading a descriptor and starting the loops."""
GATHER_LATENCY = 2
"""From starting a gather to its first sample."""
MERGE_LATENCY = 13
"""From walking over a sample to offering it to the inverse FFT."""
SERIAL_MERGE_LATENCY = 7
"""The same, where the merge is serial."""
CLEAR_DELAY = 3
"""From walking over a group's last sample to the cycle before its first row is cleared."""


class _Forward:
    """Times at which samples are written to spectrum memory, pair after pair."""

    def __init__(self, config: AcceleratorConfig, d: Mapping[str, int]) -> None:
        self.config = config
        self.log2_n = d["in_log2_n"]
        self.padded = d["padded_in"]
        self.next_start = 0
        self.fft_free = 0

    def start(self, not_before: int) -> list[int]:
        """Run a pair; returns the cycle in which the last sample of each block is written."""
        start = max(self.next_start, not_before)
        first = start + GATHER_LATENCY
        if self.log2_n != 0 and self.config.fft_architecture == "iterative":
            return self._iterative(first)
        self.next_start = first + self.padded - 1
        first += self.config.registered_paths
        if self.log2_n == 0:
            return [first + i for i in range(1, self.padded, 2)]
        n = 1 << self.log2_n
        latency = fft_latency(self.config.fft, self.log2_n, queue=False)
        return [first + latency + i + n - 1 for i in range(0, self.padded, n)]

    def _iterative(self, first: int) -> list[int]:
        n = 1 << self.log2_n
        phases = fft_phases(self.log2_n)
        written = []
        for _ in range(self.padded // n):
            first = max(first, self.fft_free)
            results = first + phases.load + phases.compute
            self.next_start = first + n - 1
            self.fft_free = results + n
            written.append(self.fft_free - 1)
            first += n
        return written


class _Backward:
    """Times of merging, inverse transform and write-back, group after group."""

    def __init__(self, config: AcceleratorConfig, d: Mapping[str, int]) -> None:
        self.config = config
        self.log2_n = d["out_log2_n"]
        self.clear_depth = d["clear_depth"]
        self.next_start = 0
        self.frame_free = 0
        self.last_write = 0

    def start(self, not_before: int, size: int) -> int:
        """Run a group of ``size`` samples; returns the cycle in which its bank is released."""
        config = self.config
        start = max(self.next_start, not_before)
        issue = start + 1
        one_multiplier = config.n_requantize_multipliers == 1
        pace = SERIAL_SAMPLE_CYCLES if config.is_serial else 1
        merge_latency = SERIAL_MERGE_LATENCY if config.is_serial else MERGE_LATENCY
        if self.log2_n == 0:
            last_issue = issue + (size - 1) * max(pace, 2 if one_multiplier else 1)
            accepted = last_issue + merge_latency
        elif config.fft_architecture == "iterative":
            n = 1 << self.log2_n
            phases = fft_phases(self.log2_n)
            last_issue = accepted = 0
            for _ in range(size // n):
                issue = max(issue, self.frame_free)
                last_issue = issue + (n - 1) * pace
                results = last_issue + merge_latency + 1 + phases.compute
                accepted = results + (n - 1) * (2 if one_multiplier else 1)
                self.frame_free = accepted + 1
                issue = last_issue + pace
        else:
            last_issue = issue + size - 1
            accepted = (
                last_issue + merge_latency + fft_latency(config.fft, self.log2_n, queue=False)
            )
        self.last_write = accepted + (7 if one_multiplier else 6)
        if config.is_serial:
            release = last_issue + SERIAL_SAMPLE_CYCLES - 1 + 2 * self.clear_depth
        else:
            release = last_issue + CLEAR_DELAY + self.clear_depth
        self.next_start = release + 1
        return release


class _Lanes:
    """Times from the column reader to the lanes, row group after row group."""

    def __init__(self, config: AcceleratorConfig, d: Mapping[str, int]) -> None:
        self.per_pair = 4 // config.n_threshold_multipliers
        self.depth = config.job_queue_depth
        self.is_complex = bool(d["is_complex"])
        self.lanes_latency = lanes_latency(config)
        self.pairs_per_block = (1 << d["in_log2_n"]) // 2 if d["in_log2_n"] else 1
        self.reader_free = 0
        self.read = -1  # last transfer out of: reader, threshold; last step of the scheduler
        self.buffered = [-1, -1]  # last two transfers out of the buffer behind the reader
        self.moved = -1
        self.thresholded = -1
        self.step = -1
        self.registered = config.registered_paths
        self.left = [-1, -1]  # when the last two pairs left the scheduler's buffer
        self.counts_known = 0
        self.lanes_free = 0
        self.pops = [-(1 << 30)] * self.depth
        self.busy = 0
        self.skipped = 0

    def _push(self, duration: int) -> int:
        """A job reaches the queue as soon as it may; returns when the lanes take it."""
        time = max(self.step + 1, self.pops[-self.depth] + 1)
        self.step = time
        pop = max(time + 1, self.lanes_free)
        self.lanes_free = pop + duration
        self.pops.append(pop)
        del self.pops[0]
        return pop

    def _advance(self, offered: int) -> int:
        """Through reader output, threshold; returns when the scheduler may begin."""
        # Two pairs fit in a buffer; one that left makes room in the next cycle.
        if self.registered:
            self.read = max(offered, self.buffered[0] + 1)
            entered = max(self.read + 1, self.moved)
            self.buffered = [self.buffered[1], entered]
        else:
            entered = self.read = max(offered, self.moved)
        moved = max(entered + self.per_pair, self.thresholded)
        present = max(moved + 1, entered + self.per_pair + 2)
        self.moved = moved
        if self.registered:
            self.thresholded = max(present, self.left[0] + 1)
            return self.thresholded + 1
        return present

    def _leave(self) -> None:
        """The scheduler is done with a pair."""
        self.left = [self.left[1], self.step]
        if not self.registered:
            self.thresholded = self.step

    def group(
        self,
        not_before: int,
        written: Sequence[int],
        counts: Sequence[Sequence[int]],
        kept: Sequence[Sequence[bool]],
        final: bool,
    ) -> tuple[int, int]:
        """Run a row group; returns when the reader releases the spectrum and when the group is complete."""
        start = max(self.reader_free, not_before)
        self.read = max(self.read, start + 1)
        per_block = self.pairs_per_block
        is_complex = self.is_complex
        for i, (row, keep) in enumerate(zip(counts, kept, strict=True)):
            issue = max(self.read, written[i // per_block] + 1)
            present = self._advance(issue + 2)
            self.step = max(self.step, present - 1, self.counts_known - 1)
            for kind, (count, is_kept) in enumerate(zip(row, keep, strict=True)):
                if count and is_kept:
                    duration = 2 * count if is_complex and kind == 0 else count
                    self._push(duration)
                    self.busy += duration
                else:
                    self.skipped += count > 0
                    self.step += 1
            self._leave()
        issue = self.read
        release = issue
        self.reader_free = issue + 1
        present = self._advance(issue + 1)
        self.step = max(self.step, present - 1)
        complete = self._push(1) + 1 + self.lanes_latency
        self._leave()
        if final:
            self.counts_known = self.step + (3 if self.registered else 2)
        return release, complete


class _SerialLanes:
    """Times from the column reader to the serial lane: a pair stays at the reader until it is done with."""

    def __init__(self, config: AcceleratorConfig, d: Mapping[str, int]) -> None:
        self.is_complex = bool(d["is_complex"])
        self.pairs_per_block = (1 << d["in_log2_n"]) // 2 if d["in_log2_n"] else 1
        self.reader_free = 0
        self.busy = 0
        self.skipped = 0

    def group(
        self,
        not_before: int,
        written: Sequence[int],
        counts: Sequence[Sequence[int]],
        kept: Sequence[Sequence[bool]],
        final: bool,
    ) -> tuple[int, int]:
        """As :meth:`_Lanes.group`."""
        taken = max(self.reader_free, not_before) + 1
        for i, (row, keep) in enumerate(zip(counts, kept, strict=True)):
            offered = max(taken, written[i // self.pairs_per_block] + 1) + 2
            taken = offered + SERIAL_JUDGE_CYCLES - 1
            for kind, (count, is_kept) in enumerate(zip(row, keep, strict=True)):
                taken += 1
                if count and is_kept:
                    cycles = SERIAL_ENTRY_CYCLES * count
                    if self.is_complex and kind == 0:
                        cycles *= 2
                    taken += cycles
                    self.busy += cycles
                else:
                    self.skipped += count > 0
        self.reader_free = taken + 1
        return taken, taken + 1


def predict_layer(
    config: AcceleratorConfig,
    descriptor: Mapping[str, int],
    counts: NDArray[Any],
    kept: NDArray[np.bool_] | None,
    n_pairs: int,
) -> LayerCycles:
    """Predict the hardware counters of one layer.

    Parameters
    ----------
    config : AcceleratorConfig
    descriptor : mapping
        Decoded fields (:mod:`spectramac.spec.descriptor`).
    counts : int array (n_groups, n_column_pairs, 2 or 3)
        The directory: entries of each column, for each row group.
    kept : bool array (n_pairs, n_column_pairs, 2 or 3), or None
        Columns that the threshold keeps, as the golden model's trace says; None keeps all, which gives an
        upper bound for every input.
    n_pairs : int
        Inference pairs carried through the layer.
    """
    n_groups, n_columns, n_kinds = counts.shape
    group_out, padded_out = descriptor["group_out"], descriptor["padded_out"]
    sizes = [min(group_out, padded_out - g * group_out) for g in range(n_groups)]
    table = counts.tolist()
    everything = [[True] * n_kinds] * n_columns
    forward = _Forward(config, descriptor)
    lanes = (_SerialLanes if config.is_serial else _Lanes)(config, descriptor)
    backward = _Backward(config, descriptor)
    spectrum_released: list[int] = []
    bank_released: list[int] = []
    for p in range(n_pairs):
        free = p - config.n_spectrum_banks
        written = forward.start(spectrum_released[free] + 1 if free >= 0 else 0)
        keep = everything if kept is None else kept[p].tolist()
        release = 0
        for g in range(n_groups):
            free = len(bank_released) - config.n_accumulator_banks
            release, complete = lanes.group(
                bank_released[free] + 1 if free >= 0 else 0,
                written,
                table[g],
                keep,
                g == n_groups - 1,
            )
            bank_released.append(backward.start(complete + 1, sizes[g]))
        spectrum_released.append(release)
    run = max(backward.last_write + 1, backward.next_start) + 1
    return LayerCycles(FETCH_CYCLES + run, lanes.busy, run - lanes.busy, lanes.skipped)


_PREDICTIONS = {
    Kind.LAYER: predict_layer,
    Kind.WINDOW_SUM: predict_window,
    Kind.WINDOW_MAXIMUM: predict_window,
    Kind.ADDITION: predict_window,
}


def predict(config: AcceleratorConfig, layers: Sequence[Any], n_pairs: int) -> list[LayerCycles]:
    """Predict every layer of a run from the golden model's traces (``descriptor``, ``counts``, ``kept``)."""
    return [
        _PREDICTIONS[Kind(trace.descriptor["kind"])](
            config, trace.descriptor, trace.counts, trace.kept, n_pairs
        )
        for trace in layers
    ]


def total_cycles(layers: Sequence[LayerCycles]) -> int:
    """The ``cycles`` counter of a run: its layers and one cycle to finish."""
    return sum(layer.cycles for layer in layers) + 1
