# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What each technology makes of memories answers like the portable one, in every cycle in which it may be asked."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import data
from tests.gateware.drive import refused, simulate

from spectramac.gateware.fft.butterfly import Butterfly
from spectramac.gateware.fft.device import TECHNOLOGIES, BlockRAM, Multiplier, SmallRAM
from spectramac.gateware.fft.output import OutputQueue
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import plan

HALVING = FFTConfig(log2_n_max=5, twiddle_width=16, scaling="halving")
PER_STAGE = FFTConfig(log2_n_max=5)

Inputs = Mapping[str, Any]


def lockstep(
    make: Callable[[str], Any],
    stimulus: Callable[[Callable[[str], int]], Inputs],
    observe: Callable[[Callable[[str], int]], Any],
    n_cycles: int,
) -> None:
    """Drive the portable and the iCE40 variant alike; what ``observe`` returns of both must be the same.

    ``stimulus`` and ``observe`` read ports by name, such as ``"o.valid"``; ``stimulus`` reads the portable one.
    """
    m = Module()
    variants = [make("generic"), make("ice40")]
    m.submodules += variants

    def port(dut: Any, name: str) -> Any:
        for part in name.split("."):
            dut = getattr(dut, part)
        return dut

    async def bench(ctx):
        for cycle in range(n_cycles):
            inputs = stimulus(lambda name: ctx.get(port(variants[0], name)))
            for dut in variants:
                for name, value in inputs.items():
                    ctx.set(port(dut, name), value)
            seen = [observe(lambda name, dut=dut: ctx.get(port(dut, name))) for dut in variants]
            assert seen[0] == seen[1], f"variants differ in cycle {cycle}: {seen[0]} and {seen[1]}"
            await ctx.tick()

    simulate(m, bench)


def check_queue(reverse: int = 0) -> None:
    """Random arrivals and a sink that pauses now and then for long."""
    rng = np.random.default_rng(reverse)
    state = {"open": 0, "left": 0}

    def stimulus(get):
        if not state["left"]:
            state.update(open=int(rng.integers(2)), left=int(rng.integers(1, 120)))
        state["left"] -= 1
        arrives = get("room") and rng.integers(8) > 0
        if reverse:  # no gaps within a frame: a queue that fills up would be one
            arrives = 1
            state["open"] = 1
        return {
            "i_valid": int(arrives),
            "taken": int(arrives),
            "i_payload.word": int(rng.integers(1 << 12)),
            "o.ready": state["open"] and int(rng.integers(8) > 0 or reverse > 0),
        }

    def observe(get):
        return get("room"), get("o.valid"), get("o.valid") and get("o.payload.word")

    def make(technology):
        shape = data.StructLayout({"word": 12})
        depth = 4 << reverse if reverse else 64
        fields = (reverse,) if reverse else ()
        return OutputQueue(shape, depth, reverse=fields, technology=technology)

    lockstep(make, stimulus, observe, 1500)


def check_butterfly(config: FFTConfig, m: int, *, gaps: bool) -> None:
    """Frames of random samples, with or without gaps between samples."""
    stage = next(stage for stage in plan(config) if stage.m == m)
    rng = np.random.default_rng(m)
    bound = 1 << (stage.width - 1)
    taken = 0

    def stimulus(get):
        nonlocal taken
        valid = int(not gaps or rng.integers(3) > 0)
        values: dict[str, Any] = {"i.valid": valid, "i.first": int(taken % config.n_max == 0)}
        if not config.is_fixed:
            values["i.control"] = {"size": config.n_max - 1, "halve": config.n_max - 1}
        taken += valid
        return values | {name: int(rng.integers(-bound, bound)) for name in ("i.re", "i.im")}

    def observe(get):
        flags = tuple(get(name) for name in ("o.valid", "o.first", "early.valid", "overflow"))
        return flags, flags[0] and (get("o.re"), get("o.im"))

    def make(technology):
        return Butterfly(config, stage, technology=technology)

    lockstep(make, stimulus, observe, 8 * config.n_max)


def check_small_ram(*, fresh: bool) -> None:
    """Random reads and writes of few words: each is read as soon as it may be."""
    rng = np.random.default_rng(int(fresh))
    address = int(rng.integers(4))
    last: list[int] = [-1]  # written in the cycle before

    def stimulus(get):
        nonlocal address
        values = {"read_address": address, "write_data": int(rng.integers(1 << 8))}
        address = int(rng.integers(4))
        values |= {"write_enable": int(rng.integers(2)), "write_address": int(rng.integers(4))}
        return values | {"next_address": address}

    def observe(get):
        allowed = fresh or get("read_address") != last[0]
        if get("write_enable"):
            pending = get("write_address")
        else:
            pending = -1
        observe.calls += 1
        if observe.calls % 2 == 0:  # both variants have been looked at
            last[0] = pending
        return get("read_data") if allowed else None

    observe.calls = 0
    lockstep(lambda t: SmallRAM(8, 4, technology=t, fresh=fresh), stimulus, observe, 400)


def check_block_ram() -> None:
    """Random reads and writes, not of the same word at a time."""
    rng = np.random.default_rng(0)
    history = [0]

    def stimulus(get):
        write, read = rng.choice(8, 2, replace=False)
        values = {"read_address": int(read), "write_address": int(write)}
        return values | {"write_enable": 1, "write_data": int(rng.integers(1 << 8))}

    def observe(get):
        history[0] += 1
        return get("read_data") if history[0] > 60 else None  # all words written by then

    lockstep(lambda t: BlockRAM(8, 8, technology=t), stimulus, observe, 400)


@pytest.mark.parametrize("reverse", [0, 4])
def test_queue(reverse: int) -> None:
    check_queue(reverse)


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("m", [2, 3, 4, 5])
@pytest.mark.parametrize("config", [HALVING, PER_STAGE], ids=lambda c: c.scaling)
def test_butterfly(config: FFTConfig, m: int, gaps: bool) -> None:
    check_butterfly(config, m, gaps=gaps)


@pytest.mark.parametrize("fresh", [False, True])
def test_small_ram(fresh: bool) -> None:
    check_small_ram(fresh=fresh)


def test_block_ram() -> None:
    check_block_ram()


@pytest.mark.parametrize("component", [BlockRAM, SmallRAM, Multiplier])
def test_an_unknown_technology_is_refused(component: Any) -> None:
    message = "technology must be one of .*'ecp5'.*, not 'asic'"
    refused(ValueError, message, lambda: component(8, 8, technology="asic"))
    assert TECHNOLOGIES == ("generic", "ecp5", "ice40", "gowin", "nexus")
