# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Spectrum memory and column reader: every pair of every transform up to 256 points."""

from typing import Any

import numpy as np
import pytest
from tests.gateware.cases import CONFIG, SETTLE
from tests.gateware.cases_walk import MAPS
from tests.gateware.checks import Spectrum, check_reader, transforms
from tests.gateware.checks_maps import check_positions
from tests.gateware.streams import STALLS, assert_same, run_stream

from spectramac.model.fft import bit_reverse
from spectramac.model.spectrum import pair_map
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import bins, sample

LARGE = AcceleratorConfig(n_lanes=1, log2_n_max=8, data_width=12, spectrum_depth=512)


@pytest.mark.parametrize(("log2_n", "two_d"), transforms(8))
def test_pairs(log2_n: int, two_d: bool) -> None:
    check_reader(LARGE, log2_n, two_d=two_d, n_frames=2 if log2_n else 6, seed=log2_n)


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize(("log2_n", "two_d"), transforms(4))
def test_stalls(log2_n: int, two_d: bool, stalls: str) -> None:
    for seed in range(2):
        check_reader(CONFIG, log2_n, two_d=two_d, stalls=stalls, seed=seed)


def test_timing() -> None:
    """Two cycles a pair, once a frame is there; the reader waits for frames, not for the vector."""
    run = check_reader(CONFIG, 3, n_frames=2)
    assert run.out_cycles[1:4] == [run.out_cycles[0] + 2 * k for k in (1, 2, 3)]
    assert run.out_cycles[0] < run.in_cycles[15]
    assert run.out_cycles[-1] == run.strobes["busy"][-1] + 1


@pytest.mark.parametrize("n_banks", [1, 2])
def test_banks_in_turn(n_banks: int) -> None:
    """Vector after vector; each is read once and released."""
    config, n, n_vectors = CONFIG.replace(n_spectrum_banks=n_banks), 8, 5
    rng = np.random.default_rng(n_banks)
    z = rng.integers(-1000, 1000, (n_vectors, 2, n))
    narrow, wide = sample(config), bins(config)
    pairs = pair_map(n, False)
    inputs, expected = [], []
    for re, im in z.tolist():
        value = [{"re": a, "im": b} for a, b in zip(re, im, strict=True)]
        inputs += [narrow.pack({"data": value[k], "last": 0}) for k in bit_reverse(n)]
        expected += [
            (value[a], value[b], 0) for a, b in zip(pairs.first, pairs.second, strict=True)
        ]
        expected.append((None, None, 1))
    dut = Spectrum(config)

    async def starter(ctx: Any) -> None:
        await ctx.tick().repeat(SETTLE)
        for _ in range(n_vectors):
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            busy = True
            while busy:
                *_, busy = await ctx.tick().sample(dut.busy)

    run = run_stream(
        dut,
        inputs,
        len(expected),
        control={"log2_n": 3, "padded_in": n, "final": 1},
        # With one bank, a vector may only follow when the one before has been read.
        source_every=2 if n_banks == 2 else 16,
        strobes=("released",),
        processes=(starter,),
        source_delay=SETTLE,
        budget=1000,
    )
    got = [wide.unpack(word) for word in run.outputs]
    values = [(None, None, 1) if w["marker"] else (w["first"], w["second"], 0) for w in got]
    assert_same(values, expected, lambda k: f"vector {k // 5}, pair {k % 5}")
    assert len(run.strobes["released"]) == n_vectors
    assert all(w["final"] for w in got if w["marker"])


@pytest.mark.parametrize("n_banks", [1, 2, 4])
@pytest.mark.parametrize("log2_n", [0, 3, 4])
def test_positions(log2_n: int, n_banks: int) -> None:
    """A convolution: columns of pixels, markers of all positions."""
    config = MAPS.replace(n_spectrum_banks=n_banks)
    for seed, (stall, pause) in enumerate(((0.0, 0.0), (0.5, 0.0), (0.3, 0.5))):
        check_positions(config, log2_n, stall=stall, pause=pause, seed=seed)
