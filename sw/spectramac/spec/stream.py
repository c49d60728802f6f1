# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Stream payload layouts.

Amaranth flattens a struct payload to one vector at the Verilog boundary (``input [33:0] i__payload``), so the
bit layout is declared here, once: the gateware builds its ``StructLayout`` from it, and benches and the
driver pack and unpack with it. Fields are packed from bit 0 upwards in order of declaration, as in
``amaranth.lib.data.StructLayout``. Framing is a ``last`` bit beside ``data``, as in AXI4-Stream.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Union

from spectramac.spec.fixed import Format

__all__ = ["Field", "Payload", "complex_payload", "frame", "sample_frame"]


@dataclass(frozen=True)
class Field:
    """A named member: a number :class:`Format` or a nested :class:`Payload`."""

    name: str
    type: Union[Format, "Payload"]

    @property
    def width(self) -> int:
        """Bits taken."""
        return self.type.width


@dataclass(frozen=True)
class Payload:
    """A packed structure of fields."""

    fields: tuple[Field, ...]

    @property
    def width(self) -> int:
        """Total bits."""
        return sum(field.width for field in self.fields)

    def _layout(self) -> Iterator[tuple[Field, int]]:
        offset = 0
        for field in self.fields:
            yield field, offset
            offset += field.width

    def pack(self, values: Mapping[str, Any]) -> int:
        """Encode a mapping of field values as one unsigned integer.

        Raises
        ------
        ValueError
            If a field is missing or a value does not fit its format.
        """
        word = 0
        for field, offset in self._layout():
            if field.name not in values:
                raise ValueError(f"payload field {field.name!r} must be given")
            if isinstance(field.type, Payload):
                raw = field.type.pack(values[field.name])
            else:
                value = int(values[field.name])
                if not field.type.holds(value):
                    raise ValueError(
                        f"payload field {field.name!r} must fit {field.type}, not {value!r}"
                    )
                raw = value & ((1 << field.width) - 1)
            word |= raw << offset
        return word

    def unpack(self, word: int) -> dict[str, Any]:
        """Decode one unsigned integer into a mapping of field values."""
        values: dict[str, Any] = {}
        for field, offset in self._layout():
            raw = (word >> offset) & ((1 << field.width) - 1)
            if isinstance(field.type, Payload):
                values[field.name] = field.type.unpack(raw)
            else:
                if field.type.signed and raw >> (field.width - 1):
                    raw -= 1 << field.width
                values[field.name] = raw
        return values


def complex_payload(fmt: Format) -> Payload:
    """``{re, im}`` of one format."""
    return Payload((Field("re", fmt), Field("im", fmt)))


def frame(payload: Payload | Format) -> Payload:
    """``{data, last}``: a frame is a run of transfers that ends with ``last`` = 1."""
    return Payload((Field("data", payload), Field("last", Format(1, signed=False))))


def sample_frame(fmt: Format, n: int = 1) -> Payload:
    """Complex samples in a frame, ``n`` in a word: ``data`` is ``{re, im}``, or if n > 1 ``{x0: {re, im}, x1: …}``.

    The first sample is in the lowest bits.
    """
    sample = complex_payload(fmt)
    if n == 1:
        return frame(sample)
    return frame(Payload(tuple(Field(f"x{k}", sample) for k in range(n))))
