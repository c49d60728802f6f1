# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Training of compressed network graphs, distilled from the graph in floating point.

As :mod:`spectramac.compress.train_compressed`, with the same two phases, for every graph that the engine runs: branches
and sums, pooling, depthwise layers. What trains is what the engine multiplies with; :meth:`TrainedGraph.export` makes
the integers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spectramac.compress.blocks import Floats
from spectramac.compress.graph_codes import Coded, Form, RecordingCoder
from spectramac.compress.graph_steps import plan_graph
from spectramac.compress.lower_graph import lower
from spectramac.compress.procedure import Procedure
from spectramac.compress.quantize import Codes, activation_scale
from spectramac.compress.quantize_graph import NARROW, QuantizedGraph, arrange_input
from spectramac.compress.torch_graph import FloatGraph
from spectramac.compress.torch_stage import to_float
from spectramac.compress.train_compressed import Augment, on_steps, run_procedure
from spectramac.compress.train_graph_student import GraphStudent
from spectramac.graph.graph import Graph
from spectramac.graph.node import Node
from spectramac.graph.nodes import Conv, Dense
from spectramac.model.batch import quantize_input
from spectramac.model.map_node import Arithmetic

__all__ = ["TrainedCoder", "TrainedGraph", "train_graph"]

_SAMPLE = 256
"""Inputs that masks and first steps are chosen by; each has many positions."""
_BATCH = 256
"""Inputs that are predicted at a time."""


@dataclass(frozen=True, eq=False)
class TrainedCoder:
    """The integers that training found, by the name of the node."""

    layers: Mapping[str, nn.Module]

    def _single(self, node: Node) -> Coded:
        layer = self.layers[node.name]
        stage, (codes,) = layer.stages[0].stage, layer.codes()
        return Coded(codes, stage.t_in, stage.t_out, stage.pattern)

    def convolution(self, node: Conv, x: NDArray[Any]) -> Coded:
        """A direct one or one over blocks of channels."""
        return self._single(node)

    def depthwise(self, node: Conv, x: NDArray[Any]) -> Codes:
        """All taps."""
        codes: Codes = self.layers[node.name].codes()
        return codes

    def dense(self, node: Dense, columns: NDArray[np.int64], x: NDArray[Any]) -> Coded:
        """Columns are in the order of the map already."""
        return self._single(node)


@dataclass(frozen=True, eq=False)
class TrainedGraph:
    """The result of training: rounds coefficients and activations to integers, in floating point.

    Parameters
    ----------
    graph : Graph
        In floating point, that it was made from.
    student : GraphStudent
        On the CPU, quantized.
    input_scale : float
        Real value of one int8 step of the input.
    """

    graph: Graph
    student: GraphStudent
    input_scale: float

    @torch.no_grad()
    def predict(self, x: NDArray[Any]) -> Floats:
        """Real inputs (samples, *input shape) to outputs (samples, n_outputs), rounded to the output's steps."""
        inputs = on_steps(to_float(x), self.input_scale)
        parts = [self.student(part) for part in torch.split(inputs, _BATCH)]
        return np.asarray(torch.cat(parts).double().numpy(), np.float64)

    def export(
        self, calibration: NDArray[Any], arithmetic: Arithmetic | None = None
    ) -> QuantizedGraph:
        """The integer network.

        Its outputs differ from :meth:`predict` by a few steps, as those of
        :meth:`~spectramac.compress.train_compressed.TrainedNetwork.export` do and for the same reasons.

        Parameters
        ----------
        calibration : float array (samples, *input shape)
            Typical real inputs: shifts are chosen so that sums do not saturate for them.
        arithmetic : Arithmetic, optional
            The narrowest that it is to run with. Default: data of 15 bits.

        Raises
        ------
        ValueError
            If a scale cannot be encoded or an accumulator could overflow.
        """
        layers = {n.name: self.student.layer(n.name) for n in self.graph.nodes if n.parameters}
        nodes = [
            replace(node, bias=layers[node.name].bias.detach().double().numpy())
            if isinstance(node, Conv | Dense)
            else node
            for node in self.graph.nodes
        ]
        plan = plan_graph(replace(self.graph, nodes=tuple(nodes)))
        codes = quantize_input(arrange_input(plan, calibration), self.input_scale)
        coder = RecordingCoder(TrainedCoder(layers))
        network = lower(
            plan,
            self.student.scales(self.input_scale),
            coder,
            codes.astype(np.int64),
            arithmetic or NARROW,
        )
        return QuantizedGraph(network, plan, coder.found)


