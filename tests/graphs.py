# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Random integer network graphs of all kinds of nodes, and configurations with much and with little memory."""

from typing import Any

import numpy as np
from tests.model.map_cases import maps, random_layer, scales

from spectramac.model.convolution import Convolution, FullyConnected
from spectramac.model.depthwise import AveragePooling, DepthwiseConvolution
from spectramac.model.graph_network import GraphNetwork
from spectramac.model.map_elementwise import Addition, MaxPooling, Rectifier
from spectramac.model.map_node import MapNode, Shape
from spectramac.model.map_window import Window
from spectramac.model.network import Transform
from spectramac.model.tiles import TileConvolution
from spectramac.spec.config import preset

__all__ = ["CONFIGS", "random_graph", "random_graph_inputs"]

_MAPS = preset("small").replace(maps=True)
CONFIGS = {
    "large": _MAPS.replace(
        name="large-maps",
        n_lanes=4,
        activation_depth=1 << 16,
        coefficient_depth=1 << 14,
        accumulator_depth=1 << 11,
        directory_depth=1 << 13,
        channel_depth=1 << 11,
        kernel_depth=1 << 13,
        tap_depth=512,
        n_layers_max=256,
    ),
    "small": _MAPS.replace(name="small-maps"),
    "least": _MAPS.replace(
        name="least-maps",
        activation_depth=512,
        coefficient_depth=512,
        accumulator_depth=128,
        directory_depth=512,
        channel_depth=64,
        kernel_depth=64,
        n_layers_max=8,
    ),
}
"""The first holds whole networks; the last makes most nodes go through the host in parts."""


def _window(rng: np.random.Generator, size: tuple[int, int], largest: int, stride: int) -> Window:
    kernel = tuple(int(rng.integers(1, min(largest, n) + 1)) for n in size)
    strides = tuple(int(rng.integers(1, stride + 1)) for _ in size)
    padding = tuple((int(rng.integers(0, k)), int(rng.integers(0, k))) for k in kernel)
    return Window(kernel, strides, padding)  # type: ignore[arg-type]


def _requantized(rng: np.random.Generator, n_out: int, n_shifts: int, taps: int) -> dict[str, Any]:
    return scales(rng, n_out, n_shifts, 74 * 73 * float(np.sqrt(taps)))


def _node(rng: np.random.Generator, name: str, source: str, shape: Shape) -> MapNode:
    height, width, channels = shape
    common: dict[str, Any] = {"name": name, "inputs": (source,)}
    kind = int(rng.integers(7))
    if kind <= 1:
        window = _window(rng, (height, width), 4, 2)
        t_in, t_out = ([Transform(), Transform("fft1d", 8)][rng.integers(2)] for _ in range(2))
        n_out = int(rng.integers(1, 17))
        layer = random_layer(rng, window.n_taps * t_in.padded(channels), n_out, t_in, t_out)
        return Convolution(
            **common,
            layer=layer,
            channels=channels,
            window=window,
            maximum=int(rng.choice([127, 60])),
        )
    if kind == 2:
        window = _window(rng, (height, width), 5, 2)
        n_out = channels * int(rng.integers(1, 3))
        q = rng.integers(-127, 128, (n_out, window.n_taps))
        numbers = _requantized(rng, n_out, -(-n_out // 2), window.n_taps)
        return DepthwiseConvolution(
            **common, channels=channels, coefficients=q, window=window, **numbers
        )
    if kind == 3:
        window = _window(rng, (height, width), 3, 2)
        n_out = int(rng.integers(1, 9))
        q = rng.integers(-30, 31, (n_out, channels, 8, 2))
        numbers = _requantized(rng, n_out, n_out, 4 * channels)
        return TileConvolution(
            **common, channels=channels, side=4, coefficients=q, window=window, halve_in=7, halve_out=15,
            **numbers,
        )  # fmt: skip
    if kind == 4:
        return MaxPooling(**common, window=_window(rng, (height, width), 4, 3))
    if kind == 5:
        window = _window(rng, (height, width), max(height, width), 3)
        return AveragePooling(
            **common, window=window, multiplier=int((1 << 14) // window.n_taps), shift=13
        )
    return Rectifier(**common, maximum=int(rng.choice([127, 50])))


def random_graph(seed: int, n_nodes: int = 6) -> GraphNetwork:
    """A chain with branches and additions; a fully-connected layer ends some."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(4, 13)), int(rng.integers(4, 13)), int(rng.integers(1, 13)))
    shapes: dict[str, Shape] = {"x": shape}
    nodes: list[MapNode] = []
    while len(nodes) < n_nodes:
        names = list(shapes)
        name = f"n{len(nodes)}"
        source = names[-1] if rng.random() < 0.7 else names[rng.integers(len(names))]
        like = [other for other in names if shapes[other] == shapes[source]]
        if rng.random() < 0.3 and len(like) > 1:
            pair = (source, like[rng.integers(len(like))])
            node: MapNode = Addition(
                name=name,
                inputs=pair,
                multipliers=(12000, 9000),
                shift=14,
                relu=bool(rng.integers(2)),
            )
        else:
            node = _node(rng, name, source, shapes[source])
        nodes.append(node)
        shapes[name] = node.output_shape(*(shapes[n] for n in node.inputs))
    size = int(np.prod(shapes[nodes[-1].name]))
    if size <= 400:
        layer = random_layer(rng, size, 7, Transform(), Transform())
        nodes.append(
            FullyConnected(name="dense", inputs=(nodes[-1].name,), layer=layer, maximum=90)
        )
    return GraphNetwork(
        name=f"random {seed}", input_name="x", input_shape=shape, nodes=tuple(nodes),
        scales=dict.fromkeys(("x", *(node.name for node in nodes)), 0.5),
    )  # fmt: skip


def random_graph_inputs(network: GraphNetwork, batch: int, seed: int = 0) -> np.ndarray:
    """int8, all values."""
    return maps(np.random.default_rng(seed), batch, *network.input_shape).astype(np.int8)
