# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Real inputs of the transform as products: ``spectramac verilog fft --input real-pair`` and ``--input real``."""

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spectramac.host.fft_noise import SAMPLES, Noise
from spectramac.host.fft_product import configuration
from spectramac.host.fft_variants import Variant
from spectramac.host.vector_file import VectorFrame
from spectramac.model.fft import decibels, error_bound
from spectramac.model.fft_real import (
    RealPairResult,
    RealResult,
    fft_real,
    fft_real_pair,
    real_error_bound,
)
from spectramac.model.fixed import Ints
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_real import (
    check_real,
    final_narrowing,
    pair_input,
    pair_output,
    parts_format,
    real_input,
    real_output,
)
from spectramac.spec.stream import Payload
from spectramac.spec.timing import fft_real_latency, fft_real_pair_latency

__all__ = ["real", "real_configuration", "real_pair"]

Complex = NDArray[np.complex128]
Transform = Callable[[Ints], tuple[Complex, Complex, NDArray[np.bool_]]]
"""Of real frames: bins found, exact bins, overflow."""


def real_configuration(
    kind: str, points: int, width: int, twiddle_width: int, scaling: str
) -> FFTConfig:
    """The complex transform inside, for frames of ``points`` real samples; ``kind`` is ``"real-pair"`` or ``"real"``.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """
    if kind == "real":
        low, high = (2 << log2_n for log2_n in FFTConfig.log2_n_range)
        if not low <= points <= high or points & (points - 1):
            raise ValueError(
                f"points must be a power of two from {low} to {high} with input 'real', not {points!r}"
            )
        points //= 2
    config = configuration(points, width, twiddle_width, scaling)
    return check_real(dataclasses.replace(config, headroom=int(scaling == "halving")))


def _command(config: FFTConfig, kind: str, points: int) -> str:
    return (
        f"spectramac verilog fft --input {kind} --points {points} --width {config.data_width} "
        f"--twiddle-width {config.twiddle_width} --scaling {config.scaling}"
    )


def _signals(config: FFTConfig, n: int, n_frames: int, seed: int) -> list[tuple[str, Ints]]:
    """Real frames of ``n`` samples: such as find faults quickly, then random ones of full scale."""
    low, high = config.data.minimum, config.data.maximum
    k = np.arange(n)
    delta = np.zeros(n, np.int64)
    delta[1] = high
    tone = np.rint(high * np.cos(2 * np.pi * 3 * k / n)).astype(np.int64)
    first = [
        ("zero", np.zeros(n, np.int64)),
        ("delta: full scale at sample 1", delta),
        ("full-scale tone at bin 3", tone),
        ("all at the maximum", np.full(n, high)),
        ("all at the minimum", np.full(n, low)),
        ("alternating between the extremes", np.where(k % 2, low, high)),
    ]
    if n_frames < len(first):
        raise ValueError(f"frames must be at least {len(first)}, not {n_frames!r}")
    rng = np.random.default_rng(seed)
    return first + [
        ("random", rng.integers(low, high, n, endpoint=True)) for _ in range(n_frames - len(first))
    ]


def _words(payload: Payload, rows: list[dict[str, object]]) -> list[int]:
    return [
        payload.pack({"data": row, "last": int(number == len(rows))})
        for number, row in enumerate(rows, 1)
    ]


