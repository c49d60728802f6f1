# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What Yosys and nextpnr report, in one form for all families."""

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["CriticalPath", "Resource", "SynthReport", "critical_path", "resources"]

# Resource: (nextpnr's key, Yosys's cell types where nextpnr has no key of its own for it).
_KEYS: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {
    "ecp5": {
        "LUT": ("TRELLIS_COMB", ()),
        "FF": ("TRELLIS_FF", ()),
        "LUT RAM": ("TRELLIS_RAMW", ()),
        "block RAM": ("DP16KD", ()),
        "DSP": ("MULT18X18D", ()),
    },
    "ice40": {
        "logic cell": ("ICESTORM_LC", ()),
        "LUT": ("", ("SB_LUT4",)),
        "FF": ("", ("SB_DFF",)),
        "block RAM": ("ICESTORM_RAM", ()),
        "SPRAM": ("ICESTORM_SPRAM", ()),
        "DSP": ("ICESTORM_DSP", ()),
    },
    "gowin": {
        "LUT": ("LUT4", ()),
        "FF": ("DFF", ()),
        "LUT RAM": ("RAM16SDP4", ()),
        "block RAM": ("BSRAM", ()),
        "DSP": ("MULT18X18", ()),
    },
    "nexus": {
        "LUT": ("OXIDE_COMB", ()),
        "FF": ("OXIDE_FF", ()),
        "LUT RAM": ("RAMW", ()),
        "block RAM": ("OXIDE_EBR", ()),
        "DSP": ("MULT18_CORE", ()),
    },
}
# Cells that nextpnr counts apart although they take the places of others, and how many.
_IN_PLACE_OF = {"LUT4": {"ALU": 1, "RAM16SDP4": 4}}
_NONE = {"used": 0, "available": 0}


@dataclass(frozen=True)
class Resource:
    """Cells of one kind; ``available`` is 0 where the device has no separate count."""

    name: str
    used: int
    available: int

    @property
    def percent(self) -> float:
        """Share of the device."""
        return 100 * self.used / self.available if self.available else 0.0


@dataclass(frozen=True)
class CriticalPath:
    """The slowest path from register to register.

    ``through`` names the components on the way, in order; ``steps`` has (kind, cell or net, ns). Each bit
    pair of a carry chain is one of ``n_cells``.
    """

    start: str
    end: str
    through: tuple[str, ...]
    logic_ns: float
    routing_ns: float
    n_cells: int
    steps: tuple[tuple[str, str, float], ...]


@dataclass
class SynthReport:
    """One design on one device."""

    design: str
    device: str
    tools: dict[str, str]
    resources: list[Resource]
    cells: dict[str, int]
    clock_mhz: list[float] = field(default_factory=list)
    path: CriticalPath | None = None
    wrapper_flip_flops: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def median_mhz(self) -> float:
        """Median over the seeds."""
        return statistics.median(self.clock_mhz)

    def as_json(self) -> dict[str, Any]:
        """For a report file."""
        return {**asdict(self), "median_mhz": self.median_mhz}

    def text(self) -> str:
        """For people."""
        lines = [f"{self.design} on {self.device}"]
        for item in self.resources:
            share = f"{item.available:8d} {item.percent:6.1f} %" if item.available else ""
            lines.append(
                f"  {item.name:<12}{item.used:8d} {'of' if share else '  '} {share}".rstrip()
            )
        lines.append(
            f"  ports sit on registers; the wrapper's {self.wrapper_flip_flops} flip-flops are counted above"
        )
        each = ", ".join(f"{mhz:.1f}" for mhz in self.clock_mhz)
        note = f"  (median of seeds: {each})" if len(self.clock_mhz) > 1 else ""
        lines.append(f"  {'clock':<12}{self.median_mhz:8.1f} MHz{note}")
        if self.path is not None:
            path = self.path
            total = path.logic_ns + path.routing_ns
            lines.append(
                f"  critical path {total:.2f} ns: {path.logic_ns:.2f} logic in {path.n_cells} cells, "
                f"{path.routing_ns:.2f} routing"
            )
            lines.append(f"    from    {path.start}")
            lines += [f"    through {name}" for name in path.through]
            lines.append(f"    to      {path.end}")
        lines.append("  " + ", ".join(f"{name} {version}" for name, version in self.tools.items()))
        lines.append("  " + ", ".join(f"{what} {s:.0f} s" for what, s in self.seconds.items()))
        return "\n".join(lines)


def resources(
    technology: str, utilization: Mapping[str, Mapping[str, int]], cells: Mapping[str, int]
) -> list[Resource]:
    """Resources by common names, from nextpnr's ``utilization`` and Yosys's cell counts."""
    found = []
    for name, (key, types) in _KEYS[technology].items():
        if key:
            entry = utilization.get(key, _NONE)
            apart = _IN_PLACE_OF.get(key, {}).items()
            used = entry["used"] + sum(n * utilization.get(k, _NONE)["used"] for k, n in apart)
            found.append(Resource(name, used, entry["available"]))
        else:
            used = sum(n for cell, n in cells.items() if cell.startswith(types))
            found.append(Resource(name, used, 0))
    return found


_TECHNOLOGY = re.compile(
    r"_(?:TRELLIS_\w+|LUT[4-7]|L6MUX21|PFUMX|CCU2C|DP16KD|MULT18X18D|ALU54B|SB_\w+|DPR16X4C?)\b.*$"
    r"|_(?:TRELLIS|LUT4|L6MUX21|PFUMX|CCU2C|DP16KD|MULT18X18D|SB)_.*$"
    r"|\$.*$"
)


def _plain(name: str) -> str:
    """A cell's or net's name as the gateware spells it: what technology mapping appended is cut."""
    short = _TECHNOLOGY.sub("", name.lstrip("$\\")) or name
    if short.endswith("."):  # Yosys named it itself: only the full name tells
        short = name
    return short.removeprefix("dut.")


def _component(name: str) -> str:
    return _plain(name).rpartition(".")[0] or "(top)"


def critical_path(report: Mapping[str, Any]) -> CriticalPath | None:
    """The slowest register-to-register path of nextpnr's report."""
    worst: tuple[float, Sequence[Mapping[str, Any]]] | None = None
    for entry in report.get("critical_paths", ()):
        if "<async>" in (entry["from"], entry["to"]) or not entry["path"]:
            continue
        total = sum(step["delay"] for step in entry["path"])
        if worst is None or total > worst[0]:
            worst = (total, entry["path"])
    if worst is None:
        return None
    path = worst[1]
    through: list[str] = []
    for step in path:
        name = _component(step.get("net") or step["from"]["cell"])
        if not through or through[-1] != name:
            through.append(name)
    routing = sum(step["delay"] for step in path if step["type"] == "routing")
    return CriticalPath(
        start=_plain(path[0]["from"]["cell"]),
        end=_plain(path[-1]["to"]["cell"]),
        through=tuple(through),
        logic_ns=worst[0] - routing,
        routing_ns=routing,
        n_cells=sum(step["type"] == "logic" for step in path),
        steps=tuple(
            (step["type"], step.get("net") or step["to"]["cell"], step["delay"]) for step in path
        ),
    )
