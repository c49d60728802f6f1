# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The engine: the block diagram of docs/design.md, wired."""

from functools import partial
from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.engine_maps import (
    connect_maps,
    connect_tiles,
    connect_window,
    make_taps,
)
from spectramac.gateware.fft import FFT
from spectramac.gateware.gather import Gather
from spectramac.gateware.lanes import Lanes
from spectramac.gateware.memory import Storage
from spectramac.gateware.merge import Merge
from spectramac.gateware.regfile import memory_ports
from spectramac.gateware.requantize import Requantize
from spectramac.gateware.scheduler import Scheduler
from spectramac.gateware.sequencer import Sequencer
from spectramac.gateware.serial_lanes import SerialLanes
from spectramac.gateware.serial_merge import SerialMerge
from spectramac.gateware.spectrum import ColumnReader, SpectrumMemory
from spectramac.gateware.stream import Queue, SkidBuffer, connect, connect_pipeline, layout
from spectramac.gateware.threshold import Split, Threshold
from spectramac.gateware.tile_gather import TileGather
from spectramac.gateware.window import WindowUnit
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.memory import memories
from spectramac.spec.payloads import job
from spectramac.spec.registers import COUNTERS, OVERFLOWS

__all__ = ["Engine"]


class Engine(wiring.Component):
    """Everything behind the register file: memories, loops and datapath.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`
    technology : str
        See :class:`~spectramac.gateware.memory.Storage`.

    Members
    -------
    start : :py:`In(1)`
    n_layers, n_pairs : :py:`In(…)`
    busy, done : :py:`Out(1)`
    overflow_<place> : :py:`Out(1)`
        Strobes.
    <counter> : :py:`Out(32)`
    memory_<name> : :py:`In(WritePort)`
    read_<name> : :py:`In(ReadPort)`
        Host access, while not ``busy``.
    """

    def __init__(self, config: AcceleratorConfig, *, technology: str = "generic") -> None:
        self.config = config
        self.technology = technology
        ports: dict[str, Any] = {
            "start": In(1),
            "n_layers": In(9),
            "n_pairs": In(16),
            "busy": Out(1),
            "done": Out(1),
        }
        ports |= {f"overflow_{place}": Out(1) for place in OVERFLOWS}
        ports |= {name: Out(32) for name in COUNTERS}
        ports |= {name: In(port.signature) for name, port in memory_ports(config).items()}
        super().__init__(ports)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config

        m.submodules.sequencer = sequencer = Sequencer(config)
        m.submodules.gather = gather = Gather(config)
        # What follows each transform always takes its results, so that no queue is needed.
        transform = partial(
            FFT,
            config.fft,
            queue=False,
            technology=self.technology,
            small_roms_in_logic=config.n_lanes >= 16,  # their accumulators take most block RAM
        )
        m.submodules.forward_fft = forward_fft = transform()
        m.submodules.spectrum = spectrum = SpectrumMemory(config)
        m.submodules.reader = reader = ColumnReader(config)
        if config.is_serial:
            m.submodules.lanes = lanes = SerialLanes(config)
            m.submodules.merge = merge = SerialMerge(config)
            scheduler = threshold = lanes
        else:
            m.submodules.split = split = Split(config)
            m.submodules.threshold = threshold = Threshold(config)
            m.submodules.scheduler = scheduler = Scheduler(config)
            m.submodules.queue = queue = Queue(layout(job(config)), depth=config.job_queue_depth)
            m.submodules.lanes = lanes = Lanes(config, technology=self.technology)
            m.submodules.merge = merge = Merge(config)
        m.submodules.inverse_fft = inverse_fft = transform()
        m.submodules.requantize = requantize = Requantize(config)
        activations, row_shifts = gather.memory, merge.shifts
        if config.maps:
            m.submodules.window = window = WindowUnit(config)
            m.submodules.tile_gather = tile_gather = TileGather(config)
            activations = self._shared(m, sequencer.in_tiles, activations, tile_gather.memory)
            activations = self._shared(m, sequencer.in_window, activations, window.memory)
            row_shifts = self._shared(m, sequencer.in_window, row_shifts, window.shifts)
        storage = self._memories(m)

        # The datapath, from activations to activations.
        d = sequencer.descriptor
        gathered = gather.o
        if config.maps:
            gathered = gather.o.signature.create()
            with m.If(sequencer.in_tiles):
                connect(m, tile_gather.o, gathered)
            with m.Else():
                connect(m, gather.o, gathered)
        gathered = self._registered(m, "gather_buffer", gathered)
        self._through_fft(m, d.in_log2_n != 0, gathered, forward_fft, spectrum.i)
        wiring.connect(m, reader.memory, spectrum.read)
        m.d.comb += [
            lanes.draining.eq(
                sequencer.draining | merge.sweeping.replicate(config.n_accumulator_banks)
            ),
            lanes.clear.eq(merge.clear),
        ]
        if config.is_serial:
            connect_pipeline(m, reader, lanes)
            m.d.comb += [
                lanes.drain_address.eq(merge.drain_address),
                *(merge.drained[i].eq(lanes.drained[i]) for i in range(2)),
            ]
        else:
            connect(m, self._registered(m, "reader_buffer", reader.o), split.i)
            connect_pipeline(m, split, threshold, scheduler, queue, lanes)
            m.d.comb += [
                lanes.drain_row.eq(merge.drain_row),
                lanes.drain_lane.eq(merge.drain_lane),
                merge.drained.eq(lanes.drained),
            ]
        self._through_fft(m, d.out_log2_n != 0, merge.o, inverse_fft, requantize.i)

        # Memories.
        wiring.connect(m, sequencer.descriptors, storage["descriptor"].read)
        directory = lanes.directory if config.is_serial else scheduler.memory
        wiring.connect(m, directory, storage["directory"].read)
        wiring.connect(m, lanes.coefficients, storage["coefficient"].read)
        wiring.connect(m, lanes.indices, storage["index"].read)
        wiring.connect(m, row_shifts, storage["row_shift"].read)
        wiring.connect(m, requantize.biases, storage["bias"].read)
        wiring.connect(m, requantize.scales, storage["scale"].read)
        wiring.connect(m, sequencer.layer_cycles, storage["layer_cycles"].write)
        for name in (
            "descriptor",
            "directory",
            "coefficient",
            "index",
            "row_shift",
            "bias",
            "scale",
            *(("kernel",) if config.maps else ()),
        ):
            wiring.connect(m, wiring.flipped(getattr(self, f"memory_{name}")), storage[name].write)
        wiring.connect(m, wiring.flipped(self.read_layer_cycles), storage["layer_cycles"].read)
        self._share_activation(m, storage["activation"], activations, requantize)

        # Descriptor fields to the components' inputs of the same name.
        aliases: dict[Any, dict[str, str]] = {
            gather: {"log2_n": "in_log2_n"},
            spectrum: {"log2_n": "in_log2_n"},
            reader: {"log2_n": "in_log2_n", "two_d": "in_two_d"},
            scheduler: {},
            lanes: {},
            merge: {"log2_n": "out_log2_n", "two_d": "out_two_d"},
            requantize: {"log2_n": "out_log2_n"},
        }
        if config.maps:
            connect_maps(m, sequencer, reader, scheduler, lanes, merge, requantize)
            m.submodules.taps = taps = make_taps(m, sequencer, reader, lanes)
            aliases |= {taps: {}, window: {}, tile_gather: {"log2_n": "in_log2_n"}}
        names = set(d.shape().members)
        for component, renamed in aliases.items():
            for port in component.signature.members:
                field = renamed.get(port, port)
                if field in names:
                    m.d.comb += getattr(component, port).eq(d[field])
        if config.maps:
            connect_window(m, sequencer, window, requantize)
            wiring.connect(m, window.kernels, storage["kernel"].read)
        m.d.comb += [
            threshold.level.eq(Cat(d.level_low, d.level_high)),
            forward_fft.log2_n.eq(d.in_log2_n),
            forward_fft.two_d.eq(d.in_two_d),
            forward_fft.halve.eq(d.halve_in),
            forward_fft.inverse.eq(0),
            inverse_fft.log2_n.eq(d.out_log2_n),
            inverse_fft.two_d.eq(d.out_two_d),
            inverse_fft.halve.eq(d.halve_out),
            inverse_fft.inverse.eq(1),
        ]

        # The loops.
        m.d.comb += [
            sequencer.start.eq(self.start),
            sequencer.n_layers.eq(self.n_layers),
            sequencer.n_pairs.eq(self.n_pairs),
            self.busy.eq(sequencer.busy),
            self.done.eq(sequencer.done),
            spectrum.clear.eq(sequencer.start_layer),
            lanes.start_layer.eq(sequencer.start_layer),
            requantize.start.eq(sequencer.start_layer),
            gather.start.eq(sequencer.gather_start),
            gather.base.eq(sequencer.gather_base),
            sequencer.gather_busy.eq(gather.busy),
            reader.start.eq(sequencer.reader_start),
            reader.final.eq(sequencer.reader_final),
            reader.available.eq(spectrum.available),
            sequencer.reader_busy.eq(reader.busy),
            spectrum.released.eq(reader.released),
            sequencer.spectrum_released.eq(reader.released),
            sequencer.group_done.eq(lanes.group_done),
            merge.start.eq(sequencer.merge_start),
            merge.size.eq(sequencer.merge_size),
            merge.first_pair.eq(sequencer.merge_first_pair),
            sequencer.merge_busy.eq(merge.busy),
            sequencer.merge_released.eq(merge.released),
            sequencer.pair_done.eq(requantize.pair_done),
        ]
        if config.maps:
            connect_tiles(m, sequencer, gather, tile_gather, spectrum)
        if not config.is_serial:
            m.d.comb += scheduler.rewind.eq(sequencer.start_layer)
        if config.fft_architecture == "iterative":
            # This FFT holds one frame: the next may only start when the last has left.
            in_flight = Signal()
            with m.If(merge.frame_start & (d.out_log2_n != 0)):
                m.d.sync += in_flight.eq(1)
            with m.Elif(requantize.frame_done):
                m.d.sync += in_flight.eq(0)
            m.d.comb += merge.frame_free.eq(~in_flight)
        else:
            m.d.comb += merge.frame_free.eq(1)
        m.d.comb += [
            self.overflow_forward_fft.eq(forward_fft.overflow),
            self.overflow_accumulator.eq(lanes.overflow),
            self.overflow_merge.eq(merge.overflow),
            self.overflow_inverse_fft.eq(inverse_fft.overflow),
        ]
        if config.maps:
            m.d.comb += self.overflow_merge.eq(merge.overflow | window.overflow)
        self._counters(m, sequencer, lanes, scheduler, requantize)
        return m

    @staticmethod
    def _shared(m: Module, choose: Any, first: Any, second: Any) -> Any:
        """One read port for two users, the second if ``choose`` (which changes between layers only)."""
        port = first.signature.create()
        m.d.comb += [
            port.address.eq(Mux(choose, second.address, first.address)),
            port.enable.eq(Mux(choose, second.enable, first.enable)),
            first.data.eq(port.data),
            second.data.eq(port.data),
        ]
        return port

    def _memories(self, m: Module) -> dict[str, Storage]:
        storage = {}
        for memory in memories(self.config).values():
            single_port = memory.name in ("coefficient", "index")
            component = Storage(
                memory.width, memory.depth, technology=self.technology, single_port=single_port
            )
            m.submodules[f"{memory.name}_memory"] = component
            storage[memory.name] = component
        return storage

    def _registered(self, m: Module, name: str, source: Any) -> Any:
        """``source`` behind registers, where memory output to logic, or ready to ready, would be too long a path."""
        if not self.config.registered_paths:
            return source
        m.submodules[name] = buffer = SkidBuffer(source.payload.shape())
        connect(m, source, buffer.i)
        return buffer.o

    @staticmethod
    def _through_fft(m: Module, enable: Any, source: Any, fft: Any, sink: Any) -> None:
        """Connect source to sink through an FFT, or past it while ``enable`` is 0 (never mid-layer)."""
        with m.If(enable):
            connect(m, source, fft.i)
            connect(m, fft.o, sink)
        with m.Else():
            connect(m, source, sink)

    def _share_activation(
        self, m: Module, storage: Storage, reads: Any, requantize: Requantize
    ) -> None:
        """The engine uses activation memory while busy, the host otherwise."""
        host_read, host_write = self.read_activation, self.memory_activation
        m.d.comb += [
            storage.read.address.eq(Mux(self.busy, reads.address, host_read.address)),
            storage.read.enable.eq(Mux(self.busy, reads.enable, host_read.enable)),
            reads.data.eq(storage.read.data),
            host_read.data.eq(storage.read.data),
            storage.write.address.eq(Mux(self.busy, requantize.write.address, host_write.address)),
            storage.write.data.eq(Mux(self.busy, requantize.write.data, host_write.data)),
            storage.write.enable.eq(Mux(self.busy, requantize.write.enable, host_write.enable)),
        ]

    def _counters(
        self,
        m: Module,
        sequencer: Sequencer,
        lanes: Lanes,
        scheduler: Scheduler,
        requantize: Requantize,
    ) -> None:
        increments = {
            "cycles": sequencer.busy & ~sequencer.waiting,
            "lane_busy": lanes.busy,
            "lane_stalled": sequencer.running & ~lanes.busy,
            "columns_skipped": scheduler.skipped,
            "saturations": requantize.saturated[0] + requantize.saturated[1],
        }
        for name, increment in increments.items():
            counter = getattr(self, name)
            m.d.sync += counter.eq(counter + increment)
            with m.If(self.start & ~self.busy):
                m.d.sync += counter.eq(0)