def _measure(
    config: FFTConfig, n: int, transform: Transform, *, seed: int = 0
) -> tuple[Noise, ...]:
    """White noise, tones and random signs of full scale, as far as they are real."""
    rng = np.random.default_rng(seed)
    n_frames, full = max(8, SAMPLES // n), config.data.maximum
    k = rng.integers(1, n // 2, (n_frames, 1))
    angle = 2 * np.pi * (k * np.arange(n) / n + rng.random((n_frames, 1)))
    signals = {
        "white noise, uniform": rng.integers(-full, full, (n_frames, n), endpoint=True),
        "full-scale tones, random bin and phase": np.rint(full * np.cos(angle)).astype(np.int64),
        "random signs, ± full scale": rng.choice(np.array([-full, full]), (n_frames, n)),
    }
    rows = []
    for name, x in signals.items():
        found, exact, overflow = transform(x)
        power = (np.abs(exact) ** 2).sum(axis=-1)
        error = (np.abs(found - exact) ** 2).sum(axis=-1)
        worst = min(map(decibels, power.tolist(), error.tolist()))
        together = decibels(power.sum(), error.sum())
        rows.append(Noise(name, together, worst, n_frames, int(overflow.sum())))
    return tuple(rows)


def real_pair(config: FFTConfig) -> Variant:
    """``fft_real_pair``: two real frames at once."""
    check_real(config)
    n = config.n_max
    i, o = pair_input(config), pair_output(config)
    divisor = n if config.scaling == "halving" else 1

    def frame(name: str, first: Ints, second: Ints) -> VectorFrame:
        y: RealPairResult = fft_real_pair(first, second, config=config)
        given: list[dict[str, object]] = [
            {"first": a, "second": b} for a, b in zip(first.tolist(), second.tolist(), strict=True)
        ]
        columns = (y.first_re, y.first_im, y.second_re, y.second_im)
        wanted: list[dict[str, object]] = [
            {"first": {"re": a, "im": b}, "second": {"re": c, "im": d}}
            for a, b, c, d in zip(*(part.tolist() for part in columns), strict=True)
        ]
        return VectorFrame(name, _words(i, given), _words(o, wanted), False)

    def frames(n_frames: int, seed: int) -> list[VectorFrame]:
        signals = _signals(config, n, n_frames, seed)
        # Each beside its successor; the last one beside the first.
        return [
            frame(f"{name}, beside the next one's", x, signals[(k + 1) % len(signals)][1])
            for k, (name, x) in enumerate(signals)
        ]

    def transform(x: Ints) -> tuple[Complex, Complex, NDArray[np.bool_]]:
        partner = np.roll(x, 1, axis=0)
        y = fft_real_pair(x, partner, config=config)
        exact = 2 * np.fft.rfft(x) / divisor
        return y.first_re + 1j * y.first_im, exact, np.zeros(len(x), np.bool_)

    result = {
        "halving": f"2X[k]/N, {parts_format(config).width} bits, or X[k]/N with one fraction bit more than the input",
        "growth": f"2X[k] in full, {parts_format(config).width} bits",
    }[config.scaling]
    return Variant(
        module="fft_real_pair",
        command=_command(config, "real-pair", n),
        title=f"FFT of two real frames of {n} points, {config.data_width} bits",
        function=(
            f"Discrete Fourier transforms of two real frames x1, x2 of N = {n} samples at once, by one complex "
            "transform of N points: X[k] = Σ x[n] exp(-2πj kn/N) for k = 0 to N/2; the other bins are the conjugates "
            "of these. x1 + j x2 is transformed to Z, then 2 X1[k] = Z[k] + conj Z[N-k] and 2 X2[k] = -j (Z[k] - conj "
            "Z[N-k]), exact. Takes one sample of each frame a clock, no gap between frames. Bit for bit the function "
            "`spectramac.model.fft_real.fft_real_pair`."
        ),
        config=config,
        i=i,
        o=o,
        control=Payload(()),
        meanings={
            "i__payload": "a sample of each frame, natural order",
            "o__payload": "a bin of each frame, natural order",
        },
        fields={},
        order="natural order",
        rules=(
            "`first` and `second` are samples n of x1 and of x2, n = 0 to N - 1.",
            (
                "A frame has N/2 + 1 results: `first_re`, `first_im` are 2 X1[k], `second_re`, `second_im` 2 X2[k], "
                "k = 0 to N/2 in natural order."
            ),
        ),
        flags=(
            f"This is of the complex transform Z inside. The output is {result}; nothing is rounded behind Z."
        ),
        multipliers="",
        cycles=((n, fft_real_pair_latency(config), n),),
        frames=frames,
        noise=lambda: _measure(config, n, transform),
        error=2 * error_bound(config, config.log2_n_max),
    )


def real(config: FFTConfig) -> Variant:
    """``fft_real``: one real frame of twice the length of the transform inside."""
    check_real(config)
    n = 2 * config.n_max
    i, o = real_input(config), real_output(config)
    narrowing = final_narrowing(config)

    def frames(n_frames: int, seed: int) -> list[VectorFrame]:
        found = []
        for name, x in _signals(config, n, n_frames, seed):
            y: RealResult = fft_real(x, config=config)
            given: list[dict[str, object]] = [
                {"even": a, "odd": b}
                for a, b in zip(x[0::2].tolist(), x[1::2].tolist(), strict=True)
            ]
            wanted: list[dict[str, object]] = [
                {"re": a, "im": b} for a, b in zip(y.re.tolist(), y.im.tolist(), strict=True)
            ]
            found.append(VectorFrame(name, _words(i, given), _words(o, wanted), bool(y.overflow)))
        return found

    def transform(x: Ints) -> tuple[Complex, Complex, NDArray[np.bool_]]:
        y = fft_real(x, config=config)
        found = np.concatenate([y.re + 1j * y.im, y.im[..., :1]], axis=-1)
        found[..., 0] = y.re[..., 0]
        exact = np.fft.rfft(x) / (n if config.scaling == "halving" else 1)
        return found, exact, y.overflow

    result = {
        "halving": (
            f"X[k]/N, {narrowing.width} bits: E + exp(-2πj k/N) O is rounded once, half to even, and saturated. That "
            "happens only where a bin is half a unit or a rounding error beyond the largest number; `overflow` is then "
            "high, not later than one cycle after the frame's last bin was first offered"
        ),
        "growth": (
            f"X[k], {narrowing.width} bits = input + log2 N + 1: E + exp(-2πj k/N) O is rounded once, half to even, "
            "and cannot overflow"
        ),
    }[config.scaling]
    factor, width = config.twiddle_width, parts_format(config).width
    return Variant(
        module="fft_real",
        command=_command(config, "real", n),
        title=f"FFT of {n} real points, {config.data_width} bits",
        function=(
            f"Discrete Fourier transform of real frames of N = {n} samples by a complex transform of N/2 points: "
            "X[k] = Σ x[n] exp(-2πj kn/N) for k = 0 to N/2; the other bins are the conjugates of these. "
            "z[n] = x[2n] + j x[2n+1] is transformed to Z, split into E[k] = Z[k] + conj Z[N/2-k] and "
            "O[k] = -j (Z[k] - conj Z[N/2-k]), and 2 X[k] = E[k] + exp(-2πj k/N) O[k]. Takes two samples a clock, no "
            "gap between frames. Bit for bit the function `spectramac.model.fft_real.fft_real`."
        ),
        config=config,
        i=i,
        o=o,
        control=Payload(()),
        meanings={
            "i__payload": "two samples, natural order",
            "o__payload": "a bin, natural order",
        },
        fields={},
        order="natural order",
        rules=(
            "`even` and `odd` are samples 2n and 2n + 1, n = 0 to N/2 - 1.",
            (
                "Bins leave in natural order, k = 0 to N/2 - 1. X[0] and X[N/2] are real: the word of k = 0 has X[0] "
                "in `re` and X[N/2] in `im`."
            ),
        ),
        flags=(
            f"This is of the complex transform Z of {config.n_max} points inside. The output is {result}."
        ),
        multipliers=f"3 of {width}×{factor} for the last butterfly",
        cycles=((n, fft_real_latency(config), n // 2),),
        frames=frames,
        noise=lambda: _measure(config, n, transform),
        error=real_error_bound(config),
    )
