# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Nodes without sums over pixels: maximum pooling, addition of two maps, ReLU."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spectramac.model.fixed import Ints, round_shift, saturate
from spectramac.model.map_node import Arithmetic, MapNode, MapResult, Shape
from spectramac.model.map_window import Window
from spectramac.spec.fixed import Format

__all__ = ["Addition", "MaxPooling", "Rectifier"]


@dataclass(frozen=True, eq=False, kw_only=True)
class MaxPooling(MapNode):
    """Maximum of each window's pixels inside the map, channel after channel; the scale stays.

    Parameters
    ----------
    window : Window
    """

    window: Window

    def output_shape(self, *inputs: Shape) -> Shape:
        """(rows, columns, channels)"""
        try:
            return (*self.window.output_size(inputs[0][:2]), inputs[0][2])
        except ValueError as error:
            raise self.fail(str(error)) from None

    def run(self, *maps: Ints, arithmetic: Arithmetic) -> MapResult:
        """Pixels beyond the map are below every int8 value; each window has one inside."""
        (x,) = maps
        self.output_shape(x.shape[1:])
        return MapResult(self.window.gather(x, fill=-129).max(axis=3))


@dataclass(frozen=True, eq=False, kw_only=True)
class Addition(MapNode):
    """The sum of two maps, each in its own scale.

    ``y = min(maximum, sat8(rhe(relu(a * multipliers[0] + b * multipliers[1]) / 2**shift)))``. The sum has 24 bits
    and is exact; it is rounded once.

    Parameters
    ----------
    multipliers : (int, int)
        15 unsigned bits each.
    shift : int
        5 unsigned bits.
    relu : bool
    maximum : int
        Upper limit of y, 0 to 127.
    """

    n_inputs: ClassVar[int] = 2

    multipliers: tuple[int, int]
    shift: int
    relu: bool = False
    maximum: int = 127

    def __post_init__(self) -> None:
        if (
            len(self.multipliers) != 2
            or not 0 <= min(self.multipliers) <= max(self.multipliers) < 1 << 15
        ):
            raise self.fail(
                f"multipliers must be two numbers from 0 to {(1 << 15) - 1}, not {self.multipliers}"
            )
        if not 0 <= self.shift < 32:
            raise self.fail(f"shift must be from 0 to 31, not {self.shift!r}")
        self._check_maximum(self.maximum)

    def output_shape(self, *inputs: Shape) -> Shape:
        """That of both."""
        if inputs[0] != inputs[1]:
            raise self.fail(f"inputs must have one shape, not {inputs[0]} and {inputs[1]}")
        return inputs[0]

    def run(self, *maps: Ints, arithmetic: Arithmetic) -> MapResult:
        """See the class's description."""
        a, b = maps
        self.output_shape(a.shape[1:], b.shape[1:])
        total = a * self.multipliers[0] + b * self.multipliers[1]
        if self.relu:
            total = np.maximum(total, 0)
        y, clipped = saturate(round_shift(total, self.shift), Format(8))
        return MapResult(np.minimum(y, self.maximum), int(clipped.sum()))


@dataclass(frozen=True, eq=False, kw_only=True)
class Rectifier(MapNode):
    """``y = min(maximum, max(x, 0))``, where it cannot be part of the node before; the scale stays.

    Parameters
    ----------
    maximum : int
        0 to 127.
    """

    maximum: int = 127

    def __post_init__(self) -> None:
        self._check_maximum(self.maximum)

    def run(self, *maps: Ints, arithmetic: Arithmetic) -> MapResult:
        """See the class's description."""
        (x,) = maps
        return MapResult(np.clip(x, 0, self.maximum))
