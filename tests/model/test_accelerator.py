# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The golden model: equal to matrix algebra and to a slow interpreter; strict with descriptors."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.model.interpreter import interpret
from tests.networks import (
    PATTERNS,
    program_memories,
    program_outputs,
    random_input,
    random_network,
)

from spectramac.compiler.compile import compile_network
from spectramac.model.accelerator import ProgramError, run_program
from spectramac.model.accumulate import accumulate, add_in_order
from spectramac.model.fixed import Ints
from spectramac.model.image import Chunks
from spectramac.model.layer import run_layer, run_network
from spectramac.model.network import Layer, Network, Transform
from spectramac.model.spectrum import pair_map
from spectramac.spec import descriptor as descriptors
from spectramac.spec.config import PRESETS, AcceleratorConfig
from spectramac.spec.fixed import Format

CONFIGS = {
    **PRESETS,
    "one": AcceleratorConfig(n_lanes=1, accumulator_depth=64, accumulator_width=32),
    "two": AcceleratorConfig(
        n_lanes=2, accumulator_depth=16, accumulator_width=24, data_width=12, twiddle_width=12
    ),
    "three": AcceleratorConfig(n_lanes=3, accumulator_depth=8, accumulator_width=32, log2_n_max=5),
    "five": AcceleratorConfig(
        n_lanes=5, accumulator_depth=2, accumulator_width=40, data_width=18, log2_n_max=4
    ),
    "twenty-four": AcceleratorConfig(n_lanes=24, accumulator_depth=2, accumulator_width=32),
}
"""Presets, and odd ones with so few accumulators that layers need several row groups."""


def seeds(n: int) -> pytest.MarkDecorator:
    """Parametrize over ``n`` seeds."""
    return pytest.mark.parametrize("seed", range(n))


