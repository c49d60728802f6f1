# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The ring of accumulators of a convolution: lanes that add to it, the merge that reads complete outputs."""

import pytest
from tests.gateware.cases_walk import MAPS
from tests.gateware.checks_back import check_lanes, check_merge
from tests.gateware.checks_ring import check_ring, check_ring_merge

SINGLE = MAPS.replace(
    n_lanes=2,
    fft_architecture="iterative",
    n_threshold_multipliers=1,
    n_requantize_multipliers=1,
    job_queue_depth=2,
)


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize("is_indexed", [False, True])
@pytest.mark.parametrize("is_narrow", [False, True])
def test_ring(is_narrow: bool, is_indexed: bool, stall: float) -> None:
    kind = {"is_narrow": is_narrow, "is_indexed": is_indexed}
    check_ring(MAPS, seed=is_narrow, stall=stall, loud=0.0 if stall else 0.3, **kind)


@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_columns_of_their_own(stall: float) -> None:
    loud = 0.0 if stall else 0.3
    check_ring(MAPS, is_indexed=False, seed=3, stall=stall, loud=loud, depthwise=True)


@pytest.mark.parametrize("is_narrow", [False, True])
def test_layers_beside_the_ring(is_narrow: bool) -> None:
    """The same lanes run fully-connected layers: sums, banks, the markers' time."""
    check_lanes(MAPS, is_narrow=is_narrow, seed=1)


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize("log2_n", [0, 3, 4])
@pytest.mark.parametrize("config", [MAPS, SINGLE], ids=["two", "one"])
def test_outputs_of_the_ring(config, log2_n: int, stall: float) -> None:
    for seed in range(2):
        check_ring_merge(config, log2_n=log2_n, seed=seed, stall=stall)


def test_groups_beside_the_ring() -> None:
    check_merge(MAPS, log2_n=3, bin_major=True, per_row_shift=True)
