# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What all nodes of a network graph have in common."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from spectramac.graph.errors import GraphError
from spectramac.graph.quantization import Floats, Quantization

__all__ = ["Node", "Padding", "Shape", "window_outputs"]

Shape = tuple[int, ...]
Padding = tuple[tuple[int, int], ...]
"""(before, after) of every spatial axis."""


def window_outputs(
    extent: Shape, kernel: Shape, stride: Shape, padding: Padding, dilation: Shape
) -> Shape:
    """Positions of a sliding window on every axis: ⌊(extent + padding - reach) / stride⌋ + 1; may be ≤ 0."""
    return tuple(
        (n + sum(pad) - ((k - 1) * d + 1)) // s + 1
        for n, k, s, pad, d in zip(extent, kernel, stride, padding, dilation, strict=True)
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Node:
    """What all nodes have.

    Parameters
    ----------
    name : str
        Of the node and of the tensor that it makes.
    inputs : tuple of str
        Names of nodes, or of the graph's input.
    quantization : Quantization, optional
        Of the tensor: a quantized model rounds it to these integers.
    """

    n_inputs: ClassVar[int] = 1

    name: str
    inputs: tuple[str, ...]
    quantization: Quantization | None = None

    @property
    def operator(self) -> str:
        """Name of the operator, for reports and errors."""
        return type(self).__name__

    @property
    def parameters(self) -> dict[str, Floats]:
        """Trained arrays by name."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in found.items() if isinstance(value, np.ndarray)}

    def output_shape(self, *inputs: Shape) -> Shape:
        """Shape of the tensor it makes.

        Raises
        ------
        GraphError
            If it does not take inputs of these shapes.
        """
        return inputs[0]

    def multiplications(self, output: Shape) -> int:
        """Of a dense implementation, for one sample."""
        return 0

    def fail(self, problem: str) -> GraphError:
        """The error, with the name of the node."""
        return GraphError(f"node {self.name!r} ({self.operator}): {problem}")

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _set_parameter(self, name: str) -> None:
        array = np.array(getattr(self, name), np.float64)
        if not np.isfinite(array).all():
            raise self.fail(f"{name} must hold finite numbers")
        array.setflags(write=False)
        self._set(name, array)

    def _set_window(self, *names: str, rank: int) -> None:
        """Check tuples with one positive integer for each spatial axis; empty ones become 1."""
        for name in names:
            value = tuple(int(v) for v in getattr(self, name)) or (1,) * rank
            if len(value) != rank or min(value) < 1:
                raise self.fail(f"{name} must hold {rank} numbers of at least 1, not {value}")
            self._set(name, value)

    def _set_padding(self, padding: Padding, rank: int) -> None:
        value = tuple((int(a), int(b)) for a, b in padding) or ((0, 0),) * rank
        if len(value) != rank or min(min(pair) for pair in value) < 0:
            raise self.fail(f"padding must hold {rank} pairs of numbers of at least 0, not {value}")
        self._set("padding", value)
