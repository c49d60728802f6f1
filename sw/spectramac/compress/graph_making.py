# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""An integer network from a graph and the forms of its layers: in one step, or trained."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compress.blocks import Floats
from spectramac.compress.compare_trained import Progress
from spectramac.compress.datasets import TrainingData
from spectramac.compress.graph_codes import Form
from spectramac.compress.quantize_graph import QuantizedGraph, quantize_graph
from spectramac.compress.training import Training
from spectramac.graph.graph import Graph
from spectramac.model.convolution import Convolution, FullyConnected
from spectramac.model.graph_network import GraphNetwork
from spectramac.model.map_node import Arithmetic
from spectramac.model.network import Layer
from spectramac.spec.config import AcceleratorConfig

__all__ = ["CALIBRATION", "GraphMaker", "calibration_of", "skeleton_graph"]

CALIBRATION = 128
"""Samples that scales and coefficients are chosen by, at most: each has many pixels."""


def calibration_of(graph: Graph, x: Floats) -> Floats:
    """Typical inputs of the graph, (batch, *input shape), from inputs (samples, elements)."""
    return x[:CALIBRATION].reshape(-1, *graph.input.shape)


def skeleton_graph(network: GraphNetwork, layers: Mapping[str, Layer]) -> GraphNetwork:
    """A network that stores other layers, by the name of their node: for its size, without their values.

    Parameters
    ----------
    network : GraphNetwork
    layers : mapping of str to Layer
        As :meth:`~spectramac.compress.techniques.stage.Stage.skeleton` makes them.
    """
    nodes = [
        replace(node, layer=replace(layers[node.name], relu=node.layer.relu))
        if isinstance(node, Convolution | FullyConnected) and node.name in layers
        else node
        for node in network.nodes
    ]
    return replace(network, nodes=tuple(nodes))


@dataclass(frozen=True, eq=False, kw_only=True)
class GraphMaker:
    """How candidates are made of forms.

    Parameters
    ----------
    teacher : Graph
        The trained network.
    calibration : float array (batch, *input shape)
        Typical inputs.
    config : AcceleratorConfig
        With ``maps``.
    training : (Training, TrainingData), optional
        How and by what every candidate is trained; needs PyTorch. Default: compression in one step.
    input_scale : float, optional
        Real value of one int8 step of the input. Default: chosen by the calibration inputs.
    seed : int
        Of all training.
    """

    teacher: Graph
    calibration: Floats
    config: AcceleratorConfig
    training: tuple[Training, TrainingData] | None = None
    input_scale: float | None = None
    seed: int = 0

    def quantized(
        self, graph: Graph, forms: Mapping[str, Form], *, nonzero: bool = False
    ) -> QuantizedGraph:
        """In one step; ``nonzero`` as of :func:`~spectramac.compress.quantize_graph.quantize_graph`.

        Raises
        ------
        ValueError
            If something cannot be encoded.
        """
        return quantize_graph(
            graph,
            self.calibration,
            forms=forms,
            arithmetic=Arithmetic.of(self.config),
            input_scale=self.input_scale,
            nonzero=nonzero,
        )

    def outlined(self, graph: Graph, forms: Mapping[str, Form]) -> QuantizedGraph:
        """In one step; not smaller than what :meth:`make` makes with these masks."""
        return self.quantized(graph, forms, nonzero=self.training is not None)

    def make(
        self,
        graph: Graph,
        forms: Mapping[str, Form],
        *,
        max_bytes: int | None = None,
        progress: Progress | None = None,
    ) -> QuantizedGraph:
        """As training is wanted.

        Parameters
        ----------
        graph : Graph
            The teacher, or what is left of it when filters are removed.
        forms : mapping of str to Form
        max_bytes : int, optional
            That what is trained never exceeds.
        progress : callable (epochs done, of how many), optional

        Raises
        ------
        CompileError
            If it does not fit the configuration: known before it is trained.
        ValueError
            If something cannot be encoded.
        """
        untrained = self.quantized(graph, forms)
        if self.training is None:
            return untrained
        compile_graph(untrained.network, self.config)

        def fits(student: Any) -> bool:
            outline = skeleton_graph(untrained.network, student.skeletons())
            try:
                n_bytes = compile_graph(outline, self.config).stored_bytes
            except ValueError:
                return False
            return max_bytes is None or n_bytes <= max_bytes

        training, data = self.training
        module = importlib.import_module("spectramac.compress.train_graph")
        trained = module.train_graph(
            graph,
            forms,
            data.x_train.reshape(-1, *graph.input.shape),
            data.y_train,
            training.procedure(),
            self.seed,
            input_scale=untrained.network.input_scale,
            teacher=self.teacher,
            within=None if max_bytes is None else fits,
            progress=progress,
        )
        made: QuantizedGraph = trained.export(self.calibration, Arithmetic.of(self.config))
        return made
