# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The register file in lock-step with the model device: random accesses, events, values from the hardware."""

from typing import Any

import numpy as np
from amaranth.sim import Simulator
from tests.gateware.drive import Sink, Source, memory, put

from spectramac.gateware.regfile import RegisterFile
from spectramac.host.model_device import ModelDevice
from spectramac.host.transport import Read, Write
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.memory import memories
from spectramac.spec.registers import COUNTERS, OVERFLOWS, REQUEST, RESPONSE, register_map

__all__ = ["check_registers"]


class _Idle(ModelDevice):
    """A program is done at once and computes nothing; the bench drives what hardware would."""

    def _run(self, n_layers: int, n_pairs: int) -> None:
        pass


class _Random:
    """Random bus accesses, mostly to the memory port."""

    def __init__(self, config: AcceleratorConfig, rng: np.random.Generator) -> None:
        self.rng = rng
        self.map = {r.name: r.address for r in register_map(config).registers}
        self.depths = {m.select: m.depth for m in memories(config).values()}

    def accesses(self) -> list[Read | Write]:
        rng, address = self.rng, self.map
        n = int(rng.integers(1, 6))
        data = rng.integers(0, 1 << 32, n)
        port = address["memory_data"]
        kind = int(rng.integers(6))
        if kind == 0:  # anything but a start, which must be followed by a pause
            target = int(rng.choice([a for a in range(256) if a != address["control"]]))
            return [Write(target, data[:1]), Read(target)]
        if kind == 1:
            return [Write(address["status"], data[:1]), Read(address["status"])]
        if kind == 2:
            return [Write(port, data), Read(address["memory_address"]), Read(port, n)]
        select = int(rng.integers(16))
        depth = self.depths.get(select, 4)
        start = int(rng.choice([0, 1, depth - 2, depth - 1, 0xFFFF, rng.integers(1 << 16)]))
        aim = [Write(address["memory_select"], select), Write(address["memory_address"], start)]
        transfer = Read(port, n) if kind == 3 else Write(port, data)
        return [*aim, transfer, Read(address["status"]), Read(address["memory_address"])]


