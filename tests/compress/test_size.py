# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Stored bytes, counted by hand."""

import numpy as np

from spectramac.compress.size import dense_bytes, layers_cost
from spectramac.model.network import Layer, Transform
from spectramac.spec.config import preset

SMALL = preset("small")  # three lanes, biases of 16 bits


def layer(coefficients: np.ndarray, bits: int = 4, **changes: object) -> Layer:
    arguments: dict[str, object] = {
        "name": "a", "n_in": coefficients.shape[1], "n_out": coefficients.shape[0],
        "t_in": Transform(), "t_out": Transform(), "coefficients": coefficients,
        "coefficient_bits": bits, "bias": np.zeros(coefficients.shape[0]), "multiplier": 1, "shift": 0,
    }  # fmt: skip
    return Layer(**(arguments | changes))  # type: ignore[arg-type]


def test_dense_bytes() -> None:
    assert dense_bytes([64, 160, 80, 10]) == 64 * 160 + 160 * 80 + 80 * 10 + 2 * (160 + 80 + 10)


def test_balanced_layer() -> None:
    """Rows without gaps from the first need no indices; one count for all columns, no counts but flags."""
    S = np.zeros((12, 4), int)
    S[0:6, 1] = 1  # pairs 0, 1, 2: one entry of three lanes, half a narrow word
    narrow, wide = layers_cost([layer(S)], SMALL), layers_cost([layer(S, bits=5)], SMALL)
    assert (narrow.n_pairs, narrow.n_padding) == (3, 3)
    assert (wide.n_pairs, wide.n_padding) == (3, 0)
    for cost in (narrow, wide):
        assert (cost.coefficient_bits, cost.index_bits, cost.scale_bits) == (3 * 16, 0, 0)
        assert (cost.directory_bits, cost.bias_bits) == (8, 12 * 16)
        assert cost.descriptor_bits == 13 * 32
        assert cost.stored_bytes == 6 + 1 + 24 + 52
        assert cost.multiplications == 6


def test_unbalanced_layer_is_padded() -> None:
    S = np.zeros((12, 4), int)
    S[0, 1] = S[6, 1] = 1  # pairs 0 and 3: both in lane 0
    cost = layers_cost([layer(S)], SMALL)
    assert (cost.n_pairs, cost.n_padding) == (2, 4)


def test_long_gaps_are_padded() -> None:
    S = np.zeros((200, 2), int)
    S[2 * 40, 0] = 1
    one_lane = SMALL.replace(n_lanes=1)
    narrow = layers_cost([layer(S)], one_lane)  # 15, 31, 40, and half a word
    assert (narrow.n_pairs, narrow.n_padding) == (1, 3)
    assert (narrow.coefficient_bits, narrow.index_bits) == (2 * 16, 2 * 8)
    wide = layers_cost([layer(S, bits=8)], one_lane)
    assert (wide.n_pairs, wide.n_padding) == (1, 0)
    assert (wide.coefficient_bits, wide.index_bits) == (16, 8)


def test_scales_and_row_shifts() -> None:
    S = np.ones((12, 4), int)
    plain = layers_cost([layer(S)], SMALL)
    scaled = layers_cost([layer(S, multiplier=np.arange(1, 13))], SMALL)
    assert (plain.scale_bits, scaled.scale_bits) == (0, 12 * 20)
    assert scaled.stored_bytes == plain.stored_bytes + 12 * 20 // 8
    shifted = layers_cost([layer(S, row_shift=np.arange(6))], SMALL)
    assert shifted.scale_bits == 6 * 5
    assert shifted.stored_bytes == plain.stored_bytes + 4


def test_row_groups_repeat_the_directory() -> None:
    S = np.ones((24, 16), int)
    few_rows = SMALL.replace(accumulator_depth=2)  # six of the twelve row pairs
    assert layers_cost([layer(S)], SMALL).directory_bits == 16
    assert layers_cost([layer(S)], few_rows).directory_bits == 2 * 16
    S[1:, 1:] = 0  # one column with far more entries than the others
    assert layers_cost([layer(S)], SMALL).directory_bits == 8 * 16
    assert layers_cost([layer(S)], few_rows).directory_bits == 2 * 8 * 16


def test_descriptors_of_a_chain() -> None:
    """All but the last have the room of 16 words."""
    S = np.ones((4, 4), int)
    assert layers_cost([layer(S), layer(S)], SMALL).descriptor_bits == (16 + 13) * 32
