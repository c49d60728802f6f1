# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Window sums, window maxima and additions out of activation memory."""

from typing import Any

import pytest
from tests.gateware.checks_window import check_window
from tests.windows import NODES

from spectramac.gateware.window import WindowUnit


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("kind", NODES)
def test_samples(kind: Any, stall: float) -> None:
    for seed in range(4):
        check_window((kind,), seed=seed, stall=stall, n_pairs=1 + seed % 3)


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_layers_one_after_the_other(stall: float) -> None:
    """What a layer leaves in the registers does not matter to the next."""
    for seed in range(2):
        check_window((*NODES, *NODES[:2]), seed=seed, stall=stall, size=4)


def test_timing() -> None:
    """The first sample, then one every so many cycles as a window has taps, from pair to pair too."""
    seen = set()
    for seed in range(2):
        for timing in check_window(NODES, seed=seed, n_pairs=2, size=4):
            d = timing.descriptor
            taps = 2 if d["kind"] == 5 else d["kernel_height"] * d["kernel_width"]
            assert timing.first == WindowUnit.LATENCY + taps
            assert timing.last == timing.first + (timing.n_samples - 1) * taps
            assert timing.busy == timing.last - WindowUnit.PIPELINE
            seen.add(taps)
    assert {1, 2} < seen
