# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Compiled images: bit packing, placement, reports, and errors that say what to do."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.compiler.test_layout import FFT8, make_config, make_layer
from tests.networks import program_memories, program_outputs, random_input, random_network

from spectramac.compiler.compile import CompileError, compile_network
from spectramac.compiler.layout import lay_out
from spectramac.compiler.memory_image import pack_coefficients, pack_indices
from spectramac.model.accelerator import run_program
from spectramac.model.image import image_memories
from spectramac.model.layer import run_network
from spectramac.model.network import Layer, Network, Transform
from spectramac.spec import descriptor as descriptors
from spectramac.spec.config import PRESETS, AcceleratorConfig, preset
from spectramac.spec.image import Image


def network_of(*layers: Layer) -> Network:
    """A chain."""
    return Network(layers=layers)


def dense(n_in: int, n_out: int, **fields: Any) -> Layer:
    """A dense layer of ones."""
    t = Transform()
    s = np.zeros((t.padded(n_out), t.padded(n_in)), np.int16)
    s[:n_out, :n_in] = 1
    defaults: dict[str, Any] = {"n_in": n_in, "n_out": n_out, "bias": np.zeros(n_out, np.int32)}
    return make_layer(s, **defaults | fields)


def words(chunks: Any) -> list[int]:
    """Memory words as integers."""
    return [sum(int(c) << (32 * i) for i, c in enumerate(row)) for row in chunks]


def test_packing_of_wide_entries() -> None:
    """Three lanes, wide: 16 bits a lane, a in the low byte; 8 bits of index."""
    s = np.zeros((24, 2), np.int16)
    s[0:2, 0] = 1, -2  # lane 0, row 0
    s[10:12, 0] = 3, 4  # lane 2, row 1
    s[20:22, 0] = -5, 6  # lane 1, row 3
    config = make_config(3)
    layout = lay_out(make_layer(s), config, indexed=True)
    assert layout.counts.tolist() == [[[1, 0]]]
    assert words(pack_coefficients(layout, config)) == [0x0403_06FB_FE01]
    assert words(pack_indices(layout, config)) == [0x01_03_00]


def test_packing_of_narrow_entries() -> None:
    """Two lanes, narrow: the second entry in the high byte of a lane, the high half of its index.

    The second column is padded to two entries: a flag is less than a count, and the word has room.
    """
    s = np.zeros((16, 2), np.int16)
    s[0:2, 0] = 1, -2  # lane 0, row 0
    s[2:4, 0] = 3, 4  # lane 1, row 0
    s[12:14, 0] = -8, 7  # lane 0, row 3
    s[14:16, 0] = 5, 0  # lane 1, row 3
    s[8:10, 1] = 0, 1  # lane 0, row 2
    config = make_config(2)
    layout = lay_out(make_layer(s, coefficient_bits=4), config, indexed=True)
    assert layout.counts.tolist() == [[[2, 2]]]
    assert words(pack_coefficients(layout, config)) == [0x0543_78E1, 0x0000_1000]
    assert words(pack_indices(layout, config)) == [0x20_20, 0x00_10]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("seed", range(5))
