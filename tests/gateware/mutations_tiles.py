# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What can be broken in convolutions in tiles; applied by tests/test_mutations.py."""

from collections.abc import Callable
from typing import Any

from tests.gateware.checks import check_reader
from tests.gateware.checks_tiles import RING, check_tile_gather, check_tile_writer
from tests.gateware.mutation import Mutation

from spectramac.gateware.spectrum import ColumnReader, SpectrumMemory
from spectramac.gateware.tile_gather import TileGather, _Axis
from spectramac.gateware.tile_writer import TileWriter

__all__ = ["CHECKS", "MUTATIONS"]


def _gather() -> None:
    for seed in range(3):
        check_tile_gather(4, seed=seed)
    check_tile_gather(4, seed=0, narrow=True)


def _writer() -> None:
    for seed in range(4):
        check_tile_writer(4, seed=seed)


CHECKS: dict[str, Callable[[], Any]] = {
    "tile_gather": _gather,
    "tile_ring": lambda: check_reader(RING, 4, two_d=True, n_frames=5, in_tiles=True),
    "tile_writer": _writer,
}

MUTATIONS = {
    "tile gather: padding is not clamped": Mutation(
        _Axis, "__init__", "Mux(self.line >= 0, stride, 0)", "stride", "tile_gather"
    ),
    "tile gather: one line too many": Mutation(
        _Axis, "__init__", "self.line < extent", "self.line <= extent", "tile_gather"
    ),
    "tile gather: next tile from all channels": Mutation(
        TileGather, "_tiles", "step & x.passes & first_channel", "step & x.passes", "tile_gather"
    ),
    "tile gather: next row of tiles too late": Mutation(
        TileGather, "_tiles", "m.If(y.passes)", "m.If(0)", "tile_gather"
    ),
    "tile ring: every frame read from the first place": Mutation(
        SpectrumMemory, "_ring", "start.eq(start + size)", "start.eq(start)", "tile_ring"
    ),
    "tile ring: frames read before they are complete": Mutation(
        SpectrumMemory, "_ring", "Mux(complete != 0, size, 0)", "size", "tile_ring"
    ),
    "tile ring: released once": Mutation(
        ColumnReader,
        "elaborate",
        "Mux(self.bank_per_block, issue & ~marker & phase & last_pair, released)",
        "released",
        "tile_ring",
    ),
    "tile writer: outputs between the strided ones": Mutation(
        TileWriter, "elaborate", "(stride[1] & sample[0]) | ", "", "tile_writer"
    ),
    "tile writer: beyond the map": Mutation(
        TileWriter, "elaborate", " | (number >= left)", "", "tile_writer"
    ),
    "tile writer: rows of tiles too near": Mutation(
        TileWriter, "_tiles", "row_base + row_step", "row_base + column_step", "tile_writer"
    ),
}
