# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The committed demonstration network: loads, is accurate, is small; its picture."""

from pathlib import Path

import numpy as np
import pytest

from spectramac.compiler.compile import compile_network
from spectramac.compress.lanes import entries_per_lane
from spectramac.compress.peaks import worst_accumulator
from spectramac.model.layer import run_layer, run_network
from spectramac.model.network import Network, load_network
from spectramac.spec.config import preset

DATA = Path(__file__).parents[2] / "sw" / "spectramac" / "compress" / "data"


@pytest.fixture(scope="module")
def network() -> Network:
    return load_network(DATA / "digits.npz")


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray]:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    from spectramac.compress.data import digits

    data = digits()
    assert data.x_train.shape == (1437, 64)
    assert data.x_test.dtype == np.int8
    assert data.x_test.min() == 0
    assert data.x_test.max() == 112
    assert np.bincount(data.y_test).min() >= 34  # stratified
    return data.x_test.astype(np.int64), data.y_test


def test_file_is_small() -> None:
    assert (DATA / "digits.npz").stat().st_size < 20_000


@pytest.mark.parametrize("data_width", [15, 16])
def test_accuracy(network: Network, images: tuple[np.ndarray, np.ndarray], data_width: int) -> None:
    x, labels = images
    assert len(x) == 360
    outputs = run_network(network, x, data_width=data_width)
    accuracy = 100 * np.mean(np.argmax(outputs, axis=1) == labels)
    noted = {15: "integer_accuracy_15_bits", 16: "integer_accuracy"}[data_width]
    assert accuracy == pytest.approx(network.meta[noted])
    assert accuracy >= network.meta["float_accuracy"] - 0.5
    assert network.meta["float_accuracy"] > 97


def fewest_bits(counts: list[int], word: int) -> int:
    """Of entries, two in a word, and directory: a count for each column, or flags and all columns padded."""
    padded = sum(n > 0 for n in counts) * max(counts)
    return min(
        -(-sum(counts) // 2) * word + 8 * len(counts),
        -(-padded // 2) * word + 8 * -(-len(counts) // 8),
    )


def test_bytes(network: Network) -> None:
    """An independent count of the image: 24 bits for each two entries of a lane, no helper of the library."""
    bits, dense = (2 * 16 + 13) * 32, 0  # descriptors
    for layer in network.layers:
        assert layer.coefficient_bits == 4
        assert isinstance(layer.multiplier, int)
        assert isinstance(layer.shift, int)
        assert isinstance(layer.row_shift, int)
        pairs = np.abs(layer.coefficients).reshape(-1, 2, layer.coefficients.shape[1]).sum(axis=1)
        indexed, plain = [], []  # entries of each column, with indices and without
        for column in pairs.T:
            longest = 0
            for lane in range(3):
                position, n = -1, 0
                for row in np.flatnonzero(column[lane::3]).tolist():
                    n += -(-(row - position) // 16)
                    position = row
                longest = max(longest, n)
            indexed.append(longest)
            plain.append(int(np.flatnonzero(column).max(initial=-3)) // 3 + 1)
        bits += min(fewest_bits(indexed, 3 * 24), fewest_bits(plain, 3 * 16)) + 16 * layer.n_out
        dense += layer.n_in * layer.n_out + 2 * layer.n_out
    stored = compile_network(network, preset("small")).stored_bytes
    assert bits / 8 == stored == network.meta["stored_bytes"]
    assert dense == network.meta["dense_int8_bytes"]
    assert dense / stored >= 8


def test_words_are_whole(network: Network) -> None:
    """Lane balance: few pairs are padding (coefficients that training rounded to zero)."""
    n_lanes = network.meta["n_lanes"]
    for layer in network.layers:
        entries = entries_per_lane(layer.coefficients != 0, n_lanes)
        words = entries.max(axis=1, keepdims=True)
        # A lane has no more than its own row pairs to fill them with.
        rows = np.array(
            [len(range(i, len(layer.coefficients) // 2, n_lanes)) for i in range(n_lanes)]
        )
        assert entries.sum() >= 0.97 * np.minimum(words, rows).sum()


@pytest.mark.parametrize("name", ["tiny", "small", "large"])
def test_fits_every_preset(network: Network, name: str) -> None:
    config = preset(name)
    assert sum(layer.n_out for layer in network.layers) <= config.channel_depth
    for layer in network.layers:
        assert max(layer.t_in.log2_n, layer.t_out.log2_n) <= config.log2_n_max
        assert np.abs(layer.bias).max() <= config.bias.maximum
        assert worst_accumulator(layer, 0) <= config.accumulator.maximum


def test_first_level_is_not_trivial(
    network: Network, images: tuple[np.ndarray, np.ndarray]
) -> None:
    """The threshold of the first layer drops something that is not zero."""
    layer = network.layers[0]
    assert layer.level > 1
    mask = run_layer(layer, images[0]).mask
    passed = mask[:, layer.coefficients.any(axis=0)].mean()
    assert 0.3 < passed < 1


def test_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="only the picture needs it")
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    from spectramac.compress.picture import draw

    shown = draw(tmp_path / "a.svg")
    draw(tmp_path / "b.svg")
    text = (tmp_path / "a.svg").read_bytes()
    assert text == (tmp_path / "b.svg").read_bytes()
    assert b"<svg" in text
    assert shown.density == pytest.approx(0.25, abs=0.001)
    assert 0 < shown.output_error < shown.weight_error < 0.75
    np.testing.assert_allclose(
        np.linalg.norm(shown.spectrum[~shown.mask]) / np.linalg.norm(shown.W), shown.weight_error
    )
