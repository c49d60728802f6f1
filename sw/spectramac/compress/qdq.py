# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A quantized (QDQ) network as an integer network of the engine, with the model's own integers.

Nothing is quantized again: codes of weights are the model's, zero points of activations go into the biases
(:mod:`spectramac.compress.quantize`). Activations of 8 unsigned bits are the engine's after subtraction of 128;
so are their zero points. Weights with zero points run if the codes without them fit 8 bits.

The result is the model's to the last bit where the scales let it be: where ``row_shift`` is 0, the ratios
s_in · s_weight / s_out have at most 15 bits, and no value lies half-way between two integers of a tensor with an
odd zero point (ONNX rounds before it adds the zero point, the engine afterwards). Elsewhere it is within one
output step of each layer.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.graph_steps import NodeRefusedError
from spectramac.compress.quantize import Codes, assemble
from spectramac.graph.errors import UnsupportedModelError
from spectramac.graph.evaluate import activations
from spectramac.graph.graph import Graph
from spectramac.graph.node import Node
from spectramac.graph.nodes import Conv, Dense, Flatten, ReLU, Reshape, Softmax
from spectramac.graph.quantization import Quantization
from spectramac.model.fixed import Ints
from spectramac.model.network import Layer, Network, Transform

__all__ = ["QuantizedNetwork", "int8", "integer_network", "matrix_codes", "weight_integers"]

IDENTITY = Transform()


@dataclass(frozen=True, eq=False)
class QuantizedNetwork:
    """An integer network and what its inputs and outputs stand for.

    Attributes
    ----------
    network : Network
        Its scales are those of ``input`` and ``output``; it knows no zero points.
    input, output : Quantization
        int8: ``input.quantize(x)`` gives the network's inputs, ``output.dequantize(y)`` real values.
    """

    network: Network
    input: Quantization
    output: Quantization


@dataclass(frozen=True, eq=False)
class _Step:
    """One dense layer with the ReLU behind it."""

    dense: Dense
    relu: bool
    quantization: Quantization
    source: str


def int8(q: Quantization | None, node: Node, what: str) -> Quantization:
    """The same in int8."""
    if q is None:
        raise NodeRefusedError(
            node, f"{what} is not quantized", "quantize every activation to 8 bits"
        )
    if q.bits != 8:
        raise NodeRefusedError(node, f"{what} has {q.bits} bits", "quantize activations to 8 bits")
    if q.signed:
        return q
    return Quantization(scale=q.scale, zero_point=q.zero_point - 128)


def weight_integers(node: Conv | Dense) -> tuple[Ints, Floats, int]:
    """The integers of the weights without their zero point, a step for each output, and their bits."""
    q = node.weight_quantization
    if q is None:
        raise NodeRefusedError(
            node, "its weights are not quantized", "quantize them to 4 to 8 bits"
        )
    zero = q.zero_point.reshape(-1, *(1,) * (node.weight.ndim - 1))
    codes = q.quantize(node.weight) - zero
    if codes.min() < -128 or codes.max() > 127:
        raise NodeRefusedError(
            node,
            f"its weights without their zero point are {codes.min()} to {codes.max()}, not int8 (the engine "
            "has no zero point of coefficients)",
            "quantize weights symmetrically, to 4 to 8 bits",
        )
    bits = 1 + max(int(codes.max()), int(-1 - codes.min()), 7).bit_length()
    return codes, np.broadcast_to(q.scale, len(codes)), bits


def matrix_codes(codes: Ints, steps: Floats, bits: int) -> Codes:
    """Of a matrix (n_out, n_in), padded to whole row and column pairs."""
    padded = np.zeros((IDENTITY.padded(len(codes)), IDENTITY.padded(codes.shape[1])), np.int16)
    padded[: len(codes), : codes.shape[1]] = codes
    rows = np.full(len(padded), float(steps[-1]))
    rows[: len(codes)] = steps
    return Codes(padded, rows, bits)


