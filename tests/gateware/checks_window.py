# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Comparison of the window unit with the golden model; see :mod:`tests.gateware.checks`."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from tests.gateware.cases import CONFIG
from tests.gateware.drive import Sink, memory, put, simulate
from tests.gateware.streams import assert_same
from tests.windows import WindowProgram, random_program

from spectramac.gateware.window import WINDOW_FIELDS, WindowUnit
from spectramac.model import program_window
from spectramac.model.map_node import MapNode
from spectramac.spec.payloads import sample

__all__ = ["WINDOWS", "WindowTiming", "check_window"]

WINDOWS = CONFIG.replace(
    maps=True,
    accumulator_depth=64,
    tap_depth=64,
    activation_depth=1024,
    kernel_depth=256,
    n_layers_max=16,
)
"""Small, and with so few bits that some sums saturate."""


@dataclass
class WindowTiming:
    """Of a layer: samples; cycles from ``start`` to the first offer, the last transfer and the last of ``busy``."""

    descriptor: dict[str, int]
    n_samples: int
    first: int
    last: int
    busy: int


def expected_samples(program: WindowProgram, layer: int) -> tuple[list[Any], list[str], bool]:
    """Samples of a layer in their order, what they are, and whether one saturated."""
    d = program.descriptors[layer]
    golden = program_window.WindowProgram(program.config, program.memories, layer, d)
    z, clipped = golden.samples(program.memories["activation"][:, 0], program.n_pairs)
    z = np.moveaxis(z, 1, -1)
    samples, labels = [], []
    for place in np.ndindex(z.shape[:-1]):
        re, im = z[place].tolist()
        last = int(place[-1] == d["n_out"] - 1)
        samples.append({"data": {"re": re, "im": im}, "last": last})
        labels.append("layer {}: pair {}, row {}, column {}, channel {}".format(layer, *place))
    return samples, labels, bool(clipped.any())


def check_window(
    kinds: tuple[type[MapNode], ...],
    *,
    seed: int = 0,
    stall: float = 0.0,
    n_pairs: int = 2,
    size: int = 5,
    channels: int = 3,
) -> list[WindowTiming]:
    """Layers of these nodes, one after the other, on the activations that are there."""
    rng = np.random.default_rng(seed)
    program = random_program(rng, WINDOWS, n_pairs, kinds, size=size, channels=channels)
    narrow = sample(WINDOWS)
    dut = WindowUnit(WINDOWS)
    timings: list[WindowTiming] = []

    async def bench(ctx: Any) -> None:
        for layer, d in enumerate(program.descriptors):
            samples, labels, saturated = expected_samples(program, layer)
            put(ctx, dut, n_pairs=n_pairs, **{name: int(d[name]) for name in WINDOW_FIELDS})
            taps = 2 if d["kind"] == 5 else d["kernel_height"] * d["kernel_width"]
            limit = 100 + 4 * len(samples) * taps
            sink = Sink(ctx, dut.o, stall, seed + layer)
            timing = WindowTiming(d, len(samples), 0, 0, 0)
            got: list[Any] = []
            overflow, cycle, held, quiet = False, 0, None, 0
            while quiet < 30:
                put(ctx, dut, start=int(cycle == 0))
                sink.step()
                _, _, valid, payload, flag, busy = await ctx.tick().sample(
                    dut.o.valid, dut.o.payload.as_value(), dut.overflow, dut.busy
                )
                assert cycle < limit, f"layer {layer}: {len(got)} of {len(samples)} samples came"
                assert held is None or (valid and payload == held), "a sample changed or went away"
                held = payload if valid and not sink.ready else None
                overflow |= bool(flag)
                timing.first = timing.first or (cycle if valid else 0)
                timing.busy = cycle if busy else timing.busy
                if valid and sink.ready:
                    got.append(narrow.unpack(payload))
                    timing.last = cycle
                quiet = quiet + 1 if len(got) >= len(samples) and not busy else 0
                cycle += 1
            assert_same(got, samples, lambda n, labels=labels: (labels + ["extra"])[n])
            assert overflow == saturated, f"layer {layer}, overflow: rtl {overflow}"
            timings.append(timing)

    def words(name: str) -> list[int]:
        values: list[int] = program.memories[name][:, 0].tolist()
        return values

    simulate(
        dut,
        bench,
        memory(dut.memory, words("activation")),
        memory(dut.kernels, words("kernel")),
        memory(dut.shifts, words("row_shift")),
    )
    return timings
