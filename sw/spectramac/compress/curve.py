# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Candidates from the mildest to the strongest, what each costs and does, and which one is chosen.

The strongest candidate that is good enough is chosen, where every milder one is good enough too: a lucky
outlier beyond the first that fails does not count.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Curve", "Point"]


@dataclass(frozen=True)
class Point:
    """One candidate.

    Attributes
    ----------
    value : float
        What was tried: a density, or a level.
    error : float or None
        Relative error (root mean square) of the weights, or of the output.
    stored_bytes, multiplications : int or None
        As of :class:`~spectramac.compress.size.Cost`.
    scores : tuple of float
        One a fold; higher is better.
    cycles : float or None
        For one inference, at most.
    """

    value: float
    error: float | None = None
    stored_bytes: int | None = None
    multiplications: int | None = None
    scores: tuple[float, ...] = ()
    cycles: float | None = None

    @property
    def energy(self) -> float | None:
        """Part of the energy that is kept, at least 0."""
        return None if self.error is None else max(0.0, 1 - self.error**2)

    @property
    def score(self) -> float:
        """Mean over the folds."""
        return float(np.mean(self.scores))

    @property
    def spread(self) -> float:
        """Standard deviation of the mean over the folds; 0 of one fold."""
        n = len(self.scores)
        return float(np.std(self.scores, ddof=1) / np.sqrt(n)) if n > 1 else 0.0


@dataclass(frozen=True)
class Curve:
    """Candidates from the mildest to the strongest, and the chosen one.

    Attributes
    ----------
    name : str
        Of the technique, or of what is varied.
    points : tuple of Point
    chosen : int or None
        Index of a point.
    criterion : str
        Why that one, in words.
    """

    name: str
    points: tuple[Point, ...]
    chosen: int | None = None
    criterion: str = ""

    @property
    def point(self) -> Point:
        """The chosen one.

        Raises
        ------
        ValueError
            If none was good enough, or none was chosen yet.
        """
        if self.chosen is None:
            raise ValueError(f"{self.name}: no candidate is chosen ({self.criterion or 'yet'})")
        return self.points[self.chosen]

    def _strongest(self, good: Sequence[bool], criterion: str) -> "Curve":
        count = next((i for i, is_good in enumerate(good) if not is_good), len(good))
        return replace(self, chosen=count - 1 if count else None, criterion=criterion)

    def by_error(self, bound: float) -> "Curve":
        """Choose the strongest with a relative error of at most ``bound``."""
        errors = [self._known(p.error, "error") for p in self.points]
        return self._strongest([e <= bound for e in errors], f"error of at most {bound:g}")

    def by_energy(self, energy: float) -> "Curve":
        """Choose the strongest that keeps at least the part ``energy`` of the energy."""
        energies = [self._known(p.energy, "energy") for p in self.points]
        return self._strongest([e >= energy for e in energies], f"energy of at least {energy:g}")

    def by_bytes(self, n_bytes: int) -> "Curve":
        """Choose the *mildest* that takes at most ``n_bytes``."""
        sizes = [self._known(p.stored_bytes, "bytes") for p in self.points]
        chosen = next((i for i, size in enumerate(sizes) if size <= n_bytes), None)
        return replace(self, chosen=chosen, criterion=f"at most {n_bytes} bytes")

    def by_score(self, max_loss: float) -> "Curve":
        """Choose the strongest whose score is, on average over the folds, at most ``max_loss`` below the
        mildest's on the same fold."""
        for p in self.points:
            self._known(p.scores or None, "scores")
        first = np.array(self.points[0].scores)
        # Means of few accuracies: a loss of exactly max_loss must not fail by a rounding error.
        loss = [float(np.mean(first - np.array(p.scores))) - 1e-9 for p in self.points]
        return self._strongest([x <= max_loss for x in loss], f"loss of at most {max_loss:g}")

    def with_scores(self, scores: NDArray[np.float64]) -> "Curve":
        """The same points with scores, float (points, folds)."""
        if len(scores) != len(self.points):
            raise ValueError(f"scores must be of {len(self.points)} points, not {len(scores)}")
        pairs = zip(self.points, scores, strict=True)
        return replace(self, points=tuple(replace(p, scores=tuple(s.tolist())) for p, s in pairs))

    def _known(self, value: Any, what: str) -> Any:
        if value is None:
            raise ValueError(f"{self.name}: every point must have {what}")
        return value
