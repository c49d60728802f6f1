# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The driver of network graphs: any batch, weights loaded when they are needed, errors that name what is wrong."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import pytest
from tests.graphs import CONFIGS, random_graph, random_graph_inputs

from spectramac.compiler.graph_compile import compile_graph
from spectramac.host.graph_accelerator import GraphAccelerator
from spectramac.host.model_device import ModelDevice
from spectramac.host.transport import Read, Words, Write, open_transport
from spectramac.model.graph_network import run_graph
from spectramac.model.map_node import Arithmetic
from spectramac.spec.config import AcceleratorConfig, preset
from spectramac.spec.errors import (
    BuildIdMismatchError,
    InputRangeError,
    InputShapeError,
    InputTypeError,
    NoModelError,
)
from spectramac.spec.graph_image import GraphImage

NETWORK = random_graph(3)


@lru_cache
def compiled(name: str) -> GraphImage:
    return compile_graph(NETWORK, CONFIGS[name])


def accelerator(name: str) -> GraphAccelerator:
    return GraphAccelerator(open_transport("model", CONFIGS[name]), CONFIGS[name])


@pytest.mark.parametrize("name", ["large", "small"])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_any_batch(name: str, batch: int) -> None:
    device = accelerator(name)
    image = compiled(name)
    device.load(image)
    x = random_graph_inputs(NETWORK, batch)
    seen: list[tuple[int, int]] = []
    for _ in range(2):  # the second run finds some of the memories as they must be
        result = device.run(x, progress=lambda done, total: seen.append((done, total)))
        expected = run_graph(NETWORK, x, Arithmetic.of(CONFIGS[name]))
        np.testing.assert_array_equal(result.outputs, expected)
    assert seen[0] == (0, batch)
    assert seen[-1] == (batch, batch)
    assert result.n_pairs == -(-batch // 2)
    assert result.n_passes == -(-result.n_pairs // image.max_pairs)
    assert len(result.layer_cycles) == image.n_layers
    assert sum(result.node_cycles.values()) == result.layer_cycles.sum()
    assert set(result.node_cycles) == {node.name for node in NETWORK.nodes}


def test_the_cycles_of_segments_add_up() -> None:
    device = accelerator("small")
    device.load(compiled("small"))
    result = device.run(random_graph_inputs(NETWORK, 2))
    programs = sum(segment.n_layers > 0 for segment in compiled("small").segments)
    assert result.counters["cycles"] == result.layer_cycles.sum() + programs


class Broken(ModelDevice):
    """Fails in the middle of transaction number ``fails``, once."""

    def __init__(self, config: AcceleratorConfig, fails: int) -> None:
        super().__init__(config)
        self.left = fails

    def transact(self, transfers: Iterable[Read | Write]) -> list[Words]:
        self.left -= 1
        some = list(transfers)
        if self.left == -1:
            super().transact(some[: len(some) // 2])
            raise ConnectionError("the cable")
        return super().transact(some)


def test_after_a_failed_transfer_the_network_runs() -> None:
    """Whatever was written in part is written again."""
    config = CONFIGS["small"].replace(coefficient_depth=128)
    image, x = compile_graph(NETWORK, config), random_graph_inputs(NETWORK, 2)
    a, b = (segment.sections for segment in image.segments[:2])
    assert any(a[name] != b.get(name, a[name]) for name in a), "something must be written over"
    expected = run_graph(NETWORK, x, Arithmetic.of(config))
    fails = 1
    while True:
        transport = Broken(config, fails)
        device = GraphAccelerator(transport, config)
        device.load(image)
        try:
            result = device.run(x)
        except ConnectionError:
            result = device.run(x)
        np.testing.assert_array_equal(result.outputs, expected)
        if transport.left >= 0:
            break
        fails += 1
    assert fails > 3 * len(image.segments)


def test_what_is_refused() -> None:
    device = accelerator("small")
    with pytest.raises(NoModelError, match="a run needs a loaded model"):
        device.run(random_graph_inputs(NETWORK, 2))
    with pytest.raises(BuildIdMismatchError):
        device.load(compiled("large"))
    device.load(compiled("small"))
    x = random_graph_inputs(NETWORK, 2)
    with pytest.raises(InputShapeError, match=r"input must have shape \(batch, "):
        device.run(x[..., None])
    with pytest.raises(InputTypeError):
        device.run(x.astype(float))
    with pytest.raises(InputRangeError):
        device.run(x.astype(int) * 2)
    other = GraphAccelerator(open_transport("model", preset("small")), CONFIGS["small"])
    with pytest.raises(BuildIdMismatchError):
        other.load(compiled("small"))
