# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A trained network as a graph of operators, free of any framework.

One input, one output, nodes in an order in which they can be computed. Importers
(:mod:`spectramac.graph.onnx_import`, :mod:`spectramac.graph.torch_import`) make it; the compressor and the
compiler take it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from types import MappingProxyType

from spectramac.graph.errors import GraphError
from spectramac.graph.node import Node, Shape
from spectramac.graph.nodes import Softmax
from spectramac.graph.quantization import Quantization

__all__ = ["MAX_ELEMENTS", "Graph", "Tensor"]

MAX_ELEMENTS = 1 << 26
"""Of one tensor and one sample: shapes come from files, so a wrong one must not fill the memory."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Tensor:
    """What flows along an edge.

    Parameters
    ----------
    name : str
    shape : tuple of int
        Of one sample, at least one axis, channels first.
    quantization : Quantization, optional
        For the whole tensor (one scale).
    """

    name: str
    shape: Shape
    quantization: Quantization | None = None

    def __post_init__(self) -> None:
        if not self.shape or min(self.shape) < 1 or prod(self.shape) > MAX_ELEMENTS:
            raise GraphError(
                f"tensor {self.name!r}: shape must have at least one axis, no zeros and at most "
                f"{MAX_ELEMENTS} elements, not be {self.shape}"
            )
        if self.quantization is not None and not self.quantization.is_per_tensor:
            raise GraphError(f"tensor {self.name!r}: quantization must have a single scale")


@dataclass(frozen=True, eq=False, kw_only=True)
class Graph:
    """A network.

    Parameters
    ----------
    name : str
        For reports.
    input : Tensor
    nodes : tuple of Node
        Each after the nodes that it reads; every one but the last is read by another.

    Attributes
    ----------
    tensors : mapping of str to Tensor
        The input and what every node makes, by name.

    Raises
    ------
    GraphError
        If names repeat or are unknown, a node is unused, or shapes do not fit.
    """

    name: str
    input: Tensor
    nodes: tuple[Node, ...]
    tensors: Mapping[str, Tensor] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(self.nodes))
        if not self.nodes:
            raise GraphError("a graph must have at least one node")
        tensors = {self.input.name: self.input}
        read: set[str] = set()
        for node in self.nodes:
            if not node.name or node.name in tensors:
                raise GraphError(f"a node must have a name of its own, not {node.name!r}")
            if len(node.inputs) != node.n_inputs:
                raise node.fail(f"must have {node.n_inputs} inputs, not {len(node.inputs)}")
            for name in node.inputs:
                if name not in tensors:
                    raise node.fail(f"input {name!r} must be the graph's or an earlier node")
                read.add(name)
            shape = node.output_shape(*(tensors[name].shape for name in node.inputs))
            tensors[node.name] = Tensor(name=node.name, shape=shape, quantization=node.quantization)
        for node in self.nodes[:-1]:
            if isinstance(node, Softmax):
                raise node.fail("must be the last node")
            if node.name not in read:
                raise node.fail("must be read by another node, or be the last")
        if self.input.name not in read:
            raise GraphError(f"input {self.input.name!r} must be read by a node")
        object.__setattr__(self, "tensors", MappingProxyType(tensors))

    def __reduce__(self) -> tuple[object, ...]:
        """To be sent to another process: a mapping proxy cannot be."""
        return _graph, (self.name, self.input, self.nodes)

    @property
    def output(self) -> Tensor:
        """What the last node makes."""
        return self.tensors[self.nodes[-1].name]

    @property
    def is_chain(self) -> bool:
        """Whether every node reads the one before it and nothing else."""
        names = [self.input.name, *(node.name for node in self.nodes)]
        before = [a for a, _ in pairwise(names)]
        return all(n.inputs == (b,) for n, b in zip(self.nodes, before, strict=True))

    @property
    def is_quantized(self) -> bool:
        """Whether any tensor or parameter has the integers of a quantized model."""
        tensors = any(t.quantization is not None for t in self.tensors.values())
        return tensors or any(
            getattr(node, "weight_quantization", None) is not None for node in self.nodes
        )

    def readers(self, name: str) -> list[Node]:
        """Nodes that read a tensor."""
        return [node for node in self.nodes if name in node.inputs]


def _graph(name: str, source: Tensor, nodes: tuple[Node, ...]) -> Graph:
    return Graph(name=name, input=source, nodes=nodes)
