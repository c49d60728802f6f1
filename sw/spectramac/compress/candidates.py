# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Candidates for a compressed network: their figures, and the one that meets a demand best."""

from dataclasses import dataclass

from spectramac.compiler.compile import compile_network
from spectramac.compress.curve import Curve, Point
from spectramac.compress.labelled import LabelledData
from spectramac.compress.measure import Size, integer_accuracy
from spectramac.compress.search_demand import Demand
from spectramac.compress.size import layers_cost
from spectramac.model.graph_network import GraphNetwork
from spectramac.model.network import Network
from spectramac.spec.config import AcceleratorConfig

__all__ = ["Candidate", "Comparison", "NoCandidateError"]


class NoCandidateError(ValueError):
    """No candidate meets the demand; says how near the nearest one comes."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """One method at one density.

    Attributes
    ----------
    method : str
    density : float
    network : Network, GraphNetwork or None
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
    network: Network | GraphNetwork | None = None
    accuracy: float | None = None
    stored_bytes: int | None = None
    multiplications: int | None = None
    fft_multiplications: float | None = None
    cycles: float | None = None
    refusal: str = ""

    @classmethod
    def measured(
        cls,
        method: str,
        density: float,
        network: Network,
        data: LabelledData,
        config: AcceleratorConfig,
    ) -> "Candidate":
        """Compiled, and run on the golden model.

        Raises
        ------
        CompileError
            If it does not fit the configuration.
        """
        size = Size.of(compile_network(network, config), config)
        cost = layers_cost(network.layers, config)
        return cls(
            method,
            density,
            network,
            integer_accuracy(network, data.x, data.labels, config),
            size.stored_bytes,
            cost.multiplications,
            cost.fft_multiplications,
            size.cycles,
        )

    def meets(self, demand: Demand, reference: float) -> bool:
        """Whether it fits, and does what is demanded; ``reference`` is the float network's accuracy, in percent."""
        if self.accuracy is None or self.stored_bytes is None or self.cycles is None:
            return False
        size = Size(self.stored_bytes, self.cycles)
        return demand.excess(size, self.accuracy, reference) <= 0

    @property
    def point(self) -> Point:
        """For a curve; of a candidate that fits."""
        assert self.accuracy is not None
        figures = (self.stored_bytes, self.multiplications, (self.accuracy,), self.cycles)
        return Point(self.density, None, *figures)


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

    def choose(self, demand: Demand) -> int:
        """Index of the candidate that meets a demand on bytes or accuracy best.

        Raises
        ------
        NoCandidateError
            If none meets it.
        """
        if demand.max_bytes is not None:
            return self.by_bytes(demand.max_bytes)
        assert demand.max_loss is not None
        return self.by_loss(demand.max_loss)

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
