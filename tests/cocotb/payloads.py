# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Payloads that only benches have (without Amaranth: the simulator's Python reads them too)."""

from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fixed import Format
from spectramac.spec.stream import Field, Payload, complex_payload, frame

__all__ = ["controlled_sample"]


def controlled_sample(config: FFTConfig) -> Payload:
    """A sample of a frame with the transform's control inputs."""
    width = config.log2_n_max.bit_length()
    bit = Format(1, signed=False)
    return Payload(
        (
            *frame(complex_payload(config.data)).fields,
            Field("log2_n", Format(width, signed=False)),
            Field("two_d", bit),
            Field("inverse", bit),
            Field("halve", Format(config.log2_n_max, signed=False)),
        )
    )
