# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Delays in the pipeline."""

from typing import Any

from amaranth import Module, Signal

__all__ = ["delayed"]


def delayed(m: Module, value: Any, cycles: int, name: str, *, reset: bool = False) -> Any:
    """``value`` some cycles later."""
    shape = value.shape()
    for k in range(1, cycles + 1):
        register = Signal(shape, name=f"{name}_d{k}", reset_less=not reset)
        m.d.sync += register.eq(value)
        value = register
    return value
