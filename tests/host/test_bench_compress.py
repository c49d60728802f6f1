# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The command of the benchmark of compression: what it refuses, and a small run with budgets and a mix."""

import json

import pytest

from spectramac.compress import training
from spectramac.host.bench_compress import main


def test_budgets_are_instead_of_densities(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--budgets", "3000", "--densities", "0.1"])
    assert stop.value.code == 2
    assert "not allowed with argument --budgets" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--methods", "prune-pair-int4,mix"], "the mix must have budgets; give --budgets"),
        (["--folds", "0"], "folds must be at least 1, not 0"),
    ],
)
def test_bad_options_leave_nothing_behind(options, message, capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        main([*options, "--out", str(tmp_path)])
    assert stop.value.code == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_run_with_a_mix(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch", reason="training is an extra: pip install 'spectramac[train]'")
    pytest.importorskip("optuna", reason="searching is an extra: pip install 'spectramac[search]'")
    pytest.importorskip(
        "sklearn", reason="the digits are an extra: pip install 'spectramac[train]'"
    )
    pytest.importorskip("matplotlib", reason="pictures are an extra: 'spectramac[plot]'")
    monkeypatch.setattr(training, "MIN_EPOCH", 1)
    arguments = (
        "--datasets digits --methods neurons-l2-int4,sft-8x8-int4,mix --budgets 2500 --seeds 1 --epochs 2 "
        "--teacher-epochs 5 --rates 2e-2 --trials 1 --finalists 3"
    )
    main([*arguments.split(), "--out", str(tmp_path)])
    assert "bench-compress.md" in capsys.readouterr().out
    found = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    methods = [row["method"] for row in found["results"]]
    assert methods == ["neurons-l2-int4", "sft-8x8-int4", "mix"]
    assert all(row["bytes"] <= 2500 for row in found["results"])
    assert len(found["finalists"]) == 1
    text = (tmp_path / "bench-compress.md").read_text(encoding="utf-8")
    assert "### At most 2500 bytes" in text
    assert "### The mix" in text
    assert arguments in text
