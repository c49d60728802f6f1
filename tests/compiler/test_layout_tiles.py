# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Convolutions in tiles: what the program of a node computes is what the node computes."""

from typing import Any

import numpy as np
import pytest
from tests.networks import program_memories, program_outputs, random_input
from tests.tiles import random_tiles, tile_program

from spectramac.compiler.layout import CompileError
from spectramac.compiler.layout_tiles import channels_at_once, tile_layout
from spectramac.compiler.lower_tiles import tile_passes
from spectramac.compiler.map_view import MapView
from spectramac.model.accelerator import ProgramError, run_program
from spectramac.model.map_window import Window
from spectramac.spec import descriptor as descriptors
from spectramac.spec.config import AcceleratorConfig, preset
from spectramac.spec.registers import OVERFLOWS

SMALL = preset("small").replace(
    name="maps",
    maps=True,
    log2_n_max=8,
    spectrum_depth=256,
    activation_depth=16384,
    coefficient_depth=16384,
    directory_depth=16384,
)
NARROW = SMALL.replace(
    name="narrow", n_lanes=4, data_width=12, accumulator_width=18, accumulator_depth=512
)


def compare(config: AcceleratorConfig, seed: int, **values: Any) -> tuple[Any, Any]:
    """A random node: its program and the node itself agree on everything that both know."""
    rng = np.random.default_rng(seed)
    values.setdefault("side", int(rng.choice([4, 8, 16])))
    extent = rng.integers(1, 20, 2).tolist()
    shape = (*extent, values.pop("channels", int(rng.integers(1, 5))))
    values.setdefault("n_out", int(rng.integers(1, 10)))
    values.setdefault("density", float(rng.choice([0.05, 0.3, 1.0])))
    values.setdefault("bits", int(rng.choice([4, 8])))
    most = values.pop("most", int(rng.choice([3, 6, 99])))
    node = random_tiles(rng, config, shape=shape, **values)
    n_pairs = int(rng.integers(1, 3))
    program = tile_program(rng, node, config, shape, n_pairs, most=most)
    x = random_input(rng, 2 * n_pairs, program.image.n_inputs)
    if values.get("loud"):
        x[0] = 127
    memories = program_memories(program.image, config, x)
    result = run_program(config, memories, program.image.n_layers, n_pairs)
    expected = program.expected(x, config)
    y = program_outputs(program.image, result.activation, len(x))[:, program.outputs]
    np.testing.assert_array_equal(y.reshape(expected.y.shape), expected.y)
    assert result.counters["saturations"] == expected.saturations
    assert {p for p, did in result.overflows.items() if did} == expected.overflows
    return result, expected


@pytest.mark.parametrize("seed", range(40))
def test_program_of_a_node(seed: int) -> None:
    compare(SMALL, seed)


def test_sums_that_saturate() -> None:
    seen: set[str] = set()
    for seed in range(100, 106):
        _, expected = compare(NARROW, seed, loud=True, n_out=3, bits=8, density=1.0)
        seen |= expected.overflows
    assert seen == set(OVERFLOWS)


def test_outputs_vary() -> None:
    """The nodes that are tried do not saturate or vanish."""
    distinct = [len(np.unique(compare(SMALL, seed, bits=8)[1].y)) for seed in range(20)]
    assert np.median(distinct) > 40


def test_output_channels_in_passes() -> None:
    """256 rows and three lanes hold two rows of T = 16: six channels of 20 at a time."""
    rng = np.random.default_rng(0)
    node = random_tiles(rng, SMALL, side=16, shape=(5, 5, 1), n_out=20)
    assert channels_at_once(node, SMALL) == 6

    def parts(config: AcceleratorConfig, seed: int, **values: Any) -> list[int]:
        return [layer.descriptor["n_out"] for layer in compare(config, seed, **values)[0].layers]

    assert parts(SMALL, 3, side=16, n_out=20) == [6, 6, 6, 2]
    assert parts(SMALL, 4, side=8, n_out=20, most=7) == [6, 6, 6, 2]
    assert parts(SMALL, 4, side=8, n_out=5, most=1) == [3, 2]
    # 68 words for every three output channels, and 128 in the memory.
    node = random_tiles(rng, SMALL, side=8, shape=(9, 9, 2), n_out=12, window=Window((3, 3)))
    views = [MapView((0, n), (0, n), c, 0, 0, 0, 0) for n, c in ((9, 2), (7, 12))]
    passes = tile_passes(node, *views, (9, 9), SMALL.replace(coefficient_depth=64))
    assert [p.values["n_out"] for p in passes] == [3, 3, 3, 3]


