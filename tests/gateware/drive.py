# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Components in Amaranth's simulator: clock, reset, memories behind read ports, stalls."""

import gc
import random
import re
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from amaranth import Value
from amaranth.hdl import UnusedElaboratable
from amaranth.sim import Simulator
from tests.gateware.streams import checked

__all__ = ["Sink", "Source", "evaluate", "memory", "put", "refused", "simulate"]

Bench = Callable[[Any], Awaitable[None]]


def simulate(dut: Any, bench: Bench, *processes: Bench, background: Sequence[Bench] = ()) -> None:
    """Run ``bench`` to its end on a fresh component, with processes and other benches beside it."""
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for process in processes:
        simulator.add_process(process)
    for other in background:
        simulator.add_testbench(other, background=True)
    simulator.add_testbench(bench)
    simulator.run()


def put(ctx: Any, dut: Any, **values: Any) -> None:
    """Set plain inputs; range-checked."""
    for name, value in values.items():
        signal = getattr(dut, name)
        ctx.set(signal, checked(value, signal))


def memory(port: Any, words: Sequence[int]) -> Bench:
    """A process that answers a read port from ``words`` (which may change); 0 beyond its end."""

    async def process(ctx: Any) -> None:
        async for _, _, address, enable in ctx.tick().sample(port.address, port.enable):
            if enable:
                ctx.set(port.data, words[address] if address < len(words) else 0)

    return process


class Source:
    """Offers packed words on an input stream, one :meth:`step` a cycle; call before the tick."""

    def __init__(
        self, ctx: Any, stream: Any, words: Sequence[int], stall: float, seed: int
    ) -> None:
        self.ctx, self.stream, self.words = ctx, stream, list(words)
        self.stall, self.random = stall, random.Random(seed)
        self.offering = False
        self.taken = 0

    def step(self) -> None:
        """Before a tick: offer the next word, or go on offering."""
        if not self.offering and self.taken < len(self.words):
            self.offering = self.random.random() >= self.stall
            if self.offering:
                self.ctx.set(Value.cast(self.stream.payload), self.words[self.taken])
        self.ctx.set(self.stream.valid, int(self.offering))

    def ticked(self, ready: int) -> bool:
        """After a tick that sampled ``ready``; whether the word was taken."""
        taken = bool(self.offering and ready)
        self.taken += taken
        self.offering &= not taken
        return taken


class Sink:
    """Ready at random."""

    def __init__(self, ctx: Any, stream: Any, stall: float, seed: int) -> None:
        self.ctx, self.stream = ctx, stream
        self.stall, self.random = stall, random.Random(seed)
        self.ready = False

    def step(self) -> None:
        """Before a tick."""
        self.ready = self.random.random() >= self.stall
        self.ctx.set(self.stream.ready, int(self.ready))


def evaluate(
    dut: Any, stimulus: Sequence[Mapping[str, int]], outputs: Sequence[str]
) -> list[tuple[int, ...]]:
    """Outputs of a combinational component for each set of inputs."""
    results: list[tuple[int, ...]] = []

    async def bench(ctx: Any) -> None:
        for values in stimulus:
            put(ctx, dut, **values)
            await ctx.delay(1e-7)
            results.append(tuple(int(ctx.get(getattr(dut, name))) for name in outputs))

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    return results


def refused(error: type[Exception], match: str, act: Callable[[], Any]) -> None:
    """``act`` must raise; Amaranth shall not complain of the components that came to nothing."""
    message = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        try:
            act()
        except error as caught:
            message = str(caught)
        gc.collect()
    assert message is not None, f"{error.__name__} was not raised"
    assert re.search(match, message), f"{message!r} must match {match!r}"
