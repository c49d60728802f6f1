# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a search chooses from: for every layer a technique, a block, a density and bits; and the hidden widths.

A demand on bytes or cycles is met by construction. The search chooses only how dense layers are *relative* to
each other; :func:`spend` then finds the common factor at which the budget is just used up. So no trial is
wasted on a network that is much too large or too small.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from spectramac.compress.blocks import Floats
from spectramac.compress.lanes import reach_of_bits
from spectramac.compress.outline import MIN_DENSITY, bisected, outline
from spectramac.compress.post_training import Choice, DenseLayer
from spectramac.compress.search_demand import Demand
from spectramac.compress.techniques import (
    BlockCirculant,
    LowRank,
    Pruning,
    Quantization,
    RowsSft,
    Selection,
    Sft,
    SpectralInput,
    Technique,
)
from spectramac.spec.config import AcceleratorConfig

__all__ = ["MIN_RELATIVE", "MODEL_WIDTHS", "START", "Space", "Trial", "spend", "spend_by"]

MODEL_WIDTHS = "model"
"""Name of the widths that the given network has."""

_BLOCKS = (8, 16, 32, 64)
MIN_RELATIVE = 0.01
"""Density of a layer, relative to others'."""
START = 0.5
"""That of all layers where a search starts."""


class Trial(Protocol):
    """What is used of Optuna's trials."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of ``choices``."""

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """From ``low`` to ``high``."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """From ``low`` to ``high``."""


@dataclass(frozen=True)
class _Family:
    """A kind of technique.

    ``make`` takes block and bits; ``last``: whether it suits a classifier, whose few outputs an output transform
    or balanced lanes would pad.
    """

    make: Callable[[int, int], Technique]
    has_block: bool
    last: bool


@dataclass(frozen=True)
class Space:
    """What every layer may become.

    Parameters
    ----------
    config : AcceleratorConfig
        Its largest transform bounds the blocks, its lanes the balanced selections.
    image : (int, int), optional
        Height and width of the input; then the first layer may be spectral.
    widths : tuple of tuple of int
        Hidden widths besides those of the network itself.
    min_bits : int
        From 4; 8 is the largest.
    neurons : bool
        Whether hidden neurons may be removed first, the same part of every hidden layer.
    """

    config: AcceleratorConfig
    image: tuple[int, int] | None = None
    widths: tuple[tuple[int, ...], ...] = ()
    min_bits: int = 4
    neurons: bool = False

    def __post_init__(self) -> None:
        if not 4 <= self.min_bits <= 8:
            raise ValueError(f"min_bits must be from 4 to 8, not {self.min_bits!r}")
        for widths in self.widths:
            if not widths or min(widths) < 1:
                raise ValueError(f"hidden widths must be at least 1, not {widths!r}")

    @property
    def blocks(self) -> tuple[int, ...]:
        """Points of transforms that the configuration has, up to 64."""
        return tuple(b for b in _BLOCKS if b <= self.config.n_axis_max)

    def _families(self) -> dict[str, _Family]:
        def lanes(bits: int) -> Selection:
            return Selection("lanes", self.config.n_lanes, reach_of_bits(bits))

        return {
            "sft": _Family(lambda block, bits: Sft(block, block), True, False),
            "sft-lanes": _Family(
                lambda block, bits: Sft(block, block, selection=lanes(bits)), True, False
            ),
            "sft-complex": _Family(
                lambda block, bits: Sft(block, block, form="complex"), True, False
            ),
            "rows-sft": _Family(lambda block, bits: RowsSft(block), True, True),
            "circulant": _Family(lambda block, bits: BlockCirculant(block), True, False),
            "prune-pair": _Family(lambda block, bits: Pruning(), False, True),
            "prune-lanes": _Family(lambda block, bits: Pruning(lanes(bits)), False, False),
            "low-rank": _Family(lambda block, bits: LowRank(), False, True),
        }

    def widths_of(self, trial: Trial) -> str:
        """Hidden widths as ``64-32``, or :data:`MODEL_WIDTHS`."""
        names = [MODEL_WIDTHS, *("-".join(map(str, w)) for w in self.widths)]
        return str(trial.suggest_categorical("widths", names)) if len(names) > 1 else names[0]

    def neurons_of(self, trial: Trial) -> float:
        """Part of the hidden neurons that stays."""
        return trial.suggest_float("neurons", 0.02, 1.0, log=True) if self.neurons else 1.0

    def choose(self, trial: Trial, n_layers: int) -> list[Choice]:
        """A choice for every layer; densities still to be multiplied, if there is a budget."""
        return [
            self._layer(trial, i, i == n_layers - 1, f"{n_layers}.{i}") for i in range(n_layers)
        ]

    def starting_points(self, n_layers: int, *, trained: bool) -> list[dict[str, Any]]:
        """Parameters of one technique for all layers, for each, with all bits that suit: so that a search never ends
        below any single technique.

        Few bits and one step for a layer want training.
        """
        bits = [self.min_bits, 8] if trained else [6, 8]
        steps = "layer" if trained else "row"
        points = []
        for kind in self._families():
            like = "rows-sft" if "sft" in kind or kind == "circulant" else "prune-pair"
            last = kind if self._families()[kind].last else like
            for n in dict.fromkeys(max(b, self.min_bits) for b in bits):
                point: dict[str, Any] = {"widths": MODEL_WIDTHS} if self.widths else {}
                for i, technique in enumerate([kind] * (n_layers - 1) + [last]):
                    values = (technique, n, steps, START, 8)
                    names = ("technique", "bits", "steps", "density", "block")
                    point |= {f"{n_layers}.{i}.{k}": v for k, v in zip(names, values, strict=True)}
                points.append(point)
        return points

    def parameters_of(
        self, choices: Sequence[Choice], neurons: float = 1.0
    ) -> dict[str, Any] | None:
        """Parameters of a trial that makes these choices, but for a common factor of densities; None if none does."""
        densest = max(choice.density for choice in choices)
        found: dict[str, Any] = {"widths": MODEL_WIDTHS} if self.widths else {}
        found |= {"neurons": neurons} if self.neurons else {}
        for i, choice in enumerate(choices):
            technique = self._parameters_of(i, i == len(choices) - 1, choice)
            if technique is None:
                return None
            own = technique | {
                "bits": choice.quantization.bits,
                "steps": choice.quantization.steps,
                "density": max(MIN_RELATIVE, START * choice.density / densest),
            }
            found |= {f"{len(choices)}.{i}.{name}": value for name, value in own.items()}
        return found

    def _parameters_of(self, index: int, last: bool, choice: Choice) -> dict[str, Any] | None:
        """Technique, and block or tile, of a choice."""
        for kind, family in self._families().items():
            for block in self.blocks if family.has_block else _BLOCKS[:1]:
                made = family.make(block, choice.quantization.bits)
                if made == choice.technique and (family.last or not last):
                    return {"technique": kind, "block": block}
        for tile in self.config.tile_sides if self.image is not None and index == 0 else ():
            assert self.image is not None
            if choice.technique == SpectralInput(self.image, tile):
                return {"technique": "spectral-input", "tile": tile}
        return None

    def _layer(self, trial: Trial, index: int, last: bool, name: str) -> Choice:
        families = {n: f for n, f in self._families().items() if f.last or not last}
        names = list(families)
        spectral = index == 0 and self.image is not None and bool(self.config.tile_sides)
        if spectral:
            names.append("spectral-input")
        kind = trial.suggest_categorical(f"{name}.technique", names)
        bits = trial.suggest_int(f"{name}.bits", self.min_bits, 8)
        steps = trial.suggest_categorical(f"{name}.steps", ["layer", "row"])
        density = trial.suggest_float(f"{name}.density", MIN_RELATIVE, 1.0, log=True)
        technique: Technique
        if kind == "spectral-input":
            assert self.image is not None
            tile = trial.suggest_categorical(f"{name}.tile", self.config.tile_sides)
            technique = SpectralInput(self.image, tile)
        else:
            family = families[kind]
            block = (
                trial.suggest_categorical(f"{name}.block", self.blocks) if family.has_block else 8
            )
            technique = family.make(block, bits)
        return Choice(technique, density, Quantization(bits, steps))


def _scaled(choices: Sequence[Choice], factor: float) -> list[Choice]:
    return [
        Choice(c.technique, float(np.clip(c.density * factor, MIN_DENSITY, 1)), c.quantization)
        for c in choices
    ]


def spend(
    layers: Sequence[DenseLayer],
    choices: Sequence[Choice],
    inputs: Sequence[Floats],
    config: AcceleratorConfig,
    demand: Demand,
) -> list[Choice]:
    """The same choices, all densities multiplied so that a budget is just used up.

    Raises
    ------
    ValueError
        If even the smallest densities take more than there is, or do not fit the configuration.
    """

    def excess(scaled: Sequence[Choice]) -> float:
        return demand.excess(outline(layers, scaled, inputs, config), 0.0, 0.0)

    return spend_by(choices, excess)


def spend_by(
    choices: Sequence[Choice], excess: Callable[[Sequence[Choice]], float], steps: int = 10
) -> list[Choice]:
    """As :func:`spend`, for any kind of network.

    Parameters
    ----------
    choices : sequence of Choice
    excess : callable (choices) -> float
        How far they exceed the budget, as :meth:`Demand.excess`; :exc:`ValueError` if they do not fit.
    steps : int
        Bisections of the common factor.

    Raises
    ------
    ValueError
        If even the smallest densities take more than there is, or do not fit.
    """

    def fits(factor: float) -> bool:
        try:
            return excess(_scaled(choices, factor)) <= 0
        except ValueError:
            return False

    low = MIN_DENSITY / max(c.density for c in choices)
    least = excess(_scaled(choices, low))
    if least > 0:
        raise ValueError(f"even the smallest densities exceed the budget by {100 * least:.0f} %")
    return _scaled(choices, bisected(fits, low, 1 / min(c.density for c in choices), steps))
