# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Compiles a network for one accelerator configuration: descriptors, memory contents, placements."""

from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.layout import CompileError, Layout, lay_out
from spectramac.compiler.memory_image import MemoryImage, pack_coefficients, pack_indices
from spectramac.model.network import Layer, Network
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import Kind
from spectramac.spec.image import Image, Placement
from spectramac.spec.memory import memories

__all__ = [
    "CompileError",
    "Requantized",
    "check_bias",
    "check_layer",
    "compile_network",
    "exceeds",
    "ideal_cycles",
    "layer_tables",
    "layer_values",
    "requantization",
]

_MAX_SIZE = (1 << 16) - 1


def compile_network(
    network: Network, config: AcceleratorConfig, *, n_groups: int | None = None
) -> Image:
    """Compile a network.

    Parameters
    ----------
    network : Network
    config : AcceleratorConfig
    n_groups : int, optional
        At least this many row groups in each layer that has as many output blocks
        (:func:`~spectramac.compiler.layout.lay_out`).

    Returns
    -------
    Image
        ``layers`` holds a report for each layer: sizes, ``formats`` chosen, ``stored_pairs`` (complex
        ones count twice), ``entries`` (padding included), ``words`` and ``bytes`` by memory, and
        ``ideal_cycles``.

    Raises
    ------
    CompileError
        If the network exceeds a resource; names layer, resource, both numbers and a remedy.
    """
    if len(network.layers) > config.n_layers_max:
        name = network.layers[config.n_layers_max].name
        raise exceeds(name, "layers", len(network.layers), config.n_layers_max, "merge layers")
    for layer in network.layers:
        check_layer(layer, config)
    max_pairs, places = _place_activations(network, config)
    layouts = _lay_out_all(network, config, n_groups)
    memory = MemoryImage(config)
    reports = []
    for i, (layer, layout) in enumerate(zip(network.layers, layouts, strict=True)):
        tables = layer_tables(layer, layout, config)
        values = layer_values(layer, layout, config)
        values |= {f"{n}_base": memory.append(n, tables[n], layer.name) for n in tables}
        for side, place in (("in", places[i]), ("out", places[i + 1])):
            values |= {f"{side}_base": place.base, f"{side}_stride": place.stride}
        memory.append_descriptor(values, layer.name)
        words = {n: len(table) for n, table in tables.items()}
        reports.append(_report(layer, layout, words, config))
    return Image(
        identity=config.identity(),
        build_id=config.build_id,
        n_layers=len(network.layers),
        layers=tuple(reports),
        input=places[0],
        output=places[-1],
        n_inputs=network.n_inputs,
        input_map=None if network.input_map is None else tuple(network.input_map.tolist()),
        input_scale=network.input_scale,
        output_scale=network.output_scale,
        max_pairs=max_pairs,
        sections=memory.sections(),
        meta=network.meta,
    )


