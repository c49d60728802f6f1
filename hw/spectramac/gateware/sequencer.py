# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the layer program: fetches descriptors and drives the three loops of a layer."""

from typing import Any

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.memory import ReadPort, WritePort
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import LAYER_FIELDS, PITCH, WORDS

__all__ = ["Sequencer", "descriptor_layout"]


def descriptor_layout() -> data.StructLayout:
    """All descriptor fields, as signals."""
    return data.StructLayout({field.name: unsigned(field.width) for field in LAYER_FIELDS})


class Sequencer(wiring.Component):
    """Run ``n_layers`` descriptors, each for ``n_pairs`` inference pairs.

    A layer: fetch the descriptor (one word a cycle), then three loops at once until the last pair's last output is
    written. *Forward* starts a pair's gather when a spectrum bank is free. *Lanes* starts a row group's reader when
    an accumulator bank is free. *Backward* starts a row group's merge when its accumulators are complete.

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
    descriptor : :py:`Out(descriptor_layout())`
    descriptors : :py:`Out(ReadPort)`
    layer_cycles : :py:`Out(WritePort)`
    gather_start, gather_base, gather_busy : forward loop
    reader_start, reader_final, reader_busy, spectrum_released : lanes loop
    group_done : :py:`In(1)`
    merge_start, merge_size, merge_first_pair, merge_busy, merge_released : backward loop
    draining : :py:`Out(n_accumulator_banks)`
    pair_done : :py:`In(1)`
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        descriptor_address = (PITCH * config.n_layers_max - 1).bit_length()
        layer_address = max(1, (config.n_layers_max - 1).bit_length())
        super().__init__(
            {
                "start": In(1),
                "n_layers": In(9),
                "n_pairs": In(16),
                "busy": Out(1),
                "done": Out(1),
                "waiting": Out(1),
                "running": Out(1),
                "start_layer": Out(1),
                "descriptor": Out(descriptor_layout()),
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
        word = Signal(range(WORDS + 2))
        arriving = Signal(range(WORDS + 1))
        cycles = Signal(32)
        pairs_left = Signal(16)
        m.d.comb += [
            self.descriptors.address.eq((layer << 4) + word),
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
                m.d.sync += [layer.eq(0), word.eq(0), cycles.eq(0)]
                with m.If(~self.merge_busy):
                    with m.If((self.n_layers == 0) | (self.n_pairs == 0)):
                        m.next = "finish"
                    with m.Else():
                        m.next = "fetch"
            with m.State("fetch"):
                m.d.comb += self.busy.eq(1)
                m.d.sync += word.eq(word + 1)
                with m.If(word != 0):
                    for field in LAYER_FIELDS:
                        with m.If(arriving == field.word):
                            end = field.offset + field.width
                            m.d.sync += self.descriptor[field.name].eq(
                                self.descriptors.data[field.offset : end]
                            )
                with m.If(word == WORDS):
                    m.next = "begin"
            with m.State("begin"):
                m.d.comb += [self.busy.eq(1), self.start_layer.eq(1)]
                m.d.sync += pairs_left.eq(self.n_pairs)
                m.next = "run"
            with m.State("run"):
                m.d.comb += [self.busy.eq(1), self.running.eq(1)]
                with m.If(self.pair_done):
                    m.d.sync += pairs_left.eq(pairs_left - 1)
                # Accumulators may still be being cleared when the last output is out.
                with m.If((pairs_left == 0) & ~self.merge_busy):
                    m.d.comb += self.layer_cycles.enable.eq(1)
                    m.d.sync += [cycles.eq(0), layer.eq(layer + 1), word.eq(0)]
                    with m.If(layer + 1 == self.n_layers):
                        m.next = "finish"
                    with m.Else():
                        m.next = "fetch"
            with m.State("finish"):
                m.d.comb += [self.busy.eq(1), self.done.eq(1)]
                m.next = "idle"
        self._forward_loop(m)
        self._lanes_loop(m)
        self._backward_loop(m)
        return m

    def _forward_loop(self, m: Module) -> None:
        """Start a gather for each pair when a spectrum bank is free."""
        pairs = Signal(16)
        used = Signal(2)
        m.d.comb += self.gather_start.eq(
            self.running & (pairs != 0) & ~self.gather_busy & (used != self.config.n_spectrum_banks)
        )
        m.d.sync += used.eq(used + self.gather_start - self.spectrum_released)
        with m.If(self.gather_start):
            m.d.sync += [
                pairs.eq(pairs - 1),
                self.gather_base.eq(self.gather_base + self.descriptor.in_stride),
            ]
        with m.If(self.start_layer):
            m.d.sync += [
                pairs.eq(self.n_pairs),
                used.eq(0),
                self.gather_base.eq(self.descriptor.in_base),
            ]

    def _lanes_loop(self, m: Module) -> None:
        """Start a reader for each row group of each pair when an accumulator bank is free."""
        pairs = Signal(16)
        used = Signal(2)
        offset, following = (
            Signal(self.config.size_width + 1, name=n) for n in ("offset", "following")
        )
        m.d.comb += [
            following.eq(offset + self.descriptor.group_out),
            self.reader_start.eq(
                self.running
                & (pairs != 0)
                & ~self.reader_busy
                & (used != self.config.n_accumulator_banks)
            ),
        ]
        m.d.sync += used.eq(used + self.reader_start - self.merge_released)
        with m.If(self.reader_start):
            m.d.sync += [self.reader_final.eq(0), offset.eq(following)]
            with m.If(following >= self.descriptor.padded_out):
                m.d.sync += [self.reader_final.eq(1), offset.eq(0), pairs.eq(pairs - 1)]
        with m.If(self.start_layer):
            m.d.sync += [pairs.eq(self.n_pairs), used.eq(0), offset.eq(0)]

    def _backward_loop(self, m: Module) -> None:
        """Start a merge for each complete row group."""
        n_banks = self.config.n_accumulator_banks
        complete = Signal(2)
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
            m.d.sync += [self.draining[b].eq(bank == b) for b in range(n_banks)]
        with m.If(self.merge_released):
            m.d.sync += self.draining.eq(0)
            if n_banks > 1:
                m.d.sync += bank.eq(~bank)
        with m.If(self.start_layer):
            m.d.sync += [complete.eq(0), offset.eq(0), bank.eq(0), self.draining.eq(0)]
