# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A framework's tensor while its model is imported: a graph tensor's elements, perhaps in another shape and order."""

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from spectramac.graph.errors import RefusedError
from spectramac.graph.node import Padding, Shape
from spectramac.graph.quantization import Integers

__all__ = ["Value", "check_no_padding"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Value:
    """A tensor of the framework.

    Attributes
    ----------
    tensor : str
        The graph tensor that has its elements.
    shape : tuple of int
        As the framework sees it, without the batch.
    order : int array of shape ``shape``, optional
        Position in the flattened graph tensor of each element. Default: the same order.
    padding : tuple of (before, after), optional
        Zeros around the spatial axes that are still to be added (``shape`` does not count them).
    shared : bool
        More than one operator reads it, so what follows must not be folded into its node.
    """

    tensor: str
    shape: Shape
    order: Integers | None = None
    padding: Padding | None = None
    shared: bool = False

    @property
    def padded_shape(self) -> Shape:
        """The shape with the padding."""
        if self.padding is None:
            return self.shape
        spatial = zip(self.shape[1:], self.padding, strict=True)
        return (self.shape[0], *(n + sum(pair) for n, pair in spatial))

    def reshape(self, shape: Shape) -> "Value":
        """The same elements in another shape."""
        check_no_padding(self)
        if prod(shape) != prod(self.shape) or min(shape, default=1) < 1:
            raise RefusedError(
                f"it makes {shape} of {self.shape} for each sample", "keep the batch axis apart"
            )
        order = None if self.order is None else self.order.reshape(shape)
        return replace(self, shape=shape, order=order)

    def transpose(self, axes: Shape) -> "Value":
        """Axis i of the result is axis ``axes[i]`` of this, not counting the batch."""
        check_no_padding(self)
        order = self.order
        if order is None:
            order = np.arange(prod(self.shape)).reshape(self.shape)
        moved = order.transpose(axes)
        natural = np.array_equal(moved.ravel(), np.arange(moved.size))
        return replace(self, shape=moved.shape, order=None if natural else moved)

    def pad(self, padding: Padding) -> "Value":
        """Zeros around the spatial axes, taken up by the convolution that follows."""
        check_no_padding(self)
        return replace(self, padding=padding) if any(any(pair) for pair in padding) else self


def check_no_padding(x: Value) -> None:
    """Refuse a value whose padding nobody has taken up."""
    if x.padding is not None:
        raise RefusedError(
            "its input is padded with zeros by a Pad before it",
            "only a Conv takes up a Pad; give the padding to the operator itself",
        )
