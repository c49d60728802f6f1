# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""From kept columns and the directory to jobs for the lanes."""

from typing import Any

from amaranth import Array, C, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.directory import DirectoryReader
from spectramac.gateware.memory import ReadPort
from spectramac.gateware.stream import SkidBuffer, connect, layout
from spectramac.gateware.walk import N_PHASES
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import (
    COUNT_WIDTH,
    ENTRY_WIDTH,
    job,
    kept_columns,
    position_fields,
    row_width,
)

__all__ = ["Scheduler"]


_MAP_PORTS = {
    "is_convolution": In(1),
    "is_depthwise": In(1),
    "in_tiles": In(1),
    "phase_words": In(16),
    "pixel_rows": In(16),
    "entry_1": In(ENTRY_WIDTH),
    "entry_2": In(ENTRY_WIDTH),
    "entry_3": In(ENTRY_WIDTH),
}


class Scheduler(wiring.Component):
    """Look up how many entries each column has; pass on what is neither empty nor dropped.

    A pair takes one cycle for each of its directory words: (a, b), or (c, a, b) if ``is_complex``; longer while the
    queue behind is full. Entries of a column that is not kept are counted past, not fetched. A marker takes one cycle
    and passes on; a ``final`` marker rewinds to the layer's first directory word, and the next word is there
    :attr:`rewind_cycles` later.

    With ``config.registered_paths`` a :class:`SkidBuffer` in front and a register behind the directory memory cut
    the longest paths of the engine; a pair then begins :attr:`latency` cycles after its transfer. Otherwise
    ``o`` follows ``i`` combinationally and ``i.ready`` depends on ``o.ready``.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`

    Members
    -------
    rewind : :py:`In(1)`
        Start of a layer.
    directory_base : :py:`In(16)`
    uniform_count : :py:`In(8)`
        See :class:`~spectramac.gateware.directory.DirectoryReader`.
    is_complex : :py:`In(1)`
    memory : :py:`Out(ReadPort)`
        Directory memory.
    i : :py:`In(stream.Signature(kept_columns(config)))`
    o : :py:`Out(stream.Signature(job(config)))`
    skipped : :py:`Out(1)`
        Strobe: a column with entries was not kept.

    With ``config.maps``: a marker of a convolution passes on only where an output ends, and has the count
    ``pixel_rows``; a final marker rewinds to the first directory word and entry of its ``next_phase``.

    In tiles a pair has one directory word, c; where it is two real bins its entries are ``apart``.

    In a depthwise convolution a pair is loaded to the lane of its number, which takes a cycle and no directory word.
    When all lanes have one, or at the marker, follows a job with all lanes' own columns, and ``base`` so that its first
    entry, ``pixel_rows`` after it, is in the next row of the pixel. Nothing is skipped.

    is_convolution, is_depthwise, in_tiles : :py:`In(1)`
    phase_words, pixel_rows, entry_1, entry_2, entry_3 : :py:`In(…)`
        From the descriptor.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        address_width = (config.directory_depth - 1).bit_length()
        super().__init__(
            {
                "rewind": In(1),
                "directory_base": In(16),
                "uniform_count": In(COUNT_WIDTH),
                "is_complex": In(1),
                "memory": Out(ReadPort(address_width, COUNT_WIDTH)),
                "i": In(stream.Signature(layout(kept_columns(config)))),
                "o": Out(stream.Signature(layout(job(config)))),
                "skipped": Out(1),
                **(_MAP_PORTS if config.maps else {}),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from the transfer of a pair to its first directory word."""
        return int(self.config.registered_paths)

    @property
    def rewind_cycles(self) -> int:
        """Cycles from a final marker to the next directory word."""
        return 2 + int(self.config.registered_paths)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.config.registered_paths:
            m.submodules.buffer = buffer = SkidBuffer(self.i.payload.shape())
            connect(m, wiring.flipped(self.i), buffer.i)
            source = buffer.o
        else:
            source = wiring.flipped(self.i)
        i, o = source.payload, self.o.payload
        m.submodules.directory = directory = DirectoryReader(self.config)
        wiring.connect(m, wiring.flipped(self.memory), directory.memory)
        count = Signal(COUNT_WIDTH)
        count_valid, count_zero = Signal(), Signal()
        entry = Signal(ENTRY_WIDTH)
        step = Signal(2)
        kind = Signal(2)  # 0: complex, 1: column a, 2: column b
        keep = Signal()
        known = Signal()
        done = Signal()
        take = Signal()
        rewind = Signal()
        passes, marker_count, base, first_entry = self._phase(m, i)
        last: Any = kind == 2
        load, own = Signal(), Signal()  # depthwise: what comes next, if it is not the marker
        place: Any = i.base
        if self.config.maps:
            last |= self.in_tiles | self.is_depthwise
            m.d.comb += o.apart.eq(self.in_tiles & ~i.joint)
            place = self._own(m, i, load, own, done, rewind)
        marker = i.marker & ~own
        m.d.comb += [
            kind.eq(Mux(self.is_complex, step, step + 1)),
            keep.eq(Array([i.keep_a | i.keep_b, i.keep_a, i.keep_b, 0])[kind]),
            known.eq(source.valid & (marker | load | count_valid)),
            self.o.valid.eq(known & Mux(marker, passes, load | (~count_zero & (keep | own)))),
            done.eq(known & (~self.o.valid | self.o.ready)),
            take.eq(done & ~marker & ~load),
            source.ready.eq(done & (marker | last) & ~own),
            self.skipped.eq(take & ~count_zero & ~(keep | own)),
            rewind.eq(self.rewind | (done & marker & i.final)),
            o.marker.eq(marker),
            o.is_complex.eq((kind == 0) & ~marker),
            o.entry.eq(entry),
            o.count.eq(Mux(marker, marker_count, Mux(load, 1, count))),
            o.base.eq(place),
            o.a1.eq(Mux(kind == 2, i.b1, i.a1)),
            o.a2.eq(Mux(kind == 2, i.b2, i.a2)),
            o.b1.eq(i.b1),
            o.b2.eq(i.b2),
            *(o[field.name].eq(i[field.name]) for field in position_fields(self.config)),
            directory.base.eq(base),
            directory.uniform_count.eq(self.uniform_count),
            directory.rewind.eq(rewind),
        ]
        fetched = Signal()  # the memory's output is a word that is still wanted
        if self.config.registered_paths:
            refill = ~count_valid | take
            m.d.comb += directory.fetch.eq(~fetched | refill)
            with m.If(refill):
                m.d.sync += [
                    count.eq(directory.count),
                    count_zero.eq(directory.zero),
                    count_valid.eq(fetched),
                ]
        else:
            m.d.comb += [
                count.eq(directory.count),
                count_zero.eq(directory.zero),
                count_valid.eq(fetched),
                directory.fetch.eq(~fetched | take),
            ]
        with m.If(directory.fetch):
            m.d.sync += fetched.eq(1)
        with m.If(take):
            m.d.sync += [entry.eq(entry + count), step.eq(Mux(last, 0, step + 1))]
        if self.config.registered_paths:
            with m.If(rewind):
                m.d.sync += count_valid.eq(0)
        with m.If(rewind):
            m.d.sync += [fetched.eq(0), entry.eq(first_entry), step.eq(0)]
        return m

    def _own(self, m: Module, i: Any, load: Any, own: Any, done: Any, rewind: Any) -> Signal:
        """A depthwise convolution's loads and entries in turn; returns the job's ``base``."""
        n_lanes = self.config.n_lanes
        loaded = Signal(range(n_lanes + 1))
        some, full = Signal(), Signal()  # lanes are loaded, all of them
        row = Signal(row_width(self.config))  # of the pixel, less the rows between the taps'
        base = Signal.like(row, name="place")
        m.d.comb += [
            own.eq(full | (i.marker & some)),
            load.eq(self.is_depthwise & ~i.marker & ~full),
            base.eq(Mux(load, loaded, i.base + Mux(own, row, 0))),
            self.o.payload.load.eq(load),
            self.o.payload.own.eq(own),
        ]
        with m.If(done & load):
            m.d.sync += [loaded.eq(loaded + 1), some.eq(1), full.eq(loaded == n_lanes - 1)]
        with m.If(done & own):
            m.d.sync += [loaded.eq(0), some.eq(0), full.eq(0), row.eq(row + 1)]
        with m.If(rewind):
            m.d.sync += row.eq(1 - self.pixel_rows)
        return base

    def _phase(self, m: Module, i: Any) -> tuple[Any, Any, Any, Any]:
        """Whether a marker passes, its count, and where the directory and the entries begin after it."""
        if not self.config.maps:
            return C(1), C(1), self.directory_base, C(0)
        bases = [Signal(16, name=f"base_{f}") for f in range(N_PHASES)]
        # Facts of the layer, stable long before they matter.
        m.d.sync += bases[0].eq(self.directory_base)
        m.d.sync += [bases[f].eq(bases[f - 1] + self.phase_words) for f in range(1, N_PHASES)]
        entries = [C(0), self.entry_1, self.entry_2, self.entry_3]
        phase = Mux(self.is_convolution & ~self.rewind, i.next_phase, 0)
        base = Mux(self.rewind, self.directory_base, Array(bases)[phase])
        passes = ~self.is_convolution | i.retires
        count = Mux(self.is_convolution, self.pixel_rows[:COUNT_WIDTH], 1)
        return passes, count, base, Array(entries)[phase]
