# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Benches of fully-connected networks for tests, with short epochs."""

from pathlib import Path

import pytest

from spectramac.compress import training
from spectramac.compress.bench import Settings
from spectramac.compress.bench_dense import DenseBench
from spectramac.compress.bench_results import Results
from spectramac.compress.datasets import DataSet

__all__ = ["open_bench"]


def open_bench(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    data: DataSet,
    min_epoch: int = 256,
) -> DenseBench:
    """With its results in ``folder``; skips the test without PyTorch."""
    pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")
    monkeypatch.setattr(training, "MIN_EPOCH", min_epoch)
    results = Results(folder / "results.json", settings.identity())
    return DenseBench(data, settings, results, folder)
