# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""cocotb bench of the elastic registers; run by test_stream_buffer.py."""

import random
from typing import Any

import cocotb

from spectramac.sim.streams import Bench, bench_arguments
from spectramac.spec.fixed import Format
from spectramac.spec.stream import complex_payload, frame

WORD = frame(complex_payload(Format(9)))


def words(n: int, seed: int) -> list[dict[str, Any]]:
    """Random complex numbers in frames of eight."""
    rng = random.Random(seed)
    return [
        {
            "data": {"re": rng.randint(-256, 255), "im": rng.randint(-256, 255)},
            "last": int(k % 8 == 7),
        }
        for k in range(n)
    ]


@cocotb.test()
async def passes_words_in_order(dut: Any) -> None:
    bench = Bench(dut, **bench_arguments(), budget=4000)
    source, sink = bench.source("i", WORD), bench.sink("o", WORD)
    async with bench:
        source.send(words(400, seed=1))
        sink.expect(words(400, seed=1))
    if bench.stalls == "none":
        latency = {b - a for a, b in zip(source.cycles, sink.cycles, strict=True)}
        bench.check(latency == {1}, f"latency must be 1 cycle, not {latency}")
        span = sink.cycles[-1] - sink.cycles[0]
        bench.check(span == 399, f"400 words must take 400 cycles, not {span + 1}")


@cocotb.test()
async def survives_reset_in_mid_frame(dut: Any) -> None:
    bench = Bench(dut, **bench_arguments(), budget=1000)
    source, sink = bench.source("i", WORD), bench.sink("o", WORD)
    async with bench:
        source.send(words(64, seed=2))
        sink.expect(words(64, seed=2))
        await bench.tick(21)
        await bench.reset()
        source.send(words(64, seed=3))
        sink.expect(words(64, seed=3))
