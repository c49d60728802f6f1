# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The memory behind every block: timing of both ports."""

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Fragment
from tests.gateware.drive import refused, simulate

from spectramac.gateware.memory import Storage


@pytest.mark.parametrize(("width", "depth"), [(1, 2), (9, 16), (48, 5)])
def test_random_accesses(width: int, depth: int) -> None:
    """A read takes a cycle, holds while not enabled, and sees the old word when that is being written."""
    rng = np.random.default_rng(width)
    dut = Storage(width, depth)
    words, held, collisions = [0] * depth, 0, 0

    async def bench(ctx: Any) -> None:
        nonlocal held, collisions
        for cycle in range(1000):
            reading, writing = (int(v) for v in rng.integers(0, 2, 2))
            source, target = (int(v) for v in rng.integers(0, depth, 2))
            word = int(rng.integers(1 << width))
            for port, enable, address in (
                (dut.read, reading, source),
                (dut.write, writing, target),
            ):
                ctx.set(port.enable, enable)
                ctx.set(port.address, address)
            ctx.set(dut.write.data, word)
            await ctx.tick()
            collisions += reading and writing and source == target
            held = words[source] if reading else held
            words[target] = word if writing else words[target]
            assert ctx.get(dut.read.data) == held, f"cycle {cycle}"

    simulate(dut, bench)
    assert collisions > 5


def test_an_spram_has_16384_words() -> None:
    dut = Storage(16, 1 << 15, technology="ice40", single_port=True)
    message = "depth of an SPRAM must be at most 16384, not 32768"
    refused(ValueError, message, lambda: Fragment.get(dut, None))
