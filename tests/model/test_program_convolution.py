# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Convolutions compiled and run from the memories give the bits of the node; inconsistent descriptors are refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.model.convolution_cases import CONFIG, prepare, random_node, whole
from tests.model.map_cases import maps, random_layer

from spectramac.compiler.layout import CompileError
from spectramac.compiler.lower_convolution import convolution_passes
from spectramac.compiler.segment import Program
from spectramac.model.accelerator import ProgramError, ProgramResult, run_program
from spectramac.model.convolution import Convolution
from spectramac.model.map_node import Arithmetic
from spectramac.model.map_window import Window
from spectramac.model.network import Transform
from spectramac.spec.config import AcceleratorConfig


def run_node(
    node: Convolution, x: np.ndarray, config: AcceleratorConfig = CONFIG, **changes: int
) -> tuple[np.ndarray, ProgramResult, Program]:
    """Through the compiler and the golden model of programs; ``changes`` to every descriptor."""
    p = prepare(node, x, config, **changes)
    result = run_program(config, p.memories, p.n_layers, p.n_pairs)
    return p.outputs(result.activation), result, p.program


def check(node: Convolution, x: np.ndarray, config: AcceleratorConfig = CONFIG) -> Program:
    expected = node.run(x, arithmetic=Arithmetic.of(config))
    y, result, program = run_node(node, x, config)
    np.testing.assert_array_equal(y, expected.y)
    assert result.counters["saturations"] == expected.saturations
    assert {place for place, did in result.overflows.items() if did} == expected.overflows
    return program


@pytest.mark.parametrize("seed", range(60))
def test_random_convolutions(seed: int) -> None:
    node, x = random_node(np.random.default_rng(seed))
    check(node, x)


