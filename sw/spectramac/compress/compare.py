# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""All techniques on one trained network, on equal terms: accuracy, bytes, multiplications, cycles; and a choice.

Nothing is trained here, but in :mod:`spectramac.compress.compare_trained`. Every method
(:mod:`spectramac.compress.methods`) is tried at every density of a ladder. Accuracies are those of the integer
network, not of an approximation in floating point; bytes are the length of the compiled image; cycles are the
prediction with no column skipped.

The choice is made by accuracy on the data given, so the chosen network does slightly better on them than on
others: measure its accuracy on data that were not used here.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.blocks import Floats
from spectramac.compress.candidates import Candidate
from spectramac.compress.labelled import LabelledData
from spectramac.compress.methods import ChainMethod, methods_for
from spectramac.compress.post_training import (
    Choice,
    CompressedChain,
    DenseLayer,
    compress_chain,
)
from spectramac.compress.quantize import activation_scale
from spectramac.compress.spectra import LayerSpectra, chain_spectra
from spectramac.compress.techniques import NotRunnableError, Quantization
from spectramac.model.batch import accuracy, quantize_input
from spectramac.spec.config import AcceleratorConfig

__all__ = ["DENSITIES", "compare", "float_accuracy", "seen_calibration", "spectra_of"]

DENSITIES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12, 0.08, 0.05)
"""The ladder: each about 0.7 of the one before."""


def float_accuracy(layers: Sequence[DenseLayer], x: Floats, labels: NDArray[np.int64]) -> float:
    """Percent that the network in floating point gets right."""
    for i, (w, b) in enumerate(layers):
        x = x @ w.T + b
        if i < len(layers) - 1:
            x = np.maximum(x, 0)
    return accuracy(x, labels)


def _scale(calibration: Floats, input_scale: float | None) -> float:
    return activation_scale(calibration, "max") if input_scale is None else input_scale


def seen_calibration(calibration: Floats, input_scale: float | None = None) -> Floats:
    """Typical real inputs as the engine sees them: rounded to int8 steps; of the scale as in :func:`compare`."""
    scale = _scale(calibration, input_scale)
    return np.asarray(quantize_input(calibration, scale) * np.float64(scale))


def _compressed(
    method: ChainMethod,
    density: float,
    layers: Sequence[DenseLayer],
    data: LabelledData,
    config: AcceleratorConfig,
    bits: int,
    scale: float,
) -> tuple[list[DenseLayer], list[Choice], CompressedChain]:
    """The chain that a method compresses, how, and what comes out."""
    calibration = quantize_input(data.calibration, scale)
    seen = seen_calibration(data.calibration, scale)
    chain, choices = method.plan(layers, density, Quantization(bits, "row"), seen)
    width = config.accumulator_width
    made = compress_chain(chain, choices, calibration, input_scale=scale, accumulator_width=width)
    return chain, choices, made


def spectra_of(
    candidate: Candidate,
    layers: Sequence[DenseLayer],
    data: LabelledData,
    config: AcceleratorConfig,
    *,
    bits: int = 8,
    input_scale: float | None = None,
    methods: Sequence[ChainMethod] | None = None,
) -> list[LayerSpectra]:
    """What became of every dense layer of a candidate; the parameters are those of :func:`compare`."""
    known = {m.name: m for m in (methods_for(config, bits) if methods is None else methods)}
    scale = _scale(data.calibration, input_scale)
    chain, choices, made = _compressed(
        known[candidate.method], candidate.density, layers, data, config, bits, scale
    )
    return chain_spectra(made.network, chain, choices, made.fits)


def compare(
    layers: Sequence[DenseLayer],
    data: LabelledData,
    config: AcceleratorConfig,
    *,
    densities: Sequence[float] = DENSITIES,
    bits: int = 8,
    input_scale: float | None = None,
    methods: Sequence[ChainMethod] | None = None,
) -> Iterator[Candidate]:
    """Try every method at every density, one after the other.

    Parameters
    ----------
    layers : sequence of (weights, bias)
        ReLU follows each but the last.
    data : LabelledData
    config : AcceleratorConfig
    densities : sequence of float
        Falling, from 0 (excluded) to 1.
    bits : int
        Of a coefficient, 4 to 8. Every output, or pair of rows of a spectrum, has a step of its own.
    input_scale : float, optional
        Real value of one int8 step of the input. Default: 1 / 127 of the largest in the calibration part.
    methods : sequence of ChainMethod, optional
        Default: :func:`~spectramac.compress.methods.methods_for`.

    Yields
    ------
    Candidate
        ``len(methods) * len(densities)`` of them.
    """
    scale = _scale(data.calibration, input_scale)
    for method in methods_for(config, bits) if methods is None else methods:
        for density in densities:
            try:
                made = _compressed(method, density, layers, data, config, bits, scale)[2]
                found = Candidate.measured(method.name, density, made.network, data, config)
            except (NotRunnableError, ValueError) as error:
                # The inputs were checked: what is left is what cannot be encoded, or does not fit.
                found = Candidate(method.name, density, refusal=str(error))
            yield found
