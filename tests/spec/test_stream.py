# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectramac.spec.fixed import Format
from spectramac.spec.stream import Field, Payload, complex_payload, frame, sample_frame


def payloads(depth: int = 2) -> st.SearchStrategy[Payload]:
    formats = st.builds(Format, st.integers(1, 40), signed=st.booleans())
    types: st.SearchStrategy[Any] = formats if not depth else formats | payloads(depth - 1)
    return st.lists(types, min_size=1, max_size=4).map(
        lambda members: Payload(tuple(Field(f"f{i}", t) for i, t in enumerate(members)))
    )


def values_of(payload: Payload) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            field.name: values_of(field.type)
            if isinstance(field.type, Payload)
            else st.integers(field.type.minimum, field.type.maximum)
            for field in payload.fields
        }
    )


@given(st.data())
def test_round_trip(data: st.DataObject) -> None:
    payload = data.draw(payloads())
    values = data.draw(values_of(payload))
    word = payload.pack(values)
    assert 0 <= word < 1 << payload.width
    assert payload.unpack(word) == values


@given(st.data())
def test_every_word_is_valid(data: st.DataObject) -> None:
    payload = data.draw(payloads())
    word = data.draw(st.integers(0, (1 << payload.width) - 1))
    assert payload.pack(payload.unpack(word)) == word


def test_fields_are_packed_from_bit_0_upwards() -> None:
    payload = frame(complex_payload(Format(8)))
    assert payload.width == 17
    word = payload.pack({"data": {"re": 1, "im": -1}, "last": 1})
    assert word == 1 | 0xFF << 8 | 1 << 16


def test_missing_and_oversized_values_are_refused() -> None:
    payload = complex_payload(Format(8))
    with pytest.raises(ValueError, match="'im' must be given"):
        payload.pack({"re": 1})
    with pytest.raises(ValueError, match=r"'re' must fit sQ8.0, not 128"):
        payload.pack({"re": 128, "im": 0})


def test_layout_is_that_of_amaranth() -> None:
    data = pytest.importorskip("amaranth.lib.data")
    hdl = pytest.importorskip("amaranth.hdl")
    layout = data.StructLayout({"re": hdl.signed(5), "im": hdl.signed(7), "last": 1})
    payload = Payload(
        (
            Field("re", Format(5)),
            Field("im", Format(7)),
            Field("last", Format(1, signed=False)),
        )
    )
    values = {"re": -3, "im": 42, "last": 1}
    assert layout.const(values).as_bits() == payload.pack(values)
    assert layout.size == payload.width


def test_samples_of_a_word_are_packed_from_the_first() -> None:
    assert sample_frame(Format(8)) == frame(complex_payload(Format(8)))
    payload = sample_frame(Format(8), 4)
    assert payload.width == 4 * 16 + 1
    samples = {f"x{k}": {"re": 2 * k, "im": 2 * k + 1} for k in range(4)}
    assert payload.pack({"data": samples, "last": 1}) == 0x1_0706_0504_0302_0100
