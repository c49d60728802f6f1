# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
import itertools

import pytest

from spectramac.spec.config import ARCHITECTURE_VERSION, PRESETS, preset
from spectramac.spec.memory import memories
from spectramac.spec.registers import (
    ADDRESS_WIDTH,
    COUNTERS,
    ID,
    OVERFLOWS,
    REQUEST,
    RESPONSE,
    Access,
    register_map,
)

SMALL = register_map(preset("small"))


@pytest.mark.parametrize("name", PRESETS)
def test_addresses_are_the_same_everywhere(name: str) -> None:
    layout = [
        (r.name, r.address, [(f.name, f.offset, f.width, f.access) for f in r.fields])
        for r in register_map(preset(name)).registers
    ]
    assert layout == [
        (r.name, r.address, [(f.name, f.offset, f.width, f.access) for f in r.fields])
        for r in SMALL.registers
    ]


@pytest.mark.parametrize("register", SMALL.registers, ids=lambda r: r.name)
def test_fields_do_not_overlap_and_hold_their_reset(register) -> None:
    assert register.address % 4 == 0
    assert register.address < 1 << ADDRESS_WIDTH
    used = 0
    for field in register.fields:
        mask = ((1 << field.width) - 1) << field.offset
        assert field.offset + field.width <= 32
        assert not used & mask
        assert 0 <= field.reset < 1 << field.width
        assert field.doc.endswith((".", "`"))
        used |= mask
    assert register.doc


def test_names_and_addresses_are_unique() -> None:
    for attribute in ("name", "address"):
        values = [getattr(r, attribute) for r in SMALL.registers]
        assert len(set(values)) == len(values)


def test_identification() -> None:
    assert ID.to_bytes(4, "little") == b"SPMC"
    assert SMALL["id"].address == 0
    assert SMALL["version"].field("version").reset == ARCHITECTURE_VERSION
    for name in PRESETS:
        config = preset(name)
        registers = register_map(config)
        assert registers["build_id"].field("build_id").reset == config.build_id
        geometry = registers["geometry"].decode(registers["geometry"].encode())
        assert geometry == {
            key: getattr(config, key)
            for key in ("n_lanes", "log2_n_max", "data_width", "n_layers_max")
        }


def test_every_flag_and_counter_has_a_place() -> None:
    sticky = [f.name for f in SMALL["status"].fields if f.access is Access.STICKY]
    assert sticky == ["done", "bus_error", *(f"overflow_{place}" for place in OVERFLOWS)]
    for name in COUNTERS:
        assert [f.width for f in SMALL[name].fields] == [32]
    ports = [r.name for r in SMALL.registers if r.fields[0].access is Access.PORT]
    assert ports == ["memory_address", "memory_data"]


@pytest.mark.parametrize("register", SMALL.registers, ids=lambda r: r.name)
def test_encode_and_decode_are_inverse(register) -> None:
    corners = [(0, 1, (1 << f.width) - 1) for f in register.fields]
    for values in itertools.product(*corners):
        named = dict(zip((f.name for f in register.fields), values, strict=True))
        assert register.decode(register.encode(**named)) == named
    resets = {f.name: f.reset for f in register.fields}
    assert register.decode(register.encode()) == resets


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match=r"program.n_pairs is 16 bits wide, cannot hold 65536"):
        SMALL["program"].encode(n_pairs=65536)
    with pytest.raises(ValueError, match=r"'control' has no field 'stat'; did you mean .*'start'"):
        SMALL["control"].encode(stat=1)
    with pytest.raises(ValueError, match=r"no register 'statsu'; did you mean one of: 'status'"):
        SMALL["statsu"]


def test_bus_payloads() -> None:
    assert REQUEST.width == ADDRESS_WIDTH + 1 + 32
    word = REQUEST.pack({"address": 0x24, "write": 1, "data": 0xDEADBEEF})
    assert word == 0x24 | 1 << 8 | 0xDEADBEEF << 9
    assert RESPONSE.width == 32


@pytest.mark.parametrize("name", PRESETS)
def test_memories_have_their_own_numbers_and_fit_the_address_register(name: str) -> None:
    config = preset(name)
    table = memories(config)
    selects = [m.select for m in table.values()]
    assert selects == list(range(len(table)))
    assert max(selects) < 1 << SMALL["memory_select"].field("select").width
    for key, memory in table.items():
        assert memory.name == key
        assert memory.depth <= 1 << SMALL["memory_address"].field("address").width
        assert 32 * (memory.chunks - 1) < memory.width <= 32 * memory.chunks
        assert memory.writable or not memory.in_image
        assert memory.readable or memory.writable
    assert table["coefficient"].chunks == -(-16 * config.n_lanes // 32)
