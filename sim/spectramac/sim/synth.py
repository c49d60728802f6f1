# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Synthesis, place and route with tools from PyPI: resources, clock, critical path.

``python -m spectramac.sim.synth --preset small`` measures the accelerator on the device of that preset.
Every port sits on a register (:mod:`spectramac.sim.synth_wrapper`), so the clock is that of the design and
not of its pins. Exit status 1: it does not fit, or is slower than ``--min-mhz``.
"""

import argparse
import importlib
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from spectramac.host.settings import configured
from spectramac.sim.devices import ECP5_25F, ECP5_85F, UP5K, Device
from spectramac.sim.floorplan import ECP5_85_LANES, place_lanes
from spectramac.sim.synth_report import SynthReport, critical_path, resources
from spectramac.sim.synth_wrapper import PinWrapper, to_rtlil
from spectramac.sim.toolchain import BuildError, ToolError, ToolNotFoundError, run_tool
from spectramac.spec.config import PRESETS, preset

__all__ = ["DEVICES", "DoesNotFitError", "run_yosys", "synthesize"]

DEFAULT_COMPONENT = "spectramac.gateware.accelerator:Accelerator"


class DoesNotFitError(ToolError):
    """The design needs more of something than the device has; :attr:`report` says how much."""

    def __init__(self, message: str, report: SynthReport | None = None) -> None:
        super().__init__(message)
        self.report = report


_MANY_LANES = replace(
    ECP5_85F,
    route=(*ECP5_85F.route, "--placer", "static", "--router", "router2"),  # docs/decisions/0008
    lanes=ECP5_85_LANES,
    target_mhz=80.0,
)
DEVICES = {
    "tiny": replace(UP5K, options="-dsp -spram"),
    "small": replace(ECP5_25F, target_mhz=95.0),
    "large": replace(_MANY_LANES, seed=3),  # the best of 1 to 3
    "conv": replace(ECP5_85F, seed=2),  # better than 1
}
"""Device of each preset."""

_YOSYS = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for line in sys.argv[1:]:
    libyosys.run_pass(line, design)
"""
_NEXTPNR = """
import sys, yowasp_nextpnr_{name} as nextpnr
sys.exit(nextpnr.run_nextpnr_{name}(sys.argv[1:]))
"""


def run_yosys(script: Sequence[str], *, cwd: Path, timeout: float = 3600.0) -> None:
    """Run Yosys commands in a process of their own: an error in Yosys ends its process."""
    run_tool([sys.executable, "-c", _YOSYS, *script], what="Yosys", cwd=cwd, timeout=timeout)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        extra = next((name for name in ("gowin", "nexus") if name in package), "fpga")
        raise ToolNotFoundError(
            f"{package} must be installed for synthesis; `pip install 'spectramac[{extra}]'` does it"
        ) from None


def _cells(path: Path) -> dict[str, int]:
    statistics = json.loads(path.read_text())
    design = statistics.get("design") or next(iter(statistics["modules"].values()))
    return {str(name): int(n) for name, n in design["num_cells_by_type"].items()}


def _route(device: Device, work: Path, seed: int, mhz: float, timeout: float) -> dict[str, Any]:
    name = f"report-{seed}.json"
    program = _NEXTPNR.format(name=device.nextpnr.replace("-", "_"))
    command = [sys.executable, "-c", program, *device.route]
    command += ["--json", "top.json", "--report", name, "--seed", str(seed), "--freq", f"{mhz:g}"]
    command += ["--timing-allow-fail", "-q"]
    run_tool(command, what=f"nextpnr-{device.nextpnr}, seed {seed},", cwd=work, timeout=timeout)
    report: dict[str, Any] = json.loads((work / name).read_text())
    return report


