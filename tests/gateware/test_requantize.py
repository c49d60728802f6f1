# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Samples to activations."""

import pytest
from amaranth.hdl import Fragment
from tests.gateware.cases import CONFIG, SINGLE
from tests.gateware.cases_back import MapOutputs
from tests.gateware.cases_walk import MAPS
from tests.gateware.checks_back import check_requantize

from spectramac.gateware.requantize import Requantize

CONFIGS = pytest.mark.parametrize("config", [CONFIG, SINGLE], ids=["two", "one"])


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize("log2_n", [0, 3, 4])
@CONFIGS
def test_writes(config, log2_n: int, stall: float) -> None:
    for seed in range(4):
        kind = {"per_channel_scale": bool(seed & 1), "relu": bool(seed & 2)}
        check_requantize(config, log2_n=log2_n, seed=seed, stall=stall, **kind)


@CONFIGS
def test_timing(config) -> None:
    dut = Requantize(config)
    Fragment.get(dut, None)
    timing = check_requantize(config, log2_n=3, seed=3)
    assert timing.latency == dut.latency
    assert timing.interval == 2 // config.n_requantize_multipliers


ONE = MAPS.replace(fft_architecture="iterative", n_requantize_multipliers=1)


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize("config", [MAPS, ONE], ids=["two", "one"])
def test_maps(config, stall: float) -> None:
    """Pixel after pixel; a smaller maximum; no bias."""
    for seed, maps in enumerate(
        (MapOutputs(3, 4), MapOutputs(1, 3, no_bias=True), MapOutputs(4, 1, maximum=50))
    ):
        check_requantize(config, log2_n=3 * (seed % 2), seed=seed, stall=stall, maps=maps)


@pytest.mark.parametrize("config", [MAPS, ONE], ids=["two", "one"])
def test_vectors_beside_maps(config) -> None:
    """A fully-connected layer has a maximum, and nothing else of a map before it."""
    for maximum in (127, 6, 0):
        maps = MapOutputs(is_map=False, no_bias=True, maximum=maximum)
        check_requantize(config, log2_n=3, seed=maximum, maps=maps)
