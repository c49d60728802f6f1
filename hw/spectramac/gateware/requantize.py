# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Bias, scale, activation function and write-back of a layer's outputs."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.memory import ReadPort, WritePort
from spectramac.gateware.output_walker import OutputWalker
from spectramac.gateware.shift import Shift
from spectramac.gateware.spectrum import reversed_low_bits
from spectramac.gateware.stream import layout
from spectramac.gateware.tile_writer import TileWriter
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import sample

__all__ = ["Requantize"]


class Requantize(wiring.Component):
    """``sat8(round_half_even(relu((z + bias) * multiplier) / 2**shift))`` of both inferences, written to memory.

    With ``config.maps`` outputs are at most ``maximum``, the bias may be left out (``no_bias``), and a layer over maps
    (``is_map``) writes pixel after pixel (:class:`~spectramac.gateware.output_walker.OutputWalker`), or tile after tile
    (``in_tiles``, :class:`~spectramac.gateware.tile_writer.TileWriter`), where a frame is a channel.

    Samples of a frame arrive in bit-reversed order (``log2_n`` = 0: in natural order); the channel number is
    recovered from the count. Channels from ``n_out`` on are dropped. After ``padded_out`` samples the next inference
    pair follows, ``out_stride`` addresses further.

    z + bias needs one bit more than z, the product ``multiplier_width`` more: nothing before the final saturation can
    overflow. A write happens :attr:`latency` cycles after its sample is accepted. With one multiplier a sample is
    accepted every second cycle.

    Parameters
    ----------
    config : :class:`AcceleratorConfig`

    Members
    -------
    i : :py:`In(stream.Signature(sample(config)))`
    start : :py:`In(1)`
        Start of a layer.
    log2_n, n_out, padded_out, out_base, out_stride, bias_base, scale_base : :py:`In(…)`
    per_channel_scale, multiplier, shift, relu : :py:`In(…)`
        From the descriptor.
    biases, scales : :py:`Out(ReadPort)`
    write : :py:`Out(WritePort)`
        Activation memory.
    saturated : :py:`Out(2)`
        Written outputs, of this cycle's two, that were clipped.
    frame_done : :py:`Out(1)`
        Strobe: the last sample of a frame was accepted.
    pair_done : :py:`Out(1)`
        Strobe: the last output of an inference pair has been written or dropped.

    References
    ----------
    :func:`spectramac.model.requantize.requantize`
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        channel_address = (config.channel_depth - 1).bit_length()
        activation_address = (config.activation_depth - 1).bit_length()
        maps = {
            "is_map": In(1),
            "in_tiles": In(1),
            **{name: In(8) for name in ("tile_rows", "tile_columns", "stride_y", "stride_x")},
            "maximum": In(config.activation_width - 1),
            "no_bias": In(1),
            "out_height": In(16),
            "out_width": In(16),
            "out_pixel_stride": In(16),
            "out_row_stride": In(16),
        }
        super().__init__(
            {
                **(maps if config.maps else {}),
                "i": In(stream.Signature(layout(sample(config)))),
                "start": In(1),
                "log2_n": In(4),
                "n_out": In(config.size_width),
                "padded_out": In(config.size_width),
                "out_base": In(16),
                "out_stride": In(16),
                "bias_base": In(16),
                "scale_base": In(16),
                "per_channel_scale": In(1),
                "multiplier": In(config.multiplier_width),
                "shift": In(config.shift_width),
                "relu": In(1),
                "biases": Out(ReadPort(channel_address, config.data_width)),
                "scales": Out(ReadPort(channel_address, config.scale_width)),
                "write": Out(WritePort(activation_address, 2 * config.activation_width)),
                "saturated": Out(2),
                "frame_done": Out(1),
                "pair_done": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from accepting a sample to its write."""
        return 6 if self.config.n_requantize_multipliers == 2 else 7

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        n_mult = config.n_requantize_multipliers
        width = config.data_width

        # Stage 0: accept; channel number; read bias and scale.
        in_frame = Signal(config.log2_n_max)
        frame_base = Signal(config.size_width)
        channel = Signal(config.size_width)
        m.submodules.walker = walker = OutputWalker(config)
        for name in walker.signature.members:
            if name in self.signature.members:
                m.d.comb += getattr(walker, name).eq(getattr(self, name))
        second = Signal()  # with one multiplier: the second inference of the sample in stage 1
        accept, frame_end, vector_end = Signal(), Signal(), Signal()
        frame_size, frame_last = Signal(config.size_width), Signal(config.log2_n_max)
        m.d.sync += [frame_size.eq(1 << self.log2_n), frame_last.eq((1 << self.log2_n) - 1)]
        m.d.comb += [
            frame_end.eq(in_frame == frame_last),
            vector_end.eq(frame_end & (frame_base + frame_size == self.padded_out)),
            # The base is a multiple of the frame, so that "or" adds.
            channel.eq(frame_base | reversed_low_bits(in_frame, self.log2_n, config.log2_n_max)),
            accept.eq(self.i.valid & self.i.ready),
            self.frame_done.eq(accept & frame_end),
        ]
        number, drop_0, end_0 = channel, channel >= self.n_out, vector_end & walker.final
        if config.maps:
            tiles = self._tiles(m, accept, channel, frame_end)
            number = Mux(self.in_tiles, tiles.channel, channel)
            drop_0 = Mux(self.in_tiles, tiles.drop, drop_0)
            end_0 = Mux(self.in_tiles, frame_end & tiles.final, end_0)
        m.d.comb += [
            self.biases.address.eq(self.bias_base + number),
            self.biases.enable.eq(accept),
            self.scales.address.eq(self.scale_base + number),
            self.scales.enable.eq(accept),
        ]
        valid_1, drop_1, end_1 = Signal(), Signal(), Signal()
        z_1 = Signal(2 * width, reset_less=True)
        address_1 = Signal(16, reset_less=True)
        with m.If(accept):
            m.d.sync += [
                in_frame.eq(Mux(frame_end, 0, in_frame + 1)),
                z_1.eq(Cat(self.i.payload.data.re, self.i.payload.data.im)),
                address_1.eq(walker.address + channel),
                drop_1.eq(drop_0),
                end_1.eq(end_0),
            ]
            with m.If(frame_end):
                m.d.sync += frame_base.eq(Mux(vector_end, 0, frame_base + frame_size))
        m.d.comb += walker.step.eq(accept & vector_end)
        with m.If(self.start):
            m.d.sync += [in_frame.eq(0), frame_base.eq(0)]
        if n_mult == 2:
            m.d.comb += self.i.ready.eq(1)
            m.d.sync += valid_1.eq(accept)
        else:
            m.d.comb += self.i.ready.eq(~valid_1 | second)
            with m.If(valid_1):
                m.d.sync += second.eq(~second)
            with m.If(self.i.ready):
                m.d.sync += valid_1.eq(accept)

        # Stage 1: bias and scale have arrived; add. Stage 2: multiply. Stages 3 to 5: ReLU, shift, saturate.
        bias = self.biases.data.as_signed()
        if config.maps:
            bias = Mux(self.is_map & self.no_bias, 0, bias)
        multiplier = Mux(
            self.per_channel_scale, self.scales.data[: config.multiplier_width], self.multiplier
        )
        shift = Mux(self.per_channel_scale, self.scales.data[config.multiplier_width :], self.shift)
        parts = [z_1[:width].as_signed(), z_1[width:].as_signed()]
        if n_mult == 1:
            parts = [Mux(second, parts[1], parts[0]).as_signed()]
        multiplier_2 = Signal(config.multiplier_width, reset_less=True)
        shift_2, shift_3 = (
            Signal(config.shift_width, name=f"shift_{k}", reset_less=True) for k in (2, 3)
        )
        m.d.sync += [multiplier_2.eq(multiplier), shift_2.eq(shift), shift_3.eq(shift_2)]
        product_width = width + 1 + config.multiplier_width + 1
        results = []
        for k, part in enumerate(parts):
            total = Signal(signed(width + 1), name=f"total_{k}", reset_less=True)
            # Without a reset, the register can be the multiplier block's own.
            product = Signal(signed(product_width), name=f"product_{k}", reset_less=True)
            m.d.sync += [
                total.eq(part + bias),
                product.eq(total * Cat(multiplier_2, 0).as_signed()),
            ]
            m.submodules[f"shift_{k}"] = unit = Shift(product_width, config.activation_width)
            m.d.comb += [
                unit.enable.eq(1),
                unit.i.eq(Mux(self.relu & product[-1], 0, product)),
                unit.shift.eq(shift_3),
            ]
            results.append(unit)

        # What goes with the values, delayed alike.
        depth = 4
        flags = [Cat(valid_1, drop_1, end_1, second)] + [
            Signal(4, name=f"flags_{stage}") for stage in range(2, 2 + depth)
        ]
        addresses = [address_1] + [
            Signal(16, name=f"address_{s}", reset_less=True) for s in range(2, 2 + depth)
        ]
        for k in range(1, depth + 1):
            m.d.sync += [flags[k].eq(flags[k - 1]), addresses[k].eq(addresses[k - 1])]
        valid, drop, end, is_second = flags[depth]
        address = addresses[depth]
        if config.maps:
            assert depth + 1 == tiles.LATENCY
            address = Mux(self.in_tiles, tiles.address, address)
        outputs = [self._limited(unit.o) for unit in results]
        if n_mult == 2:
            values = Cat(*outputs)
            clipped = Cat(results[0].overflow, results[1].overflow)
            complete = valid
        else:
            earlier = Signal(unsigned(config.activation_width + 1))
            m.d.sync += earlier.eq(Cat(outputs[0], results[0].overflow))
            values = Cat(earlier[:-1], outputs[0])
            clipped = Cat(earlier[-1], results[0].overflow)
            complete = valid & is_second
        written = complete & ~drop
        m.d.sync += [
            self.write.enable.eq(written),
            self.write.address.eq(address),
            self.write.data.eq(values),
            self.saturated.eq(Mux(written, clipped, 0)),
            self.pair_done.eq(complete & end),
        ]
        return m

    def _tiles(self, m: Module, accept: Signal, channel: Signal, frame_end: Signal) -> TileWriter:
        m.submodules.tiles = tiles = TileWriter(self.config)
        for name in tiles.signature.members:
            if name in self.signature.members:
                m.d.comb += getattr(tiles, name).eq(getattr(self, name))
        last = (1 << self.log2_n) - 1
        m.d.comb += [
            tiles.accept.eq(accept),
            tiles.index.eq(channel & last),
            tiles.frame_end.eq(frame_end),
        ]
        return tiles

    def _limited(self, value: Any) -> Any:
        """At most ``maximum``."""
        if not self.config.maps:
            return value
        limit = Cat(self.maximum, 0).as_signed()
        return Mux(value > limit, limit, value)[: self.config.activation_width]
