# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""One scenario over the golden model, the Verilated library and a cocotb bench: the same in everything.

Bus accesses at random, on two of the three, are in test_contract.py.
"""

from pathlib import Path

import numpy as np
import pytest
from tests.host.scenario import CONFIG, Record, differences, models, run_scenario

from spectramac.host.transport import open_transport

BENCHES = Path(__file__).parent.parent / "cocotb"


@pytest.fixture(scope="module")
def golden() -> Record:
    with open_transport("model", CONFIG) as transport:
        return run_scenario(transport)


def same(name: str, record: Record, golden: Record) -> None:
    compared, found = differences(record, golden)
    assert not found, f"{name}, model: {'; '.join(found[:5])}"
    assert compared > 300


def cocotb_record(folder: Path, stalls: str, waves: str | None = None) -> Record:
    """The scenario in a cocotb bench, the driver in a thread of the simulator's process."""
    from spectramac.sim.cocotb_runner import run_bench
    from spectramac.sim.transport import TOP, accelerator_verilog

    path = folder / "record.npz"
    result = run_bench(
        accelerator_verilog(CONFIG),
        TOP,
        "bench_contract",
        bench_dir=BENCHES,
        arguments={"stalls": stalls, "seed": 5, "record": str(path), "budget": 200_000},
        waves=waves,
    )
    assert result.passed == ("serves_the_scenario",)
    with np.load(path) as arrays:
        return dict(arrays)


def test_the_scenario_exercises_something(golden: Record) -> None:
    """A contract between devices that do nothing would hold."""
    (first, x), _ = models()
    assert len(x) % 2 == 1
    assert first.n_layers > 1
    assert len(np.unique(golden["odd batch: outputs"])) > 4
    assert (golden["odd batch: counters"][:3] > 0).all()
    assert golden["odd batch: passes, pairs"].tolist() == [2, 3]
    # Nothing is left over from the refused accesses and the reset.
    for name in ("outputs", "counters", "layer cycles", "registers"):
        for later in ("after bad accesses", "after soft reset"):
            assert np.array_equal(golden[f"{later}: {name}"], golden[f"second image: {name}"])


def test_three_transports_agree(golden: Record, tmp_path: Path, waves: str | None) -> None:
    pytest.importorskip("cocotb")
    with open_transport("sim", CONFIG, stall=0.3, seed=2) as transport:
        simulated = run_scenario(transport)
    same("sim", simulated, golden)
    record = cocotb_record(tmp_path, "both", waves)
    same("cocotb", record, golden)
    _compared, found = differences(record, simulated)
    assert not found, f"cocotb, sim: {'; '.join(found[:5])}"


@pytest.mark.parametrize("stalls", ["none", "source", "sink"])
def test_cocotb_with_other_stalls(golden: Record, tmp_path: Path, stalls: str) -> None:
    pytest.importorskip("cocotb")
    same(f"cocotb, stalls {stalls}", cocotb_record(tmp_path, stalls), golden)


def test_a_difference_is_seen(golden: Record) -> None:
    record = {name: values.copy() for name, values in golden.items()}
    record["again: outputs"][1, 2] ^= 1
    with pytest.raises(AssertionError, match=r"again: outputs\[1, 2\]"):
        same("broken", record, golden)
