# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What can be wrong with a network that a user brings."""

from collections.abc import Sequence
from dataclasses import dataclass

from spectramac.spec.errors import SpectramacError

__all__ = ["GraphError", "ModelFileError", "Refusal", "RefusedError", "UnsupportedModelError"]


class GraphError(SpectramacError, ValueError):
    """A graph contradicts itself: shapes, names or parameters do not fit."""


class ModelFileError(SpectramacError, ValueError):
    """A model is damaged, unsafe to read, or not what its format says."""


@dataclass(frozen=True)
class Refusal:
    """One node that is not supported.

    Attributes
    ----------
    node, operator : str
        Its name (in the file, or made from operator and position where the file has none) and operator.
    problem, remedy : str
        What is not supported, and what the user can do.
    """

    node: str
    operator: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"node {self.node!r} ({self.operator}): {self.problem}; {self.remedy}"


class UnsupportedModelError(SpectramacError, ValueError):
    """A valid model that cannot be taken, with every node that stands in the way.

    Parameters
    ----------
    what : str
        What was tried, as the start of a sentence: ``"model.onnx cannot be imported"``.
    refusals : sequence of Refusal
        In the model's order.
    """

    def __init__(self, what: str, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        count = "1 node is" if len(self.refusals) == 1 else f"{len(self.refusals)} nodes are"
        lines = "".join(f"\n  {refusal}" for refusal in self.refusals)
        super().__init__(f"{what}: {count} not supported{lines}")


class RefusedError(Exception):
    """One node cannot be taken. Importers turn it into a :class:`Refusal`; it never reaches the user."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}; {remedy}")

    def refusal(self, node: str, operator: str) -> Refusal:
        """With the name of the node."""
        return Refusal(node, operator, self.problem, self.remedy)
