# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Convolutions as their walk sees them: what docs/design.md says of it, in loops; see :mod:`tests.gateware.cases`."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from tests.gateware.cases import CONFIG

from spectramac.spec.config import AcceleratorConfig

__all__ = ["MAPS", "Geometry"]

MAPS = CONFIG.replace(
    maps=True, accumulator_depth=64, tap_depth=64, activation_depth=1 << 16, channel_depth=256
)
"""The smallest ring."""


@dataclass
class Geometry:
    """A convolution's descriptor fields, those of the walk and of the tap table."""

    fields: dict[str, int]
    n_pairs: int
    out_height: int
    out_width: int

    @classmethod
    def random(cls, rng: np.random.Generator, config: AcceleratorConfig) -> "Geometry":
        """Kernels up to 4 by 4, maps that may end before, with or behind the walk; all fit the tap table."""
        (h, w), (sy, sx) = rng.integers(1, 5, 2).tolist(), rng.integers(1, 3, 2).tolist()
        out_height, out_width = rng.integers(1, 4, 2).tolist()
        walk_height, walk_width = (out_height - 1) * sy + h, (out_width - 1) * sx + w
        rows = int(rng.integers(1, 1 + min(4, config.tap_depth // (h * w))))
        line = -(-walk_width // sx) * rows
        fields = {
            "in_base": int(rng.integers(1 << 16)),
            "in_stride": int(rng.integers(1 << 16)),
            "in_height": int(rng.integers(1, walk_height + 3)),
            "in_width": int(rng.integers(1, walk_width + 3)),
            "in_pixel_stride": int(rng.integers(1, 100)),
            "in_row_stride": int(rng.integers(1, 1000)),
            "walk_height": walk_height,
            "walk_width": walk_width,
            "top": int(rng.integers(h)),
            "left": int(rng.integers(w)),
            "kernel_height": h,
            "kernel_width": w,
            "stride_y": sy,
            "stride_x": sx,
            "pixel_rows": rows,
            "line_rows": line,
        }
        return cls(fields, int(rng.integers(1, 4)), out_height, out_width)

    def only(self, component: Any) -> dict[str, int]:
        """The fields that the component has."""
        return {n: v for n, v in self.fields.items() if n in component.signature.members}

    def taps(self, phase: int) -> list[tuple[int, int]]:
        """(i, j) of the phase's taps."""
        f = self.fields
        (h, w), (sy, sx) = (
            (f["kernel_height"], f["kernel_width"]),
            (f["stride_y"], f["stride_x"]),
        )
        py, px = divmod(phase, sx)
        return [(i, j) for i in range(h) for j in range(w) if (i % sy, j % sx) == (py, px)]

    @property
    def n_phases(self) -> int:
        """Phases, those without taps too."""
        return self.fields["stride_y"] * self.fields["stride_x"]

    def positions(self, depth: int) -> list[dict[str, int]]:
        """The outputs of :class:`~spectramac.gateware.walk.Walk` at every position; ``address`` only of pixels."""
        f = self.fields
        sy, sx = f["stride_y"], f["stride_x"]
        back_y, back_x = (f["kernel_height"] - 1) // sy, (f["kernel_width"] - 1) // sx
        last_phase = (f["kernel_height"] - 1) % sy * sx + (f["kernel_width"] - 1) % sx
        line, lines = -(-f["walk_width"] // sx), -(-f["walk_height"] // sy)
        found: list[dict[str, int]] = []
        for p in range(self.n_pairs):
            for y, x in np.ndindex(f["walk_height"], f["walk_width"]):
                phase = y % sy * sx + x % sx
                row, column = y - f["top"], x - f["left"]
                has_pixel = 0 <= row < f["in_height"] and 0 <= column < f["in_width"]
                address = f["in_base"] + p * f["in_stride"]
                address += row * f["in_row_stride"] + column * f["in_pixel_stride"]
                out_y, out_x = y // sy - back_y, x // sx - back_x
                inside = 0 <= out_y < self.out_height and 0 <= out_x < self.out_width
                number = (p * lines + y // sy) * line + x // sx
                position = {
                    "used": int(has_pixel and bool(self.taps(phase))),
                    "phase": phase,
                    "ring": number * f["pixel_rows"] % depth,
                    "retires": int(phase == last_phase),
                    "writes": int(phase == last_phase and inside),
                }
                if position["used"]:
                    position["address"] = address % (1 << 16)
                found.append(position)
        for position, after in zip(found, [*found[1:], {"phase": 0}], strict=True):
            position["next_phase"] = after["phase"]
        return found

    def table(self, depth: int) -> tuple[list[int], dict[int, int]]:
        """The tap table, and the first row of each phase that has taps."""
        f = self.fields
        rows: list[int] = []
        firsts: dict[int, int] = {}
        for phase in range(self.n_phases):
            if self.taps(phase):
                firsts[phase] = len(rows)
            for i, j in self.taps(phase):
                back = i // f["stride_y"] * f["line_rows"] + j // f["stride_x"] * f["pixel_rows"]
                rows += [(u - back) % depth for u in range(f["pixel_rows"])]
        return rows, firsts
