# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Stored bytes, counted by hand."""

import numpy as np

from spectramac.compress.size import dense_bytes, layer_size, network_bytes
from spectramac.model.network import Layer, Network, Transform


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
    S = np.zeros((12, 4), int)
    S[0:6, 1] = 1  # pairs 0, 1, 2: one word of three lanes
    size = layer_size(layer(S), 3)
    assert (size.pairs, size.padding, size.words) == (3, 0, 1)
    assert size.total == 3 * 1.5 + 4 + 2 * 12 + 64
    assert layer_size(layer(S, bits=5), 3).total == 3 * 3 + 4 + 2 * 12 + 64
    network = Network(layers=(layer(S),))
    assert network_bytes(network, 3) == 97


def test_unbalanced_layer_is_padded() -> None:
    S = np.zeros((12, 4), int)
    S[0, 1] = S[6, 1] = 1  # pairs 0 and 3: both in lane 0
    size = layer_size(layer(S), 3)
    assert (size.pairs, size.padding, size.words) == (2, 4, 2)


def test_long_gaps_are_padded() -> None:
    S = np.zeros((200, 2), int)
    S[2 * 40, 0] = 1
    assert layer_size(layer(S), 1).padding == 2  # 15, 30, 40
    assert layer_size(layer(S, bits=8), 1).padding == 0


def test_scales_and_row_shifts() -> None:
    S = np.ones((12, 4), int)
    plain = layer_size(layer(S), 3).total
    assert layer_size(layer(S, multiplier=np.ones(12)), 3).total == plain + 12 * 20 / 8
    assert layer_size(layer(S, row_shift=np.arange(6)), 3).total == plain + 6 * 5 / 8


def test_row_groups_repeat_the_directory() -> None:
    S = np.ones((12, 4), int)
    assert layer_size(layer(S), 3, row_pairs_max=3).directory_bytes == 8
