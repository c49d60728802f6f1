# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Figures and spectra of a compressed network graph, for :mod:`spectramac.compress.report`."""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compiler.graph_explain import explain_graph
from spectramac.compress.blocks import Floats
from spectramac.compress.graph_codes import Coded, Form, kernel_4d
from spectramac.compress.graph_measure import graph_float_accuracy
from spectramac.compress.quantize import Codes
from spectramac.compress.quantize_graph import QuantizedGraph
from spectramac.compress.report import Outcome
from spectramac.compress.sft import orthonormal, orthonormal_sft
from spectramac.compress.size import dense_graph_bytes
from spectramac.compress.spectra import LayerSpectra
from spectramac.compress.techniques.conv import kernel_matrix
from spectramac.compress.tile_codes import TileCodes
from spectramac.graph.graph import Graph
from spectramac.graph.node import Node
from spectramac.graph.nodes import Conv, Dense
from spectramac.spec.config import AcceleratorConfig

__all__ = ["graph_before", "graph_spectra", "node_rows"]


def graph_before(outcome: Outcome, graph: Graph, made: QuantizedGraph) -> dict[str, Any]:
    """Figures of a graph before compression; ``made`` is any network that it became."""
    test = outcome.test
    weights = [array.size for node in graph.nodes for array in node.parameters.values()]
    return {
        "accuracy": outcome.comparison.float_accuracy,
        "test_accuracy": None if test is None else graph_float_accuracy(graph, test.x, test.labels),
        "float32_bytes": 4 * sum(weights),
        "dense_int8_bytes": dense_graph_bytes(made.network),
    }


def _matrix(node: Conv | Dense, coded: Coded, made: QuantizedGraph) -> Floats:
    """The weights of a node where the engine's columns are."""
    if isinstance(node, Conv):
        return kernel_matrix(kernel_4d(node.weight), coded.t_in)
    step = next(step for step in made.plan.steps if step.node.name == node.name)
    return node.weight[:, step.inputs[0].order]


def _size(node: Conv | Dense, coded: Coded) -> int:
    """Coefficients of a layer at full density, what pads channels of no transform left out."""
    n_out, n_in, *kernel = node.weight.shape
    rows, columns = (
        t.padded(n) if t.is_fft else n for t, n in ((coded.t_out, n_out), (coded.t_in, n_in))
    )
    return rows * columns * prod(kernel)


def _nonzero(node: Node, coded: Coded | TileCodes | Codes) -> float:
    """Part of the coefficients of a layer that differ from zero after quantization."""
    assert isinstance(node, Conv | Dense)
    if not isinstance(coded, Coded):
        codes = coded.codes[: len(node.weight)]  # of an odd number of outputs one more is stored
        return np.count_nonzero(codes) / codes.size
    return np.count_nonzero(coded.codes.codes) / _size(node, coded)


def graph_spectra(
    graph: Graph, made: QuantizedGraph, forms: Mapping[str, Form]
) -> list[LayerSpectra]:
    """What became of every layer that has a form, in the basis in which it is stored; tiles have none.

    Parameters
    ----------
    graph : Graph
        That was compressed.
    made : QuantizedGraph
    forms : mapping of str to Form
    """
    found = []
    for node in graph.nodes:
        coded = made.coded.get(node.name)
        if node.name not in forms or not isinstance(coded, Coded):
            continue
        assert isinstance(node, Conv | Dense)
        codes, technique = coded.codes.codes, forms[node.name].technique
        before = orthonormal_sft(_matrix(node, coded, made), coded.t_in, coded.t_out)
        after = orthonormal(coded.codes.values, coded.t_in, coded.t_out)
        # What pads rows and columns is zero in both.
        rows, columns = (max(a, b) for a, b in zip(before.shape, after.shape, strict=True))
        before, after = (
            np.pad(s, ((0, rows - s.shape[0]), (0, columns - s.shape[1]))) for s in (before, after)
        )
        is_fft = coded.t_in.is_fft or coded.t_out.is_fft
        found.append(
            LayerSpectra(
                names=(node.name,),
                sizes=(_size(node, coded),),
                technique="dense" if technique is None else technique.name,
                density=forms[node.name].density,
                basis="spectrum" if is_fft else "weights",
                before=before,
                after=after,
                kept=np.count_nonzero(codes) / _size(node, coded),
                error=float(np.linalg.norm(after - before) / np.linalg.norm(before)),
            )
        )
    return found


def node_rows(
    made: QuantizedGraph, forms: Mapping[str, Form], config: AcceleratorConfig, x: Floats
) -> list[dict[str, Any]]:
    """What each node stores and takes, as compiled; cycles of one inference, predicted for two inputs.

    Parameters
    ----------
    made : QuantizedGraph
    forms : mapping of str to Form
        Of the layers that were compressed.
    config : AcceleratorConfig
    x : float array (2, *input shape)
    """
    image = compile_graph(made.network, config)
    rows, nodes = [], {node.name: node for node in made.plan.graph.nodes}
    for plan in explain_graph(image, config, made.quantize_input(x)):
        form, coded = forms.get(plan.node), made.coded.get(plan.node)
        whole = "dense" if coded is not None else ""
        technique = whole if form is None or form.technique is None else form.technique.name
        codes = coded.codes if isinstance(coded, Coded) else coded
        rows.append(
            {
                "name": plan.node,
                "kind": plan.kind,
                "form": plan.form,
                "technique": technique,
                "density": None if form is None else form.density,
                "bits": None if codes is None else codes.bits,
                "nonzero": None if coded is None else _nonzero(nodes[plan.node], coded),
                "stored_pairs": plan.stored_pairs,
                "bytes": plan.n_bytes,
                "cycles": plan.cycles / 2,
                "bound": plan.bound,
                "dense_cycles": plan.ideal_dense_cycles(config),
            }
        )
    return rows