class _Lockstep:
    """The device under test and the model, told the same things."""

    def __init__(self, config: AcceleratorConfig, seed: int, stall: float) -> None:
        self.config, self.seed, self.stall = config, seed, stall
        self.rng = np.random.default_rng(seed)
        self.dut, self.model = RegisterFile(config), _Idle(config, count_cycles=False)
        self.accesses = _Random(config, self.rng)
        self.address = self.accesses.map
        self.contents: dict[str, list[int]] = {}
        for m in memories(config).values():
            words = self.rng.integers(0, 1 << min(m.width, 32), m.depth)
            readable = m.readable and not m.writable
            self.contents[m.name] = words.tolist() if readable else [0] * m.depth
            if readable:
                self.model._contents[m.name][:, 0] = words
        self.n_compared = 0

    def writes(self, name: str) -> Any:
        """A process: the memory behind a write port."""
        port = getattr(self.dut, f"memory_{name}")
        signals = (port.enable, port.address, port.data)

        async def process(ctx: Any) -> None:
            async for _, _, enable, address, data in ctx.tick().sample(*signals):
                if enable:
                    self.contents[name][address] = data

        return process

    def processes(self) -> list[Any]:
        table = memories(self.config).values()
        reads = [
            memory(getattr(self.dut, f"read_{m.name}"), self.contents[m.name])
            for m in table
            if m.readable
        ]
        return reads + [self.writes(m.name) for m in table if m.writable]

    async def transact(self, ctx: Any, transfers: list[Read | Write]) -> None:
        """On both; the answers must be the same."""
        requests = []
        for t in transfers:
            if isinstance(t, Read):
                requests += [{"address": t.address, "write": 0, "data": 0}] * t.n
            else:
                values = np.atleast_1d(t.values).tolist()
                requests += [{"address": t.address, "write": 1, "data": int(v)} for v in values]
        dut, seed = self.dut, int(self.rng.integers(1 << 30))
        words = [REQUEST.pack(request) for request in requests]
        source = Source(ctx, dut.i_request, words, self.stall, seed)
        sink = Sink(ctx, dut.o_response, self.stall, seed + 1)
        n_reads = sum(not request["write"] for request in requests)
        answers: list[int] = []
        held: int | None = None
        cycle = 0
        while source.taken < len(words) or len(answers) < n_reads:
            assert cycle < 200 + 40 * len(words), f"seed {self.seed}: {transfers} never answered"
            source.step()
            sink.step()
            _, _, ready, valid, data = await ctx.tick().sample(
                dut.i_request.ready, dut.o_response.valid, dut.o_response.payload.as_value()
            )
            source.ticked(ready)
            assert held is None or (valid and data == held), "the response changed or was dropped"
            held = data if valid and not sink.ready else None
            if valid and sink.ready:
                answers.append(RESPONSE.unpack(data)["data"])
            cycle += 1
        ctx.set(dut.i_request.valid, 0)
        ctx.set(dut.o_response.ready, 0)
        expected = [int(v) for answer in self.model.transact(transfers) for v in answer]
        self.n_compared += len(expected)
        where = f"seed {self.seed}, {transfers}"
        assert answers == expected, f"{where}: rtl {answers}, model {expected}"

    async def event(self, ctx: Any) -> None:
        """Something that the hardware does, or a start or reset of it."""
        dut, values = self.dut, self.model._values
        kind = int(self.rng.integers(5))
        if kind == 0:
            name = OVERFLOWS[int(self.rng.integers(len(OVERFLOWS)))]
            values["status"][f"overflow_{name}"] = 1
            await self.pulse(ctx, f"status_overflow_{name}")
        elif kind == 1:
            for name in COUNTERS:
                value = int(self.rng.integers(1 << 32))
                values[name][name] = value
                put(ctx, dut, **{name: value})
        elif kind == 2:
            busy = int(self.rng.integers(2))
            values["status"]["busy"] = busy
            put(ctx, dut, status_busy=busy)
        else:
            word = int(self.rng.integers(4))
            before = values["status"]["busy"]
            counters = {name: int(ctx.get(getattr(dut, name))) for name in COUNTERS}
            await self.transact(ctx, [Write(self.address["control"], [word])])
            if word & 2:
                put(ctx, dut, status_busy=0)
            if word == 1 and not before:
                await self.pulse(ctx, "status_done")
            cleared = word & 2 or (word == 1 and not before)
            for name, value in counters.items():
                put(ctx, dut, **{name: 0 if cleared else value})
                assert values[name][name] == (0 if cleared else value)
            done, interrupt = values["status"]["done"], ctx.get(dut.interrupt)
            assert interrupt == done, f"seed {self.seed}: interrupt {interrupt}, done {done}"

    async def pulse(self, ctx: Any, name: str) -> None:
        put(ctx, self.dut, **{name: 1})
        await ctx.tick()
        put(ctx, self.dut, **{name: 0})

    def run(self, n_rounds: int) -> None:
        async def bench(ctx: Any) -> None:
            addresses = [a for name, a in self.address.items() if name != "memory_data"]
            await self.transact(ctx, [Read(a) for a in addresses])
            for _ in range(n_rounds):
                await self.transact(ctx, self.accesses.accesses())
                if self.rng.random() < 0.3:
                    await self.event(ctx)
            await self.transact(ctx, [Read(a) for a in addresses])

        simulator = Simulator(self.dut)
        simulator.add_clock(1e-6)
        for process in self.processes():
            simulator.add_process(process)
        simulator.add_testbench(bench)
        simulator.run()
        for m in memories(self.config).values():
            chunks = self.model._contents[m.name].astype(object)
            expected = [sum(int(v) << 32 * k for k, v in enumerate(row)) for row in chunks]
            assert self.contents[m.name] == expected, f"seed {self.seed}: memory {m.name} differs"


def check_registers(
    config: AcceleratorConfig, *, seed: int, stall: float = 0.0, n_rounds: int = 60
) -> int:
    """Random rounds; returns how many words were read and compared."""
    lockstep = _Lockstep(config, seed, stall)
    lockstep.run(n_rounds)
    return lockstep.n_compared
