# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Every block as Verilog under cocotb, with random stalls, equal to the golden model.

One simulator for each block and configuration; ``bench_<block>.py`` has the tests that run inside.
"""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from tests.cocotb.blocks import Columns, ControlledFFT
from tests.gateware.cases import CONFIG, SINGLE

from spectramac.gateware.lanes import Lanes
from spectramac.gateware.merge import Merge
from spectramac.gateware.requantize import Requantize
from spectramac.gateware.scheduler import Scheduler
from spectramac.gateware.verilog import to_verilog
from spectramac.sim.cocotb_runner import run_bench
from spectramac.sim.streams import STALLS
from spectramac.spec.fft_config import FFTConfig

HERE = Path(__file__).parent
PIPELINED = FFTConfig(log2_n_max=6, data_width=12, twiddle_width=12)
ITERATIVE = FFTConfig(log2_n_max=5, data_width=15, architecture="iterative")

BLOCKS: dict[str, tuple[Any, str, int]] = {
    "fft": (lambda: ControlledFFT(PIPELINED), "bench_fft", 500),
    "iterative_fft": (lambda: ControlledFFT(ITERATIVE), "bench_fft", 300),
    "columns": (lambda: Columns(CONFIG), "bench_columns", 1000),
    "columns_single": (lambda: Columns(SINGLE), "bench_columns", 1000),
    "scheduler": (lambda: Scheduler(CONFIG), "bench_scheduler", 800),
    "lanes": (lambda: Lanes(CONFIG), "bench_lanes", 4000),
    "merge": (lambda: Merge(CONFIG), "bench_merge", 500),
    "merge_single": (lambda: Merge(SINGLE), "bench_merge", 500),
    "requantize": (lambda: Requantize(CONFIG), "bench_requantize", 300),
    "requantize_single": (lambda: Requantize(SINGLE), "bench_requantize", 300),
}
"""Component, bench, and fewest comparisons that make sense."""


@pytest.fixture(scope="module", params=BLOCKS)
def block(request: pytest.FixtureRequest) -> tuple[str, str, str, dict[str, Any], int]:
    name = request.param
    make, bench, least = BLOCKS[name]
    component = make()
    fields = dataclasses.asdict(component.config)
    return to_verilog(component, name), name, bench, fields, least


@pytest.mark.parametrize("stalls", STALLS)
def test_block(block: Any, stalls: str, waves: str | None) -> None:
    verilog, name, bench, fields, least = block
    seed = 10 * list(BLOCKS).index(name) + STALLS.index(stalls)  # type: ignore[arg-type]
    result = run_bench(
        verilog,
        name,
        bench,
        bench_dir=HERE,
        arguments={"stalls": stalls, "seed": seed, "config": fields},
        waves=waves,
    )
    assert len(result.passed) == 2
    assert result.n_checks >= least, f"{result.n_checks} checks with seed {seed}"
