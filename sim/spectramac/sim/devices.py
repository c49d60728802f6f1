# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Devices that designs are placed on, and what selects them in Yosys and nextpnr.

What is measured on a device decides the rest (:func:`dataclasses.replace`): clock that is worked towards, placer.
"""

from dataclasses import dataclass

from spectramac.sim.cells import FLOWS, REPAIRS

__all__ = ["ECP5_25F", "ECP5_85F", "GW1NR_9C", "LIFCL_40", "UP5K", "Device"]


@dataclass(frozen=True)
class Device:
    """A target and the options that select it."""

    name: str
    technology: str
    """Whose primitives the gateware instantiates (:mod:`spectramac.gateware.fft.device` and ``memory``)."""
    route: tuple[str, ...]
    """Options of nextpnr."""
    options: str = ""
    """More options of Yosys's command."""
    lanes: tuple[tuple[str, ...], ...] = ()
    """Places of each lane's multipliers (:mod:`spectramac.sim.floorplan`), where they are not left to the placer."""
    target_mhz: float = 100.0
    """What nextpnr works towards: it stops early if that is too low."""
    seed: int = 1
    """Of the first placement; those after it count up."""
    pins: str = ""
    """Pins of the wrapper's ports, where nextpnr does not choose them: the file ``pins`` that ``route`` names."""

    @property
    def synth(self) -> str:
        """Yosys's command."""
        return f"{FLOWS[self.technology]} {self.options}".rstrip()

    @property
    def repairs(self) -> tuple[str, ...]:
        """Yosys commands that must follow :attr:`synth`."""
        return REPAIRS.get(self.technology, ())

    @property
    def nextpnr(self) -> str:
        """Which nextpnr, as in its command."""
        return {"gowin": "himbaechel-gowin"}.get(self.technology, self.technology)


def _ecp5(size: int, package: str) -> Device:
    return Device(
        f"ECP5 LFE5U-{size}F-6 {package}",
        "ecp5",
        (f"--{size}k", "--package", package, "--speed", "6", "--lpf-allow-unconstrained"),
    )


def _pins(line: str, pins: str) -> str:
    """A clock input and four others of the package, for the ports of the wrapper."""
    ports = ("clk", "rst", "serial_in", "load", "serial_out")
    places = zip(ports, pins.split(), strict=True)
    return "".join(line.format(port=port, pin=pin) + "\n" for port, pin in places)


ECP5_25F = _ecp5(25, "CABGA381")
ECP5_85F = _ecp5(85, "CABGA756")
UP5K = Device(
    "iCE40 UP5K-SG48", "ice40", ("--up5k", "--package", "sg48", "--pcf-allow-unconstrained")
)
GW1NR_9C = Device(
    "Gowin GW1NR-9C QN88P C6/I5",
    "gowin",
    ("--device", "GW1NR-LV9QN88PC6/I5", "--vopt", "family=GW1N-9C", "--vopt", "cst=pins"),
    pins=_pins('IO_LOC "{port}" {pin};', "52 25 26 27 28"),
)
LIFCL_40 = Device(
    "CrossLink-NX LIFCL-40-9 BG400",
    "nexus",
    ("--device", "LIFCL-40-9BG400C", "--pdc", "pins")
    + ("--router", "router1"),  # router2 finds no way from the clock's pin to its buffer
    pins=_pins("ldc_set_location -site {{{pin}}} [get_ports {port}]", "L13 M14 M15 M16 N14"),
)
