# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Exact cycle counts of the hardware, as functions of the configuration.

The components return these from their ``latency`` and ``cycles_per_frame``, tests measure that they are
exact, and the compiler's cycle prediction is built on them.
"""

from dataclasses import dataclass
from typing import Literal

from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import StagePlan, plan
from spectramac.spec.fft_real import final_narrowing

__all__ = [
    "DISTRIBUTED_DEPTH_MAX",
    "MAP_STAGES",
    "REAL_LATENCY",
    "SERIAL_ENTRY_CYCLES",
    "SERIAL_JUDGE_CYCLES",
    "SERIAL_SAMPLE_CYCLES",
    "SPLIT_LATENCY",
    "THRESHOLD_LATENCY",
    "TILE_BANKS",
    "TILE_GATHER_LATENCY",
    "WINDOW_LATENCY",
    "FFTPhases",
    "butterfly_latency",
    "delay_storage",
    "fft_cycles_per_frame",
    "fft_latency",
    "fft_phases",
    "fft_real_latency",
    "fft_real_pair_latency",
    "lanes_latency",
    "pipeline_latency",
    "reorder_delay",
    "requantize_cycles",
    "threshold_cycles",
    "tile_banks",
    "twiddle_latency",
]

DISTRIBUTED_DEPTH_MAX = 16
"""Delay lines up to this depth are small memories made of logic cells, read in the same cycle."""
TILE_GATHER_LATENCY = 3
"""From starting the gather of a tile's channel to its first sample."""
REORDER_LATENCY = 3
"""From the result that allows reading in natural order to the first one being offered, besides the queue's cycle."""
EXPONENT_LATENCY = 2
"""From the last result of a frame to the queue being allowed to read the frame, with scaling ``"block"``."""
NORMALISE_LATENCY = 3
"""Of the shift to a frame's exponent."""
SHIFT_LATENCY = 3
"""Of the shift of a sample before its product, with scaling ``"block"``."""
WINDOW_LATENCY = 6
"""From a sample taken to its product with the window: block RAM (2), multiplier (3), rounding."""
SPLIT_LATENCY = 4
"""From a frame's last bin leaving the transform to E and O of bin 0: address, block RAM, sums."""
REAL_LATENCY = 8
"""From E and O to a bin: operands, their sum, multiplier (3), difference, E added, rounding; one more to clip."""
THRESHOLD_LATENCY = 6
"""From a bin leaving the transform to its passing the threshold: multiplier, sum, comparison, choice."""
SERIAL_JUDGE_CYCLES = 6
"""Cycles in which the serial lane judges a column pair."""
SERIAL_ENTRY_CYCLES = 2
"""Cycles of the serial lane for a real entry; twice as many for a complex one."""
SERIAL_SAMPLE_CYCLES = 8
"""Cycles of the serial merge for a sample, the last of them offering it."""


MAP_STAGES = 2
"""Stages of the lanes in which the address in the ring is made, where there are maps."""


TILE_BANKS = 8
"""Channels of tiles that may be on their way through the forward transform and in spectrum memory, at most: as many
as hide the transform's latency."""


def tile_banks(config: AcceleratorConfig, log2_n: int) -> int:
    """Channels of tiles of ``2**log2_n`` samples that spectrum memory holds, :data:`TILE_BANKS` at most."""
    return min(TILE_BANKS, config.n_spectrum_banks * config.spectrum_depth >> log2_n)


@dataclass(frozen=True)
class FFTPhases:
    """How the iterative transform spends its time on a frame, if nothing stalls.

    With the first input transfer in cycle 0, ``i.ready`` is high in cycles 0 to ``load - 1`` and the
    first result is offered in cycle ``load + compute``. Each of the ``unload`` results is transferred
    in the first cycle from then on in which ``o.ready`` is high, the next offered in the following cycle.
    ``i.ready`` is high again from the cycle after the last of these transfers. A source that pauses
    prolongs ``load`` by its pauses.
    """

    load: int
    compute: int
    unload: int


def threshold_cycles(config: AcceleratorConfig) -> int:
    """The threshold's, for a column pair: four squares."""
    return 4 // config.n_threshold_multipliers


def requantize_cycles(config: AcceleratorConfig) -> int:
    """Requantization's, for a sample of both inferences."""
    return 2 // config.n_requantize_multipliers


def lanes_latency(config: AcceleratorConfig) -> int:
    """Cycles from issuing an entry to its row being written, with parallel lanes."""
    return 7 + (MAP_STAGES if config.maps else 0)


