# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The size of a network from its masks alone, and the densities at which a budget is just used up.

What masks store is what the exported network stores at most: coefficients that are rounded to zero only lower it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from spectramac.compiler.compile import compile_network
from spectramac.compress.blocks import Floats
from spectramac.compress.measure import Size
from spectramac.compress.post_training import Choice, DenseLayer
from spectramac.compress.search_demand import Demand
from spectramac.compress.techniques import Structured
from spectramac.model.network import Network
from spectramac.spec.config import AcceleratorConfig

__all__ = [
    "MIN_DENSITY",
    "bisected",
    "layer_inputs",
    "outline",
    "skeleton_network",
    "skeleton_of",
    "within",
]

MIN_DENSITY = 0.005
"""Below it a budget is not met."""


def layer_inputs(layers: Sequence[DenseLayer], x: Floats) -> list[Floats]:
    """Inputs of every layer of a chain with ReLU between, before compression."""
    inputs = []
    for w, b in layers:
        inputs.append(x)
        x = np.maximum(x @ w.T + b, 0)
    return inputs


def skeleton_network(structured: Sequence[Structured], choices: Sequence[Choice]) -> Network:
    """A network that stores what the masks of compressed layers say, without values."""
    stages = []
    for i, (layer, choice) in enumerate(zip(structured, choices, strict=True)):
        for stage in layer.stages:
            stages.append(replace(stage.skeleton(choice.quantization), name=f"fc{i + 1}"))
    return Network(
        layers=tuple(stages),
        input_scale=1.0,
        output_scale=1.0,
        input_map=structured[0].input_map,
    )


def skeleton_of(
    layers: Sequence[DenseLayer], choices: Sequence[Choice], inputs: Sequence[Floats]
) -> Network:
    """The skeleton of what choices make of a trained chain: nothing is quantized or run.

    Parameters
    ----------
    layers : sequence of (weights, bias)
    choices : sequence of Choice
    inputs : sequence of float array (batch, n_in)
        Of every layer, before compression.
    """
    fits = [
        choice.technique.fit(w, choice.density, inputs=x)
        for (w, _), choice, x in zip(layers, choices, inputs, strict=True)
    ]
    return skeleton_network(fits, choices)


def outline(
    layers: Sequence[DenseLayer],
    choices: Sequence[Choice],
    inputs: Sequence[Floats],
    config: AcceleratorConfig,
) -> Size:
    """Size of the network that choices make; arguments as of :func:`skeleton_of`.

    Raises
    ------
    ValueError
        If the network does not fit the configuration.
    """
    return Size.of(compile_network(skeleton_of(layers, choices, inputs), config), config)


def within(demand: Demand, config: AcceleratorConfig) -> Callable[[Network], bool]:
    """Whether a network meets a demand on bytes or cycles, and fits the configuration."""

    def fits(network: Network) -> bool:
        try:
            size = Size.of(compile_network(network, config), config)
        except ValueError:
            return False
        return demand.excess(size, 0.0, 0.0) <= 0

    return fits


def bisected(fits: Callable[[float], bool], low: float, high: float, steps: int = 10) -> float:
    """Nearly the largest number from ``low``, which is known to fit, to ``high`` that fits."""
    if fits(high):
        return high
    for _ in range(steps):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
