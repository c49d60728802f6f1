# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Jobs to sums: formats, hazards, saturation, banks."""

import pytest
from tests.gateware.cases import CONFIG, SINGLE
from tests.gateware.checks_back import check_lanes

from spectramac.spec.timing import lanes_latency

TINY = CONFIG.replace(n_lanes=1, accumulator_depth=4, accumulator_width=18)


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize("is_indexed", [False, True])
@pytest.mark.parametrize("is_narrow", [False, True])
@pytest.mark.parametrize("config", [CONFIG, SINGLE], ids=["two-banks", "one-bank"])
@pytest.mark.parametrize("block", [False, True], ids=["logic", "block-ram"])
def test_sums(block: bool, config, is_narrow: bool, is_indexed: bool, stall: float) -> None:
    for seed in range(3):
        kind = {"is_narrow": is_narrow, "is_indexed": is_indexed, "seed": seed, "block": block}
        check_lanes(config, stall=stall, loud=0.3 * (seed % 2), **kind)


@pytest.mark.parametrize("block", [False, True], ids=["logic", "block-ram"])
@pytest.mark.parametrize("seed", range(6))
def test_hazards(seed: int, block: bool) -> None:
    """Four rows only: nearly every entry meets a row that is still being added to."""
    check_lanes(TINY, seed=seed, loud=0.4, n_jobs=40, stall=0.3 * (seed % 2), block=block)


@pytest.mark.parametrize("config", [CONFIG, SINGLE], ids=["two-banks", "one-bank"])
def test_latency(config) -> None:
    """A marker is issued in the cycle after its transfer; then LATENCY cycles to the last row."""
    assert check_lanes(config).latency == 1 + lanes_latency(config)
