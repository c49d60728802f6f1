# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectramac.graph.quantization import Quantization


@st.composite
def quantizations(draw: st.DrawFn) -> Quantization:
    bits, signed = draw(st.integers(2, 16)), draw(st.booleans())
    low = -(1 << (bits - 1)) if signed else 0
    zero = draw(st.integers(low, low + (1 << bits) - 1))
    scale = draw(st.floats(1e-6, 1e3))
    return Quantization(scale=scale, zero_point=zero, bits=bits, signed=signed)


@given(quantizations())
def test_integers_survive_the_real_values(q: Quantization) -> None:
    codes = np.unique(np.linspace(q.minimum, q.maximum, 500).astype(np.int64))
    np.testing.assert_array_equal(q.quantize(q.dequantize(codes)), codes)


@given(quantizations(), st.integers(0, 2**32 - 1))
def test_error_is_half_a_step_inside_the_range(q: Quantization, seed: int) -> None:
    ends = q.dequantize(np.array([q.minimum, q.maximum]))
    x = np.random.default_rng(seed).uniform(*ends, 100)
    step = float(q.scale)
    assert np.abs(q.round_trip(x) - x).max() <= step / 2 * (1 + 1e-9)
    once = q.round_trip(x)
    np.testing.assert_array_equal(q.round_trip(once), once)
    beyond = q.quantize(np.array([ends[0] - 10 * step, ends[1] + 10 * step]))
    assert beyond.tolist() == [q.minimum, q.maximum]


def test_halves_go_to_even() -> None:
    q = Quantization(scale=2.0, zero_point=1)
    assert q.quantize(np.array([-3.0, -1.0, 1.0, 3.0, 5.0])).tolist() == [-1, 1, 1, 3, 3]


def test_one_scale_for_each_index_of_an_axis() -> None:
    q = Quantization(scale=np.array([1.0, 0.5]), zero_point=np.array([0, 3]), axis=1)
    x = np.arange(12.0).reshape(3, 2, 2)
    codes = q.quantize(x)
    np.testing.assert_array_equal(codes[:, 0], x[:, 0])
    np.testing.assert_array_equal(codes[:, 1], 2 * x[:, 1] + 3)
    np.testing.assert_array_equal(q.dequantize(codes), x)
    assert not q.is_per_tensor
    assert not q.is_symmetric


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bits": 1}, "bits must be from 2 to 32, not 1"),
        ({"scale": 0.0}, "scale must be finite and more than 0"),
        ({"scale": np.nan}, "scale must be finite"),
        ({"scale": np.ones((2, 2)), "zero_point": np.zeros((2, 2))}, "numbers or arrays"),
        ({"scale": np.ones(2)}, "numbers or arrays"),
        ({"zero_point": 128}, "zero_point must be from -128 to 127"),
        ({"zero_point": -1, "signed": False}, "zero_point must be from 0 to 255"),
    ],
)
def test_wrong_values_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Quantization(**({"scale": 1.0, "zero_point": 0} | values))


def test_equals() -> None:
    q = Quantization(scale=0.5, zero_point=1)
    assert q.equals(Quantization(scale=0.5, zero_point=1, axis=3))
    assert not q.equals(Quantization(scale=0.25, zero_point=1))
    assert not q.equals(Quantization(scale=0.5, zero_point=0))
    assert not q.equals(Quantization(scale=0.5, zero_point=1, bits=7))
    assert not q.equals(None)
