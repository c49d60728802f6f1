# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The spectrum memory: transformed inputs of an inference pair, written in order of arrival, read by pairs."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.memory import ReadPort, Storage
from spectramac.gateware.stream import layout
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import bins, position_fields, row_width, sample
from spectramac.spec.timing import TILE_BANKS

__all__ = ["ColumnReader", "FrameSizes", "SpectrumMemory", "reversed_low_bits"]


def reversed_low_bits(value: Value, log2_n: Value, log2_n_max: int) -> Value:
    """The low ``log2_n`` bits of ``value`` (``log2_n_max`` bits) in reverse order; ``log2_n`` = 0 gives 0."""
    mirrored = Cat(*(value[log2_n_max - 1 - i] for i in range(log2_n_max)))
    return (mirrored >> (log2_n_max - log2_n)[: log2_n_max.bit_length()])[:log2_n_max]


class FrameSizes:
    """Registers derived from a layer's ``log2_n`` and ``two_d``, which are stable long before they matter.

    An index has a low and a high half: T and T values in two dimensions; in one dimension the low half is
    all of it. Identity counts as frames of two.

    Attributes
    ----------
    last : Signal
        N - 1.
    half : Signal
        N / 2.
    low_mask, high_mask : Signal
        Bits of the halves.
    low_half : Signal
        Half of the low half's size.
    size : Signal
        N.
    """

    def __init__(self, m: Module, log2_n: Value, two_d: Value, width: int) -> None:
        self.last = Signal(width, name="frame_last")
        self.half = Signal(width, name="frame_half")
        self.low_mask = Signal(width, name="low_mask")
        self.high_mask = Signal(width, name="high_mask")
        self.low_half = Signal(width, name="low_half")
        self.size = Signal(width + 1, name="frame_size")
        log2_frame = Mux(log2_n == 0, 1, log2_n)
        log2_low = Mux(two_d, log2_n >> 1, log2_frame)
        low_mask = (1 << log2_low) - 1
        m.d.sync += [
            self.last.eq((1 << log2_frame) - 1),
            self.half.eq((1 << log2_frame)[1:]),
            self.low_mask.eq(low_mask),
            self.high_mask.eq(((1 << log2_frame) - 1) & ~low_mask),
            self.low_half.eq((1 << log2_low)[1:]),
            self.size.eq(1 << log2_frame),
        ]


