# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Convolutions in the spectra of tiles as passes (docs/design.md, kind 2).

Output channels that the accumulators do not hold together, or whose tables are too large for their memories, are
computed one part after the other; each part transforms the tiles again.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from spectramac.compiler.compile import requantization
from spectramac.compiler.layout import Layout
from spectramac.compiler.layout_tiles import channels_at_once, tile_layout
from spectramac.compiler.lower_convolution import equal_parts, fits
from spectramac.compiler.map_view import MapView, Pass, Source, Span, Tables, map_values
from spectramac.compiler.memory_image import pack_coefficients, pack_indices
from spectramac.model.tiles import TileConvolution, tile_outputs
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import Kind

__all__ = ["tile_passes", "tile_sources", "tile_values"]


def tile_sources(
    node: TileConvolution, rows: Span, columns: Span, size: tuple[int, int]
) -> list[Source]:
    """What the tiles of some outputs see of a map: whole tiles, also where no wanted output does.

    Parameters
    ----------
    node : TileConvolution
    rows, columns : (int, int)
        Outputs; the first are at multiples of a tile's (:func:`~spectramac.model.tiles.tile_outputs`).
    size : (int, int)
        Height and width of the input map.
    """
    found = []
    axes = zip(
        (rows, columns), tile_outputs(node.side, node.window), node.window.stride,
        node.window.padding, size, strict=True,
    )  # fmt: skip
    for (first, end), n, stride, (before, _), extent in axes:
        assert first % n == 0, f"output {first} must be the first of a tile of {n}"
        start = first * stride - before
        stop = start + (-(-(end - first) // n) - 1) * n * stride + node.side
        inside = max(start, 0)
        found.append(Source((inside, min(stop, extent)), inside - start))
    return found


def tile_passes(
    node: TileConvolution,
    source: MapView,
    target: MapView,
    size: tuple[int, int],
    config: AcceleratorConfig,
    *,
    most: int | None = None,
) -> Iterator[Pass]:
    """A convolution of which ``target`` is wanted.

    Parameters
    ----------
    node : TileConvolution
    source : MapView
        Of the input, as much as :func:`tile_sources` says.
    target : MapView
        Of the output; begins with the first outputs of a tile.
    size : (int, int)
        Height and width of the input map.
    config : AcceleratorConfig
    most : int, optional
        Output channels of a pass at most, if fewer than fit; a lane's worth is always taken.

    Raises
    ------
    CompileError
        If the node does not fit the configuration.
    """
    sees = tile_sources(node, target.rows, target.columns, size)
    for (first, end), some, layout, tables in _cuts(node, config, most):
        view = target.some_channels(first, end)
        values = map_values(Kind.TILES, node.window, sees)
        values |= tile_values(some, layout, config, (target.height, target.width))
        values |= source.part(sees[0].span, sees[1].span).fields("in") | view.fields("out")
        yield Pass(node.name, values, tables)


Cut = tuple[Span, TileConvolution, Layout, Tables]


@lru_cache(maxsize=16)
def _cuts(node: TileConvolution, config: AcceleratorConfig, most: int | None) -> list[Cut]:
    """The output channels in as few parts as fit, whole lanes."""
    lanes = config.n_lanes
    at_once = channels_at_once(node, config)
    if most is not None:
        at_once = max(lanes, min(at_once, most))
    parts = -(-node.n_out // (at_once // lanes * lanes))
    while True:
        spans = equal_parts(node.n_out, parts, lanes)
        cuts: list[Cut] = []
        for span in spans:
            some = _some_outputs(node, *span)
            layout = tile_layout(some, config)
            tables = _tables(some, layout, config)
            if span[1] - span[0] > lanes and not fits(tables, config):
                break
            cuts.append((span, some, layout, tables))
        else:
            return cuts
        parts = len(spans) + 1
        while len(equal_parts(node.n_out, parts, lanes)) == len(spans):
            parts += 1


def _some_outputs(node: TileConvolution, first: int, end: int) -> TileConvolution:
    def part(value: Any) -> Any:
        return value if isinstance(value, int) else value[first:end]

    names = ("coefficients", "bias", "multiplier", "shift", "row_shift")
    return replace(node, **{name: part(getattr(node, name)) for name in names})


def _tables(node: TileConvolution, layout: Layout, config: AcceleratorConfig) -> Tables:
    words = requantization(node, config)[1]
    words |= {"coefficient": pack_coefficients(layout, config), "directory": layout.directory}
    if layout.is_indexed:
        words["index"] = pack_indices(layout, config)
    return Tables(words, layout.n_pairs, layout.n_entries)


def tile_values(
    node: TileConvolution, layout: Layout, config: AcceleratorConfig, outputs: tuple[int, int]
) -> dict[str, int]:
    """Fields of the descriptor besides those of :func:`~spectramac.compiler.map_view.map_values` and of the maps.

    Parameters
    ----------
    node, layout, config
        As of :func:`~spectramac.compiler.layout_tiles.tile_layout`.
    outputs : (int, int)
        Height and width of the output map.
    """
    size, log2_n = node.side**2, node.transform.log2_n
    rows, columns = tile_outputs(node.side, node.window)
    return requantization(node, config)[0] | {
        **{f"{side}_log2_n": log2_n for side in ("in", "out")},
        **{f"{side}_two_d": 1 for side in ("in", "out")},
        "is_complex": int(layout.is_complex),
        "is_narrow": int(layout.is_narrow),
        "is_indexed": int(layout.is_indexed),
        "bin_major": int(layout.bin_major),
        "uniform_count": layout.uniform_count,
        "group_out": layout.group_out,
        "column_stride": layout.column_stride,
        "clear_depth": layout.clear_depth,
        "padded_in": node.channels * size,
        "padded_out": layout.group_out,
        "maximum": node.maximum,
        "halve_in": node.halve_in,
        "halve_out": node.halve_out,
        "level_low": node.level & 0xFFFFFFFF,
        "level_high": node.level >> 32,
        "tile_rows": rows,
        "tile_columns": columns,
        "walk_height": -(-outputs[0] // rows),
        "walk_width": -(-outputs[1] // columns),
    }
