# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the layer program: fetches descriptors and drives the three loops of a layer."""

from typing import Any

from amaranth import C, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.memory import ReadPort, WritePort
from spectramac.gateware.spectrum import ColumnReader
from spectramac.gateware.walk import Walk
from spectramac.spec.config import OUTPUT_SLOTS, AcceleratorConfig
from spectramac.spec.descriptor import (
    FIELDS,
    LAYER_FIELDS,
    MAP_WORDS,
    PITCH,
    WORDS,
    Kind,
    pitch,
)
from spectramac.spec.timing import TILE_BANKS, tile_banks

__all__ = ["Sequencer", "descriptor_layout"]


def descriptor_layout(config: AcceleratorConfig) -> data.StructLayout:
    """All descriptor fields that the configuration knows, as signals."""
    fields = FIELDS if config.maps else LAYER_FIELDS
    return data.StructLayout({field.name: unsigned(field.width) for field in fields})


class Sequencer(wiring.Component):
    """Run ``n_layers`` descriptors, each for ``n_pairs`` inference pairs.

    A layer: fetch the descriptor (one word a cycle), then three loops at once until the last pair's last output is
    written. *Forward* starts a pair's gather when a spectrum bank is free. *Lanes* starts a row group's reader when
    an accumulator bank is free. *Backward* starts a row group's merge when its accumulators are complete.

    With ``config.maps``, a convolution: the tap table is written first; *forward* starts a gather for each pixel that
    is used, *lanes* a reader for each position, if a part of bank 1 is free for the output that ends there, *backward*
    a merge for each output. After the last output all accumulators are made zero. Tiles: *forward* starts a gather for
    each channel of each tile, *lanes* a reader for each tile that has begun. A layer of the window unit: no loop
    runs but requantization.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`

    Members
    -------
    start : :py:`In(1)`
    n_layers, n_pairs : :py:`In(…)`
    busy, done : :py:`Out(1)`
        ``done`` is a strobe.
    waiting : :py:`Out(1)`
        The accumulators are still being zeroed after a reset; not counted.
    running : :py:`Out(1)`
        A layer's loops are running.
    start_layer : :py:`Out(1)`
        Strobe: the descriptor is valid, everything starts afresh.
    descriptor : :py:`Out(descriptor_layout(config))`
    descriptors : :py:`Out(ReadPort)`
    layer_cycles : :py:`Out(WritePort)`
    gather_start, gather_base, gather_busy : forward loop
    reader_start, reader_final, reader_busy, spectrum_released : lanes loop
    group_done : :py:`In(1)`
    merge_start, merge_size, merge_first_pair, merge_busy, merge_released : backward loop
    draining : :py:`Out(n_accumulator_banks)`
    pair_done : :py:`In(1)`
    taps : :py:`In(1)`
        With ``config.maps``: the tap table is being written.
    in_ring : :py:`Out(1)`
        The layer is a convolution.
    is_depthwise : :py:`Out(1)`
        It is a depthwise one.
    in_window : :py:`Out(1)`
        The window unit runs the layer.
    is_map : :py:`Out(1)`
        It is a layer over maps.
    in_tiles : :py:`Out(1)`
        It is a convolution in tiles.
    tile_more : :py:`In(1)`
        See :class:`~spectramac.gateware.tile_gather.TileGather`.
    sweep : :py:`Out(1)`
        See :class:`~spectramac.gateware.merge.Merge`.
    reader_empty, reader_phase, reader_ring, … : lanes loop
        The position, as of :class:`~spectramac.gateware.spectrum.ColumnReader`.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        maps = {
            "taps": In(1),
            "in_ring": Out(1),
            "is_depthwise": Out(1),
            "in_window": Out(1),
            "is_map": Out(1),
            "in_tiles": Out(1),
            "tile_more": In(1),
            "sweep": Out(1),
            "reader_empty": Out(1),
            "reader_phase": Out(2),
            **{
                f"reader_{name}": Out(width)
                for name, width in ColumnReader.position(config).items()
            },
        }
        descriptor_address = (PITCH * config.n_layers_max - 1).bit_length()
        layer_address = max(1, (config.n_layers_max - 1).bit_length())
        super().__init__(
            {
                **(maps if config.maps else {}),
                "start": In(1),
                "n_layers": In(9),
                "n_pairs": In(16),
                "busy": Out(1),
                "done": Out(1),
                "waiting": Out(1),
                "running": Out(1),
                "start_layer": Out(1),
                "descriptor": Out(descriptor_layout(config)),
                "descriptors": Out(ReadPort(descriptor_address, 32)),
                "layer_cycles": Out(WritePort(layer_address, 32)),
                "gather_start": Out(1),
                "gather_base": Out(16),
                "gather_busy": In(1),
                "reader_start": Out(1),
                "reader_final": Out(1),
                "reader_busy": In(1),
                "spectrum_released": In(1),
                "group_done": In(1),
                "merge_start": Out(1),
                "merge_size": Out(config.size_width),
                "merge_first_pair": Out(16),
                "merge_busy": In(1),
                "merge_released": In(1),
                "draining": Out(config.n_accumulator_banks),
                "pair_done": In(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        layer = Signal(9)
        fields = FIELDS if self.config.maps else LAYER_FIELDS
        most = MAP_WORDS if self.config.maps else WORDS
        word = Signal(range(most + 2))
        arriving = Signal(range(most + 1))
        first_word = Signal(len(self.descriptors.address))
        end = Mux(self.is_map, MAP_WORDS, WORDS) if self.config.maps else WORDS
        cycles = Signal(32)
        pairs_left = Signal(16)
        m.d.comb += [
            self.descriptors.address.eq(first_word + word),
            self.descriptors.enable.eq(1),
            self.layer_cycles.address.eq(layer),
            self.layer_cycles.data.eq(cycles + 1),
        ]
        m.d.sync += [arriving.eq(word), cycles.eq(cycles + 1)]
        with m.FSM():
            with m.State("idle"):
                with m.If(self.start):
                    m.next = "wait"
            with m.State("wait"):
                m.d.comb += [self.busy.eq(1), self.waiting.eq(1)]
                m.d.sync += [layer.eq(0), word.eq(0), first_word.eq(0), cycles.eq(0)]
                with m.If(~self.merge_busy):
                    with m.If((self.n_layers == 0) | (self.n_pairs == 0)):
                        m.next = "finish"
                    with m.Else():
                        m.next = "fetch"
            with m.State("fetch"):
                m.d.comb += self.busy.eq(1)
                m.d.sync += word.eq(word + 1)
                with m.If(word != 0):
                    for field in fields:
                        with m.If(arriving == field.word):
                            top = field.offset + field.width
                            m.d.sync += self.descriptor[field.name].eq(
                                self.descriptors.data[field.offset : top]
                            )
                with m.If(word == end):
                    m.next = "begin"
            with m.State("begin"):
                m.d.comb += [self.busy.eq(1), self.start_layer.eq(1)]
                m.d.sync += [
                    pairs_left.eq(self.n_pairs),
                    first_word.eq(
                        first_word
                        + (
                            Mux(self.is_map, pitch(Kind.CONVOLUTION), pitch(Kind.LAYER))
                            if self.config.maps
                            else PITCH
                        )
                    ),
                ]
                m.next = "run"
                if self.config.maps:
                    with m.If(self.in_ring):
                        m.next = "taps"
            if self.config.maps:
                with m.State("taps"):
                    m.d.comb += self.busy.eq(1)
                    with m.If(~self.taps):
                        m.next = "run"
            with m.State("run"):
                m.d.comb += [self.busy.eq(1), self.running.eq(1)]
                with m.If(self.pair_done):
                    m.d.sync += pairs_left.eq(pairs_left - 1)
                # Accumulators may still be being cleared when the last output is out.
                with m.If((pairs_left == 0) & ~self.merge_busy):
                    if self.config.maps:
                        with m.If(self.in_ring):
                            m.d.comb += self.sweep.eq(1)
                            m.next = "sweep"
                        with m.Else():
                            self._next(m, layer, word, cycles)
                    else:
                        self._next(m, layer, word, cycles)
            if self.config.maps:
                with m.State("sweep"):
                    m.d.comb += self.busy.eq(1)
                    with m.If(~self.merge_busy):
                        self._next(m, layer, word, cycles)
            with m.State("finish"):
                m.d.comb += [self.busy.eq(1), self.done.eq(1)]
                m.next = "idle"
        forward, lanes = None, None
        if self.config.maps:
            kind = self.descriptor.kind
            m.d.comb += [
                self.is_map.eq(kind != Kind.LAYER),
                self.in_ring.eq(Value.cast(kind).matches(*(k for k in Kind if k.in_ring))),
                self.in_tiles.eq(kind == Kind.TILES),
                self.in_window.eq(Value.cast(kind).matches(*(k for k in Kind if k.in_window))),
                self.is_depthwise.eq(kind == Kind.DEPTHWISE),
            ]
            forward, lanes = self._walk(m, "forward_walk"), self._walk(m, "lanes_walk")
        most_banks = max(self.config.n_spectrum_banks, TILE_BANKS if self.config.maps else 0)
        banks = Signal(range(most_banks + 1))  # of spectrum memory, in use
        self._forward_loop(m, forward, banks)
        self._lanes_loop(m, lanes, banks)
        self._backward_loop(m)
        return m

    def _next(self, m: Module, layer: Signal, word: Signal, cycles: Signal) -> None:
        """The layer is done: on to the next."""
        m.d.comb += self.layer_cycles.enable.eq(1)
        m.d.sync += [cycles.eq(0), layer.eq(layer + 1), word.eq(0)]
        with m.If(layer + 1 == self.n_layers):
            m.next = "finish"
        with m.Else():
            m.next = "fetch"

    @property
    def _n_pairs(self) -> Any:
        """Inference pairs for the loops before requantization."""
        return Mux(self.in_window, 0, self.n_pairs) if self.config.maps else self.n_pairs

    def _walk(self, m: Module, name: str) -> Walk:
        m.submodules[name] = walk = Walk(self.config)
        for field in FIELDS:
            if field.name in walk.signature.members:
                m.d.comb += getattr(walk, field.name).eq(self.descriptor[field.name])
        m.d.comb += [
            walk.start.eq(self.start_layer & self.in_ring),
            walk.n_pairs.eq(self.n_pairs),
        ]
        return walk

    @property
    def _groups_max(self) -> int:
        """Row groups that may be complete or on their way to it."""
        return OUTPUT_SLOTS if self.config.maps else 2

    def _forward_loop(self, m: Module, walk: Walk | None, used: Signal) -> None:
        """Start a gather for each pair, pixel, or channel of a tile, when a spectrum bank is free."""
        pairs = Signal(16)
        limit: Any = self.config.n_spectrum_banks
        pending: Any = pairs != 0
        if walk is not None:
            limit = self._spectrum_banks(m)
            pending = Mux(self.in_tiles, self.tile_more, pending)
            pending = Mux(self.in_ring, walk.active & walk.used, pending)
            m.d.comb += walk.step.eq(self.running & walk.active & (self.gather_start | ~walk.used))
        m.d.comb += self.gather_start.eq(
            self.running & pending & ~self.gather_busy & (used != limit)
        )
        m.d.sync += used.eq(used + self.gather_start - self.spectrum_released)
        base = Signal(16)
        m.d.comb += self.gather_base.eq(
            base if walk is None else Mux(self.in_ring, walk.address, base)
        )
        with m.If(self.gather_start):
            m.d.sync += [
                pairs.eq(pairs - 1),
                base.eq(base + self.descriptor.in_stride),
            ]
        with m.If(self.start_layer):
            m.d.sync += [pairs.eq(self._n_pairs), used.eq(0), base.eq(self.descriptor.in_base)]

    def _spectrum_banks(self, m: Module) -> Signal:
        """How many there are in this layer."""
        limit = Signal(range(TILE_BANKS + 1), init=self.config.n_spectrum_banks)
        m.d.sync += limit.eq(self.config.n_spectrum_banks)
        with m.If(self.in_tiles), m.Switch(self.descriptor.in_log2_n):
            for log2_n in range(4, self.config.log2_n_max + 1, 2):
                with m.Case(log2_n):
                    m.d.sync += limit.eq(tile_banks(self.config, log2_n))
        return limit

    def _lanes_loop(self, m: Module, walk: Walk | None, spectra: Signal) -> None:
        """Start a reader for each row group of each pair, position, or tile, when an accumulator bank is free."""
        pairs = Signal(16)
        used = Signal(range(self._groups_max + 1))
        offset, following = (
            Signal(self.config.size_width + 1, name=n) for n in ("offset", "following")
        )
        remain: Any = pairs != 0
        if walk is not None:
            # The reader lets go of a tile's last channel before it ends: another one is the next tile's.
            remain = Mux(self.in_tiles, spectra != 0, remain)
        pending: Any = remain & (used != self.config.n_accumulator_banks)
        takes: Any = self.reader_start  # a bank
        if walk is not None:
            free = ~walk.writes | (used != OUTPUT_SLOTS)
            pending = Mux(self.in_ring, walk.active & free, pending)
            takes = self.reader_start & (~self.in_ring | walk.writes)
            m.d.comb += [
                walk.step.eq(self.reader_start & self.in_ring),
                self.reader_empty.eq(self.in_ring & ~walk.used),
                self.reader_phase.eq(Mux(self.in_ring, walk.phase, 0)),
                *(
                    getattr(self, f"reader_{name}").eq(getattr(walk, name))
                    for name in ColumnReader.position(self.config)
                ),
            ]
        m.d.comb += [
            following.eq(offset + self.descriptor.group_out),
            self.reader_start.eq(self.running & pending & ~self.reader_busy),
        ]
        m.d.sync += used.eq(used + takes - self.merge_released)
        with m.If(self.reader_start):
            m.d.sync += [self.reader_final.eq(0), offset.eq(following)]
            with m.If(following >= self.descriptor.padded_out):
                m.d.sync += [self.reader_final.eq(1), offset.eq(0), pairs.eq(pairs - 1)]
        with m.If(self.start_layer):
            m.d.sync += [pairs.eq(self._n_pairs), used.eq(0), offset.eq(0)]

    def _backward_loop(self, m: Module) -> None:
        """Start a merge for each complete row group."""
        n_banks = self.config.n_accumulator_banks
        complete = Signal(range(self._groups_max + 1))
        offset, following = (
            Signal(self.config.size_width + 1, name=n) for n in ("offset", "following")
        )
        bank = Signal()
        rest = Signal(self.config.size_width + 1)
        m.d.comb += [
            following.eq(offset + self.descriptor.group_out),
            rest.eq(self.descriptor.padded_out - offset),
            self.merge_start.eq(self.running & (complete != 0) & ~self.merge_busy),
            self.merge_size.eq(
                Mux(rest < self.descriptor.group_out, rest, self.descriptor.group_out)
            ),
            self.merge_first_pair.eq(self.descriptor.row_shift_base + offset[1:]),
        ]
        m.d.sync += complete.eq(complete + self.group_done - self.merge_start)
        with m.If(self.merge_start):
            m.d.sync += offset.eq(Mux(following >= self.descriptor.padded_out, 0, following))
            ring = self.in_ring if self.config.maps else C(0)  # whose outputs are in the last bank
            m.d.sync += [
                self.draining[b].eq(Mux(ring, b == n_banks - 1, bank == b)) for b in range(n_banks)
            ]
        with m.If(self.merge_released):
            m.d.sync += self.draining.eq(0)
            if n_banks > 1:
                m.d.sync += bank.eq(~bank)
        with m.If(self.start_layer):
            m.d.sync += [complete.eq(0), offset.eq(0), bank.eq(0), self.draining.eq(0)]
