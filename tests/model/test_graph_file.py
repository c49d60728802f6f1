# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Files of network graphs: what was written is read, the same network gives the same bytes, damage is refused."""

from pathlib import Path

import numpy as np
import pytest
from tests.graphs import random_graph, random_graph_inputs
from tests.networks import random_network

from spectramac.model.graph_file import is_graph_file, load_graph, save_graph
from spectramac.model.graph_network import run_graph
from spectramac.model.network import save_network
from spectramac.spec.config import preset


@pytest.mark.parametrize("seed", range(6))
def test_a_network_comes_back(seed: int, tmp_path: Path) -> None:
    network = random_graph(seed)
    save_graph(network, tmp_path / "a.npz")
    again = load_graph(tmp_path / "a.npz")
    x = random_graph_inputs(network, 3)
    np.testing.assert_array_equal(run_graph(again, x), run_graph(network, x))
    assert again.scales == network.scales
    assert (again.name, again.input_name) == (network.name, network.input_name)
    save_graph(again, tmp_path / "b.npz")
    with np.load(tmp_path / "a.npz") as a, np.load(tmp_path / "b.npz") as b:
        assert a.files == b.files
        assert all(np.array_equal(a[name], b[name]) for name in a.files)


def test_what_is_no_graph(tmp_path: Path) -> None:
    good, chain, other = (tmp_path / name for name in ("g.npz", "c.npz", "o.npz"))
    save_graph(random_graph(0), good)
    save_network(random_network(np.random.default_rng(0), preset("small")), chain)
    np.savez(other, x=np.zeros(3))
    assert [is_graph_file(p) for p in (good, chain, other)] == [True, False, False]
    with pytest.raises(
        ValueError, match="must be spectramac-graph version 1, not 'spectramac-netw"
    ):
        load_graph(chain)
    with pytest.raises(ValueError, match="must be a spectramac network file"):
        load_graph(other)
    good.write_bytes(good.read_bytes()[:-30])
    with pytest.raises(ValueError, match="must be a spectramac network file"):
        load_graph(good)


def test_fields_that_are_missing_or_unknown(tmp_path: Path) -> None:
    import json

    save_graph(random_graph(0), tmp_path / "g.npz")
    with np.load(tmp_path / "g.npz") as file:
        arrays = dict(file)
    header = json.loads(bytes(arrays["header"]))
    for change in ({"unknown": 1}, {"type": "Layer"}, {"inputs": None}):
        nodes = [header["nodes"][0] | change, *header["nodes"][1:]]
        text = json.dumps({**header, "nodes": nodes}).encode()
        np.savez(tmp_path / "h.npz", **arrays | {"header": np.frombuffer(text, np.uint8)})
        with pytest.raises(ValueError, match=r"must be a complete spectramac-graph file"):
            load_graph(tmp_path / "h.npz")
