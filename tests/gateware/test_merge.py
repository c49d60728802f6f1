# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Accumulators to packed spectrum."""

from itertools import product

import pytest
from tests.gateware.cases import CONFIG, SINGLE
from tests.gateware.checks import check_placement, check_shift, check_walker
from tests.gateware.checks_back import check_merge

from spectramac.gateware.merge import Merge
from spectramac.spec.config import AcceleratorConfig

CONFIGS = pytest.mark.parametrize("config", [CONFIG, SINGLE], ids=["two", "one"])


@pytest.mark.parametrize("log2_n_max", [4, 8])
def test_walker(log2_n_max: int) -> None:
    check_walker(log2_n_max)


@pytest.mark.parametrize("depth", [2, 16])
@pytest.mark.parametrize("n_lanes", [1, 2, 3, 5, 24])
def test_placement(n_lanes: int, depth: int) -> None:
    check_placement(AcceleratorConfig(n_lanes=n_lanes, accumulator_depth=depth))


@pytest.mark.parametrize(("in_width", "out_width"), [(6, 3), (7, 7), (8, 5)])
def test_shift_exhaustively(in_width: int, out_width: int) -> None:
    check_shift(in_width, out_width, range(-(1 << in_width - 1), 1 << in_width - 1), range(32))


def test_shift_of_wide_values() -> None:
    """Ties, their neighbours and the extremes, at every amount."""
    top = (1 << 27) - 1
    values = {-top - 1, top} | {
        sign * ((1 << bit) * odd // 2 + d)
        for bit in range(1, 26)
        for odd in (1, 3)
        for d in (-1, 0, 1)
        for sign in (-1, 1)
    }
    check_shift(28, 16, sorted(values), range(0, 32, 3))


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize(
    ("log2_n", "two_d", "bin_major"),
    [
        (0, False, False),
        *product((3, 4), (False,), (False, True)),
        *product((4,), (True,), (False, True)),
    ],
)
@CONFIGS
def test_samples(config, log2_n: int, two_d: bool, bin_major: bool, stall: float) -> None:
    for seed in range(2):
        kind = {"two_d": two_d, "bin_major": bin_major, "per_row_shift": bool(seed)}
        check_merge(config, log2_n=log2_n, seed=seed, loud=seed == 1, stall=stall, **kind)


@pytest.mark.parametrize("log2_n", [0, 3, 4])
@CONFIGS
def test_timing(config, log2_n: int) -> None:
    timing = check_merge(config, log2_n=log2_n, seed=3)
    assert timing.latency == Merge.LATENCY
    if log2_n:
        assert timing.interval == 1  # the iterative FFT takes a frame at full rate
