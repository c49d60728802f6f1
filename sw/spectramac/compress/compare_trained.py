# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""All techniques on one trained network, each trained in the same way after (and while) it is compressed.

As :mod:`spectramac.compress.compare`, but every candidate learns from the training part and from the network that
is compressed (:mod:`spectramac.compress.training`). Accuracies are those on the validation part, which trains
nothing. :func:`adjust` then goes on from one candidate at other densities, to meet a demand more closely
(:mod:`spectramac.compress.train_adjust`). Needs PyTorch when it runs.
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from spectramac.compress.blocks import Floats
from spectramac.compress.candidates import Candidate
from spectramac.compress.compare import DENSITIES, float_accuracy, seen_calibration
from spectramac.compress.methods import ChainMethod, methods_for
from spectramac.compress.outline import layer_inputs, outline
from spectramac.compress.post_training import DenseLayer
from spectramac.compress.quantize import activation_scale
from spectramac.compress.search_demand import Demand
from spectramac.compress.spectra import LayerSpectra, chain_spectra
from spectramac.compress.split import SplitData
from spectramac.compress.techniques import NotRunnableError, Quantization
from spectramac.compress.training import Training
from spectramac.model.network import Network
from spectramac.spec.config import AcceleratorConfig

__all__ = ["ADJUSTED", "Progress", "Trained", "TrainedComparison"]

