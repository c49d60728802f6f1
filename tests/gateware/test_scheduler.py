# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Jobs from the directory."""

import numpy as np
import pytest
from amaranth.hdl import Fragment
from tests.gateware.cases import CONFIG, SINGLE
from tests.gateware.cases_walk import MAPS
from tests.gateware.checks import PREFETCHED, check_scheduler
from tests.gateware.checks_maps import check_own_columns, check_phases
from tests.gateware.streams import STALLS

from spectramac.gateware.scheduler import Scheduler

ONE = MAPS.replace(fft_architecture="iterative")


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("is_complex", [False, True])
def test_jobs(is_complex: bool, stalls: str) -> None:
    for seed in range(6):
        check_scheduler(CONFIG, is_complex=is_complex, seed=seed, stalls=stalls)


@pytest.mark.parametrize("config", [CONFIG, SINGLE], ids=["registered", "combinational"])
@pytest.mark.parametrize("uniform_count", [1, 5, 255])
@pytest.mark.parametrize("is_complex", [False, True])
def test_flags_instead_of_counts(config, is_complex: bool, uniform_count: int) -> None:
    for seed, stalls in enumerate(STALLS):
        check_scheduler(
            config, is_complex=is_complex, seed=seed, stalls=stalls, uniform_count=uniform_count
        )


@pytest.mark.parametrize("config", [CONFIG, SINGLE], ids=["registered", "combinational"])
@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("uniform_count", [0, 3])
def test_timing(config, is_complex: bool, uniform_count: int) -> None:
    """A cycle for each directory word and for a marker; a final one delays the next word."""
    dut = Scheduler(config)
    Fragment.get(dut, None)
    run = check_scheduler(
        config, is_complex=is_complex, seed=2, full=True, uniform_count=uniform_count
    )
    # Two groups of five pairs with their markers are one inference pair.
    per_pair = 2 * (5 * (3 if is_complex else 2) + 1)
    steps = np.diff(run.out_cycles).tolist()
    expected = [1] * (per_pair - 1) + [dut.rewind_cycles]
    assert steps == (3 * expected)[:-1]
    assert run.valid_cycles[0] == PREFETCHED + dut.latency


@pytest.mark.parametrize("config", [MAPS, ONE], ids=["registered", "combinational"])
@pytest.mark.parametrize("uniform_count", [0, 5])
@pytest.mark.parametrize("is_complex", [False, True])
def test_phases(config, is_complex: bool, uniform_count: int) -> None:
    """A convolution: a directory for each phase; markers go on where outputs end."""
    kind = {"is_complex": is_complex, "uniform_count": uniform_count}
    for seed, stalls in enumerate(STALLS):
        check_phases(config, seed=seed, stalls=stalls, **kind)


@pytest.mark.parametrize("config", [MAPS, ONE], ids=["registered", "combinational"])
def test_columns_to_single_lanes(config) -> None:
    """A depthwise convolution."""
    for seed, stalls in enumerate((*STALLS, *STALLS)):
        check_own_columns(config, seed=seed, stalls=stalls)


@pytest.mark.parametrize("config", [MAPS, ONE], ids=["registered", "combinational"])
def test_layers_beside_convolutions(config) -> None:
    for seed, stalls in enumerate(STALLS):
        check_scheduler(config, is_complex=bool(seed % 2), seed=seed, stalls=stalls)
