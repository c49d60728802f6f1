# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The shape of a convolutional network: a chain of convolutions with a classifier behind.

Every convolution is padded by half of its kernel (with stride 1 its output has the size of its input), followed by
a ReLU and perhaps by pooling; the classifier is fully-connected. Weights are given as for dense chains, those of
convolutions with four axes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from spectramac.compress.post_training import DenseLayer
from spectramac.graph.graph import Graph, Tensor
from spectramac.graph.node import Node
from spectramac.graph.nodes import Conv, Dense, Flatten, MaxPool, ReLU

__all__ = ["INPUT", "Architecture", "Convolution", "chain_graph"]

INPUT = "image"
"""Name of the input in graphs."""


@dataclass(frozen=True)
class Convolution:
    """One convolution: filters of ``kernel`` x ``kernel`` taps, an odd number, then pooling.

    ``pool``: side of the windows of which the maximum is taken; 1 for none. ``stride``: of the filters, on both axes.
    """

    n_out: int
    kernel: int
    pool: int = 1
    stride: int = 1


@dataclass(frozen=True)
class Architecture:
    """Shape of a network of convolutions.

    Parameters
    ----------
    image : (int, int)
        Height and width of the input, which has one channel.
    convolutions : tuple of Convolution
    n_classes : int

    Raises
    ------
    ValueError
        If a kernel is even, or pooling leaves a rest.
    """

    image: tuple[int, int]
    convolutions: tuple[Convolution, ...]
    n_classes: int

    def __post_init__(self) -> None:
        for i, (c, size) in enumerate(zip(self.convolutions, self.sizes, strict=True)):
            if c.kernel % 2 == 0:
                raise ValueError(f"kernel of convolution {i} must be odd, not {c.kernel!r}")
            if size[0] % c.pool or size[1] % c.pool:
                raise ValueError(
                    f"pool of convolution {i} must divide {size[0]} x {size[1]}, not be {c.pool!r}"
                )

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Height and width of the maps that each convolution computes."""
        found, (height, width) = [], self.image
        for c in self.convolutions:
            height, width = -(-height // c.stride), -(-width // c.stride)
            found.append((height, width))
            height, width = height // c.pool, width // c.pool
        return tuple(found)

    @property
    def n_features(self) -> int:
        """Inputs of the classifier."""
        last, (height, width) = self.convolutions[-1], self.sizes[-1]
        return last.n_out * (height // last.pool) * (width // last.pool)

    @property
    def name(self) -> str:
        """In words, for tables."""
        parts = []
        for c in self.convolutions:
            pooled = f", {c.pool}x{c.pool} maximum" if c.pool > 1 else ""
            strided = f" stride {c.stride}" if c.stride > 1 else ""
            parts.append(f"{c.n_out} filters {c.kernel}x{c.kernel}{strided}{pooled}")
        return f"{self.image[0]}x{self.image[1]}; {'; '.join(parts)}; {self.n_classes} classes"


def chain_graph(layers: Sequence[DenseLayer], architecture: Architecture, name: str) -> Graph:
    """A chain as a network graph: nodes conv1, relu1, pool1 where it pools, conv2, …, features, classes.

    Parameters
    ----------
    layers : sequence of (weights, bias)
    architecture : Architecture
        The channels are those of the layers.
    name : str
    """
    nodes: list[Node] = []
    last = INPUT

    def add(node: Node) -> None:
        nonlocal last
        nodes.append(node)
        last = node.name

    for i, ((weight, bias), c) in enumerate(
        zip(layers[:-1], architecture.convolutions, strict=True), 1
    ):
        half = (c.kernel // 2, c.kernel // 2)
        convolution = Conv(
            name=f"conv{i}", inputs=(last,), weight=weight, bias=bias, stride=(c.stride, c.stride),
            padding=(half, half),
        )  # fmt: skip
        add(convolution)
        add(ReLU(name=f"relu{i}", inputs=(last,)))
        if c.pool > 1:
            side = (c.pool, c.pool)
            add(MaxPool(name=f"pool{i}", inputs=(last,), kernel=side, stride=side))
    weight, bias = layers[-1]
    add(Flatten(name="features", inputs=(last,)))
    add(Dense(name="classes", inputs=(last,), weight=weight, bias=bias))
    source = Tensor(name=INPUT, shape=(1, *architecture.image))
    return Graph(name=name, input=source, nodes=tuple(nodes))