class SpectrumMemory(wiring.Component):
    """Store each inference pair's spectrum, in banks that are filled in turn.

    Sample number c of a frame of ``2**log2_n`` arrives in bit-reversed order and goes to address reverse(c) of the
    frame; with ``log2_n`` = 0 samples go to successive addresses. After ``padded_in`` samples the next bank follows.
    Always ready: whoever starts a transfer makes sure that a bank is free.

    With ``config.maps`` and ``in_tiles`` a frame takes the place of a bank: all of the memory is a ring of them.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`

    Members
    -------
    i : :py:`In(stream.Signature(sample(config)))`
    log2_n : :py:`In(4)`
    padded_in : :py:`In(config.size_width)`
    clear : :py:`In(1)`
        Forget everything (start of a layer).
    released : :py:`In(1)`
        The bank that is being read is free again.
    available : :py:`Out(config.size_width)`
        Samples written so far to the bank that is being read; of a frame in the ring, all or none.
    read : :py:`In(ReadPort)`
        Reads that bank.
    in_tiles : :py:`In(1)`
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.address_width = (config.spectrum_depth - 1).bit_length()
        super().__init__(
            {
                **({"in_tiles": In(1)} if config.maps else {}),
                "i": In(stream.Signature(layout(sample(config)))),
                "log2_n": In(4),
                "padded_in": In(config.size_width),
                "clear": In(1),
                "released": In(1),
                "available": Out(config.size_width),
                "read": In(ReadPort(self.address_width, 2 * config.data_width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        n_banks = config.n_spectrum_banks
        m.submodules.storage = storage = Storage(
            2 * config.data_width, n_banks * config.spectrum_depth
        )
        bank_width = (n_banks - 1).bit_length()
        write_bank, read_bank = Signal(bank_width), Signal(bank_width)
        in_frame = Signal(config.log2_n_max)
        base = Signal(config.size_width)
        count = Signal(config.size_width)
        written = [Signal(config.size_width, name=f"written_{b}") for b in range(n_banks)]
        frame_last = Signal(config.log2_n_max)
        last_count = Signal(config.size_width)
        m.d.sync += [frame_last.eq((1 << self.log2_n) - 1), last_count.eq(self.padded_in - 1)]
        frame_end = in_frame == frame_last
        bank_end = count == last_count
        # The base is a multiple of the frame, so that "or" adds.
        offset = base | reversed_low_bits(in_frame, self.log2_n, config.log2_n_max)
        m.d.comb += [
            self.i.ready.eq(1),
            storage.write.enable.eq(self.i.valid),
            storage.write.address.eq(Cat(offset[: self.address_width], write_bank)),
            storage.write.data.eq(Cat(self.i.payload.data.re, self.i.payload.data.im)),
            storage.read.address.eq(Cat(self.read.address, read_bank)),
            storage.read.enable.eq(self.read.enable),
            self.read.data.eq(storage.read.data),
        ]
        for b in range(n_banks):
            with m.If(read_bank == b):
                m.d.comb += self.available.eq(written[b])
        if config.maps:
            self._ring(m, storage, offset, self.i.valid & frame_end)
        with m.If(self.i.valid):
            m.d.sync += [
                in_frame.eq(Mux(frame_end, 0, in_frame + 1)),
                count.eq(Mux(bank_end, 0, count + 1)),
            ]
            with m.If(frame_end):
                whole = bank_end & ~self.in_tiles if config.maps else bank_end
                m.d.sync += base.eq(Mux(whole, 0, base + (1 << self.log2_n)))
            with m.If(bank_end & (n_banks > 1)):
                m.d.sync += write_bank.eq(write_bank + 1)
            for b in range(n_banks):
                with m.If(write_bank == b):
                    m.d.sync += written[b].eq(count + 1)
        with m.If(self.released):
            if n_banks > 1:
                m.d.sync += read_bank.eq(read_bank + 1)
            for b in range(n_banks):
                with m.If(read_bank == b):
                    m.d.sync += written[b].eq(0)
        with m.If(self.clear):
            m.d.sync += [s.eq(0) for s in (write_bank, read_bank, in_frame, base, count, *written)]
        return m

    def _ring(self, m: Module, storage: Storage, offset: Value, frame_end: Value) -> None:
        """Frames follow each other through all of the memory."""
        size = Signal(self.config.log2_n_max + 1)
        start = Signal(storage.address_width)  # of the frame that is being read
        complete = Signal(range(TILE_BANKS + 1))
        m.d.sync += size.eq(1 << self.log2_n)
        with m.If(self.in_tiles):
            m.d.comb += [
                storage.write.address.eq(offset[: storage.address_width]),
                storage.read.address.eq(start | self.read.address),
                self.available.eq(Mux(complete != 0, size, 0)),
            ]
            m.d.sync += complete.eq(complete + frame_end - self.released)
            with m.If(self.released):
                m.d.sync += start.eq(start + size)
        with m.If(self.clear):
            m.d.sync += [start.eq(0), complete.eq(0)]


class ColumnReader(wiring.Component):
    """Read the two spectral values of every column pair of a block, block after block.

    The pairs are those of :func:`spectramac.model.spectrum.pair_map`. In two dimensions the conjugate of bin κ
    negates both halves of the index: a negation with the carry between the halves cut.

    Waits until the samples that it needs are written. Takes two cycles a pair; the first pair is valid 3 cycles after
    ``start``. The last transfer of a row group is a ``marker``. ``o.valid`` does not depend on ``o.ready``.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`

    Members
    -------
    start : :py:`In(1)`
        Begin a row group; only when not ``busy``.
    final : :py:`In(1)`
        This is the inference pair's last row group (sampled with the marker).
    log2_n, two_d, padded_in, column_stride : :py:`In(…)`
        From the descriptor.
    available : :py:`In(config.size_width)`
        Samples written.
    busy : :py:`Out(1)`
    released : :py:`Out(1)`
        Strobe: the spectrum is not needed any more.
    memory : :py:`Out(ReadPort)`
        Spectrum memory.
    o : :py:`Out(stream.Signature(bins(config)))`

    With ``config.maps``, for a position of a convolution, sampled at ``start``:

    empty : :py:`In(1)`
        It has no pixel: nothing but the marker.
    first_row : :py:`In(row)`
        ``base`` of its columns.
    ring, retires, writes, next_phase : :py:`In(…)`
        What accompanies them.

    With ``config.maps``, for tiles:

    bank_per_block : :py:`In(1)`
        Each block is in a bank of its own, which is released after its last column pair.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.address_width = (config.spectrum_depth - 1).bit_length()
        row = row_width(config)
        maps = {"empty": In(1), "first_row": In(row), "bank_per_block": In(1)}
        super().__init__(
            {
                **(maps if config.maps else {}),
                **{name: In(shape) for name, shape in self.position(config).items()},
                "start": In(1),
                "final": In(1),
                "log2_n": In(4),
                "two_d": In(1),
                "padded_in": In(config.size_width),
                "column_stride": In(16),
                "available": In(config.size_width),
                "busy": Out(1),
                "released": Out(1),
                "memory": Out(ReadPort(self.address_width, 2 * config.data_width)),
                "o": Out(stream.Signature(layout(bins(config)))),
            }
        )

    @staticmethod
    def position(config: AcceleratorConfig) -> dict[str, int]:
        """Bits of what accompanies the columns of a position, by name."""
        if not config.maps:
            return {}
        return {f.name: f.width for f in position_fields(config)} | {"next_phase": 2}

    def _addresses(
        self, m: Module, pair: Signal, sizes: "FrameSizes"
    ) -> tuple[Signal, Signal, Signal]:
        """Offsets in the frame of the pair's two values, and whether it is one complex bin."""
        width = self.config.log2_n_max
        low, high, negated_low, negated_high = (
            Signal(width, name=n) for n in ("low", "high", "negated_low", "negated_high")
        )
        lower_conjugates = (
            Signal()
        )  # row 0, beyond its middle: those bins are conjugates; take row T/2
        joint = Signal()
        first, second = Signal(width), Signal(width)
        m.d.comb += [
            low.eq(pair & sizes.low_mask),
            high.eq(pair & sizes.high_mask),
            negated_low.eq(-low & sizes.low_mask),
            negated_high.eq(-high & sizes.high_mask),
            lower_conjugates.eq(self.two_d & (high == 0) & (low > sizes.low_half)),
            joint.eq((self.log2_n != 0) & (pair != 0) & ~(self.two_d & (pair == sizes.low_half))),
            first.eq(Mux(lower_conjugates, pair | sizes.half, pair)),
            second.eq(negated_low | Mux(lower_conjugates, sizes.half, negated_high)),
        ]
        with m.If(~joint):
            m.d.comb += second.eq(pair | sizes.half)
        return first, second, joint

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        active = Signal()
        marker = Signal()
        phase = Signal()
        pair = Signal(config.log2_n_max)
        block = Signal(config.size_width)
        row_base, first_row = Signal(row_width(config)), Signal(row_width(config))
        position = {name: Signal(width, name=name) for name, width in self.position(config).items()}
        sizes = FrameSizes(m, self.log2_n, self.two_d, config.log2_n_max)
        first, second, joint = self._addresses(m, pair, sizes)
        offset = Signal(config.log2_n_max)
        ready = Signal()
        advance = Signal()
        issue = Signal()
        last_pair = Signal()
        end = Signal(config.size_width)
        has_columns = Signal(init=1)
        released: Any = issue & marker & self.final & has_columns
        needed, place = end, block  # in the bank
        if config.maps:
            needed = Mux(self.bank_per_block, sizes.size, end)
            place = Mux(self.bank_per_block, 0, block)
            released = Mux(self.bank_per_block, issue & ~marker & phase & last_pair, released)
        m.d.comb += [
            last_pair.eq(pair == sizes.last[1:]),
            offset.eq(Mux(phase, second, first)),
            # Data is complete, or this is the second half of a pair whose first half was.
            ready.eq(marker | phase | (self.available >= needed)),
            issue.eq(active & ready & advance),
            advance.eq(~self.o.valid | self.o.ready),
            self.busy.eq(active),
            self.memory.address.eq(place[: self.address_width] | offset),
            self.memory.enable.eq(advance),
            self.released.eq(released),
        ]
        with m.If(issue & ~marker):
            m.d.sync += phase.eq(~phase)
            with m.If(phase):
                m.d.sync += [
                    pair.eq(Mux(last_pair, 0, pair + 1)),
                    row_base.eq(row_base + self.column_stride),
                ]
                with m.If(last_pair):
                    m.d.sync += [block.eq(end), end.eq(end + sizes.size)]
                    with m.If(self.log2_n != 0):
                        m.d.sync += row_base.eq(first_row)
                    with m.If(end >= self.padded_in):
                        m.d.sync += marker.eq(1)
        with m.If(issue & marker):
            m.d.sync += active.eq(0)
        with m.If(self.start):
            m.d.sync += [active.eq(1), marker.eq(0)]
            m.d.sync += [s.eq(0) for s in (phase, pair, block, row_base)]
            m.d.sync += end.eq(sizes.size)
            if config.maps:
                m.d.sync += [
                    marker.eq(self.empty),
                    has_columns.eq(~self.empty),
                    first_row.eq(self.first_row),
                    row_base.eq(self.first_row),
                    *(position[name].eq(getattr(self, name)) for name in position),
                ]
        # Second stage: the memory's output register.
        held = Signal(layout(bins(config)), reset_less=True)
        first_value = Signal(2 * config.data_width, reset_less=True)
        arriving = Signal()
        with m.If(advance):
            m.d.sync += [
                self.o.valid.eq(issue & (marker | phase)),
                arriving.eq(issue & ~marker & ~phase),
            ]
            with m.If(issue):
                m.d.sync += [
                    held.joint.eq(joint),
                    held.base.eq(row_base),
                    held.marker.eq(marker),
                    held.final.eq(self.final),
                    *(held[name].eq(value) for name, value in position.items()),
                ]
        with m.If(arriving):
            m.d.sync += first_value.eq(self.memory.data)
        m.d.comb += [
            self.o.payload.eq(held),
            Cat(self.o.payload.first.re, self.o.payload.first.im).eq(first_value),
            Cat(self.o.payload.second.re, self.o.payload.second.im).eq(self.memory.data),
        ]
        return m
