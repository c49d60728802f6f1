# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""How each device makes what :mod:`spectramac.gateware.fft.device` offers, where inference is not good enough."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from amaranth import Module

from spectramac.gateware.fft.primitives import ecp5, gowin, ice40, nexus

__all__ = ["PRIMITIVES", "Primitives"]


@dataclass(frozen=True)
class Primitives:
    """Of one device; each function fills the module of the component. None: as in ``"generic"``.

    Attributes
    ----------
    block_ram, small_ram, multiplier : function of (m, component), or None
    can_multiply : function of (a_width, b_width, p_width)
        Whether ``multiplier`` is for these widths.
    depth_max : int
        Words for which ``block_ram`` is; deeper memories are inferred.
    """

    block_ram: Callable[[Module, Any], None] | None = None
    small_ram: Callable[[Module, Any], None] | None = None
    multiplier: Callable[[Module, Any], None] | None = None
    can_multiply: Callable[[int, int, int], bool] = lambda a_width, b_width, p_width: True
    depth_max: int = 1 << 14


PRIMITIVES = {
    "generic": Primitives(),
    "ecp5": Primitives(
        block_ram=ecp5.block_ram, multiplier=ecp5.multiplier, can_multiply=ecp5.can_multiply
    ),
    "ice40": Primitives(
        block_ram=ice40.block_ram,
        small_ram=ice40.small_ram,
        multiplier=ice40.multiplier,
        can_multiply=ice40.can_multiply,
    ),
    "gowin": Primitives(
        block_ram=gowin.block_ram,
        multiplier=gowin.multiplier,
        can_multiply=gowin.can_multiply,
        depth_max=1024,
    ),
    "nexus": Primitives(
        block_ram=nexus.block_ram,
        multiplier=nexus.multiplier,
        can_multiply=nexus.can_multiply,
        depth_max=512,
    ),
}
"""By the name of the technology."""