def test_dense_coefficients_have_no_indices() -> None:
    rng = np.random.default_rng(0)
    node = random_tiles(rng, SMALL, side=8, shape=(9, 9, 4), n_out=6)
    layout = tile_layout(node, SMALL)
    # 30 complex pairs and 2 of two real bins, times two rows of three lanes.
    assert (layout.n_entries, layout.is_indexed, layout.uniform_count) == (
        4 * (30 + 2) * 2,
        False,
        2,
    )
    assert layout.clear_depth == 31 * 2 + 2
    sparse = random_tiles(rng, SMALL, side=8, shape=(9, 9, 4), n_out=24, density=0.05)
    assert tile_layout(sparse, SMALL).is_indexed


def test_what_does_not_fit() -> None:
    rng = np.random.default_rng(0)

    def refused(config: AcceleratorConfig, message: str, **changes: Any) -> None:
        values: dict[str, Any] = {"side": 8, "shape": (9, 9, 4), "n_out": 6} | changes
        node = random_tiles(rng, config, **values)
        with pytest.raises(CompileError, match=message):
            channels_at_once(node, config)

    refused(preset("small"), "points on a side of the transform: 16 needed, 8 available", side=16)
    refused(
        SMALL.replace(accumulator_depth=64, tap_depth=64),
        "accumulators.*128 needed, 64 available",
        side=16,
    )
    refused(SMALL, "input channels: 65536 needed, 65535 available", shape=(9, 9, 1024))
    node = random_tiles(rng, SMALL, side=16, shape=(5, 5, 1), n_out=20)
    with pytest.raises(CompileError, match="20 output channels: 1023 needed, 256 available"):
        tile_layout(node, SMALL)


def test_depthwise_is_refused() -> None:
    from tests.model.test_tiles import random_node

    node = random_node(np.random.default_rng(0), 8, Window((3, 3)), depthwise=True)
    with pytest.raises(CompileError, match=r"node 't': depthwise .* use the direct form"):
        tile_layout(node, SMALL)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("in_log2_n", 5, "in_log2_n must be one of 4, 6, 8, not 5"),
        ("out_log2_n", 4, "out_log2_n must be in_log2_n = 6, not 4"),
        ("out_two_d", 0, "out_two_d must be 1, not 0"),
        ("n_in", 3, "padded_in must be 192, 64 a channel, not 256"),
        ("group_out", 64, "group_out must be padded_out = 384, not 64"),
        ("stride_y", 3, "stride_y must be 1 or 2, not 3"),
        ("tile_rows", 9, "tile_rows must be from 1 to 8, not 9"),
        ("walk_width", 1, "walk_width must be 2, those of the output map, not 1"),
        ("in_height", 0, "in_height must be at least 1, not 0"),
        ("out_base", 0, "out_base must be such that no input is overwritten"),
        ("out_pixel_stride", 5, "out_pixel_stride must be such that every output has"),
        ("in_row_stride", 65535, "in_base must be such that the maps of 1 pairs end below 16384"),
        ("row_shift_base", 1020, "row_shift_base must be at most 1018 for 6 words"),
        ("column_stride", 1, "column_stride must be at least 2 for 384 outputs"),
        ("clear_depth", 63, "clear_depth must be at least 64"),
    ],
)
def test_bad_descriptors(field: str, value: int, message: str) -> None:
    rng = np.random.default_rng(5)
    window = Window((3, 3), (1, 1), ((1, 1), (1, 1)))
    node = random_tiles(rng, SMALL, side=8, shape=(9, 9, 4), n_out=6, window=window)
    program = tile_program(rng, node, SMALL, (9, 9, 4), 1)
    memories = program_memories(program.image, SMALL, np.zeros((2, program.image.n_inputs), int))
    values = descriptors.decode(memories["descriptor"][:, 0].tolist())
    if field == "row_shift_base":
        values["per_row_shift"] = 1
    words = descriptors.encode(values | {field: value})
    memories["descriptor"][: len(words), 0] = words
    with pytest.raises(ProgramError, match=f"layer 0: {message}"):
        run_program(SMALL, memories, 1, 1)
