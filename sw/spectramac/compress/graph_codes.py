# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""How the weights of a network graph become integers: the form of each layer, chosen by the user.

A form is a technique (:mod:`spectramac.compress.techniques`), the density that it keeps, and the quantization of what
it keeps. Without a technique every weight is stored as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.graph_steps import NodeRefusedError
from spectramac.compress.quantize import Codes, quantize_coefficients
from spectramac.compress.techniques.base import Structured, Technique
from spectramac.compress.techniques.conv import conv_stage
from spectramac.compress.techniques.spectral_conv import SpectralConv
from spectramac.compress.techniques.stage import IDENTITY, Quantization, Stage, dense_stage
from spectramac.compress.tile_codes import TileCodes, tile_codes
from spectramac.graph.graph import Graph
from spectramac.graph.node import Node
from spectramac.graph.nodes import Conv, Dense
from spectramac.model.network import Transform
from spectramac.model.tiles import TILE_SIDES

__all__ = ["Coded", "Coder", "FloatCoder", "Form", "RecordingCoder", "check_forms", "kernel_4d"]

ROWS = Quantization(8, "row")


@dataclass(frozen=True)
class Form:
    """How one layer is stored.

    Parameters
    ----------
    technique : Technique, optional
        For convolutions one of :mod:`spectramac.compress.techniques.conv`; default: all weights, direct.
    density : float
        As of :meth:`~spectramac.compress.techniques.base.Technique.fit`.
    quantization : Quantization
        Bits, and which coefficients share a step. Rows of an output transform cannot have free steps: powers of two
        apart are taken there.
    """

    technique: Technique | None = None
    density: float = 1.0
    quantization: Quantization = ROWS


@dataclass(frozen=True, eq=False)
class Coded:
    """Coefficients in integers, and the transforms that they are between.

    Attributes
    ----------
    codes : Codes
        Row pairs by columns, as a :class:`~spectramac.model.network.Layer` has them.
    t_in, t_out : Transform
    pattern : str
    """

    codes: Codes
    t_in: Transform = IDENTITY
    t_out: Transform = IDENTITY
    pattern: Literal["real", "complex"] = "real"


class Coder(Protocol):
    """Gives the integers of every layer; ``x`` are its typical inputs, maps in integers."""

    def convolution(self, node: Conv, x: NDArray[Any]) -> Coded | TileCodes:
        """Of all channels: columns tap after tap, channels within a tap."""

    def depthwise(self, node: Conv, x: NDArray[Any]) -> Codes | TileCodes:
        """Rows are output channels (padded to an even number), columns taps."""

    def dense(self, node: Dense, columns: NDArray[np.int64], x: NDArray[Any]) -> Coded:
        """Columns of the weights in the order ``columns``."""


@dataclass(frozen=True, eq=False)
class RecordingCoder:
    """Another coder, and what it gave.

    Parameters
    ----------
    coder : Coder

    Attributes
    ----------
    found : dict
        By the name of the node; of depthwise layers :class:`~spectramac.compress.quantize.Codes`.
    """

    coder: Coder
    found: dict[str, Coded | TileCodes | Codes] = field(default_factory=dict)

    def convolution(self, node: Conv, x: NDArray[Any]) -> Coded | TileCodes:
        """See :class:`Coder`."""
        self.found[node.name] = coded = self.coder.convolution(node, x)
        return coded

    def depthwise(self, node: Conv, x: NDArray[Any]) -> Codes | TileCodes:
        """See :class:`Coder`."""
        self.found[node.name] = coded = self.coder.depthwise(node, x)
        return coded

    def dense(self, node: Dense, columns: NDArray[np.int64], x: NDArray[Any]) -> Coded:
        """See :class:`Coder`."""
        self.found[node.name] = coded = self.coder.dense(node, columns, x)
        return coded


def check_forms(graph: Graph, forms: Mapping[str, Form]) -> None:
    """Refuse forms of what has no weights, or is not there.

    Raises
    ------
    ValueError
        Naming the form.
    """
    known = {node.name for node in graph.nodes if node.parameters}
    for name in forms:
        if name not in known:
            raise ValueError(f"forms must be for layers with weights, not {name!r}")


