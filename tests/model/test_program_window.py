# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Window sums, window maxima and additions in a program: equal to the nodes of graphs; strict with descriptors."""

from typing import Any

import numpy as np
import pytest
from tests.gateware.cases import CONFIG
from tests.windows import NODES, random_program

from spectramac.model.accelerator import ProgramError, run_program
from spectramac.model.depthwise import AveragePooling, DepthwiseConvolution
from spectramac.model.map_elementwise import Addition, MaxPooling, Rectifier
from spectramac.spec.config import preset
from spectramac.spec.descriptor import encode

MAPS = preset("small").replace(maps=True)
NARROW = CONFIG.replace(
    maps=True, accumulator_depth=64, tap_depth=64, activation_depth=2048, n_layers_max=16
)
"""Twelve bits: some sums saturate on their way to requantization."""
COUNTERS = ("columns_skipped", "saturations")


@pytest.mark.parametrize("config", [MAPS, NARROW], ids=["small", "narrow"])
@pytest.mark.parametrize("kind", NODES)
def test_equals_the_nodes(kind: Any, config: Any) -> None:
    """Three layers, one after the other: maps, saturated outputs, overflow flag, and nothing else is written."""
    flags, values = set(), []
    for seed in range(15):
        rng = np.random.default_rng(seed)
        others = tuple(NODES[k] for k in rng.integers(len(NODES), size=2))
        program = random_program(rng, config, int(rng.integers(1, 4)), (kind, *others))
        result = run_program(config, program.memories, 3, program.n_pairs)
        activation = program.memories["activation"].copy()
        for layer, trace in enumerate(result.layers):
            expected = program.expected(layer, activation)
            place = program.outputs[layer]
            y = program.read(result.activation, place)
            np.testing.assert_array_equal(y, expected.y, str(trace.descriptor))
            assert trace.counters == dict(zip(COUNTERS, (0, expected.saturations), strict=True))
            if (
                trace.descriptor["kind"] != 5
            ):  # an addition has one rounding, the node no such place
                places = {name for name, happened in trace.overflows.items() if happened}
                assert places == expected.overflows
            first, second = (y[i::2] & 0xFF for i in range(2))
            activation[place.addresses(program.n_pairs), 0] = first | second << 8
        np.testing.assert_array_equal(result.activation, activation)
        flags.add(result.layers[0].overflows["merge"])
        values += np.unique(program.read(result.activation, program.outputs[0])).tolist()
    assert len(set(values)) > 60
    if kind is DepthwiseConvolution:
        assert flags == {False, True}


SUM_CHANGES: list[tuple[dict[str, int], str]] = [
    ({"in_log2_n": 3}, "in_log2_n must be 0: there is no transform, not 3"),
    ({"out_log2_n": 3}, "out_log2_n must be 0"),
    ({"padded_out": 2}, "padded_out must be n_out in whole pairs = 6, not 2"),
    ({"group_out": 2}, "group_out must be padded_out = 6, not 2"),
    ({"multiplicity": 3}, "n_out must be n_in times multiplicity = 9, not 6"),
    ({"kernel_height": 0}, "kernel_height must be at least 1, not 0"),
    ({"stride_x": 0}, "stride_x must be at least 1, not 0"),
    ({"in_width": 5000, "in_pixel_stride": 0}, "in_width must be at most activation_depth = 4096"),
    ({"top": 3}, "top must be below kernel_height = 3, not 3"),
    ({"left": 9}, "left must be below kernel_width = 3, not 9"),
    ({"out_height": 6}, "out_height must be from 1 to 5, so that every window meets the map, not 6"),
    ({"out_width": 0}, "out_width must be from 1 to 6"),
    ({"kernel_height": 100}, "kernel_height must be such that a window has at most 256 taps, or unit"),
    ({"kernel_base": 1995}, "kernel_base must be at most 1994 for 54 words in kernel memory of 2048"),
    ({"bias_base": 1019}, "bias_base must be at most 1018 for 6 words in bias memory of 1024"),
    ({"scale_base": 1019, "per_channel_scale": 1}, "scale_base must be at most 1018 for 6 words"),
    ({"row_shift_base": 1022, "per_row_shift": 1}, "row_shift_base must be at most 1021 for 3 words"),
    ({"in_base": 4000}, "in_base must be such that the maps of 2 pairs end below 4096, not 4000"),
    ({"out_stride": 4000}, "out_base must be such that the maps of 2 pairs end below 4096"),
    ({"out_base": 60}, "out_base must be such that no input is overwritten, not 60"),
    ({"out_pixel_stride": 1}, "out_pixel_stride must be such that every output has an address"),
]  # fmt: skip
OTHER_CHANGES: list[tuple[type, dict[str, int], str]] = [
    (MaxPooling, {"row_shift": 1}, "row_shift must be 0 for a window maximum, not 1"),
    (MaxPooling, {"per_row_shift": 1}, "per_row_shift must be 0 but for a window sum, not 1"),
    (Rectifier, {"multiplicity": 0}, "multiplicity must be 1 but for a window sum, not 0"),
    (Addition, {"kernel_width": 2}, "kernel_width must be 1 for an addition, not 2"),
    (Addition, {"stride_y": 2}, "stride_y must be 1 for an addition, not 2"),
    (Addition, {"second_base": 4000}, "second_base must be such that the maps of 2 pairs end below"),
    (Addition, {"second_base": 200}, "out_base must be such that no input is overwritten"),
]  # fmt: skip


