# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Boxes of maps: what of its inputs a part of a node's output sees, and outputs cut so that both fit.

A node is cut into rows, into columns if a row is too much, and into channels if it works channel by channel; whatever
moves the fewest words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

from spectramac.compiler.compile import exceeds
from spectramac.compiler.lower_convolution import equal_parts
from spectramac.compiler.lower_depthwise import some_channels
from spectramac.compiler.lower_tiles import tile_sources
from spectramac.compiler.map_view import MapView, Span, sources
from spectramac.model.convolution import Convolution, FullyConnected
from spectramac.model.depthwise import DepthwiseConvolution
from spectramac.model.graph_network import GraphNetwork
from spectramac.model.map_node import MapNode
from spectramac.model.map_window import PIXEL
from spectramac.model.tiles import TileConvolution, tile_outputs
from spectramac.spec.config import AcceleratorConfig

__all__ = ["Region", "Run", "boxes"]


@dataclass(frozen=True)
class Region:
    """A box of a map in activation memory, nothing padded between pixels.

    Parameters
    ----------
    map : str
    rows, columns, channels : (int, int)
    offset : int
        First word, if memory held one pair of inferences; of n pairs, n times that.
    """

    map: str
    rows: Span
    columns: Span
    channels: Span
    offset: int = 0

    @property
    def size(self) -> int:
        """Words of a pair of inferences."""
        return prod(end - first for first, end in (self.rows, self.columns, self.channels))

    def view(self, n_pairs: int) -> MapView:
        """Where it is, if memory holds ``n_pairs`` pairs of everything."""
        channels = self.channels[1] - self.channels[0]
        row = (self.columns[1] - self.columns[0]) * channels
        return MapView(
            self.rows, self.columns, channels, self.offset * n_pairs, self.size, row, channels
        )


@dataclass(frozen=True, eq=False)
class Run:
    """Compute ``output`` from ``inputs``."""

    node: MapNode
    inputs: tuple[Region, ...]
    output: Region


def boxes(network: GraphNetwork, node: MapNode, config: AcceleratorConfig) -> Iterator[Run]:
    """The output of a node in parts that fit activation memory, with their inputs; offsets are not chosen.

    Raises
    ------
    CompileError
        If a single output does not fit.
    """
    shape = network.shapes[node.name]
    units = _units(node)
    rows, columns = (_divisions(n, unit) for n, unit in zip(shape[:2], units, strict=False))
    best: list[Run] = []
    for channels in _channel_divisions(node, shape[2], units[2]):
        grids = [(r, [(0, shape[1])]) for r in rows] + [(rows[-1], c) for c in columns]
        for grid in grids:
            found = _fitting(network, node, [*grid, channels], config.activation_depth)
            if found:
                if not best or _words(found) < _words(best):
                    best = found
                break
    if best:
        yield from best
        return
    least = _run(network, node, *((0, min(u, n)) for u, n in zip(units, shape, strict=True)))
    raise exceeds(
        node.name, "activation memory for one output of a pair of inferences and what it sees", _words([least]),
        config.activation_depth, "use fewer channels or smaller layers",
    )  # fmt: skip


def _fitting(network: GraphNetwork, node: MapNode, grid: list[list[Span]], depth: int) -> list[Run]:
    """The parts of a grid, or none if one does not fit."""
    found = []
    for box in product(*grid):
        run = _run(network, node, *box)
        if _words([run]) > depth:
            return []
        found.append(run)
    return found


def _words(runs: list[Run]) -> int:
    """Of all inputs and outputs."""
    return sum(region.size for run in runs for region in (*run.inputs, run.output))


def _run(network: GraphNetwork, node: MapNode, rows: Span, columns: Span, channels: Span) -> Run:
    """A part of the output, and what it sees."""
    some, seen_channels = node, None
    if _is_channelwise(node):
        seen_channels = channels
        if isinstance(node, DepthwiseConvolution):
            per_input = node.n_out // node.channels
            seen_channels = channels[0] // per_input, channels[1] // per_input
            some = some_channels(node, *seen_channels)
    inputs = []
    for name in node.inputs:
        height, width, n = network.shapes[name]
        seen = _seen(node, rows, columns, (height, width))
        inputs.append(Region(name, *seen, seen_channels or (0, n)))
    return Run(some, tuple(inputs), Region(node.name, rows, columns, channels))


def _is_channelwise(node: MapNode) -> bool:
    return not isinstance(node, FullyConnected | Convolution | TileConvolution)


def _units(node: MapNode) -> tuple[int, int, int]:
    """Outputs that can only be computed together, on each axis.

    Row shifts belong to pairs of output channels.
    """
    if isinstance(node, TileConvolution):
        return (*tile_outputs(node.side, node.window), 1)
    if isinstance(node, DepthwiseConvolution):
        per_input = node.n_out // node.channels
        return 1, 1, per_input * (1 + per_input % 2)
    return 1, 1, 1


def _seen(node: MapNode, rows: Span, columns: Span, size: tuple[int, int]) -> tuple[Span, Span]:
    """Rows and columns of an input that a rectangle of outputs sees."""
    if isinstance(node, FullyConnected):
        return (0, size[0]), (0, size[1])
    if isinstance(node, TileConvolution):
        sees = tile_sources(node, rows, columns, size)
    else:
        sees = sources(getattr(node, "window", PIXEL), rows, columns, size)
    return sees[0].span, sees[1].span


def _divisions(size: int, unit: int) -> list[list[Span]]:
    """More and more parts, down to single units."""
    parts = [equal_parts(size, n, unit) for n in range(1, -(-size // unit) + 1)]
    return [p for i, p in enumerate(parts) if not i or len(p) > len(parts[i - 1])]


def _channel_divisions(node: MapNode, size: int, unit: int) -> list[list[Span]]:
    """Twice as many parts every time; one if each output channel sees all input channels."""
    if not _is_channelwise(node):
        return [[(0, size)]]
    n_units = -(-size // unit)
    powers = [1 << n for n in range(n_units.bit_length())]
    return [equal_parts(size, n, unit) for n in (*powers, n_units)]
