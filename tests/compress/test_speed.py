# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Compressing a matrix takes little more memory than itself; time is for the command to measure, not for a test."""

import pytest

from spectramac.compress.speed import main, measure
from spectramac.compress.techniques import Pruning, Sft, Technique


@pytest.mark.parametrize("technique", [Sft(None, None), Sft(8, 8), Pruning()], ids=str)
def test_memory(technique: Technique) -> None:
    speed = measure(1024, technique=technique)
    assert speed.ratio > 0
    assert 1 < speed.peak <= 4


@pytest.mark.long
@pytest.mark.parametrize("technique", [Sft(None, None), Sft(64, 64), Sft(8, 8)], ids=str)
def test_memory_of_a_large_matrix(technique: Technique) -> None:
    speed = measure(4096, technique=technique)
    assert speed.ratio > 0
    assert 1 < speed.peak <= 4


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--size", "64"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("sft-8x8-real: 64 x 64: ")
