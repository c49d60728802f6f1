# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.spec.images import dense_image

from spectramac.model.image import from_chunks, image_memories, to_chunks
from spectramac.spec.config import preset
from spectramac.spec.container import MAGIC, canonical_json, unwrap, wrap
from spectramac.spec.errors import (
    BuildIdMismatchError,
    ImageChecksumError,
    ImageError,
    ImageTooLargeError,
    ImageTruncatedError,
    ImageVersionError,
)
from spectramac.spec.image import Image, Placement
from spectramac.spec.memory import memories
from spectramac.spec.section import Section

TINY = preset("tiny")


def small_image() -> Image:
    weights = np.array([[1, 2, 3, 4], [-5, -6, -7, -8]])
    return dense_image(weights, meta={"note": "ä"}, input_scale=0.5)


def sections() -> st.SearchStrategy[Section]:
    return st.integers(1, 130).flatmap(
        lambda width: st.lists(st.integers(0, (1 << width) - 1), max_size=20).map(
            lambda words: Section.from_words(words, width)
        )
    )


@given(sections())
def test_section_words_round_trip(section: Section) -> None:
    assert Section.from_words(section.words(), section.width) == section


@given(sections())
def test_chunks_round_trip_and_agree_with_plain_integers(section: Section) -> None:
    chunks = to_chunks(section)
    assert chunks.shape == (section.n_words, -(-section.width // 32))
    assert [sum(int(c) << 32 * i for i, c in enumerate(row)) for row in chunks] == section.words()
    assert from_chunks(chunks, section.width) == section


def test_chunks_refuse_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="must fit 5 bits"):
        from_chunks(np.array([[32]], np.uint32), 5)
    with pytest.raises(ValueError, match=r"uint32 array \(n_words, 2\)"):
        from_chunks(np.array([[1]], np.uint32), 33)
    with pytest.raises(ValueError, match="int64"):
        from_chunks(np.array([[1]]), 5)


@pytest.mark.parametrize(
    ("width", "n_words", "data"),
    [(8, 2, b"a"), (8, 2, b"abc"), (4, 1, b"\x10"), (0, 1, b""), (8, -1, b""), (True, 8, b"a")],
)
def test_section_refuses_wrong_data(width: int, n_words: int, data: bytes) -> None:
    with pytest.raises(ImageError):
        Section(width, n_words, data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
).filter(lambda value: "inf" not in repr(value))


@given(
    names=st.lists(st.text(max_size=8), max_size=4, unique=True),
    data=st.data(),
    meta=st.dictionaries(st.text(max_size=8), JSON, max_size=3),
    scale=st.floats(1e-6, 1e6),
)
def test_round_trip(
    names: list[str], data: st.DataObject, meta: dict[str, object], scale: float
) -> None:
    contents = {name: data.draw(sections()) for name in names}
    count = data.draw(st.integers(1, 20))
    n_inputs = data.draw(st.integers(1, count))
    order = data.draw(st.none() | st.permutations(range(count)))
    image = Image(
        identity=TINY.identity(),
        build_id=TINY.build_id,
        n_layers=1,
        layers=({"name": "x"},),
        input=Placement(0, 0, count),
        output=Placement(1, 2, 3),
        n_inputs=n_inputs,
        input_map=None if order is None else tuple(order[:n_inputs]),
        input_scale=scale,
        max_pairs=7,
        sections=contents,
        meta=meta,
    )
    encoded = image.to_bytes()
    again = Image.from_bytes(encoded)
    assert again == image
    assert again.to_bytes() == encoded


def test_file_round_trip_and_reproducible_bytes(tmp_path) -> None:
    image = small_image()
    image.save(tmp_path / "a.img")
    assert Image.load(tmp_path / "a.img") == image
    assert (tmp_path / "a.img").read_bytes() == small_image().to_bytes()


def test_layout_of_the_file() -> None:
    image = small_image()
    data = image.to_bytes()
    assert data[:8] == MAGIC
    assert data[8:12] == b"\x01\x00\x00\x00"
    n_header = int.from_bytes(data[12:16], "little")
    n_payload = int.from_bytes(data[16:24], "little")
    header = json.loads(data[24 : 24 + n_header])
    assert header["sections"] == [[n, s.width, s.n_words] for n, s in image.sections.items()]
    payload = data[24 + n_header : -32]
    assert len(payload) == n_payload == image.stored_bytes
    # One lane, 8 bits: each word is (row 0, row 1) of one column.
    assert payload[:8] == bytes([1, 0x100 - 5, 2, 0x100 - 6, 3, 0x100 - 7, 4, 0x100 - 8])
    assert hashlib.sha256(data[:-32]).digest() == data[-32:]


def test_stored_bytes_are_the_sections() -> None:
    image = small_image()
    by_section = {"coefficient": 8, "directory": 4, "bias": 4, "descriptor": 52}
    assert image.stored_bytes_by_section == by_section
    assert image.stored_bytes == 68


def test_every_truncation_is_refused() -> None:
    data = small_image().to_bytes()
    for length in range(len(data)):
        with pytest.raises(ImageTruncatedError):
            Image.from_bytes(data[:length])


def test_every_flipped_bit_is_refused() -> None:
    data = small_image().to_bytes()
    seen = set()
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ImageError) as caught:
            Image.from_bytes(bytes(flipped))
        seen.add(caught.type)
    assert seen == {ImageError, ImageTruncatedError, ImageVersionError, ImageChecksumError}