def _check_data(graph: Graph, teacher: Graph, x: NDArray[Any], y: NDArray[np.int64]) -> None:
    """Refuse inputs, labels and a teacher of other shapes."""
    if x.shape[1:] != graph.input.shape or not len(x):
        raise ValueError(f"x must have shape (samples, *{graph.input.shape}), not {x.shape}")
    if y.shape != (len(x),):
        raise ValueError(f"y must have shape ({len(x)},), not {y.shape}")
    n_classes = prod(graph.output.shape)
    if y.min() < 0 or y.max() >= n_classes:
        raise ValueError(
            f"y must be from 0 to {n_classes - 1}, not {int(y.min())} to {int(y.max())}"
        )
    own, other = ((g.input.shape, prod(g.output.shape)) for g in (graph, teacher))
    if own != other:
        raise ValueError(
            f"the teacher must have inputs {own[0]} and {own[1]} outputs, not {other[0]} and {other[1]}"
        )


def train_graph(
    graph: Graph,
    forms: Mapping[str, Form],
    x: NDArray[Any],
    y: NDArray[Any],
    procedure: Procedure,
    seed: int = 0,
    *,
    input_scale: float | None = None,
    teacher: Graph | None = None,
    within: Callable[[GraphStudent], bool] | None = None,
    augment: Augment | None = None,
    device: str | torch.device | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TrainedGraph:
    """Compress and train a network graph.

    Parameters
    ----------
    graph : Graph
        In floating point, one output for each class.
    forms : mapping of str to Form
        How layers are stored, by the name of the node; the others keep all weights in 8 bits.
    x : float array (samples, *input shape)
        Training inputs; rounded to int8 steps first.
    y : int array (samples,)
    procedure : Procedure
        ``features`` must be 0.
    seed : int
    input_scale : float, optional
        Real value of one int8 step of the input. Default: 1 / 127 of the largest.
    teacher : Graph, optional
        With the same inputs and outputs. Default: ``graph``.
    within : callable (student) -> bool, optional
        Whether a network that stores so much (:meth:`GraphStudent.skeletons`) may be made; as of
        :func:`~spectramac.compress.train_compressed.train_compressed`.
    augment : callable (batch (batch, *input shape), generator) -> batch, optional
    device : str or torch.device, optional
        Default: CUDA where there is one, else the CPU. The result is on the CPU.
    progress : callable (epochs done, of how many), optional

    Raises
    ------
    UnsupportedModelError
        Naming every node that the engine does not run.
    ValueError
        If a form does not suit its layer, hidden activations are to be compared, or shapes do not fit.
    NotRunnableError
        If the engine does not run the steps of a form.
    """
    if procedure.features:
        raise ValueError(f"features must be 0 for a network graph, not {procedure.features!r}")
    x, y = np.asarray(x), np.asarray(y, np.int64)
    plan = plan_graph(graph)
    _check_data(graph, teacher or graph, x, y)
    scale = activation_scale(x, "max") if input_scale is None else input_scale
    generator = torch.Generator().manual_seed(seed)
    inputs = on_steps(to_float(x), scale)
    sample = inputs[torch.randperm(len(inputs), generator=generator)[:_SAMPLE]]
    student = GraphStudent(plan, forms)
    run_procedure(
        student,
        FloatGraph(plan if teacher is None else plan_graph(teacher)),
        inputs,
        torch.tensor(y),
        sample,
        procedure,
        generator,
        input_scale=scale,
        fits=None if within is None else (lambda: within(student)),
        augment=augment,
        device=device,
        progress=progress,
    )
    return TrainedGraph(graph, student, scale)
