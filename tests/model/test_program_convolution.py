# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Convolutions compiled and run from the memories give the bits of the node; inconsistent descriptors are refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.model.map_cases import maps, random_layer

from spectramac.compiler.layout import CompileError
from spectramac.compiler.lower_convolution import convolution_passes
from spectramac.compiler.map_view import MapView
from spectramac.compiler.segment import Program
from spectramac.model.accelerator import ProgramError, ProgramResult, run_program
from spectramac.model.convolution import Convolution
from spectramac.model.image import empty_memories, to_chunks
from spectramac.model.map_node import Arithmetic
from spectramac.model.map_window import Window
from spectramac.model.network import Transform
from spectramac.spec.config import AcceleratorConfig, preset
from spectramac.spec.descriptor import MAP_WORDS, decode, encode, pitch

CONFIG = preset("small").replace(
    name="maps", maps=True, activation_depth=1 << 14, coefficient_depth=1 << 14, n_layers_max=64
)


def whole(shape: tuple[int, int, int], base: int) -> MapView:
    height, width, channels = shape
    return MapView(
        (0, height), (0, width), channels, base, height * width * channels, width * channels, channels
    )  # fmt: skip


def run_node(
    node: Convolution, x: np.ndarray, config: AcceleratorConfig = CONFIG, **changes: int
) -> tuple[np.ndarray, ProgramResult, Program]:
    """Through the compiler and the golden model of programs; ``changes`` to every descriptor."""
    pairs, (height, width, channels) = len(x) // 2, x.shape[1:]
    shape = node.output_shape(x.shape[1:])
    source = whole((height, width, channels), 3)
    target = whole(shape, 3 + x[0].size * pairs)
    program = Program(config)
    for some in convolution_passes(node, source, target, (height, width), config):
        program.append(some)
    memories = empty_memories(config)
    for name, section in program.sections().items():
        memories[name][: section.n_words] = to_chunks(section)
    for start in range(0, len(program.passes) * pitch(1), pitch(1)):
        words = memories["descriptor"][start : start + MAP_WORDS, 0]
        words[:] = encode(decode(words.tolist()) | changes)
    low, high = (x[i::2].reshape(pairs, -1) & 0xFF for i in (0, 1))
    words = memories["activation"][:, 0]
    words[3 : 3 + x[0].size * pairs] = (low | high << 8).reshape(-1)
    result = run_program(config, memories, len(program.passes), pairs)
    size = int(np.prod(shape))
    out = result.activation[target.base :, 0][: pairs * size].reshape(pairs, 1, *shape)
    both = np.concatenate([out & 0xFF, out >> 8 & 0xFF], axis=1).astype(np.uint8).view(np.int8)
    return both.reshape(len(x), *shape), result, program


def check(node: Convolution, x: np.ndarray, config: AcceleratorConfig = CONFIG) -> Program:
    expected = node.run(x, arithmetic=Arithmetic.of(config))
    y, result, program = run_node(node, x, config)
    np.testing.assert_array_equal(y, expected.y)
    assert result.counters["saturations"] == expected.saturations
    assert {place for place, did in result.overflows.items() if did} == expected.overflows
    return program


def transforms(rng: np.random.Generator) -> Transform:
    choices = [Transform(), Transform(), Transform("fft1d", 8), Transform("fft2d", 16)]
    return choices[rng.integers(len(choices))]


def random_node(rng: np.random.Generator) -> tuple[Convolution, np.ndarray]:
    kernel = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    pads = tuple((int(rng.integers(0, k)), int(rng.integers(0, k))) for k in kernel)
    window = Window(kernel, stride, pads)  # type: ignore[arg-type]
    size = [max(1, k - sum(p)) + int(rng.integers(0, 6)) for k, p in zip(kernel, pads, strict=True)]
    channels, n_out = int(rng.integers(1, 20)), int(rng.integers(1, 20))
    t_in, t_out = transforms(rng), transforms(rng)
    layer = random_layer(rng, window.n_taps * t_in.padded(channels), n_out, t_in, t_out)
    level = int(rng.choice([0, 1, 1, 20000]))
    layer = replace(layer, level=level)
    if rng.random() < 0.4:
        codes = layer.coefficients * (rng.random(layer.coefficients.shape) < 0.2)
        layer = replace(layer, coefficients=np.clip(codes, -8, 7), coefficient_bits=4)
    node = Convolution(
        name="c", inputs=("x",), layer=layer, channels=channels, window=window,
        maximum=int(rng.choice([127, 50])),
    )  # fmt: skip
    return node, maps(rng, 2 * int(rng.integers(1, 3)), *size, channels)


@pytest.mark.parametrize("seed", range(60))
def test_random_convolutions(seed: int) -> None:
    node, x = random_node(np.random.default_rng(seed))
    check(node, x)


@pytest.mark.parametrize("seed", range(20))
def test_small_memories_cut_channels_and_columns(seed: int) -> None:
    config = CONFIG.replace(accumulator_depth=64, coefficient_depth=256)
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
    ("changes", "message"),
    [
        (
            {"tap_depth": 8},
            r"layer 'c': accumulator rows of a pixel's taps \(tap_depth\): 9 needed, 8",
        ),
        ({"accumulator_depth": 64}, "layer 'c': accumulator rows of the outputs on the way: "),
    ],
)
def test_what_no_cut_makes_fit(changes: Any, message: str) -> None:
    rng = np.random.default_rng(0)
    window = Window((3, 3)) if "tap_depth" in changes else Window((16, 5))
    layer = random_layer(rng, window.n_taps * 4, 8, Transform(), Transform("fft1d", 8))
    node = Convolution(name="c", inputs=("x",), layer=layer, channels=4, window=window)
    config = CONFIG.replace(
        n_lanes=4 if "tap_depth" in changes else 3, **{"tap_depth": 256} | changes
    )
    with pytest.raises(CompileError, match=message):
        run_node(node, maps(rng, 2, 16, 6, 4), config)