def test_trailing_bytes_are_refused() -> None:
    with pytest.raises(ImageError, match="bytes, not"):
        Image.from_bytes(small_image().to_bytes() + b"\0")


def test_other_version_is_named() -> None:
    data = bytearray(small_image().to_bytes())
    data[8] = 2
    with pytest.raises(ImageVersionError, match="format version 1, not 2; compile the network"):
        Image.from_bytes(bytes(data))


@given(st.binary(max_size=100))
def test_arbitrary_bytes_never_crash(data: bytes) -> None:
    with pytest.raises(ImageError):
        Image.from_bytes(data)


@given(JSON)
def test_arbitrary_headers_never_crash(header: object) -> None:
    with pytest.raises(ImageError):
        Image.from_bytes(wrap(canonical_json(header), b""))


@pytest.mark.parametrize(
    "change",
    [
        {"n_layers": "1"},
        {"n_layers": True},
        {"n_layers": 0},
        {"n_layers": 2},
        {"layers": [1]},
        {"layers": 3},
        {"meta": 3},
        {"identity": []},
        {"input": [0, 1]},
        {"input": [0, 1, 0]},
        {"input": [0, 1, 1 << 16]},
        {"input": None},
        {"n_inputs": 5},
        {"input_map": [0, 0, 1, 2]},
        {"input_map": [0, 1, 2, 4]},
        {"input_map": [0, 1, 2]},
        {"input_map": ["a", 1, 2, 3]},
        {"input_scale": 0},
        {"input_scale": "1"},
        {"output_scale": -1.0},
        {"max_pairs": 0},
        {"build_id": 1 << 32},
        {"sections": [["bias", 15]]},
        {"sections": [["bias", 15, 2], ["bias", 15, 2]]},
        {"sections": [["bias", 15, 1 << 60]]},
        {"sections": [["bias", 0, 2]]},
        {"sections": []},
        {"sections": [[3, 8, 68]]},
        {"surprise": 1},
    ],
    ids=repr,
)
def test_header_with_a_valid_checksum_and_wrong_content_is_refused(change: dict) -> None:
    text, payload = unwrap(small_image().to_bytes(), "x")
    with pytest.raises(ImageError):
        Image.from_bytes(wrap(canonical_json(json.loads(text) | change), payload))


