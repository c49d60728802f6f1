# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Block floating point: the core against the model, bit for bit, exponents and timing included."""

import numpy as np
import pytest
from amaranth.hdl import Fragment
from tests.gateware.cases_fft import Frame
from tests.gateware.checks_fft_core import check_fixed, check_full_scale, check_long_stall, run
from tests.gateware.streams import STALLS

from spectramac.gateware.fft import PipelinedFFT
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import GUARD, exponents


def block(log2_n, order="bit_reversed", **changes):
    return FFTConfig(
        log2_n_max=log2_n, scaling="block", order=order, **{"twiddle_width": 18} | changes
    )


def frames_of_all_sizes(config, rng):
    """Frames of very different amplitudes follow each other, zero and full scale among them."""
    n, high = config.n_max, config.data.maximum
    frames = []
    for amplitude in (high, 0, high >> 6, high, 1, high >> 1, 0, high >> 2):
        re, im = rng.integers(-amplitude - (amplitude == high), amplitude + 1, (2, n))
        frames.append(Frame(re, im))
    delta = np.zeros(n, np.int64)
    delta[1] = high
    return [*frames, Frame(delta, 0 * delta), frames[4]]


def check_amplitudes(config, stalls="none"):
    """Each frame has its own exponent, whatever comes before and behind it."""
    frames = frames_of_all_sizes(config, np.random.default_rng(8))
    seen = {int(frame.expected(config).exponent) for frame in frames}
    assert min(seen) == -GUARD
    assert len(seen) >= 4
    result = run(config, frames, stalls=stalls, seed=4, reset_after=13)
    assert not result.strobes["overflow"]


def edges(config):
    """Constants whose first bin, and only that, is next to where the exponent changes."""
    n, low, high = config.n_max, config.data.minimum, config.data.maximum
    frames = []
    for sum_of_samples in (high, high + 1, 2 * high, 2 * high + 1, 2 * high + 2, low, low - 1):
        for sign in (1, -1):
            values = np.full(n, sign * sum_of_samples // n)
            values[0] += sign * sum_of_samples - values.sum()
            frames += [Frame(values, 0 * values), Frame(0 * values, values)]
    return frames


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("order", ["bit_reversed", "natural"])
@pytest.mark.parametrize("log2_n", [4, 5])
def test_amplitudes(log2_n, order, stalls):
    check_amplitudes(block(log2_n, order), stalls)


@pytest.mark.parametrize("log2_n", [3, 4])
def test_where_the_exponent_changes(log2_n):
    config = block(log2_n)
    results = [frame.expected(config) for frame in edges(config)]
    assert len({int(result.exponent) for result in results}) >= 3
    run(config, edges(config))


@pytest.mark.parametrize("log2_n", [3, 4, 6])
def test_full_scale(log2_n):
    check_full_scale(block(log2_n))


@pytest.mark.parametrize("order", ["bit_reversed", "natural"])
def test_long_stall(order):
    check_long_stall(block(4, order))


@pytest.mark.parametrize("stalls", ["none", "both"])
@pytest.mark.parametrize(
    "config",
    [
        block(6, "natural"),
        block(7, data_width=12),
        block(5, data_width=24),
        block(5, "natural", data_width=8, twiddle_width=8),
        pytest.param(block(8), marks=pytest.mark.long),
    ],
    ids=lambda c: f"{c.n_max}-{c.data_width}",
)
def test_other_widths(config, stalls):
    """Latency, and not a lost cycle between frames, is checked there too."""
    check_fixed(config, stalls)


@pytest.mark.long
@pytest.mark.parametrize("order", ["bit_reversed", "natural"])
@pytest.mark.parametrize("log2_n", [9, 10])
def test_large(log2_n, order):
    check_fixed(block(log2_n, order))


def test_range_of_exponents():
    """All are reached but the greatest, which no frame needs: |X| is at most √2/2 of the greatest word."""
    config = block(4)
    n, high = config.n_max, config.data.maximum
    values = np.full(n, high)
    assert Frame(values, values).expected(config).exponent == exponents(config)[-2]
    assert Frame(0 * values, 0 * values).expected(config).exponent == exponents(config)[0]


def test_queue_is_needed():
    with pytest.raises(ValueError, match=r"queue must be True with .* scaling 'block'"):
        Fragment.get(PipelinedFFT(block(4), queue=False), None)
