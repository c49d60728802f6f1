# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The loop compress, fine-tune, evaluate, adjust: the density that meets a demand on bytes or accuracy.

Densities of all layers are multiplied by one factor, which is bracketed and bisected in its logarithm (for bytes,
where they are nearly proportional to it, guessed from the last round). Each round
trains from the result of the round before, so that later rounds are fine-tuning at another density. Bytes are
those of the exported integer network on a configuration; accuracy is that of the integer network on data that
are not trained on, so that the result is chosen by it: measure again on others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compress.labelled import LabelledData
from spectramac.compress.measure import integer_accuracy
from spectramac.compress.post_training import Choice, DenseLayer
from spectramac.compress.procedure import Procedure
from spectramac.compress.size import layers_cost
from spectramac.compress.torch_stage import to_float
from spectramac.compress.train_compressed import TrainedNetwork, train_compressed
from spectramac.compress.train_student import Student
from spectramac.model.network import Network
from spectramac.spec.config import AcceleratorConfig

__all__ = ["DemandError", "Round", "adjust_to", "scaled"]

_CLOSE = 0.98
"""Part of the bytes asked for that is near enough."""
_LEAST = 1 / 64
"""Smallest factor that is tried."""


class DemandError(ValueError):
    """No round met the demand; says how near the nearest one came."""


@dataclass(frozen=True, eq=False)
class Round:
    """One training.

    Attributes
    ----------
    factor : float
        That all densities were multiplied by.
    trained : TrainedNetwork
    network : Network
        The integer network.
    stored_bytes : int
    accuracy : float
        Percent, of the integer network on the validation data.
    """

    factor: float
    trained: TrainedNetwork
    network: Network
    stored_bytes: int
    accuracy: float


def scaled(choices: Sequence[Choice], factor: float) -> list[Choice]:
    """The same choices at ``factor`` times their densities, at most 1."""
    return [replace(choice, density=min(1.0, factor * choice.density)) for choice in choices]


def adjust_to(
    layers: Sequence[DenseLayer],
    choices: Sequence[Choice],
    x: NDArray[Any],
    y: NDArray[Any],
    procedure: Procedure,
    seed: int,
    *,
    validation: LabelledData,
    config: AcceleratorConfig,
    max_bytes: int | None = None,
    min_accuracy: float | None = None,
    rounds: int = 4,
    again: Procedure | None = None,
    first: Round | None = None,
    log: Callable[[Round], None] | None = None,
    **options: Any,
) -> tuple[Round, list[Round]]:
    """Train at the density that meets a demand.

    Parameters
    ----------
    layers, choices, x, y, procedure, seed
        As of :func:`~spectramac.compress.train_compressed.train_compressed`. The densities of the choices say
        how layers relate; for ``min_accuracy`` they are the largest that are tried.
    validation : LabelledData
        Calibration inputs for the export, and labelled samples that are not in ``x``.
    config : AcceleratorConfig
        Whose bytes are counted.
    max_bytes : int, optional
        Find the most accurate round of at most so many bytes.
    min_accuracy : float, optional
        Find the round of the fewest bytes with at least this accuracy, in percent. Exactly one of both.
    rounds : int
        Trainings, at most.
    again : Procedure, optional
        Of all rounds but the first. Default: ``procedure``.
    first : Round, optional
        One of these choices that was done before, with factor 1: go on from it. It counts among the results, but
        not among the trainings.
    log : callable, optional
        Gets every round.
    options
        Others of ``train_compressed``: ``teacher``, ``augment``, ``device``, ``input_scale``, ``progress``.

    Returns
    -------
    (best, rounds) : Round, list of Round

    Raises
    ------
    DemandError
        If no round met the demand.
    ValueError
        If not exactly one demand is made.
    """
    if (max_bytes is None) == (min_accuracy is None):
        raise ValueError("either max_bytes or min_accuracy must be given")
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, not {rounds!r}")
    # Up to all coefficients of every layer, or up to the densities given.
    highest = 1.0 if max_bytes is None else 1 / min(choice.density for choice in choices)
    bracket = _Bracket(max_bytes, min_accuracy, highest)
    done = [] if first is None else [first]
    factor: float | None = highest
    if first is not None:
        factor = bracket.after(first)
    elif max_bytes is not None:
        factor = _factor_of_masks(layers, choices, x, config, max_bytes, highest)
    for _ in range(rounds):
        if factor is None:
            break
        start = done[-1].trained if done else None
        tried = scaled(choices, factor)
        how = procedure if start is None else again or procedure
        trained = train_compressed(layers, tried, x, y, how, seed, start=start, **options)
        done.append(_measure(factor, trained, validation, config))
        if log is not None:
            log(done[-1])
        factor = bracket.after(done[-1])
    return bracket.best(done), done


