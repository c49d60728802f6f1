# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Integer nodes from the steps of a graph, their scales and the integers of their weights.

The integer network is made step by step, and the calibration data run through it on the way: row shifts are chosen for
the integers that each node really sees.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import singledispatchmethod
from typing import Any

import numpy as np

from spectramac.compress.blocks import Floats
from spectramac.compress.graph_codes import Coded, Coder
from spectramac.compress.graph_steps import NodeRefusedError, Plan, Step, window_of
from spectramac.compress.peaks import row_peaks
from spectramac.compress.quantize import assemble
from spectramac.compress.requantization import encode_multiplier, encode_sum, requantization
from spectramac.compress.techniques.stage import IDENTITY
from spectramac.compress.tile_codes import TileCodes, assemble_tiles
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
from spectramac.model.convolution import Convolution, FullyConnected
from spectramac.model.depthwise import AveragePooling, DepthwiseConvolution
from spectramac.model.fixed import Ints
from spectramac.model.graph_network import GraphNetwork
from spectramac.model.map_elementwise import Addition, MaxPooling, Rectifier
from spectramac.model.map_node import Arithmetic, MapNode
from spectramac.model.map_window import Window
from spectramac.model.network import Layer

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
    maps = {plan.input.map: calibration}
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


@dataclass(frozen=True)
class _Lowering:
    plan: Plan
    scales: Mapping[str, float]
    coder: Coder
    arithmetic: Arithmetic
    headroom: float

    def _low(self, step: Step) -> int:
        """The smallest integer that the step can read."""
        return 0 if self._is_positive(step.inputs[0].map) else -128

    def _full_range(self, step: Step, bias: Floats, unit: Floats) -> Ints:
        """Sums (1, rows) in ``unit`` that take the output over its whole range.

        Without an output transform, a sum that then saturates at the data width saturates the output anyway.
        """
        padded = np.zeros(len(unit))
        padded[: len(bias)] = np.abs(bias)
        return np.ceil((128 * self.scales[step.node.name] + padded) / unit).astype(np.int64)[None]

    @singledispatchmethod
    def node(self, node: Node, step: Step, *inputs: Ints) -> MapNode:
        raise TypeError(f"{node.operator} has no integer node")

    def _common(self, step: Step) -> dict[str, Any]:
        return {"name": step.node.name, "inputs": tuple(view.map for view in step.inputs)}

    def _input_scale(self, step: Step, number: int = 0) -> float:
        return self.scales[step.inputs[number].map]

    def _maximum(self, step: Step) -> int:
        """The ReLU's limit in steps."""
        maximum = getattr(step.node, "maximum", None) if step.maximum is None else step.maximum
        if maximum is None:
            return 127
        return int(min(127, round(maximum / self.scales[step.node.name])))

    def _is_positive(self, name: str) -> bool:
        """Whether a map can have no negative value."""
        step = next((s for s in self.plan.steps if s.node.name == name), None)
        if step is None:
            return False
        if isinstance(step.node, MaxPool | AveragePool | GlobalAveragePool | Requantize):
            return self._is_positive(step.inputs[0].map)
        return step.relu or isinstance(step.node, ReLU)

    @node.register
    def _(self, node: Conv, step: Step, *inputs: Ints) -> MapNode:
        (x,) = inputs
        if node.is_depthwise:
            return self._depthwise(node, step, x)
        coded = self.coder.convolution(node, x)
        if isinstance(coded, TileCodes):
            return self._tiles(node, step, coded, x)
        window, channels = window_of(node), x.shape[-1]
        n_in = window.n_taps * coded.t_in.padded(channels)

        def placed(layer: Layer) -> Convolution:
            return Convolution(
                **self._common(step), layer=layer, channels=channels, window=window,
                maximum=self._maximum(step),
            )  # fmt: skip

        return placed(self._assemble(step, node, coded, n_in, placed, x))

    def _assemble(
        self,
        step: Step,
        node: Conv | Dense,
        coded: Coded,
        n_in: int,
        placed: Callable[[Layer], Convolution | FullyConnected],
        x: Ints,
    ) -> Layer:
        """The layer of a node, for the sums that the node makes of its typical inputs."""

        def sums(probe: Layer) -> Ints:
            v = placed(probe).sums(x, self.arithmetic).reshape(-1, len(coded.codes.codes))
            if coded.t_out.is_fft:
                return v
            unit = coded.codes.steps * self._input_scale(step) * 2.0 ** probe.halve_in.bit_count()
            return np.concatenate([v, self._full_range(step, node.bias, unit)])

        return assemble(
            node.name,
            coded.codes,
            n_in=n_in,
            n_out=len(node.weight),
            t_in=coded.t_in,
            t_out=coded.t_out,
            pattern=coded.pattern,
            bias=node.bias,
            input_scale=self._input_scale(step),
            output_scale=self.scales[node.name],
            calibration=np.array([[self._low(step), 127]]),
            relu=step.relu,
            data_width=self.arithmetic.data_width,
            accumulator_width=self.arithmetic.accumulator_width,
            headroom=self.headroom,
            measure=sums,
        )

    def _tiles(self, node: Conv, step: Step, codes: TileCodes, x: Ints) -> MapNode:
        return assemble_tiles(
            codes,
            x,
            bias=node.bias,
            input_scale=self._input_scale(step),
            output_scale=self.scales[node.name],
            low=self._low(step),
            arithmetic=self.arithmetic,
            headroom=self.headroom,
            channels=x.shape[-1],
            window=window_of(node),
            relu=step.relu,
            maximum=self._maximum(step),
            **self._common(step),
        )

    def _depthwise(self, node: Conv, step: Step, x: Ints) -> MapNode:
        codes, n_out = self.coder.depthwise(node, x), len(node.weight)
        if isinstance(codes, TileCodes):
            return self._tiles(node, step, codes, x)
        fixed: dict[str, Any] = {
            **self._common(step), "channels": x.shape[-1], "coefficients": codes.codes[:n_out],
            "coefficient_bits": codes.bits, "window": window_of(node),
        }  # fmt: skip
        probe = DepthwiseConvolution(**fixed, bias=np.zeros(n_out, np.int32), multiplier=1, shift=0)
        v = np.pad(probe.sums(x).reshape(-1, n_out), ((0, 0), (0, n_out % 2)))
        unit = codes.steps * self._input_scale(step)
        v = np.concatenate([v, self._full_range(step, node.bias, unit)])
        scaling = requantization(
            node.name,
            unit=unit,
            relative=None,
            peaks=row_peaks(v, IDENTITY),
            bias=node.bias,
            output_scale=self.scales[node.name],
            data_width=self.arithmetic.data_width,
            headroom=self.headroom,
        )
        return DepthwiseConvolution(
            **fixed,
            bias=scaling.bias,
            multiplier=scaling.multiplier,
            shift=scaling.shift,
            row_shift=scaling.row_shift,
            relu=step.relu,
            maximum=self._maximum(step),
        )

    @node.register
    def _(self, node: Dense, step: Step, *inputs: Ints) -> MapNode:
        (x,) = inputs
        coded = self.coder.dense(node, step.inputs[0].order, x)

        def placed(layer: Layer) -> FullyConnected:
            return FullyConnected(**self._common(step), layer=layer, maximum=self._maximum(step))

        return placed(self._assemble(step, node, coded, node.weight.shape[1], placed, x))

    def _average(self, step: Step, window: Window) -> MapNode:
        """The largest sum, -128 times the pixels, must fit the data width behind the row shift."""
        limit = self.arithmetic.data.maximum
        row_shift = max(0, int(np.ceil(np.log2(128 * window.n_taps / limit))))
        ratio = self._input_scale(step) / self.scales[step.node.name]
        multiplier, shift = encode_multiplier(ratio * 2**row_shift / window.n_taps)
        return AveragePooling(
            **self._common(step), window=window, multiplier=multiplier, shift=shift,
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
        return MaxPooling(**self._common(step), window=window_of(node))

    @node.register
    def _(self, node: ReLU, step: Step, *inputs: Ints) -> MapNode:
        return Rectifier(**self._common(step), maximum=self._maximum(step))

    @node.register
    def _(self, node: Add, step: Step, *inputs: Ints) -> MapNode:
        scale = self.scales[node.name]
        multipliers, shift = encode_sum(
            self._input_scale(step) / scale, self._input_scale(step, 1) / scale
        )
        return Addition(
            **self._common(step), multipliers=multipliers, shift=shift, relu=step.relu,
            maximum=self._maximum(step),
        )  # fmt: skip
