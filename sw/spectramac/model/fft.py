# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
r"""Bit-exact fast Fourier transform, the reference of :mod:`spectramac.gateware.fft`.

Radix-2² decimation in frequency. Stages are named by their block size ``2**m``, from ``m = log2_n`` down to
1; an even ``m`` is the first of a pair, an odd one the second (an odd ``log2_n`` starts with a second whose
first is missing).

*Butterfly.* ``s = a + b`` and ``d = a - b`` are one bit wider than the data. In the first of a pair, the
second half of the differences is multiplied by -j (exactly). If bit ``m - 1`` of ``halve`` is set, s and d
are halved, round-half-even. Both are saturated to ``data_width``.

*Twiddle*, after the second of a pair except ``m = 1``: all values are multiplied by powers of
``W = exp(-2πj / 2**(m + 1))``, each part of which is a ``sQ2.(twiddle_width-2)`` number
(:func:`twiddle_table`). The exact sum of the two products is shifted right by ``twiddle_width - 2``,
round-half-even, and saturated to ``data_width``. A factor of 1 changes nothing.

*Block floating point.* Before a product, both parts of a sample are shifted right by the smallest of
:attr:`~spectramac.spec.fft_plan.StagePlan.shifts` that makes them fit, round-half-even; the product is shifted left
again before it is narrowed. At the end, a frame's exponent is the smallest of
:func:`~spectramac.spec.fft_plan.exponents` with which every part lies between the least and the greatest mantissa
*before* it is rounded. So rounding cannot exceed the mantissa, and nothing saturates: each part of
``X - mantissa·2**exponent`` grows by no more than ``2**(exponent - 1)``.

*Inverse.* re and im are exchanged before and after. With all stages halving this is the inverse transform
with its usual factor 1/N.

*Two dimensions.* With ``two_d``, N = T² values at index ``n1*T + n2`` give the T-by-T transform, because
the low ``log2(T)`` bits of each twiddle index are zero in the first ``log2(T)`` stages. Its spectrum is
*transposed*: ``X[k1, k2]`` is at index ``k2*T + k1``. The inverse takes the transposed spectrum and gives
``n1*T + n2``.

*Error.* Without overflow, ``|y - DFT(x) / 2**h|`` for h halving stages is at most :func:`error_bound`. With E
the bound so far: a butterfly that does not halve doubles E; one that halves adds the rounding of each part,
``√½``; a twiddle product multiplies E by ``1 + δ`` and adds ``√½ + δ·A``. Here ``δ = √½ · 2**-(tw - 2)``
is the largest error of a rounded twiddle factor, half a unit in each part, and
``A = √2 · 2**(data_width - 1)`` is the largest magnitude, which grows with the stages in the fixed scalings. In
``"block"`` a shift by s before a product adds ``√½·2**s``, the clipping of a sum by one ``√2·2**s``.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectramac.model.fixed import Ints, round_shift, saturate
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import GUARD, Narrowing, StagePlan, exponents, plan
from spectramac.spec.fixed import Format

__all__ = [
    "FFTResult",
    "bit_reverse",
    "decibels",
    "error_bound",
    "fft",
    "quantization_noise",
    "sqnr",
    "twiddle_index",
    "twiddle_table",
]


@dataclass(frozen=True)
class FFTResult:
    """Transformed frames: the transform is about ``(re + j·im) · 2**exponent``.

    Attributes
    ----------
    re, im : (..., N) integer arrays
    overflow : (...) bool array
        Of each frame: whether any value in it was saturated on the way.
    exponent : (...) integer array
        Of each frame: with ``"block"`` its own, otherwise the number of stages that halve.
    """

    re: Ints
    im: Ints
    overflow: NDArray[np.bool_]
    exponent: Ints


def bit_reverse(n: int) -> NDArray[np.int64]:
    """For each index below ``n``, a power of two, the index with its bits in reverse order."""
    if n < 1 or n & (n - 1):
        raise ValueError(f"n must be a power of two, not {n!r}")
    order = np.zeros(1, np.int64)
    while len(order) < n:
        order = np.concatenate([2 * order, 2 * order + 1])
    return order


def twiddle_table(log2_block: int, width: int) -> tuple[Ints, Ints]:
    """Real and imaginary parts of ``exp(-2πj e / 2**log2_block)`` for all e, in ``sQ2.(width-2)``.

    Rounded to nearest. No ties occur, so the table has all symmetries of the circle.
    """
    angle = 2 * np.pi * np.arange(1 << log2_block) / (1 << log2_block)
    one = float(1 << (width - 2))
    return (
        np.rint(np.cos(angle) * one).astype(np.int64),
        np.rint(-np.sin(angle) * one).astype(np.int64),
    )


def twiddle_index(
    m: int, log2_n: int, two_d: bool, log2_columns: int | None = None
) -> NDArray[np.int64]:
    """Exponent of ``exp(-2πj / 2**(m + 1))`` for each index of a frame after stage ``m``, m odd.

    ``log2_columns`` is of a frame in two dimensions; by default it is square.
    """
    index = np.arange(1 << log2_n)
    half = 1 << (m - 1)
    i, r = index % half, (index // half) & 1
    p = (index >> m) & 1 if m < log2_n else np.zeros_like(index)
    t = log2_n // 2 if log2_columns is None else log2_columns
    outer_p = i & -(1 << t) if two_d and m + 1 > t else i
    outer_r = i & -(1 << t) if two_d and m > t else i
    return np.asarray(p * outer_p + 2 * r * outer_r, np.int64)


def fft(
    z_re: Any,
    z_im: Any,
    *,
    config: FFTConfig,
    log2_n: int,
    two_d: bool = False,
    inverse: bool = False,
    halve: int = 0,
    bit_reversed: bool = False,
) -> FFTResult:
    """Transform frames of ``2**log2_n`` complex integers.

    Parameters
    ----------
    z_re, z_im : (..., N) integer arrays
        Frames in natural order; must fit ``config.data``.
    config : FFTConfig
        Word widths and the largest size; the architecture does not matter.
    log2_n : int
        Size of the transform, from 3 to ``config.log2_n_max``.
    two_d : bool
        T-by-T transform of N = T² values; the spectrum index is ``k2*T + k1``. Needs an even ``log2_n``. With
        :attr:`FFTConfig.log2_columns` it must be true; R rows of C columns then have index ``k2*R + k1``, see
        :func:`spectramac.model.fft2d.fft2d`.
    inverse : bool
        Positive exponent.
    halve : int
        Bit ``m - 1`` halves the stage with blocks of ``2**m``. Bits from ``log2_n`` up are ignored.
    bit_reversed : bool
        Leave the result in the order in which the pipeline emits it.

    Returns
    -------
    FFTResult
        Arrays of the shape of the input, ``overflow`` and ``exponent`` of shape (...).
    """
    n = _check_arguments(config, log2_n, two_d, inverse, halve)
    re, im = _check_data("z_re", z_re, n, config), _check_data("z_im", z_im, n, config)
    if re.shape != im.shape:
        raise ValueError(f"z_im must have the shape of z_re, {re.shape}, not {im.shape}")
    shape = re.shape
    re, im = re.reshape(-1, n), im.reshape(-1, n)
    overflow = np.zeros(len(re), np.bool_)
    if inverse:
        re, im = im, re
    columns = config.log2_columns or None
    exponent = np.full(len(re), _n_halvings(config, log2_n, halve), np.int64)
    for stage in plan(config)[config.log2_n_max - log2_n :]:
        plain = two_d and stage.m == (columns or log2_n // 2) + 1
        re, im = _butterfly(re, im, stage, rotate=stage.rotates and not plain)
        if stage.narrowing:
            shift = stage.narrowing.shift
            dropped = (halve >> (stage.m - 1)) & 1 if shift is None else shift
            re, im = (_narrow(part, dropped, stage.narrowing, overflow) for part in (re, im))
        if stage.product:
            index = twiddle_index(stage.m, log2_n, two_d, columns)
            re, im = _product(re, im, stage, index, config)
            assert stage.product.shift is not None
            dropped = stage.product.shift
            re, im = (_narrow(part, dropped, stage.product, overflow) for part in (re, im))
    if config.scaling == "block":
        exponent = _common_exponent(re, im, config)
        re, im = (round_shift(part, (exponent + GUARD)[:, None]) for part in (re, im))
    if inverse:
        re, im = im, re
    if not bit_reversed:
        order = bit_reverse(n)
        re, im = re[:, order], im[:, order]
    frames = shape[:-1]
    return FFTResult(
        re.reshape(shape), im.reshape(shape), overflow.reshape(frames), exponent.reshape(frames)
    )


def _n_halvings(config: FFTConfig, log2_n: int, halve: int) -> int:
    """Stages that halve."""
    if config.scaling == "per_stage":
        return (halve & ((1 << log2_n) - 1)).bit_count()
    return log2_n if config.scaling == "halving" else 0


def _common_exponent(re: Ints, im: Ints, config: FFTConfig) -> Ints:
    """Of each frame, from words with :data:`GUARD` fraction bits (module docstring)."""
    greatest = np.maximum(re.max(axis=-1), im.max(axis=-1))
    least = np.minimum(re.min(axis=-1), im.min(axis=-1))
    candidates = exponents(config)
    exponent = np.full(len(re), candidates[-1], np.int64)
    for e in reversed(candidates):
        low, high = (bound << (e + GUARD) for bound in (config.data.minimum, config.data.maximum))
        exponent[(greatest <= high) & (least >= low)] = e
    return exponent


def _check_arguments(config: FFTConfig, log2_n: int, two_d: bool, inverse: bool, halve: int) -> int:
    if not 3 <= log2_n <= config.log2_n_max:
        raise ValueError(f"log2_n must be from 3 to {config.log2_n_max}, not {log2_n!r}")
    if two_d and log2_n % 2 and not config.log2_columns:
        raise ValueError(f"log2_n must be even in two dimensions, not {log2_n!r}")
    if config.log2_axis_max and not config.allows(log2_n, two_d):
        raise ValueError(
            f"log2_n must be at most {config.log2_axis_max} for each dimension, not {log2_n!r}"
        )
    fixed_two_d = config.log2_columns > 0
    if config.is_fixed and (
        log2_n != config.log2_n_max or two_d != fixed_two_d or inverse or halve
    ):
        dimension = "two dimensions" if fixed_two_d else "one dimension"
        raise ValueError(
            f"a transform with scaling {config.scaling!r} must be forward, in {dimension}, of "
            f"{config.n_max} points, without halve"
        )
    if not 0 <= halve < 1 << config.log2_n_max:
        raise ValueError(f"halve must be from 0 to {(1 << config.log2_n_max) - 1}, not {halve!r}")
    return 1 << log2_n


def _check_data(name: str, z: Any, n: int, config: FFTConfig) -> Ints:
    z = np.asarray(z)
    if not np.issubdtype(z.dtype, np.integer):
        raise TypeError(f"{name} must be integers, not {z.dtype}")
    if z.ndim < 1 or z.shape[-1] != n:
        raise ValueError(f"{name} must have {n} values in its last axis, not shape {z.shape}")
    bad = (z < config.data.minimum) | (z > config.data.maximum)
    if np.any(bad):
        raise ValueError(f"{name} must fit {config.data}, not {int(z[bad].flat[0])}")
    return np.asarray(z, np.int64)


def _butterfly(re: Ints, im: Ints, stage: StagePlan, *, rotate: bool) -> tuple[Ints, Ints]:
    """Sums and differences of one stage, one bit wider, differences rotated by -j or negative where due."""
    m = stage.m
    shape = (len(re), -1, 2, 1 << (m - 1))
    re, im = re.reshape(shape), im.reshape(shape)
    out_re = np.stack([re[:, :, 0] + re[:, :, 1], re[:, :, 0] - re[:, :, 1]], axis=2)
    out_im = np.stack([im[:, :, 0] + im[:, :, 1], im[:, :, 0] - im[:, :, 1]], axis=2)
    if rotate:
        upper = slice(1 << (m - 2), None)
        real = out_re[:, :, 1, upper].copy()
        out_re[:, :, 1, upper] = out_im[:, :, 1, upper]
        out_im[:, :, 1, upper] = -real
    if stage.negates:
        out_re[:, :, 1] *= -1
        out_im[:, :, 1] *= -1
    return out_re.reshape(len(re), -1), out_im.reshape(len(re), -1)


def _product(
    a: Ints, b: Ints, stage: StagePlan, e: NDArray[np.int64], config: FFTConfig
) -> tuple[Ints, Ints]:
    """``(a + jb)(c + js)`` by three products, as the multiplier computes it."""
    # The smallest shift that makes both parts fit: each that is too small adds the step to the next.
    shift = np.zeros(a.shape, np.int64)
    fmt = Format(stage.sum_width - 1)
    for smaller, larger in pairwise(stage.shifts):
        fits = [
            (part >= fmt.minimum << smaller) & (part <= (fmt.maximum + 1 << smaller) - 1)
            for part in (a, b)
        ]
        shift[~(fits[0] & fits[1])] = larger
    a, b = round_shift(a, shift), round_shift(b, shift)
    c, s = (part[e] for part in twiddle_table(stage.m + 1, config.twiddle_width))
    if stage.negates:
        sign = 1 - 2 * ((np.arange(len(e)) >> (stage.m - 1)) & 1)
        c, s = c * sign, s * sign
    total, _ = saturate(a + b, Format(stage.sum_width))
    common = c * total
    return (common - b * (c + s)) << shift, (common - a * (c - s)) << shift


def _narrow(x: Ints, shift: int, narrowing: Narrowing, overflow: NDArray[np.bool_]) -> Ints:
    """Round half to even; clip and mark the frames that overflowed, where that is possible."""
    rounded = round_shift(x, shift)
    y, clipped = saturate(rounded, Format(narrowing.width))
    if narrowing.saturates:
        overflow |= clipped.any(axis=-1)
    elif clipped.any():
        raise AssertionError(
            f"a value of {narrowing} must fit, not {int(rounded[clipped].flat[0])}"
        )
    return y


def error_bound(config: FFTConfig, log2_n: int, halve: int = 0) -> float:
    """Largest magnitude of the error of any output of a frame without overflow (module docstring).

    In units of the output's last place; with ``"block"`` in units of X, and besides the rounding of the mantissa,
    ``√½·2**exponent``.
    """
    delta = np.sqrt(0.5) / (1 << config.twiddle.fraction)
    error = 0.0
    amplitude = np.sqrt(2) * (1 << (config.data_width - 1))
    for stage in plan(config)[config.log2_n_max - log2_n :]:
        error, amplitude = 2 * error, amplitude * (2 if config.is_fixed else 1)
        narrowing = stage.narrowing
        if narrowing:
            shift = (halve >> (stage.m - 1)) & 1 if narrowing.shift is None else narrowing.shift
            error = error / (1 << shift) + (np.sqrt(0.5) if shift else 0)
            amplitude /= 1 << shift if config.is_fixed else 1
        if stage.product:
            if stage.shifts[-1]:
                error += np.sqrt(0.5) * (1 << stage.shifts[-1])
                error += np.sqrt(2) * (1 << stage.shifts[-1])
            assert stage.product.shift is not None
            finer = 1 << (config.twiddle.fraction - stage.product.shift)
            amplitude *= finer
            error = error * finer * (1 + delta) + np.sqrt(0.5) + delta * amplitude
    return float(error) / (1 << GUARD if config.scaling == "block" else 1)


def sqnr(
    config: FFTConfig,
    log2_n: int,
    *,
    signal: Literal["noise", "tone"],
    scaling: Literal["growth", "halving"],
    n_frames: int = 32,
    seed: int = 0,
) -> float:
    """Measured signal to quantization noise ratio of the forward transform, in dB.

    The reference is NumPy's transform of the same integers, so the rounding of the input is not counted.

    Parameters
    ----------
    config, log2_n
        Core and size.
    signal : str
        ``"noise"``: white, re and im Gaussian; ``"tone"``: a complex exponential at a random bin with a
        random phase.
    scaling : str
        ``"growth"``: no stage halves and the input is small enough for the output to fit (the tone fills
        it, the noise has a standard deviation of 1/6 of full scale there). ``"halving"``: every stage
        halves and the input has full scale (the noise: a standard deviation of 1/6 of it).
    n_frames, seed
        Random frames measured together.
    """
    rng = np.random.default_rng(seed)
    n, full = 1 << log2_n, config.data.maximum
    fits = config.is_fixed or scaling == "halving"
    if signal == "noise":
        sigma = full / 6 if fits else full / 6 / np.sqrt(n)
        z = sigma * (rng.normal(size=(n_frames, n)) + 1j * rng.normal(size=(n_frames, n)))
    else:
        amplitude = full if fits else full / n - 1
        k, phase = rng.integers(0, n, (n_frames, 1)), rng.random((n_frames, 1))
        z = amplitude * np.exp(2j * np.pi * (k * np.arange(n) / n + phase))
    re = np.clip(np.rint(z.real), -full, full).astype(np.int64)
    im = np.clip(np.rint(z.imag), -full, full).astype(np.int64)
    power, error, _ = quantization_noise(config, re, im, scaling=scaling)
    return decibels(power.sum(), error.sum())


def quantization_noise(
    config: FFTConfig, re: Ints, im: Ints, *, scaling: Literal["growth", "halving"] = "halving"
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Energy of the exact forward transforms X of given frames, that of the error, and whether a value was saturated.

    Parameters
    ----------
    config : FFTConfig
    re, im : (..., N) integer arrays
    scaling : str
        With ``"per_stage"``: ``"growth"``, no stage halves, or ``"halving"``, all do. Otherwise without meaning.

    Returns
    -------
    power, error, overflow : arrays of shape (...)
    """
    n = np.shape(re)[-1]
    halve = n - 1 if scaling == "halving" and not config.is_fixed else 0
    z = np.asarray(re) + 1j * np.asarray(im)
    if config.log2_columns:
        # Index k2*R + k1, like the model's.
        tiles = z.reshape(*z.shape[:-1], -1, 1 << config.log2_columns)
        exact = np.fft.fft2(tiles).swapaxes(-1, -2).reshape(z.shape)
    else:
        exact = np.fft.fft(z)
    two_d = config.log2_columns > 0
    y = fft(re, im, config=config, log2_n=n.bit_length() - 1, two_d=two_d, halve=halve)
    power = np.sum(np.abs(exact) ** 2, axis=-1)
    rounded = (y.re + 1j * y.im) * np.exp2(y.exponent)[..., None]
    return power, np.sum(np.abs(rounded - exact) ** 2, axis=-1), y.overflow


def decibels(power: float, error: float) -> float:
    """A ratio of energies in dB; inf without error."""
    return float(10 * np.log10(power / error)) if error else float("inf")
