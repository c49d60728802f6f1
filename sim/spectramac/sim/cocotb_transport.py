# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The driver inside a cocotb bench: the same calls, each of which lets simulated time pass.

The driver is ordinary blocking code, so a bench runs it with :func:`cocotb.task.bridge`::

    transport = CocotbTransport(bench)
    async with bench:
        result = await bridge(scenario)(transport)
"""

import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from cocotb.task import resume

from spectramac.host.transport import (
    Read,
    RegisterTransport,
    Words,
    Write,
    bus_words,
    check_address,
)
from spectramac.sim.streams import Bench
from spectramac.spec.registers import REQUEST, RESPONSE

__all__ = ["CocotbTransport"]

POLL_CYCLES = 64
"""Clocks between looks at a register that is waited for."""


class CocotbTransport(RegisterTransport):
    """The register bus of the accelerator under test.

    Parameters
    ----------
    bench : Bench
        Of a module with streams ``i_request`` and ``o_response``; its stalls apply.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.requests = bench.source("i_request", REQUEST)
        self.responses = bench.sink("o_response", RESPONSE)

    def write(self, address: int, values: npt.ArrayLike) -> None:
        """Write each of ``values`` to the register at ``address``, in order."""
        self.transact([Write(address, values)])

    def read(self, address: int, n: int = 1) -> Words:
        """Read the register at ``address`` ``n`` times."""
        return self.transact([Read(address, n)])[0]

    def transact(self, transfers: Iterable[Read | Write]) -> list[Words]:
        """Perform transfers in order; one array per read."""
        requests: list[dict[str, int]] = []
        lengths = []
        for transfer in transfers:
            request = {"address": check_address(transfer.address), "write": 1, "data": 0}
            if isinstance(transfer, Read):
                requests += [request | {"write": 0}] * transfer.n
                lengths.append(transfer.n)
            else:
                words = bus_words(transfer.values).tolist()
                requests += [request | {"data": word} for word in words]
        answers = resume(self._exchange)(requests, sum(lengths))
        ends = np.cumsum(lengths, dtype=np.int64)
        return np.split(np.array(answers, np.uint32), ends[:-1]) if lengths else []

    async def _exchange(self, requests: list[dict[str, int]], n_reads: int) -> list[int]:
        first = len(self.responses.received)
        budget = self.bench.cycle + self.bench.budget
        self.requests.send(requests)
        while not self.requests.done or len(self.responses.received) < first + n_reads:
            if self.bench.cycle >= budget:
                raise AssertionError(
                    f"{len(requests)} requests must be served within {self.bench.budget} cycles: "
                    f"{self.requests.status()}; {self.responses.status()}"
                )
            await self.bench.tick()
        return [word["data"] for word in self.responses.received[first:]]

    def wait(
        self, address: int, mask: int, value: int, *, timeout: float, max_cycles: int | None = None
    ) -> bool:
        """Simulate until ``register & mask == value``; false past ``timeout`` or ``max_cycles``."""
        deadline = time.monotonic() + timeout
        limit = self.bench.budget if max_cycles is None else max_cycles
        start = self.bench.cycle
        while True:
            expired = time.monotonic() >= deadline or self.bench.cycle - start >= limit
            if int(self.read(address)[0]) & mask == value:
                return True
            if expired:
                return False
            tick: Any = resume(self.bench.tick)
            tick(POLL_CYCLES)

    def diagnosis(self) -> str:
        """How far the simulation is."""
        return f"in cycle {self.bench.cycle} of the bench"