def fft_phases(log2_n: int) -> FFTPhases:
    """Cycles of each phase of the iterative transform of ``2**log2_n`` points.

    A butterfly is one cycle of fetching and 4 products, or 8 in the stages with twiddle factors (blocks
    of ``2**m``, m odd and greater than 1).
    """
    n = 1 << log2_n
    n_twiddle_stages = (log2_n - 1) // 2
    compute = n // 2 * (5 * log2_n + 4 * n_twiddle_stages)
    return FFTPhases(load=n, compute=compute, unload=n)


def delay_storage(
    stage: StagePlan, samples_per_clock: int = 1
) -> Literal["none", "adjacent", "registers", "distributed", "block"]:
    """What holds the first halves of the blocks of a butterfly stage; nothing where both halves come together."""
    depth = (1 << (stage.m - 1)) // samples_per_clock
    if not depth:
        return "none"
    if depth <= 2 and samples_per_clock > 1:
        return "registers"
    if depth <= 2:
        return "adjacent" if depth == 1 else "registers"
    return "distributed" if depth <= DISTRIBUTED_DEPTH_MAX else "block"


def butterfly_latency(stage: StagePlan, samples_per_clock: int = 1) -> int:
    """Cycles that a sample spends in a butterfly stage of the pipeline besides waiting for its partner.

    Read (block RAM: two more), register, add; one more to round, two to round and clip.
    """
    storage = delay_storage(stage, samples_per_clock)
    read = {"none": 1, "adjacent": 1, "registers": 2, "distributed": 2, "block": 4}[storage]
    return read + (0 if stage.narrowing is None else 1 + stage.narrowing.saturates)


def twiddle_latency(stage: StagePlan) -> int:
    """Cycles that a sample spends in a twiddle multiplier of the pipeline.

    Sum, clip, three in the multiplier, difference and rounding make six; one more to clip. A sample that may be
    shifted spends :data:`SHIFT_LATENCY` before that, and one to be shifted back.
    """
    if not stage.product:
        return 0
    return 6 + stage.product.saturates + (SHIFT_LATENCY + 1 if stage.shifts[-1] else 0)


def pipeline_latency(config: FFTConfig) -> int:
    """Registers of the whole pipeline: its latency is this and, for a frame of N words, N - 1."""
    # Exchange of re and im; a register for words of several samples.
    edges = int(config.samples_per_clock > 1) if config.is_fixed else 2
    return edges + sum(
        butterfly_latency(stage, config.samples_per_clock) + twiddle_latency(stage)
        for stage in plan(config)
    )


def reorder_delay(*log2_sizes: int) -> int:
    """Results that must have come in bit-reversed order before reading in natural order may begin.

    Then, at one a cycle, each result has come when it is its turn: the largest ``reverse(k) - k``. Several sizes:
    those of the fields of k that are reversed each on its own, lowest first.
    """
    largest, offset = 0, 0
    for log2_n in log2_sizes:
        n = 1 << log2_n
        largest += max(n - (n >> j) - (1 << j) + 1 for j in range(log2_n + 1)) << offset
        offset += log2_n
    return largest


def fft_latency(config: FFTConfig, log2_n: int, *, queue: bool = True) -> int:
    """Cycles from a frame's first input transfer to the first cycle in which its first result is offered.

    Without gaps in the input and, for the pipelined core, with ``o.ready`` high and nothing of another
    size less than a frame before.
    """
    if config.architecture == "iterative":
        phases = fft_phases(log2_n)
        return phases.load + phases.compute
    n_words = (1 << log2_n) // config.samples_per_clock
    latency = n_words - 1 + pipeline_latency(config) + queue
    if config.scaling == "block":
        # The whole frame is there before its exponent is known, whatever the order.
        latency += (1 << log2_n) - 1 + EXPONENT_LATENCY + REORDER_LATENCY + NORMALISE_LATENCY
    elif config.order == "natural":
        latency += reorder_delay(*config.reversed_fields) + REORDER_LATENCY
    return latency


def fft_real_pair_latency(config: FFTConfig) -> int:
    """As :func:`fft_latency`, of two real frames at once (:mod:`spectramac.spec.fft_real`)."""
    pipeline = config.n_max - 1 + pipeline_latency(config)
    return pipeline + config.n_max - 1 + SPLIT_LATENCY + 1


def fft_real_latency(config: FFTConfig) -> int:
    """As :func:`fft_latency`, of a real frame of twice ``config.n_max`` samples."""
    return fft_real_pair_latency(config) + REAL_LATENCY + final_narrowing(config).saturates


def fft_cycles_per_frame(config: FFTConfig, log2_n: int) -> int:
    """Cycles between the first transfers of successive frames of one size, if nothing stalls."""
    if config.architecture == "iterative":
        phases = fft_phases(log2_n)
        return phases.load + phases.compute + phases.unload
    return (1 << log2_n) // config.samples_per_clock
