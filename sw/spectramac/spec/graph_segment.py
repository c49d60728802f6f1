# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Steps of a compiled network graph: maps to load, a program to run, maps to store."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spectramac.spec.errors import ImageError
from spectramac.spec.section import check_integer

__all__ = ["Segment", "Transfer"]

_MOST = (1 << 16) - 1
Span = tuple[int, int]


@dataclass(frozen=True)
class Transfer:
    """A box of a map between host and activation memory, rows of pixels of channels one after the other.

    Parameters
    ----------
    map : str
    rows, columns, channels : (int, int)
        First, and one after the last.
    base, stride : int
        Activation word of the first pair's first value, and words between pairs.
    """

    map: str
    rows: Span
    columns: Span
    channels: Span
    base: int
    stride: int

    def __post_init__(self) -> None:
        if not isinstance(self.map, str):
            raise ImageError(f"the map of a transfer must be a name, not {self.map!r}")
        for name in ("rows", "columns", "channels"):
            span = tuple(getattr(self, name))
            object.__setattr__(self, name, span)
            if len(span) != 2:
                raise ImageError(f"{name} of a transfer must be two numbers, not {span}")
            check_integer(f"first of {name}", span[0], 0, _MOST)
            check_integer(f"end of {name}", span[1], span[0] + 1, _MOST)
        for name in ("base", "stride"):
            check_integer(f"transfer {name}", getattr(self, name), 0, _MOST)

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Index into the map."""
        return slice(*self.rows), slice(*self.columns), slice(*self.channels)

    def plain(self) -> list[Any]:
        """As JSON."""
        return [
            self.map, list(self.rows), list(self.columns), list(self.channels), self.base, self.stride
        ]  # fmt: skip

    @property
    def size(self) -> int:
        """Words of a pair of inferences."""
        return math.prod(end - first for first, end in (self.rows, self.columns, self.channels))


@dataclass(frozen=True)
class Segment:
    """Maps to load, a program to run, maps to store.

    Parameters
    ----------
    layers : tuple of dict
        For reports, one for each descriptor: ``node`` and anything else that is JSON. None: there is no program.
    sections : mapping of str to int
        Number of the section for each memory; other memories keep their contents.
    loads, stores : tuple of Transfer
    """

    layers: tuple[Mapping[str, Any], ...]
    sections: Mapping[str, int]
    loads: tuple[Transfer, ...] = ()
    stores: tuple[Transfer, ...] = ()

    @property
    def n_layers(self) -> int:
        """Descriptors of its program."""
        return len(self.layers)

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "layers": [dict(layer) for layer in self.layers],
            "sections": dict(self.sections),
            "loads": [transfer.plain() for transfer in self.loads],
            "stores": [transfer.plain() for transfer in self.stores],
        }

    @classmethod
    def parse(cls, entry: dict[str, Any]) -> "Segment":
        """From :meth:`plain`.

        Raises
        ------
        ImageError
        """
        if set(entry) != {"layers", "sections", "loads", "stores"}:
            raise ImageError("a segment must have exactly layers, sections, loads and stores")
        layers = entry["layers"]
        if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
            raise ImageError("the layers of a segment must be a list of objects")
        if not isinstance(entry["sections"], dict):
            raise ImageError("the sections of a segment must be an object")
        loads, stores = (
            tuple(Transfer(*transfer) for transfer in entry[key]) for key in ("loads", "stores")
        )
        return cls(tuple(layers), entry["sections"], loads, stores)
