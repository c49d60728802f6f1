# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The table and the file of ``make bench-fft``, without placing anything."""

import json
from pathlib import Path

import pytest

from spectramac.sim.bench_fft import main
from spectramac.spec.config import FFTConfig
from spectramac.spec.timing import fft_latency


def test_several_samples_a_clock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bench.json"
    options = "--points 64 --technology ecp5 --scaling halving --samples-per-clock 1 4 --seeds 0"
    assert main([*options.split(), "--json", str(path)]) == 0
    one, four = json.loads(path.read_text())["results"]
    for row, rate in ((one, 1), (four, 4)):
        config = FFTConfig(
            log2_n_max=6, twiddle_width=18, scaling="halving", samples_per_clock=rate
        )
        assert row["samples_per_clock"] == rate
        assert row["latency"] == fft_latency(config, 6)
    assert one["sqnr_db"] == four["sqnr_db"]
    assert one["latency_natural"] > one["latency"]
    assert four["latency_natural"] is None
    table = capsys.readouterr().out.splitlines()
    assert f"  1   N   + {one['latency'] - 64} " in table[1]
    assert f"  4   N/4 + {four['latency'] - 16} " in table[2]


def test_refused_combinations_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    options = "--points 64 --technology ecp5 --scaling block --samples-per-clock 2 --seeds 0"
    assert main(options.split()) == 1
    assert "samples_per_clock must be 1 with scaling 'block', not 2" in capsys.readouterr().err
