# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""From a convolution in the spectra of tiles to the entries and the descriptor of a program (docs/design.md, kind 2).

A tile's matrix joins row pair r of each output channel with column pair r of each input channel only, so entries are
made from the coefficients (n_out, channels, T² / 2, 2) as they are, bin-major. Where the accumulators do not hold
all output channels, a descriptor computes some of them and the next one the next: :func:`tile_passes`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.entries import Bools, choose_rows, make_entries
from spectramac.compiler.layout import MAX_COUNT, CompileError, Layout
from spectramac.compiler.memory_image import pack_coefficients, pack_indices
from spectramac.model.map_node import Shape
from spectramac.model.spectrum import pair_map
from spectramac.model.tiles import TileConvolution, tile_outputs
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import FIELDS, Kind

__all__ = ["tile_layout", "tile_passes", "tile_tables", "tile_values"]

_MAX_SIZE = (1 << 16) - 1
_ADDRESSES = {
    *(f"{m}_base" for m in ("coefficient", "index", "directory", "row_shift", "bias", "scale")),
    *(f"{s}_{w}" for s in ("in", "out") for w in ("base", "stride", "row_stride", "pixel_stride")),
}
"""Fields that say where something is."""
_KINDS = 3
"""Directory words of a column pair: complex, a, b."""


