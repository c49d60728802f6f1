# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""One primitive of the engine with real coefficients: what every technique lowers a layer to."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from spectramac.compress.blocks import Floats
from spectramac.compress.sft import (
    complex_pattern,
    from_orthonormal,
    inverse_orthonormal_sft,
    joint_blocks,
    pad,
)
from spectramac.compress.threshold import Mask
from spectramac.model.network import Layer, Transform

__all__ = ["IDENTITY", "INT8", "Quantization", "Stage", "dense_stage"]

IDENTITY = Transform()


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


def dense_stage(weights: Floats) -> Stage:
    """A stage that stores every weight of a matrix, in place."""
    S = pad(weights, IDENTITY, IDENTITY)
    return Stage(
        n_in=weights.shape[1], n_out=len(weights), spectrum=S, mask=np.ones(S.shape, np.bool_)
    )