ADJUSTED = "-adjusted"
"""At the end of the name of a method whose density was adjusted."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Trained:
    """A candidate, and what it was made of.

    Attributes
    ----------
    candidate : Candidate
    chain : sequence of (weights, bias)
        That was compressed: the network, perhaps without some of its neurons.
    trained : TrainedNetwork or None
        Of :mod:`spectramac.compress.train_compressed`. None if the candidate was refused.
    """

    candidate: Candidate
    chain: Sequence[DenseLayer] = ()
    trained: Any = None

    def spectra(self) -> list[LayerSpectra]:
        """What became of every layer; of a candidate that fits."""
        assert isinstance(self.candidate.network, Network)
        student = self.trained.student
        fits = [layer.to_structured() for layer in student.layers]
        steps = [layer.export_arguments()["steps"] for layer in student.layers]
        return chain_spectra(self.candidate.network, self.chain, student.choices, fits, steps)


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedComparison:
    """What is compared, and how each candidate is trained.

    Parameters
    ----------
    layers : sequence of (weights, bias)
        The trained network, which also teaches; ReLU follows each layer but the last.
    data : SplitData
        The training part trains and calibrates; accuracies are those of the validation part.
    config : AcceleratorConfig
    training : Training
        Of every candidate.
    densities : sequence of float
        Falling, from 0 (excluded) to 1.
    bits : int
        Of a coefficient, 4 to 8. All of a layer have one step.
    input_scale : float, optional
        Real value of one int8 step of the input. Default: 1 / 127 of the largest in the calibration part.
    methods : sequence of ChainMethod, optional
        Default: :func:`~spectramac.compress.methods.methods_for`.
    seed : int
        Of all training.
    """

    layers: Sequence[DenseLayer]
    data: SplitData
    config: AcceleratorConfig
    training: Training
    densities: Sequence[float] = DENSITIES
    bits: int = 8
    input_scale: float | None = None
    methods: Sequence[ChainMethod] | None = None
    seed: int = 0

    @property
    def _scale(self) -> float:
        if self.input_scale is not None:
            return self.input_scale
        return activation_scale(self.data.calibration, "max")

    def _tried(self) -> list[tuple[ChainMethod, float]]:
        methods = self.methods
        if methods is None:
            methods = methods_for(self.config, self.bits)
        return [(method, density) for method in methods for density in self.densities]

    def candidates(self, progress: Progress | None = None) -> Iterator[Trained]:
        """Train every method at every density, one after the other.

        What the configuration does not run is refused before it is trained. ``progress`` is told (epochs done,
        of how many).

        Raises
        ------
        ValueError
            If the training is one that cannot be.
        """
        self.training.procedure()
        tried, epochs = self._tried(), self.training.epochs
        calibration = seen_calibration(self.data.calibration, self._scale)
        for i, (method, density) in enumerate(tried):
            told = partial(_tell, progress, i * epochs, len(tried) * epochs)
            try:
                found = self._train(method, density, calibration, told)
            except (NotRunnableError, ValueError) as error:
                # The inputs were checked: what is left is what cannot be encoded, or does not fit.
                found = Trained(Candidate(method.name, density, refusal=str(error)))
            told(epochs, epochs)
            yield found

    def _train(
        self, method: ChainMethod, density: float, calibration: Floats, progress: Progress
    ) -> Trained:
        quantization = Quantization(self.bits, "layer")
        chain, choices = method.plan(self.layers, density, quantization, calibration)
        outline(chain, choices, layer_inputs(chain, calibration), self.config)
        trained = self.training.trained(
            chain,
            choices,
            self.data,
            input_scale=self._scale,
            seed=self.seed,
            teacher=self.layers,
            progress=progress,
        )
        width = self.config.accumulator_width
        network = trained.export(self.data.calibration, accumulator_width=width)
        return Trained(self._measured(method.name, density, network), chain, trained)

    def _measured(self, name: str, density: float, network: Any) -> Candidate:
        return Candidate.measured(name, density, network, self.data.selection, self.config)

    def adjust(
        self, best: Trained, demand: Demand, rounds: int, progress: Progress | None = None
    ) -> Iterator[Trained]:
        """Go on from a candidate that meets a demand, at densities that meet it more closely.

        Each round trains from the one before, for as many epochs as every candidate. Methods whose density is
        not that of the coefficients, but of neurons, are left as they are.

        Parameters
        ----------
        best : Trained
        demand : Demand
            On bytes or accuracy.
        rounds : int
            At most.
        progress : callable (epochs done, of how many at most), optional

        Yields
        ------
        Trained
            One a round; they need not meet the demand.
        """
        candidate, choices = best.candidate, best.trained.student.choices
        if not rounds or any(choice.density != candidate.density for choice in choices):
            return
        module = importlib.import_module("spectramac.compress.train_adjust")
        data, least = self.data, None
        if demand.max_loss is not None:
            before = float_accuracy(self.layers, data.x_validation, data.y_validation)
            least = before - demand.max_loss
        first = module.Round(
            1.0, best.trained, candidate.network, candidate.stored_bytes, candidate.accuracy
        )
        done: list[Any] = []
        epochs = self.training.epochs

        def told(part: int, of: int) -> None:
            _tell(progress, len(done) * epochs, rounds * epochs, part, of)

        try:
            module.adjust_to(
                best.chain,
                choices,
                data.x_train,
                data.y_train,
                self.training.procedure(),
                self.seed,
                validation=data.selection,
                config=self.config,
                max_bytes=demand.max_bytes,
                min_accuracy=least,
                rounds=rounds,
                first=first,
                log=done.append,
                input_scale=self._scale,
                teacher=self.layers,
                progress=told,
            )
        except ValueError as error:  # a round that cannot be encoded ends it
            name = candidate.method + ADJUSTED
            yield Trained(Candidate(name, candidate.density, refusal=str(error)))
        for found in done:
            yield self._round(candidate, best.chain, found)

    def _round(self, first: Candidate, chain: Sequence[DenseLayer], found: Any) -> Trained:
        name, density = first.method + ADJUSTED, min(1.0, found.factor * first.density)
        try:
            candidate = self._measured(name, density, found.network)
        except ValueError as error:  # does not fit the configuration
            return Trained(Candidate(name, density, refusal=str(error)))
        return Trained(candidate, chain, found.trained)


def _tell(progress: Progress | None, before: int, total: int, part: int, of: int) -> None:
    """``part`` is done of one training, ``before`` of the others."""
    if progress is not None:
        progress(before + part, total)
