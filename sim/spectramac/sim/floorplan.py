# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Places for the lanes' multipliers, the four of a lane side by side.

nextpnr's placers put the multipliers of a lane wherever there is room, up to 80 columns apart, and all that belongs to
the lane between them (docs/decisions/0008). Given where they are, it places the rest around them.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

__all__ = ["ECP5_85_LANES", "ecp5_85_groups", "place_lanes"]

_MULTIPLIER = re.compile(r"(?:^|\.)lane_(\d+)\.multiplier_(\d)\.mult$")


def ecp5_85_groups() -> list[list[tuple[str, ...]]]:
    """The multipliers of an ECP5-85, as nextpnr names them: three rows of thirteen groups of four."""
    columns = (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114)
    return [
        [tuple(f"X{x + k}/Y{y}/MULT18_{k}" for k in (0, 1, 4, 5)) for x in columns]
        for y in (10, 34, 58)
    ]


def _spread() -> tuple[tuple[str, ...], ...]:
    """Eight groups of each row for lanes, in blocks of two by three; the other multipliers are between them."""
    rows = ecp5_85_groups()
    pairs = ((1, 2), (4, 5), (7, 8), (10, 11))
    return tuple(row[column] for pair in pairs for row in rows for column in pair)


ECP5_85_LANES = _spread()
"""For each lane of up to 24, its four places: neighbouring lanes are near each other."""


def place_lanes(netlist: Path, places: Sequence[tuple[str, ...]]) -> int:
    """Fix the multipliers of lanes in a mapped netlist (JSON of Yosys), in place.

    Parameters
    ----------
    netlist : Path
        With flattened names: ``….lane_3.multiplier_0.mult``.
    places : sequence of tuple of str
        For each lane, those of its multipliers. Lanes beyond are left to the placer.

    Returns
    -------
    int
        Multipliers that were fixed; 0 if the design has no lanes.
    """
    design = json.loads(netlist.read_text())
    n_fixed = 0
    for module in design["modules"].values():
        for name, cell in module["cells"].items():
            found = _MULTIPLIER.search(name)
            if found and int(found[1]) < len(places):
                cell["attributes"]["BEL"] = places[int(found[1])][int(found[2])]
                n_fixed += 1
    if n_fixed:
        netlist.write_text(json.dumps(design))
    return n_fixed
