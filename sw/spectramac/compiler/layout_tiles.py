# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The entries of a convolution in the spectra of tiles (docs/design.md, kind 2).

A tile's matrix joins row pair r of each output channel with column pair r of each input channel only, so entries are
made from the coefficients (n_out, channels, T² / 2, 2) as they are, bin-major. Where the accumulators do not hold
all output channels, a descriptor computes some of them (:func:`channels_at_once`) and the next one the next.
"""

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.entries import Bools, choose_rows, make_entries
from spectramac.compiler.layout import MAX_COUNT, CompileError, Layout, padded_if_smaller
from spectramac.model.tiles import TileConvolution
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import index_reach

__all__ = ["channels_at_once", "tile_layout"]

_MAX_SIZE = (1 << 16) - 1


def channels_at_once(node: TileConvolution, config: AcceleratorConfig) -> int:
    """Output channels that a descriptor can compute at most, for the accumulators: whole lanes.

    Raises
    ------
    CompileError
        If the node does not fit the configuration.
    """
    _check(node, config)
    half = node.side**2 // 2
    rows = max(u for u in range(1, MAX_COUNT + 1) if _depth(half, u) <= config.accumulator_depth)
    return max(1, min(rows, _MAX_SIZE // node.side**2 // config.n_lanes)) * config.n_lanes


def tile_layout(
    node: TileConvolution, config: AcceleratorConfig, *, indexed: bool | None = None
) -> Layout:
    """Choose formats and make the entries of a node.

    Parameters
    ----------
    node : TileConvolution
    config : AcceleratorConfig
    indexed : bool, optional
        Whether to store indices. Default: whichever stores fewer bits.

    Raises
    ------
    CompileError
        If the node does not fit the configuration, or has more output channels than :func:`channels_at_once`.
    """
    _check(node, config)
    half, used = node.side**2 // 2, -(-node.n_out // config.n_lanes)
    depth = _depth(half, used)
    if used > MAX_COUNT or depth > config.accumulator_depth or node.n_out * 2 * half > _MAX_SIZE:
        what = f"accumulators for {node.n_out} output channels"
        raise _exceeds(node, what, depth, config.accumulator_depth)
    a, b = _words(node, config.n_lanes)
    choices = (False, True) if indexed is None else (indexed,)
    layouts = [_make(node, a, b, is_indexed) for is_indexed in choices]
    return min(layouts, key=lambda layout: (layout.stored_bits, layout.n_entries))


def _depth(half: int, used: int) -> int:
    """Accumulator rows of ``used`` output channels a lane."""
    return (half - 1) * _stride(used) + used


def _stride(used: int) -> int:
    return 1 << (used - 1).bit_length()


def _words(node: TileConvolution, n_lanes: int) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """a and b by directory words: (rows from the base, lanes, words)."""
    q = node.coefficients
    used = -(-len(q) // n_lanes)
    words = np.zeros((2, used * n_lanes, *q.shape[1:3]), np.int16)
    words[:, : len(q)] = np.moveaxis(q, -1, 0)
    first, second = words.reshape(2, used, n_lanes, -1)
    return first, second


def _make(
    node: TileConvolution,
    a: NDArray[np.int16],
    b: NDArray[np.int16],
    is_indexed: bool,
) -> Layout:
    """A layout; its columns are padded to one count where that stores less."""
    is_narrow = node.coefficient_bits <= 4
    step = index_reach(is_narrow) + 1 if is_indexed else None
    half, used = node.side**2 // 2, len(a)
    stored: Bools = (a | b) != 0

    def layout(uniform: int | None) -> Layout:
        chosen = choose_rows(stored, step, uniform)
        count = chosen.sum(axis=0).max(axis=0)
        entries_a, entries_b, d = make_entries(a, b, chosen, count)
        return Layout(
            counts=count.reshape(1, -1, 1),
            a=entries_a,
            b=entries_b,
            d=d,
            is_complex=True,
            is_narrow=is_narrow,
            is_indexed=is_indexed,
            bin_major=True,
            group_out=2 * half * node.n_out,
            column_stride=_stride(used),
            clear_depth=_depth(half, used),
            n_pairs=2 * int(node.coefficients.any(axis=-1).sum()),
        )

    return padded_if_smaller(layout)


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
        ("points on a side of the transform", node.side, max(config.tile_sides, default=0)),
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
