# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Narrowing of signals: the only places where data bits are dropped.

:mod:`spectramac.model.fixed` is the bit-exact reference of each function.
"""

from amaranth import Cat, Const, Mux, Signal, Value, signed
from amaranth.hdl import Module


def round_half_even(value: Value, shift: int) -> Value:
    """``value / 2**shift``, to nearest, ties to even; one bit wider than the exact quotient's floor.

    ``shift`` is an elaboration-time constant, 0 or more. Combinational; the result is signed.
    """
    if shift == 0:
        return value.as_signed() if not value.shape().signed else value
    floor = value >> shift
    half = value[shift - 1]
    below = value[: shift - 1].any() if shift > 1 else Const(0, 1)
    return floor + (half & (below | value[shift]))


def saturate(value: Value, width: int) -> tuple[Value, Value]:
    """Clip a signed value to ``signed(width)``.

    Returns
    -------
    (result, overflow)
        The clipped value, ``signed(width)``, and a bit that is 1 if clipping changed it.
    """
    value_width = len(value)
    if value_width <= width:
        return value, Const(0, 1)
    sign = value[-1]
    top = value[width - 1 :]
    overflow = top.any() & ~top.all()
    bound = Cat((~sign).replicate(width - 1), sign)
    return Mux(overflow, bound, value[:width]).as_signed(), overflow


def narrow(m: Module, value: Value, shift: int, width: int, name: str) -> tuple[Signal, Signal]:
    """:func:`round_half_even` then :func:`saturate`, as two named signals in the comb domain."""
    result = Signal(signed(width), name=name)
    overflow = Signal(name=f"{name}_overflow")
    clipped, flag = saturate(round_half_even(value, shift), width)
    m.d.comb += [result.eq(clipped), overflow.eq(flag)]
    return result, overflow
