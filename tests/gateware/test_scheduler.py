# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Jobs from the directory."""

import numpy as np
import pytest
from tests.gateware.cases import CONFIG
from tests.gateware.checks import check_scheduler
from tests.gateware.streams import STALLS


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("is_complex", [False, True])
def test_jobs(is_complex: bool, stalls: str) -> None:
    for seed in range(6):
        check_scheduler(CONFIG, is_complex=is_complex, seed=seed, stalls=stalls)


@pytest.mark.parametrize("is_complex", [False, True])
def test_timing(is_complex: bool) -> None:
    """A cycle for each word of a pair and for a marker; a final one delays the next word by one."""
    words = 3 if is_complex else 2
    run = check_scheduler(CONFIG, is_complex=is_complex, seed=2)
    steps = np.diff(run.in_cycles).tolist()
    group = [words] * 4 + [1] + [words]  # five pairs, a marker, the next group's first pair
    assert steps[:6] == group
    assert steps[10:12] == [1, words + 1]
