# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The interface of every technique: fit to a layer, and the structured layer that comes out.

A *technique* looks at the weights of one layer and decides which coefficients of which basis stay. What it
makes is the same for all of them: a chain of *stages*, each one primitive of the engine,

    y = T_out⁻¹( S · T_in(x) )

with a sparse real-basis matrix S. So a technique is only a choice of transforms and of the pattern of S, and
bytes, multiplications, reconstruction, integer export and training (:mod:`spectramac.compress.torch_layers`)
are written once, here.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.quantize import activation_scale, assemble, quantize_coefficients
from spectramac.compress.size import Cost, layers_cost
from spectramac.compress.techniques.stage import INT8, NotRunnableError, Quantization, Stage
from spectramac.compress.threshold import Mask
from spectramac.model.layer import run_layer
from spectramac.model.network import Layer, Transform
from spectramac.spec.config import AcceleratorConfig

__all__ = [
    "NotRunnableError",
    "Structured",
    "Technique",
    "Thresholding",
    "block_transform",
    "check_density",
    "check_weights",
]


@dataclass(frozen=True, eq=False, kw_only=True)
class Structured:
    """A compressed layer.

    Parameters
    ----------
    technique : str
        Name of what made it.
    shape : tuple of int
        Of the weights it stands for: (n_out, n_in), convolutions (n_out, n_in, height, width).
    stages : tuple of Stage
        The first is applied first.
    input_map : int array (n_in,), optional
        Input i goes to position ``input_map[i]`` of the first stage, whose other positions are zero.
    output_map : int array (outputs of the last stage,), optional
        Which outputs those are; the others are not computed. Default: all, in order.
    """

    technique: str
    shape: tuple[int, ...]
    stages: tuple[Stage, ...]
    input_map: NDArray[np.int32] | None = None
    output_map: NDArray[np.int32] | None = None

    def with_stages(self, stages: Sequence[Stage]) -> "Structured":
        """The same structure with other stages, for instance trained ones."""
        return replace(self, stages=tuple(stages))

    def dense(self) -> Floats:
        """The weights that the structure computes with, float ``shape``."""
        product = self.stages[0].matrix()
        for stage in self.stages[1:]:
            product = stage.matrix() @ product
        if self.input_map is not None:
            product = product[:, self.input_map]
        if self.output_map is not None:
            rows = np.zeros((self.shape[0], product.shape[1]))
            rows[self.output_map] = product
            product = rows
        return product

    def error(self, weights: Floats) -> float:
        """Relative error of the weights, root mean square."""
        return float(np.linalg.norm(weights - self.dense()) / np.linalg.norm(weights))

    @property
    def n_values(self) -> int:
        """Free numbers of all stages."""
        return sum(stage.n_values for stage in self.stages)

    def cost(self, config: AcceleratorConfig, quantization: Quantization = INT8) -> Cost:
        """What the masks store and compute on an accelerator, before any value is quantized.

        Exactly what an exported layer stores whose codes all differ from zero and whose scales (where
        there are several) do too; codes that become zero only lower it. Quantization that the engine does
        not run is counted with its steps and zero points.
        """
        cost = layers_cost([stage.skeleton(quantization) for stage in self.stages], config)
        extra = [stage.parameter_bits(quantization) for stage in self.stages]
        return replace(
            cost,
            scale_bits=cost.scale_bits + sum(extra),
            stored_bytes=cost.stored_bytes + sum(-(-bits // 8) for bits in extra),
        )

    def quantized(
        self, quantization: Quantization, steps: Sequence[Floats | float] | None = None
    ) -> "Structured":
        """The same with quantized coefficients, to compare errors; see :meth:`Stage.quantized`.

        ``steps``: one a stage.
        """
        given = [None] * len(self.stages) if steps is None else steps
        pairs = zip(self.stages, given, strict=True)
        return self.with_stages([stage.quantized(quantization, step) for stage, step in pairs])

    def place(self, x: NDArray[Any]) -> NDArray[Any]:
        """Inputs (batch, n_in) where the first stage wants them, (batch, its n_in)."""
        if self.input_map is None:
            return np.asarray(x)
        placed = np.zeros((len(x), self.stages[0].n_in), x.dtype)
        placed[:, self.input_map] = x
        return placed

    def column_rms(self, inputs: NDArray[Any]) -> Floats:
        """RMS of every column of the first stage for typical inputs of the layer, in any unit."""
        return self.stages[0].column_rms(self.place(inputs))

    def export(
        self,
        name: str,
        bias: Floats,
        *,
        inputs: NDArray[np.integer],
        input_scale: float,
        output_scale: float,
        relu: bool,
        quantization: Quantization = INT8,
        steps: Sequence[Floats | float] | None = None,
        scales: Sequence[float] | None = None,
        data_width: int = 15,
        accumulator_width: int = 27,
        input_zero: int = 0,
        output_zero: int = 0,
    ) -> tuple[Layer, ...]:
        """Integer layers, one for each stage.

        Parameters
        ----------
        name : str
            Of the layer; several stages are called ``name.0``, ``name.1``, …
        bias : float array (n_out,)
            In real units. If there is an ``output_map``, its outputs are taken.
        inputs : int array (batch, n_in)
            Typical int8 inputs, as the network's user gives them.
        input_scale, output_scale : float
            Real value of one int8 step.
        relu : bool
        quantization : Quantization
        steps : sequence of float or float array (rows,), optional
            Steps of the coefficients of each stage, such as training found. Default: of least error, as
            ``quantization`` says.
        scales : sequence of float, optional
            Real value of one int8 step behind each stage but the last. Default: calibrated on ``inputs``.
        data_width, accumulator_width : int
            See :func:`~spectramac.compress.quantize.assemble`.
        input_zero, output_zero : int
            Integers that stand for zero; ``output_zero`` as there. Between stages it is 0.

        Raises
        ------
        NotRunnableError
            If the engine has no way to run the structure, or its quantization.
        ValueError
            If a scale cannot be encoded or an accumulator could overflow.
        """
        quantization.check_runnable(self.technique)
        bias = np.asarray(bias, np.float64)
        if self.output_map is not None:
            bias = bias[self.output_map]
        values = self.place(np.asarray(inputs, np.int64))
        # Positions that no input goes to hold a plain zero.
        zeros = self.place(np.full((1, np.shape(inputs)[1]), input_zero))[0]
        layers: list[Layer] = []
        for i, stage in enumerate(self.stages):
            last = i == len(self.stages) - 1
            if last:
                scale = output_scale
            elif scales is not None:
                scale = scales[i]
            else:
                scale = activation_scale((values - zeros) @ stage.matrix().T * input_scale)
            chosen = quantization.steps_for(stage.t_out) if steps is None else steps[i]
            layer = assemble(
                name if len(self.stages) == 1 else f"{name}.{i}",
                quantize_coefficients(stage.coefficients(), quantization.bits, chosen),
                n_in=stage.n_in,
                n_out=stage.n_out,
                t_in=stage.t_in,
                t_out=stage.t_out,
                bias=bias if last else np.zeros(stage.n_out),
                input_scale=input_scale,
                output_scale=scale,
                calibration=values,
                relu=relu and last,
                pattern=stage.pattern,
                data_width=data_width,
                accumulator_width=accumulator_width,
                input_zero=zeros,
                output_zero=output_zero if last else 0,
            )
            layers.append(layer)
            values = run_layer(layer, values, data_width=data_width).y
            input_scale, zeros = scale, np.zeros(stage.n_out, np.int64)
        return tuple(layers)


class Technique(ABC):
    """A way to compress one layer. Parameters of the technique are fields of its class."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Short, for tables."""

    @abstractmethod
    def fit(
        self, weights: Floats, density: float, *, inputs: NDArray[Any] | None = None
    ) -> Structured:
        """Compress a layer.

        Parameters
        ----------
        weights : float array
            (n_out, n_in), or (n_out, n_in, height, width) of a convolution.
        density : float
            Part of the technique's own coefficients that stays, from 0 to 1; at 1 the weights are
            reproduced (by the techniques that can). Techniques are compared by what
            :meth:`Structured.cost` says, not by this; :func:`~spectramac.compress.choose.fit_bytes`
            finds the density for a number of bytes.
        inputs : array (batch, n_in) or (batch, n_in, height, width), optional
            Typical inputs of the layer, in any unit. If given, coefficients are chosen by their effect
            on the output: multiplied by the RMS of what they are applied to before they are compared.

        Raises
        ------
        ValueError
            If shapes or values are wrong.
        """


class Thresholding(Technique):
    """A technique that transforms the weights and keeps the largest coefficients of one stage.

    Which they are can be decided again at any time, for instance while the coefficients are trained.
    """

    n_axes: ClassVar[int] = 2
    """Of the weights."""

    def whole(self, weights: Floats) -> Structured:
        """As :meth:`transform`, of weights that are checked first."""
        return self.transform(check_weights(weights, self.n_axes))

    @abstractmethod
    def transform(self, weights: Floats) -> Structured:
        """One stage with all coefficients of ``weights``, shaped as :meth:`Technique.fit` takes them."""

    @abstractmethod
    def select(self, stage: Stage, density: float, rms: Floats | None = None) -> Mask:
        """Which coefficients stay.

        Parameters
        ----------
        stage : Stage
            As :meth:`transform` makes it, with any values.
        density : float
            As of :meth:`Technique.fit`.
        rms : float array (columns,), optional
            Of every column's value (:meth:`Structured.column_rms`): compare coefficients by their effect on
            the output.

        Returns
        -------
        bool array, the shape of the spectrum
        """

    def fit(
        self, weights: Floats, density: float, *, inputs: NDArray[Any] | None = None
    ) -> Structured:
        whole = self.whole(weights)
        (stage,) = whole.stages
        rms = None if inputs is None else whole.column_rms(np.asarray(inputs))
        mask = self.select(stage, check_density(density), rms)
        return whole.with_stages([stage.with_mask(mask)])


def check_weights(weights: Floats, n_axes: int = 2) -> Floats:
    """``weights`` as float64, of the right number of axes, not empty, finite."""
    weights = np.asarray(weights, np.float64)
    if weights.ndim != n_axes or 0 in weights.shape:
        raise ValueError(
            f"weights must have {n_axes} axes of at least 1, not shape {weights.shape!r}"
        )
    if not np.isfinite(weights).all():
        raise ValueError("weights must be finite")
    return weights


def check_density(density: float) -> float:
    """``density``, from 0 to 1."""
    if not 0 <= density <= 1:
        raise ValueError(f"density must be from 0 to 1, not {density!r}")
    return density


def block_transform(block: int | None, size: int) -> Transform:
    """A one-dimensional FFT of ``block`` points; None: of the whole size, rounded up to a power of two."""
    return Transform("fft1d", block or max(8, 1 << (size - 1).bit_length()))
