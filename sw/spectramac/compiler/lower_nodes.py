# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Nodes of an integer network graph as passes: one or more descriptors each."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from spectramac.compiler.compile import check_bias, exceeds, requantization
from spectramac.compiler.lower_convolution import (
    convolution_passes,
    dense_passes,
    equal_parts,
    fits,
)
from spectramac.compiler.lower_depthwise import depthwise_passes, some_channels
from spectramac.compiler.lower_tiles import tile_passes
from spectramac.compiler.map_view import MapView, Pass, Span, Tables, map_values, sources
from spectramac.model.convolution import Convolution, FullyConnected
from spectramac.model.depthwise import AveragePooling, DepthwiseConvolution
from spectramac.model.map_elementwise import Addition, MaxPooling, Rectifier
from spectramac.model.map_node import MapNode
from spectramac.model.map_window import PIXEL, Window
from spectramac.model.tiles import TileConvolution
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import Kind

__all__ = ["node_passes"]

Size = tuple[int, int]
_LARGEST_WINDOW = 255


def node_passes(
    node: MapNode,
    inputs: Sequence[MapView],
    target: MapView,
    sizes: Sequence[Size],
    config: AcceleratorConfig,
) -> Iterator[Pass]:
    """Descriptors that compute a rectangle of a node's output.

    Parameters
    ----------
    node : MapNode
    inputs : sequence of MapView
        Of its inputs, at least what the outputs see.
    target : MapView
        The outputs that are wanted, all channels.
    sizes : sequence of (int, int)
        Height and width of the whole input maps.
    config : AcceleratorConfig

    Raises
    ------
    CompileError
        If the node exceeds a resource however it is cut.
    """
    for kinds, lower in _LOWER:
        if isinstance(node, kinds):
            yield from lower(node, inputs, target, sizes, config)
            return
    raise TypeError(f"node {node.name!r} must be one that is lowered, not {type(node).__name__}")


def _dense(
    node: FullyConnected,
    inputs: Sequence[MapView],
    target: MapView,
    sizes: Sequence[Size],
    config: AcceleratorConfig,
) -> Iterator[Pass]:
    return dense_passes(node, inputs[0], target, config)


def _convolution(
    node: Convolution,
    inputs: Sequence[MapView],
    target: MapView,
    sizes: Sequence[Size],
    config: AcceleratorConfig,
) -> Iterator[Pass]:
    return convolution_passes(node, inputs[0], target, sizes[0], config)


def _window_values(
    kind: Kind, node: MapNode, window: Window, source: MapView, target: MapView, size: Size
) -> dict[str, int]:
    """Fields of a layer without transforms that sees ``source`` through a window."""
    if max(*window.kernel, *window.stride) > _LARGEST_WINDOW:
        most = max(*window.kernel, *window.stride)
        raise exceeds(node.name, "extent of the window", most, _LARGEST_WINDOW, "pool in two steps")
    sees = sources(window, target.rows, target.columns, size)
    values = map_values(kind, window, sees)
    values |= source.part(sees[0].span, sees[1].span).fields("in") | target.fields("out")
    padded = target.channels + target.channels % 2
    return values | {
        "padded_in": source.channels + source.channels % 2,
        "padded_out": padded,
        "group_out": padded,
        "multiplicity": 1,
    }


def _depthwise(
    node: DepthwiseConvolution,
    inputs: Sequence[MapView],
    target: MapView,
    sizes: Sequence[Size],
    config: AcceleratorConfig,
) -> Iterator[Pass]:
    check_bias(node.name, node.bias, config)
    on_lanes = depthwise_passes(node, inputs[0], target, sizes[0], config)
    if on_lanes is not None:
        yield from on_lanes
        return
    for span, tables, values in _cuts(node, config):
        per_input = node.n_out // node.channels
        first, end = span
        source = inputs[0].some_channels(first, end)
        outputs = target.some_channels(first * per_input, end * per_input)
        fields = _window_values(Kind.WINDOW_SUM, node, node.window, source, outputs, sizes[0])
        fields |= values | {"multiplicity": per_input, "maximum": node.maximum}
        yield Pass(node.name, fields, tables)


