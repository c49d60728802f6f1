# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The in-process library, on a toy with the accelerator's ports."""

import multiprocessing
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth import Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from spectramac.gateware.stream import SkidBuffer, layout
from spectramac.gateware.verilog import to_verilog
from spectramac.sim.library import StreamPorts, VerilatedLibrary, build_library
from spectramac.sim.packing import pack_words, unpack_words
from spectramac.sim.toolchain import BuildError, build_root
from spectramac.spec.fixed import Format
from spectramac.spec.stream import Field, Payload, complex_payload, frame

REQUEST = Payload(
    (
        Field("address", Format(16, signed=False)),
        Field("write", Format(1, signed=False)),
        Field("data", Format(32, signed=False)),
    )
)
RESPONSE = Payload((Field("data", Format(32, signed=False)),))
PORTS = StreamPorts(inputs={"i_request": REQUEST}, outputs={"o_response": RESPONSE})


class Toy(wiring.Component):
    """A memory of 256 words; ``interrupt`` 100 cycles after a write to address 0xffff."""

    def __init__(self) -> None:
        super().__init__(
            {
                "i_request": In(stream.Signature(layout(REQUEST))),
                "o_response": Out(stream.Signature(layout(RESPONSE))),
                "interrupt": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = store = memory.Memory(shape=32, depth=256, init=[])
        write, read = store.write_port(), store.read_port(domain="comb")
        request, response = self.i_request, self.o_response
        count = Signal(7)
        taken = request.valid & request.ready
        special = request.payload.address == 0xFFFF
        m.d.comb += [
            request.ready.eq(request.payload.write | ~response.valid | response.ready),
            write.addr.eq(request.payload.address),
            write.data.eq(request.payload.data),
            write.en.eq(taken & request.payload.write & ~special),
            read.addr.eq(request.payload.address),
            self.interrupt.eq(count == 100),
        ]
        with m.If(response.ready):
            m.d.sync += response.valid.eq(0)
        with m.If(taken & ~request.payload.write):
            m.d.sync += [response.valid.eq(1), response.payload.data.eq(read.data)]
        with m.If((count != 0) & (count != 100)):
            m.d.sync += count.eq(count + 1)
        with m.If(taken & request.payload.write & special):
            m.d.sync += count.eq(request.payload.data)
        return m


@pytest.fixture(scope="module")
def verilog() -> str:
    return to_verilog(Toy(), "toy")


@pytest.fixture
def dut(verilog):
    with VerilatedLibrary(verilog, "toy", PORTS) as library:
        library.reset()
        yield library


def traffic(n: int, seed: int = 0):
    """Random writes and reads, and the responses they must give."""
    rng = np.random.default_rng(seed)
    address = rng.integers(0, 256, n)
    write = rng.integers(0, 2, n)
    data = rng.integers(0, 1 << 32, n)
    store = np.zeros(256, dtype=np.uint64)
    expected = []
    for a, w, d in zip(address, write, data, strict=True):
        if w:
            store[a] = d
        else:
            expected.append(store[a])
    words = pack_words(REQUEST, {"address": address, "write": write, "data": data})
    return words, np.array(expected, dtype=np.uint64)


@pytest.mark.parametrize("stalls", ["none", "source", "sink", "both"])
def test_transact_equals_a_python_memory(dut, stalls):
    if stalls in ("source", "both"):
        dut.set_stall("i_request", 0.4, seed=3)
    if stalls in ("sink", "both"):
        dut.set_stall("o_response", 0.6, seed=4)
    words, expected = traffic(5000)
    np.testing.assert_array_equal(dut.transact(words), expected)


def test_stalls_cost_cycles_and_are_seeded(verilog):
    def cycles(probability: float, seed: int) -> int:
        with VerilatedLibrary(verilog, "toy", PORTS) as dut:
            dut.reset()
            dut.set_stall("i_request", probability, seed)
            start = dut.cycles
            dut.transact(traffic(1000)[0])
            return dut.cycles - start

    assert cycles(0, 1) in (1000, 1001)
    assert 1800 < cycles(0.5, 1) < 2200
    assert cycles(0.5, 1) == cycles(0.5, 1) != cycles(0.5, 2)


def test_push_and_pop(dut):
    reads = pack_words(REQUEST, {"address": np.arange(3), "write": 0, "data": 0})
    writes = pack_words(REQUEST, {"address": np.arange(3), "write": 1, "data": [5, 6, 7]})
    dut.push("i_request", writes)
    dut.push("i_request", reads[2:])
    assert dut.get("o_response__valid") == 1
    assert dut.pop("o_response", 1).tolist() == [7]
    assert dut.get("o_response__valid") == 0


def test_timeout_leaves_a_usable_instance(dut):
    reads = pack_words(REQUEST, {"address": np.arange(9), "write": 0, "data": 0})
    with pytest.raises(TimeoutError, match=r"i_request accepted 1 of 9 words"):
        dut.push("i_request", reads, max_cycles=50)
    with pytest.raises(TimeoutError, match=r"o_response gave 1 of 2"):
        dut.pop("o_response", 2, max_cycles=50)
    dut.reset()
    words, expected = traffic(100)
    np.testing.assert_array_equal(dut.transact(words), expected)


def test_wait(dut):
    dut.push("i_request", pack_words(REQUEST, {"address": 0xFFFF, "write": 1, "data": 90}))
    assert dut.wait("interrupt", max_cycles=50) == 10
    dut.reset()
    with pytest.raises(TimeoutError, match=r"interrupt .* within 50 cycles"):
        dut.wait("interrupt", max_cycles=50)


def test_wide_payloads():
    payload = frame(complex_payload(Format(49)))
    wide = to_verilog(SkidBuffer(layout(payload)), "wide")
    ports = StreamPorts(inputs={"i": payload}, outputs={"o": payload})
    rng = np.random.default_rng(5)
    values = {name: rng.integers(-(1 << 48), 1 << 48, 50) for name in ("data.re", "data.im")}
    values["last"] = rng.integers(0, 2, 50)
    words = pack_words(payload, values)
    one = payload.pack(
        {
            "data": {"re": values["data.re"][7], "im": values["data.im"][7]},
            "last": values["last"][7],
        }
    )
    assert int.from_bytes(words[7].tobytes(), "little") == one
    with VerilatedLibrary(wide, "wide", ports) as dut:
        got = unpack_words(payload, dut.exchange({"i": words}, {"o": 50})["o"])
        assert got.keys() == values.keys()
        for name, array in values.items():
            np.testing.assert_array_equal(got[name], array)


def test_bad_use_is_refused(verilog, dut):
    with pytest.raises(ValueError, match="must be one of i_request, not"):
        dut.push("request", [0])
    with pytest.raises(ValueError, match="unsigned numbers of 49 bits"):
        dut.push("i_request", [1 << 49])
    with pytest.raises(ValueError, match="unsigned numbers of 49 bits"):
        dut.push("i_request", [-1])
    with pytest.raises(TypeError, match="must be integers, not float64"):
        dut.push("i_request", [0.5])
    with pytest.raises(ValueError, match=r"payload field 'data' must fit uQ32.0, not 4294967296"):
        pack_words(REQUEST, {"address": 0, "write": 1, "data": 1 << 32})
    with pytest.raises(ValueError, match="input 'i_request__payload' of 50 bits, it has an input"):
        build_library(verilog, "toy", StreamPorts(inputs={"i_request": 50}))
    with pytest.raises(ValueError, match=r"top must be a module of the Verilog \(.*toy.*\), not"):
        build_library(verilog, "joy", PORTS)
    dut.close()
    with pytest.raises(ValueError, match="must be open, and was closed"):
        dut.step()


def test_trace_is_written(verilog, tmp_path):
    path = tmp_path / "waves" / "toy.fst"
    with VerilatedLibrary(verilog, "toy", PORTS, trace=path) as dut:
        dut.reset()
        dut.transact(traffic(200)[0])
    assert path.stat().st_size > 1000


def test_two_instances_do_not_share_state(verilog):
    with VerilatedLibrary(verilog, "toy", PORTS) as a, VerilatedLibrary(verilog, "toy", PORTS) as b:
        for dut in (a, b):
            dut.reset()
        a.transact(pack_words(REQUEST, {"address": 1, "write": 1, "data": 9}))
        read = pack_words(REQUEST, {"address": 1, "write": 0, "data": 0})
        assert (a.transact(read).tolist(), b.transact(read).tolist()) == ([9], [0])


def _build(verilog: str, root: Path) -> str:
    return str(build_library(verilog, "toy", PORTS, root=root))


@pytest.fixture
def warm_root(tmp_path):
    """An empty cache, except for Verilator's runtime, which takes long to compile."""
    (build_root() / "runtime").mkdir(parents=True, exist_ok=True)
    (tmp_path / "runtime").symlink_to(build_root() / "runtime")
    return tmp_path


def test_two_processes_build_once(verilog, warm_root):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        paths = pool.starmap(_build, [(verilog, warm_root)] * 2)
    assert paths[0] == paths[1]
    assert [p.name for p in (warm_root / "library").iterdir() if p.is_dir()] == [
        Path(paths[0]).parent.name
    ]


def test_a_failed_build_leaves_nothing(verilog, warm_root):
    broken = verilog.replace("endmodule", "assign nothing = ;\nendmodule")
    with pytest.raises(BuildError, match="Verilator on module 'toy' failed"):
        build_library(broken, "toy", PORTS, root=warm_root)
    assert [p for p in (warm_root / "library").iterdir() if p.is_dir()] == []


def test_hundred_times_faster_than_amaranths_simulator(dut):
    words, expected = traffic(300)

    async def bench(ctx: Any) -> None:
        toy, got, k = simulated, [], 0
        ctx.set(toy.o_response.ready, 1)
        while len(got) < len(expected):
            ctx.set(toy.i_request.valid, k < len(words))
            ctx.set(toy.i_request.payload.as_value(), int(words[min(k, len(words) - 1)]))
            *_, valid, data, ready = await ctx.tick().sample(
                toy.o_response.valid, toy.o_response.payload.data, toy.i_request.ready
            )
            got += [data] if valid else []
            k += ready
        assert got == expected.tolist()

    simulated = Toy()
    simulator = Simulator(simulated)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    start = time.perf_counter()
    simulator.run()
    slow = (time.perf_counter() - start) / len(words)

    words, _ = traffic(100_000)
    dut.transact(words)
    start = time.perf_counter()
    dut.transact(words)
    fast = (time.perf_counter() - start) / len(words)
    print(f"a cycle: library {fast * 1e9:.0f} ns, Amaranth {slow * 1e6:.0f} us: {slow / fast:.0f}x")
    assert slow >= 100 * fast