def test_image_survives_a_file(name: str, seed: int) -> None:
    """What is written is what was compiled, and runs; a full batch fills every pair."""
    config = preset(name)
    rng = np.random.default_rng(seed)
    network = random_network(rng, config)
    image = compile_network(network, config)
    loaded = Image.from_bytes(image.to_bytes())
    assert loaded == image
    contents, again = image_memories(image, config), image_memories(loaded, config)
    for key in contents:
        np.testing.assert_array_equal(contents[key], again[key])
    x = random_input(rng, 2 * min(image.max_pairs, 40), network.n_inputs)
    memories = program_memories(loaded, config, x)
    result = run_program(config, memories, loaded.n_layers, len(x) // 2)
    widths = {"data_width": config.data_width, "twiddle_width": config.twiddle_width}
    y = program_outputs(loaded, result.activation, len(x))
    np.testing.assert_array_equal(y, run_network(network, x, **widths))


def test_two_regions_take_turns() -> None:
    """Inputs of even layers below, of odd layers above, as many pairs as fit."""
    network = network_of(dense(10, 30), dense(30, 20), dense(20, 8))
    image = compile_network(network, make_config(3, activation_depth=1024))
    assert image.max_pairs == 1024 // (20 + 30)
    top = image.max_pairs * 20
    assert (image.input.base, image.input.stride, image.input.count) == (0, 10, 10)
    assert (image.output.base, image.output.stride, image.output.count) == (top, 8, 8)
    memory = image_memories(image, make_config(3, activation_depth=1024))["descriptor"]
    bases = []
    for i in range(3):
        start = descriptors.PITCH * i
        d = descriptors.decode(memory[start : start + descriptors.WORDS, 0].tolist())
        bases.append((d["in_base"], d["in_stride"], d["out_base"], d["out_stride"]))
    assert bases == [(0, 10, top, 30), (top, 30, 0, 20), (0, 20, top, 8)]


def test_uniform_values_store_nothing() -> None:
    """Scales and row shifts that are all equal go into the descriptor, arrays or not."""
    uniform = dense(8, 6, multiplier=np.full(6, 77), shift=np.full(6, 3), row_shift=np.full(3, 2))
    image = compile_network(network_of(uniform), make_config(3))
    assert {"scale", "row_shift"}.isdisjoint(image.sections)
    shifts = dense(8, 6, multiplier=77, shift=np.arange(6), row_shift=np.arange(3))
    image = compile_network(network_of(uniform, dense(6, 8), replace(shifts)), make_config(3))
    assert image.sections["scale"].words() == [i << 15 | 77 for i in range(6)]
    assert image.sections["row_shift"].words() == [0, 1, 2]
    assert image.sections["bias"].n_words == 6 + 8 + 6


def test_report() -> None:
    """What a report says about a layer."""
    image = compile_network(network_of(dense(7, 11)), make_config(3))
    report = image.layers[0]
    assert report["stored_pairs"] == 7 * 6
    assert report["entries"] == 7 * 2
    assert report["words"]["coefficient"] == 14
    assert report["bytes"]["coefficient"] == 14 * 6
    assert report["bytes"]["bias"] == 11 * 2
    assert report["formats"] == {
        "is_complex": False,
        "is_narrow": False,
        "is_indexed": False,
        "bin_major": False,
    }
    assert report["ideal_cycles"] == 14
    assert report["n_groups"] == 1


def test_indices_instead_of_zeros_when_coefficients_do_not_fit() -> None:
    """Fewer bits are no use if coefficient memory is full."""
    s = np.ones((64, 32), np.int16)
    s[:20] = 0
    layer = make_layer(s)
    config = make_config(1, coefficient_depth=1024)
    alone = compile_network(network_of(layer), config).layers[0]
    assert (alone["formats"]["is_indexed"], alone["entries"]) == (False, 32 * 32)
    first, second = compile_network(network_of(layer, dense(64, 4)), config).layers
    assert (first["formats"]["is_indexed"], first["entries"]) == (True, 22 * 32)
    assert second["formats"]["is_indexed"] is False


@pytest.mark.parametrize(
    ("layers", "changes", "message"),
    [
        ([dense(8, 8)] * 3, {"n_layers_max": 2}, "layers: 3 needed, 2 available; merge layers"),
        (
            [make_layer(np.ones((2, 16)), Transform("fft1d", 16))],
            {"log2_n_max": 3},
            "points of the input transform: 16 needed, 8 available; use shorter blocks",
        ),
        (
            [make_layer(np.ones((16, 2)), Transform(), Transform("fft2d", 16))],
            {"log2_n_max": 3},
            "points of the output transform: 16 needed, 8 available",
        ),
        ([dense(100, 2)], {"spectrum_depth": 64}, "spectrum memory: 100 needed, 64 available"),
        (
            [dense(100, 40)],
            {"activation_depth": 128},
            r"activation memory for a pair of inferences \(100 \+ 40 words\): 140 needed, 128",
        ),
        (
            [dense(32, 100)],
            {"coefficient_depth": 512},
            (
                "memory 'coefficient': 544 words are needed up to this layer, configuration 'custom' has "
                "512; lower the density or use fewer bits, or use a larger preset"
            ),
        ),
        ([dense(256, 8)], {"directory_depth": 16}, "memory 'directory': 32 words"),
        ([dense(32, 64)], {"channel_depth": 32}, "memory 'bias': 64 words"),
        (
            [dense(8, 4, bias=np.array([0, 0, 40000, 0]))],
            {},
            "bias must fit sQ16.0 .*, not 40000; use larger row shifts",
        ),
        ([dense(8, 4, level=1 << 34)], {}, "level must fit 34 bits, not 17179869184"),
        (
            [make_layer(np.ones((64, 8)), FFT8, Transform("fft1d", 64))],
            {"accumulator_depth": 4},
            "accumulators: an output block has 32 row pairs, but the accumulators hold 12",
        ),
    ],
)
def test_resource_errors(layers: Any, changes: dict[str, int], message: str) -> None:
    """Every limit names layer, resource, needed, available and a remedy."""
    config = AcceleratorConfig(n_lanes=3).replace(**changes)
    with pytest.raises(CompileError, match=f"layer 'test': {message}"):
        compile_network(network_of(*layers), config)
