# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the block benches share, inside the simulator: memories behind read ports, labelled comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from spectramac.sim.streams import Bench, StreamSink

__all__ = ["Memory", "compare", "drive"]


def drive(dut: Any, **values: int) -> None:
    """Set plain input ports."""
    for name, value in values.items():
        getattr(dut, name).value = int(value)


class Memory:
    """Answers a component's read port: ``data`` follows ``address`` by one cycle if ``enable``.

    :attr:`words` may be changed at any time.
    """

    def __init__(self, dut: Any, port: str) -> None:
        self.words: Sequence[int] = []
        self._clock = dut.clk
        self._address, self._enable, self._data = (
            getattr(dut, f"{port}__{name}") for name in ("address", "enable", "data")
        )
        self._data.value = 0
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        while True:
            await FallingEdge(self._clock)
            enable, address = int(self._enable.value), int(self._address.value)
            await RisingEdge(self._clock)
            if enable:
                inside = address < len(self.words)
                self._data.value = int(self.words[address]) if inside else 0


async def compare(
    bench: Bench, sink: StreamSink, expected: Sequence[Mapping[str, Any]], labels: Sequence[str]
) -> None:
    """Wait for ``expected`` at ``sink``; the first difference is reported by its label and field.

    A field that is None in ``expected`` is not looked at.
    """
    start, begin = getattr(sink, "compared", 0), bench.cycle
    while len(sink.received) < start + len(expected):
        if bench.cycle - begin > bench.budget:
            missing = labels[len(sink.received) - start]
            raise AssertionError(f"{missing}: nothing came within {bench.budget} cycles")
        await bench.tick()
    sink.compared = start + len(expected)  # type: ignore[attr-defined]
    for word, wanted, label in zip(sink.received[start:], expected, labels, strict=False):
        for name, value in wanted.items():
            message = f"{label}: {name}: rtl {word[name]}, model {value}"
            bench.check(value is None or word[name] == value, message)
