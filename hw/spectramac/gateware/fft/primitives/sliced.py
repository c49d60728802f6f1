# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Memories made of block RAMs side by side, each 2048 bytes of 9 bits: 512 words of 36 bits, 1024 of 18, 2048 of 9."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from amaranth import Cat, Const, Signal

__all__ = ["Slice", "slices"]


@dataclass(frozen=True)
class Slice:
    """One block RAM of a memory.

    Attributes
    ----------
    width : int
        36, 18 or 9; what the memory does not need of it is not connected.
    low : int
        Address bits below the word's, of an address of single bits.
    write, read : Value
        Addresses of a bit; the low bits are 0.
    data, out : Value
        36 bits.
    contents : callable
        ``contents(row)``: bits ``288*row`` to ``288*row + 287``.
    """

    width: int
    low: int
    write: Any
    read: Any
    data: Any
    out: Any
    contents: Callable[[int], int]


def slices(m: Any, ram: Any) -> Iterator[Slice]:
    """Those that make up a :class:`spectramac.gateware.fft.device.BlockRAM`; ``out`` is connected to its output."""
    size, low = next(
        (size, low) for size, low in ((36, 5), (18, 4), (9, 3)) if ram.depth <= 1 << (14 - low)
    )
    for k, start in enumerate(range(0, ram.width, size)):
        width = min(size, ram.width - start)
        address = [Signal(14, name=f"{port}{k}") for port in ("write", "read")]
        data, out = Signal(36, name=f"data{k}"), Signal(36, name=f"out{k}")
        bits = 0
        for place, word in enumerate(ram.init):
            bits |= (word >> start & (1 << width) - 1) << (size * place)
        m.d.comb += [
            address[0].eq(Cat(Const(0, low), ram.write_address)),
            address[1].eq(Cat(Const(0, low), ram.read_address)),
            data.eq(ram.write_data[start : start + width]),
            ram.read_data[start : start + width].eq(out),
        ]
        yield Slice(size, low, address[0], address[1], data, out, _rows(bits))


def _rows(bits: int) -> Callable[[int], int]:
    return lambda row: bits >> (288 * row) & (1 << 288) - 1
