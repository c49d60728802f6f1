# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
import numpy as np
import pytest
from tests.spec.images import dense_image

from spectramac.host.model_device import ModelDevice
from spectramac.host.transport import Read, Write, open_transport
from spectramac.model.image import to_chunks
from spectramac.spec.config import preset
from spectramac.spec.memory import memories
from spectramac.spec.registers import COUNTERS, ID, OVERFLOWS, Access, register_map

CONFIG = preset("small")
MAP = register_map(CONFIG)
MEMORIES = memories(CONFIG)
ADDRESS = {r.name: r.address for r in MAP.registers}
N_FREE = 16 - len(MEMORIES)


class Bus:
    """Registers by name."""

    def __init__(self) -> None:
        self.device = ModelDevice(CONFIG)

    def write(self, register: str, *values: int) -> None:
        self.device.write(ADDRESS[register], values)

    def read(self, register: str, n: int = 1) -> list[int]:
        return self.device.read(ADDRESS[register], n).tolist()

    def status(self) -> dict[str, int]:
        return MAP["status"].decode(self.read("status")[0])

    def aim(self, memory: str | int, address: int) -> None:
        self.write("memory_select", memory if isinstance(memory, int) else MEMORIES[memory].select)
        self.write("memory_address", address)

    def clear(self) -> None:
        self.write("status", 0xFFFFFFFF)

    def load(self, weights: np.ndarray, x: np.ndarray) -> None:
        image = dense_image(weights, config=CONFIG)
        for name, section in image.sections.items():
            self.aim(name, 0)
            self.write("memory_data", *to_chunks(section).reshape(-1).tolist())
        self.aim("activation", 0)
        self.write("memory_data", *(int(v) & 0xFF for v in x))


@pytest.fixture
def bus() -> Bus:
    return Bus()


def test_reset_values(bus: Bus) -> None:
    for register in MAP.registers:
        if register.fields[0].access is not Access.PORT:
            assert bus.read(register.name) == [register.encode()], register.name
    assert bus.read("id") == [ID]
    assert bus.read("memory_address") == [0]


def test_every_address_is_a_register_or_an_error(bus: Bus) -> None:
    mapped = set(ADDRESS.values())
    for address in set(range(256)) - mapped:
        for access in (
            lambda a: bus.device.read(a, 2).tolist(),
            lambda a: bus.device.write(a, [5]),
        ):
            assert access(address) in ([0, 0], None)
            assert bus.status()["bus_error"] == 1
            bus.clear()
            assert bus.status()["bus_error"] == 0
    for address in mapped - {ADDRESS["memory_data"]}:
        bus.device.read(address)
        bus.device.write(address, [0])
        assert bus.status()["bus_error"] == 0
    for address in (-1, 256):
        with pytest.raises(ValueError, match="address must be from 0 to 255"):
            bus.device.read(address)
        with pytest.raises(ValueError, match="address must be from 0 to 255"):
            bus.device.write(address, [0])


def test_read_only_registers_ignore_writes(bus: Bus) -> None:
    for register in MAP.registers:
        if all(f.access in (Access.CONSTANT, Access.STATUS) for f in register.fields):
            before = bus.read(register.name)
            bus.write(register.name, 0xFFFFFFFF, 0)
            assert bus.read(register.name) == before
    assert bus.status()["bus_error"] == 0


def test_storage_keeps_only_its_bits(bus: Bus) -> None:
    bus.write("program", 0xFFFFFFFF)
    assert bus.read("program") == [(1 << 25) - 1]
    bus.write("memory_select", 0xFFFFFFFF)
    assert bus.read("memory_select") == [15]
    bus.write("memory_address", 0x12345678)
    assert bus.read("memory_address", 3) == [0x5678] * 3
    assert bus.read("control") == [0]


@pytest.mark.parametrize("data", [[1.5], ["a"], [-1], [1 << 32]])
def test_data_must_be_words(bus: Bus, data: list) -> None:
    with pytest.raises((TypeError, ValueError), match="bus data must"):
        bus.device.write(0, data)


# The memory port.


