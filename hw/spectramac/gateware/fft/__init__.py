# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Fast Fourier transform cores; :mod:`spectramac.model.fft` is their bit-exact reference."""

from spectramac.gateware.fft.iterative import IterativeFFT
from spectramac.gateware.fft.pipelined import PipelinedFFT
from spectramac.spec.config import FFTConfig

__all__ = ["FFT", "IterativeFFT", "PipelinedFFT"]


def FFT(config: FFTConfig) -> PipelinedFFT | IterativeFFT:  # noqa: N802 (reads as a component)
    """The core that ``config.architecture`` names; both have the same members and methods."""
    return IterativeFFT(config) if config.architecture == "iterative" else PipelinedFFT(config)
