# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The register map: declared once, read by the gateware, the driver, the documentation and the tests."""

import difflib
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from spectramac.spec.config import ARCHITECTURE_VERSION, AcceleratorConfig
from spectramac.spec.fixed import Format
from spectramac.spec.stream import Field as PayloadField
from spectramac.spec.stream import Payload

__all__ = [
    "ID",
    "REQUEST",
    "RESPONSE",
    "Access",
    "Field",
    "Register",
    "RegisterMap",
    "register_map",
]

ID = 0x434D5053
"""``"SPMC"`` in the order of its bytes."""

ADDRESS_WIDTH = 8

REQUEST = Payload(
    (
        PayloadField("address", Format(ADDRESS_WIDTH, signed=False)),
        PayloadField("write", Format(1, signed=False)),
        PayloadField("data", Format(32, signed=False)),
    )
)
"""A bus request. Each read is answered by one :data:`RESPONSE`, in order; a write has no answer."""
RESPONSE = Payload((PayloadField("data", Format(32, signed=False)),))


class Access(Enum):
    """Who changes a field."""

    CONSTANT = "ro-constant"
    """A fact of the configuration."""
    STATUS = "ro"
    """Driven by the hardware."""
    STORAGE = "rw"
    """Holds what the bus wrote."""
    PULSE = "pulse"
    """Writing 1 is an event; reads as 0."""
    STICKY = "w1c"
    """Set by the hardware, cleared by writing 1."""
    PORT = "port"
    """A read or a write is an event with data (the memory port)."""


@dataclass(frozen=True)
class Field:
    """Bits of a register."""

    name: str
    width: int
    access: Access
    doc: str
    reset: int = 0
    offset: int = -1


@dataclass(frozen=True)
class Register:
    """One 32-bit register at byte address ``address``."""

    name: str
    address: int
    doc: str
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field:
        """The field called ``name``.

        Raises
        ------
        ValueError
            If there is none; the message has the nearest names.
        """
        for field in self.fields:
            if field.name == name:
                return field
        near = difflib.get_close_matches(name, [f.name for f in self.fields], cutoff=0.0)
        options = ", ".join(repr(n) for n in near)
        raise ValueError(
            f"register {self.name!r} has no field {name!r}; did you mean one of: {options}?"
        )

    def encode(self, **values: int) -> int:
        """A register word from field values; fields not given take their reset value."""
        for name in values:
            self.field(name)
        word = 0
        for field in self.fields:
            value = values.get(field.name, field.reset)
            if not 0 <= value < 1 << field.width:
                raise ValueError(
                    f"{self.name}.{field.name} is {field.width} bits wide, cannot hold {value}"
                )
            word |= value << field.offset
        return word

    def decode(self, word: int) -> dict[str, int]:
        """Field values of a register word."""
        return {f.name: (word >> f.offset) & ((1 << f.width) - 1) for f in self.fields}


@dataclass(frozen=True)
class RegisterMap:
    """All registers, in order of address."""

    registers: tuple[Register, ...]

    def __getitem__(self, name: str) -> Register:
        for register in self.registers:
            if register.name == name:
                return register
        near = difflib.get_close_matches(name, [r.name for r in self.registers], cutoff=0.0)
        options = ", ".join(repr(n) for n in near)
        raise ValueError(f"there is no register {name!r}; did you mean one of: {options}?")


OVERFLOWS = ("forward_fft", "accumulator", "merge", "inverse_fft")
"""Places where a value may saturate inside the datapath, each with a sticky flag ``overflow_<place>``."""
COUNTERS = ("cycles", "lane_busy", "lane_stalled", "columns_skipped", "saturations")
"""Hardware counters, 32 bits, cleared when a run starts."""


@lru_cache(maxsize=64)
def register_map(config: AcceleratorConfig) -> RegisterMap:
    """The register map of a configuration (resets of constants differ, addresses do not)."""
    const, status, storage = Access.CONSTANT, Access.STATUS, Access.STORAGE
    table: list[tuple[str, str, list[Field]]] = [
        ("id", "Identifies the device.", [Field("id", 32, const, 'Always "SPMC".', ID)]),
        (
            "version",
            "Version of the architecture: image, descriptors, arithmetic.",
            [Field("version", 16, const, "Architecture version.", ARCHITECTURE_VERSION)],
        ),
        (
            "build_id",
            "Hash of the configuration; an image or a driver for another one is refused.",
            [Field("build_id", 32, const, "Hash of the configuration.", config.build_id)],
        ),
        (
            "geometry",
            "What the configuration holds, for people; the driver relies on build_id.",
            [
                Field("n_lanes", 8, const, "MAC lanes.", config.n_lanes),
                Field("log2_n_max", 4, const, "log2 of the largest FFT.", config.log2_n_max),
                Field("data_width", 6, const, "Bits of a spectral value.", config.data_width),
                Field("n_layers_max", 9, const, "Descriptors held.", config.n_layers_max),
            ],
        ),
        (
            "control",
            "Events.",
            [
                Field("start", 1, Access.PULSE, "Run the program. Ignored while busy."),
                Field("reset", 1, Access.PULSE, "Stop a run; memories and settings stay."),
            ],
        ),
        (
            "status",
            "State and sticky flags. Start clears `done` and the overflow flags.",
            [
                Field("busy", 1, status, "A run is in progress."),
                Field("done", 1, Access.STICKY, "A run has finished."),
                Field("bus_error", 1, Access.STICKY, "A bus access was refused."),
                *(
                    Field(f"overflow_{place}", 1, Access.STICKY, f"Saturation in {place}.")
                    for place in OVERFLOWS
                ),
            ],
        ),
        (
            "program",
            "What `start` runs.",
            [
                Field("n_layers", 9, storage, "Layers, from descriptor 0.", 1),
                Field("n_pairs", 16, storage, "Pairs of inferences carried through.", 1),
            ],
        ),
        (
            "memory_select",
            "Which memory the port reaches.",
            [Field("select", 4, storage, "Memory number, see the memory table.")],
        ),
        (
            "memory_address",
            "Word address of the next transfer; a write also restarts at the word's first 32 bits.",
            [Field("address", 16, Access.PORT, "Word address; counts up by itself.")],
        ),
        (
            "memory_data",
            "The memory port: words of more than 32 bits take several transfers, low bits first.",
            [Field("data", 32, Access.PORT, "32 bits of a word. Refused while busy.")],
        ),
        *(
            (name, doc, [Field(name, 32, status, doc)])
            for name, doc in zip(
                COUNTERS,
                (
                    "Clocks from start to done.",
                    "Clocks in which an entry entered the lanes (serial lanes: clocks spent on entries).",
                    "Clocks in which the lanes had none, while a layer ran.",
                    "Columns with stored entries that the threshold skipped.",
                    "Outputs that the requantization saturated.",
                ),
                strict=True,
            )
        ),
    ]
    registers = []
    for i, (name, doc, fields) in enumerate(table):
        offset = 0
        placed = []
        for field in fields:
            placed.append(
                Field(field.name, field.width, field.access, field.doc, field.reset, offset)
            )
            offset += field.width
        assert offset <= 32, f"register {name} has {offset} bits"
        registers.append(Register(name, 4 * i, doc, tuple(placed)))
    return RegisterMap(tuple(registers))