def _measure(
    factor: float, trained: TrainedNetwork, data: LabelledData, config: AcceleratorConfig
) -> Round:
    network = trained.export(data.calibration, accumulator_width=config.accumulator_width)
    stored = layers_cost(network.layers, config).stored_bytes
    score = integer_accuracy(network, data.x, data.labels, config)
    return Round(factor, trained, network, stored, score)


def _factor_of_masks(
    layers: Sequence[DenseLayer],
    choices: Sequence[Choice],
    x: NDArray[Any],
    config: AcceleratorConfig,
    max_bytes: int,
    highest: float,
) -> float:
    """Where to begin: the largest factor whose masks, untrained, take at most so many bytes."""
    sample = np.asarray(x[:256], np.float64)

    def stored(factor: float) -> int:
        student = Student(layers, scaled(choices, factor), sample)
        student.choose_masks(to_float(sample), 1.0)
        skeletons = [
            stage.skeleton(choice.quantization)
            for layer, choice in zip(student.layers, choices, strict=True)
            for stage in layer.to_structured().stages
        ]
        return layers_cost(skeletons, config).stored_bytes

    low, high = _LEAST, highest
    if stored(high) <= max_bytes:
        return high
    for _ in range(8):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if stored(middle) <= max_bytes else (low, middle)
    return low


class _Bracket:
    """Factors between which the demand begins to be met: rounds tell on which side they are."""

    def __init__(self, max_bytes: int | None, min_accuracy: float | None, highest: float) -> None:
        self.max_bytes, self.min_accuracy, self.highest = max_bytes, min_accuracy, highest
        self.low, self.high = _LEAST, highest

    def meets(self, found: Round) -> bool:
        if self.max_bytes is not None:
            return found.stored_bytes <= self.max_bytes
        assert self.min_accuracy is not None
        return found.accuracy >= self.min_accuracy - 1e-9

    def after(self, found: Round) -> float | None:
        """The factor of the next round; None if it is not worth while."""
        smaller = self.meets(found) == (self.max_bytes is None)
        if not smaller and found.factor >= self.highest:
            return None
        if smaller:
            self.high = found.factor
        else:
            self.low = found.factor
        middle = float(np.sqrt(self.low * self.high))
        if self.max_bytes is None:
            # Halve until it is too little: the next round goes on from this one.
            return found.factor / 2 if self.low == _LEAST else middle
        used = found.stored_bytes / self.max_bytes
        if _CLOSE <= used <= 1:
            return None
        # Bytes are nearly proportional to the density.
        guess = found.factor * (1 + _CLOSE) / 2 / used
        return guess if self.low < guess < self.high else middle

    def best(self, rounds: Sequence[Round]) -> Round:
        good = [found for found in rounds if self.meets(found)]
        if not good and self.max_bytes is not None:
            least = min(found.stored_bytes for found in rounds)
            raise DemandError(
                f"no round took at most {self.max_bytes} bytes; the smallest took {least}"
            )
        if not good:
            most = max(found.accuracy for found in rounds)
            raise DemandError(
                f"no round had an accuracy of at least {self.min_accuracy} %; the best had {most:.2f} %"
            )
        if self.max_bytes is not None:
            return max(good, key=lambda found: (found.accuracy, -found.stored_bytes))
        return min(good, key=lambda found: (found.stored_bytes, -found.accuracy))
