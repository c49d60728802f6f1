# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The transform with a window in front as a product: ``spectramac verilog fft --window``."""

from pathlib import Path

import numpy as np

from spectramac.host.fft_noise import Noise
from spectramac.host.fft_product import (
    complex_words,
    input_payload,
    options,
    order_text,
    output_payload,
    stimuli,
)
from spectramac.host.fft_variants import Variant
from spectramac.host.vector_file import VectorFrame
from spectramac.model.fft import decibels, error_bound, fft
from spectramac.model.fixed import Ints
from spectramac.model.window import COSINES, apply_window, quantize_window, window
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.stream import Payload
from spectramac.spec.timing import WINDOW_LATENCY, fft_cycles_per_frame, fft_latency

__all__ = ["coefficients", "windowed"]

NOISE_SAMPLES = 1 << 15
"""Samples of the measured noise, at least 8 frames."""


def coefficients(name: str, config: FFTConfig) -> Ints:
    """A window by name, or from a text file with one number for each sample of a frame, separated by white space.

    Raises
    ------
    ValueError
        If it is neither, or a number is out of range, or the scaling is another than halving or growth.
    """
    if config.scaling not in ("halving", "growth"):
        raise ValueError(
            f"scaling must be 'halving' or 'growth' with a window, not {config.scaling!r}"
        )
    if name in COSINES:
        return window(name, config)
    path = Path(name)
    if not path.is_file():
        raise ValueError(f"window must be one of {', '.join(COSINES)} or a file, not {name!r}")
    try:
        values = [float(word) for word in path.read_text(encoding="utf-8").split()]
    except ValueError as error:
        raise ValueError(f"window file {name} must hold numbers: {error}") from None
    return quantize_window(values, config)


def windowed(config: FFTConfig, factors: Ints, name: str) -> Variant:
    """``fft_window``: frames times ``factors``, then the transform; ``name`` is what the option was."""
    n = config.log2_n_max
    natural = config.order == "natural"
    i, o = input_payload(config), output_payload(config)
    divisor = config.n_max if config.scaling == "halving" else 1

    def frames(n_frames: int, seed: int) -> list[VectorFrame]:
        found = []
        for item in stimuli(config, n_frames, seed):
            parts = (apply_window(part, factors, config=config) for part in (item.re, item.im))
            y = fft(*parts, config=config, log2_n=n, bit_reversed=not natural)
            words = complex_words(i, item.re, item.im), complex_words(o, y.re, y.im)
            found.append(VectorFrame(item.name, *words, bool(y.overflow)))
        return found

    def noise() -> tuple[Noise, ...]:
        """Against the window as it is in the memory, without rounding of products."""
        rng = np.random.default_rng(0)
        n_frames, full = max(8, NOISE_SAMPLES // config.n_max), config.data.maximum
        re, im = rng.integers(-full, full, (2, n_frames, config.n_max), endpoint=True)
        parts = (apply_window(part, factors, config=config) for part in (re, im))
        y = fft(*parts, config=config, log2_n=n)
        weights = factors / (1 << config.twiddle.fraction)
        exact = np.fft.fft((re + 1j * im) * weights) / divisor
        power = (np.abs(exact) ** 2).sum(axis=-1)
        error = (np.abs(y.re + 1j * y.im - exact) ** 2).sum(axis=-1)
        worst = min(map(decibels, power.tolist(), error.tolist()))
        together = decibels(power.sum(), error.sum())
        signal = "white noise, uniform in the square, times the window"
        return (Noise(signal, together, worst, n_frames, int(y.overflow.sum())),)

    return Variant(
        module="fft_window",
        command=f"spectramac verilog fft {options(config)} --window {name}",
        title=f"FFT of {config.n_max} points behind a window, {config.data_width} bits",
        function=(
            f"Forward discrete Fourier transform of frames of N = {config.n_max} complex samples times a window: "
            "X[k] = Σ w[n] x[n] exp(-2πj kn/N). The window is "
            f"{'`' + name + '`, in its periodic form' if name in COSINES else f'that of the file `{name}`'}; its "
            f"coefficients, `{config.twiddle}`, come from block RAM. Each product is rounded once, half to even, to "
            "the width of the samples. One sample a clock, no gap between frames. Bit for bit the functions "
            "`spectramac.model.window.apply_window` and `spectramac.model.fft.fft`."
        ),
        config=config,
        i=i,
        o=o,
        control=Payload(()),
        meanings={
            "i__payload": "a sample, natural order",
            "o__payload": f"a bin, {order_text(config)}",
        },
        fields={},
        order=order_text(config),
        rules=(f"Samples come in natural order. Bins leave in {order_text(config)}.",),
        flags="No product with the window is larger than its sample: it cannot overflow.",
        multipliers=f"2 of {config.data_width}×{config.twiddle_width} for the window",
        cycles=(
            (
                config.n_max,
                fft_latency(config, n) + WINDOW_LATENCY,
                fft_cycles_per_frame(config, n),
            ),
        ),
        frames=frames,
        noise=noise,
        # A rounding of half a unit in each part of each sample reaches a bin N times, over N where it halves.
        error=error_bound(config, n) + np.sqrt(0.5) * config.n_max / divisor,
    )
