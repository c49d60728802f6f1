# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The register file and the model device, in lock-step; and what the model cannot show."""

from typing import Any

import pytest
from tests.gateware.cases import CONFIG, SINGLE
from tests.gateware.checks_registers import check_registers
from tests.gateware.drive import put, simulate
from tests.gateware.streams import run_stream

from spectramac.gateware.regfile import RegisterFile
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.registers import REQUEST, register_map

MAPS = CONFIG.replace(maps=True, accumulator_depth=64, tap_depth=64)
CONFIGS = {
    "one-chunk": SINGLE,
    "two-chunks": CONFIG,
    "three-chunks": CONFIG.replace(n_lanes=5),
    "maps": MAPS,
}


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CONFIGS)
def test_lockstep(name: str, seed: int, stall: float) -> None:
    assert check_registers(CONFIGS[name], seed=seed, stall=stall, n_rounds=100) > 200


def test_an_event_wins_over_a_clear() -> None:
    """A flag that is set in the cycle in which it is cleared stays set: nothing is lost."""
    table = register_map(CONFIG)
    status = table["status"]
    dut = RegisterFile(CONFIG)

    async def bench(ctx: Any) -> None:
        for event in (0, 1):
            word = {"address": status.address, "write": 1, "data": status.encode(done=1)}
            ctx.set(dut.i_request.payload.as_value(), REQUEST.pack(word))
            put(ctx, dut, status_done=1)
            await ctx.tick()
            ctx.set(dut.i_request.valid, 1)
            put(ctx, dut, status_done=event)
            await ctx.tick()
            ctx.set(dut.i_request.valid, 0)
            put(ctx, dut, status_done=0)
            await ctx.tick()
            assert ctx.get(dut.interrupt) == event

    simulate(dut, bench)


@pytest.mark.parametrize(("config", "later"), [(CONFIG, 2), (MAPS, 3)])
def test_timing(config: AcceleratorConfig, later: int) -> None:
    """Writes one a cycle; a register answers in the next cycle, a word of memory some cycles later."""
    table = register_map(config)

    def reads(name: str) -> list[int]:
        address = table[name].address
        return [REQUEST.pack({"address": address, "write": 0, "data": 0})] * 5

    run = run_stream(RegisterFile(config), reads("id"), 5, i="i_request", o="o_response")
    assert run.in_cycles == list(range(5))
    assert run.valid_cycles == [c + 1 for c in run.in_cycles]
    run = run_stream(RegisterFile(config), reads("memory_data"), 5, i="i_request", o="o_response")
    assert run.valid_cycles == [c + 1 + later for c in run.in_cycles]
