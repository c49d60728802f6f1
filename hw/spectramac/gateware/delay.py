# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Values some cycles later: through registers that synthesis may merge, and through registers that it may not."""

from typing import Any

from amaranth import C, ClockSignal, Instance, Module, Signal, Value

__all__ = ["delayed", "repeated"]


def delayed(m: Module, value: Any, cycles: int, name: str, *, reset: bool = False) -> Any:
    """``value`` some cycles later."""
    shape = value.shape()
    for k in range(1, cycles + 1):
        register = Signal(shape, name=f"{name}_d{k}", reset_less=not reset)
        m.d.sync += register.eq(value)
        value = register
    return value


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
