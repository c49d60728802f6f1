# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Images of network graphs: one encoding, strict reading, refusal of what does not fit."""

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest
from tests.graphs import CONFIGS, random_graph
from tests.spec.images import dense_image

from spectramac.compiler.graph_compile import compile_graph
from spectramac.spec.config import preset
from spectramac.spec.container import canonical_json, unwrap, wrap
from spectramac.spec.errors import BuildIdMismatchError, ImageError, ImageTooLargeError
from spectramac.spec.graph_image import GraphImage
from spectramac.spec.image import Image

CONFIG = CONFIGS["small"]


@lru_cache
def image() -> GraphImage:
    return compile_graph(random_graph(3), CONFIG, meta={"seed": 3})


def changed(change: Callable[[dict[str, Any]], Any]) -> bytes:
    header, payload = unwrap(image().to_bytes(), "image")
    fields = json.loads(header)
    change(fields)
    return wrap(canonical_json(fields), payload)


def test_round_trip() -> None:
    data = image().to_bytes()
    again = GraphImage.from_bytes(data)
    assert again == image()
    assert again.to_bytes() == data
    assert again.meta == {"seed": 3}
    assert again.n_layers == len(again.layers)
    again.check(CONFIG)


def test_the_two_kinds_of_image_do_not_mix() -> None:
    import numpy as np

    chain = dense_image(np.ones((2, 2), int)).to_bytes()
    assert not GraphImage.is_graph(chain)
    assert not GraphImage.is_graph(b"nothing")
    assert GraphImage.is_graph(image().to_bytes())
    with pytest.raises(ImageError, match="the header must have exactly the fields"):
        GraphImage.from_bytes(chain)
    with pytest.raises(ImageError, match="the header must have exactly the fields"):
        Image.from_bytes(image().to_bytes())


def test_a_section_in_place_is_not_loaded_again() -> None:
    total = sum(len(section.data) for section in image().sections)
    assert image().stored_bytes == total
    once = {number for segment in image().segments for number in segment.sections.values()}
    assert once == set(range(len(image().sections)))


def _first(fields: dict[str, Any]) -> dict[str, Any]:
    return next(segment for segment in fields["segments"] if segment["loads"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.pop("maps"), "the header must have exactly the fields"),
        (lambda f: f.update(format="chain"), "with format 'graph'"),
        (lambda f: f.update(input="none"), "input must be one of the maps, not 'none'"),
        (lambda f: f.update(name=3), "header field 'name' must be a string, not 3"),
        (lambda f: f.update(maps=[]), r"header field 'maps' must be an object, not \[\]"),
        (lambda f: f["maps"].update(x=[1, 2]), "the shape of map 'x' must be three numbers"),
        (lambda f: f.update(input_scale=0), "input_scale must be a positive number, not 0"),
        (lambda f: f.update(max_pairs=0), "max_pairs must be an integer from 1"),
        (lambda f: f.update(build_id=-1), "build_id must be an integer from 0"),
        (lambda f: f["sections"].pop(), "the sections must have .* bytes in all"),
        (lambda f: f["segments"].clear(), "a segment must store the output"),
        (lambda f: f["segments"][0].pop("loads"), "a segment must have exactly layers"),
        (lambda f: f["segments"][0].update(layers=3), "the layers of a segment must be a list"),
        (lambda f: f["segments"][0].update(sections=[]), "the sections of a segment must be an"),
        (lambda f: f["segments"][0].update(sections={}), "must have a section for its descriptors"),
        (
            lambda f: f["segments"][0]["sections"].update(descriptor=999),
            "section of memory 'descriptor' must be an integer from 0",
        ),
        (lambda f: _first(f)["loads"][0].__setitem__(0, "q"), "'q' must be one of the maps"),
        (
            lambda f: _first(f)["loads"][0].__setitem__(0, "n5"),
            "must be|must end|before it is loaded",
        ),
        (lambda f: _first(f)["loads"][0].__setitem__(1, [0, 99]), "must end at"),
        (lambda f: _first(f)["loads"][0].__setitem__(1, [3, 3]), "end of rows must be an integer"),
        (lambda f: _first(f)["loads"][0].__setitem__(4, -1), "transfer base must be an integer"),
        (lambda f: _first(f)["loads"][0].pop(), "the header must have the fields of a graph image"),
    ],
)
def test_strict_reading(change: Callable[[dict[str, Any]], Any], message: str) -> None:
    with pytest.raises(ImageError, match=message):
        GraphImage.from_bytes(changed(change), "file.smg")


def test_other_configurations() -> None:
    with pytest.raises(BuildIdMismatchError, match="maps is True there and False here"):
        image().check(preset("small"))

    def far(fields: dict[str, Any]) -> None:
        _first(fields)["loads"][0][4] = CONFIG.activation_depth

    with pytest.raises(ImageTooLargeError, match=r"map 'x' of .* pairs ends at word"):
        GraphImage.from_bytes(changed(far)).check(CONFIG)

    def many(fields: dict[str, Any]) -> None:
        fields["segments"][0]["layers"] *= 20

    with pytest.raises(ImageTooLargeError, match=r"segment 0 has .* layers, but configuration"):
        GraphImage.from_bytes(changed(many)).check(CONFIG)
