# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""One primitive of the engine with real coefficients: what every technique lowers a layer to."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.quantize import quantize_coefficients
from spectramac.compress.sft import (
    complex_pattern,
    from_orthonormal,
    inverse_orthonormal_sft,
    joint_blocks,
    orthonormal,
    pad,
)
from spectramac.compress.size import fft_multiplications
from spectramac.compress.threshold import Group, Mask, column_rms
from spectramac.compress.uniform import parameter_bits, quantize_uniform
from spectramac.model.network import Layer, Transform

__all__ = [
    "IDENTITY",
    "INT8",
    "NotRunnableError",
    "Quantization",
    "Stage",
    "dense_stage",
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
        one ``"pair"`` is taken. ``"block"``: a free step for each ``block`` x ``block`` values, 20 bits; for
        comparison.
    affine : bool
        With a zero point of ``bits`` bits for each step; for comparison.
    block : int
        Even.

    What is for comparison has its bytes (scales and zero points included) and its error, but cannot be
    exported: the engine sums a row's products before it scales them, and knows no zero point of coefficients.
    """

    bits: int = 8
    steps: Literal["layer", "pair", "row", "block"] = "layer"
    affine: bool = False
    block: int = 8

    def __post_init__(self) -> None:
        if self.block < 2 or self.block % 2:
            raise ValueError(f"block must be an even number from 2 up, not {self.block!r}")

    @property
    def is_runnable(self) -> bool:
        """Whether the engine can multiply coefficients of this kind."""
        return self.steps != "block" and not self.affine

    def check_runnable(self, what: str) -> None:
        """Refuse what the engine cannot run.

        Raises
        ------
        NotRunnableError
            Naming ``what``, the reason and the remedy.
        """
        if not self.is_runnable:
            reason = "zero points" if self.affine else "a step for each block"
            raise NotRunnableError(
                f"{what}: coefficients with {reason} cannot run on the engine, which scales whole rows and "
                f"has no zero point of coefficients; use Quantization({self.bits}, 'row')"
            )

    def steps_for(self, t_out: Transform) -> Literal["layer", "pair", "row"]:
        """What is possible with this output transform, of what the engine runs."""
        if self.steps == "block":
            return "layer"
        return "pair" if self.steps == "row" and t_out.is_fft else self.steps

    def group(self, shape: tuple[int, int], t_out: Transform) -> Group:
        """Rows and columns of the coefficients that share a step."""
        if self.steps == "block":
            return (self.block, self.block)
        return {"layer": shape, "pair": (2, shape[1]), "row": (1, shape[1])}[self.steps_for(t_out)]


INT8 = Quantization()


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

    def with_mask(self, mask: Mask) -> "Stage":
        """Other coefficients stored."""
        return replace(self, mask=mask)

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

    def column_rms(self, inputs: NDArray[Any]) -> Floats:
        """RMS of every column for typical inputs (batch, n_in)."""
        return column_rms(inputs, self.t_in)

    @property
    def n_biases(self) -> int:
        """Stored biases: one an output, but for tiles."""
        return self.n_out

    @property
    def shared_taps(self) -> int:
        """For how many parts of the input one transform serves: 1 but for convolutions."""
        return 1

    @property
    def fft_multiplications(self) -> float:
        """Those of the transforms, for one application (two share a complex FFT)."""
        blocks_in = self.t_in.padded(self.n_in) // self.t_in.n / self.shared_taps
        blocks_out = self.t_out.padded(self.n_out) // self.t_out.n
        one = fft_multiplications
        return (blocks_in * one(self.t_in) + blocks_out * one(self.t_out)) / 2

    @property
    def n_coefficients(self) -> int:
        """Stored at full density: padding counts where it is transformed."""
        rows, columns = self.mask.shape
        return (rows if self.t_out.is_fft else self.n_out) * (
            columns if self.t_in.is_fft else self.n_in
        )

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

    def quantized(self, quantization: Quantization, steps: Floats | float | None = None) -> "Stage":
        """The same with coefficients rounded to what their integers stand for.

        ``steps``, of every row, are those of least error, if none are given (of what the engine runs).

        Raises
        ------
        ValueError
            If zero points are asked for in a complex pattern, which uses a stored number with both signs.
        """
        S = self.coefficients()
        if quantization.is_runnable:
            kind = quantization.steps_for(self.t_out)
            values = quantize_coefficients(
                S, quantization.bits, kind if steps is None else steps
            ).values
        elif quantization.affine and self.pattern == "complex":
            raise ValueError("coefficients of a complex pattern must be symmetric, not affine")
        else:
            group = quantization.group(self.mask.shape, self.t_out)
            bits, affine = quantization.bits, quantization.affine
            values = quantize_uniform(S, bits, group, affine=affine, mask=self.mask).values
        return self.with_spectrum(orthonormal(values, self.t_in, self.t_out))

    def parameter_bits(self, quantization: Quantization) -> int:
        """Bits of steps and zero points that :meth:`skeleton` does not store: of what is for comparison."""
        if quantization.is_runnable:
            return 0
        group = quantization.group(self.mask.shape, self.t_out)
        return parameter_bits(self.mask.shape, quantization.bits, group, affine=quantization.affine)

    def skeleton(self, quantization: Quantization, codes: NDArray[np.int16] | None = None) -> Layer:
        """An integer layer that stores what the exported one does, without its scales' values.

        Steps and zero points that the engine does not run are not in it (:meth:`parameter_bits`).

        Parameters
        ----------
        quantization : Quantization
        codes : int16 array (rows, columns), optional
            Coefficients. Default: ones where the mask is, which stores as much as any codes at most.
        """
        if codes is None:
            codes = self.mask.astype(np.int16)
            if self.pattern == "complex":
                joint = joint_blocks(codes.shape, self.t_in, self.t_out)
                codes[0::2, 1::2] *= np.where(joint, -1, 1).astype(np.int16)
        steps = quantization.steps_for(self.t_out) if quantization.is_runnable else "layer"
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


def dense_stage(weights: Floats) -> Stage:
    """A stage that stores every weight of a matrix, in place."""
    S = pad(weights, IDENTITY, IDENTITY)
    return Stage(
        n_in=weights.shape[1], n_out=len(weights), spectrum=S, mask=np.ones(S.shape, np.bool_)
    )
