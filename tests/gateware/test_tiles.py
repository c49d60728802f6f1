# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Tiles out of activation memory, and back into it."""

from itertools import pairwise

import pytest
from tests.gateware.cases import SETTLE
from tests.gateware.checks import check_reader
from tests.gateware.checks_tiles import RING, check_tile_gather, check_tile_writer
from tests.gateware.streams import STALLS

from spectramac.spec.timing import TILE_GATHER_LATENCY


@pytest.mark.parametrize("stalls", STALLS)
def test_gather(stalls: str) -> None:
    for seed in range(5):
        check_tile_gather(4, stalls=stalls, seed=seed)


@pytest.mark.parametrize("side", [8, 16])
def test_gather_of_larger_tiles(side: int) -> None:
    for seed in range(2):
        check_tile_gather(side, seed=seed)


def test_gather_of_one_column_of_tiles() -> None:
    for seed in range(4):
        check_tile_gather(4, seed=seed, narrow=True)


def test_timing() -> None:
    """The first sample comes 3 cycles after the start; a channel takes T² cycles, and one to start."""
    run = check_tile_gather(4, seed=0)
    assert run.valid_cycles[0] == SETTLE + 1 + TILE_GATHER_LATENCY
    channels = [run.out_cycles[k] for k in range(0, len(run.out_cycles), 16)]
    assert len(channels) >= 4
    assert {b - a for a, b in pairwise(channels)} == {17}


@pytest.mark.parametrize("stalls", ["none", "sink"])
def test_ring_of_spectra(stalls: str) -> None:
    for seed in range(3):
        check_reader(RING, 4, two_d=True, n_frames=5, stalls=stalls, seed=seed, in_tiles=True)


@pytest.mark.parametrize("side", [4, 8, 16])
def test_writer(side: int) -> None:
    for seed in range(6 if side == 4 else 2):
        check_tile_writer(side, seed=seed)