def ideal_cycles(layer: Layer, n_stored_pairs: int, n_lanes: int) -> int:
    """Clocks for two inferences with perfect lane balance and one FFT sample a clock."""
    padded = (layer.t_in.padded(layer.n_in), layer.t_out.padded(layer.n_out))
    return max(-(-n_stored_pairs // n_lanes), *padded)


def exceeds(layer: str, what: str, needed: int, available: int, remedy: str) -> CompileError:
    return CompileError(
        f"layer {layer!r}: {what}: {needed} needed, {available} available; {remedy}, or use a "
        "larger preset"
    )


def check_layer(layer: Layer, config: AcceleratorConfig) -> None:
    for side, transform in (("input", layer.t_in), ("output", layer.t_out)):
        if transform.is_fft and not config.fft.allows(transform.log2_n, transform.two_d):
            what = f"points of the {side} transform"
            most = config.n_max if transform.two_d else config.n_axis_max
            raise exceeds(layer.name, what, transform.n, most, "use shorter blocks")
    padded_in, padded_out = layer.t_in.padded(layer.n_in), layer.t_out.padded(layer.n_out)
    if padded_in > config.spectrum_depth:
        remedy = "split the layer's inputs"
        raise exceeds(layer.name, "spectrum memory", padded_in, config.spectrum_depth, remedy)
    for what, size in (("padded inputs", padded_in), ("padded outputs", padded_out)):
        if size > _MAX_SIZE:
            raise exceeds(layer.name, what, size, _MAX_SIZE, "split the layer")
    check_bias(layer.name, layer.bias, config)
    if layer.level >= 1 << config.level_width:
        raise CompileError(
            f"layer {layer.name!r}: level must fit {config.level_width} bits, not {layer.level!r}; "
            "no column can reach it"
        )


def check_bias(layer: str, bias: NDArray[np.int32], config: AcceleratorConfig) -> None:
    """Raise unless all biases fit the data width."""
    fmt = config.bias
    low, high = int(bias.min()), int(bias.max())
    if not (fmt.holds(low) and fmt.holds(high)):
        raise CompileError(
            f"layer {layer!r}: bias must fit {fmt} (data_width of configuration "
            f"{config.name!r}), not {low if not fmt.holds(low) else high}; use larger row shifts or "
            "a larger data_width"
        )


def _place_activations(network: Network, config: AcceleratorConfig) -> tuple[int, list[Placement]]:
    """Two regions, taken in turns, for as many pairs of inferences as fit."""
    sizes = [network.layers[0].n_in, *(layer.n_out for layer in network.layers)]
    regions = max(sizes[0::2]), max(sizes[1::2])
    depth = config.activation_depth
    max_pairs = min(depth // sum(regions), _MAX_SIZE)
    if max_pairs < 1:
        widest = int(np.argmax([a + b for a, b in pairwise(sizes)]))
        remedy = "use smaller layers"
        what = f"activation memory for a pair of inferences ({regions[0]} + {regions[1]} words)"
        raise exceeds(network.layers[widest].name, what, sum(regions), depth, remedy)
    bases = 0, max_pairs * regions[0]
    places = [Placement(bases[i % 2], size, size) for i, size in enumerate(sizes)]
    return max_pairs, places


def _lay_out_all(network: Network, config: AcceleratorConfig, n_groups: int | None) -> list[Layout]:
    """Fewest bits for each layer, unless that exceeds coefficient memory: then fewer words."""
    layouts = [lay_out(layer, config, n_groups=n_groups) for layer in network.layers]
    for i, layer in enumerate(network.layers):
        if sum(layout.n_words for layout in layouts) <= config.coefficient_depth:
            break
        if not layouts[i].is_indexed:
            other = lay_out(layer, config, n_groups=n_groups, indexed=True)
            if other.n_words < layouts[i].n_words:
                layouts[i] = other
    return layouts


def _uniform(value: int | NDArray[np.int32]) -> int | None:
    """The common value of all elements, if there is one."""
    array = np.asarray(value)
    first = int(array.flat[0])
    return first if np.all(array == first) else None


def layer_tables(
    layer: Layer, layout: Layout, config: AcceleratorConfig
) -> dict[str, NDArray[Any]]:
    """What a layer stores besides its descriptor: words by memory, some empty."""
    empty = np.zeros(0, np.int64)
    return {
        "coefficient": pack_coefficients(layout, config),
        "index": pack_indices(layout, config) if layout.is_indexed else empty,
        "directory": layout.directory,
        **requantization(layer, config)[1],
    }


class Requantized(Protocol):
    """What has the numbers of a requantization, for each channel or for all."""

    @property
    def bias(self) -> NDArray[np.int32]: ...
    @property
    def multiplier(self) -> int | NDArray[np.int32]: ...
    @property
    def shift(self) -> int | NDArray[np.int32]: ...
    @property
    def row_shift(self) -> int | NDArray[np.int32]: ...
    @property
    def relu(self) -> bool: ...


def requantization(
    node: Requantized, config: AcceleratorConfig
) -> tuple[dict[str, int], dict[str, NDArray[Any]]]:
    """Descriptor fields and tables of biases, scales and row shifts; what is uniform is in the fields."""
    empty = np.zeros(0, np.int64)
    row_shift = _uniform(node.row_shift)
    multiplier, shift = _uniform(node.multiplier), _uniform(node.shift)
    per_channel = multiplier is None or shift is None
    scale = (np.asarray(node.shift) << config.multiplier_width) | np.asarray(node.multiplier)
    values = {
        "per_channel_scale": int(per_channel),
        "per_row_shift": int(row_shift is None),
        "relu": int(node.relu),
        "row_shift": row_shift or 0,
        "multiplier": 0 if per_channel else multiplier or 0,
        "shift": 0 if per_channel else shift or 0,
        "maximum": 127,
    }
    tables = {
        "bias": node.bias,
        "scale": scale if per_channel else empty,
        "row_shift": empty if row_shift is not None else np.asarray(node.row_shift),
    }
    return values, tables


def layer_values(layer: Layer, layout: Layout, config: AcceleratorConfig) -> dict[str, int]:
    """A layer's descriptor without addresses."""
    values = requantization(layer, config)[0]
    for side, transform, size in (
        ("in", layer.t_in, layer.n_in),
        ("out", layer.t_out, layer.n_out),
    ):
        values[f"{side}_log2_n"] = transform.log2_n if transform.is_fft else 0
        values[f"{side}_two_d"] = int(transform.two_d)
        values[f"n_{side}"] = size
        values[f"padded_{side}"] = transform.padded(size)
    return values | {
        "is_complex": int(layout.is_complex),
        "is_narrow": int(layout.is_narrow),
        "is_indexed": int(layout.is_indexed),
        "bin_major": int(layout.bin_major),
        "halve_in": layer.halve_in,
        "halve_out": layer.halve_out,
        "group_out": layout.group_out,
        "column_stride": layout.column_stride,
        "clear_depth": layout.clear_depth,
        "level_low": layer.level & 0xFFFFFFFF,
        "level_high": layer.level >> 32,
        "uniform_count": layout.uniform_count,
        "kind": Kind.LAYER,
    }


def _report(
    layer: Layer, layout: Layout, words: dict[str, int], config: AcceleratorConfig
) -> dict[str, Any]:
    table = memories(config)
    return {
        "name": layer.name,
        "n_in": layer.n_in,
        "n_out": layer.n_out,
        "t_in": layer.t_in.kind,
        "t_in_n": layer.t_in.n,
        "t_out": layer.t_out.kind,
        "t_out_n": layer.t_out.n,
        "coefficient_bits": layer.coefficient_bits,
        "formats": {
            "is_complex": layout.is_complex,
            "is_narrow": layout.is_narrow,
            "is_indexed": layout.is_indexed,
            "bin_major": layout.bin_major,
        },
        "n_groups": layout.n_groups,
        "stored_pairs": layout.n_pairs,
        "entries": layout.n_entries,
        "words": words,
        "bytes": {name: -(-n * table[name].width // 8) for name, n in words.items()},
        "ideal_cycles": ideal_cycles(layer, layout.n_pairs, config.n_lanes),
    }
