# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Multiplication by constants, and transforms that have no multiplier."""

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.sim import Simulator
from hypothesis import given
from hypothesis import strategies as st

from spectramac.gateware.fft import FFT
from spectramac.gateware.fft.constants import ConstantMultiplier, canonical_digits
from spectramac.model.fft import fft
from spectramac.spec.fft_config import FFTConfig


@given(st.integers(0, 1 << 20))
def test_canonical_digits(value):
    digits = canonical_digits(value)
    assert sum(digit << k for k, digit in digits.items()) == value
    assert set(digits.values()) <= {-1, 1}
    assert not any(k + 1 in digits for k in digits)


def test_negative_numbers_have_no_canonical_digits():
    with pytest.raises(ValueError, match="value must be at least 0, not -1"):
        canonical_digits(-1)


def products(dut, factors, indices):
    """What comes out for ``factors``, one a clock, each with its index a clock before."""
    got = []

    async def bench(ctx):
        for k in range(len(factors) + 1 + dut.latency):
            ctx.set(dut.index, indices[k] if k < len(indices) else 0)
            if 0 < k <= len(factors):
                ctx.set(dut.a, factors[k - 1])
            *_, p = await ctx.tick().sample(dut.p)
            got.append(p)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return got[1 + dut.latency :]


@pytest.mark.parametrize(
    ("width", "p_width", "constants"),
    [
        (17, 33, [16384, 15137, 11585, 6270, 0, -6270, -11585, -15137]),
        (17, 20, [8867, -8867, 23170, 21407, -1]),
        (8, 16, [0, 0, 127, -128]),
        (5, 9, [3]),
    ],
)
def test_products(width, p_width, constants):
    """The low bits of the products, extreme factors among them; a new constant every clock."""
    rng = np.random.default_rng(width)
    top = 1 << (width - 1)
    factors = [-top, top - 1, -1, 0, 1] * len(constants) + rng.integers(-top, top, 200).tolist()
    indices = np.repeat(np.arange(len(constants)), 5).tolist()
    indices += rng.integers(len(constants), size=200).tolist()
    dut = ConstantMultiplier(width, constants, p_width)
    half = 1 << (p_width - 1)
    expected = [
        (a * constants[k] + half) % (2 * half) - half for a, k in zip(factors, indices, strict=True)
    ]
    assert products(dut, factors, indices) == expected


@pytest.mark.parametrize(("axis", "n_multipliers"), [(4, 0), (0, 9)])
def test_short_axes_need_no_multiplier(axis, n_multipliers):
    text = rtlil.convert(FFT(FFTConfig(log2_n_max=8, log2_axis_max=axis)))
    assert text.count("cell $mul ") == n_multipliers


CONFIG = FFTConfig(log2_n_max=6, log2_axis_max=3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"log2_axis_max": 5}, "log2_axis_max must be an integer from 3 to 4, not 5"),
        ({"log2_n_max": 5}, "log2_n_max must be 3 or 6 with log2_axis_max 3, not 5"),
        ({"scaling": "halving"}, "log2_axis_max must be 0 unless the transform is pipelined"),
        ({"architecture": "iterative"}, "log2_axis_max must be 0 unless the transform"),
        ({"samples_per_clock": 2}, "samples_per_clock must be 1 with log2_axis_max 3, not 2"),
    ],
)
def test_bad_configurations_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        FFTConfig(**{**vars(CONFIG), **changes})


@pytest.mark.parametrize(
    ("log2_n", "two_d", "allowed"),
    [(3, False, True), (4, False, False), (4, True, True), (6, False, False), (6, True, True)],
)
def test_transforms_of_short_axes(log2_n, two_d, allowed):
    assert CONFIG.allows(log2_n, two_d) == allowed
    z = np.zeros(1 << log2_n, np.int64)
    if allowed:
        fft(z, z, config=CONFIG, log2_n=log2_n, two_d=two_d)
    else:
        with pytest.raises(ValueError, match="log2_n must be at most 3 for each dimension"):
            fft(z, z, config=CONFIG, log2_n=log2_n, two_d=two_d)
