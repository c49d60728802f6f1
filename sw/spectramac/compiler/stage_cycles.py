# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Times of events in the engine's three loops, for :mod:`spectramac.compiler.cycles`.

Time 0 is the first cycle in which a layer's loops run. Names of events follow the gateware's signals.
"""

from collections.abc import Mapping, Sequence

from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import Kind
from spectramac.spec.timing import (
    SERIAL_ENTRY_CYCLES,
    SERIAL_JUDGE_CYCLES,
    SERIAL_SAMPLE_CYCLES,
    fft_latency,
    fft_phases,
    lanes_latency,
    requantize_cycles,
    threshold_cycles,
)

__all__ = ["Backward", "Forward", "Lanes", "SerialLanes"]

GATHER_LATENCY = 2
"""From starting a gather to its first sample."""
MERGE_LATENCY = 13
"""From walking over a sample to offering it to the inverse FFT."""
SERIAL_MERGE_LATENCY = 7
"""The same, where the merge is serial."""
REQUANTIZE_LATENCY = {1: 7, 2: 6}
"""From taking a sample to its write, for so many multipliers."""
CLEAR_DELAY = 3
"""From walking over a group's last sample to the cycle before its first row is cleared."""


class Forward:
    """Times at which samples are written to spectrum memory, pair after pair."""

    gather_latency = GATHER_LATENCY

    def __init__(self, config: AcceleratorConfig, d: Mapping[str, int]) -> None:
        self.config = config
        self.log2_n = d["in_log2_n"]
        self.padded = d["padded_in"]
        self.started = 0
        self.next_start = 0
        self.fft_free = 0

    def start(self, not_before: int) -> list[int]:
        """Run a pair, or a pixel; returns the cycle in which the last sample of each block is written."""
        self.started = start = max(self.next_start, not_before)
        first = start + self.gather_latency
        if self.log2_n != 0 and self.config.fft_architecture == "iterative":
            return self._iterative(first)
        self.next_start = start + self.padded + 1
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
            self.next_start = first + n + 1 - self.gather_latency
            self.fft_free = results + n
            written.append(self.fft_free - 1)
            first += n
        return written


class Backward:
    """Times of merging, inverse transform and write-back, group after group."""

    def __init__(self, config: AcceleratorConfig, d: Mapping[str, int]) -> None:
        self.config = config
        self.log2_n = d["out_log2_n"]
        self.clear_depth = d["clear_depth"]
        self.in_ring = Kind(d["kind"]).in_ring
        self.next_start = 0
        self.frame_free = 0
        self.last_write = 0

    @property
    def end(self) -> int:
        """The cycle after the layer's loops."""
        return max(self.last_write + 1, self.next_start) + 1

    def start(self, not_before: int, size: int) -> int:
        """Run a group of ``size`` samples; returns the cycle in which its bank is released."""
        config = self.config
        start = max(self.next_start, not_before)
        issue = start + 1
        per_sample = requantize_cycles(config)
        pace = SERIAL_SAMPLE_CYCLES if config.is_serial else 1
        merge_latency = SERIAL_MERGE_LATENCY if config.is_serial else MERGE_LATENCY
        if self.log2_n == 0:
            last_issue = issue + (size - 1) * max(pace, per_sample)
            accepted = last_issue + merge_latency
        elif config.fft_architecture == "iterative":
            n = 1 << self.log2_n
            phases = fft_phases(self.log2_n)
            last_issue = accepted = 0
            for _ in range(size // n):
                issue = max(issue, self.frame_free)
                last_issue = issue + (n - 1) * pace
                results = last_issue + merge_latency + 1 + phases.compute
                accepted = results + (n - 1) * per_sample
                self.frame_free = accepted + 1
                issue = last_issue + pace
        else:
            last_issue = issue + size - 1
            accepted = (
                last_issue + merge_latency + fft_latency(config.fft, self.log2_n, queue=False)
            )
        self.last_write = accepted + REQUANTIZE_LATENCY[config.n_requantize_multipliers]
        if self.in_ring:
            release = last_issue + CLEAR_DELAY
        elif config.is_serial:
            release = last_issue + SERIAL_SAMPLE_CYCLES - 1 + 2 * self.clear_depth
        else:
            release = last_issue + CLEAR_DELAY + self.clear_depth
        self.next_start = release + 1
        return release


class Lanes:
    """Times from the column reader to the lanes, row group after row group."""

    def __init__(self, config: AcceleratorConfig, d: Mapping[str, int]) -> None:
        self.per_pair = threshold_cycles(config)
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
        self.pair_read = 0  # when the second value of the last pair was asked for
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
        self.begin(not_before)
        self.columns(written, counts, kept)
        return self.end(final)

    def begin(self, not_before: int) -> None:
        """The reader starts."""
        start = max(self.reader_free, not_before)
        self.read = max(self.read, start + 1)

    def columns(
        self,
        written: Sequence[int],
        counts: Sequence[Sequence[int]],
        kept: Sequence[Sequence[bool]],
    ) -> None:
        """All column pairs, to the lanes."""
        per_block = self.pairs_per_block
        is_complex = self.is_complex
        for i, (row, keep) in enumerate(zip(counts, kept, strict=True)):
            self._pair(written[i // per_block])
            self.step = max(self.step, self.counts_known - 1)
            for kind, (count, is_kept) in enumerate(zip(row, keep, strict=True)):
                if count and is_kept:
                    duration = 2 * count if is_complex and kind == 0 else count
                    self._push(duration)
                    self.busy += duration
                else:
                    self.skipped += count > 0
                    self.step += 1
            self._leave()

    def _pair(self, written: int) -> None:
        """A column pair, whose last sample is written then, to the scheduler."""
        issue = max(self.read, written + 1)
        self.pair_read = issue + 1
        present = self._advance(issue + 2)
        self.step = max(self.step, present - 1)

    def _before_marker(self) -> None:
        """What the scheduler does when it has a marker, before it passes that on."""

    def end(self, final: bool, rows: int | None = 1) -> tuple[int, int]:
        """The marker, which takes ``rows`` cycles of the lanes; None: it does not reach them.

        Returns when the reader releases the spectrum, and when what it ends is complete.
        """
        release = self.read
        self.reader_free = release + 1
        present = self._advance(release + 1)
        self.step = max(self.step, present - 1)
        self._before_marker()
        complete = 0
        if rows is None:
            self.step += 1
        else:
            complete = self._push(rows) + rows + self.lanes_latency
        self._leave()
        if final:
            self.counts_known = self.step + (3 if self.registered else 2)
        return release, complete


class SerialLanes:
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
        """As :meth:`Lanes.group`."""
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
