# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Depthwise convolutions on the lanes, compiled and run from the memories, give the bits of the node."""

from dataclasses import replace

import numpy as np
import pytest
from tests.model.convolution_cases import CONFIG, whole
from tests.model.depthwise_cases import prepare, random_depthwise
from tests.model.map_cases import maps

from spectramac.compiler.cycles import predict_descriptor
from spectramac.compiler.lower_depthwise import depthwise_passes
from spectramac.compiler.lower_nodes import node_passes
from spectramac.compiler.segment import Program
from spectramac.model.accelerator import ProgramError, ProgramResult, run_program
from spectramac.model.depthwise import DepthwiseConvolution
from spectramac.model.map_node import Arithmetic
from spectramac.model.map_window import Window
from spectramac.spec.config import AcceleratorConfig, preset
from spectramac.spec.descriptor import Kind

SAME = ((1, 1), (1, 1))


def check(
    node: DepthwiseConvolution, x: np.ndarray, config: AcceleratorConfig = CONFIG
) -> tuple[ProgramResult, Program]:
    expected = node.run(x, arithmetic=Arithmetic.of(config))
    p = prepare(node, x, config)
    result = run_program(config, p.memories, p.n_layers, p.n_pairs)
    np.testing.assert_array_equal(p.outputs(result.activation), expected.y)
    assert result.counters["saturations"] == expected.saturations
    assert result.counters["columns_skipped"] == 0
    assert {place for place, did in result.overflows.items() if did} == expected.overflows
    return result, p.program


def plain(
    channels: int, window: Window, *, largest: int = 127, multiplicity: int = 1
) -> DepthwiseConvolution:
    rng = np.random.default_rng(channels)
    n_out = channels * multiplicity
    return DepthwiseConvolution(
        name="d",
        inputs=("x",),
        channels=channels,
        coefficients=rng.integers(-largest, largest + 1, (n_out, window.n_taps)),
        window=window,
        bias=rng.integers(-100, 100, n_out),
        row_shift=4,
        multiplier=20000,
        shift=20,
    )


def lower(
    node: DepthwiseConvolution, shape: tuple[int, int, int], config: AcceleratorConfig
) -> list[Kind]:
    """Kinds of the passes that the compiler chooses."""
    source, target = whole(shape, 0), whole(node.output_shape(shape), 1 << 15)
    passes = node_passes(node, [source], target, [shape[:2]], config)
    return [Kind(some.values["kind"]) for some in passes]


@pytest.mark.parametrize("seed", range(60))
def test_random_nodes(seed: int) -> None:
    check(*random_depthwise(np.random.default_rng(seed), CONFIG))


