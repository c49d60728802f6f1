# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Streams in cocotb benches: drivers, monitors, the stream law, and an end-of-test check.

A bench reads::

    @cocotb.test()
    async def passes_words(dut):
        bench = Bench(dut, stalls="both")
        source, sink = bench.source("i", WORD), bench.sink("o", WORD)
        async with bench:  # clock and reset; on leaving, the end-of-test check
            source.send(words)
            sink.expect(words)

All signals are sampled at the falling edge of ``clk``, when they have settled to what the next rising edge
will see, and driven after the rising edge: the same in every simulator.
"""

import json
import random
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Event, FallingEdge, RisingEdge

from spectramac.spec.fixed import Format
from spectramac.spec.stream import Payload

__all__ = [
    "STALLS",
    "Bench",
    "Stalls",
    "StreamChecker",
    "StreamSink",
    "StreamSource",
    "bench_arguments",
]

Shape = Payload | Format | None
StallPattern = Literal["none", "source", "sink", "both"]
STALLS: tuple[StallPattern, ...] = ("none", "source", "sink", "both")


def pack(shape: Shape, value: Any) -> int:
    """Encode a value for a payload signal; range-checked."""
    if isinstance(shape, Payload):
        return shape.pack(value)
    if shape is None:
        return int(value)
    if not shape.holds(int(value)):
        raise ValueError(f"stimulus must fit {shape}, not {value!r}")
    return int(value) & ((1 << shape.width) - 1)


def unpack(shape: Shape, word: int) -> Any:
    """Decode a payload signal."""
    if isinstance(shape, Payload):
        return shape.unpack(word)
    if shape is not None and shape.signed and word >> (shape.width - 1):
        return word - (1 << shape.width)
    return word


class Stalls:
    """Random stalls in phases: some cycles of none, of many, and of some, by one seeded generator."""

    def __init__(self, enabled: bool, seed: str) -> None:
        self.random = random.Random(seed)
        self.enabled = enabled
        self._left = 0
        self._probability = 0.0

    def __call__(self) -> bool:
        """Whether to stall this cycle."""
        if not self.enabled:
            return False
        if self._left == 0:
            self._left = self.random.randint(1, 24)
            self._probability = self.random.choice((0.0, 0.3, 0.6, 0.9))
        self._left -= 1
        return self.random.random() < self._probability


class _Stream:
    def __init__(self, bench: "Bench", name: str) -> None:
        self.bench = bench
        self.name = name
        self.payload = getattr(bench.dut, f"{name}__payload")
        self.valid = getattr(bench.dut, f"{name}__valid")
        self.ready = getattr(bench.dut, f"{name}__ready")

    def transfers(self) -> bool:
        """Whether the next rising edge transfers a word."""
        return bool(int(self.valid.value) and int(self.ready.value))


class StreamSource(_Stream):
    """Drives an input stream from a queue; :attr:`cycles` has when each word was accepted."""

    def __init__(self, bench: "Bench", name: str, shape: Shape, stalls: Stalls) -> None:
        super().__init__(bench, name)
        self.shape = shape
        self.stalls = stalls
        self.queue: deque[int] = deque()
        self.cycles: list[int] = []
        self._offering = False
        self._taken = False
        self._width = len(self.payload)

    def send(self, values: Iterable[Any]) -> None:
        """Queue values; each is a mapping of fields, or an integer for a plain payload."""
        self.queue.extend(pack(self.shape, value) for value in values)

    def clear(self) -> None:
        """Forget what is queued."""
        self.queue.clear()
        self._offering = self._taken = False

    @property
    def done(self) -> bool:
        """Whether all was accepted."""
        return not self.queue

    def sample(self) -> None:
        """At the falling edge."""
        self._taken = self._offering and bool(int(self.ready.value))
        if self._taken:
            self.cycles.append(self.bench.cycle)

    def drive(self) -> None:
        """After the rising edge."""
        if self._taken:
            self.queue.popleft()
            self._offering = self._taken = False
        if not self._offering:
            self._offering = bool(self.queue) and not self.stalls()
            self.valid.value = int(self._offering)
            # Junk while not valid: nobody may look at it.
            junk = self.stalls.random.getrandbits(self._width)
            self.payload.value = self.queue[0] if self._offering else junk

    def status(self) -> str:
        """For a failure."""
        return f"{self.name} accepted {len(self.cycles)} words, {len(self.queue)} wait"


class StreamSink(_Stream):
    """Takes an output stream and compares; :attr:`received` and :attr:`cycles` have what came and when.

    Until :meth:`expect` is called, words are only collected: the bench then checks :attr:`received` itself.
    """

    def __init__(self, bench: "Bench", name: str, shape: Shape, stalls: Stalls) -> None:
        super().__init__(bench, name)
        self.shape = shape
        self.stalls = stalls
        self.received: list[Any] = []
        self.cycles: list[int] = []
        self.wanted: deque[Any] = deque()
        self.comparing = False

    def expect(self, values: Iterable[Any]) -> None:
        """Queue the values that must come next; from now on, any other word is a failure."""
        self.comparing = True
        self.wanted.extend(unpack(self.shape, pack(self.shape, value)) for value in values)

    def clear(self) -> None:
        """Forget what is expected."""
        self.wanted.clear()

    @property
    def done(self) -> bool:
        """Whether all that was expected came."""
        return not self.wanted

    def sample(self) -> None:
        """At the falling edge."""
        if not self.transfers():
            return
        value = unpack(self.shape, int(self.payload.value))
        where = f"{self.name}, word {len(self.received)}, cycle {self.bench.cycle}"
        self.received.append(value)
        self.cycles.append(self.bench.cycle)
        if self.comparing:
            if not self.wanted:
                raise AssertionError(f"{where}: rtl {value}, nothing more was expected")
            expected = self.wanted.popleft()
            if value != expected:
                raise AssertionError(f"{where}: rtl {value}, expected {expected}")
            self.bench.n_checks += 1

    def drive(self) -> None:
        """After the rising edge."""
        self.ready.value = int(not self.stalls())

    def status(self) -> str:
        """For a failure."""
        return f"{self.name} gave {len(self.received)} words, {len(self.wanted)} are missing"


class StreamChecker(_Stream):
    """The stream law: ``valid`` is not dropped and the payload is stable until the transfer."""

    def __init__(self, bench: "Bench", name: str) -> None:
        super().__init__(bench, name)
        self._held: int | None = None

    def restart(self) -> None:
        """After a reset."""
        self._held = None

    def sample(self) -> None:
        """At the falling edge."""
        valid, ready = int(self.valid.value), int(self.ready.value)
        payload = int(self.payload.value) if valid else None
        if self._held is not None:
            where = f"{self.name}, cycle {self.bench.cycle}"
            if not valid:
                raise AssertionError(f"{where}: valid dropped before the transfer")
            if payload != self._held:
                raise AssertionError(
                    f"{where}: payload changed before the transfer, {self._held:#x} to {payload:#x}"
                )
            self.bench.n_checks += 1
        self._held = payload if valid and not ready else None


class Bench:
    """Clock, reset, streams and the end-of-test check of one cocotb test.

    Parameters
    ----------
    dut : cocotb handle
        The top module, with ``clk`` and ``rst``. The law is checked on each of its streams.
    stalls : str
        Which sides stall at random: ``none``, ``source``, ``sink`` or ``both``.
    seed : int
        Of the stalls.
    budget : int
        Clock cycles that everything sent and expected may take.
    idle : int
        Cycles at the end in which no further word may come.
    """

    def __init__(
        self,
        dut: Any,
        *,
        stalls: StallPattern = "none",
        seed: int = 1,
        budget: int = 100_000,
        idle: int = 16,
    ) -> None:
        if stalls not in STALLS:
            raise ValueError(f"stalls must be one of {', '.join(STALLS)}, not {stalls!r}")
        self.dut = dut
        self.stalls = stalls
        self.seed = seed
        self.budget = budget
        self.idle = idle
        self.cycle = 0
        self.n_checks = 0
        self.sources: list[StreamSource] = []
        self.sinks: list[StreamSink] = []
        names = sorted(handle._name for handle in dut if handle._name.endswith("__valid"))
        self.checkers = [StreamChecker(self, name.removesuffix("__valid")) for name in names]
        self._probes: list[Callable[[], None]] = []
        self._cycle_done = Event()
        self._failure: BaseException | None = None
        self._resetting = False

    # Set-up.

    def source(self, name: str, shape: Shape = None) -> StreamSource:
        """Drive the input stream ``name``."""
        stalls = Stalls(self.stalls in ("source", "both"), f"{self.seed}/{name}")
        self.sources.append(StreamSource(self, name, shape, stalls))
        return self.sources[-1]

    def sink(self, name: str, shape: Shape = None) -> StreamSink:
        """Take and check the output stream ``name``."""
        stalls = Stalls(self.stalls in ("sink", "both"), f"{self.seed}/{name}")
        self.sinks.append(StreamSink(self, name, shape, stalls))
        return self.sinks[-1]

    def probe(self, function: Callable[[], None]) -> None:
        """Call ``function`` in every cycle when signals have settled, to check plain signals."""
        self._probes.append(function)

    def check(self, condition: bool, message: str) -> None:
        """Count one more comparison; raises :class:`AssertionError` with ``message`` if it is false."""
        if not condition:
            raise AssertionError(message)
        self.n_checks += 1

    @property
    def _driven(self) -> list[StreamSource | StreamSink]:
        return [*self.sources, *self.sinks]

    @property
    def _sampled(self) -> list[StreamChecker | StreamSource | StreamSink]:
        return [*self.checkers, *self.sources, *self.sinks]

    # Time.

    async def __aenter__(self) -> Self:
        Clock(self.dut.clk, 10, unit="ns").start(start_high=False)
        for source in self.sources:
            source.valid.value = 0
        for sink in self.sinks:
            sink.ready.value = 0
        self.dut.rst.value = 1
        await RisingEdge(self.dut.clk)
        cocotb.start_soon(self._run())
        await self.reset()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            await self.finish()

    async def _run(self) -> None:
        try:
            while True:
                await FallingEdge(self.dut.clk)
                if not self._resetting:
                    for stream in self._sampled:
                        stream.sample()
                    for probe in self._probes:
                        probe()
                await RisingEdge(self.dut.clk)
                self.cycle += 1
                if not self._resetting:
                    for driver in self._driven:
                        driver.drive()
                self._wake()
        except Exception as error:
            self._failure = error
            self._wake()

    def _wake(self) -> None:
        self._cycle_done.set()
        self._cycle_done.clear()

    async def tick(self, n: int = 1) -> None:
        """Let ``n`` cycles pass."""
        for _ in range(n):
            if self._failure is None:
                await self._cycle_done.wait()
            if self._failure is not None:
                raise self._failure

    async def reset(self, n: int = 2) -> None:
        """Reset for ``n`` cycles; whatever is queued or expected is forgotten."""
        self._resetting = True
        self.dut.rst.value = 1
        for stream in self._driven:
            stream.clear()
        for source in self.sources:
            source.valid.value = 0
        for sink in self.sinks:
            sink.ready.value = 0
        await self.tick(n)
        self.dut.rst.value = 0
        for checker in self.checkers:
            checker.restart()
        self._resetting = False

    async def drain(self, budget: int | None = None) -> None:
        """Wait until all that was sent is accepted and all that is expected came.

        Raises
        ------
        AssertionError
            If that takes more than ``budget`` cycles.
        """
        budget = self.budget if budget is None else budget
        start = self.cycle
        while not all(stream.done for stream in self._driven):
            if self.cycle - start >= budget:
                waiting = "; ".join(stream.status() for stream in self._driven)
                raise AssertionError(f"all words must pass within {budget} cycles: {waiting}")
            await self.tick()

    async def finish(self) -> None:
        """The end-of-test check: nothing missing, nothing extra, and something was compared."""
        await self.drain()
        before = [len(sink.received) for sink in self.sinks]
        await self.tick(self.idle)
        for sink, count in zip(self.sinks, before, strict=True):
            if len(sink.received) != count:
                raise AssertionError(f"{sink.name}: {sink.received[count]} came after the end")
        if self.n_checks == 0:
            raise AssertionError("a bench must compare something, this one compared nothing")
        if path := cocotb.plusargs.get("bench_checks"):
            with Path(str(path)).open("a") as handle:
                handle.write(f"{self.n_checks}\n")


def bench_arguments() -> dict[str, Any]:
    """What :func:`spectramac.sim.cocotb_runner.run_bench` was given as ``arguments``."""
    arguments: dict[str, Any] = json.loads(
        Path(str(cocotb.plusargs["bench_arguments"])).read_text()
    )
    return arguments
