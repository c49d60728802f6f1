# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Figures of compressed network graphs: accuracy on the golden model, and what they take on a configuration.

Bytes are those of the compiled image with all that it stores; cycles are the prediction for the first two samples:
which columns are skipped depends on them.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compiler.graph_explain import explain_graph
from spectramac.compress.blocks import Floats
from spectramac.compress.measure import Evaluated, Size, cross_entropy
from spectramac.compress.quantize_graph import QuantizedGraph
from spectramac.compress.size import graph_multiplications
from spectramac.graph.evaluate import evaluate
from spectramac.graph.graph import Graph
from spectramac.model.batch import accuracy
from spectramac.model.map_node import Arithmetic
from spectramac.spec.config import AcceleratorConfig

__all__ = ["graph_accuracy", "graph_float_accuracy", "graph_size", "measure_graph"]

_BATCH = 128


def _batches(x: Floats, graph: Graph) -> Iterator[Floats]:
    for start in range(0, len(x), _BATCH):
        yield x[start : start + _BATCH].reshape(-1, *graph.input.shape)


def graph_float_accuracy(graph: Graph, x: Floats, labels: NDArray[np.int64]) -> float:
    """Percent that the graph in floating point gets right, of real inputs (samples, elements)."""
    outputs = [evaluate(graph, part) for part in _batches(x, graph)]
    return accuracy(np.concatenate(outputs).reshape(len(x), -1), labels)


def _outputs(made: QuantizedGraph, x: Floats, config: AcceleratorConfig) -> Floats:
    """Of the golden model, in real units, (samples, classes)."""
    arithmetic = Arithmetic.of(config)
    outputs = [made.run(part, arithmetic) for part in _batches(x, made.plan.graph)]
    return np.concatenate(outputs).reshape(len(x), -1)


def graph_accuracy(
    made: QuantizedGraph, x: Floats, labels: NDArray[np.int64], config: AcceleratorConfig
) -> float:
    """Percent that the golden model gets right, of real inputs (samples, elements)."""
    return accuracy(_outputs(made, x, config), labels)


def graph_size(made: QuantizedGraph, x: Floats, config: AcceleratorConfig) -> Size:
    """What it takes; cycles are predicted for the first two of the inputs (samples, elements).

    Raises
    ------
    CompileError
        If it does not fit the configuration.
    """
    image = compile_graph(made.network, config)
    pair = next(_batches(x[:2], made.plan.graph))
    plans = explain_graph(image, config, made.quantize_input(pair))
    return Size(image.stored_bytes, sum(plan.cycles for plan in plans) / 2)


def measure_graph(
    made: QuantizedGraph, x: Floats, labels: NDArray[np.int64], config: AcceleratorConfig
) -> Evaluated:
    """Compile a network, and run it on the golden model.

    Parameters
    ----------
    made : QuantizedGraph
    x : float array (samples, elements)
        Two at least.
    labels : int array (samples,)
    config : AcceleratorConfig

    Raises
    ------
    CompileError
        If it does not fit the configuration.
    """
    size = graph_size(made, x, config)
    outputs = _outputs(made, x, config)
    products = sum(graph_multiplications(made.network))
    score = accuracy(outputs, labels), cross_entropy(outputs, labels)
    return Evaluated(made.network, size, *score, products)
