# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Stream payloads of the transform and of what is built around it, as functions of the configuration."""

from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fixed import Format
from spectramac.spec.stream import Field, Payload, complex_payload

__all__ = ["level_format", "threshold_payload"]

_BIT = Format(1, signed=False)


def threshold_payload(config: FFTConfig) -> Payload:
    """``{data, bin, keep, last}``: a bin after the magnitude threshold, its number, and whether it was kept.

    Raises
    ------
    ValueError
        With scaling ``"block"``: bins of different frames could not be compared with one level. With several samples a
        clock.
    """
    config.check_one_sample("a threshold")
    if config.scaling == "block":
        raise ValueError(
            f"scaling must be 'per_stage', 'halving' or 'growth' with a threshold, not {config.scaling!r}"
        )
    return Payload(
        (
            Field("data", complex_payload(config.output)),
            Field("bin", Format(config.log2_n_max, signed=False)),
            Field("keep", _BIT),
            Field("last", _BIT),
        )
    )


def level_format(config: FFTConfig) -> Format:
    """Of a threshold on re² + im²: holds the largest, twice the square of the least number, and more."""
    return Format(2 * config.output.width, signed=False)
