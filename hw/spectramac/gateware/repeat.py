# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Registers of which there are several on purpose."""

from typing import Any

from amaranth import C, ClockSignal, Instance, Module, Signal, Value

from spectramac.gateware.fft.delay import delayed

__all__ = ["repeated"]


def repeated(m: Module, value: Any, name: str, *, technology: str = "generic") -> Any:
    """``value`` one cycle later, in registers of its own, near what they drive.

    Synthesis merges registers that hold the same, and one wire to all lanes is then the longest path
    (docs/decisions/0008). Where the technology has a flip-flop to instantiate (``"ecp5"``), it is left alone.
    """
    if technology != "ecp5":
        return delayed(m, value, 1, name)
    bits = Value.cast(value)
    result = Signal(value.shape(), name=name)
    for k in range(len(bits)):
        m.submodules += Instance(
            "TRELLIS_FF",
            p_GSR="DISABLED",
            p_CEMUX="1",
            p_CLKMUX="CLK",
            p_LSRMUX="LSR",
            p_REGSET="RESET",
            i_CLK=ClockSignal(),
            i_LSR=C(0),
            i_DI=bits[k],
            o_Q=result[k],
        )
    return result
