# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The integer transform against NumPy's, with derived bounds, and exactly where that is possible."""

import numpy as np
import pytest

from spectramac.model.fft import bit_reverse, error_bound, fft, sqnr, twiddle_index, twiddle_table
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import exponents

SIZES = range(3, 11)


def config(log2_n: int, **changes: int) -> FFTConfig:
    return FFTConfig(log2_n_max=log2_n, **changes)


def random_frames(log2_n: int, amplitude: int, n_frames: int = 4, seed: int = 0):
    rng = np.random.default_rng([seed, log2_n])
    return rng.integers(-amplitude, amplitude + 1, (2, n_frames, 1 << log2_n))


def reference(re, im, log2_n: int, two_d: bool, inverse: bool):
    """NumPy's unscaled transform, with the transposed two-dimensional spectrum."""
    z = re + 1j * im
    t = 1 << (log2_n // 2)
    if two_d:
        z = z.reshape(-1, t, t)
        y = np.fft.ifft2(z) * t * t if inverse else np.fft.fft2(z)
        return y.transpose(0, 2, 1).reshape(re.shape)
    return np.fft.ifft(z) * (1 << log2_n) if inverse else np.fft.fft(z)


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("scaling", ["growth", "halving", "mixed"])
@pytest.mark.parametrize("log2_n", SIZES)
def test_error_bound(log2_n, scaling, inverse):
    halve = {"growth": 0, "halving": -1, "mixed": 0b0110100101}[scaling] & ((1 << log2_n) - 1)
    n_growing = log2_n - halve.bit_count()
    c = config(log2_n)
    re, im = random_frames(log2_n, (c.data.maximum >> n_growing) // 2)
    for two_d in (False, True)[: 2 - log2_n % 2]:
        y = fft(re, im, config=c, log2_n=log2_n, two_d=two_d, inverse=inverse, halve=halve)
        assert not y.overflow.any()
        exact = reference(re, im, log2_n, two_d, inverse) / (1 << halve.bit_count())
        error = np.abs(y.re + 1j * y.im - exact).max()
        assert error <= error_bound(c, log2_n, halve)


def test_bound_sees_a_wrong_factor(monkeypatch):
    """One twiddle factor of the last product with the wrong sign of its imaginary part is noticed."""

    def wrong_table(log2_block, width):
        c, s = twiddle_table(log2_block, width)
        s[1] *= -1
        return c, s

    monkeypatch.setattr("spectramac.model.fft.twiddle_table", wrong_table)
    c = config(6)
    re, im = random_frames(6, c.data.maximum // 2)
    y = fft(re, im, config=c, log2_n=6, halve=63)
    exact = reference(re, im, 6, False, False) / 64
    assert np.abs(y.re + 1j * y.im - exact).max() > error_bound(c, 6, 63)


@pytest.mark.parametrize("log2_n", SIZES)
def test_delta_and_constant_are_exact(log2_n):
    c, n = config(log2_n), 1 << log2_n
    delta = np.zeros(n, np.int64)
    delta[0] = 1234
    y = fft(delta, -delta, config=c, log2_n=log2_n)
    assert (y.re == 1234).all()
    assert (y.im == -1234).all()
    constant = np.full(n, c.data.minimum)
    y = fft(constant, 0 * constant, config=c, log2_n=log2_n, halve=n - 1)
    assert y.re.tolist() == [c.data.minimum] + [0] * (n - 1)
    assert not y.im.any()
    assert not y.overflow


@pytest.mark.parametrize("log2_n", SIZES)
def test_quarter_turns_are_exact(log2_n):
    """Complex exponentials at multiples of N/4: all products are with 1, -1, j and -j... or cancel."""
    c, n = config(log2_n), 1 << log2_n
    for k in range(0, n, n // 4):
        z = np.array([1, 1j, -1, -1j])[(k * 4 // n * np.arange(n)) % 4] * (c.data.maximum // n)
        re, im = z.real.astype(np.int64), z.imag.astype(np.int64)
        y = fft(re, im, config=c, log2_n=log2_n)
        assert np.flatnonzero(y.re).tolist() == [k]
        assert y.re[k] == c.data.maximum // n * n
        assert not y.im.any()


@pytest.mark.parametrize("two_d", [False, True])
@pytest.mark.parametrize("log2_n", [4, 6, 8, 10])
def test_round_trip(log2_n, two_d):
    """Forward with growth, inverse with halving: the input, within the two bounds."""
    c, n = config(log2_n), 1 << log2_n
    re, im = random_frames(log2_n, c.data.maximum // n // 2)
    y = fft(re, im, config=c, log2_n=log2_n, two_d=two_d)
    z = fft(y.re, y.im, config=c, log2_n=log2_n, two_d=two_d, inverse=True, halve=n - 1)
    bound = error_bound(c, log2_n) / np.sqrt(n) + error_bound(c, log2_n, n - 1)
    assert np.abs(z.re - re + 1j * (z.im - im)).max() <= bound


def test_two_dimensional_index_is_transposed():
    c = config(4)
    image = np.zeros((4, 4), np.int64)
    image[:, :] = np.array([1, 0, -1, 0])  # varies along n2 with k2 = 1 and 3
    y = fft(image.reshape(16), 0 * image.reshape(16), config=c, log2_n=4, two_d=True)
    assert np.flatnonzero(y.re).tolist() == [1 * 4 + 0, 3 * 4 + 0]


def test_smallest_size_8x8_uses_only_eighth_turns():
    for m in (3, 5):
        assert set(twiddle_index(m, 6, True) * 8 % (1 << (m + 1))) == {0}


def test_order():
    c = config(5)
    re, im = random_frames(5, 100)
    natural = fft(re, im, config=c, log2_n=5)
    emitted = fft(re, im, config=c, log2_n=5, bit_reversed=True)
    assert (natural.re[:, bit_reverse(32)] == emitted.re).all()
    assert (natural.im[:, bit_reverse(32)] == emitted.im).all()
    assert bit_reverse(8).tolist() == [0, 4, 2, 6, 1, 5, 3, 7]


def test_inverse_is_conjugation():
    """Exactly: no narrowing that is reached prefers a sign."""
    c = config(6)
    re, im = random_frames(6, 1000)
    a = fft(re, im, config=c, log2_n=6, inverse=True, halve=0b101010)
    b = fft(re, -im, config=c, log2_n=6, halve=0b101010)
    assert (a.re == b.re).all()
    assert (a.im == -b.im).all()


def test_overflow_is_per_frame_and_saturates():
    c = config(3)
    re = np.zeros((3, 8), np.int64)
    re[1] = c.data.maximum
    re[2] = c.data.minimum
    y = fft(re, 0 * re, config=c, log2_n=3)
    assert y.overflow.tolist() == [False, True, True]
    assert y.re[:, 0].tolist() == [0, c.data.maximum, c.data.minimum]


def test_overflow_of_the_negated_minimum():
    """-j times a difference of exactly -2**(w-1): saturated, flagged; the opposite sign fits."""
    c = config(4)
    for sign, flag in ((1, True), (-1, False)):
        re = np.zeros(16, np.int64)
        re[4], re[12] = -sign * (1 << 14), sign * (1 << 14)  # stage 4: difference is -sign * 2**15
        im = np.zeros(16, np.int64)
        y = fft(re, im, config=c, log2_n=4, two_d=False, halve=0b0111)
        assert bool(y.overflow) is flag


def test_overflow_of_a_halved_difference():
    """(2**(w-1) - 1 + 2**(w-1)) / 2 is a tie that rounds to 2**(w-1), which does not fit."""
    c = config(3)
    re = np.array([c.data.maximum, 0, 0, 0, c.data.minimum, 0, 0, 0])
    assert fft(re, 0 * re, config=c, log2_n=3, halve=7).overflow
    re[0] -= 1
    assert not fft(re, 0 * re, config=c, log2_n=3, halve=7).overflow


def block(log2_n: int, **changes: int) -> FFTConfig:
    return config(log2_n, scaling="block", **{"twiddle_width": 18} | changes)


@pytest.mark.parametrize("divisor", [1, 3, 64, 30000])
@pytest.mark.parametrize("log2_n", [*SIZES, 11, 12, 13])
def test_block_error_and_exponent(log2_n, divisor):
    """The error is bounded, and no smaller exponent would have held the frame."""
    c = block(log2_n)
    re, im = random_frames(log2_n, c.data.maximum // divisor)
    y = fft(re, im, config=c, log2_n=log2_n)
    assert not y.overflow.any()
    scale = np.exp2(y.exponent)[:, None]
    error = np.abs((y.re + 1j * y.im) * scale - np.fft.fft(re + 1j * im)).max(axis=-1)
    assert (error <= error_bound(c, log2_n) + np.sqrt(0.5) * scale[:, 0]).all()
    parts = np.concatenate([y.re, y.im], axis=-1)
    assert parts.max() <= c.data.maximum
    assert parts.min() >= c.data.minimum
    bounded = y.exponent == exponents(c)[0]
    normalised = (parts.max(axis=-1) >= 1 << 14) | (parts.min(axis=-1) <= -(1 << 14))
    assert (bounded | normalised).all()


def test_block_exponent_at_its_borders():
    """From integers alone: a delta has the same X everywhere, in which nothing is rounded but the mantissa."""
    c, n = block(6), 64
    for value, exponent in (
        (0, -1),
        (16383, -1),
        (16384, 0),
        (32767, 0),
        (-16384, -1),
        (-16385, 0),
    ):
        re = np.zeros(n, np.int64)
        re[0] = value
        for parts in ((re, 0 * re), (0 * re, re)):
            y = fft(*parts, config=c, log2_n=6)
            assert y.exponent == exponent
            assert set(y.re.tolist()) | set(y.im.tolist()) == {0, value * 2**-exponent}
    # Two samples: X[0] = a + b, X[n/2] = a - b. 65534 is the greatest mantissa twice, 65535 is more.
    for a, b, exponent, mantissa in (
        (32767, 32767, 1, 32767),
        (32767, 32766, 1, 32766),  # 65533 / 2 is a tie
        (32767, 2, 1, 16384),
        (-32768, -32768, 1, -32768),
    ):
        re = np.zeros(n, np.int64)
        re[0], re[n // 2] = a, b
        y = fft(re, 0 * re, config=c, log2_n=6)
        assert (y.exponent, y.re[0]) == (exponent, mantissa)
    # 65535 = 2·32767 + 1: rounded with exponent 1 it would be 32768.
    re = np.zeros(n, np.int64)
    re[0], re[16], re[32] = 32767, 1, 32767
    y = fft(re, 0 * re, config=c, log2_n=6)
    assert (y.exponent, y.re[0]) == (2, 16384)


def test_exponent_of_other_scalings():
    zero = np.zeros((2, 64), np.int64)
    for scaling, halve, exponent in (("halving", 0, 6), ("growth", 0, 0), ("per_stage", 0b101, 2)):
        y = fft(zero, zero, config=config(6, scaling=scaling), log2_n=6, halve=halve)
        assert y.exponent.tolist() == [exponent] * 2
    y = fft(zero[:, :8], zero[:, :8], config=config(6), log2_n=3, halve=0b111101)
    assert y.exponent.tolist() == [2] * 2
    with pytest.raises(ValueError, match="scaling must be 'block' for exponents, not 'growth'"):
        exponents(config(6, scaling="growth"))


def test_twiddle_table_symmetry():
    c, s = twiddle_table(8, 16)
    assert (c == np.roll(c, 128) * -1).all()
    assert (s == np.roll(c, -64)).all()
    assert (c[0], s[0], c[64], s[64]) == (1 << 14, 0, 0, -(1 << 14))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"log2_n": 2}, "log2_n must be from 3 to 6, not 2"),
        ({"log2_n": 7}, "log2_n must be from 3 to 6, not 7"),
        ({"log2_n": 5, "two_d": True}, "log2_n must be even in two dimensions, not 5"),
        ({"halve": 64}, "halve must be from 0 to 63, not 64"),
        ({"z_re": np.full(64, 32768)}, r"z_re must fit sQ16.0, not 32768"),
        ({"z_re": np.zeros(32, int)}, "z_re must have 64 values in its last axis"),
        ({"z_im": np.zeros((2, 64), int)}, "z_im must have the shape of z_re"),
    ],
)
def test_bad_arguments(changes, message):
    n = 1 << changes.get("log2_n", 6)
    arguments = {
        "z_re": np.zeros(n, int),
        "z_im": np.zeros(n, int),
        "config": config(6),
        "log2_n": 6,
    } | changes
    with pytest.raises(ValueError, match=message):
        fft(**arguments)


def test_floats_are_refused():
    with pytest.raises(TypeError, match="z_re must be integers, not float64"):
        fft(np.zeros(8), np.zeros(8), config=config(3), log2_n=3)


MEASURED = {
    # log2_n: noise growing, noise halving, tone growing, tone halving; in dB, rounded down
    3: (85, 72, 92, 99),
    4: (82, 69, 90, 94),
    5: (75, 66, 77, 92),
    6: (74, 63, 75, 91),
    7: (69, 60, 64, 91),
    8: (67, 57, 62, 90),
    9: (62, 54, 51, 90),
    10: (61, 51, 49, 90),
}
"""Floors of the signal to quantization noise ratio at 16 bits (what is measured is less than 1 dB more)."""


@pytest.mark.parametrize("log2_n", SIZES)
def test_sqnr(log2_n):
    cases = [(s, g) for s in ("noise", "tone") for g in ("growth", "halving")]
    for (signal, scaling), floor in zip(cases, MEASURED[log2_n], strict=True):
        measured = sqnr(config(log2_n), log2_n, signal=signal, scaling=scaling)
        assert floor <= measured < floor + 1, (signal, scaling)


@pytest.mark.parametrize(
    ("log2_n", "noise", "tone"),
    [(3, 89, 103), (4, 89, 99), (6, 87, 96), (7, 86, 95), (8, 85, 95), (10, 84, 94)],
)
def test_sqnr_of_block_floating_point(log2_n, noise, tone):
    for signal, floor in (("noise", noise), ("tone", tone)):
        measured = sqnr(block(log2_n), log2_n, signal=signal, scaling="growth")
        assert floor <= measured < floor + 1, signal
