# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""All techniques on one trained network graph, as :mod:`spectramac.compress.compare` has them for chains of dense
layers, each in one step or trained (:mod:`spectramac.compress.train_graph`).

Figures are those of :mod:`spectramac.compress.graph_measure`, on the samples that something is chosen by.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from spectramac.compress.candidates import Candidate
from spectramac.compress.compare import DENSITIES
from spectramac.compress.compare_trained import ADJUSTED, Progress
from spectramac.compress.datasets import TrainingData
from spectramac.compress.graph_codes import Form
from spectramac.compress.graph_making import GraphMaker, calibration_of
from spectramac.compress.graph_measure import graph_accuracy, graph_float_accuracy, graph_size
from spectramac.compress.graph_methods import GraphPlan, Steps, graph_methods
from spectramac.compress.labelled import LabelledData
from spectramac.compress.quantize_graph import QuantizedGraph
from spectramac.compress.search_demand import Demand
from spectramac.compress.size import graph_multiplications
from spectramac.compress.training import Training
from spectramac.graph.graph import Graph
from spectramac.spec.config import AcceleratorConfig

__all__ = [
    "Attempt",
    "GraphComparison",
]


@dataclass(frozen=True, eq=False)
class Attempt:
    """A candidate, and what it was made of.

    Attributes
    ----------
    candidate : Candidate
    graph : Graph or None
        That was compressed: the network, perhaps without some of its filters.
    forms : mapping of str to Form
    made : QuantizedGraph or None
        None if the candidate was refused.
    """

    candidate: Candidate
    graph: Graph | None = None
    forms: Mapping[str, Form] = field(default_factory=dict)
    made: QuantizedGraph | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class GraphComparison:
    """What is compared, and how each candidate is made.

    Parameters
    ----------
    graph : Graph
        In floating point; one output for each class.
    data : LabelledData
        Calibrates and chooses. Inputs as vectors, in the order of the graph's input.
    config : AcceleratorConfig
        With ``maps``.
    training : (Training, TrainingData), optional
        How and by what every candidate is trained; needs PyTorch. Default: compression in one step.
    densities : sequence of float
        Falling, from 0 (excluded) to 1.
    bits : int
        Of a coefficient, 4 to 8, in the layers that are compressed.
    input_scale : float, optional
        Real value of one int8 step of the input. Default: chosen by the calibration inputs.
    methods : sequence of GraphPlan, optional
        Default: all of :func:`~spectramac.compress.graph_methods.graph_methods` that can be trained, if they are.
    seed : int
        Of all training.
    """

    graph: Graph
    data: LabelledData
    config: AcceleratorConfig
    training: tuple[Training, TrainingData] | None = None
    densities: Sequence[float] = DENSITIES
    bits: int = 8
    input_scale: float | None = None
    methods: Sequence[GraphPlan] | None = None
    seed: int = 0

    @property
    def maker(self) -> GraphMaker:
        """That makes candidates."""
        return GraphMaker(
            teacher=self.graph,
            calibration=calibration_of(self.graph, self.data.calibration),
            config=self.config,
            training=self.training,
            input_scale=self.input_scale,
            seed=self.seed,
        )

    @property
    def used_methods(self) -> list[GraphPlan]:
        """That are compared."""
        if self.methods is not None:
            return list(self.methods)
        methods = graph_methods(self.config, self.bits)
        return [m for m in methods if m.is_trainable or self.training is None]

    def candidates(self, progress: Progress | None = None) -> Iterator[Attempt]:
        """Try every method at every density, one after the other; ``progress`` is told (done, of how many)."""
        tried = [(method, density) for method in self.used_methods for density in self.densities]
        for i, (method, density) in enumerate(tried):
            yield self.attempt(method, method.name, density, _part(progress, i, len(tried)))

    def attempt(
        self, method: GraphPlan, name: str, density: float, progress: Progress | None = None
    ) -> Attempt:
        """One candidate, called ``name``; ``progress`` is told of its epochs."""
        try:
            maker = self.maker
            # Training does without a step for each row, which costs bytes.
            steps: Steps = "row" if self.training is None else "layer"
            graph, forms = method.plan(self.graph, density, self.bits, maker.calibration, steps)
            made = maker.make(graph, forms, progress=progress)
            size = graph_size(made, self.data.x, self.config)
            accuracy = graph_accuracy(made, self.data.x, self.data.labels, self.config)
        except ValueError as error:  # what cannot be encoded, or does not fit
            return Attempt(Candidate(name, density, refusal=str(error)))
        finally:
            if progress is not None:
                progress(1, 1)
        products, transforms = graph_multiplications(made.network)
        candidate = Candidate(
            name,
            density,
            made.network,
            accuracy,
            size.stored_bytes,
            products,
            transforms,
            size.cycles,
        )
        return Attempt(candidate, graph, forms, made)

    def adjust(
        self, best: Candidate, demand: Demand, rounds: int, progress: Progress | None = None
    ) -> Iterator[Attempt]:
        """The method of a candidate that meets a demand at densities that meet it more closely, each trained anew.

        Halves, on a logarithmic scale, the way to the next density of the ladder.

        Parameters
        ----------
        best : Candidate
        demand : Demand
            On bytes or accuracy.
        rounds : int
        progress : callable (done, of how many), optional

        Yields
        ------
        Attempt
            One a round; they need not meet the demand.
        """
        method = next(m for m in self.used_methods if m.name == best.method)
        upwards = demand.max_bytes is not None
        beyond = [d for d in self.densities if (d > best.density if upwards else d < best.density)]
        if upwards and not beyond:
            return
        good = best.density
        bad = (min(beyond) if upwards else max(beyond)) if beyond else good / 2
        reference = self.float_accuracy if rounds else 0.0
        for i in range(rounds):
            density = float(np.sqrt(good * bad))
            told = _part(progress, i, rounds)
            found = self.attempt(method, method.name + ADJUSTED, density, told)
            met = found.candidate.meets(demand, reference)
            good, bad = (density, bad) if met else (good, density)
            yield found

    @property
    def float_accuracy(self) -> float:
        """Percent that the graph in floating point gets right."""
        return graph_float_accuracy(self.graph, self.data.x, self.data.labels)


def _part(progress: Progress | None, index: int, count: int) -> Progress | None:
    """Progress of one of ``count`` parts, in steps of a part's hundredths."""
    if progress is None:
        return None
    tell = progress
    return lambda done, of: tell(100 * index + 100 * done // of, 100 * count)