@pytest.mark.parametrize("seed", range(20))
def test_small_memories_cut_channels_and_columns(seed: int) -> None:
    config = CONFIG.replace(accumulator_depth=64, tap_depth=64, coefficient_depth=256)
    rng = np.random.default_rng(100 + seed)
    window = Window((3, 4), (1 + seed % 2, 1 + seed // 2 % 2), ((1, 1), (1, 2)))
    layer = random_layer(rng, 12 * 8, 30, Transform("fft1d", 8), Transform("fft1d", 8))
    node = Convolution(name="c", inputs=("x",), layer=layer, channels=7, window=window)
    x = maps(rng, 2, 5, 30, 7)
    view = whole((5, 30, 7), 0)
    target = whole(node.output_shape((5, 30, 7)), 5000)
    passes = list(convolution_passes(node, view, target, (5, 30), config))
    assert len(passes) > 2
    assert all(len(p.tables.words["coefficient"]) <= 256 for p in passes)
    check(node, x, config.replace(coefficient_depth=1 << 14))


def test_saturating_sums() -> None:
    """Every addition saturates, in the order of taps and columns; the flag says so."""
    config = CONFIG.replace(accumulator_width=18)
    rng = np.random.default_rng(5)
    window = Window((3, 3), (1, 1), ((1, 1), (1, 1)))
    layer = random_layer(rng, 9 * 6, 5, Transform(), Transform())
    layer = replace(layer, row_shift=2, coefficients=np.where(layer.coefficients, 127, 0))
    node = Convolution(name="c", inputs=("x",), layer=layer, channels=6, window=window)
    x = maps(rng, 2, 4, 5, 6)
    y, result, _ = run_node(node, x, config)
    expected = node.run(x, arithmetic=Arithmetic.of(config))
    np.testing.assert_array_equal(y, expected.y)
    assert result.overflows["accumulator"]
    assert "accumulator" in expected.overflows


def test_columns_skipped_counts_pixels_that_are_read() -> None:
    """With stride 2 and one tap a quarter of the pixels is read; zero columns of theirs are skipped."""
    rng = np.random.default_rng(0)
    layer = random_layer(rng, 4, 6, Transform(), Transform())
    layer = replace(layer, coefficients=np.full((6, 4), 5))
    x = np.ones((2, 5, 6, 4), int)
    x[:, ::2, ::2, 1] = 0
    x[:, 1::2, :, :] = 0
    for stride, expected in (((2, 2), 9), ((1, 1), 9 + 2 * 6 * 4)):
        node = Convolution(
            name="c", inputs=("x",), layer=layer, channels=4, window=Window((1, 1), stride)
        )
        _, result, _ = run_node(node, x)
        assert result.counters["columns_skipped"] == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel_height": 17}, "kernel_height must be from 1 to 16, not 17"),
        ({"stride_x": 3}, "stride_x must be 1 or 2, not 3"),
        ({"top": 3}, "top must be below kernel_height = 3, not 3"),
        ({"walk_width": 9}, "walk_width must be 8, up to the last output, not 9"),
        ({"group_out": 2}, "group_out must be padded_out = 6, not 2"),
        ({"pixel_rows": 2}, "pixel_rows must be 1 for 6 outputs, not 2"),
        ({"clear_depth": 2}, "clear_depth must be pixel_rows = 1, not 2"),
        ({"line_rows": 7}, "line_rows must be 8, those of a line of the walk, not 7"),
        ({"retire_rows": 17}, "retire_rows must be 18 for the last tap, not 17"),
        ({"in_height": 0}, "in_height must be at least 1, not 0"),
        ({"in_row_stride": 9000}, "in_base must be such that the maps of 1 pairs end below 16384"),
        ({"out_base": 3}, "out_base must be such that no input is overwritten"),
        ({"out_pixel_stride": 1}, "out_pixel_stride must be such that every output has an address"),
        ({"directory_base": 2048}, "directory_base must be at most"),
        ({"coefficient_base": 16383}, "coefficient_base must be at most"),
        ({"bias_base": 1020}, "bias_base must be at most"),
        ({"bin_major": 1}, "bin_major must be 0 for a convolution"),
    ],
)
def test_contradictions(changes: dict[str, int], message: str) -> None:
    rng = np.random.default_rng(0)
    window = Window((3, 3), (1, 1), ((1, 1), (1, 1)))
    layer = random_layer(rng, 9 * 4, 6, Transform(), Transform())
    node = Convolution(name="c", inputs=("x",), layer=layer, channels=4, window=window)
    with pytest.raises(ProgramError, match=message):
        run_node(node, maps(rng, 2, 5, 6, 4), **changes)


@pytest.mark.parametrize(
    ("kernel", "t", "changes", "message"),
    [
        (
            (3, 3), 8, {"n_lanes": 4, "tap_depth": 8},
            r"layer 'c': accumulator rows of a pixel's taps \(tap_depth\): 9 needed, 8",
        ),
        (
            (1, 1), 128,
            {"n_lanes": 1, "log2_n_max": 7, "accumulator_depth": 64, "tap_depth": 64},
            "layer 'c': accumulator rows of the outputs on the way: 256 needed, 64",
        ),
    ],
)  # fmt: skip
def test_what_no_cut_makes_fit(kernel: Any, t: int, changes: Any, message: str) -> None:
    rng = np.random.default_rng(0)
    window = Window(kernel)
    layer = random_layer(rng, window.n_taps * 4, t, Transform(), Transform("fft1d", t))
    node = Convolution(name="c", inputs=("x",), layer=layer, channels=4, window=window)
    config = CONFIG.replace(**changes)
    with pytest.raises(CompileError, match=message):
        run_node(node, maps(rng, 2, 16, 6, 4), config)


def test_markers_count_rows_in_a_byte() -> None:
    """300 accumulator rows of an output would fit the ring: two passes of fewer."""
    config = CONFIG.replace(
        n_lanes=1, accumulator_depth=2048, tap_depth=512, channel_depth=1024, n_layers_max=4
    )
    rng = np.random.default_rng(0)
    layer = random_layer(rng, 2, 600, Transform(), Transform())
    node = Convolution(name="c", inputs=("x",), layer=layer, channels=2)
    assert len(check(node, maps(rng, 2, 1, 2, 2), config).passes) == 2
