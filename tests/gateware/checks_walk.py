# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Comparisons of what walks over maps with loops over their pixels; see :mod:`tests.gateware.checks`."""

import random
from typing import Any

import numpy as np
from tests.gateware.cases import SETTLE
from tests.gateware.cases_walk import Geometry
from tests.gateware.drive import put, simulate
from tests.gateware.streams import assert_same

from spectramac.gateware.output_walker import OutputWalker
from spectramac.gateware.walk import N_PHASES, TapTable, Walk
from spectramac.spec.config import AcceleratorConfig

__all__ = ["check_output_walker", "check_taps", "check_walk"]

LIMIT = 4000
"""Cycles that any of these may take."""


async def start(ctx: Any, dut: Any) -> None:
    """A strobe; what the component derives from its settings has settled."""
    await ctx.tick().repeat(SETTLE)
    put(ctx, dut, start=1)
    await ctx.tick()
    put(ctx, dut, start=0)


def check_walk(
    config: AcceleratorConfig, *, seed: int, n_layers: int = 3, pause: float = 0.3
) -> None:
    """Layer after layer on one component; all but the last are broken off somewhere."""
    rng, chance = np.random.default_rng(seed), random.Random(seed)
    dut = Walk(config)

    async def layer(ctx: Any, number: int) -> None:
        geometry = Geometry.random(rng, config)
        put(ctx, dut, **geometry.only(dut), n_pairs=geometry.n_pairs)
        await start(ctx, dut)
        positions = geometry.positions(config.accumulator_depth)
        end = len(positions) if number == n_layers - 1 else chance.randrange(len(positions) + 1)
        for n, position in enumerate(positions[:end]):
            where = f"layer {number}, position {n} of {len(positions)}"
            while True:
                step = chance.random() >= pause
                put(ctx, dut, step=int(step))
                names = ("active", *position)
                found = [int(ctx.get(getattr(dut, name))) for name in names]
                wanted = [1, *position.values()]
                for name, rtl, model in zip(names, found, wanted, strict=True):
                    assert rtl == model, f"{where}, {name}: rtl {rtl}, model {model}"
                await ctx.tick()
                if step:
                    break
        put(ctx, dut, step=0)
        active = ctx.get(dut.active)
        assert active == (end < len(positions)), f"layer {number}, active at its end: rtl {active}"

    async def bench(ctx: Any) -> None:
        for number in range(n_layers):
            await layer(ctx, number)

    simulate(dut, bench)


def check_taps(config: AcceleratorConfig, *, seed: int, n_layers: int = 3) -> None:
    """Contents, first rows and cycles of a table, layer after layer."""
    rng = np.random.default_rng(seed)
    dut = TapTable(config)

    async def bench(ctx: Any) -> None:
        for number in range(n_layers):
            geometry = Geometry.random(rng, config)
            put(ctx, dut, **geometry.only(dut))
            await start(ctx, dut)
            writes, cycles = [], 0
            while ctx.get(dut.busy):
                assert cycles < LIMIT, f"layer {number}: busy for ever"
                *_, write, index, offset = await ctx.tick().sample(dut.write, dut.index, dut.offset)
                if write:
                    writes.append((index, offset))
                cycles += 1
            where = f"layer {number}, {geometry.fields}"
            rows, firsts = geometry.table(config.accumulator_depth)
            expected = list(enumerate(rows))
            assert_same(writes, expected, lambda n, where=where: f"{where}, row {n}")
            found = [int(ctx.get(getattr(dut, f"first_{f}"))) for f in range(N_PHASES)]
            wanted = [firsts.get(f, found[f]) for f in range(N_PHASES)]
            assert_same(found, wanted, lambda f, where=where: f"{where}, first row of phase {f}")
            model = len(rows) + geometry.n_phases
            assert cycles == model, f"{where}: rtl busy for {cycles} cycles, model {model}"

    simulate(dut, bench)


def check_output_walker(config: AcceleratorConfig, *, is_map: bool, seed: int) -> None:
    """Address of every pixel, or vector, and which is a pair's last; twice, the first time broken off."""
    rng, chance = np.random.default_rng(seed), random.Random(seed)
    dut = OutputWalker(config)
    names = ("out_base", "out_stride", "out_pixel_stride", "out_row_stride")

    async def layer(ctx: Any, number: int) -> None:
        base, stride, pixel, row = rng.integers(0, 1 << 16, 4).tolist()
        (height, width), n_pairs = rng.integers(1, 5, 2).tolist(), 3
        settings = dict(zip(names, (base, stride, pixel, row), strict=True))
        settings |= {"out_height": height, "out_width": width, "is_map": int(is_map)}
        put(ctx, dut, **{n: v for n, v in settings.items() if n in dut.signature.members})
        await start(ctx, dut)
        size = (height, width) if is_map else (1, 1)
        expected = [
            (
                (base + p * stride + y * row + x * pixel) % (1 << 16),
                int((y, x) == (size[0] - 1, size[1] - 1)),
            )
            for p, y, x in np.ndindex(n_pairs, *size)
        ]
        expected = expected[: len(expected) // 2 + 1] if number == 0 else expected
        found = []
        while len(found) < len(expected):
            step = chance.random() < 0.6
            put(ctx, dut, step=int(step))
            *_, address, final = await ctx.tick().sample(dut.address, dut.final)
            if step:
                found.append((address, final))
        put(ctx, dut, step=0)
        assert_same(found, expected, lambda n: f"layer {number}, {height} x {width}, output {n}")

    async def bench(ctx: Any) -> None:
        for number in range(2):
            await layer(ctx, number)

    simulate(dut, bench)
