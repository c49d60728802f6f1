# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Overlap-save tiles: against the layer that a tile is, against direct convolution where both are exact."""

from typing import Any

import numpy as np
import pytest

from spectramac.model.accumulate import add_in_order
from spectramac.model.convolution import Convolution
from spectramac.model.layer import run_layer
from spectramac.model.map_node import Arithmetic
from spectramac.model.map_window import Window
from spectramac.model.network import Layer, Transform
from spectramac.model.spectrum import basis, pair_map
from spectramac.model.tiles import TileConvolution, tile_outputs

WINDOWS = [
    Window((3, 3), (1, 1), ((1, 1), (1, 1))),
    Window((3, 2), (2, 1), ((0, 1), (1, 0))),
    Window((2, 3), (2, 2), ((1, 1), (0, 2))),
    Window((1, 4), (1, 2), ((0, 0), (1, 2))),
    Window((4, 4)),
]


def random_node(
    rng: np.random.Generator, side: int, window: Window, depthwise: bool = False, **changes: Any
) -> TileConvolution:
    """Three channels to six; most outputs in range."""
    coefficients = rng.integers(-127, 128, (6, 1 if depthwise else 3, side**2 // 2, 2))
    coefficients *= rng.random(coefficients.shape[:3])[..., None] < 0.7
    row_shift = rng.integers(7, 9, 6)
    values: dict[str, Any] = {
        "name": "t", "inputs": ("x",), "channels": 3, "side": side, "coefficients": coefficients,
        "window": window, "bias": rng.integers(-300, 300, 6), "multiplier": rng.integers(20000, 32000, 6),
        "shift": np.full(6, 19), "row_shift": row_shift, "relu": bool(rng.integers(2)),
        "halve_in": 3 if side == 16 else 0, "halve_out": side - 1,
    }  # fmt: skip
    return TileConvolution(**values | changes)


def as_matrix(node: TileConvolution) -> np.ndarray:
    """The coefficients of all row pairs of the output tiles by all column pairs of the input tiles."""
    n, joint = node.side**2, pair_map(node.side**2, True).joint
    multiple = node.n_out // node.channels
    S = np.zeros((node.n_out, n // 2, 2, node.channels, n // 2, 2), np.int64)
    for o in range(node.n_out):
        for i in range(node.channels):
            if node.is_depthwise and i != o // multiple:
                continue
            for r in range(n // 2):
                a, b = node.coefficients[o, 0 if node.is_depthwise else i, r].astype(int)
                S[o, r, :, i, r] = [[a, -b], [b, a]] if joint[r] else [[a, 0], [0, b]]
    return S.reshape(node.n_out * n, node.channels * n)


def as_layer(node: TileConvolution) -> Layer:
    n = node.side**2
    return Layer(
        name="l", n_in=node.channels * n, n_out=node.n_out * n, t_in=node.transform, t_out=node.transform,
        coefficients=as_matrix(node), coefficient_bits=8, pattern="complex", relu=node.relu,
        bias=np.repeat(node.bias, n), multiplier=np.repeat(node.multiplier, n),
        shift=np.repeat(node.shift, n), row_shift=np.repeat(node.row_shift, n // 2),
        halve_in=node.halve_in, halve_out=node.halve_out, level=node.level,
    )  # fmt: skip


def tile_at(x: np.ndarray, node: TileConvolution, row: int, column: int) -> np.ndarray:
    """Inputs of one tile, (batch, channels · T²), pixel by pixel."""
    (rows, columns), (sy, sx) = tile_outputs(node.side, node.window), node.window.stride
    top, left = (
        row * rows * sy - node.window.padding[0][0],
        column * columns * sx - node.window.padding[1][0],
    )
    tile = np.zeros((len(x), node.channels, node.side, node.side), np.int64)
    for i in range(node.side):
        for j in range(node.side):
            if 0 <= top + i < x.shape[1] and 0 <= left + j < x.shape[2]:
                tile[:, :, i, j] = x[:, top + i, left + j]
    return tile.reshape(len(x), -1)


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("side", [4, 8])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_a_tile_is_a_layer(window: Window, side: int, depthwise: bool) -> None:
    """Every tile through the layer that it is; its valid samples are the outputs."""
    rng = np.random.default_rng(side)
    node = random_node(rng, side, window, depthwise, level=900, maximum=100)
    x = rng.integers(-128, 128, (4, 7, 9, 3))
    result = node.run(x, arithmetic=Arithmetic(15))
    height, width, n_out = node.output_shape(x.shape[1:])
    expected = np.full((4, height, width, n_out), 999)
    (rows, columns), (sy, sx) = tile_outputs(side, window), window.stride
    for down in range(-(-height // rows)):
        for across in range(-(-width // columns)):
            y = run_layer(as_layer(node), tile_at(x, node, down, across), data_width=15).y
            samples = np.minimum(y, 100).reshape(4, n_out, side, side)
            for i in range(min(rows, height - down * rows)):
                for j in range(min(columns, width - across * columns)):
                    expected[:, down * rows + i, across * columns + j] = samples[
                        :, :, i * sy, j * sx
                    ]
    np.testing.assert_array_equal(result.y, expected)
    assert len(np.unique(result.y)) > 35


def even_kernel(
    rng: np.random.Generator, n_in: int, kernel: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """A kernel of even integers, and its spectra in 4 x 4 tiles: integers, since all twiddles are ±1 and ±j."""
    K = 2 * rng.integers(-5, 6, (6, n_in, *kernel))
    circular = np.zeros((6, n_in, 4, 4))
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            circular[:, :, -i % 4, -j % 4] += K[:, :, i, j]
    joint = np.repeat(pair_map(16, True).joint, 2)
    values = circular.reshape(6, n_in, 16) @ basis(16, True).T
    values = np.where(joint, values / 2, values).reshape(6, n_in, 8, 2)
    np.testing.assert_allclose(values, np.rint(values), atol=1e-9)
    return K, np.rint(values).astype(int)


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_exact_tiles_are_direct_convolution(window: Window, depthwise: bool) -> None:
    """Nothing is rounded in 4 x 4 tiles of small integers: the inverse without halving gives 16 times the sums."""
    rng = np.random.default_rng(1)
    K, spectra = even_kernel(rng, 1 if depthwise else 3, window.kernel)
    scaling: dict[str, Any] = {
        "bias": np.arange(6) * 16,
        "multiplier": 16384,
        "relu": False,
        "row_shift": 0,
    }
    tiles = TileConvolution(
        name="t",
        inputs=("x",),
        channels=3,
        side=4,
        coefficients=spectra,
        window=window,
        shift=18,
        **scaling,
    )
    full = np.zeros((6, 3, *window.kernel), int)
    for o in range(6):
        full[o, o // 2 if depthwise else slice(None)] = K[o, 0] if depthwise else K[o]
    matrix = np.zeros((6, *window.kernel, 4), int)
    matrix[..., :3] = full.transpose(0, 2, 3, 1)
    layer = Layer(
        name="l", n_in=window.n_taps * 4, n_out=6, t_in=Transform(), t_out=Transform(),
        coefficients=matrix.reshape(6, -1), coefficient_bits=8, shift=14, **scaling | {"bias": np.arange(6)},
    )  # fmt: skip
    direct = Convolution(name="d", inputs=("x",), layer=layer, channels=3, window=window)
    x = rng.integers(-4, 5, (4, 7, 9, 3))
    result = tiles.run(x, arithmetic=Arithmetic())
    np.testing.assert_array_equal(result.y, direct.run(x, arithmetic=Arithmetic()).y)
    assert not result.overflows
    assert len(np.unique(result.y)) > 60


@pytest.mark.parametrize("depthwise", [False, True])
def test_sums_saturate_in_order(depthwise: bool) -> None:
    rng = np.random.default_rng(2)
    node = random_node(rng, 8, WINDOWS[0], depthwise)
    x = rng.integers(100, 128, (2, 6, 6, 3))
    narrow = Arithmetic(15, 16, 19)
    v = node.sums(x, narrow)
    exact = node.sums(x, Arithmetic(15, 16, 40))
    layer = as_layer(node)
    one = run_layer(layer, tile_at(x, node, 0, 0), data_width=15)
    np.testing.assert_array_equal(exact[:, 0, 0].reshape(2, -1), one.rows)
    # The columns of run_layer are not at hand: they solve a system with a unit matrix for coefficients.
    probe = random_node(
        rng, 8, WINDOWS[0], coefficients=units(8, 3), bias=np.zeros(3, int), multiplier=1, shift=0,
        row_shift=0,
    )  # fmt: skip
    columns = probe.sums(x, Arithmetic(15, 16, 40))[:, 0, 0].reshape(2, -1)
    expected, saturated = add_in_order(as_matrix(node), columns.T, narrow.accumulator)
    assert saturated
    np.testing.assert_array_equal(v[:, 0, 0].reshape(2, -1), expected.T)
    assert np.any(v != np.clip(exact, -(1 << 18), (1 << 18) - 1)) or depthwise
    assert "accumulator" in node.run(x, arithmetic=narrow).overflows


def units(side: int, channels: int) -> np.ndarray:
    """Coefficients that hand columns on as they are."""
    q = np.zeros((channels, channels, side**2 // 2, 2), int)
    q[np.arange(channels), np.arange(channels), :, 0] = 1
    q[np.arange(channels), np.arange(channels), :, 1] = ~pair_map(side**2, True).joint
    return q


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"side": 5}, r"node 't' \(TileConvolution\): side must be one of \(4, 8, 16\), not 5"),
        ({"window": Window((5, 1))}, r"kernel must be at most 4, not \(5, 1\)"),
        (
            {"coefficients": np.ones((6, 2, 8, 2))},
            r"coefficients must have shape \(n_out, 3 or 1, 8, 2\)",
        ),
        ({"coefficients": np.ones((5, 1, 8, 2))}, "output channels must be a multiple of 3, not 5"),
        ({"coefficients": np.full((6, 3, 8, 2), 128)}, "coefficients must fit sQ8.0, not 128"),
        ({"coefficient_bits": 9}, "coefficient_bits must be from 4 to 8, not 9"),
        ({"halve_in": 16}, "halve_in must be from 0 to 15, not 16"),
        ({"halve_out": -1}, "halve_out must be from 0 to 15, not -1"),
        ({"level": -1}, "level must be 0 or more, not -1"),
        (
            {"row_shift": np.zeros(3, int)},
            r"row_shift must be an integer or have shape \(6,\), not \(3,\)",
        ),
    ],
)
def test_what_tiles_refuse(changes: dict[str, Any], message: str) -> None:
    values = {"side": 4, "window": WINDOWS[0]} | changes
    with pytest.raises(ValueError, match=message):
        random_node(np.random.default_rng(0), **values)
