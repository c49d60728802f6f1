# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Places of the lanes' multipliers."""

import json
from pathlib import Path

from spectramac.sim.floorplan import ECP5_85_LANES, ecp5_85_groups, place_lanes
from spectramac.spec.config import preset


def netlist(path: Path, names: list[str]) -> Path:
    cells = {name: {"type": "MULT18X18D", "attributes": {}} for name in names}
    path.write_text(json.dumps({"modules": {"top": {"cells": cells}}}))
    return path


def places(path: Path) -> dict[str, str]:
    cells = json.loads(path.read_text())["modules"]["top"]["cells"]
    return {name: cell["attributes"]["BEL"] for name, cell in cells.items() if cell["attributes"]}


def test_every_lane_of_large_has_four_multipliers_of_its_own() -> None:
    sites = [site for lane in ECP5_85_LANES for site in lane]
    everything = [site for row in ecp5_85_groups() for group in row for site in group]
    assert len(everything) == len(set(everything)) == 156
    assert len(ECP5_85_LANES) >= preset("large").n_lanes
    assert len(sites) == len(set(sites))
    assert set(sites) <= set(everything)
    assert all(len(lane) == 4 for lane in ECP5_85_LANES)


def test_only_multipliers_of_lanes_are_fixed(tmp_path) -> None:
    lane = "dut.engine.lanes.lane_7.multiplier_2.mult"
    others = ["dut.engine.forward_fft.k1.mult", "dut.lane_99.multiplier_0.mult", lane + ".x"]
    path = netlist(tmp_path / "top.json", [lane, *others])
    assert place_lanes(path, ECP5_85_LANES) == 1
    assert places(path) == {lane: ECP5_85_LANES[7][2]}


def test_a_design_without_lanes_is_left_as_it_is(tmp_path) -> None:
    path = netlist(tmp_path / "top.json", ["dut.mult"])
    before = path.read_bytes()
    assert place_lanes(path, ECP5_85_LANES) == 0
    assert path.read_bytes() == before
