# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Checks of what is built around the transform, bit for bit against its model and cycle for cycle."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from tests.gateware.cases_fft import Frame, random_frame
from tests.gateware.streams import StreamRun, assert_same, run_stream

from spectramac.gateware.fft import PipelinedFFT
from spectramac.gateware.fft.real import RealFFT, RealPairFFT
from spectramac.gateware.fft.threshold import ThresholdFFT
from spectramac.gateware.fft.window import WindowedFFT
from spectramac.model.fft import fft
from spectramac.model.fft2d import fft2d
from spectramac.model.fft_real import fft_real, fft_real_pair
from spectramac.model.fft_threshold import fft_threshold
from spectramac.model.window import apply_window, window
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_real import pair_input, pair_output, real_input, real_output
from spectramac.spec.fft_streams import level_format, threshold_payload
from spectramac.spec.stream import Payload, complex_payload, frame
from spectramac.spec.timing import THRESHOLD_LATENCY, fft_latency

__all__ = [
    "check_fft2d",
    "check_real",
    "check_real_pair",
    "check_threshold",
    "check_window",
    "compare",
    "packed",
]


def packed(payload: Payload, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Words of a frame, the last one with ``last``."""
    return [
        payload.pack({**row, "last": int(number == len(rows))})
        for number, row in enumerate(rows, 1)
    ]


def compare(
    dut: Any,
    frames: Sequence[tuple[list[int], list[int]]],
    output: Payload,
    *,
    latency: int | None = None,
    wrong_last: Sequence[int] = (),
    control: dict[str, list[int]] | None = None,
    **options: Any,
) -> StreamRun:
    """Frames (words in, words out) back to back; with ``latency``, nothing stalls and no cycle is lost.

    All frames then have one size, and as many words leave as enter, or fewer at the end of their time. The samples
    whose numbers are in ``wrong_last`` have the wrong ``last``, which must be told in the next cycle and do nothing
    else.
    """
    inputs = [word for given, _ in frames for word in given]
    last = 1 << (len(dut.i.payload.as_value()) - 1)
    for number in wrong_last:
        inputs[number] ^= last
    expected = [word for _, wanted in frames for word in wanted]
    where = [f"frame {f}, word {k}" for f, (_, w) in enumerate(frames) for k in range(len(w))]
    result = run_stream(
        dut,
        inputs,
        len(expected),
        control=control,
        strobes=("overflow", "framing_error"),
        budget=1500 + 16 * len(inputs) + options.get("sink_delay", 0),
        **options,
    )
    assert_same(result.outputs, expected, where.__getitem__, lambda w: str(output.unpack(w)))
    told = [result.in_cycles[number] + 1 for number in wrong_last]
    assert result.strobes["framing_error"] == told, f"framing_error must be high in cycles {told}"
    latest = result.valid_cycles[-1] + 1
    assert all(cycle <= latest for cycle in result.strobes["overflow"]), "overflow must not be late"
    if latency is not None:
        assert result.in_cycles == list(range(len(inputs))), "a cycle must not be lost at the input"
        n, start = len(frames[0][0]), 0
        for f, (_, wanted) in enumerate(frames):
            first = f * n + latency
            cycles = list(range(first, first + len(wanted)))
            got = result.out_cycles[start : start + len(wanted)]
            assert got == cycles, f"frame {f} must leave from cycle {first} on, not {got[0]}"
            start += len(wanted)
    return result


def complex_words(config: FFTConfig, re: Any, im: Any, *, output: bool = False) -> list[int]:
    """Words of a frame of complex numbers."""
    payload = frame(complex_payload(config.output if output else config.data))
    rows = zip(np.ravel(re).tolist(), np.ravel(im).tolist(), strict=True)
    return packed(payload, [{"data": {"re": a, "im": b}} for a, b in rows])


def check_window(
    config: FFTConfig,
    *,
    stalls: str = "none",
    n_frames: int = 4,
    name: str = "hann",
    **options: Any,
) -> None:
    """Frames of full scale times a window, back to back."""
    rng = np.random.default_rng(config.n_max)
    low, high = config.data.minimum, config.data.maximum
    coefficients = window(name, config)
    if name == "rectangular":  # the least and the largest coefficient, on the least number
        coefficients = np.where(np.arange(config.n_max) % 2, coefficients, -coefficients // 2)
    natural = config.order == "natural"
    frames, overflow = [], False
    for f in range(n_frames):
        re, im = rng.integers(low, high, (2, config.n_max), endpoint=True)
        if f == 0:
            re[:] = low
        parts = (apply_window(part, coefficients, config=config) for part in (re, im))
        y = fft(*parts, config=config, log2_n=config.log2_n_max, bit_reversed=not natural)
        overflow |= bool(y.overflow)
        words = complex_words(config, y.re, y.im, output=True)
        frames.append((complex_words(config, re, im), words))
    dut = WindowedFFT(config, coefficients.tolist())
    latency = dut.latency if stalls == "none" else None
    payload = frame(complex_payload(config.output))
    result = compare(dut, frames, payload, latency=latency, stalls=stalls, **options)
    assert bool(result.strobes["overflow"]) == overflow, "overflow must be the model's"


def check_fft2d(
    config: FFTConfig, *, stalls: str = "none", n_frames: int = 3, **options: Any
) -> None:
    """Tiles of full scale, back to back."""
    rng = np.random.default_rng([config.log2_n_max, config.log2_columns])
    low, high = config.data.minimum, config.data.maximum
    tile = (-1, 1 << config.log2_columns)
    frames, overflow = [], False
    for f in range(n_frames):
        re, im = rng.integers(low, high, (2, config.n_max), endpoint=True)
        if f == 0:  # corners of the complex plane, so that something is saturated
            re, im = np.full(config.n_max, low), np.full(config.n_max, low)
            re[0], im[:] = low, np.where(np.arange(config.n_max) % 2, low, high)
        wanted = fft2d(
            re.reshape(tile),
            im.reshape(tile),
            config=config,
            bit_reversed=config.order == "bit_reversed",
        )
        overflow |= bool(wanted.overflow)
        words = complex_words(config, wanted.re, wanted.im, output=True)
        frames.append((complex_words(config, re, im), words))
    latency = fft_latency(config, config.log2_n_max) if stalls == "none" else None
    payload = frame(complex_payload(config.output))
    result = compare(PipelinedFFT(config), frames, payload, latency=latency, stalls=stalls, seed=1)
    assert bool(result.strobes["overflow"]) == overflow, "overflow must be the model's"


def check_threshold(
    config: FFTConfig, *, stalls: str = "none", n_frames: int = 6, seed: int = 0, **options: Any
) -> StreamRun:
    """Random frames, each with a level of its own: that of one of its bins, or one more; the extremes too."""
    rng = np.random.default_rng([config.log2_n_max, seed])
    frames, overflow = [], False
    control: dict[str, list[int]] = {"level": []}
    if not config.is_fixed:
        control |= {key: [] for key in ("log2_n", "two_d", "inverse", "halve")}
    size = None if options.pop("any_size", False) else config.log2_n_max
    payload = threshold_payload(config)
    n_kept = n_dropped = 0
    for f in range(n_frames):
        item = random_frame(config, rng, size)
        choice = {
            key: getattr(item, key) for key in control if key in ("two_d", "inverse", "halve")
        }

        def result(level: int, item: Frame = item, choice: dict[str, Any] = choice) -> Any:
            return fft_threshold(item.re, item.im, level, config=config, **choice)

        spectrum = result(0)
        place = int(rng.integers(len(item.re)))
        level = int(spectrum.re[place]) ** 2 + int(spectrum.im[place]) ** 2 + f % 2
        if f == n_frames - 1:
            level = level_format(config).maximum
        wanted = result(level)
        n_kept, n_dropped = n_kept + wanted.keep.sum(), n_dropped + (~wanted.keep).sum()
        overflow |= bool(wanted.overflow)
        columns = (wanted.re, wanted.im, wanted.bin, wanted.keep)
        rows = [
            {"data": {"re": re, "im": im}, "bin": number, "keep": keep}
            for re, im, number, keep in zip(*(c.tolist() for c in columns), strict=True)
        ]
        frames.append((complex_words(config, item.re, item.im), packed(payload, rows)))
        for key, values in control.items():
            value = level if key == "level" else int(getattr(item, key))
            # Sampled with the first sample: what comes later is of no account.
            later = value ^ 1 if key == "level" else value
            values += [value] + [later] * (len(item.re) - 1)
    assert n_kept
    assert n_dropped
    latency = None
    if stalls == "none" and size and config.is_fixed:
        latency = fft_latency(config, size) + THRESHOLD_LATENCY
    result = compare(
        ThresholdFFT(config),
        frames,
        payload,
        latency=latency,
        control=control,
        stalls=stalls,
        seed=seed,
        **options,
    )
    assert bool(result.strobes["overflow"]) == overflow, "overflow must be the model's"
    return result


def real_frames(config: FFTConfig, n_frames: int, seed: int) -> np.ndarray:
    """Random full-scale frames of 2N samples; extremes first."""
    rng = np.random.default_rng([config.n_max, seed])
    low, high = config.data.minimum, config.data.maximum
    x = rng.integers(low, high, (n_frames, 2 * config.n_max), endpoint=True)
    x[0] = np.where(np.arange(2 * config.n_max) % 2, low, high)
    x[1] = low
    # As a pair, square waves a quarter apart: in the corners of the complex plane.
    n = np.arange(config.n_max) * 8 // config.n_max
    x[2] = np.where(np.concatenate([(n + 2) % 8 < 4, n < 4]), high, low)
    return x


def check_real_pair(
    config: FFTConfig, *, stalls: str = "none", n_frames: int = 4, seed: int = 0, **options: Any
) -> StreamRun:
    """Pairs of real frames, back to back; nothing overflows."""
    frames = []
    i, o = pair_input(config), pair_output(config)
    for x in real_frames(config, n_frames, seed):
        first, second = x[: config.n_max], x[config.n_max :]
        y = fft_real_pair(first, second, config=config)
        given = [
            {"data": {"first": a, "second": b}}
            for a, b in zip(first.tolist(), second.tolist(), strict=True)
        ]
        columns = (y.first_re, y.first_im, y.second_re, y.second_im)
        wanted = [
            {"data": {"first": {"re": a, "im": b}, "second": {"re": c, "im": d}}}
            for a, b, c, d in zip(*(part.tolist() for part in columns), strict=True)
        ]
        frames.append((packed(i, given), packed(o, wanted)))
    return _check_real(RealPairFFT(config), frames, o, False, stalls=stalls, seed=seed, **options)


def check_real(
    config: FFTConfig, *, stalls: str = "none", n_frames: int = 4, seed: int = 0, **options: Any
) -> StreamRun:
    """Real frames, back to back."""
    frames, overflow = [], False
    i, o = real_input(config), real_output(config)
    for x in real_frames(config, n_frames, seed):
        y = fft_real(x, config=config)
        overflow |= bool(y.overflow)
        given = [
            {"data": {"even": a, "odd": b}}
            for a, b in zip(x[0::2].tolist(), x[1::2].tolist(), strict=True)
        ]
        wanted = [
            {"data": {"re": a, "im": b}} for a, b in zip(y.re.tolist(), y.im.tolist(), strict=True)
        ]
        frames.append((packed(i, given), packed(o, wanted)))
    return _check_real(RealFFT(config), frames, o, overflow, stalls=stalls, seed=seed, **options)


def _check_real(
    dut: Any, frames: Any, payload: Payload, overflow: bool, *, stalls: str, **options: Any
) -> StreamRun:
    latency = dut.latency if stalls == "none" else None
    result = compare(dut, frames, payload, latency=latency, stalls=stalls, **options)
    assert bool(result.strobes["overflow"]) == overflow, "overflow must be the model's"
    return result