def kernel_4d(weight: Floats) -> Floats:
    """(n_out, n_in, height, width), height 1 for sequences."""
    return weight if weight.ndim == 4 else weight[:, :, None]


@dataclass(frozen=True)
class FloatCoder:
    """Quantizes the weights of a floating-point graph.

    Parameters
    ----------
    forms : mapping of str to Form
        By node.
    default : Form
        Of the other nodes, without a technique.
    nonzero : bool
        Round no coefficient that is kept to zero: for the size of what training may make of it, at most.
    """

    forms: Mapping[str, Form] = field(default_factory=dict)
    default: Form = Form()
    nonzero: bool = False

    def _form(self, node: Node) -> Form:
        form = self.forms.get(node.name, self.default)
        if not form.quantization.is_runnable:
            raise NodeRefusedError(
                node, f"the engine does not run {form.quantization}", "use steps of rows or layers"
            )
        return form

    def convolution(self, node: Conv, x: NDArray[Any]) -> Coded | TileCodes:
        form, weights = self._form(node), kernel_4d(node.weight)
        if form.technique is None:
            return self._coded(conv_stage(weights), form)
        typical = np.moveaxis(x, -1, 1)
        if isinstance(form.technique, SpectralConv):
            return self._tiles(node, form.technique, typical)
        return self._single(node, form.technique.fit(weights, form.density, inputs=typical), form)

    def depthwise(self, node: Conv, x: NDArray[Any]) -> Codes | TileCodes:
        form = self._form(node)
        if isinstance(form.technique, SpectralConv):
            return self._tiles(node, form.technique, np.moveaxis(x, -1, 1))
        if form.technique is not None:
            problem = f"the technique {form.technique.name!r} is not for depthwise convolutions"
            raise NodeRefusedError(node, problem, "use SpectralConv, or none")
        taps = node.weight.reshape(len(node.weight), -1)
        padded = np.zeros((len(taps) + len(taps) % 2, taps.shape[1]))
        padded[: len(taps)] = taps
        steps = form.quantization.steps_for(IDENTITY)
        return quantize_coefficients(padded, form.quantization.bits, steps)

    def dense(self, node: Dense, columns: NDArray[np.int64], x: NDArray[Any]) -> Coded:
        form, weights = self._form(node), node.weight[:, columns]
        if form.technique is None:
            return self._coded(dense_stage(weights), form)
        typical = x.reshape(len(x), -1)
        return self._single(node, form.technique.fit(weights, form.density, inputs=typical), form)

    def _tiles(self, node: Conv, technique: SpectralConv, x: NDArray[Any]) -> TileCodes:
        form, weights = self._form(node), kernel_4d(node.weight)
        if technique.tile not in TILE_SIDES or max(weights.shape[2:]) > technique.tile:
            raise NodeRefusedError(
                node,
                f"its kernel is {weights.shape[2:]} and the tiles are {technique.tile} x {technique.tile}",
                f"use tiles of {', '.join(map(str, TILE_SIDES))} that are not below the kernel",
            )
        return tile_codes(weights, technique.tile, form.density, form.quantization.bits, x)

    def _single(self, node: Node, fitted: Structured, form: Form) -> Coded:
        plain = fitted.input_map is None and fitted.output_map is None
        if len(fitted.stages) != 1 or not plain:
            raise NodeRefusedError(
                node,
                f"the technique {fitted.technique!r} makes more than one stage, or reorders channels",
                "use one that keeps coefficients of a single stage",
            )
        return self._coded(fitted.stages[0], form)

    def _coded(self, stage: Stage, form: Form) -> Coded:
        steps = form.quantization.steps_for(stage.t_out)
        codes = quantize_coefficients(stage.coefficients(), form.quantization.bits, steps)
        if self.nonzero and stage.pattern == "real":
            values = np.where((codes.codes == 0) & stage.mask, 1, codes.codes)
            codes = replace(codes, codes=values.astype(np.int16))
        return Coded(codes, stage.t_in, stage.t_out, stage.pattern)
