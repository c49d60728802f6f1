# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""All techniques on one trained network, on equal terms: accuracy, bytes, multiplications, cycles; and a choice.

Nothing is trained. Every method (:mod:`spectramac.compress.methods`) is tried at every density of a ladder.
Accuracies are those of the integer network, not of an approximation in floating point; bytes are the length of
the compiled image; cycles are the prediction with no column skipped.

The choice is made by accuracy on the data given, so the chosen network does slightly better on them than on
others: measure its accuracy on data that were not used here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.compile import compile_network
from spectramac.compress.blocks import Floats
from spectramac.compress.curve import Curve, Point
from spectramac.compress.labelled import LabelledData
from spectramac.compress.measure import Size, integer_accuracy
from spectramac.compress.methods import ChainMethod, methods_for
from spectramac.compress.post_training import (
    Choice,
    CompressedChain,
    DenseLayer,
    compress_chain,
)
from spectramac.compress.quantize import activation_scale
from spectramac.compress.size import layers_cost
from spectramac.compress.spectra import LayerSpectra
from spectramac.compress.techniques import NotRunnableError, Quantization
from spectramac.model.batch import accuracy, quantize_input
from spectramac.model.network import Network
from spectramac.spec.config import AcceleratorConfig

__all__ = [
    "DENSITIES",
    "Candidate",
    "Comparison",
    "NoCandidateError",
    "compare",
    "float_accuracy",
    "spectra_of",
]

DENSITIES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12, 0.08, 0.05)
"""The ladder: each about 0.7 of the one before."""


class NoCandidateError(ValueError):
    """No candidate meets the demand; says how near the nearest one comes."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """One method at one density.

    Attributes
    ----------
    method : str
    density : float
    network : Network or None
        None: it could not be made or does not fit the configuration, and ``refusal`` says why. Then all
        figures are None too.
    accuracy : float or None
        Percent, of the integer network.
    stored_bytes, multiplications : int or None
        Of the compiled image; multiplications of an inference, those of the transforms not counted.
    fft_multiplications : float or None
        Those of the transforms.
    cycles : float or None
        Of an inference, at most.
    """

    method: str
    density: float
    network: Network | None = None
    accuracy: float | None = None
    stored_bytes: int | None = None
    multiplications: int | None = None
    fft_multiplications: float | None = None
    cycles: float | None = None
    refusal: str = ""

    @property
    def point(self) -> Point:
        """For a curve; of a candidate that fits."""
        assert self.accuracy is not None
        figures = (self.stored_bytes, self.multiplications, (self.accuracy,), self.cycles)
        return Point(self.density, None, *figures)


def float_accuracy(layers: Sequence[DenseLayer], x: Floats, labels: NDArray[np.int64]) -> float:
    """Percent that the network in floating point gets right."""
    for i, (w, b) in enumerate(layers):
        x = x @ w.T + b
        if i < len(layers) - 1:
            x = np.maximum(x, 0)
    return accuracy(x, labels)


@dataclass(frozen=True, eq=False)
class Comparison:
    """All candidates, and the network that they are measured by.

    Attributes
    ----------
    candidates : tuple of Candidate
        By method, densities falling.
    float_accuracy : float
        Percent, of the network before compression.
    """

    candidates: tuple[Candidate, ...]
    float_accuracy: float

    def _fitting(self) -> list[tuple[int, int, float]]:
        """(bytes, index, accuracy) of what fits.

        Raises
        ------
        NoCandidateError
            If nothing does.
        """
        found = [
            (c.stored_bytes, i, c.accuracy)
            for i, c in enumerate(self.candidates)
            if c.stored_bytes is not None and c.accuracy is not None
        ]
        if not found:
            reason = self.candidates[-1].refusal if self.candidates else "nothing was tried"
            raise NoCandidateError(f"no candidate fits the configuration; the last one: {reason}")
        return found

    def by_loss(self, max_loss: float) -> int:
        """Index of the candidate with the fewest bytes that loses at most ``max_loss`` percent points.

        Of equal bytes, the one of higher accuracy, then the first.

        Raises
        ------
        NoCandidateError
            If all lose more.
        """
        fitting = self._fitting()
        # Differences of percentages carry rounding errors.
        good = [f for f in fitting if f[2] >= self.float_accuracy - max_loss - 1e-9]
        if not good:
            size, i, best = max(fitting, key=lambda f: (f[2], -f[0], -f[1]))
            raise NoCandidateError(
                f"no candidate loses at most {max_loss:g} points of the {self.float_accuracy:.2f} % "
                f"of the float network; the best, {self._name(i)}, has {best:.2f} % in {size} bytes"
            )
        return min(good, key=lambda f: (f[0], -f[2], f[1]))[1]

    def by_bytes(self, max_bytes: int) -> int:
        """Index of the most accurate candidate of at most ``max_bytes``; of equals, the smallest.

        Raises
        ------
        NoCandidateError
            If all are larger.
        """
        fitting = self._fitting()
        good = [f for f in fitting if f[0] <= max_bytes]
        if not good:
            size, i, got = min(fitting)
            raise NoCandidateError(
                f"no candidate takes at most {max_bytes} bytes; the smallest, {self._name(i)}, "
                f"takes {size} and has {got:.2f} %"
            )
        return min(good, key=lambda f: (-f[2], f[0], f[1]))[1]

    def _name(self, index: int) -> str:
        candidate = self.candidates[index]
        return f"{candidate.method} at density {candidate.density:g}"

    def curves(self, chosen: int | None = None, criterion: str = "") -> list[Curve]:
        """A curve for each method of which anything fits; ``chosen`` is marked in its own."""
        methods = list(dict.fromkeys(c.method for c in self.candidates))
        curves = []
        for method in methods:
            indices = [
                i
                for i, c in enumerate(self.candidates)
                if c.method == method and c.accuracy is not None
            ]
            if indices:
                mark = indices.index(chosen) if chosen in indices else None
                points = tuple(self.candidates[i].point for i in indices)
                text = criterion if mark is not None else ""
                curves.append(Curve(method, points, mark, text))
        return curves


def _scale(data: LabelledData, input_scale: float | None) -> float:
    return activation_scale(data.calibration, "max") if input_scale is None else input_scale


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
    real = calibration.astype(np.float64) * scale
    chain, choices = method.plan(layers, density, Quantization(bits, "row"), real)
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
    scale = _scale(data, input_scale)
    chain, choices, made = _compressed(
        known[candidate.method], candidate.density, layers, data, config, bits, scale
    )
    found, first = [], 0
    for (w, _), choice, fit in zip(chain, choices, made.fits, strict=True):
        names = tuple(layer.name for layer in made.network.layers[first : first + len(fit.stages)])
        found.append(LayerSpectra.of(names, w, choice.density, fit, choice.quantization))
        first += len(fit.stages)
    return found


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
    scale = _scale(data, input_scale)
    for method in methods_for(config, bits) if methods is None else methods:
        for density in densities:
            try:
                network = _compressed(method, density, layers, data, config, bits, scale)[2].network
                image = compile_network(network, config)
            except (NotRunnableError, ValueError) as error:
                # The inputs were checked: what is left is what cannot be encoded, or does not fit.
                yield Candidate(method.name, density, refusal=str(error))
                continue
            cost, size = layers_cost(network.layers, config), Size.of(image, config)
            yield Candidate(
                method.name,
                density,
                network,
                integer_accuracy(network, data.x, data.labels, config),
                size.stored_bytes,
                cost.multiplications,
                cost.fft_multiplications,
                size.cycles,
            )
