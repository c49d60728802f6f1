# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Depthwise convolutions on the lanes as passes.

What does not fit the ring of accumulators is cut into vertical stripes of the map or into channels, whichever takes
fewer clocks. The window unit stays with what would take fewer there, and with what the lanes cannot do: several
outputs of a channel, sums that might saturate an accumulator, tables that exceed a memory however they are cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.compile import requantization
from spectramac.compiler.convolution_layout import phase_taps, ring_positions
from spectramac.compiler.lower_convolution import equal_parts, fits, ring_values
from spectramac.compiler.map_view import (
    MapView,
    Pass,
    Source,
    Span,
    Tables,
    map_values,
    sources,
)
from spectramac.compiler.memory_image import to_words
from spectramac.model.depthwise import DepthwiseConvolution
from spectramac.model.map_window import Window
from spectramac.spec.config import OUTPUT_SLOTS, AcceleratorConfig
from spectramac.spec.descriptor import Kind
from spectramac.spec.payloads import COUNT_WIDTH
from spectramac.spec.timing import requantize_cycles, threshold_cycles

__all__ = ["depthwise_passes", "some_channels"]

START_CLOCKS = 4
"""Of a loop to begin a pixel and to end it, about."""


@lru_cache(maxsize=1024)
def some_channels(node: DepthwiseConvolution, first: int, end: int) -> DepthwiseConvolution:
    """The node for input channels from ``first`` to ``end``; row shifts belong to pairs of output channels."""

    def part(value: Any, where: slice) -> Any:
        return value if isinstance(value, int) else np.asarray(value)[where]

    per_input = node.n_out // node.channels
    outputs = slice(first * per_input, end * per_input)
    assert outputs.start % 2 == 0
    return replace(
        node,
        channels=end - first,
        coefficients=node.coefficients[outputs],
        bias=node.bias[outputs],
        multiplier=part(node.multiplier, outputs),
        shift=part(node.shift, outputs),
        row_shift=part(node.row_shift, slice(outputs.start // 2, -(-outputs.stop // 2))),
    )


def depthwise_passes(
    node: DepthwiseConvolution,
    source: MapView,
    target: MapView,
    size: tuple[int, int],
    config: AcceleratorConfig,
    *,
    always: bool = False,
) -> Iterator[Pass] | None:
    """A depthwise convolution on the lanes, or None if the window unit should run it.

    Parameters
    ----------
    node : DepthwiseConvolution
    source : MapView
        Of the input, as much as the outputs see.
    target : MapView
        The outputs that are wanted.
    size : (int, int)
        Height and width of the input map.
    config : AcceleratorConfig
    always : bool
        Also where the window unit takes fewer clocks.
    """
    if node.n_out != node.channels or _largest_sum(node, config) > config.accumulator.maximum:
        return None
    cut = _divide(node.window, (target.rows, target.columns), size, node.channels, config)
    if cut is None or not (always or cut.clocks < _window_clocks(node, target, config)):
        return None
    parts = _parts(node, cut.parts, config)
    if parts is None:
        return None
    return _passes(node, source, target, size, cut.stripes, parts)


def _largest_sum(node: DepthwiseConvolution, config: AcceleratorConfig) -> int:
    """Of any inputs, the magnitude."""
    return -config.activation.minimum * int(
        np.abs(node.coefficients.astype(np.int64)).sum(axis=1).max()
    )


@dataclass(frozen=True)
class _Part:
    """Some channels, with the fields and tables that all stripes share."""

    span: Span
    rows: int
    values: dict[str, int]
    tables: Tables


def _passes(
    node: DepthwiseConvolution,
    source: MapView,
    target: MapView,
    size: tuple[int, int],
    stripes: int,
    parts: list[_Part],
) -> Iterator[Pass]:
    for part in parts:
        for first, end in equal_parts(target.width, stripes):
            columns = target.columns[0] + first, target.columns[0] + end
            sees = sources(node.window, target.rows, columns, size)
            view = target.part(target.rows, columns).some_channels(*part.span)
            values = map_values(Kind.DEPTHWISE, node.window, sees) | part.values
            values |= source.part(sees[0].span, sees[1].span).some_channels(*part.span).fields("in")
            values |= view.fields("out") | ring_values(node.window, view, part.rows)
            yield Pass(node.name, values, part.tables)


@lru_cache(maxsize=64)
def _parts(
    node: DepthwiseConvolution, n_parts: int, config: AcceleratorConfig
) -> list[_Part] | None:
    """The channels in so many parts; None if their tables do not fit the memories."""
    parts = []
    for first, end in equal_parts(node.channels, n_parts, 2 * config.n_lanes):
        part = _part(some_channels(node, first, end), (first, end), config)
        if not fits(part.tables, config):
            return None
        parts.append(part)
    return parts


def _part(node: DepthwiseConvolution, span: Span, config: AcceleratorConfig) -> _Part:
    rows = _rows(node.channels, config)
    phases = phase_taps(node.window)
    stored = max(f for f, taps in enumerate(phases) if taps) + 1
    # Rows of all lanes, taps of a row: channel 2s is a, 2s + 1 is b of pair s.
    codes = np.zeros((rows * config.n_lanes * 2, node.window.n_taps), np.int64)
    codes[: node.channels] = node.coefficients
    by_row = codes.reshape(rows, -1, node.window.n_taps).transpose(0, 2, 1)
    entries = [by_row[:, taps].reshape(-1, by_row.shape[2]) for taps in phases]
    counts: NDArray[np.int64] = np.repeat([len(taps) for taps in phases[:stored]], rows)
    values, words = requantization(node, config)
    starts = np.cumsum([0, *(len(part) for part in entries)]).tolist() + [0] * 3
    padded = node.channels + node.channels % 2
    values |= {
        **dict.fromkeys(("padded_in", "padded_out", "group_out"), padded),
        "clear_depth": rows,
        "maximum": node.maximum,
        "phase_words": rows,
        **{f"entry_{f}": starts[f] if f < stored else 0 for f in (1, 2, 3)},
    }
    coefficients = to_words(np.concatenate(entries) & 0xFF)
    tables = Tables(
        {"coefficient": coefficients, "directory": counts, **words},
        -(-node.coefficients.size // 2),
        len(coefficients),
    )
    return _Part(span, rows, values, tables)


def _rows(channels: int, config: AcceleratorConfig) -> int:
    """Accumulator rows of an output."""
    return -(-channels // (2 * config.n_lanes))


@dataclass(frozen=True)
class _Cut:
    stripes: int
    parts: int
    clocks: int


@lru_cache(maxsize=1024)
def _divide(
    window: Window,
    outputs: tuple[Span, Span],
    size: tuple[int, int],
    channels: int,
    config: AcceleratorConfig,
) -> _Cut | None:
    """Vertical stripes and parts of the channels that take the fewest clocks, if any fit."""
    if window.n_taps >= 1 << COUNT_WIDTH:
        return None
    best: _Cut | None = None
    rows, (left, right) = outputs
    most = min(
        config.accumulator_depth // OUTPUT_SLOTS,
        config.tap_depth // window.n_taps,
        config.spectrum_depth // (2 * config.n_lanes),
        (1 << COUNT_WIDTH) - 1,
    )
    for n_stripes in range(1, right - left + 1):
        stripes = equal_parts(right - left, n_stripes)
        walk = (stripes[0][1] - 1) * window.stride[1] + window.kernel[1]
        live, _ = ring_positions(window, walk)
        limit = min(most, config.accumulator_depth // live)
        if not limit:
            continue
        parts = equal_parts(channels, -(-_rows(channels, config) // limit), 2 * config.n_lanes)
        clocks = sum(
            _clocks(window, (rows, (left + first, left + end)), size, some_end - some, config)
            for some, some_end in parts
            for first, end in stripes
        )
        if best is None or clocks < best.clocks:
            best = _Cut(n_stripes, len(parts), clocks)
        if len(parts) == 1:
            break  # further stripes only walk over more columns
    return best


def _clocks(
    window: Window,
    outputs: tuple[Span, Span],
    size: tuple[int, int],
    channels: int,
    config: AcceleratorConfig,
) -> int:
    """About what the lanes take for a pair of inferences."""
    rows, pairs = _rows(channels, config), -(-channels // 2)
    axes = [
        _axis(span, source, k, s)
        for span, source, k, s in zip(
            outputs, sources(window, *outputs, size), window.kernel, window.stride, strict=True
        )
    ]
    forward = pairs * threshold_cycles(config)
    total = 0
    for phase, taps in enumerate(phase_taps(window)):
        py, px = divmod(phase, window.stride[1])
        if taps:
            some = axes[0][1][py] * axes[1][1][px]
            total += some * max(forward, pairs + rows * (len(taps) + 1))
    total += axes[0][0] * axes[1][0] * START_CLOCKS
    n_outputs = (outputs[0][1] - outputs[0][0]) * (outputs[1][1] - outputs[1][0])
    backward = 2 * pairs * requantize_cycles(config) + START_CLOCKS
    table = rows * window.n_taps
    return max(total, n_outputs * backward) + config.accumulator_depth + table


def _axis(outputs: Span, source: Source, kernel: int, stride: int) -> tuple[int, list[int]]:
    """On one axis: positions of the walk, and those of each phase that have a pixel."""
    walk = (outputs[1] - outputs[0] - 1) * stride + kernel
    end = min(walk, source.before + source.span[1] - source.span[0])
    return walk, [
        len(range(source.before + (p - source.before) % stride, end, stride)) for p in range(stride)
    ]


def _window_clocks(node: DepthwiseConvolution, target: MapView, config: AcceleratorConfig) -> int:
    """What the window unit takes for a pair of inferences, less a constant."""
    taps = max(node.window.n_taps, requantize_cycles(config))
    return target.height * target.width * node.n_out * taps
