# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What can be broken in the window unit, and which check must see it; applied by tests/test_mutations.py."""

from collections.abc import Callable
from typing import Any

from tests.gateware.checks_window import check_window
from tests.gateware.mutation import Mutation

from spectramac.gateware.window import WindowUnit
from spectramac.gateware.window_walk import WindowWalk
from spectramac.model.depthwise import DepthwiseConvolution
from spectramac.model.map_elementwise import Addition, MaxPooling

__all__ = ["CHECKS", "MUTATIONS"]

CHECKS: dict[str, Callable[[], Any]] = {
    "window_sum": lambda: check_window((DepthwiseConvolution,) * 2, seed=20, stall=0.3, size=4),
    "window_maximum": lambda: check_window((MaxPooling,) * 2, seed=8, stall=0.3),
    "addition": lambda: check_window((Addition,) * 2, seed=1, stall=0.3),
}
"""Two layers, two pairs of inferences each."""


MUTATIONS = {
    # The walk.
    "walk: pixels left and right of the map": Mutation(
        WindowWalk, "elaborate", "inside_rows & inside_columns", "inside_rows", "window_sum"
    ),
    "walk: pixels above and below the map": Mutation(
        WindowWalk, "elaborate", "inside_rows & inside_columns", "inside_columns", "window_sum"
    ),
    "walk: copies of a channel read the next": Mutation(
        WindowWalk, "elaborate", "channel + copy_end", "channel + 1", "window_sum"
    ),
    "walk: no padding above": Mutation(WindowWalk, "_outer", "-self.top", "0", "window_sum"),
    "walk: no padding left": Mutation(WindowWalk, "_outer", "-self.left", "0", "window_sum"),
    "walk: addresses without padding": Mutation(
        WindowWalk, "_outer", "pair_step.eq(above)", "pair_step.eq(0)", "window_sum"
    ),
    "walk: products of one bit": Mutation(
        WindowWalk, "_outer", "twice + digit", "product + digit", "window_maximum"
    ),
    "walk: every pair is the first": Mutation(
        WindowWalk, "_outer", "Mux(is_first, 0, self.in_stride)", "0", "window_sum"
    ),
    "walk: the second map stays with the first pair": Mutation(
        WindowWalk, "elaborate", "Mux(fresh, gap_step, 0)", "0", "addition"
    ),
    "walk: the second map jumps at the first pair": Mutation(
        WindowWalk, "_outer", "pair_end & ~is_first", "pair_end", "addition"
    ),
    "walk: the kernel goes on": Mutation(
        WindowWalk,
        "elaborate",
        "self.kernel_address.eq(self.kernel_base)",
        "self.kernel_address.eq(self.kernel_address + 1)",
        "window_sum",
    ),
    "walk: row shifts go on": Mutation(
        WindowWalk,
        "elaborate",
        "counted.eq(Cat(0, self.row_shift_base))",
        "counted.eq(counted + 1)",
        "window_sum",
    ),
    "walk: loops go on after the layer": Mutation(
        WindowWalk, "_outer", "take & ~layer_end)", "take)", "window_sum"
    ),
    # The datapath.
    "window: multipliers swapped": Mutation(
        WindowUnit,
        "elaborate",
        "self.second_multiplier, self.first_multiplier",
        "self.first_multiplier, self.second_multiplier",
        "addition",
    ),
    "window: multipliers are signed": Mutation(
        WindowUnit, "elaborate", "coefficient.eq(factor)", "coefficient.eq(factor.as_signed())", "addition"
    ),
    "window: kernel is unsigned": Mutation(
        WindowUnit, "elaborate", "coefficient.eq(k)", "coefficient.eq(k.as_unsigned())", "window_sum"
    ),
    "window: minimum": Mutation(
        WindowUnit, "elaborate", "(operand - pixel)", "(pixel - operand)", "window_maximum"
    ),
    "window: nothing is below 0": Mutation(
        WindowUnit, "elaborate", "Cat(C(0, width - 1), is_maximum).as_signed()", "0", "window_maximum"
    ),
    "window: sums go on": Mutation(
        WindowUnit, "elaborate", "Mux(tap[3].first | is_maximum,", "Mux(is_maximum,", "window_sum"
    ),
    "window: maxima are added": Mutation(
        WindowUnit, "elaborate", "Mux(tap[3].first | is_maximum,", "Mux(tap[3].first,", "window_maximum"
    ),
    "window: inferences swapped": Mutation(
        WindowUnit, "elaborate", '(("re", "im"))', '(("im", "re"))', "window_maximum"
    ),
    "window: the next window's row shift": Mutation(
        WindowUnit, "elaborate", "shift.shift.eq(shifts[-1])", "shift.shift.eq(shifts[-2])", "window_sum"
    ),
    "window: shifting goes on in a stall": Mutation(
        WindowUnit, "elaborate", "shift.enable.eq(advance)", "shift.enable.eq(1)", "window_sum"
    ),
    "window: the second inference's overflow is lost": Mutation(
        WindowUnit, "elaborate", "(flags[0] | flags[1])", "0", "window_sum"
    ),
    "window: every channel ends a pixel": Mutation(
        WindowUnit, "elaborate", "final.eq(walk.final)", "final.eq(walk.last)", "window_sum"
    ),
}  # fmt: skip
