# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Integer nodes from the steps of a graph, their scales and the integers of their weights.

The integer network is made step by step, and the calibration data run through it on the way: row shifts are chosen for
the integers that each node really sees.
"""

from collections.abc import Mapping
from functools import singledispatchmethod

import numpy as np

from spectramac.compress.graph_codes import Coder
from spectramac.compress.graph_steps import NodeRefusedError, Plan, Step, window_of
from spectramac.compress.lower_layers import LayerLowering
from spectramac.compress.requantization import encode_multiplier, encode_sum
from spectramac.graph.errors import UnsupportedModelError
from spectramac.graph.node import Node
from spectramac.graph.nodes import (
    Add,
    AveragePool,
    Conv,
    Dense,
    GlobalAveragePool,
    MaxPool,
    ReLU,
    Requantize,
)
from spectramac.model.depthwise import AveragePooling
from spectramac.model.fixed import Ints
from spectramac.model.graph_network import GraphNetwork
from spectramac.model.map_elementwise import Addition, MaxPooling, Rectifier
from spectramac.model.map_node import Arithmetic, MapNode
from spectramac.model.map_window import Window

__all__ = ["keeps_scale", "lower"]


def keeps_scale(node: Node) -> bool:
    """Whether the map of a node has the scale of the one that it reads, whatever the data."""
    return isinstance(node, MaxPool | ReLU)


def lower(
    plan: Plan,
    scales: Mapping[str, float],
    coder: Coder,
    calibration: Ints,
    arithmetic: Arithmetic,
    headroom: float = 1.125,
) -> GraphNetwork:
    """The integer network of a plan.

    Parameters
    ----------
    plan : Plan
    scales : mapping of str to float
        Real value of one step of every map.
    coder : Coder
    calibration : int array (batch, height, width, channels)
        Typical int8 inputs.
    arithmetic : Arithmetic
        The narrowest word lengths that the network is to run with.
    headroom : float
        Factor on the calibration data's sums that must still fit.

    Raises
    ------
    UnsupportedModelError
        Naming the node that the engine does not run.
    ValueError
        If an accumulator could overflow, or a scale cannot be encoded; names the node.
    """
    lowering = _Lowering(plan, scales, coder, arithmetic, headroom)
    even = np.pad(calibration, ((0, len(calibration) % 2), (0, 0), (0, 0), (0, 0)))
    maps = {plan.input.map: even}
    nodes = []
    for step in plan.steps:
        inputs = [maps[view.map] for view in step.inputs]
        try:
            node = lowering.node(step.node, step, *inputs)
        except NodeRefusedError as error:
            raise UnsupportedModelError(
                f"{plan.graph.name} cannot be lowered to an integer network", [error.refusal]
            ) from None
        except ValueError as error:
            text = str(error)
            named = repr(step.node.name) in text
            raise ValueError(text if named else f"node {step.node.name!r}: {text}") from error
        nodes.append(node)
        maps[node.name] = node.run(*inputs, arithmetic=arithmetic).y
    return GraphNetwork(
        name=plan.graph.name,
        input_name=plan.input.map,
        input_shape=plan.input.shape,
        nodes=tuple(nodes),
        scales=scales,
    )


class _Lowering(LayerLowering):
    @singledispatchmethod
    def node(self, node: Node, step: Step, *inputs: Ints) -> MapNode:
        raise TypeError(f"{node.operator} has no integer node")

    @node.register
    def _(self, node: Conv, step: Step, *inputs: Ints) -> MapNode:
        return self.conv(node, step, *inputs)

    @node.register
    def _(self, node: Dense, step: Step, *inputs: Ints) -> MapNode:
        return self.dense(node, step, *inputs)

    def _average(self, step: Step, window: Window) -> MapNode:
        """The largest sum, -128 times the pixels, must fit the data width behind the row shift."""
        limit = self.arithmetic.data.maximum
        row_shift = max(0, int(np.ceil(np.log2(128 * window.n_taps / limit))))
        ratio = self.input_scale(step) / self.scales[step.node.name]
        multiplier, shift = encode_multiplier(ratio * 2**row_shift / window.n_taps)
        return AveragePooling(
            **self.common(step), window=window, multiplier=multiplier, shift=shift,
            row_shift=row_shift,
        )  # fmt: skip

    @node.register
    def _(self, node: AveragePool, step: Step, *inputs: Ints) -> MapNode:
        return self._average(step, window_of(node))

    @node.register
    def _(self, node: GlobalAveragePool, step: Step, *inputs: Ints) -> MapNode:
        return self._average(step, Window(inputs[0].shape[1:3]))

    @node.register
    def _(self, node: Requantize, step: Step, *inputs: Ints) -> MapNode:
        return self._average(step, Window())

    @node.register
    def _(self, node: MaxPool, step: Step, *inputs: Ints) -> MapNode:
        return MaxPooling(**self.common(step), window=window_of(node))

    @node.register
    def _(self, node: ReLU, step: Step, *inputs: Ints) -> MapNode:
        return Rectifier(**self.common(step), maximum=self.maximum(step))

    @node.register
    def _(self, node: Add, step: Step, *inputs: Ints) -> MapNode:
        scale = self.scales[node.name]
        multipliers, shift = encode_sum(
            self.input_scale(step) / scale, self.input_scale(step, 1) / scale
        )
        return Addition(
            **self.common(step), multipliers=multipliers, shift=shift, relu=step.relu,
            maximum=self.maximum(step),
        )  # fmt: skip
