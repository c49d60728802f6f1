# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Quantization of inputs, and accuracy."""

import numpy as np
import pytest

from spectramac.model.batch import accuracy, quantize_input
from spectramac.spec.errors import InputRangeError, InputTypeError


def test_inputs_are_rounded_half_to_even_and_saturated() -> None:
    x = np.array([[0.25, 0.75, -0.25, 1.25, 63.5, 64, -64, -65, 1e300, -1e300]])
    q = quantize_input(x, 0.5)
    assert q.dtype == np.int8
    assert q.tolist() == [[0, 2, 0, 2, 127, 127, -128, -128, 127, -128]]
    assert quantize_input([[3, -3]], 2).tolist() == [[2, -2]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    x = np.zeros((2, 3))
    x[1, 2] = value
    with pytest.raises(InputRangeError, match=r"finite, not .* at index \(1, 2\)"):
        quantize_input(x, 1.0)


@pytest.mark.parametrize("x", [[["a"]], [[1j]], [[None]], [[True]]])
def test_only_real_numbers_are_quantized(x: list) -> None:
    with pytest.raises(InputTypeError, match="must be real numbers"):
        quantize_input(x, 1.0)


def test_accuracy_counts_the_first_of_equals() -> None:
    outputs = np.array([[1, 2, 2], [0, 0, 0], [5, -1, 6], [-3, -2, -1]])
    assert accuracy(outputs, np.array([1, 0, 2, 0])) == 75.0
    assert accuracy(outputs, np.array([2, 1, 0, 0])) == 0.0


def test_accuracy_of_nothing_is_zero() -> None:
    assert accuracy(np.empty((0, 3)), np.empty(0, np.int64)) == 0.0
