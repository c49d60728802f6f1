# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Nodes of integer network graphs against the formulas of docs/design-convolutions.md, written as loops."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from tests.model.map_cases import FFT8, WINDOWS, maps, random_layer, scales, small_node

from spectramac.model.convolution import Convolution
from spectramac.model.depthwise import AveragePooling, DepthwiseConvolution
from spectramac.model.layer import run_layer
from spectramac.model.map_elementwise import Addition, MaxPooling, Rectifier
from spectramac.model.map_node import Arithmetic
from spectramac.model.map_window import Window
from spectramac.model.network import Layer, Transform
from spectramac.model.spectrum import basis, inverse_basis, pair_map

WIDE = Arithmetic()


def half_even(value: Fraction) -> int:
    return round(value)  # Python rounds a Fraction half to even


def clip(value: int, bits: int) -> int:
    return max(-(1 << (bits - 1)), min((1 << (bits - 1)) - 1, value))


def number(values: Any, index: int) -> int:
    return int(
        np.broadcast_to(values, (1 << 16,))[index] if np.ndim(values) == 0 else values[index]
    )


def requantized(v: int, node: Any, c: int, row_shift: int, data_width: int, top: int) -> int:
    """The three steps of a channel, exactly."""
    z = clip(half_even(Fraction(v, 1 << row_shift)), data_width)
    product = (z + int(node.bias[c])) * number(node.multiplier, c)
    if node.relu:
        product = max(product, 0)
    return min(top, clip(half_even(Fraction(product, 1 << number(node.shift, c))), 8))


def window_pixels(x: np.ndarray, window: Window, row: int, column: int, c: int) -> list[int | None]:
    """Of one channel, tap after tap; None beyond the map."""
    found: list[int | None] = []
    for i in range(window.kernel[0]):
        for j in range(window.kernel[1]):
            at = row * window.stride[0] + i - window.padding[0][0]
            across = column * window.stride[1] + j - window.padding[1][0]
            inside = 0 <= at < x.shape[0] and 0 <= across < x.shape[1]
            found.append(int(x[at, across, c]) if inside else None)
    return found


