# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What layers over maps add to scheduler and column reader, compared with models; see :mod:`tests.gateware.checks`."""

import random
from typing import Any

import numpy as np
from tests.gateware.cases import (
    SETTLE,
    Words,
    accompanying,
    amplitudes,
    phases_case,
)
from tests.gateware.cases_depthwise import own_columns_case
from tests.gateware.checks import Spectrum, run_scheduler
from tests.gateware.drive import Sink, put, simulate
from tests.gateware.streams import StreamRun, assert_same

from spectramac.model.fft import bit_reverse
from spectramac.model.spectrum import pair_map
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import bins, row_width, sample

__all__ = ["check_own_columns", "check_phases", "check_positions"]

LIMIT = 4000
"""Cycles that a check may take."""


def check_phases(
    config: AcceleratorConfig,
    *,
    is_complex: bool,
    seed: int,
    stalls: str = "none",
    uniform_count: int = 0,
) -> StreamRun:
    """The scheduler in a convolution: directory and entries of each phase, markers that go no further."""
    rng = np.random.default_rng(seed)
    case = phases_case(config, rng, is_complex=is_complex, uniform_count=uniform_count)
    return run_scheduler(config, case, seed=seed, stalls=stalls)


def check_own_columns(config: AcceleratorConfig, *, seed: int, stalls: str = "none") -> StreamRun:
    """The scheduler in a depthwise convolution: columns to the lanes, entries of all of them."""
    case = own_columns_case(config, np.random.default_rng(seed))
    return run_scheduler(config, case, seed=seed, stalls=stalls)


def check_positions(
    config: AcceleratorConfig,
    log2_n: int,
    *,
    n_positions: int = 16,
    stall: float = 0.0,
    pause: float = 0.0,
    seed: int = 0,
) -> None:
    """The column reader in a convolution: columns and marker of each position, or only the marker."""
    rng, chance = np.random.default_rng(seed), random.Random(seed)
    n = 1 << log2_n if log2_n else 2
    order, pairs = (bit_reverse(n) if log2_n else np.arange(n)), pair_map(n, False)
    wide, narrow = bins(config), sample(config)
    dut = Spectrum(config)
    starts: list[dict[str, int]] = []
    samples: list[list[int]] = []  # of the positions with pixels
    expected: Words = []
    for _ in range(n_positions):
        position = accompanying(config, rng)
        empty, row = int(rng.random() < 0.4), int(rng.integers(1 << row_width(config)))
        starts.append(position | {"empty": empty, "first_row": row})
        if not empty:
            re, im = amplitudes(rng, config.data, (2, n))
            value = [{"re": int(a), "im": int(b)} for a, b in zip(re, im, strict=True)]
            samples.append(
                [
                    narrow.pack({"data": value[k], "last": int(at == n - 1)})
                    for at, k in enumerate(order)
                ]
            )
            expected += [
                {
                    "first": value[pairs.first[r]],
                    "second": value[pairs.second[r]],
                    "joint": int(pairs.joint[r]),
                    "base": row,
                    "marker": 0,
                    "final": 1,
                    **position,
                }
                for r in range(n // 2)
            ]
        expected.append({"marker": 1, "final": 1, **position})
    got: Words = []
    state = {"released": 0}

    async def feed(ctx: Any) -> None:
        await ctx.tick().repeat(SETTLE)
        for number, words in enumerate(samples):
            while number - state["released"] >= config.n_spectrum_banks:
                await ctx.tick()
            for word in words:
                put(ctx, dut.i, valid=1)
                ctx.set(dut.i.payload.as_value(), word)
                await ctx.tick()
                put(ctx, dut.i, valid=0)
                while chance.random() < pause:
                    await ctx.tick()

    async def walk(ctx: Any) -> None:
        put(ctx, dut, log2_n=log2_n, padded_in=n, column_stride=0, final=1)
        await ctx.tick().repeat(SETTLE)
        for position in starts:
            while ctx.get(dut.busy) or chance.random() < pause:
                await ctx.tick()
            put(ctx, dut, start=1, **position)
            await ctx.tick()
            put(ctx, dut, start=0, **dict.fromkeys(position, 0))

    async def bench(ctx: Any) -> None:
        sink = Sink(ctx, dut.o, stall, seed)
        cycle = 0
        while len(got) < len(expected):
            assert cycle < LIMIT, f"{len(got)} of {len(expected)} columns came"
            sink.step()
            signals = (dut.o.valid, dut.o.payload.as_value(), dut.released)
            *_, valid, word, released = await ctx.tick().sample(*signals)
            state["released"] += released
            if valid and sink.ready:
                got.append(wide.unpack(word))
            cycle += 1

    simulate(dut, bench, background=(feed, walk))
    # What a marker carries besides is of no account.
    seen = [{name: word[name] for name in model} for word, model in zip(got, expected, strict=True)]
    assert_same(seen, expected, lambda k: f"{n} points, column {k} of {len(expected)}")
    rtl, model = state["released"], len(samples)
    assert rtl == model, f"spectra released: rtl {rtl}, model {model}"
