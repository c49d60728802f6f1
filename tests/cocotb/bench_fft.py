# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""cocotb bench of the transforms: frames of all kinds, back to back; run by test_blocks.py."""

from typing import Any

import cocotb
import numpy as np
from tests.cocotb.payloads import controlled_sample
from tests.cocotb.support import compare
from tests.gateware.cases import amplitudes

from spectramac.model.fft import fft
from spectramac.sim.streams import Bench, bench_arguments
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.stream import complex_payload, frame
from spectramac.spec.timing import fft_cycles_per_frame

ARGUMENTS = bench_arguments()
CONFIG = FFTConfig(**ARGUMENTS.pop("config"))


class Frames:
    """Random frames; each may differ from the last in size, direction, scaling and dimension."""

    def __init__(self, seed: int, n_frames: int) -> None:
        rng = np.random.default_rng(seed)
        self.inputs: list[dict[str, Any]] = []
        self.expected: list[dict[str, Any]] = []
        self.labels: list[str] = []
        self.overflow = False
        self.cycles = 0
        for f in range(n_frames):
            log2_n = int(rng.integers(3, CONFIG.log2_n_max + 1))
            self.cycles += fft_cycles_per_frame(CONFIG, log2_n)
            n = 1 << log2_n
            control = {
                "log2_n": log2_n,
                "two_d": int(log2_n % 2 == 0 and rng.integers(2)),
                "inverse": int(rng.integers(2)),
                "halve": int(rng.integers(1 << CONFIG.log2_n_max)),
            }
            re, im = amplitudes(rng, CONFIG.data, (2, n))
            settings = control | {"two_d": bool(control["two_d"])}
            result = fft(re, im, config=CONFIG, bit_reversed=True, **settings)
            self.overflow |= bool(result.overflow)
            for words, parts, extra in (
                (self.inputs, (re, im), control),
                (self.expected, (result.re, result.im), {}),
            ):
                words += [
                    {"data": {"re": int(a), "im": int(b)}, "last": int(k == n - 1), **extra}
                    for k, (a, b) in enumerate(zip(*parts, strict=True))
                ]
            self.labels += [f"frame {f} ({n} points), bin {k} as sent" for k in range(n)]


class Flags:
    """Whether the plain outputs were ever high."""

    def __init__(self, bench: Bench) -> None:
        self.overflow = self.framing_error = False
        self.dut = bench.dut
        bench.probe(self.look)

    def look(self) -> None:
        self.overflow |= bool(int(self.dut.overflow.value))
        self.framing_error |= bool(int(self.dut.framing_error.value))


async def run(dut: Any, n_frames: int, reset_after: int | None) -> None:
    frames = Frames(ARGUMENTS["seed"], n_frames)
    bench = Bench(dut, **ARGUMENTS, budget=1000 + 8 * frames.cycles)
    source = bench.source("i", controlled_sample(CONFIG))
    sink = bench.sink("o", frame(complex_payload(CONFIG.data)))
    flags = Flags(bench)
    async with bench:
        if reset_after is not None:
            source.send(Frames(ARGUMENTS["seed"] + 1, n_frames).inputs)
            while len(source.cycles) < reset_after:
                await bench.tick()
            await bench.reset()
            sink.compared = len(sink.received)
            flags.overflow = False
        source.send(frames.inputs)
        await compare(bench, sink, frames.expected, frames.labels)
        await bench.tick(2)
    bench.check(not flags.framing_error, "framing_error must not be raised: every frame is whole")
    where = f"overflow: rtl {flags.overflow}, model {frames.overflow}"
    bench.check(flags.overflow == frames.overflow, where)


@cocotb.test()
async def frames_of_all_kinds(dut: Any) -> None:
    await run(dut, n_frames=6, reset_after=None)


@cocotb.test()
async def reset_in_mid_frame(dut: Any) -> None:
    await run(dut, n_frames=2, reset_after=ARGUMENTS["seed"] % 7 + 3)
