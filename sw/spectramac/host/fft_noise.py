# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Quantization noise of the transform, measured on the model."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spectramac.host.fft_product import tone
from spectramac.model.fft import decibels, quantization_noise
from spectramac.model.fixed import Ints
from spectramac.spec.fft_config import FFTConfig

__all__ = ["Noise", "noise"]

SAMPLES = 1 << 16
"""Samples of each kind of signal, at least 8 frames: about a second for all."""


@dataclass(frozen=True)
class Noise:
    """Signal to quantization noise of some frames, in dB.

    Attributes
    ----------
    signal : str
        What they hold.
    together, worst : float
        Of all frames as one, and of the worst single frame; inf if nothing was rounded.
    n_frames, n_saturated : int
        Frames, and those in which a value was saturated (they count like the others).
    """

    signal: str
    together: float
    worst: float
    n_frames: int
    n_saturated: int


def noise(config: FFTConfig, *, seed: int = 0) -> list[Noise]:
    """Measure the model against NumPy's transform.

    If size and scaling are chosen at run time: at the largest size, with all stages halving. In block floating point
    the first kind of signal comes again at the end, with 1/64 of its amplitude.
    """
    rng = np.random.default_rng(seed)
    n, full = config.n_max, config.data.maximum
    n_frames = max(8, SAMPLES // n)

    def disc(divisor: int = 1) -> tuple[Ints, Ints]:
        radius = full / divisor * np.sqrt(rng.random((n_frames, n)))
        z = radius * np.exp(2j * np.pi * rng.random((n_frames, n)))
        return np.rint(z.real).astype(np.int64), np.rint(z.imag).astype(np.int64)

    def square() -> tuple[Ints, Ints]:
        re, im = rng.integers(-full, full, (2, n_frames, n), endpoint=True)
        return re, im

    def tones() -> tuple[Ints, Ints]:
        bins = range(n) if n <= 1024 else rng.integers(0, n, n_frames).tolist()
        pairs = [tone(config, k, rng.random()) for k in bins]
        return np.stack([re for re, _ in pairs]), np.stack([im for _, im in pairs])

    def signs() -> tuple[Ints, Ints]:
        re, im = rng.choice(np.array([-full, full]), (2, n_frames, n))
        return re, im

    signals: dict[str, Callable[[], tuple[Ints, Ints]]] = {
        "white noise, uniform in the disc of full scale": disc,
        "white noise, uniform in the square (re and im of full scale)": square,
        "full-scale tones, random phase": tones,
        "random signs, re and im ± full scale": signs,
    }
    if config.scaling == "block":
        signals["white noise, uniform in the disc of 1/64 of full scale"] = lambda: disc(64)
    return [_measure(config, name, *make()) for name, make in signals.items()]


def _measure(config: FFTConfig, signal: str, re: Ints, im: Ints) -> Noise:
    power, error, overflow = quantization_noise(config, re, im)
    worst = min(map(decibels, power.tolist(), error.tolist()))
    together = decibels(power.sum(), error.sum())
    return Noise(signal, together, worst, len(power), int(overflow.sum()))
