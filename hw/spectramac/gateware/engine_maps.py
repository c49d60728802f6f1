# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What layers over maps add to the engine's wiring."""

from amaranth import Array, Module, Mux

from spectramac.gateware.gather import Gather
from spectramac.gateware.lanes import Lanes
from spectramac.gateware.merge import Merge
from spectramac.gateware.requantize import Requantize
from spectramac.gateware.scheduler import Scheduler
from spectramac.gateware.sequencer import Sequencer
from spectramac.gateware.spectrum import ColumnReader, SpectrumMemory
from spectramac.gateware.tile_gather import TileGather
from spectramac.gateware.walk import N_PHASES, TapTable
from spectramac.gateware.window import WindowUnit

__all__ = ["connect_maps", "connect_tiles", "connect_window", "make_taps"]


def connect_maps(
    m: Module,
    sequencer: Sequencer,
    reader: ColumnReader,
    scheduler: Scheduler,
    lanes: Lanes,
    merge: Merge,
    requantize: Requantize,
) -> None:
    """What layers over maps need besides."""
    m.d.comb += [
        scheduler.is_convolution.eq(sequencer.in_ring),
        scheduler.is_depthwise.eq(sequencer.is_depthwise),
        lanes.in_ring.eq(sequencer.in_ring),
        lanes.is_depthwise.eq(sequencer.is_depthwise),
        merge.in_ring.eq(sequencer.in_ring),
        merge.start_layer.eq(sequencer.start_layer),
        merge.sweep.eq(sequencer.sweep),
        merge.shift_per_block.eq(sequencer.in_tiles),
        scheduler.in_tiles.eq(sequencer.in_tiles),
        requantize.is_map.eq(sequencer.is_map),
        requantize.in_tiles.eq(sequencer.in_tiles),
        reader.bank_per_block.eq(sequencer.in_tiles),
        reader.empty.eq(sequencer.reader_empty),
        *(
            getattr(reader, name).eq(getattr(sequencer, f"reader_{name}"))
            for name in reader.position(reader.config)
        ),
    ]


def connect_tiles(
    m: Module,
    sequencer: Sequencer,
    gather: Gather,
    tile_gather: TileGather,
    spectrum: SpectrumMemory,
) -> None:
    """The forward loop of tiles: a channel at a time, each a frame in the ring of spectrum memory."""
    m.d.comb += [
        spectrum.in_tiles.eq(sequencer.in_tiles),
        tile_gather.n_pairs.eq(sequencer.n_pairs),
        tile_gather.start_layer.eq(sequencer.start_layer & sequencer.in_tiles),
        tile_gather.start.eq(sequencer.gather_start & sequencer.in_tiles),
        sequencer.tile_more.eq(tile_gather.more),
        sequencer.gather_busy.eq(gather.busy | tile_gather.busy),
    ]
    with m.If(sequencer.in_tiles):
        m.d.comb += gather.start.eq(0)


def make_taps(m: Module, sequencer: Sequencer, reader: ColumnReader, lanes: Lanes) -> TapTable:
    taps = TapTable(sequencer.config)
    firsts = Array(getattr(taps, f"first_{f}") for f in range(N_PHASES))
    m.d.comb += [
        taps.start.eq(sequencer.start_layer & sequencer.in_ring),
        sequencer.taps.eq(taps.busy),
        lanes.tap_write.eq(taps.write),
        lanes.tap_index.eq(taps.index),
        lanes.tap_offset.eq(taps.offset),
        reader.first_row.eq(Mux(sequencer.in_ring, firsts[sequencer.reader_phase], 0)),
    ]
    return taps


def connect_window(
    m: Module, sequencer: Sequencer, window: WindowUnit, requantize: Requantize
) -> None:
    """The window unit takes the place of everything before requantization; all of its samples are outputs."""
    m.d.comb += [
        window.start.eq(sequencer.start_layer & sequencer.in_window),
        window.n_pairs.eq(sequencer.n_pairs),
        # Not ``connect``: where requantization always takes a sample, the window unit needs no enable.
        window.o.ready.eq(requantize.i.ready),
    ]
    with m.If(sequencer.in_window):
        m.d.comb += [
            requantize.i.payload.eq(window.o.payload),
            requantize.i.valid.eq(window.o.valid),
            requantize.padded_out.eq(sequencer.descriptor.n_out),
        ]
