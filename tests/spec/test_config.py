# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
import dataclasses
import hashlib
import json
import subprocess
import sys
from typing import Any

import pytest

from spectramac.spec.config import ARCHITECTURE_VERSION, PRESETS, AcceleratorConfig, preset
from spectramac.spec.fft_config import FFTConfig

BASE = AcceleratorConfig(n_lanes=2)
SERIAL = AcceleratorConfig(
    n_lanes=1,
    lane_architecture="serial",
    fft_architecture="iterative",
    n_threshold_multipliers=1,
    n_requantize_multipliers=1,
    n_accumulator_banks=1,
    job_queue_depth=1,
)
IGNORED = {"name"}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid_and_named(name: str) -> None:
    config = preset(name)
    assert config.name == name
    assert config.replace() == config


def test_unknown_preset_lists_the_others() -> None:
    with pytest.raises(ValueError, match="one of tiny, small, large, conv, not 'huge'"):
        preset("huge")


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("n_lanes", (0, 65, 1.0, True, "2")),
        ("log2_n_max", (2, 11)),
        ("log2_axis_max", (2, 5, True)),
        ("data_width", (11, 19)),
        ("twiddle_width", (11, 19)),
        ("accumulator_width", (16, 41)),
        ("fft_architecture", ("parallel",)),
        ("lane_architecture", ("iterative",)),
        ("n_threshold_multipliers", (0, 3)),
        ("n_requantize_multipliers", (0, 3)),
        ("n_accumulator_banks", (0, 3)),
        ("n_spectrum_banks", (0, 3)),
        ("n_layers_max", (0, 257)),
        ("job_queue_depth", (0, 3)),
        ("coefficient_depth", (1, 1000, 1 << 17)),
        ("activation_depth", (1, 1000, 1 << 17)),
        ("spectrum_depth", (32, 1000)),
        ("accumulator_depth", (1, 3)),
        ("directory_depth", (1, 3)),
        ("channel_depth", (1, 3)),
        ("tap_depth", (1, 3, 1 << 17)),
        ("kernel_depth", (1, 3, 1 << 17)),
    ],
)
def test_bad_fields_are_named(field: str, bad: tuple[object, ...]) -> None:
    for value in bad:
        with pytest.raises(
            ValueError, match=f"{field.removeprefix('fft_')} must be .* not {value!r}"
        ):
            BASE.replace(**{field: value})


@pytest.mark.parametrize(
    "field",
    [
        "n_lanes",
        "n_threshold_multipliers",
        "n_requantize_multipliers",
        "n_accumulator_banks",
        "job_queue_depth",
    ],
)
def test_serial_lanes_need_one_of_each(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} must be 1 with serial lanes, not 2"):
        SERIAL.replace(**{field: 2})


def test_serial_lanes_need_the_iterative_fft() -> None:
    with pytest.raises(ValueError, match="fft_architecture must be 'iterative' with serial lanes"):
        SERIAL.replace(fft_architecture="pipelined", n_requantize_multipliers=2)


MAPS = BASE.replace(maps=True, tap_depth=64)


