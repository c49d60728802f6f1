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
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.quantize import activation_scale, assemble, quantize_coefficients
from spectramac.compress.sft import (
    complex_pattern,
    from_orthonormal,
    inverse_orthonormal_sft,
    joint_blocks,
)
from spectramac.compress.size import Cost, layers_cost
from spectramac.compress.threshold import Mask
from spectramac.model.layer import run_layer
from spectramac.model.network import Layer, Transform
from spectramac.spec.config import AcceleratorConfig

__all__ = [
    "IDENTITY",
    "NotRunnableError",
    "Quantization",
    "Stage",
    "Structured",
    "Technique",
    "block_transform",
    "check_density",
    "check_weights",
]

IDENTITY = Transform()


class NotRunnableError(NotImplementedError):
    """The engine cannot run this structure; names the technique and what can be done."""


@dataclass(frozen=True)
class Quantization:
    """How coefficients become integers.

    Parameters
    ----------
    bits : int
        4 to 8.
    steps : str
        ``"layer"``: one step, nothing more is stored. ``"pair"``: powers of two apart, 5 bits a row pair.
        ``"row"``: a step for each output, 20 bits and a row shift; only without an output transform, with
        one ``"pair"`` is taken.
    """

    bits: int = 8
    steps: Literal["layer", "pair", "row"] = "layer"

    def steps_for(self, t_out: Transform) -> Literal["layer", "pair", "row"]:
        """What is possible with this output transform."""
        return "pair" if self.steps == "row" and t_out.is_fft else self.steps


@dataclass(frozen=True, eq=False, kw_only=True)
class Stage:
    """One primitive with real coefficients.

    Parameters
    ----------
    n_in, n_out : int
        Real sizes.
    t_in, t_out : Transform
    spectrum : float array (t_out.padded(n_out), t_in.padded(n_in))
        Orthonormal S̃; projected on the pattern, see :meth:`project`.
    mask : bool array, the same shape
        Which coefficients are stored. In a complex pattern the four of a complex number are equal.
    pattern : str
        As of :class:`~spectramac.model.network.Layer`.
    """

    n_in: int
    n_out: int
    t_in: Transform = IDENTITY
    t_out: Transform = IDENTITY
    spectrum: Floats
    mask: Mask
    pattern: Literal["real", "complex"] = "real"

    def __post_init__(self) -> None:
        shape = (self.t_out.padded(self.n_out), self.t_in.padded(self.n_in))
        if self.spectrum.shape != shape or self.mask.shape != shape:
            raise ValueError(
                f"spectrum and mask of a stage must have shape {shape}, not {self.spectrum.shape} "
                f"and {self.mask.shape}"
            )
        # Without a transform, the padding to whole pairs is never anything but zero.
        mask = self.mask.copy()
        if not self.t_out.is_fft:
            mask[self.n_out :] = False
        if not self.t_in.is_fft:
            mask[:, self.n_in :] = False
        object.__setattr__(self, "mask", mask)
        object.__setattr__(self, "spectrum", self.project(self.spectrum))

    def project(self, spectrum: Floats) -> Floats:
        """The nearest spectrum of this pattern: idempotent, linear, orthogonal."""
        if self.pattern == "complex":
            spectrum = complex_pattern(spectrum, self.t_in, self.t_out)
        return np.where(self.mask, spectrum, 0.0)

    def with_spectrum(self, spectrum: Floats) -> "Stage":
        """The same pattern with other values."""
        return replace(self, spectrum=np.asarray(spectrum, np.float64))

    def matrix(self) -> Floats:
        """The matrix that the stage multiplies with, float (n_out, n_in)."""
        shape = (self.n_out, self.n_in)
        return inverse_orthonormal_sft(self.spectrum, self.t_in, self.t_out, shape)

    def coefficients(self) -> Floats:
        """S, in the scaling that the hardware multiplies with."""
        return from_orthonormal(self.spectrum, self.t_in, self.t_out)

    @property
    def n_values(self) -> int:
        """Free numbers: two for a complex coefficient, one for a real one."""
        kept = int(np.count_nonzero(self.mask))
        if self.pattern == "complex":
            joint = np.repeat(
                np.repeat(joint_blocks(self.mask.shape, self.t_in, self.t_out), 2, 0), 2, 1
            )
            kept -= int(np.count_nonzero(self.mask & joint)) // 2
        return kept

    def skeleton(self, quantization: Quantization) -> Layer:
        """An integer layer with ones where the mask is: stores as much as the exported one at most."""
        codes = self.mask.astype(np.int16)
        if self.pattern == "complex":
            joint = joint_blocks(codes.shape, self.t_in, self.t_out)
            codes[0::2, 1::2] *= np.where(joint, -1, 1).astype(np.int16)
        steps = quantization.steps_for(self.t_out)
        # Any value that is not uniform: only that they are stored counts.
        uneven = steps != "layer"
        per_channel = uneven and not self.t_out.is_fft
        channel = 1 + np.arange(self.n_out) % 2
        return Layer(
            name="skeleton",
            n_in=self.n_in,
            n_out=self.n_out,
            t_in=self.t_in,
            t_out=self.t_out,
            coefficients=codes,
            coefficient_bits=quantization.bits,
            pattern=self.pattern,
            bias=np.zeros(self.n_out, np.int32),
            multiplier=channel.astype(np.int32) if per_channel else 1,
            shift=0,
            row_shift=(np.arange(len(codes) // 2) % 2).astype(np.int32) if uneven else 0,
        )


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

    def cost(self, config: AcceleratorConfig, quantization: Quantization | None = None) -> Cost:
        """What the masks store and compute on an accelerator, before any value is quantized.

        Exactly what an exported layer stores whose codes all differ from zero and whose scales (where
        there are several) do too; codes that become zero only lower it.
        """
        q = quantization or Quantization()
        return layers_cost([stage.skeleton(q) for stage in self.stages], config)

    def place(self, x: NDArray[Any]) -> NDArray[Any]:
        """Inputs (batch, n_in) where the first stage wants them, (batch, its n_in)."""
        if self.input_map is None:
            return np.asarray(x)
        placed = np.zeros((len(x), self.stages[0].n_in), x.dtype)
        placed[:, self.input_map] = x
        return placed

    def export(
        self,
        name: str,
        bias: Floats,
        *,
        inputs: NDArray[np.integer],
        input_scale: float,
        output_scale: float,
        relu: bool,
        quantization: Quantization | None = None,
        data_width: int = 15,
        accumulator_width: int = 27,
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
            Real value of one int8 step. Scales between the stages are calibrated on ``inputs``.
        relu : bool
        quantization : Quantization, optional
        data_width, accumulator_width : int
            See :func:`~spectramac.compress.quantize.assemble`.

        Raises
        ------
        NotRunnableError
            If the engine has no way to run the structure.
        ValueError
            If a scale cannot be encoded or an accumulator could overflow.
        """
        q = quantization or Quantization()
        bias = np.asarray(bias, np.float64)
        if self.output_map is not None:
            bias = bias[self.output_map]
        values = self.place(np.asarray(inputs, np.int64))
        layers: list[Layer] = []
        for i, stage in enumerate(self.stages):
            last = i == len(self.stages) - 1
            if last:
                scale = output_scale
            else:
                scale = activation_scale(values @ stage.matrix().T * input_scale)
            steps = q.steps_for(stage.t_out)
            layer = assemble(
                name if len(self.stages) == 1 else f"{name}.{i}",
                quantize_coefficients(stage.coefficients(), q.bits, steps),
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
            )
            layers.append(layer)
            values = run_layer(layer, values, data_width=data_width).y
            input_scale = scale
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
