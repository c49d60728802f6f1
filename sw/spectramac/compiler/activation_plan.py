# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Where the maps of a graph are while it runs: in activation memory as long as they fit, otherwise on the host.

Maps get the first gap that is large enough, and leave it with the last node that reads them. If there is none, the
maps that are needed last go to the host and are loaded again. A node that does not fit on its own is computed in
rectangles of its output, mostly stripes of whole rows, each from the pixels that it sees.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod

from spectramac.compiler.compile import exceeds
from spectramac.compiler.lower_convolution import equal_parts
from spectramac.compiler.map_view import MapView, Span, source_span
from spectramac.model.convolution import FullyConnected
from spectramac.model.graph_network import GraphNetwork
from spectramac.model.map_node import MapNode
from spectramac.model.map_window import PIXEL
from spectramac.model.tiles import TileConvolution, tile_outputs
from spectramac.spec.config import AcceleratorConfig

__all__ = ["ActivationPlan", "Load", "Region", "Run", "Store", "plan_activations"]


@dataclass(frozen=True)
class Region:
    """A rectangle of a map in activation memory, nothing padded between pixels.

    Parameters
    ----------
    map : str
    rows, columns : (int, int)
    channels : int
    offset : int
        First word, if memory held one pair of inferences; of n pairs, n times that.
    """

    map: str
    rows: Span
    columns: Span
    channels: int
    offset: int = 0

    @property
    def size(self) -> int:
        """Words of a pair of inferences."""
        (top, bottom), (left, right) = self.rows, self.columns
        return (bottom - top) * (right - left) * self.channels

    def view(self, n_pairs: int) -> MapView:
        """Where it is, if memory holds ``n_pairs`` pairs of everything."""
        row = (self.columns[1] - self.columns[0]) * self.channels
        return MapView(
            self.rows, self.columns, self.channels, self.offset * n_pairs, self.size, row, self.channels
        )  # fmt: skip


@dataclass(frozen=True)
class Load:
    """From the host to activation memory."""

    region: Region


@dataclass(frozen=True)
class Store:
    """From activation memory to the host."""

    region: Region


@dataclass(frozen=True, eq=False)
class Run:
    """Compute ``output`` from ``inputs``."""

    node: MapNode
    inputs: tuple[Region, ...]
    output: Region


@dataclass(frozen=True)
class ActivationPlan:
    """What happens, in order.

    Parameters
    ----------
    actions : tuple of Load, Store or Run
    max_pairs : int
        Pairs of inferences that fit.
    """

    actions: tuple[Load | Store | Run, ...]
    max_pairs: int


def plan_activations(network: GraphNetwork, config: AcceleratorConfig) -> ActivationPlan:
    """Plan a network.

    Raises
    ------
    CompileError
        If not even one output of a node fits together with what it sees.
    """
    planner = _Planner(network, config)
    for number, node in enumerate(network.nodes):
        planner.run(number, node)
    most = config.activation_depth // planner.peak
    return ActivationPlan(tuple(planner.actions), min(most, (1 << 16) - 1))


