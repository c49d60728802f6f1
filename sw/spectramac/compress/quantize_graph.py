# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A floating-point network graph as an integer network: scales from calibration data, weights in chosen forms."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.graph_codes import Coded, FloatCoder, Form, RecordingCoder, check_forms
from spectramac.compress.graph_steps import Plan, plan_graph
from spectramac.compress.lower_graph import keeps_scale, lower
from spectramac.compress.quantize import Codes, activation_scale
from spectramac.compress.tile_codes import TileCodes
from spectramac.graph.evaluate import activations
from spectramac.graph.graph import Graph
from spectramac.model.batch import quantize_input
from spectramac.model.fixed import Ints
from spectramac.model.graph_network import GraphNetwork, run_graph
from spectramac.model.map_node import Arithmetic

__all__ = ["NARROW", "QuantizedGraph", "quantize_graph"]

NARROW = Arithmetic(data_width=15)
"""Networks made for it run on all presets whose accumulators are wide enough."""


@dataclass(frozen=True, eq=False)
class QuantizedGraph:
    """An integer network and how its maps correspond to the tensors of the graph.

    Attributes
    ----------
    network : GraphNetwork
    plan : Plan
    coded : mapping
        Integers and steps of the weights, by the name of the node.
    """

    network: GraphNetwork
    plan: Plan
    coded: Mapping[str, Coded | TileCodes | Codes]

    def quantize_input(self, x: NDArray[Any]) -> NDArray[np.int8]:
        """Inputs of the graph (batch, *shape), real, as int8 maps (batch, height, width, channels)."""
        return quantize_input(arrange_input(self.plan, x), self.network.input_scale)

    def dequantize_output(self, y: Ints) -> Floats:
        """Outputs (batch, height, width, channels) as the graph's, (batch, *shape), real; before a Softmax."""
        output = self.dequantize(self.plan.output.map, y)  # perhaps before a change of shape
        return output.reshape(len(y), *self.plan.graph.output.shape)

    def dequantize(self, name: str, y: Ints) -> Floats:
        """Any map as the graph's tensor, (batch, *shape), real values."""
        view = self.plan.output
        views = {view.map: view, **{v.map: v for step in self.plan.steps for v in step.inputs}}
        shape = self.plan.graph.tensors[self.tensors[name]].shape
        flat = np.empty((len(y), y[0].size))
        flat[:, views[name].order] = y.reshape(len(y), -1) * self.network.scales[name]
        return flat.reshape(len(y), *shape)

    @property
    def tensors(self) -> dict[str, str]:
        """The tensor of the graph that each map but the input stands for, by the map's name."""
        return {step.node.name: step.tensor for step in self.plan.steps}

    def run(self, x: NDArray[Any], arithmetic: Arithmetic = NARROW) -> Floats:
        """Outputs of the graph for real inputs, through the integer network."""
        return self.dequantize_output(run_graph(self.network, self.quantize_input(x), arithmetic))


def arrange_input(plan: Plan, x: NDArray[Any]) -> NDArray[Any]:
    """Inputs of the graph as maps, not quantized."""
    shape = plan.graph.input.shape
    x = np.asarray(x)
    if x.shape[1:] != shape or x.ndim == 0:
        raise ValueError(f"inputs must have shape (batch, *{shape}), not {x.shape}")
    rows: NDArray[Any] = x.reshape(len(x), -1)[:, plan.input.order]
    return rows.reshape(len(x), *plan.input.shape)


def _scale(tensor: str, values: Floats, method: Literal["max", "percentile", "mse"]) -> float:
    try:
        return activation_scale(values, method)
    except ValueError as error:
        raise ValueError(f"tensor {tensor!r}: {error}") from None


def quantize_graph(
    graph: Graph,
    calibration: NDArray[Any],
    *,
    forms: Mapping[str, Form] | None = None,
    default: Form | None = None,
    method: Literal["max", "percentile", "mse"] = "mse",
    arithmetic: Arithmetic = NARROW,
    headroom: float = 1.125,
    input_scale: float | None = None,
    nonzero: bool = False,
) -> QuantizedGraph:
    """Quantize a floating-point graph.

    Parameters
    ----------
    graph : Graph
        Of any importer. A Softmax at the end is left to the host.
    calibration : float array (batch, *input shape)
        Typical inputs.
    forms : mapping of str to Form, optional
        How layers are stored, by the name of the node.
    default : Form, optional
        Of the others: every weight in 8 bits, one scale for each output channel.
    method : str
        Of the scales of activations (:func:`~spectramac.compress.quantize.activation_scale`).
    arithmetic : Arithmetic
        The narrowest word lengths that the network is to run with; wider ones do.
    headroom : float
        Factor on the calibration data's sums that must still fit the data width.
    input_scale : float, optional
        Real value of one int8 step of the input. Default: by ``method``.
    nonzero : bool
        As of :class:`~spectramac.compress.graph_codes.FloatCoder`.

    Raises
    ------
    UnsupportedModelError
        Naming every node that the engine does not run.
    ValueError
        If the graph is quantized already, a form is for a node that does not exist, an accumulator could overflow or
        a scale cannot be encoded.
    """
    forms = forms or {}
    check_forms(graph, forms)
    if graph.is_quantized:
        raise ValueError(
            f"{graph.name} must be in floating point, not quantized already; lower it with its own integers "
            "(spectramac.compress.qdq_graph.integer_graph)"
        )
    plan = plan_graph(graph)
    values = activations(graph, calibration)
    if input_scale is None:
        input_scale = _scale(graph.input.name, values[graph.input.name], method)
    scales = {plan.input.map: input_scale}
    for step in plan.steps:
        scales[step.node.name] = (
            scales[step.inputs[0].map]
            if keeps_scale(step.node)
            else _scale(step.tensor, values[step.tensor], method)
        )
    codes = quantize_input(arrange_input(plan, calibration), scales[plan.input.map])
    coder = RecordingCoder(FloatCoder(forms, default or Form(), nonzero))
    network = lower(plan, scales, coder, codes.astype(np.int64), arithmetic, headroom)
    return QuantizedGraph(network, plan, coder.found)
