# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Convolutions and fully-connected layers as passes.

A convolution whose outputs on the way do not fit the ring of accumulators is cut into output channels, or into
vertical stripes of its map, whichever walks over fewer columns of pixels in all; tables that do not fit their memories
cut its output channels further.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from spectramac.compiler.compile import (
    check_layer,
    exceeds,
    layer_tables,
    layer_values,
)
from spectramac.compiler.convolution_layout import (
    ConvolutionLayout,
    lay_out_convolution,
    ring_positions,
)
from spectramac.compiler.layout import MAX_COUNT, CompileError, Layout, lay_out
from spectramac.compiler.map_view import MapView, Pass, Span, Tables, map_values, sources
from spectramac.model.convolution import Convolution, FullyConnected
from spectramac.model.map_window import Window
from spectramac.model.network import Layer
from spectramac.spec.config import OUTPUT_SLOTS, AcceleratorConfig
from spectramac.spec.descriptor import Kind
from spectramac.spec.memory import memories

__all__ = ["convolution_passes", "dense_passes", "equal_parts", "fits", "ring_values"]


def equal_parts(size: int, n: int, multiple: int = 1) -> list[Span]:
    """``size`` in at most ``n`` spans of nearly equal length, multiples of ``multiple`` but for the last."""
    units = -(-size // multiple)
    step = -(-units // min(n, units)) * multiple
    return [(first, min(first + step, size)) for first in range(0, size, step)]


def some_outputs(layer: Layer, first: int, end: int) -> Layer:
    """The layer's outputs from ``first``, a whole number of blocks, to ``end``."""

    def part(value: Any, span: slice) -> Any:
        return value if isinstance(value, int) else value[span]

    outputs = slice(first, end)
    padded = layer.t_out.padded(end - first)
    return replace(
        layer,
        n_out=end - first,
        coefficients=layer.coefficients[first : first + padded],
        bias=layer.bias[outputs],
        multiplier=part(layer.multiplier, outputs),
        shift=part(layer.shift, outputs),
        row_shift=part(layer.row_shift, slice(first // 2, (first + padded) // 2)),
    )


def fits(tables: Tables, config: AcceleratorConfig) -> bool:
    """Whether the tables fit empty memories."""
    known = memories(config)
    return all(len(words) <= known[name].depth for name, words in tables.words.items())


Cut = tuple[Span, Layer, Layout, Tables]


def _cuts(
    layer: Layer,
    parts: int,
    make: Callable[[Layer], Layout | None],
    config: AcceleratorConfig,
) -> list[Cut]:
    """The output channels in ``parts`` parts, or more if tables are too large for their memories."""
    n_blocks = layer.t_out.padded(layer.n_out) // layer.t_out.n
    while True:
        spans = equal_parts(layer.n_out, parts, layer.t_out.n)
        cuts: list[Cut] = []
        for span in spans:
            some = some_outputs(layer, *span)
            layout = make(some)
            if layout is None:
                break
            tables = Tables(layer_tables(some, layout, config), layout.n_pairs, layout.n_entries)
            if len(spans) < n_blocks and not fits(tables, config):
                break
            cuts.append((span, some, layout, tables))
        else:
            return cuts
        if len(spans) >= n_blocks:
            raise CompileError(
                f"layer {layer.name!r}: a column has more entries in a block of outputs than a directory word can "
                "count; use shorter output blocks, or a configuration with more lanes"
            )
        parts = max(len(spans) + 1, min(2 * len(spans), n_blocks)) if parts > 8 else parts + 1


def dense_passes(
    node: FullyConnected, source: MapView, target: MapView, config: AcceleratorConfig
) -> Iterator[Pass]:
    """A fully-connected layer; ``source`` and ``target`` are whole maps."""
    layer = replace(node.layer, name=node.name)
    check_layer(layer, config)

    def make(some: Layer) -> Layout:
        layout = lay_out(some, config)
        if layout.n_words > config.coefficient_depth and not layout.is_indexed:
            layout = lay_out(some, config, indexed=True)
        return layout

    for (first, _), some, layout, tables in _cuts(layer, 1, make, config):
        values = layer_values(some, layout, config) | {"maximum": node.maximum}
        values |= {"in_base": source.base, "in_stride": source.pair_stride}
        values |= {"out_base": target.base + first, "out_stride": target.pair_stride}
        yield Pass(node.name, values, tables)


def convolution_passes(
    node: Convolution,
    source: MapView,
    target: MapView,
    size: tuple[int, int],
    config: AcceleratorConfig,
) -> Iterator[Pass]:
    """A convolution of which ``target`` is wanted.

    Parameters
    ----------
    node : Convolution
    source : MapView
        Of the input, as much as the outputs see.
    target : MapView
        Of the output.
    size : (int, int)
        Height and width of the input map.
    config : AcceleratorConfig

    Raises
    ------
    CompileError
        If one block of output channels does not fit the accumulators even in stripes of one column.
    """
    layer = replace(node.layer, name=node.name)
    check_layer(
        replace(
            layer, n_in=node.channels, coefficients=layer.coefficients[:, : node.padded_channels]
        ),
        config,
    )
    stripes, parts = _divide(node, target.width, config)

    for span, some, layout, tables in _convolution_cuts(node, parts, config):
        assert isinstance(layout, ConvolutionLayout)
        for first, end in equal_parts(target.width, stripes):
            columns = target.columns[0] + first, target.columns[0] + end
            sees = sources(node.window, target.rows, columns, size)
            values = map_values(Kind.CONVOLUTION, node.window, sees)
            values |= layer_values(some, layout, config)
            values |= source.part(sees[0].span, sees[1].span).fields("in")
            part = target.part(target.rows, columns).some_channels(*span)
            values |= part.fields("out")
            values |= {
                "kind": Kind.CONVOLUTION,
                "maximum": node.maximum,
                "padded_in": node.padded_channels,
                **ring_values(node.window, part, layout.clear_depth),
                "phase_words": layout.phase_words,
                **{f"entry_{f}": layout.starts[f] for f in (1, 2, 3)},
            }
            yield Pass(node.name, values, tables)


@lru_cache(maxsize=16)
def _convolution_cuts(node: Convolution, parts: int, config: AcceleratorConfig) -> list[Cut]:
    """:func:`_cuts`, made once for all parts of the map."""

    def make(some: Layer) -> ConvolutionLayout | None:
        return lay_out_convolution(some, node.window, config.n_lanes)

    return _cuts(replace(node.layer, name=node.name), parts, make, config)


def ring_values(window: Window, target: MapView, rows: int) -> dict[str, int]:
    """Fields of the walk and of the ring of accumulators, where an output pixel has so many ``rows``."""
    (h, w), (sy, sx) = window.kernel, window.stride
    walk = (target.height - 1) * sy + h, (target.width - 1) * sx + w
    _, behind = ring_positions(window, walk[1])
    return {
        "walk_height": walk[0],
        "walk_width": walk[1],
        "pixel_rows": rows,
        "line_rows": -(-walk[1] // sx) * rows,
        "retire_rows": behind * rows,
    }


def _divide(node: Convolution, width: int, config: AcceleratorConfig) -> tuple[int, int]:
    """Numbers of vertical stripes and of parts of the output channels that walk over the fewest columns."""
    layer, window = node.layer, node.window
    n_blocks = layer.t_out.padded(layer.n_out) // layer.t_out.n
    half = layer.t_out.n // 2
    best: tuple[int, int, int] | None = None
    for n in range(1, width + 1):
        stripes = equal_parts(width, n)
        if len(stripes) < n:
            continue
        walks = [(end - first - 1) * window.stride[1] + window.kernel[1] for first, end in stripes]
        live, _ = ring_positions(window, max(walks))
        rows = min(
            config.accumulator_depth // live,
            config.accumulator_depth // OUTPUT_SLOTS,
            config.tap_depth // window.n_taps,
            MAX_COUNT,
        )
        blocks = rows * config.n_lanes // half
        if not blocks:
            continue
        parts = len(equal_parts(n_blocks, -(-n_blocks // blocks)))
        sx = window.stride[1]
        cost = parts * sum(-(-walk // sx) * sx for walk in walks)
        if best is None or cost < best[0]:
            best = cost, n, parts
    if best is None:
        needed = -(-half // config.n_lanes)
        if needed * window.n_taps > config.tap_depth:
            raise exceeds(
                node.name, "accumulator rows of a pixel's taps (tap_depth)", needed * window.n_taps,
                config.tap_depth, "use shorter output blocks or a smaller kernel",
            )  # fmt: skip
        live, _ = ring_positions(window, window.kernel[1])
        raise exceeds(
            node.name, "accumulator rows of the outputs on the way", needed * max(live, OUTPUT_SLOTS),
            config.accumulator_depth, "use shorter output blocks or a smaller kernel",
        )  # fmt: skip
    return best[1], best[2]
