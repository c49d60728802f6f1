# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The integer network of a trained convolutional network, with the codes, steps and scales that training found."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from spectramac.compress.conv_chain import INPUT, chain_graph
from spectramac.compress.graph_codes import Coded
from spectramac.compress.graph_steps import plan_graph
from spectramac.compress.lower_graph import lower
from spectramac.compress.quantize import Codes
from spectramac.compress.techniques import ConvStage
from spectramac.compress.train_conv import TrainedConv
from spectramac.compress.train_graph import TrainedCoder
from spectramac.graph.graph import Graph
from spectramac.graph.nodes import Dense
from spectramac.model.batch import quantize_input
from spectramac.model.graph_network import GraphNetwork
from spectramac.model.map_node import Arithmetic

__all__ = ["export_conv"]


class _ChainCoder(TrainedCoder):
    """Of layers whose columns are in the order of the training."""

    def dense(self, node: Dense, columns: NDArray[np.int64], x: NDArray[Any]) -> Coded:
        """Columns in the order of the map, which is another than that of the training."""
        coded = self._single(node)
        if np.array_equal(columns, np.arange(len(columns))):
            return coded
        if coded.t_in.is_fft:
            raise ValueError(
                f"layer {node.name!r} must have no input transform behind a map of several pixels"
            )
        codes = coded.codes.codes.copy()
        codes[:, : len(columns)] = codes[:, columns]
        return Coded(Codes(codes, coded.codes.steps, coded.codes.bits), coded.t_in, coded.t_out)


def _check(name: str, layer: nn.Module) -> None:
    """Refuse what the engine does not run as it is."""
    stage = layer.stages[0].stage
    if len(layer.stages) != 1 or layer.structured.input_map is not None:
        raise ValueError(f"layer {name!r} must have one stage that keeps the order of its inputs")
    if isinstance(stage, ConvStage) and stage.tile != (1, 1):
        raise ValueError(f"layer {name!r} must be applied pixel by pixel, not in tiles")


def _graph(network: TrainedConv, name: str) -> tuple[Graph, dict[str, float]]:
    """The chain as a graph with the trained weights, and the scales of its maps."""
    layers, scales = [], {INPUT: network.input_scale}
    last = len(network.student.layers)
    for i, layer in enumerate(network.student.layers, 1):
        names = ("classes",) if i == last else (f"conv{i}", f"relu{i}", f"pool{i}")
        _check(names[0], layer)
        layers.append((layer.to_structured().dense(), layer.bias.detach().double().numpy()))
        scales |= dict.fromkeys(names, network.student.activations[i - 1].step)
    return chain_graph(layers, network.architecture, name), scales


def export_conv(
    network: TrainedConv,
    calibration: NDArray[Any],
    name: str,
    arithmetic: Arithmetic | None = None,
) -> GraphNetwork:
    """The integer network.

    Its outputs differ from :meth:`TrainedConv.predict` by a few steps, as those of
    :meth:`~spectramac.compress.train_compressed.TrainedNetwork.export` do and for the same reasons.

    Parameters
    ----------
    network : TrainedConv
        Of layers with one stage each, convolutions not in tiles.
    calibration : float array (batch, pixels)
        Typical real inputs: shifts are chosen so that sums do not saturate for them.
    name : str
    arithmetic : Arithmetic, optional
        The narrowest that it is to run with. Default: data of 15 bits.

    Raises
    ------
    ValueError
        If the engine does not run a layer, a scale cannot be encoded or an accumulator could overflow.
    """
    graph, scales = _graph(network, name)
    plan = plan_graph(graph)
    names = [node.name for node in graph.nodes if node.parameters]
    coder = _ChainCoder(dict(zip(names, network.student.layers, strict=True)))
    x = quantize_input(calibration, network.input_scale).astype(np.int64)
    maps = x.reshape(-1, *network.architecture.image, 1)
    used = {step.node.name: scales[step.node.name] for step in plan.steps}
    return lower(
        plan,
        {INPUT: network.input_scale, **used},
        coder,
        maps,
        arithmetic or Arithmetic(data_width=15),
    )
