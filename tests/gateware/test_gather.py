# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Inputs out of activation memory."""

import pytest
from tests.gateware.cases import CONFIG, SETTLE
from tests.gateware.checks import check_gather
from tests.gateware.streams import STALLS


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("log2_n", [0, 3, 4])
def test_samples(log2_n: int, stalls: str) -> None:
    for seed in range(4):
        check_gather(CONFIG, log2_n, stalls=stalls, seed=seed)


def test_timing() -> None:
    """The first sample 2 cycles after the start, then one a cycle."""
    run = check_gather(CONFIG, 4, stalls="none", seed=1)
    assert run.valid_cycles[0] == SETTLE + 2
    assert run.out_cycles == list(range(run.out_cycles[0], run.out_cycles[0] + 32))
