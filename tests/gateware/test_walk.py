# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Walks over maps: positions of a convolution, its tap table, addresses of outputs."""

import pytest
from tests.gateware.cases import CONFIG
from tests.gateware.cases_walk import MAPS
from tests.gateware.checks_walk import check_output_walker, check_taps, check_walk

DEEP = MAPS.replace(accumulator_depth=1 << 12)
"""A ring that hardly ever wraps."""


@pytest.mark.parametrize("config", [MAPS, DEEP], ids=["ring", "deep"])
@pytest.mark.parametrize("pause", [0.0, 0.5])
def test_positions(config, pause: float) -> None:
    for seed in range(12):
        check_walk(config, seed=seed, pause=pause)


@pytest.mark.parametrize("config", [MAPS, DEEP], ids=["ring", "deep"])
def test_tap_table(config) -> None:
    for seed in range(12):
        check_taps(config, seed=seed)


@pytest.mark.parametrize("is_map", [False, True], ids=["vectors", "maps"])
def test_output_addresses(is_map: bool) -> None:
    for seed in range(10):
        check_output_walker(MAPS, is_map=is_map, seed=seed)


def test_output_addresses_without_maps() -> None:
    check_output_walker(CONFIG, is_map=False, seed=0)