def tile_passes(
    node: TileConvolution, config: AcceleratorConfig, *, most: int | None = None
) -> list[slice]:
    """Output channels of each descriptor: as few descriptors as the accumulators allow, of nearly equal size.

    Parameters
    ----------
    node : TileConvolution
    config : AcceleratorConfig
    most : int, optional
        Output channels of a descriptor at most, for the sake of other memories; at least a lane's worth is taken.

    Raises
    ------
    CompileError
        If the node does not fit the configuration.
    """
    _check(node, config)
    lanes, half = config.n_lanes, node.side**2 // 2
    limit = _MAX_SIZE // node.side**2 // lanes
    rows = max(u for u in range(1, MAX_COUNT + 1) if _depth(half, u) <= config.accumulator_depth)
    rows = max(1, min(rows, limit))
    if most is not None:
        rows = max(1, min(rows, most // lanes))
    needed = -(-node.n_out // lanes)
    step = -(-needed // -(-needed // rows)) * lanes
    return [slice(o, min(o + step, node.n_out)) for o in range(0, node.n_out, step)]


def tile_layout(
    node: TileConvolution, config: AcceleratorConfig, channels: slice | None = None
) -> Layout:
    """The entries of some output channels, with or without indices, whichever stores fewer bits.

    Parameters
    ----------
    node : TileConvolution
    config : AcceleratorConfig
    channels : slice, optional
        One of :func:`tile_passes`; all output channels by default.

    Raises
    ------
    CompileError
        If the node or the channels do not fit the configuration.
    """
    _check(node, config)
    q = node.coefficients[channels or slice(None)]
    half, used = node.side**2 // 2, -(-len(q) // config.n_lanes)
    depth = _depth(half, used)
    if used > MAX_COUNT or depth > config.accumulator_depth or len(q) * 2 * half > _MAX_SIZE:
        raise _exceeds(
            node, f"accumulators for {len(q)} output channels", depth, config.accumulator_depth
        )
    a, b = _words(node, q, config.n_lanes)
    # Where nothing is zero, there is nothing that indices could leave out.
    layouts = [_make(node, q, a, b, is_indexed) for is_indexed in (False, True)]
    return min(layouts, key=lambda layout: (layout.stored_bits, layout.n_entries))


def _depth(half: int, used: int) -> int:
    """Accumulator rows of ``used`` output channels a lane."""
    return (half - 1) * _stride(used) + used


def _stride(used: int) -> int:
    return 1 << (used - 1).bit_length()


def _words(
    node: TileConvolution, q: NDArray[np.int8], n_lanes: int
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """a and b by directory words: (rows from the base, lanes, words)."""
    joint = pair_map(node.side**2, True).joint
    used = -(-len(q) // n_lanes)
    words = np.zeros((2, used * n_lanes, *q.shape[1:3], _KINDS), np.int16)
    a, b = words[:, : len(q)]
    a[..., 0], b[..., 0] = np.moveaxis(np.where(joint[:, None], q, 0), -1, 0)
    a[..., 1], b[..., 2] = np.moveaxis(np.where(joint[:, None], 0, q), -1, 0)
    first, second = words.reshape(2, used, n_lanes, -1)
    return first, second


def _make(
    node: TileConvolution,
    q: NDArray[np.int8],
    a: NDArray[np.int16],
    b: NDArray[np.int16],
    is_indexed: bool,
) -> Layout:
    """A layout; its columns are padded to one count where that stores less."""
    is_narrow = node.coefficient_bits <= 4
    step = (16 if is_narrow else 256) if is_indexed else None
    half, used = q.shape[2], len(a)
    stored: Bools = (a | b) != 0

    def layout(uniform: int | None) -> Layout:
        chosen = choose_rows(stored, step, uniform)
        count = chosen.sum(axis=0).max(axis=0)
        entries_a, entries_b, d = make_entries(a, b, chosen, count)
        return Layout(
            counts=count.reshape(1, -1, _KINDS),
            a=entries_a,
            b=entries_b,
            d=d,
            is_complex=True,
            is_narrow=is_narrow,
            is_indexed=is_indexed,
            bin_major=True,
            group_out=2 * half * len(q),
            column_stride=_stride(used),
            clear_depth=_depth(half, used),
            n_pairs=_n_pairs(q),
        )

    best = layout(None)
    return layout(int(best.counts.max())) if best.uniform_bits < best.stored_bits else best


def _n_pairs(q: NDArray[np.int8]) -> int:
    """Stored pairs: complex ones count twice, two real values are two."""
    joint = pair_map(2 * q.shape[2], True).joint
    complex_pairs = int(q[:, :, joint].any(axis=-1).sum())
    return 2 * complex_pairs + int(np.count_nonzero(q[:, :, ~joint]))


def tile_tables(
    node: TileConvolution,
    layout: Layout,
    config: AcceleratorConfig,
    channels: slice | None = None,
) -> dict[str, NDArray[Any]]:
    """What the descriptor's layer stores: words by memory, some empty."""
    some = channels or slice(None)
    empty = np.zeros(0, np.int64)
    bias, multiplier, shift, row_shift = (
        np.broadcast_to(np.asarray(v, np.int64), (node.n_out,))[some]
        for v in (node.bias, node.multiplier, node.shift, node.row_shift)
    )
    per_channel = not (_is_uniform(multiplier) and _is_uniform(shift))
    return {
        "coefficient": pack_coefficients(layout, config),
        "index": pack_indices(layout, config) if layout.is_indexed else empty,
        "directory": layout.directory,
        "bias": bias if bias.any() else empty,
        "scale": shift << config.multiplier_width | multiplier if per_channel else empty,
        "row_shift": empty if _is_uniform(row_shift) else row_shift,
    }


def _is_uniform(values: NDArray[np.int64]) -> bool:
    return bool(np.all(values == values[0]))


def tile_values(
    node: TileConvolution,
    layout: Layout,
    tables: Mapping[str, NDArray[Any]],
    shape: Shape,
    channels: slice | None = None,
) -> dict[str, int]:
    """The descriptor without addresses.

    Missing are the bases of the memories of ``tables``, and base, stride, row_stride and pixel_stride of both maps. The
    output map is the whole one: for channels from ``o`` on, ``out_base`` is ``o`` further than the map's.

    Parameters
    ----------
    node, layout, channels
        As of :func:`tile_layout`.
    tables : mapping
        Of :func:`tile_tables`.
    shape : (int, int, int)
        Of the input map.
    """
    first = (channels or slice(None)).indices(node.n_out)[0]

    def uniform(name: str, table: str) -> int:
        values = np.broadcast_to(getattr(node, name), (node.n_out,))
        return 0 if len(tables[table]) else int(values[first])

    values = {field.name: 0 for field in FIELDS if field.name not in _ADDRESSES}
    return (
        values
        | _geometry(node, layout, shape)
        | {
            "kind": int(Kind.TILES),
            "is_complex": 1,
            "is_narrow": int(layout.is_narrow),
            "is_indexed": int(layout.is_indexed),
            "bin_major": 1,
            "uniform_count": layout.uniform_count,
            "per_channel_scale": int(len(tables["scale"]) > 0),
            "per_row_shift": int(len(tables["row_shift"]) > 0),
            "no_bias": int(len(tables["bias"]) == 0),
            "multiplier": uniform("multiplier", "scale"),
            "shift": uniform("shift", "scale"),
            "row_shift": uniform("row_shift", "row_shift"),
            "relu": int(node.relu),
            "maximum": node.maximum,
            "halve_in": node.halve_in,
            "halve_out": node.halve_out,
            "level_low": node.level & 0xFFFFFFFF,
            "level_high": node.level >> 32,
        }
    )


def _geometry(node: TileConvolution, layout: Layout, shape: Shape) -> dict[str, int]:
    size, log2_n = node.side**2, node.transform.log2_n
    height, width, _ = node.output_shape(shape)
    (top, _), (left, _) = node.window.padding
    rows, columns = tile_outputs(node.side, node.window)
    return {
        **{f"{side}_log2_n": log2_n for side in ("in", "out")},
        **{f"{side}_two_d": 1 for side in ("in", "out")},
        "n_in": node.channels,
        "n_out": layout.group_out // size,
        "padded_in": node.channels * size,
        "padded_out": layout.group_out,
        "group_out": layout.group_out,
        "column_stride": layout.column_stride,
        "clear_depth": layout.clear_depth,
        "in_height": shape[0],
        "in_width": shape[1],
        "out_height": height,
        "out_width": width,
        "kernel_height": node.window.kernel[0],
        "kernel_width": node.window.kernel[1],
        "stride_y": node.window.stride[0],
        "stride_x": node.window.stride[1],
        "top": top,
        "left": left,
        "tile_rows": rows,
        "tile_columns": columns,
        "walk_height": -(-height // rows),
        "walk_width": -(-width // columns),
    }


def _exceeds(node: TileConvolution, what: str, needed: int, available: int) -> CompileError:
    return CompileError(
        f"node {node.name!r}: {what}: {needed} needed, {available} available; use smaller tiles, "
        "or a larger preset"
    )


def _check(node: TileConvolution, config: AcceleratorConfig) -> None:
    """Refuse what no descriptor of this configuration can do."""
    if node.is_depthwise:
        raise CompileError(
            f"node {node.name!r}: depthwise convolution in tiles is not run by the engine; use the "
            "direct form"
        )
    size = node.side**2
    limits = (
        ("points of the transform", size, config.n_max),
        ("spectrum memory", size, config.spectrum_depth),
        ("samples of a tile's input channels", node.channels * size, _MAX_SIZE),
        ("accumulators for one output channel a lane", size // 2, config.accumulator_depth),
    )
    for what, needed, available in limits:
        if needed > available:
            raise _exceeds(node, what, needed, available)
    if node.level >= 1 << config.level_width:
        raise CompileError(
            f"node {node.name!r}: level must fit {config.level_width} bits, not {node.level!r}; "
            "no column can reach it"
        )
    low, high = int(node.bias.min()), int(node.bias.max())
    if not (config.bias.holds(low) and config.bias.holds(high)):
        worst = low if not config.bias.holds(low) else high
        raise CompileError(
            f"node {node.name!r}: bias must fit {config.bias} (data_width of configuration "
            f"{config.name!r}), not {worst}; use larger row shifts or a larger data_width"
        )
