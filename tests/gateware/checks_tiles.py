# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The components of convolutions in tiles against loops over tiles, channels and pixels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth import Elaboratable, Module, Signal
from tests.gateware.cases import CONFIG, SETTLE
from tests.gateware.drive import memory, put, simulate
from tests.gateware.streams import StreamRun, assert_same, run_stream

from spectramac.gateware.tile_gather import TileGather
from spectramac.gateware.tile_writer import TileWriter
from spectramac.spec.payloads import sample

__all__ = ["RING", "TILES", "TileCase", "check_tile_gather", "check_tile_writer"]

TILES = CONFIG.replace(
    maps=True,
    log2_n_max=8,
    spectrum_depth=256,
    accumulator_depth=256,
    activation_depth=8192,
)
"""Tiles of 16 x 16 are possible."""
RING = CONFIG.replace(maps=True, spectrum_depth=16, accumulator_depth=64, tap_depth=64)
"""Spectrum memory holds two channels of 4 x 4."""


@dataclass
class TileCase:
    """A random walk over tiles."""

    side: int
    fields: dict[str, int]

    @classmethod
    def random(cls, rng: np.random.Generator, side: int, *, narrow: bool = False) -> "TileCase":
        """Strides of addresses with gaps, and a padding that may hide whole tiles.

        ``narrow``: one channel, and one column of tiles that do not overlap, so that each tile begins where the last
        sample of the one before ends.
        """
        stride_y, stride_x = rng.integers(1, 3, 2).tolist()
        rows, columns = (int(rng.integers(1, side // s + 1)) for s in (stride_y, stride_x))
        if narrow or rng.integers(2):
            rows, columns = side // stride_y, side // stride_x
        down, across = (3, 1) if narrow else rng.integers(1, 4, 2).tolist()
        fields = {
            "tile_rows": rows, "tile_columns": columns, "walk_height": down, "walk_width": across,
            "stride_y": stride_y, "stride_x": stride_x, "log2_n": 2 * side.bit_length() - 2,
            "top": int(rng.integers(side)), "left": int(rng.integers(side)),
            "out_height": down * rows - int(rng.integers(rows)),
            "out_width": across * columns - int(rng.integers(columns)),
        }  # fmt: skip
        for part in ("in", "out"):
            if part == "in":
                height, width = rng.integers(1, 2 * side, 2).tolist()
                fields |= {"in_height": height, "in_width": width}
            channels = 1 if narrow else int(rng.integers(1, 4))
            pixel = channels + int(rng.integers(2))
            row = pixel * fields[f"{part}_width"] + int(rng.integers(3))
            pair = row * fields[f"{part}_height"] + int(rng.integers(3))
            fields |= {
                f"n_{part}": channels, f"{part}_pixel_stride": pixel, f"{part}_row_stride": row,
                f"{part}_stride": pair, f"{part}_base": int(rng.integers(100)),
            }  # fmt: skip
        return cls(side, fields)

    def tiles(self, n_pairs: int) -> Iterator[tuple[int, int, int]]:
        """Pair, row and column of every tile."""
        for pair in range(n_pairs):
            for a in range(self.fields["walk_height"]):
                for b in range(self.fields["walk_width"]):
                    yield pair, a, b

    def address(self, part: str, pair: int, y: int, x: int, channel: int) -> int:
        f = self.fields
        pixel = y * f[f"{part}_row_stride"] + x * f[f"{part}_pixel_stride"]
        return f[f"{part}_base"] + pair * f[f"{part}_stride"] + pixel + channel


class _Started(Elaboratable):
    """Starts a channel whenever the gather may, or at random cycles after that."""

    def __init__(self, dut: TileGather, pause: bool) -> None:
        self.dut, self.pause = dut, pause

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dut, name)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        noise, begun = Signal(9, init=1), Signal()
        m.d.sync += [
            noise.eq((noise << 1) | (noise[8] ^ noise[4])),
            begun.eq(begun | dut.start_layer),
        ]
        go = noise[0] if self.pause else 1
        m.d.comb += dut.start.eq(dut.more & ~dut.busy & begun & go)
        return m


def check_tile_gather(
    side: int, *, stalls: str = "none", seed: int, narrow: bool = False
) -> StreamRun:
    """All channels of all tiles of two pairs."""
    rng = np.random.default_rng(seed)
    case = TileCase.random(rng, side, narrow=narrow)
    f, n_pairs = case.fields, 2
    words = rng.integers(0, 1 << 16, TILES.activation_depth).tolist()
    narrow = sample(TILES)
    expected, labels = [], []
    for pair, a, b in case.tiles(n_pairs):
        for channel in range(f["n_in"]):
            for k in range(side * side):
                y = a * f["tile_rows"] * f["stride_y"] - f["top"] + k // side
                x = b * f["tile_columns"] * f["stride_x"] - f["left"] + k % side
                inside = 0 <= y < f["in_height"] and 0 <= x < f["in_width"]
                word = words[case.address("in", pair, y, x, channel)] if inside else 0
                re, im = (((byte ^ 0x80) - 0x80) for byte in (word & 0xFF, word >> 8))
                expected.append({"data": {"re": re, "im": im}, "last": int(k == side**2 - 1)})
                labels.append(f"pair {pair}, tile {a, b}, channel {channel}, pixel {y, x}")
    dut = TileGather(TILES)
    control = {name: value for name, value in f.items() if hasattr(dut, name)}

    async def begin(ctx: Any) -> None:
        await ctx.tick().repeat(SETTLE)
        ctx.set(dut.start_layer, 1)
        await ctx.tick()
        ctx.set(dut.start_layer, 0)

    run = run_stream(
        _Started(dut, pause=stalls in ("source", "both")),
        [],
        len(expected),
        stalls=stalls,
        seed=seed,
        control=control | {"n_pairs": n_pairs},
        processes=(memory(dut.memory, words), begin),
        i=None,
    )
    got = [narrow.unpack(word) for word in run.outputs]
    assert_same(got, expected, lambda k: f"{labels[k]} of {f}")
    return run


def check_tile_writer(side: int, *, seed: int) -> None:
    """Where the outputs of two pairs go: each once, and nothing else."""
    rng = np.random.default_rng(seed)
    case = TileCase.random(rng, side)
    f, n_pairs = case.fields, 2
    expected = []
    for pair, a, b in case.tiles(n_pairs):
        for channel in range(f["n_out"]):
            for c in range(side * side):
                k = int(format(c, f"0{f['log2_n']}b")[::-1], 2)
                (i, odd_y), (j, odd_x) = (
                    divmod(k // side, f["stride_y"]),
                    divmod(k % side, f["stride_x"]),
                )
                y, x = a * f["tile_rows"] + i, b * f["tile_columns"] + j
                drop = odd_y or odd_x or i >= f["tile_rows"] or j >= f["tile_columns"]
                drop = drop or y >= f["out_height"] or x >= f["out_width"]
                last = (a, b) == (f["walk_height"] - 1, f["walk_width"] - 1)
                final = last and channel == f["n_out"] - 1
                address = None if drop else case.address("out", pair, y, x, channel)
                expected.append((k, channel, int(final), address))
    dut = TileWriter(TILES)
    got: list[Any] = []

    async def bench(ctx: Any) -> None:
        put(ctx, dut, **{name: value for name, value in f.items() if hasattr(dut, name)})
        put(ctx, dut, start=1)
        await ctx.tick()
        put(ctx, dut, start=0)
        await ctx.tick().repeat(16)
        flying: list[tuple[int, int]] = []
        n, cycle = 0, 0
        while n < len(expected) or flying:
            accept = n < len(expected) and rng.random() < 0.8
            if accept:
                put(ctx, dut, index=expected[n][0], frame_end=int((n + 1) % side**2 == 0))
            put(ctx, dut, accept=int(accept))
            signals = (dut.channel, dut.final, dut.drop, dut.address)
            _, _, channel, final, drop, address = await ctx.tick().sample(*signals)
            if flying and flying[0][0] == cycle:
                where = got[flying.pop(0)[1]]
                where[3] = address if where[3] else None
            if accept:
                got.append([expected[n][0], channel, final, not drop])
                flying.append((cycle + dut.LATENCY, n))
                n += 1
            cycle += 1

    simulate(dut, bench)
    assert_same([tuple(g) for g in got], expected, lambda n: f"sample {n} of {f}")