def synthesize(
    component: Any,
    device: Device,
    *,
    design: str = "",
    seeds: int = 1,
    target_mhz: float | None = None,
    timeout: float = 3600.0,
) -> SynthReport:
    """Place and route a component behind registers.

    Parameters
    ----------
    component : :class:`amaranth.lib.wiring.Component`
        What to measure.
    device : :class:`spectramac.sim.devices.Device`
        One of :data:`DEVICES`, or another.
    design : str
        Name for the report.
    seeds : int
        Placements to try; the clock is their median.
    target_mhz : float, optional
        What nextpnr works towards. Default: that of the device.
    timeout : float
        Seconds for each tool.

    Raises
    ------
    DoesNotFitError
        If the device is too small.
    ToolError
        If a tool is missing or fails.
    """
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, not {seeds!r}")
    target_mhz = device.target_mhz if target_mhz is None else target_mhz
    tools = {name: _version(name) for name in ("pyosys", f"yowasp-nextpnr-{device.nextpnr}")}
    wrapper = PinWrapper(component)
    with tempfile.TemporaryDirectory(prefix="spectramac-synth.") as folder:
        work = Path(folder)
        start = time.monotonic()
        (work / "top.il").write_text(to_rtlil(wrapper))
        (work / "pins").write_text(device.pins)
        script = [
            "read_rtlil top.il",
            f"{device.synth} -top top",
            *device.repairs,
            "write_json top.json",
            "tee -q -o stat.json stat -json",
        ]
        run_yosys(script, cwd=work, timeout=timeout)
        if device.lanes:
            place_lanes(work / "top.json", device.lanes)
        cells = _cells(work / "stat.json")
        report = SynthReport(
            design=design or type(component).__name__,
            device=device.name,
            tools=tools,
            resources=[],
            cells=cells,
            wrapper_flip_flops=wrapper.n_flip_flops,
        )
        report.seconds["synthesis"] = time.monotonic() - start
        start = time.monotonic()
        worst = float("inf")
        for seed in range(device.seed, device.seed + seeds):
            try:
                routed = _route(device, work, seed, target_mhz, timeout)
            except BuildError as error:
                if "no Bels remaining" in error.log or "Unable to place" in error.log:
                    counts = ", ".join(f"{n} {name}" for name, n in sorted(cells.items()))
                    reason = next(ln for ln in error.log.splitlines() if "nable to place" in ln)
                    raise DoesNotFitError(
                        f"{report.design} must fit {device.name}: {reason}; it needs {counts}",
                        report,
                    ) from None
                raise
            mhz = min((clock["achieved"] for clock in routed["fmax"].values()), default=0.0)
            report.clock_mhz.append(mhz)
            if mhz < worst:
                worst = mhz
                report.path = critical_path(routed)
                report.resources = resources(device.technology, routed["utilization"], cells)
        report.seconds["place and route"] = time.monotonic() - start
    for item in report.resources:
        if item.available and item.used > item.available:
            raise DoesNotFitError(
                f"{report.design} must fit {device.name}: it needs {item.used} {item.name} of "
                f"{item.available}",
                report,
            )
    return report


def _component(spec: str, config: Any, technology: str) -> Any:
    module, _, name = spec.partition(":")
    options = {"technology": technology} if spec == DEFAULT_COMPONENT else {}
    try:
        return getattr(importlib.import_module(module), name)(config, **options)
    except (ImportError, AttributeError, ValueError) as error:
        raise ToolError(
            f"component must be module:function that exists, not {spec!r}: {error}"
        ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m spectramac.sim.synth",
        description="Place and route; print resources, clock and critical path.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--preset", choices=list(PRESETS), default="small", help="which accelerator"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="NAME=VALUE",
        help="change a parameter of the preset; may be given several times",
    )
    parser.add_argument("--device", choices=list(DEVICES), help="device of another preset")
    parser.add_argument(
        "--seeds", type=int, default=1, help="placements; the clock is their median"
    )
    parser.add_argument("--seed", type=int, help="of the first placement, instead of the device's")
    parser.add_argument(
        "--target-mhz", type=float, help="what nextpnr works towards, instead of the device's"
    )
    parser.add_argument("--min-mhz", type=float, default=0.0, help="fail below this clock")
    parser.add_argument("--json", type=Path, help="write the report there")
    parser.add_argument(
        "--component", default=DEFAULT_COMPONENT, help="module:function, called with the config"
    )
    options = parser.parse_args(arguments)
    device = DEVICES[options.device or options.preset]
    if options.seed is not None:
        device = replace(device, seed=options.seed)
    try:
        config = configured(preset(options.preset), options.settings)
        component = _component(options.component, config, device.technology)
        print(f"placing {config.name} on {device.name} ...", file=sys.stderr)
        report = synthesize(
            component,
            device,
            design=f"{type(component).__name__} ({config.name})",
            seeds=options.seeds,
            target_mhz=options.target_mhz,
        )
    except (ToolError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(report.text())
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report.as_json(), indent=2) + "\n")
    if report.median_mhz < options.min_mhz:
        print(
            f"error: clock must be at least {options.min_mhz:g} MHz, is {report.median_mhz:.1f}",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
