# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Stream plumbing: checked connection, payload layouts from the spec, elastic registers, a queue.

Stream law (as in Amaranth): once ``valid`` is high it stays high and the payload stays stable until the
transfer; ``valid`` never waits for ``ready``; ``ready`` may depend combinationally on ``valid``.
"""

from itertools import pairwise
from typing import Any

from amaranth import Module, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spectramac.spec.stream import Field, Payload

__all__ = ["Queue", "SkidBuffer", "connect", "connect_pipeline", "layout", "same_shape"]


def layout(payload: Payload) -> data.StructLayout:
    """The Amaranth layout of a payload declared in :mod:`spectramac.spec.stream`."""

    def shape(field: Field) -> Any:
        if isinstance(field.type, Payload):
            return layout(field.type)
        return signed(field.type.width) if field.type.signed else unsigned(field.type.width)

    return data.StructLayout({field.name: shape(field) for field in payload.fields})


def same_shape(a: Any, b: Any) -> bool:
    """Whether two payload shapes agree in structure, width and sign (not only in width)."""
    return bool(a == b)


def connect(m: Module, source: Any, sink: Any, names: tuple[str, str] = ("source", "sink")) -> None:
    """Connect an output stream to an input stream of the same payload.

    Raises
    ------
    TypeError
        If the payload shapes differ; Amaranth's own ``wiring.connect`` compares widths only.
    """
    a, b = source.payload.shape(), sink.payload.shape()
    if not same_shape(a, b):
        raise TypeError(f"cannot connect {names[0]} to {names[1]}: payload {a!r} != {b!r}")
    m.d.comb += [
        sink.payload.eq(source.payload),
        sink.valid.eq(source.valid),
        source.ready.eq(sink.ready),
    ]


def connect_pipeline(m: Module, *components: Any) -> None:
    """Connect ``o`` of each component to ``i`` of the next."""
    for a, b in pairwise(components):
        connect(m, a.o, b.i, (f"{type(a).__name__}.o", f"{type(b).__name__}.i"))


class SkidBuffer(wiring.Component):
    """Two elastic registers whose ``i.ready`` is a register: breaks the combinational ready path.

    Latency 1 cycle, one transfer a cycle. ``i.ready`` does not depend combinationally on ``o.ready``.

    Parameters
    ----------
    shape : shape-like
        Payload shape.

    Members
    -------
    i : :py:`In(stream.Signature(shape))`
    o : :py:`Out(stream.Signature(shape))`
    """

    def __init__(self, shape: Any) -> None:
        self.shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        payload, spare = (
            Signal(self.shape, name=name, reset_less=True) for name in ("payload", "spare")
        )
        spare_valid = Signal()
        m.d.comb += [self.i.ready.eq(~spare_valid), self.o.payload.eq(payload)]
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [
                self.o.valid.eq(self.i.valid | spare_valid),
                spare_valid.eq(0),
            ]
            with m.If(spare_valid):
                m.d.sync += payload.eq(spare)
            with m.Else():
                m.d.sync += payload.eq(self.i.payload)
        with m.Elif(self.i.valid & ~spare_valid):
            m.d.sync += [spare.eq(self.i.payload), spare_valid.eq(1)]
        return m


class Queue(wiring.Component):
    """A first-in first-out buffer of registers or distributed RAM.

    A transfer into an empty queue can leave in the next cycle; room made by a transfer out can be used in the
    next cycle. ``i.ready`` does not depend combinationally on ``o.ready``.

    Parameters
    ----------
    shape : shape-like
        Payload shape.
    depth : int
        Transfers held; a power of two.

    Members
    -------
    i : :py:`In(stream.Signature(shape))`
    o : :py:`Out(stream.Signature(shape))`
    """

    def __init__(self, shape: Any, *, depth: int) -> None:
        if depth < 1 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two, not {depth!r}")
        self.shape = shape
        self.depth = depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.depth == 1:
            m.d.comb += self.i.ready.eq(~self.o.valid)
            with m.If(self.i.ready & self.i.valid):
                m.d.sync += [self.o.payload.eq(self.i.payload), self.o.valid.eq(1)]
            with m.Elif(self.o.ready):
                m.d.sync += self.o.valid.eq(0)
            return m
        width = len(self.i.payload.as_value())
        m.submodules.memory = memory = Memory(shape=unsigned(width), depth=self.depth, init=[])
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        written = Signal(range(2 * self.depth))
        taken = Signal(range(2 * self.depth))
        level = Signal(range(2 * self.depth))
        m.d.comb += [
            level.eq(written - taken),
            self.i.ready.eq(level != self.depth),
            self.o.valid.eq(level != 0),
            write.addr.eq(written),
            write.data.eq(self.i.payload.as_value()),
            write.en.eq(self.i.valid & self.i.ready),
            read.addr.eq(taken),
            self.o.payload.as_value().eq(read.data),
        ]
        with m.If(write.en):
            m.d.sync += written.eq(written + 1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += taken.eq(taken + 1)
        return m