def test_header_must_be_canonical_and_finite() -> None:
    text, payload = unwrap(small_image().to_bytes(), "x")
    Image.from_bytes(wrap(text, payload))
    for wrong in (
        text + b" ",
        text.replace(b'"max_pairs"', b' "max_pairs"'),
        b"\xff",
        b"[" * 99999,
    ):
        with pytest.raises(ImageError):
            Image.from_bytes(wrap(wrong, payload))
    with pytest.raises(ImageError, match="finite"):
        Image.from_bytes(wrap(text.replace(b"0.5", b"NaN"), payload))
    with pytest.raises(ImageError, match="Out of range float"):
        Image.from_bytes(wrap(text.replace(b"0.5", b"1e999"), payload))


def test_lengths_are_bounded() -> None:
    with pytest.raises(ImageError, match="header of at most 16777216 bytes, not 16777217"):
        wrap(bytes((1 << 24) + 1), b"")
    data = bytearray(small_image().to_bytes())
    data[16:24] = (1 << 40).to_bytes(8, "little")
    with pytest.raises(ImageError, match="payload of at most"):
        Image.from_bytes(bytes(data))


def test_checked_against_a_configuration() -> None:
    image = small_image()
    image.check(TINY)
    with pytest.raises(BuildIdMismatchError, match="n_lanes is 1 there and 3 here") as caught:
        image.check(preset("small"))
    assert f"0x{TINY.build_id:08x}" in str(caught.value)
    assert f"0x{preset('small').build_id:08x}" in str(caught.value)
    forged = preset("small").build_id
    with pytest.raises(BuildIdMismatchError):
        dense_image(np.ones((2, 2)), build_id=forged).check(preset("small"))
    with pytest.raises(BuildIdMismatchError, match=r"n_lanes is 3 there and 1 here.* and 12 more"):
        dense_image(np.ones((2, 2)), identity=preset("small").identity()).check(TINY)
    with pytest.raises(BuildIdMismatchError, match="contradicts itself"):
        dense_image(np.ones((2, 2)), build_id=1).check(TINY)


@pytest.mark.parametrize("name", [n for n, m in memories(TINY).items() if m.in_image])
def test_each_memory_bounds_its_section(name: str) -> None:
    memory = memories(TINY)[name]
    good = small_image()
    for extra in (0, 1):
        n_words = memory.depth + extra
        section = Section(memory.width, n_words, bytes(-(-memory.width * n_words // 8)))
        image = dense_image(np.ones((2, 2)), sections={**good.sections, name: section})
        if extra:
            with pytest.raises(
                ImageTooLargeError, match=f"'{name}'.*depth of {memory.depth};.*larger"
            ):
                image.check(TINY)
        else:
            image.check(TINY)
    section = Section(memory.width + 1, 1, bytes(-(-(memory.width + 1) // 8)))
    image = dense_image(np.ones((2, 2)), sections={**good.sections, name: section})
    with pytest.raises(ImageError, match=f"'{name}' must have words of {memory.width} bits"):
        image.check(TINY)


def test_program_and_placement_must_fit() -> None:
    weights = np.ones((2, 2))
    names = [{"name": str(i)} for i in range(9)]
    for n_layers, error in ((9, ImageTooLargeError), (2, ImageError)):
        image = dense_image(weights, n_layers=n_layers, layers=names[:n_layers])
        with pytest.raises(error, match="descriptor"):
            image.check(TINY)
    sections = {**small_image().sections, "activation": Section(16, 1, b"ab")}
    with pytest.raises(ImageError, match="'activation' must be one of"):
        dense_image(weights, sections=sections).check(TINY)
    dense_image(weights, max_pairs=256).check(TINY)
    with pytest.raises(ImageTooLargeError, match=r"input of 257 pairs needs 1026 words.*1024"):
        dense_image(weights, max_pairs=257).check(TINY)


def test_memories_are_zero_outside_the_sections() -> None:
    contents = image_memories(small_image(), TINY)
    assert set(contents) == set(memories(TINY))
    assert contents["coefficient"][:4, 0].tolist() == [0xFB01, 0xFA02, 0xF903, 0xF804]
    assert not contents["coefficient"][4:].any()
    assert contents["directory"].shape == (1024, 1)