@pytest.mark.parametrize(
    ("base", "changes", "message"),
    [
        (SERIAL, {"maps": True}, "lane_architecture must be 'parallel' with maps, not 'serial'"),
        (MAPS, {"n_accumulator_banks": 1}, "n_accumulator_banks must be 2 with maps, not 1"),
        (
            MAPS,
            {"accumulator_depth": 32},
            "accumulator_depth must be at least 64 with maps, not 32",
        ),
        (
            MAPS,
            {"accumulator_depth": 128, "tap_depth": 256},
            "tap_depth must be at most accumulator_depth = 128, not 256",
        ),
    ],
)
def test_maps_need_block_memories_of_two_banks(base, changes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        base.replace(**changes)


def test_maps_take_a_multiplier_for_each_of_a_pair() -> None:
    """Those of the window unit; other fields of maps are free without them."""
    assert MAPS.n_multipliers == BASE.n_multipliers + 2
    assert BASE.replace(accumulator_depth=16, n_accumulator_banks=1).tap_depth == 128
    assert MAPS.replace(n_spectrum_banks=4).n_spectrum_banks == 4


def test_every_field_is_in_the_identity_and_changes_the_build_id() -> None:
    changed = {
        "n_lanes": 3,
        "log2_n_max": 7,
        "log2_axis_max": 3,
        "data_width": 15,
        "twiddle_width": 15,
        "accumulator_width": 30,
        "fft_architecture": "iterative",
        "lane_architecture": "serial",
        "n_threshold_multipliers": 1,
        "n_requantize_multipliers": 1,
        "n_accumulator_banks": 1,
        "n_spectrum_banks": 1,
        "job_queue_depth": 2,
        "n_layers_max": 8,
        "maps": True,
        "tap_depth": 32,
    }
    fields = {field.name for field in dataclasses.fields(AcceleratorConfig)} - IGNORED
    for name in fields:
        # Convolutions need rows for their taps; the pipelined FFT needs both requantization multipliers.
        base = BASE.replace(tap_depth=64)
        base = base.replace(fft_architecture="iterative") if "requantize" in name else base
        base = SERIAL.replace(lane_architecture="parallel") if name == "lane_architecture" else base
        value = changed.get(name, 2 * getattr(base, name))
        assert base.replace(**{name: value}).build_id != base.build_id, name
    assert set(BASE.identity()) == fields | {"architecture_version"}
    assert BASE.identity()["architecture_version"] == ARCHITECTURE_VERSION
    assert BASE.replace(name="x").build_id == BASE.build_id


def test_build_id_is_the_documented_hash_in_every_process() -> None:
    text = json.dumps(BASE.identity(), sort_keys=True).encode()
    assert BASE.build_id == int.from_bytes(hashlib.sha256(text).digest()[:4], "little")
    code = "from spectramac.spec.config import AcceleratorConfig as C; print(C(n_lanes=2).build_id)"
    output = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
        env={"PYTHONHASHSEED": "7"},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert int(output) == BASE.build_id


@pytest.mark.parametrize("name", PRESETS)
def test_derived_widths(name: str) -> None:
    config = preset(name)
    assert config.fft.data == config.data
    assert config.column.width == config.data.width + 1
    # The largest doubled magnitude squared: a sum of two squares of columns, or (2x)^2 of data.
    largest = max(2 * config.column.minimum**2, 4 * config.data.minimum**2)
    assert largest <= 1 << config.level_width
    assert config.n_max == config.fft.n_max <= config.spectrum_depth
    assert config.row_pairs_max == config.n_lanes * config.accumulator_depth
    assert config.scale_width == config.multiplier_width + config.shift_width
    assert config.n_multipliers == sum(config.multipliers.values())
    assert config.multipliers["lanes"] == (2 if config.is_serial else 4 * config.n_lanes)


def test_preset_sizes_suit_their_parts() -> None:
    assert preset("tiny").n_multipliers <= 8
    assert preset("small").n_multipliers <= 28
    assert preset("large").n_multipliers <= 156
    assert preset("large").multipliers["lanes"] >= 96


@pytest.mark.parametrize(
    "changes",
    [
        {"log2_n_max": 2},
        {"log2_n_max": 14},
        {"data_width": 7},
        {"data_width": 25},
        {"twiddle_width": 7},
        {"twiddle_width": 19},
        {"architecture": "x"},
    ],
)
def test_fft_config_is_checked(changes: dict) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(changes))} must be"):
        FFTConfig(**{"log2_n_max": 6} | changes)


@pytest.mark.parametrize("value", [0, 3, 16, -2, 2.0, True, "2"])
def test_samples_per_clock_is_a_power_of_two_up_to_8(value: Any) -> None:
    with pytest.raises(ValueError, match=f"^samples_per_clock must be 1, 2, 4 or 8, not {value!r}"):
        FFTConfig(log2_n_max=6, samples_per_clock=value)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"architecture": "iterative"}, "architecture 'iterative'"),
        ({"scaling": "block"}, "scaling 'block'"),
        ({"scaling": "halving", "order": "natural"}, "order 'natural'"),
        ({"scaling": "growth", "log2_columns": 3}, "log2_columns 3"),
    ],
)
def test_several_samples_per_clock_are_refused(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(ValueError, match=f"^samples_per_clock must be 1 with {where}, not 4$"):
        FFTConfig(log2_n_max=6, samples_per_clock=4, **changes)
    assert FFTConfig(log2_n_max=6, **changes).samples_per_clock == 1


def test_twiddle_format_holds_one_exactly() -> None:
    config = FFTConfig(log2_n_max=3)
    assert config.twiddle.holds(1 << config.twiddle.fraction)
    assert str(config.twiddle) == "sQ2.14"