def apply(
    x: np.ndarray, shape: tuple[int, int, int], one: Callable[[np.ndarray, int, int, int], int]
) -> np.ndarray:
    return np.array(
        [
            [
                [[one(m, y, z, c) for c in range(shape[2])] for z in range(shape[1])]
                for y in range(shape[0])
            ]
            for m in x
        ]
    )


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_direct_convolution(window: Window, channels: int) -> None:
    rng = np.random.default_rng(channels)
    t = Transform()
    layer = random_layer(rng, window.n_taps * t.padded(channels), 5, t, t)
    node = Convolution(
        name="c", inputs=("x",), layer=layer, channels=channels, window=window, maximum=45
    )
    x = maps(rng, 2, 6, 7, channels)
    kernel = layer.coefficients[:5].reshape(5, window.n_taps, -1)[:, :, :channels].astype(int)

    def one(m: np.ndarray, row: int, column: int, o: int) -> int:
        v = 0
        for c in range(channels):
            for t, p in enumerate(window_pixels(m, window, row, column, c)):
                v += int(kernel[o, t, c]) * (p or 0)
        return requantized(v, layer, o, int(layer.row_shift[o // 2]), 16, 45)  # type: ignore[index]

    result = node.run(x, arithmetic=WIDE)
    np.testing.assert_array_equal(result.y, apply(x, node.output_shape(x.shape[1:]), one))
    assert result.y.max() == 45
    assert len(np.unique(result.y)) > 20


@pytest.mark.parametrize("t_in", [Transform(), FFT8, Transform("fft1d", 16)], ids=str)
@pytest.mark.parametrize("t_out", [Transform(), FFT8], ids=str)
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_a_convolution_is_its_layer_at_every_position(
    window: Window, t_in: Transform, t_out: Transform
) -> None:
    """Transforms made once a pixel give the bits of those made for every window."""
    rng = np.random.default_rng(0)
    channels, padded = 11, t_in.padded(11)
    layer = random_layer(rng, window.n_taps * padded, 6, t_in, t_out)
    node = Convolution(name="c", inputs=("x",), layer=layer, channels=channels, window=window)
    x = maps(rng, 4, 6, 7, channels)
    result = node.run(x, arithmetic=Arithmetic(15, 16, 27))
    wide = np.zeros((*x.shape[:3], padded), np.int64)
    wide[..., :channels] = x
    windows = window.gather(wide)
    for row in range(windows.shape[1]):
        for column in range(windows.shape[2]):
            patch = windows[:, row, column].reshape(4, -1)
            expected = run_layer(layer, patch, data_width=15).y
            np.testing.assert_array_equal(result.y[:, row, column], expected)
    assert len(np.unique(result.y)) > 20


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_exact_spectra_are_direct_convolution(window: Window) -> None:
    """Bins 0, 2 and 4 of eight need no twiddle but ±1 and ±j: nothing is rounded, every byte is equal."""
    rng = np.random.default_rng(0)
    exact = np.array([0, 1, 4, 5])  # columns of pair 0 (bins 0 and 4) and of pair 2
    S = np.zeros((8, window.n_taps * 8), np.int64)
    for t in range(window.n_taps):
        S[np.ix_(exact, 8 * t + exact)] = rng.integers(-3, 4, (4, 4))
    doubled = basis(8, False) * np.where(np.repeat(pair_map(8, False).joint, 2), 2, 1)[:, None]
    # The inverse without halving gives eight times the sums.
    W = 8 * inverse_basis(8, False) @ S @ np.kron(np.eye(window.n_taps), doubled)
    np.testing.assert_allclose(W, np.rint(W), atol=1e-9)
    common: dict[str, Any] = {
        "name": "l", "n_in": window.n_taps * 8, "n_out": 8, "coefficient_bits": 8, "shift": 20,
        "bias": rng.integers(-900, 900, 8), "multiplier": rng.integers(15000, 20000, 8),
    }  # fmt: skip
    identity = Transform()
    layers = [
        Layer(**common, t_in=FFT8, t_out=FFT8, coefficients=S),
        Layer(**common, t_in=identity, t_out=identity, coefficients=np.rint(W).astype(int)),
    ]
    x = rng.integers(-9, 10, (4, 6, 7, 8))
    spectral, direct = (
        Convolution(name="c", inputs=("x",), layer=layer, channels=8, window=window).run(
            x, arithmetic=WIDE
        )
        for layer in layers
    )
    np.testing.assert_array_equal(spectral.y, direct.y)
    assert not spectral.overflows
    assert len(np.unique(spectral.y)) > 20


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    layer = random_layer(rng, 9 * 8, 6, FFT8, FFT8)
    node = Convolution(name="c", inputs=("x",), layer=layer, channels=5, window=WINDOWS[1])
    x = maps(rng, 6, 6, 7, 5)
    whole = node.run(x, arithmetic=WIDE)
    monkeypatch.setattr("spectramac.model.map_node.CHUNK", 1)
    parts = node.run(x, arithmetic=WIDE)
    np.testing.assert_array_equal(whole.y, parts.y)
    assert whole.saturations == parts.saturations > 0


def test_narrow_accumulators_saturate_in_order() -> None:
    """With 17 bits 127·127 fits four times: 8 · 127² - 4 · 127² becomes the limit less four."""
    coefficients = np.zeros((2, 12), np.int64)
    coefficients[0] = [127] * 8 + [-127] * 4
    layer = Layer(
        name="l", n_in=12, n_out=1, t_in=Transform(), t_out=Transform(), coefficients=coefficients,
        coefficient_bits=8, bias=np.zeros(1, int), multiplier=1, shift=0, row_shift=2,
    )  # fmt: skip
    node = Convolution(name="c", inputs=("x",), layer=layer, channels=2, window=Window((2, 3)))
    result = node.run(np.full((2, 2, 3, 2), 127), arithmetic=Arithmetic(16, 16, 17))
    assert result.overflows == {"accumulator"}
    assert result.saturations == 2
    exact = node.run(np.full((2, 2, 3, 2), 127), arithmetic=WIDE)
    assert exact.overflows == frozenset()
    sums = node.sums(np.full((2, 2, 3, 2), 127), arithmetic=Arithmetic(16, 16, 17))
    assert sums[..., 0].tolist() == [[[65535 - 4 * 127 * 127]]] * 2


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("multiple", [1, 2])
def test_depthwise_convolution(window: Window, multiple: int) -> None:
    rng = np.random.default_rng(multiple)
    channels, n_out = 3, 3 * multiple
    coefficients = rng.integers(-127, 128, (n_out, window.n_taps))
    node = DepthwiseConvolution(
        name="d", inputs=("x",), channels=channels, coefficients=coefficients, window=window,
        **scales(rng, n_out, (n_out + 1) // 2, 74 * 73 * np.sqrt(window.n_taps)),
    )  # fmt: skip
    x = maps(rng, 2, 6, 7, channels)

    def one(m: np.ndarray, row: int, column: int, o: int) -> int:
        pixels = window_pixels(m, window, row, column, o // multiple)
        v = sum(int(coefficients[o, t]) * (p or 0) for t, p in enumerate(pixels))
        return requantized(v, node, o, int(node.row_shift[o // 2]), 16, 127)  # type: ignore[index]

    y = node.run(x, arithmetic=WIDE).y
    np.testing.assert_array_equal(y, apply(x, node.output_shape(x.shape[1:]), one))
    assert len(np.unique(y)) > 10


@pytest.mark.parametrize("window", [*WINDOWS, Window((6, 7))], ids=str)
def test_pooling(window: Window) -> None:
    rng = np.random.default_rng(0)
    x = maps(rng, 2, 6, 7, 3)
    largest = MaxPooling(name="m", inputs=("x",), window=window)

    def maximum(m: np.ndarray, row: int, column: int, c: int) -> int:
        return max(p for p in window_pixels(m, window, row, column, c) if p is not None)

    np.testing.assert_array_equal(
        largest.run(x, arithmetic=WIDE).y, apply(x, largest.output_shape(x.shape[1:]), maximum)
    )
    mean = AveragePooling(
        name="a",
        inputs=("x",),
        window=window,
        multiplier=32767 // window.n_taps,
        shift=14,
        row_shift=1,
    )

    def average(m: np.ndarray, row: int, column: int, c: int) -> int:
        v = sum(p or 0 for p in window_pixels(m, window, row, column, c))
        z = half_even(Fraction(v, 2))
        return clip(half_even(Fraction(z * mean.multiplier, 1 << 14)), 8)

    np.testing.assert_array_equal(
        mean.run(x, arithmetic=WIDE).y, apply(x, mean.output_shape(x.shape[1:]), average)
    )


@pytest.mark.parametrize("relu", [False, True])
def test_addition_and_relu(relu: bool) -> None:
    """Every pair of int8 values."""
    a, b = (v.reshape(1, 256, 256, 1) - 128 for v in np.indices((256, 256)))
    node = Addition(
        name="s", inputs=("a", "b"), multipliers=(9000, 20001), shift=15, relu=relu, maximum=77
    )
    exact = (9000 * a + 20001 * b) / 2**15
    expected = np.minimum(np.clip(np.rint(np.maximum(exact, 0) if relu else exact), -128, 127), 77)
    result = node.run(a, b, arithmetic=WIDE)
    np.testing.assert_array_equal(result.y, expected)
    assert result.saturations == np.sum((exact < -128.5) & (not relu)) + np.sum(exact > 127.5)
    y = Rectifier(name="r", inputs=("a",), maximum=77).run(a, arithmetic=WIDE).y
    np.testing.assert_array_equal(y, np.clip(a, 0, 77))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coefficients": np.full((2, 1), 200)}, r"node 'd' \(\w*\): coefficients must fit sQ8.0, not 200"),
        ({"coefficients": np.full((2, 1), 9), "coefficient_bits": 4}, "coefficients must fit sQ4.0, not 9"),
        ({"coefficients": np.ones((3, 1))}, "coefficients must have a multiple of 2 rows, not 3"),
        ({"coefficients": np.ones((2, 4))}, r"coefficients must have shape \(n_out, 1\), not \(2, 4\)"),
        ({"coefficient_bits": 3}, "coefficient_bits must be from 4 to 8, not 3"),
        ({"bias": np.zeros(3, int)}, r"bias must have shape \(2,\), not \(3,\)"),
        ({"multiplier": 1 << 15}, "multiplier must be from 0 to 32767, not 32768"),
        ({"shift": np.zeros(3, int)}, r"shift must be an integer or have shape \(2,\), not \(3,\)"),
        ({"maximum": 128}, "maximum must be from 0 to 127, not 128"),
        ({"window": Window((17, 1))}, r"kernel must be from 1 to 16 on each axis, not \(17, 1\)"),
        ({"window": Window((1, 1), (3, 1))}, r"stride must be 1 or 2 on each axis, not \(3, 1\)"),
    ],
)  # fmt: skip
def test_what_a_node_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_node(**changes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((0, 1),), r"kernel must be two numbers of at least 1, not \(0, 1\)"),
        (((1, 1), (1,)), r"stride must be two numbers of at least 1, not \(1,\)"),
        (
            ((2, 2), (1, 1), ((2, 0), (0, 0))),
            r"padding must be two pairs from 0 to below the kernel \(2, 2\)",
        ),
    ],
)
def test_what_a_window_refuses(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Window(*arguments)