def _steps(graph: Graph) -> list[_Step]:
    """The chain of dense layers."""
    if not graph.is_chain:
        branch = next(n for n in graph.nodes if len(n.inputs) > 1 or len(graph.readers(n.name)) > 1)
        raise NodeRefusedError(branch, "it is part of a branch", "use a plain chain of layers")
    found: list[_Step] = []
    pending: Dense | None = None
    names = [graph.input.name, *(node.name for node in graph.nodes)]
    for node, name in zip(graph.nodes, names, strict=False):
        if isinstance(node, ReLU) and node.maximum is None and pending is not None:
            if node.quantization is None or not node.quantization.equals(
                pending.quantization or node.quantization
            ):
                raise NodeRefusedError(
                    node, "its input and output have other scales", "quantize behind it only"
                )
            found[-1] = _Step(
                pending, True, int8(node.quantization, node, "its output"), found[-1].source
            )
            pending = None
        elif isinstance(node, Dense):
            relu = graph.readers(node.name)
            q = node.quantization
            if q is None and len(relu) == 1 and isinstance(relu[0], ReLU):
                q = relu[0].quantization
            found.append(_Step(node, False, int8(q, node, "its output"), name))
            pending = node
        elif not isinstance(node, Flatten | Reshape | Softmax) or node.quantization is not None:
            raise NodeRefusedError(node, "the engine does not run it", "use dense layers with ReLU")
    if not found:
        raise NodeRefusedError(
            graph.nodes[-1], "the graph has no dense layer", "use dense layers with ReLU"
        )
    return found


def _layer(step: _Step, before: Quantization, calibration: NDArray[Any]) -> Layer:
    zero = int(step.quantization.zero_point)
    if step.relu and zero not in (0, -128):
        raise NodeRefusedError(
            step.dense,
            f"the zero point behind its ReLU is {zero} (int8), neither 0 nor the end of the range, -128",
            "quantize the ReLU's output symmetrically, or from 0 on",
        )
    n_out, n_in = step.dense.weight.shape
    return assemble(
        step.dense.name,
        matrix_codes(*weight_integers(step.dense)),
        n_in=n_in,
        n_out=n_out,
        t_in=IDENTITY,
        t_out=IDENTITY,
        bias=step.dense.bias,
        input_scale=float(before.scale),
        output_scale=float(step.quantization.scale),
        calibration=before.quantize(calibration.reshape(len(calibration), n_in)),
        relu=step.relu,
        input_zero=int(before.zero_point),
        output_zero=zero,
    )


def integer_network(graph: Graph, calibration: NDArray[Any]) -> QuantizedNetwork:
    """The integer network of a quantized graph: dense layers in a chain, ReLU between them.

    Parameters
    ----------
    graph : Graph
        Every activation has 8 bits and one scale, every weight a scale for the matrix or each output. A
        Softmax at the end is left to the host.
    calibration : float array (batch, *input shape)
        Typical inputs: row shifts are chosen so that none of their sums saturates.

    Raises
    ------
    UnsupportedModelError
        Naming the node, what the engine cannot run of it, and the remedy.
    ValueError
        If a scale cannot be encoded, or the calibration data have another shape.
    """
    try:
        steps = _steps(graph)
        values = activations(graph, calibration)
        first = int8(graph.input.quantization, steps[0].dense, "its input")
        qs = [first, *(step.quantization for step in steps)]
        layers = tuple(
            _layer(step, q, values[step.source]) for step, q in zip(steps, qs, strict=False)
        )
    except NodeRefusedError as error:
        raise UnsupportedModelError(
            f"{graph.name} cannot be lowered to an integer network", [error.refusal]
        ) from None
    network = Network(
        layers=layers, input_scale=float(qs[0].scale), output_scale=float(qs[-1].scale)
    )
    return QuantizedNetwork(network, qs[0], qs[-1])