def run(network: Network, config: AcceleratorConfig, x: Ints) -> tuple[Any, Ints]:
    """Compile and execute; returns the result and the outputs."""
    image = compile_network(network, config)
    memories = program_memories(image, config, x)
    result = run_program(config, memories, image.n_layers, len(x) // 2)
    return result, program_outputs(image, result.activation, len(x))


def algebra(network: Network, config: AcceleratorConfig, x: Ints) -> Ints:
    """The network as matrix algebra."""
    return run_network(network, x, data_width=config.data_width, twiddle_width=config.twiddle_width)


@pytest.mark.parametrize("name", CONFIGS)
@seeds(25)
def test_equals_matrix_algebra(name: str, seed: int) -> None:
    """Whatever the layout, a program computes what the network means."""
    config = CONFIGS[name]
    rng = np.random.default_rng([seed, sum(name.encode())])
    network = random_network(rng, config)
    x = random_input(rng, 2 * int(rng.integers(1, 5)), network.n_inputs)
    result, y = run(network, config, x)
    assert not result.overflows["accumulator"]
    np.testing.assert_array_equal(y, algebra(network, config, x))


@pytest.mark.parametrize("pattern", PATTERNS)
@seeds(4)
def test_every_pattern_with_groups(pattern: Any, seed: int) -> None:
    """Every pattern in several row groups, and with more groups than needed."""
    config = CONFIGS["three"]
    rng = np.random.default_rng([seed, 7])
    network = random_network(rng, config, pattern=pattern, n_layers=2, max_size=100)
    x = random_input(rng, 4, network.n_inputs)
    expected = algebra(network, config, x)
    np.testing.assert_array_equal(run(network, config, x)[1], expected)
    image = compile_network(network, config, n_groups=3)
    memories = program_memories(image, config, x)
    result = run_program(config, memories, 2, 2)
    np.testing.assert_array_equal(program_outputs(image, result.activation, 4), expected)
    for trace, layer in zip(result.layers, network.layers, strict=True):
        n_blocks = trace.descriptor["padded_out"] // layer.t_out.n
        assert len(trace.counts) >= min(n_blocks, 3) - (n_blocks == 4)


def test_random_networks_are_not_trivial() -> None:
    """The generator reaches what it must, or the tests above see nothing."""
    seen: dict[str, int] = {}
    zeros, bounds = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        config = CONFIGS["two"] if seed % 2 else CONFIGS["small"]
        network = random_network(rng, config, overflow=0.3)
        result, y = run(network, config, random_input(rng, 4, network.n_inputs))
        zeros.append(float((y == 0).mean()))
        bounds.append(float((np.abs(y) >= 127).mean()))
        for place, flag in (result.overflows | result.counters).items():
            seen[place] = seen.get(place, 0) + (flag > 0)
        for trace in result.layers:
            for key, value in trace.descriptor.items():
                seen[key] = seen.get(key, 0) + (value > 0)
    assert np.mean(zeros) < 0.4
    assert np.mean(bounds) < 0.15
    missing = [key for key, count in seen.items() if count < 2]
    # Layers over maps are another kind: tests.sim.test_random_convolutions and its neighbours.
    assert not set(missing) - {"accumulator", "forward_fft", "kind", "level_high"}


NARROW = CONFIGS["one"].replace(n_lanes=2, accumulator_width=17, accumulator_depth=64)
"""Accumulators that saturate."""


@pytest.mark.parametrize("pattern", ["dense", "pruned", "sft", "complex", "circulant"])
@pytest.mark.parametrize("width", [17, 32])
@seeds(4)
def test_equals_plain_integers(pattern: Any, width: int, seed: int) -> None:
    """A slow reading of the program, entry by entry, agrees, saturating or not."""
    rng = np.random.default_rng([seed, width])
    config = NARROW.replace(accumulator_width=width)
    network = random_network(rng, config, n_layers=1, pattern=pattern)
    x = rng.choice([-128, 127], (4, network.n_inputs))
    image = compile_network(network, config)
    memories = program_memories(image, config, x)
    expected, saturated = interpret(config, memories, 2)
    result = run_program(config, memories, 1, 2)
    np.testing.assert_array_equal(program_outputs(image, result.activation, 4), expected)
    assert result.overflows["accumulator"] == saturated


def test_saturation_changes_the_result() -> None:
    """The narrow accumulators do saturate in the test above, and that is seen."""
    saturated = differing = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        network = random_network(rng, NARROW, n_layers=1, pattern="sft")
        x = rng.choice([-128, 127], (4, network.n_inputs))
        result, y = run(network, NARROW, x)
        saturated += result.overflows["accumulator"]
        differing += bool((y != algebra(network, NARROW, x)).any())
        assert result.overflows["accumulator"] or (y == algebra(network, NARROW, x)).all()
    assert saturated >= differing >= 3


def test_overflow_of_the_forward_fft() -> None:
    """A full-scale constant does not fit 12 bits after 64 points without halving."""
    config = CONFIGS["two"].replace(accumulator_depth=64)
    rng = np.random.default_rng(1)
    network = random_network(rng, config, n_layers=1, pattern="sft")
    t = Transform("fft1d", 64)
    layer = network.layers[0]
    shape = (len(layer.coefficients), 64)
    s = rng.integers(-7, 8, shape).astype(np.int16)
    layer = replace(layer, n_in=64, t_in=t, coefficients=s, halve_in=0, level=1)
    for halve, overflow in ((0, True), (63, False)):
        network = Network(layers=(replace(layer, halve_in=halve),))
        x = np.full((2, 64), -128)
        result, y = run(network, config, x)
        assert result.overflows["forward_fft"] is overflow
        np.testing.assert_array_equal(y, algebra(network, config, x))


def test_level_of_more_than_32_bits() -> None:
    """A level that no column reaches skips every column with entries."""
    config = CONFIGS["small"]
    rng = np.random.default_rng(5)
    layer = random_network(rng, config, n_layers=1, pattern="dense").layers[0]
    network = Network(layers=(replace(layer, level=1 << 33),))
    result, _ = run(network, config, random_input(rng, 2, layer.n_in))
    assert result.counters["columns_skipped"] == (result.layers[0].counts > 0).sum()
    assert not result.layers[0].kept.any()


@seeds(20)
def test_both_paths_of_accumulate_agree(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The matrix product is used where nothing saturates, and equals addition in order."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(-128, 128, (12, 30)) * (rng.random((12, 30)) < 0.5)
    columns = rng.integers(-(1 << 12), 1 << 12, (30, 6)) * (rng.random((30, 6)) < 0.8)
    fmt = Format(int(rng.integers(17, 26)))
    expected, clipped = add_in_order(weights, columns, fmt)
    sums, saturated = accumulate(weights, columns, fmt)
    np.testing.assert_array_equal(sums, expected)
    assert saturated == clipped
    exact = accumulate(weights, columns, Format(40))
    np.testing.assert_array_equal(exact[0], weights @ columns)
    monkeypatch.setattr("spectramac.model.accumulate.add_in_order", None)
    np.testing.assert_array_equal(accumulate(weights, columns, Format(40))[0], weights @ columns)


def test_saturation_at_the_bound() -> None:
    """The largest value is no saturation; one more is, and what follows starts from the bound."""
    fmt = Format(17)
    top = fmt.maximum
    for column, expected, saturated in (
        ([top, 0, 0], top, False),
        ([top, 1, -1], top - 1, True),
        ([1, top, 0], top, True),
        ([-top, -1, 0], -top - 1, False),
        ([-top, -2, 1], -top, True),
    ):
        sums, flag = accumulate(np.ones((1, 3), np.int64), np.array(column)[:, None], fmt)
        assert (sums.tolist(), flag) == ([[expected]], saturated)


@pytest.mark.parametrize("name", ["tiny", "small", "three"])
@seeds(12)
def test_counters(name: str, seed: int) -> None:
    """Skipped columns and saturated outputs are those that the algebra of each layer tells."""
    config = CONFIGS[name]
    rng = np.random.default_rng([seed, 99])
    network = random_network(rng, config)
    x = random_input(rng, 6, network.layers[0].n_in)
    network = replace(network, input_map=None)
    result, _ = run(network, config, x)
    widths = {"data_width": config.data_width, "twiddle_width": config.twiddle_width}
    total = 0
    for layer, trace in zip(network.layers, result.layers, strict=True):
        done = run_layer(layer, x, **widths)
        kept = done.mask.reshape(-1, 2, done.mask.shape[1]).any(axis=1)
        skipped = 0
        group = trace.descriptor["group_out"]
        for start in range(0, len(layer.coefficients), group):
            skipped += _skipped(layer, layer.coefficients[start : start + group], kept)
        assert trace.counters["columns_skipped"] == skipped
        assert trace.kept.shape == (3, trace.counts.shape[1], trace.counts.shape[2])
        np.testing.assert_array_equal(trace.kept[..., -2:].reshape(kept.shape), kept)
        if layer.pattern == "complex":
            np.testing.assert_array_equal(trace.kept[..., 0], trace.kept[..., 1:].any(axis=-1))
        total += skipped
        # Saturated outputs become bounds; with twice the shift they would not.
        assert trace.counters["saturations"] <= int((np.abs(done.y) >= 127).sum())
        x = done.y
    assert result.counters["columns_skipped"] == total


def _skipped(layer: Layer, rows: Any, kept: Any) -> int:
    """Directory words of one row group with entries, not kept, over all pairs of inferences."""
    stored = (rows.reshape(-1, 2, rows.shape[1]) != 0).any(axis=1)
    if layer.pattern == "real":
        return int((stored.any(axis=0) & ~kept).sum())
    joint_out = np.tile(
        pair_map(layer.t_out.n, layer.t_out.two_d).joint, len(rows) // layer.t_out.n
    )
    half = rows.shape[1] // 2
    joint_in = np.tile(pair_map(layer.t_in.n, layer.t_in.two_d).joint, 2 * half // layer.t_in.n)
    joint = joint_out[:, None] & joint_in
    pairs = stored.reshape(len(stored), half, 2)
    complex_words = (pairs.any(axis=2) & joint).any(axis=0)
    real_words = (pairs & ~joint[..., None]).any(axis=0).reshape(-1)
    kept_pairs = kept.reshape(len(kept), half, 2).any(axis=2)
    return int((complex_words & ~kept_pairs).sum() + (real_words & ~kept).sum())


def test_other_words_stay() -> None:
    """A run writes its outputs and nothing else, and does not touch the caller's memories."""
    config = CONFIGS["small"]
    rng = np.random.default_rng(3)
    network = random_network(rng, config, n_layers=1)
    image = compile_network(network, config)
    x = random_input(rng, 4, network.n_inputs)
    memories = program_memories(image, config, x)
    fill = rng.integers(0, 1 << 16, memories["activation"].shape).astype(np.uint32)
    used = np.zeros(len(fill), np.bool_)
    for p in range(2):
        used[image.output.base + p * image.output.stride :][: image.output.count] = True
        start = image.input.base + p * image.input.stride
        fill[start : start + image.input.count] = memories["activation"][start:][
            : image.input.count
        ]
    memories["activation"] = fill.copy()
    result = run_program(config, memories, 1, 2)
    np.testing.assert_array_equal(result.activation[~used], fill[~used])
    np.testing.assert_array_equal(memories["activation"], fill)


@pytest.fixture
def program() -> tuple[AcceleratorConfig, dict[str, Chunks], dict[str, int]]:
    """A one-layer program with 8-point blocks to break."""
    config = CONFIGS["small"]
    rng = np.random.default_rng(0)
    network = random_network(rng, config, n_layers=1, pattern="sft")
    image = compile_network(network, config)
    memories = program_memories(image, config, random_input(rng, 2, network.n_inputs))
    words = memories["descriptor"][: descriptors.WORDS, 0].tolist()
    return config, memories, descriptors.decode(words)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("in_log2_n", 1, "in_log2_n must be 0 or one of 3, 4, 5, 6, not 1"),
        ("in_log2_n", 7, "in_log2_n must be 0 or one of 3, 4, 5, 6, not 7"),
        ("out_log2_n", 2, "out_log2_n must be 0 or one of 3, 4, 5, 6, not 2"),
        ("padded_in", 9, "padded_in must be a positive multiple of"),
        ("padded_in", 2048, "padded_in must be at most spectrum_depth = 1024, not 2048"),
        ("padded_out", 0, "padded_out must be a positive multiple of"),
        ("n_in", 0, "n_in must be from 1 to padded_in"),
        ("n_out", 5000, "n_out must be from 1 to padded_out"),
        ("group_out", 0, "group_out must be a positive multiple of"),
        ("group_out", 3, "group_out must be a positive multiple of"),
        ("column_stride", 3, "column_stride must be 0 or a power of two, not 3"),
        ("column_stride", 4, "column_stride must be 0 unless bin_major, not 4"),
        ("clear_depth", 257, "clear_depth must be at most accumulator_depth = 256, not 257"),
        ("clear_depth", 0, "clear_depth must be at least"),
        ("level_high", 255, "level must be at most 34 bits"),
        ("directory_base", 2047, "directory_base must be at most"),
        ("coefficient_base", 2048, "coefficient_base must be at most"),
        ("bias_base", 1024, "bias_base must be at most"),
        ("in_base", 4095, "in_base must be such that 1 pairs"),
        ("out_base", 4095, "out_base must be such that 1 pairs"),
        ("out_base", 0, "out_base must be such that no input is overwritten, not 0"),
    ],
)
def test_inconsistent_descriptor(program: Any, field: str, value: int, message: str) -> None:
    """What the hardware could not execute is refused, with layer, field and constraint."""
    config, memories, d = program
    memories["descriptor"][: descriptors.WORDS, 0] = descriptors.encode(d | {field: value})
    with pytest.raises(ProgramError, match="layer 0: " + message):
        run_program(config, memories, 1, 1)


def test_rows_beyond_the_accumulators(program: Any) -> None:
    """A padding entry beyond the last row is refused."""
    config, memories, d = program
    memories["descriptor"][: descriptors.WORDS, 0] = descriptors.encode(d | {"uniform_count": 255})
    memories["directory"][d["directory_base"] :, 0] = 0
    memories["directory"][d["directory_base"], 0] = 1  # the first column only
    with pytest.raises(ProgramError, match="layer 0: clear_depth must be above every row of group"):
        run_program(config, memories, 1, 1)


def test_too_many_pairs(program: Any) -> None:
    """Pairs that do not fit activation memory are refused."""
    config, memories, _ = program
    with pytest.raises(ProgramError, match="layer 0: in_base must be such that 4000 pairs"):
        run_program(config, memories, 1, 4000)
    for n_layers, n_pairs in ((0, 1), (17, 1), (1, 0), (1, 1 << 16)):
        with pytest.raises(ProgramError, match="must be from 1 to"):
            run_program(config, memories, n_layers, n_pairs)


def test_memories_must_be_complete(program: Any) -> None:
    """Missing or misshapen memories are named."""
    config, memories, _ = program
    with pytest.raises(ValueError, match="memory 'bias' must have shape"):
        run_program(config, memories | {"bias": memories["bias"][:-1]}, 1, 1)
    del memories["scale"]
    with pytest.raises(ValueError, match="memories must have 'scale'"):
        run_program(config, memories, 1, 1)