@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (2, 1), (1, 2)])
def test_a_small_ring_cuts_channels_or_columns(stride: tuple[int, int]) -> None:
    """In both ways, whichever takes fewer clocks: the bytes are the same."""
    config = CONFIG.replace(accumulator_depth=64, tap_depth=64, channel_depth=128)
    spans = []
    for shape in ((9, 30, 4), (3, 4, 40)):
        node = plain(shape[2], Window((3, 3), stride, SAME))
        _, program = check(node, maps(np.random.default_rng(0), 4, *shape), config)
        spans.append([(p.values["out_width"], p.values["n_out"]) for p in program.passes])
    narrow, few = spans
    assert all(channels == 4 for _, channels in narrow)
    assert all(width == 4 // stride[1] for width, _ in few)
    if stride == (1, 1):
        assert len(narrow) > 1
        assert len(few) > 1


def test_coefficients_are_stored_once_for_all_stripes() -> None:
    config = CONFIG.replace(accumulator_depth=64, tap_depth=64)
    node = plain(4, Window((3, 3), (1, 1), SAME))
    _, program = check(node, maps(np.random.default_rng(0), 2, 4, 60, 4), config)
    assert len(program.passes) > 1
    assert len({id(some.tables) for some in program.passes}) == 1
    assert program.sections()["coefficient"].n_words == 9


@pytest.mark.parametrize(
    ("shape", "window", "multiplicity", "expected"),
    [
        ((8, 8, 16), Window((3, 3), (1, 1), SAME), 1, Kind.DEPTHWISE),
        ((8, 8, 17), Window((3, 3), (2, 2), SAME), 1, Kind.DEPTHWISE),
        # One tap: the window unit has nothing to wait for.
        ((8, 8, 16), Window((1, 1)), 1, Kind.WINDOW_SUM),
        # All of the map in one window: it reads every pixel once.
        ((4, 4, 16), Window((4, 4)), 1, Kind.WINDOW_SUM),
        ((8, 8, 16), Window((3, 3), (1, 1), SAME), 2, Kind.WINDOW_SUM),
    ],
)
def test_where_a_node_runs(
    shape: tuple[int, int, int], window: Window, multiplicity: int, expected: Kind
) -> None:
    node = plain(shape[2], window, multiplicity=multiplicity)
    assert set(lower(node, shape, preset("conv"))) == {expected}


def test_sums_that_might_saturate_are_left_to_the_window_unit() -> None:
    """Nine taps of at most 127 need 18 bits and a sign."""
    config = preset("conv").replace(data_width=16, accumulator_width=18)
    window = Window((3, 3), (1, 1), SAME)
    small, large = plain(16, window, largest=80), plain(16, window, largest=127)
    large = replace(large, coefficients=np.full((16, 9), 127))
    assert set(lower(small, (8, 8, 16), config)) == {Kind.DEPTHWISE}
    assert set(lower(large, (8, 8, 16), config)) == {Kind.WINDOW_SUM}


def test_what_is_chosen_is_hardly_ever_slower() -> None:
    """Of both ways the one that is predicted to take fewer cycles, but for a few."""
    config = preset("conv").replace(accumulator_depth=64, tap_depth=64)
    rng = np.random.default_rng(7)
    chosen = set()
    for _ in range(25):
        node, x = random_depthwise(rng, config, size=9, channels=70)
        shape = x.shape[1:]
        p = prepare(node, x[:2], config)
        traces = run_program(config, p.memories, p.n_layers, 1).layers
        lanes = sum(predict_descriptor(config, trace, 1).cycles for trace in traces)
        outputs = int(np.prod(node.output_shape(shape)))
        window = outputs * node.window.n_taps + 70  # and the constants of a layer
        (kind,) = set(lower(node, shape, config))
        best, other = (lanes, window) if kind == Kind.DEPTHWISE else (window, lanes)
        assert best < 1.15 * other + 200, (shape, node.window, kind, lanes, window)
        chosen.add(kind)
    assert chosen == {Kind.DEPTHWISE, Kind.WINDOW_SUM}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"in_log2_n": 3}, "in_log2_n must be 0 for a depthwise convolution, not 3"),
        ({"is_complex": 1}, "is_complex must be 0 for a depthwise convolution, not 1"),
        ({"is_indexed": 1}, "is_indexed must be 0 for a depthwise convolution, not 1"),
        ({"uniform_count": 9}, "uniform_count must be 0 for a depthwise convolution, not 9"),
        ({"level_low": 1}, "level_low must be 0 for a depthwise convolution, not 1"),
        ({"n_out": 5}, "n_out must be n_in = 7, not 5"),
        ({"padded_in": 10}, "padded_in must be n_in in whole pairs = 8, not 10"),
        ({"pixel_rows": 1}, "pixel_rows must be 2 for 8 outputs, not 1"),
        ({"phase_words": 1}, "phase_words must be at least 2, not 1"),
        ({"directory_base": 2}, "directory_base must be such that every word of phase 0 is 4"),
        ({"directory_base": 2044}, "directory_base must be at most 2040 for 8 words"),
        ({"retire_rows": 17}, "retire_rows must be 12 for the last tap, not 17"),
    ],
)
def test_contradictions(changes: dict[str, int], message: str) -> None:
    node = plain(7, Window((3, 3), (2, 2), SAME))
    p = prepare(node, maps(np.random.default_rng(0), 2, 8, 8, 7), CONFIG, **changes)
    with pytest.raises(ProgramError, match=message):
        run_program(CONFIG, p.memories, p.n_layers, p.n_pairs)


def test_tables_that_do_not_fit() -> None:
    node = plain(16, Window((3, 3), (1, 1), SAME))
    shape = (8, 8, 16)
    config = preset("conv").replace(coefficient_depth=8)
    arguments = (node, whole(shape, 0), whole(shape, 1 << 12), shape[:2])
    assert depthwise_passes(*arguments, config) is None
    assert depthwise_passes(*arguments, preset("conv")) is not None
