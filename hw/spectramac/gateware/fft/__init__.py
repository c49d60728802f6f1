# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Fast Fourier transform cores; :mod:`spectramac.model.fft` is their bit-exact reference."""

from spectramac.gateware.fft.iterative import IterativeFFT
from spectramac.gateware.fft.parallel import ParallelFFT
from spectramac.gateware.fft.pipelined import PipelinedFFT
from spectramac.spec.fft_config import FFTConfig

__all__ = ["FFT", "IterativeFFT", "ParallelFFT", "PipelinedFFT"]


def FFT(  # noqa: N802 (reads as a component)
    config: FFTConfig,
    *,
    queue: bool = True,
    technology: str = "generic",
    small_roms_in_logic: bool = False,
) -> PipelinedFFT | ParallelFFT | IterativeFFT:
    """The core that ``config`` names; all have the same members and methods.

    The other parameters are for the pipelined ones; the iterative one waits by itself and is inferred.
    """
    if config.architecture == "iterative":
        return IterativeFFT(config)
    core = PipelinedFFT if config.samples_per_clock == 1 else ParallelFFT
    return core(config, queue=queue, technology=technology, small_roms_in_logic=small_roms_in_logic)
