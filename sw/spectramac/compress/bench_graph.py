# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark of convolutional networks within budgets: as network graphs, accuracies on the golden model, bytes of
the compiled image, cycles predicted for two samples of the test part.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from spectramac.compiler.graph_compile import compile_graph
from spectramac.compress.bench_conv import ConvolutionalBench, with_maps
from spectramac.compress.bench_integer import IntegerBench
from spectramac.compress.bench_methods import BITS
from spectramac.compress.conv_chain import chain_graph
from spectramac.compress.graph_codes import Form
from spectramac.compress.graph_making import GraphMaker, calibration_of
from spectramac.compress.graph_measure import measure_graph
from spectramac.compress.graph_methods import FilterMethod, GraphPlan, graph_methods
from spectramac.compress.graph_steps import plan_graph
from spectramac.compress.measure import Evaluated
from spectramac.compress.outline import MIN_DENSITY, bisected
from spectramac.compress.post_training import Choice
from spectramac.compress.quantize_graph import QuantizedGraph
from spectramac.compress.search_demand import Demand
from spectramac.compress.search_graph import GraphProblem
from spectramac.compress.training import Training
from spectramac.graph.graph import Graph
from spectramac.model.graph_file import load_graph, save_graph
from spectramac.model.graph_network import GraphNetwork
from spectramac.spec.config import AcceleratorConfig

__all__ = ["GraphBench", "GraphBenchMethod"]

_FIGURES = (
    "A network graph, compiled for preset `conv`. Multiplications count zeros at the borders as anything else; cycles "
    "of an inference are predicted for the first two test samples, columns that are zero for both are skipped."
)
_BISECTIONS = 7
"""Of a density: each compiles the network."""


@dataclass(frozen=True)
class GraphBenchMethod:
    """A method and the bits of its coefficients; its name is ``<method>-int<bits>``."""

    method: GraphPlan
    bits: int


@dataclass(eq=False)
class GraphBench(IntegerBench[GraphNetwork], ConvolutionalBench[GraphNetwork]):
    """The benchmark of one data set of images with a convolutional network."""

    _graphs: dict[int, Graph] = field(default_factory=dict, init=False)

    @cached_property
    def methods(self) -> dict[str, GraphBenchMethod]:
        """See :attr:`Bench.methods`."""
        return {
            f"{method.name}-int{bits}": GraphBenchMethod(method, bits)
            for bits in BITS
            for method in graph_methods(self.config, bits)
            if method.is_trainable
        }

    @property
    def config(self) -> AcceleratorConfig:
        """What graphs are compiled for."""
        return with_maps(self.settings.config)

    @property
    def about(self) -> dict[str, Any]:
        """See :attr:`Bench.about`."""
        return {"architecture": self.net.name, "figures": _FIGURES}

    def graph(self, seed: int) -> Graph:
        """The network that is compressed."""
        if seed not in self._graphs:
            self._graphs[seed] = chain_graph(self.layers(seed), self.net, self.data.name)
        return self._graphs[seed]

    def _maker(self, seed: int, rate: float) -> GraphMaker:
        graph = self.graph(seed)
        return GraphMaker(
            teacher=graph,
            calibration=calibration_of(graph, self.data.calibration),
            config=self.config,
            training=(Training(self.settings.epochs * self.passes, rate), self.data),
            input_scale=self.scale,
            seed=seed,
        )

    def _plan(self, method: str, density: float, seed: int) -> tuple[Graph, dict[str, Form]]:
        chosen, graph = self.methods[method], self.graph(seed)
        x = calibration_of(graph, self.data.calibration)
        return chosen.method.plan(graph, density, chosen.bits, x, self.settings.steps)

    def _bytes(self, method: str, density: float, seed: int) -> int:
        """At most, with the masks of the dense network."""
        maker = self._maker(seed, self.settings.rates[0])
        made = maker.outlined(*self._plan(method, density, seed))
        return compile_graph(made.network, self.config).stored_bytes

    def _density_within(self, method: str, budget: int, seed: int) -> float:
        low, least = self._least(method, seed)
        if least > budget:
            raise ValueError(f"takes {least} bytes at least, at a density of {low:g}")

        def fits(density: float) -> bool:
            try:
                return self._bytes(method, density, seed) <= budget
            except ValueError:
                return False

        return bisected(fits, low, 1.0, _BISECTIONS)

    def _least(self, method: str, seed: int) -> tuple[float, int]:
        """A low density and its bytes: with fewer filters some maps have only zeros."""
        density = MIN_DENSITY
        while True:
            try:
                return density, self._bytes(method, density, seed)
            except ValueError:
                if density >= 0.5:
                    raise
                density *= 2

    def _check(self, method: str, density: float, seed: int) -> None:
        self._bytes(method, density, seed)

    def _train(
        self, method: str, density: float, seed: int, rate: float, budget: int | None = None
    ) -> GraphNetwork:
        graph, forms = self._plan(method, density, seed)
        return self._maker(seed, rate).make(graph, forms, max_bytes=budget).network

    def measured(self, network: GraphNetwork, part: Literal["validation", "test"]) -> Evaluated:
        """See :meth:`IntegerBench.measured`."""
        made = QuantizedGraph(network, plan_graph(self.graph(0)), {})
        return measure_graph(made, *self.data.part(part), self.config)

    def save(self, network: GraphNetwork, path: Path) -> None:
        """See :meth:`IntegerBench.save`."""
        save_graph(network, path)

    def load(self, path: Path) -> GraphNetwork:
        """See :meth:`IntegerBench.load`."""
        return load_graph(path)

    def problem(self, budget: int, seed: int) -> GraphProblem:
        """See :meth:`IntegerBench.problem`."""
        if self.folds(seed):
            raise ValueError(
                "the mix of convolutional networks must have a validation part, not folds"
            )
        settings = self.settings
        return GraphProblem(
            graph=self.graph(seed),
            data=self.data,
            config=self.config,
            demand=Demand(max_bytes=budget),
            training=Training(settings.epochs * self.passes),
            rates=settings.rates,
            input_scale=self.scale,
            seed=seed,
        )

    def parameters(
        self, method: str, density: float, problem: GraphProblem, seed: int
    ) -> dict[str, Any] | None:
        """See :meth:`IntegerBench.parameters`."""
        chosen = self.methods[method]
        part = density**0.5 if isinstance(chosen.method, FilterMethod) else 1.0
        return problem.space.parameters_of(problem.layers, chosen.method, chosen.bits, part)

    def plan_of(self, params: dict[str, Any], choices: Sequence[Choice]) -> list[str]:
        """See :meth:`IntegerBench.plan_of`."""
        part = params["filters"]
        lines = [f"{100 * part:.0f} % of the filters"] if part < 1 else []
        return lines + [choice.text for choice in choices]
