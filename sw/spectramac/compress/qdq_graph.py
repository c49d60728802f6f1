# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A quantized (QDQ) network graph as an integer network of maps, with the model's own scales and integers.

Nothing is quantized again. Maps have no zero points: every activation must have the zero point 0 (or 128 in uint8,
which is 0 in int8), so that padding is zero in integers too. For the same inputs, each node's output is within one
step of the model's: both round the exact value, and the engine's is off by a fraction of a step before.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.graph_codes import Coded, RecordingCoder, kernel_4d
from spectramac.compress.graph_steps import NodeRefusedError, Plan, Step, plan_graph
from spectramac.compress.lower_graph import keeps_scale, lower
from spectramac.compress.qdq import int8, matrix_codes, weight_integers
from spectramac.compress.quantize import Codes
from spectramac.compress.quantize_graph import NARROW, QuantizedGraph, arrange_input
from spectramac.compress.techniques.conv import kernel_matrix
from spectramac.graph.errors import Refusal, UnsupportedModelError
from spectramac.graph.graph import Graph
from spectramac.graph.node import Node
from spectramac.graph.nodes import Conv, Dense
from spectramac.graph.quantization import Quantization
from spectramac.model.batch import quantize_input
from spectramac.model.map_node import Arithmetic

__all__ = ["integer_graph"]


@dataclass(frozen=True)
class _QdqCoder:
    """The model's integers, direct."""

    def convolution(self, node: Conv, x: NDArray[Any]) -> Coded:
        codes, steps, bits = weight_integers(node)
        matrix = kernel_matrix(kernel_4d(codes.astype(np.float64)))
        return Coded(matrix_codes(matrix.astype(np.int64), steps, bits))

    def depthwise(self, node: Conv, x: NDArray[Any]) -> Codes:
        codes, steps, bits = weight_integers(node)
        taps = codes.reshape(len(codes), -1)
        padded = matrix_codes(taps, steps, bits)
        return Codes(padded.codes[:, : taps.shape[1]], padded.steps, bits)

    def dense(self, node: Dense, columns: NDArray[np.int64], x: NDArray[Any]) -> Coded:
        codes, steps, bits = weight_integers(node)
        return Coded(matrix_codes(codes[:, columns], steps, bits))


def _scale(q: Quantization | None, node: Node, what: str) -> float:
    """The scale of a tensor that is symmetric in int8."""
    q = int8(q, node, what)
    if not q.is_symmetric:
        raise NodeRefusedError(
            node,
            f"{what} has the zero point {int(q.zero_point)} (int8)",
            "quantize activations symmetrically (in onnxruntime: QInt8 with ActivationSymmetric), "
            "or drop the model's scales and calibrate anew (`spectramac compile --requantize`)",
        )
    return float(q.scale)


class _Scales:
    """Scales of all maps; collects what is refused."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.refusals = plan, list[Refusal]()
        graph = plan.graph
        first = graph.readers(graph.input.name)[0]
        self.values: dict[str, float] = {}
        self.add(plan.input.map, graph.input.quantization, first, "its input")
        for step in plan.steps:
            q = graph.tensors[step.tensor].quantization
            if keeps_scale(step.node):
                self.keep(step, q)
            else:
                self.add(step.node.name, q, step.node, "its output")

    def add(self, name: str, q: Quantization | None, node: Node, what: str) -> None:
        try:
            self.values[name] = _scale(q, node, what)
        except NodeRefusedError as error:
            self.refusals.append(error.refusal)

    def keep(self, step: Step, q: Quantization | None) -> None:
        """A node that cannot change the scale, which the model may state once more."""
        before = self.values.get(step.inputs[0].map)
        if before is None:
            return  # already refused
        self.values[step.node.name] = before
        if q is None:
            return
        self.add(step.node.name, q, step.node, "its output")
        if self.values[step.node.name] != before:
            problem = (
                f"its output has the scale {self.values[step.node.name]:g}, its input {before:g}"
            )
            remedy = "quantize them alike"
            self.refusals.append(NodeRefusedError(step.node, problem, remedy).refusal)


def integer_graph(
    graph: Graph,
    calibration: NDArray[Any],
    *,
    arithmetic: Arithmetic = NARROW,
    headroom: float = 1.125,
) -> QuantizedGraph:
    """The integer network of a quantized graph.

    Parameters
    ----------
    graph : Graph
        Every activation has 8 bits, one scale and the zero point 0, every weight a scale for the tensor or each output
        channel. A Softmax at the end is left to the host.
    calibration : float array (batch, *input shape)
        Typical inputs: row shifts are chosen so that none of their sums saturates.
    arithmetic, headroom
        As of :func:`~spectramac.compress.quantize_graph.quantize_graph`.

    Raises
    ------
    UnsupportedModelError
        Naming every node that cannot run, why, and the remedy.
    ValueError
        If an accumulator could overflow or a scale cannot be encoded, or the calibration data have another shape.
    """
    plan = plan_graph(graph)
    scales = _Scales(plan)
    if scales.refusals:
        raise UnsupportedModelError(
            f"{graph.name} cannot be lowered to an integer network", scales.refusals
        )
    codes = quantize_input(arrange_input(plan, calibration), scales.values[plan.input.map])
    coder = RecordingCoder(_QdqCoder())
    network = lower(plan, scales.values, coder, codes.astype(np.int64), arithmetic, headroom)
    return QuantizedGraph(network, plan, coder.found)
