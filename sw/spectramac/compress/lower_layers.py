# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Integer nodes with weights, from a step of a graph, scales and the integers of the weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectramac.compress.blocks import Floats
from spectramac.compress.graph_codes import Coded, Coder
from spectramac.compress.graph_steps import Plan, Step, window_of
from spectramac.compress.peaks import row_peaks
from spectramac.compress.quantize import assemble
from spectramac.compress.requantization import requantization
from spectramac.compress.techniques.stage import IDENTITY
from spectramac.compress.tile_codes import TileCodes, assemble_tiles
from spectramac.graph.nodes import (
    AveragePool,
    Conv,
    Dense,
    GlobalAveragePool,
    MaxPool,
    ReLU,
    Requantize,
)
from spectramac.model.convolution import Convolution, FullyConnected
from spectramac.model.depthwise import DepthwiseConvolution
from spectramac.model.fixed import Ints
from spectramac.model.map_node import Arithmetic, MapNode
from spectramac.model.network import Layer

__all__ = ["LayerLowering"]


@dataclass(frozen=True)
class LayerLowering:
    """Makes the node of one step; ``x`` are the integers that it reads for the calibration data."""

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

    def common(self, step: Step) -> dict[str, Any]:
        return {"name": step.node.name, "inputs": tuple(view.map for view in step.inputs)}

    def input_scale(self, step: Step, number: int = 0) -> float:
        return self.scales[step.inputs[number].map]

    def maximum(self, step: Step) -> int:
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

    def conv(self, node: Conv, step: Step, x: Ints) -> MapNode:
        """Direct, in spectra of channels, in tiles, or depthwise."""
        if node.is_depthwise:
            return self._depthwise(node, step, x)
        coded = self.coder.convolution(node, x)
        if isinstance(coded, TileCodes):
            return self._tiles(node, step, coded, x)
        window, channels = window_of(node), x.shape[-1]
        n_in = window.n_taps * coded.t_in.padded(channels)

        def placed(layer: Layer) -> Convolution:
            return Convolution(
                **self.common(step), layer=layer, channels=channels, window=window,
                maximum=self.maximum(step),
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
            unit = coded.codes.steps * self.input_scale(step) * 2.0 ** probe.halve_in.bit_count()
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
            input_scale=self.input_scale(step),
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
            input_scale=self.input_scale(step),
            output_scale=self.scales[node.name],
            low=self._low(step),
            arithmetic=self.arithmetic,
            headroom=self.headroom,
            channels=x.shape[-1],
            window=window_of(node),
            relu=step.relu,
            maximum=self.maximum(step),
            **self.common(step),
        )

    def _depthwise(self, node: Conv, step: Step, x: Ints) -> MapNode:
        codes, n_out = self.coder.depthwise(node, x), len(node.weight)
        if isinstance(codes, TileCodes):
            return self._tiles(node, step, codes, x)
        fixed: dict[str, Any] = {
            **self.common(step), "channels": x.shape[-1], "coefficients": codes.codes[:n_out],
            "coefficient_bits": codes.bits, "window": window_of(node),
        }  # fmt: skip
        probe = DepthwiseConvolution(**fixed, bias=np.zeros(n_out, np.int32), multiplier=1, shift=0)
        v = np.pad(probe.sums(x).reshape(-1, n_out), ((0, 0), (0, n_out % 2)))
        unit = codes.steps * self.input_scale(step)
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
            maximum=self.maximum(step),
        )

    def dense(self, node: Dense, step: Step, x: Ints) -> MapNode:
        """On the map as it lies."""
        coded = self.coder.dense(node, step.inputs[0].order, x)

        def placed(layer: Layer) -> FullyConnected:
            return FullyConnected(**self.common(step), layer=layer, maximum=self.maximum(step))

        return placed(self._assemble(step, node, coded, node.weight.shape[1], placed, x))