@lru_cache(maxsize=1024)
def _cuts(
    node: DepthwiseConvolution, config: AcceleratorConfig
) -> list[tuple[Span, Tables, dict[str, int]]]:
    """Input channels in as few parts as the memories allow."""
    unit = 1 + node.n_out // node.channels % 2
    n_units = -(-node.channels // unit)
    for parts in range(1, n_units + 1):
        cuts = []
        for first, end in equal_parts(node.channels, parts, unit):
            some = some_channels(node, first, end)
            values, words = requantization(some, config)
            kernel = some.coefficients.reshape(-1)
            tables = Tables({**words, "kernel": kernel}, -(-kernel.size // 2))
            cuts.append(((first, end), tables, values))
        if all(fits(tables, config) for _, tables, _ in cuts):
            break
    return cuts


def _average(
    node: AveragePooling,
    inputs: Sequence[MapView],
    target: MapView,
    sizes: Sequence[Size],
    config: AcceleratorConfig,
) -> Iterator[Pass]:
    values = _window_values(Kind.WINDOW_SUM, node, node.window, inputs[0], target, sizes[0])
    numbers = {name: getattr(node, name) for name in ("multiplier", "shift", "row_shift")}
    yield Pass(node.name, values | numbers | {"no_bias": 1, "unit_kernel": 1}, Tables())


def _maximum(
    node: MaxPooling | Rectifier,
    inputs: Sequence[MapView],
    target: MapView,
    sizes: Sequence[Size],
    config: AcceleratorConfig,
) -> Iterator[Pass]:
    window = node.window if isinstance(node, MaxPooling) else PIXEL
    values = _window_values(Kind.WINDOW_MAXIMUM, node, window, inputs[0], target, sizes[0])
    values |= {"multiplier": 1, "no_bias": 1}
    if isinstance(node, Rectifier):
        values |= {"relu": 1, "maximum": node.maximum}
    yield Pass(node.name, values, Tables())


def _addition(
    node: Addition,
    inputs: Sequence[MapView],
    target: MapView,
    sizes: Sequence[Size],
    config: AcceleratorConfig,
) -> Iterator[Pass]:
    """The sum is rounded by the row shift; requantization only applies ReLU and the upper limit."""
    values = _window_values(Kind.ADDITION, node, PIXEL, inputs[0], target, sizes[0])
    second = inputs[1].part(target.rows, target.columns)
    first = inputs[0].part(target.rows, target.columns)
    assert (second.row_stride, second.pixel_stride) == (first.row_stride, first.pixel_stride)
    yield Pass(
        node.name,
        values
        | {
            "second_base": second.base,
            "second_stride": second.pair_stride,
            "first_multiplier": node.multipliers[0],
            "second_multiplier": node.multipliers[1],
            "row_shift": node.shift,
            "multiplier": 1,
            "relu": int(node.relu),
            "maximum": node.maximum,
            "no_bias": 1,
        },
        Tables(),
    )


def _tiles(
    node: TileConvolution,
    inputs: Sequence[MapView],
    target: MapView,
    sizes: Sequence[Size],
    config: AcceleratorConfig,
) -> Iterator[Pass]:
    return tile_passes(node, inputs[0], target, sizes[0], config)


Lower = Callable[..., Iterator[Pass]]
_LOWER: tuple[tuple[Any, Lower], ...] = (
    (FullyConnected, _dense),
    (Convolution, _convolution),
    (TileConvolution, _tiles),
    (DepthwiseConvolution, _depthwise),
    (AveragePooling, _average),
    (MaxPooling | Rectifier, _maximum),
    (Addition, _addition),
)
