# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Split and threshold: exact at the boundary, with the latency and rate that they state."""

import numpy as np
import pytest
from amaranth.hdl import Fragment
from tests.cocotb.blocks import Columns
from tests.gateware.cases import CONFIG, SINGLE
from tests.gateware.checks import check_columns
from tests.gateware.streams import STALLS, run_stream

from spectramac.gateware.threshold import Threshold
from spectramac.spec.payloads import bins, kept_columns

CONFIGS = pytest.mark.parametrize("config", [CONFIG, SINGLE], ids=["two", "one"])


@pytest.mark.parametrize("stalls", STALLS)
@CONFIGS
def test_columns(config, stalls: str) -> None:
    top = (1 << config.level_width) - 1
    for seed, level in enumerate((0, 1, 1 << 12, 1 << 20, top)):
        check_columns(config, level=level, seed=seed, stalls=stalls)


@CONFIGS
def test_timing(config) -> None:
    threshold = Threshold(config)
    Fragment.get(threshold, None)
    run = check_columns(config, level=5, seed=1, n_frames=6)
    assert {b - a for a, b in zip(run.in_cycles, run.valid_cycles, strict=True)} == {
        threshold.latency
    }
    assert set(np.diff(run.in_cycles).tolist()) == {threshold.cycles_per_pair}


@CONFIGS
def test_the_boundary_is_kept(config) -> None:
    """A magnitude equal to the level is kept, one below is not: complex on a² + b², real on (2x)²."""
    low = config.data.minimum
    cases = [
        # joint, first, second, a² + b² of inference 1 (complex), or (2a)² and (2b)²
        (1, (3, 4), (3, -4), (6**2 + 8**2,) * 2),
        (1, (low, 0), (low, 0), ((2 * low) ** 2,) * 2),
        (0, (7, 0), (-9, 0), (14**2, 18**2)),
        (0, (low, 0), (low + 1, 0), ((2 * low) ** 2, (2 * low + 2) ** 2)),
    ]
    wide, narrow = bins(config), kept_columns(config)
    control = {"base": 0, "marker": 0, "final": 0}
    for joint, first, second, magnitudes in cases:
        word = wide.pack(
            {
                "first": dict(zip(("re", "im"), first, strict=True)),
                "second": dict(zip(("re", "im"), second, strict=True)),
                "joint": joint,
                **control,
            }
        )
        for level in sorted({m + d for m in magnitudes for d in (0, 1)}):
            run = run_stream(Columns(config), [word], 1, control={"level": level})
            out = narrow.unpack(run.outputs[0])
            kept = (out["keep_a"], out["keep_b"])
            assert kept == tuple(int(m >= level) for m in magnitudes), f"{first}, level {level}"