def test_activation_memory_reads_back_and_counts_up(bus: Bus) -> None:
    bus.aim("activation", 5)
    bus.write("memory_data", 0x1234, 0xFFFF5678)
    assert bus.read("memory_address") == [7]
    bus.aim("activation", 4)
    assert bus.read("memory_data", 4) == [0, 0x1234, 0x5678, 0]
    assert bus.read("memory_address") == [8]
    assert bus.status()["bus_error"] == 0


def test_wide_words_are_committed_with_their_last_chunk(bus: Bus) -> None:
    memory = MEMORIES["coefficient"]
    assert (memory.width, memory.chunks) == (48, 2)
    contents = bus.device._contents["coefficient"]
    bus.aim("coefficient", 9)
    bus.write("memory_data", 0x11111111)
    assert not contents.any()
    assert bus.read("memory_address") == [9]
    bus.write("memory_data", 0xABCD2222, 0x33333333)
    assert contents[9].tolist() == [0x11111111, 0x2222]
    assert bus.read("memory_address") == [10]
    # A write of the address forgets the half word.
    bus.write("memory_address", 20)
    bus.write("memory_data", 1, 2, 3)
    assert contents[20].tolist() == [1, 2]
    assert not contents[10].any()


@pytest.mark.parametrize("cuts", [(1, 1, 1, 1, 1, 1), (6,), (3, 3), (1, 4, 1), (2, 3, 1)])
def test_bursts_of_any_length_do_the_same(bus: Bus, cuts: tuple[int, ...]) -> None:
    words = np.arange(1, 7)
    bus.aim("coefficient", 0)
    for part in np.split(words, np.cumsum(cuts)[:-1]):
        bus.device.write(ADDRESS["memory_data"], part)
    assert bus.device._contents["coefficient"][:4].tolist() == [[1, 2], [3, 4], [5, 6], [0, 0]]
    bus.aim("activation", 0)
    bus.device.write(ADDRESS["memory_data"], words)
    bus.aim("activation", 0)
    answers = [bus.device.read(ADDRESS["memory_data"], n) for n in cuts]
    assert np.concatenate(answers).tolist() == words.tolist()


@pytest.mark.parametrize("memory", MEMORIES.values(), ids=lambda m: m.name)
def test_access_rights_and_bounds(bus: Bus, memory) -> None:
    last = memory.depth - 1
    for allowed, access in (
        (memory.writable, lambda: bus.write("memory_data", *[1] * memory.chunks)),
        (memory.readable, lambda: bus.read("memory_data", memory.chunks)),
    ):
        for address in (last, memory.depth):
            bus.aim(memory.name, address)
            access()
            refused = not allowed or address > last
            assert bus.status()["bus_error"] == refused
            assert bus.read("memory_address") == [(address + 1) & 0xFFFF]
            bus.clear()


def test_a_burst_over_the_end_writes_what_fits(bus: Bus) -> None:
    depth = MEMORIES["activation"].depth
    bus.aim("activation", depth - 2)
    bus.write("memory_data", 1, 2, 3)
    assert bus.status()["bus_error"] == 1
    bus.clear()
    bus.write("memory_address", depth - 2)
    assert bus.read("memory_data", 3) == [1, 2, 0]
    assert bus.status()["bus_error"] == 1
    assert bus.read("memory_address") == [depth + 1]


@pytest.mark.parametrize("select", range(16 - N_FREE, 16))
def test_a_number_without_memory_is_refused_and_still_counts(bus: Bus, select: int) -> None:
    bus.aim(select, 0xFFFF)
    assert bus.read("memory_data", 2) == [0, 0]
    assert bus.read("memory_address") == [1]
    bus.write("memory_data", 7)
    assert bus.read("memory_address") == [2]
    assert bus.status()["bus_error"] == 1


# Running.

WEIGHTS = np.array([[16, 32, 0, -16], [0, 16, 16, 127]])


def test_a_run(bus: Bus) -> None:
    bus.load(WEIGHTS, np.array([1, 2, 3, 100]))
    bus.write("control", MAP["control"].encode(start=1))
    assert bus.device.wait(ADDRESS["status"], 2, 2, timeout=0)
    assert bus.status() | {"done": 1} == bus.status()
    bus.aim("activation", 4)
    low = np.array(bus.read("memory_data", 2)).astype(np.int8)
    assert low.tolist() == [1 + 4 - 100, 127]
    assert bus.read("saturations") == [1]
    assert not any(bus.status()[f"overflow_{p}"] for p in OVERFLOWS)
    bus.write("status", MAP["status"].encode(done=1))
    assert bus.status()["done"] == 0


