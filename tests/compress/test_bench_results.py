# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Results of benchmarks that are opened again."""

import json
from pathlib import Path

import pytest

from spectramac.compress.bench_results import Results, open_results
from spectramac.spec.config import preset

ROOT = Path(__file__).parents[2]


def test_the_shipped_narrow_networks_can_be_run_again() -> None:
    """As the README says; what they were compiled for is what this version makes."""
    results, config = open_results(ROOT / "docs" / "bench" / "narrow" / "results.json")
    assert (config.n_lanes, config.log2_n_max) == (5, 8)
    assert len(results.tables["results"]) == 18


def test_a_parameter_that_is_newer_than_the_results_has_its_default(tmp_path: Path) -> None:
    config = preset("small")
    identity = config.identity()
    del identity["log2_axis_max"]
    path = tmp_path / "results.json"
    Results(path, {"configuration": identity}).add("rates", rate=1.0)
    assert open_results(path)[1].build_id == config.build_id


def test_results_of_another_architecture_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    identity = preset("small").identity() | {"architecture_version": 0}
    path.write_text(json.dumps({"settings": {"configuration": identity}}))
    with pytest.raises(ValueError, match="architecture version 0; run the benchmark again"):
        open_results(path)
