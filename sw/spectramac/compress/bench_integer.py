# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Benchmarks of integer networks: figures of the golden model and of the compiled image, budgets and the mix."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from spectramac.compress.bench import Bench
from spectramac.compress.measure import Evaluated, Score
from spectramac.compress.post_training import Choice

__all__ = ["IntegerBench"]

N = TypeVar("N")


@dataclass(eq=False)
class IntegerBench(Bench[N]):
    """The benchmark of one data set with a network that the engine runs."""

    @abstractmethod
    def measured(self, network: N, part: Literal["validation", "test"]) -> Evaluated:
        """On one part of the data."""

    @abstractmethod
    def save(self, network: N, path: Path) -> None:
        """Write a network."""

    @abstractmethod
    def load(self, path: Path) -> N:
        """Read it again."""

    @abstractmethod
    def problem(self, budget: int, seed: int) -> Any:
        """What the mix searches within a budget of bytes: a problem of :mod:`spectramac.compress.search`."""

    @abstractmethod
    def parameters(
        self, method: str, density: float, problem: Any, seed: int
    ) -> dict[str, Any] | None:
        """Of the trial that is a single technique, but for its rate; None if the search has no such trial."""

    @abstractmethod
    def plan_of(self, params: dict[str, Any], choices: Sequence[Choice]) -> list[str]:
        """A trial in words, a line for each layer."""

    def validate(self, network: N) -> Score:
        """See :meth:`Bench.validate`."""
        return self.measured(network, "validation").score

    def figures(self, network: N, name: str) -> dict[str, Any]:
        """See :meth:`Bench.figures`."""
        found = self.measured(network, "test")
        (self.out / "networks").mkdir(parents=True, exist_ok=True)
        self.save(network, self.out / "networks" / f"{name}.npz")
        return {
            "accuracy": found.accuracy,
            "bytes": found.size.stored_bytes,
            "multiplications": found.multiplications,
            "cycles": found.size.cycles,
            "network": f"{name}.npz",
        }