@dataclass
class _Planner:
    network: GraphNetwork
    config: AcceleratorConfig
    actions: list[Load | Store | Run] = field(default_factory=list)
    resident: dict[str, Region] = field(default_factory=dict)
    peak: int = 0

    def __post_init__(self) -> None:
        self.on_host = {self.network.input_name}
        self.uses: dict[str, list[int]] = {}
        for number, node in enumerate(self.network.nodes):
            for name in node.inputs:
                self.uses.setdefault(name, []).append(number)

    def run(self, number: int, node: MapNode) -> None:
        """Plan a node."""
        before = list(self.actions), dict(self.resident), set(self.on_host), self.peak
        if not self._whole(number, node):
            self.actions, self.resident, self.on_host, self.peak = before
            for name in list(self.resident):
                self._evict(name)
            if not (self._fits_alone(node) and self._whole(number, node)):
                self._in_rectangles(node)
        for name in [*node.inputs, node.name]:
            if not any(use > number for use in self.uses.get(name, [])):
                self.resident.pop(name, None)

    def _region(self, name: str) -> Region:
        height, width, channels = self.network.shapes[name]
        return Region(name, (0, height), (0, width), channels)

    def _fits_alone(self, node: MapNode) -> bool:
        names = {*node.inputs, node.name}
        return sum(self._region(n).size for n in names) <= self.config.activation_depth

    def _whole(self, number: int, node: MapNode) -> bool:
        """Inputs and output whole, if they can be placed."""
        kept = {*node.inputs, node.name}
        for name in dict.fromkeys(node.inputs):
            if name not in self.resident:
                if not self._place(self._region(name), kept, number):
                    return False
                self.actions.append(Load(self.resident[name]))
        if not self._place(self._region(node.name), kept, number):
            return False
        inputs = tuple(self.resident[name] for name in node.inputs)
        output = self.resident[node.name]
        self.actions.append(Run(node, inputs, output))
        if node.name == self.network.output_name:
            self.actions.append(Store(output))
        return True

    def _place(self, region: Region, kept: set[str], number: int) -> bool:
        """Find room, if need be that of maps which are needed later than any other."""
        while (offset := self._gap(region.size)) is None:
            others = [name for name in self.resident if name not in kept]
            if not others:
                return False
            self._evict(max(others, key=lambda name: min(u for u in self.uses[name] if u > number)))
        placed = Region(region.map, region.rows, region.columns, region.channels, offset)
        self.resident[region.map] = placed
        self.peak = max(self.peak, offset + region.size)
        return True

    def _gap(self, size: int) -> int | None:
        start = 0
        for region in sorted(self.resident.values(), key=lambda r: r.offset):
            if region.offset - start >= size:
                return start
            start = region.offset + region.size
        return start if self.config.activation_depth - start >= size else None

    def _evict(self, name: str) -> None:
        region = self.resident.pop(name)
        if name not in self.on_host:
            self.actions.append(Store(region))
            self.on_host.add(name)

    def _in_rectangles(self, node: MapNode) -> None:
        shapes = [self.network.shapes[name] for name in node.inputs]
        channels = self.network.shapes[node.name][2]
        for rows, columns in _rectangles(self.network, node, self.config):
            offset, inputs = 0, []
            for name, shape in zip(node.inputs, shapes, strict=True):
                spans = _seen(node, rows, columns, shape[:2])
                inputs.append(Region(name, *spans, shape[2], offset))
                offset += inputs[-1].size
            output = Region(node.name, rows, columns, channels, offset)
            self.peak = max(self.peak, offset + output.size)
            self.actions += [*map(Load, inputs), Run(node, tuple(inputs), output), Store(output)]
        self.on_host.add(node.name)


def _unit(node: MapNode) -> tuple[int, int]:
    """Outputs that can only be computed together, on each axis."""
    return tile_outputs(node.side, node.window) if isinstance(node, TileConvolution) else (1, 1)


def _seen(node: MapNode, rows: Span, columns: Span, size: tuple[int, int]) -> tuple[Span, Span]:
    """Rows and columns of an input that a rectangle of outputs sees."""
    if isinstance(node, FullyConnected):
        return (0, size[0]), (0, size[1])
    window = getattr(node, "window", PIXEL)
    spans = []
    for axis, outputs in enumerate((rows, columns)):
        kernel, stride = window.kernel[axis], window.stride[axis]
        if isinstance(node, TileConvolution):
            unit = _unit(node)[axis]
            outputs = outputs[0] // unit, -(-outputs[1] // unit)
            kernel, stride = node.side, unit * stride
        before = window.padding[axis][0]
        spans.append(source_span(outputs, kernel, stride, before, size[axis]).span)
    return spans[0], spans[1]


def _rectangles(
    network: GraphNetwork, node: MapNode, config: AcceleratorConfig
) -> Iterator[tuple[Span, Span]]:
    """The output in as few rectangles as fit activation memory, stripes of whole rows if possible."""
    height, width, channels = network.shapes[node.name]
    shapes = [network.shapes[name] for name in node.inputs]
    units = _unit(node)

    def size(rows: Span, columns: Span) -> int:
        total = prod(end - first for first, end in (rows, columns)) * channels
        for shape in shapes:
            spans = _seen(node, rows, columns, shape[:2])
            total += prod(end - first for first, end in spans) * shape[2]
        return total

    def fits(rows: Sequence[Span], columns: Sequence[Span]) -> bool:
        return all(size(*spans) <= config.activation_depth for spans in product(rows, columns))

    stripes = _divisions(height, units[0])
    for rows in stripes:
        if fits(rows, [(0, width)]):
            yield from product(rows, [(0, width)])
            return
    for columns in _divisions(width, units[1]):
        if fits(stripes[-1], columns):
            yield from product(stripes[-1], columns)
            return
    needed = size((0, min(units[0], height)), (0, min(units[1], width)))
    raise exceeds(
        node.name, "activation memory for one output of a pair of inferences and what it sees", needed,
        config.activation_depth, "use fewer channels or smaller layers",
    )  # fmt: skip


def _divisions(size: int, unit: int) -> list[list[Span]]:
    """More and more parts, down to single units."""
    parts = [equal_parts(size, n, unit) for n in range(1, -(-size // unit) + 1)]
    return [p for i, p in enumerate(parts) if not i or len(p) > len(parts[i - 1])]
