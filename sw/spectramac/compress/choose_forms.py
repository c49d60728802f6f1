# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""How each convolution of a graph is stored and run: direct, SFT over channels or tiles, by predicted cycles and bytes.

Each convolution is quantized and compiled alone, in every candidate form, with its own input for typical inputs of the
graph. The form of the fewest predicted cycles wins, of those that err no more than asked; of equals the one of fewer
bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compiler.graph_explain import explain_graph
from spectramac.compress.graph_codes import Form
from spectramac.compress.lanes import reach_of_bits
from spectramac.compress.quantize_graph import quantize_graph
from spectramac.compress.techniques import (
    PrunedConv,
    Quantization,
    Selection,
    SftConv,
    SpectralConv,
)
from spectramac.graph.evaluate import activations
from spectramac.graph.graph import Graph
from spectramac.graph.nodes import Conv
from spectramac.model.tiles import TILE_SIDES
from spectramac.spec.config import AcceleratorConfig

__all__ = ["Candidate", "candidate_forms", "choose_forms"]

BATCH = 8
"""Inputs that a candidate is calibrated with, at most."""


@dataclass(frozen=True)
class Candidate:
    """One form of one convolution.

    Attributes
    ----------
    node, name : str
        Of the convolution; of the form: ``"direct"``, ``"sft"``, ``"tiles 8"``, …
    form : Form
    cycles : int or None
        Predicted, for a pair of inferences; None if the configuration does not run it.
    n_bytes : int
    error : float
        Of its outputs: RMS of the deviation from floating point, relative to the RMS of the outputs.
    refusal : str
        Why it is not run.
    """

    node: str
    name: str
    form: Form
    cycles: int | None = None
    n_bytes: int = 0
    error: float = 0.0
    refusal: str = ""


def candidate_forms(
    config: AcceleratorConfig, density: float = 1.0, bits: int = 8
) -> dict[str, Form]:
    """Forms that keep the part ``density`` of the coefficients, by name.

    Coefficients are chosen so that all lanes have as many of each column; tiles by magnitude.
    """
    lanes = Selection("lanes", config.n_lanes, reach_of_bits(bits))
    rows, layer = Quantization(bits, "row"), Quantization(bits, "layer")
    forms = {
        "direct": Form(PrunedConv(lanes), density, rows) if density < 1 else Form(None, 1.0, rows)
    }
    forms["sft"] = Form(SftConv(8, 8, lanes), density, layer)
    for tile in TILE_SIDES:
        if tile in config.tile_sides:
            forms[f"tiles {tile}"] = Form(SpectralConv(tile), density, rows)
    return forms


def _alone(graph: Graph, node: Conv) -> Graph:
    """The convolution as a graph."""
    source = graph.tensors[node.inputs[0]]
    return Graph(name=node.name, input=replace(source, quantization=None), nodes=(node,))


def _try(
    alone: Graph, x: NDArray[Any], candidate: Candidate, config: AcceleratorConfig
) -> Candidate:
    """The candidate with its figures, or with the reason why it is none."""
    try:
        made = quantize_graph(alone, x, forms={candidate.node: candidate.form})
        image = compile_graph(made.network, config)
    except ValueError as error:
        return replace(candidate, refusal=str(error))
    codes = made.quantize_input(x)
    plans = explain_graph(image, config, codes[:2])
    cycles = [plan.cycles for plan in plans]
    expected = activations(alone, x)[candidate.node]
    deviation = made.run(x) - expected
    return replace(
        candidate,
        cycles=None if None in cycles else sum(c for c in cycles if c is not None),
        n_bytes=sum(plan.n_bytes for plan in plans),
        error=float(np.sqrt(np.mean(deviation**2) / np.mean(expected**2))),
    )


def choose_forms(
    graph: Graph,
    x: NDArray[Any],
    config: AcceleratorConfig,
    forms: Mapping[str, Form],
    max_error: float | None = None,
) -> tuple[dict[str, Form], Sequence[Candidate]]:
    """The form of every convolution that is not depthwise.

    Parameters
    ----------
    graph : Graph
    x : float array (batch, *input shape)
        Typical inputs; two at least.
    config : AcceleratorConfig
        With ``maps``.
    forms : mapping of str to Form
        Candidates, as :func:`candidate_forms` gives them.
    max_error : float, optional
        See :class:`Candidate`. Where all forms err more, the one that errs least is taken.

    Returns
    -------
    chosen : dict of str to Form
        By the name of the node, for :func:`~spectramac.compress.quantize_graph.quantize_graph`.
    candidates : list of Candidate
        All that were tried.

    Raises
    ------
    ValueError
        If there are fewer than two inputs, or no form of a convolution can be run; says why.
    """
    if len(x) < 2:
        raise ValueError(f"there must be two typical inputs at least, not {len(x)}")
    tensors = activations(graph, x[:BATCH])
    chosen: dict[str, Form] = {}
    tried: list[Candidate] = []
    for node in graph.nodes:
        if not isinstance(node, Conv) or node.groups != 1:
            continue
        alone = _alone(graph, node)
        found = [
            _try(alone, tensors[node.inputs[0]], Candidate(node.name, name, form), config)
            for name, form in forms.items()
        ]
        tried += found
        run = [c for c in found if c.cycles is not None]
        if not run:
            reasons = "; ".join(f"{c.name}: {c.refusal}" for c in found)
            raise ValueError(f"convolution {node.name!r} can be run in no form: {reasons}")
        good = [c for c in run if max_error is None or c.error <= max_error]
        good = good or [min(run, key=lambda c: c.error)]
        best = min(good, key=lambda c: (c.cycles, c.n_bytes))
        chosen[node.name] = best.form
    return chosen, tried
