# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
r"""Real inputs of a complex transform: streams, widths and the one narrowing behind the transform.

``Z[k]`` are the bins of the complex transform of N points, of ``config.output``, which nothing saturates. Behind it
stand, in one bit more and exact, the doubled even and odd parts ``E = Z[k] + conj Z[N-k]`` and
``O = -j (Z[k] - conj Z[N-k])``: twice the spectra of real frames, so that ``|E|`` and ``|O|`` are at most twice full
scale, but for roundings.

*Two frames of N real samples*, ``z = x1 + j x2``: their doubled spectra are E and O themselves. Nothing is rounded.

*One frame of 2N real samples*, ``z[n] = x[2n] + j x[2n+1]``: ``2 X[k] = E + exp(-πj k/N) O``; the sum of E and the
product is narrowed once. With scaling ``"halving"`` that is ``X[k]/2N`` in ``data_width`` bits, saturated, because a
rounding may exceed the largest number by a half; with ``"growth"`` it is ``X[k]``, in a bit more than ``Z[k]``, which
always fits.
"""

from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import Narrowing
from spectramac.spec.fixed import Format
from spectramac.spec.stream import Field, Payload, complex_payload, frame

__all__ = [
    "check_real",
    "final_narrowing",
    "pair_input",
    "pair_output",
    "parts_format",
    "real_input",
    "real_output",
]


def check_real(config: FFTConfig) -> FFTConfig:
    """``config``, if real inputs can be built around that transform.

    Raises
    ------
    ValueError
        If its size is chosen at run time, its scaling is ``"block"``, it is in two dimensions, it takes several samples
        a clock, or it saturates.
    """
    if config.scaling not in ("halving", "growth") or config.log2_columns:
        raise ValueError(
            "config must have scaling 'halving' or 'growth' and one dimension for real inputs, "
            f"not {config!r}"
        )
    config.check_one_sample("real inputs")
    if config.scaling == "halving" and not config.headroom:
        raise ValueError(
            "config must have headroom 1 for real inputs, which may add up beyond full scale, "
            f"not {config!r}"
        )
    return config


def parts_format(config: FFTConfig) -> Format:
    """Of each part of E and of O."""
    return Format(config.output.width + 1)


def final_narrowing(config: FFTConfig) -> Narrowing:
    """Of E and the product, both with the fraction of the twiddle factors."""
    fraction = config.twiddle.fraction
    if config.scaling == "halving":
        return Narrowing(fraction + 2, config.data_width, True)
    return Narrowing(fraction + 1, config.output.width + 1, False)


def pair_input(config: FFTConfig) -> Payload:
    """``{data: {first, second}, last}``: a sample of each of two real frames."""
    return frame(Payload((Field("first", config.data), Field("second", config.data))))


def pair_output(config: FFTConfig) -> Payload:
    """``{data: {first: {re, im}, second: {re, im}}, last}``: a bin of each of two frames."""
    part = complex_payload(parts_format(config))
    return frame(Payload((Field("first", part), Field("second", part))))


def real_input(config: FFTConfig) -> Payload:
    """``{data: {even, odd}, last}``: two successive samples of a real frame."""
    return frame(Payload((Field("even", config.data), Field("odd", config.data))))


def real_output(config: FFTConfig) -> Payload:
    """``{data: {re, im}, last}``: a bin."""
    return frame(complex_payload(Format(final_narrowing(config).width)))
