# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectramac.spec.config import PRESETS, AcceleratorConfig, preset
from spectramac.spec.descriptor import FIELDS, PITCH, WORDS, decode, encode

WIDTHS = {field.name: field.width for field in FIELDS}
ZEROS = dict.fromkeys(WIDTHS, 0)


@given(st.fixed_dictionaries({n: st.integers(0, (1 << w) - 1) for n, w in WIDTHS.items()}))
def test_round_trip(values: dict[str, int]) -> None:
    words = encode(values)
    assert len(words) == WORDS <= PITCH
    assert all(0 <= word < 1 << 32 for word in words)
    assert decode(words) == values


@given(st.lists(st.integers(0, (1 << 32) - 1), min_size=WORDS, max_size=WORDS))
def test_unused_bits_are_ignored_and_written_as_zero(words: list[int]) -> None:
    values = decode(words)
    again = encode(values)
    assert decode(again) == values
    assert all(a & ~b == 0 for a, b in zip(again, words, strict=True))


def test_fields_do_not_overlap() -> None:
    used = [0] * WORDS
    for field in FIELDS:
        mask = ((1 << field.width) - 1) << field.offset
        assert 0 <= mask < 1 << 32
        assert not used[field.word] & mask, field.name
        used[field.word] |= mask
        words = encode({**ZEROS, field.name: (1 << field.width) - 1})
        assert words == [mask if i == field.word else 0 for i in range(WORDS)]
    assert len(WIDTHS) == len(FIELDS)


@pytest.mark.parametrize("field", FIELDS, ids=lambda f: f.name)
def test_values_that_do_not_fit_are_refused(field) -> None:
    for value in (-1, 1 << field.width):
        with pytest.raises(ValueError, match=f"'{field.name}' must fit {field.width} bits"):
            encode({**ZEROS, field.name: value})


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
