# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Exact cycle counts of the hardware, as functions of the configuration.

The components return these from their ``latency`` and ``cycles_per_frame``, tests measure that they are
exact, and the compiler's cycle prediction is built on them.
"""

from dataclasses import dataclass

from spectramac.spec.config import FFTConfig

__all__ = [
    "SERIAL_ENTRY_CYCLES",
    "SERIAL_JUDGE_CYCLES",
    "SERIAL_SAMPLE_CYCLES",
    "FFTPhases",
    "fft_cycles_per_frame",
    "fft_latency",
    "fft_phases",
]

BUTTERFLY_REGISTERS = 2
"""Cycles that a sample spends in a butterfly stage of the pipeline besides waiting for its partner."""
TWIDDLE_LATENCY = 5
"""Cycles that a sample spends in a twiddle multiplier of the pipeline."""
SERIAL_JUDGE_CYCLES = 6
"""Cycles in which the serial lane judges a column pair."""
SERIAL_ENTRY_CYCLES = 2
"""Cycles of the serial lane for a real entry; twice as many for a complex one."""
SERIAL_SAMPLE_CYCLES = 8
"""Cycles of the serial merge for a sample, the last of them offering it."""


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


def fft_phases(log2_n: int) -> FFTPhases:
    """Cycles of each phase of the iterative transform of ``2**log2_n`` points.

    A butterfly is one cycle of fetching and 4 products, or 8 in the stages with twiddle factors (blocks
    of ``2**m``, m odd and greater than 1).
    """
    n = 1 << log2_n
    n_twiddle_stages = (log2_n - 1) // 2
    compute = n // 2 * (5 * log2_n + 4 * n_twiddle_stages)
    return FFTPhases(load=n, compute=compute, unload=n)


def fft_latency(config: FFTConfig, log2_n: int) -> int:
    """Cycles from a frame's first input transfer to the first cycle in which its first result is offered.

    Without gaps in the input and, for the pipelined core, with ``o.ready`` high and nothing of another
    size less than a frame before.
    """
    if config.architecture == "iterative":
        phases = fft_phases(log2_n)
        return phases.load + phases.compute
    n_stages = config.log2_n_max
    n_twiddles = (n_stages - 1) // 2
    return (1 << log2_n) - 1 + BUTTERFLY_REGISTERS * n_stages + TWIDDLE_LATENCY * n_twiddles


def fft_cycles_per_frame(config: FFTConfig, log2_n: int) -> int:
    """Cycles between the first transfers of successive frames of one size, if nothing stalls."""
    if config.architecture == "iterative":
        phases = fft_phases(log2_n)
        return phases.load + phases.compute + phases.unload
    return 1 << log2_n
