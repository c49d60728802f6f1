# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectramac.spec.config import PRESETS, AcceleratorConfig, preset
from spectramac.spec.descriptor import (
    FIELDS,
    MAP_WORDS,
    PITCH,
    Kind,
    decode,
    encode,
    n_words,
    pitch,
    program,
)

WIDTHS = {field.name: field.width for field in FIELDS}
ZEROS = dict.fromkeys(WIDTHS, 0)


@given(st.fixed_dictionaries({n: st.integers(0, (1 << w) - 1) for n, w in WIDTHS.items()}))
def test_round_trip(values: dict[str, int]) -> None:
    words = encode(values)
    assert len(words) == n_words(values["kind"])
    assert all(0 <= word < 1 << 32 for word in words)
    stored = {f.name: values[f.name] for f in FIELDS if f.word < len(words)}
    assert decode(words) == stored
    assert encode(stored) == words


@given(st.lists(st.integers(0, (1 << 32) - 1), min_size=MAP_WORDS, max_size=MAP_WORDS))
def test_unused_bits_are_ignored_and_written_as_zero(words: list[int]) -> None:
    values = decode(words)
    again = encode(values)
    assert decode(again) == values
    assert all(a & ~b == 0 for a, b in zip(again, words, strict=False))


def test_fields_do_not_overlap() -> None:
    used = [0] * MAP_WORDS
    for field in FIELDS:
        mask = ((1 << field.width) - 1) << field.offset
        assert 0 <= mask < 1 << 32
        assert not used[field.word] & mask, field.name
        used[field.word] |= mask
        if field.name == "kind":
            continue
        nothing = encode({**ZEROS, "kind": Kind.CONVOLUTION})
        words = encode({**ZEROS, "kind": Kind.CONVOLUTION, field.name: (1 << field.width) - 1})
        changed = [a ^ b for a, b in zip(words, nothing, strict=True)]
        assert changed == [mask if i == field.word else 0 for i in range(MAP_WORDS)]
    assert len(WIDTHS) == len(FIELDS)


def test_a_program_is_descriptors_of_different_length() -> None:
    kinds = [Kind.LAYER, Kind.CONVOLUTION, Kind.LAYER, Kind.ADDITION]
    words: list[int] = []
    for i, kind in enumerate(kinds):
        words += encode({**ZEROS, "kind": kind, "n_in": i})
        words += [0] * (pitch(kind) - n_words(kind))
    found = list(program(words, len(kinds)))
    assert [(d["kind"], d["n_in"]) for d in found] == [(k, i) for i, k in enumerate(kinds)]
    assert ["in_height" in d for d in found] == [k != Kind.LAYER for k in kinds]
    with pytest.raises(ValueError, match="layer 3: descriptor must have"):
        list(program(words[: 3 * PITCH + PITCH + 5], 4))


@pytest.mark.parametrize("field", FIELDS, ids=lambda f: f.name)
def test_values_that_do_not_fit_are_refused(field) -> None:
    for value in (-1, 1 << field.width):
        with pytest.raises(ValueError, match=f"'{field.name}' must fit {field.width} bits"):
            encode({**ZEROS, "kind": Kind.TILES, field.name: value})


def test_missing_and_unknown_fields_are_refused() -> None:
    with pytest.raises(ValueError, match="no field 'surprise'"):
        encode({**ZEROS, "surprise": 0})
    with pytest.raises(ValueError, match="'relu' must be given"):
        encode({n: 0 for n in WIDTHS if n != "relu"})


@pytest.mark.parametrize("name", PRESETS)
def test_fields_hold_what_the_presets_need(name: str) -> None:
    config = preset(name)
    assert WIDTHS["level_low"] + WIDTHS["level_high"] >= config.level_width
    assert WIDTHS["in_log2_n"] >= config.log2_n_max.bit_length()
    assert WIDTHS["halve_in"] >= config.log2_n_max <= WIDTHS["halve_out"]
    for field, depth in (
        ("in_base", config.activation_depth),
        ("coefficient_base", config.coefficient_depth),
        ("directory_base", config.directory_depth),
        ("bias_base", config.channel_depth),
        ("clear_depth", config.accumulator_depth),
    ):
        assert depth <= 1 << WIDTHS[field]
    assert WIDTHS["multiplier"] == AcceleratorConfig.multiplier_width
    assert WIDTHS["shift"] == WIDTHS["row_shift"] == AcceleratorConfig.shift_width