@pytest.mark.parametrize("settings", [{"n_layers": 0}, {"n_pairs": 0}])
def test_an_empty_run_is_done_at_once(bus: Bus, settings: dict) -> None:
    bus.load(WEIGHTS, np.array([1, 2, 3, 100]))
    bus.write("control", 1)
    assert bus.read("saturations") == [1]
    bus.clear()
    bus.write("program", MAP["program"].encode(**settings))
    bus.write("control", 1)
    assert bus.status()["done"] == 1
    for name in COUNTERS:
        assert bus.read(name) == [0]


def test_overflow_flags_are_sticky_and_cleared_by_start(bus: Bus) -> None:
    narrow = CONFIG.replace(accumulator_width=17)
    weights = np.full((2, 16), 127)
    image = dense_image(weights, config=narrow)
    bus.device = ModelDevice(narrow)
    for name, section in image.sections.items():
        bus.aim(name, 0)
        bus.write("memory_data", *to_chunks(section).reshape(-1).tolist())
    bus.aim("activation", 0)
    bus.write("memory_data", *[127] * 16)
    bus.write("control", 1)
    assert bus.status()["overflow_accumulator"] == 1
    assert bus.status()["overflow_merge"] == 1
    assert bus.status()["overflow_forward_fft"] == 0
    bus.write("status", MAP["status"].encode(overflow_merge=1))
    assert bus.status()["overflow_accumulator"] == 1
    assert bus.status()["overflow_merge"] == 0
    bus.aim("activation", 0)
    bus.write("memory_data", *[0] * 16)
    bus.device.read(0xFC)
    bus.write("control", 1)
    assert bus.status()["overflow_accumulator"] == 0
    assert bus.status()["bus_error"] == 1


def test_a_senseless_program_hangs_until_reset(bus: Bus) -> None:
    bus.load(WEIGHTS, np.array([1, 2, 3, 100]))
    bus.aim("descriptor", 2)
    bus.write("memory_data", 0)
    bus.write("control", 1)
    assert bus.status()["busy"] == 1
    assert not bus.device.wait(ADDRESS["status"], 2, 2, timeout=0)
    assert "layer 0: n_in" in bus.device.diagnosis()
    # Busy: memory is refused, start is ignored, settings can be written.
    bus.aim("activation", 0)
    assert bus.read("memory_data") == [0]
    assert bus.status()["bus_error"] == 1
    bus.write("memory_data", 9)
    bus.write("program", MAP["program"].encode(n_layers=0))
    bus.write("control", 1)
    assert bus.status()["done"] == 0
    bus.clear()
    bus.write("control", 3)
    assert bus.status() == dict.fromkeys(bus.status(), 0)
    assert bus.device.diagnosis() == ""
    bus.aim("activation", 0)
    assert bus.read("memory_data") == [1]


# The transport interface.


def test_transact_keeps_order() -> None:
    with open_transport("model", CONFIG) as transport:
        answers = transport.transact(
            [
                Write(ADDRESS["memory_select"], MEMORIES["activation"].select),
                Write(ADDRESS["memory_address"], [3, 1]),
                Write(ADDRESS["memory_data"], np.array([7, 8, 9])),
                Read(ADDRESS["memory_address"]),
                Write(ADDRESS["memory_address"], 2),
                Read(ADDRESS["memory_data"], 2),
            ]
        )
    assert [a.tolist() for a in answers] == [[4], [8, 9]]
    assert all(a.dtype == np.uint32 for a in answers)


def test_unknown_transport_lists_the_others() -> None:
    with pytest.raises(ValueError, match="one of model, sim, not 'mmio'"):
        open_transport("mmio", CONFIG)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from spectramac.host import transport

    monkeypatch.setitem(transport.TRANSPORTS, "sim", ("spectramac.no_such_module", "X"))
    with pytest.raises(ModuleNotFoundError, match=r"no_such_module.*pip install"):
        open_transport("sim", CONFIG)