def layer(kind: type) -> dict[str, int]:
    """A descriptor of a layer on a map of 4 × 5 × 3."""
    fields = random_program(np.random.default_rng(0), MAPS, 1, (kind,)).descriptors[0]
    fields |= dict.fromkeys(("relu", "per_row_shift", "per_channel_scale", "row_shift"), 0)
    fields |= {"in_height": 4, "in_width": 5, "n_in": 3, "out_height": 4, "out_width": 5}
    fields |= {"n_out": 3, "padded_out": 4, "group_out": 4, "multiplicity": 1}
    if kind is DepthwiseConvolution:
        window = {"kernel_height": 3, "kernel_width": 3, "top": 1, "left": 1}
        fields |= window | {"stride_y": 1, "stride_x": 1, "kernel_base": 7, "bias_base": 5}
        fields |= {"n_out": 6, "padded_out": 6, "group_out": 6, "multiplicity": 2}
    else:
        window = {"kernel_height": 1, "kernel_width": 1, "top": 0, "left": 0}
        fields |= window | {"stride_y": 1, "stride_x": 1}
    for side, base in (("in", 0), ("out", 200)):
        pixel = fields[f"n_{side}"]
        fields |= {f"{side}_base": base, f"{side}_stride": 20 * pixel}
        fields |= {f"{side}_pixel_stride": pixel, f"{side}_row_stride": 5 * pixel}
    return fields | {"second_base": 1000, "second_stride": 60}


def run(fields: dict[str, int]) -> None:
    memories = random_program(np.random.default_rng(0), MAPS, 1, (Rectifier,)).memories
    words = encode(fields)
    memories["descriptor"][: len(words), 0] = words
    run_program(MAPS, memories, 1, 2)


@pytest.mark.parametrize("kind", [DepthwiseConvolution, MaxPooling, Rectifier, Addition])
def test_what_the_refused_ones_are_made_of_runs(kind: type) -> None:
    run(layer(kind))


@pytest.mark.parametrize(("changes", "message"), SUM_CHANGES)
def test_refused_window_sums(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ProgramError, match=f"layer 0: {message}"):
        run(layer(DepthwiseConvolution) | changes)


@pytest.mark.parametrize(("kind", "changes", "message"), OTHER_CHANGES)
def test_refused_maxima_and_additions(kind: type, changes: dict[str, int], message: str) -> None:
    with pytest.raises(ProgramError, match=f"layer 0: {message}"):
        run(layer(kind) | changes)


def test_without_a_kernel_a_window_may_be_large() -> None:
    fields = layer(AveragePooling)
    window = {"kernel_height": 250, "kernel_width": 255, "top": 247, "left": 251}
    run(fields | window)


def test_sums_are_exact_at_the_extremes() -> None:
    """256 taps of -128 · -128, and both maps -128 with the largest factors, are what 24 bits must hold."""
    fields = layer(DepthwiseConvolution) | {
        "in_height": 16, "in_width": 16, "kernel_height": 16, "kernel_width": 16, "top": 0, "left": 0,
        "out_height": 1, "out_width": 1, "n_in": 1, "n_out": 1, "multiplicity": 1,
        "padded_out": 2, "group_out": 2, "in_pixel_stride": 1, "in_row_stride": 16, "in_stride": 256,
        "out_base": 600, "row_shift": 15, "multiplier": 1, "shift": 1, "no_bias": 1, "maximum": 127,
    }  # fmt: skip
    memories = random_program(np.random.default_rng(0), MAPS, 1, (Rectifier,)).memories
    memories["activation"][:600] = 0x8080
    memories["kernel"][:] = 0x80
    memories["descriptor"][: len(encode(fields)), 0] = encode(fields)
    result = run_program(MAPS, memories, 1, 2)
    assert int(result.activation[600, 0]) == (1 << 22 >> 16) * 0x101
    fields = layer(Addition) | {
        "first_multiplier": 32767, "second_multiplier": 32767, "row_shift": 17, "multiplier": 1,
        "shift": 0, "no_bias": 1, "second_base": 100, "maximum": 127, "out_base": 600,
    }  # fmt: skip
    memories["descriptor"][: len(encode(fields)), 0] = encode(fields)
    result = run_program(MAPS, memories, 1, 2)
    assert int(result.activation[600, 0]) == (-64 & 0xFF) * 0x101
