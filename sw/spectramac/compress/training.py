# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Training of many networks in the same way, as searches and benchmarks do it. Needs PyTorch when it trains."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from spectramac.compress.datasets import TrainingData
from spectramac.compress.post_training import Choice, DenseLayer
from spectramac.compress.procedure import Procedure
from spectramac.model.network import Network
from spectramac.spec.config import AcceleratorConfig

__all__ = ["MIN_EPOCH", "Training", "passes"]

MIN_EPOCH = 10_000
"""Samples of an epoch, at least: a small data set is passed several times."""


def passes(n_samples: int) -> int:
    """Over so many samples, in an epoch."""
    return -(-MIN_EPOCH // n_samples)


@dataclass(frozen=True)
class Training:
    """Half of the epochs while the density falls, half through the quantizers.

    Attributes
    ----------
    epochs : int
        Passes over the samples, at least 1.
    rate : float
        Largest learning rate of the first half; that of the second is half of it.
    """

    epochs: int
    rate: float = 4e-3

    def procedure(self) -> Procedure:
        """In full."""
        tune = self.epochs // 2
        return Procedure(
            prune_epochs=self.epochs - tune,
            tune_epochs=tune,
            prune_rate=self.rate,
            tune_rate=self.rate / 2,
        )

    def trained(
        self,
        layers: Sequence[DenseLayer],
        choices: Sequence[Choice],
        data: TrainingData,
        *,
        input_scale: float,
        seed: int,
        teacher: Sequence[DenseLayer] | None = None,
        within: Callable[[Network], bool] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Any:
        """A :class:`~spectramac.compress.train_compressed.TrainedNetwork`; arguments as of
        :func:`~spectramac.compress.train_compressed.train_compressed`.
        """
        module = importlib.import_module("spectramac.compress.train_compressed")
        return module.train_compressed(
            layers,
            choices,
            data.x_train,
            data.y_train,
            self.procedure(),
            seed,
            input_scale=input_scale,
            teacher=teacher,
            within=within,
            progress=progress,
        )

    def network(
        self,
        layers: Sequence[DenseLayer],
        choices: Sequence[Choice],
        data: TrainingData,
        config: AcceleratorConfig,
        *,
        input_scale: float,
        seed: int,
        teacher: Sequence[DenseLayer] | None = None,
        within: Callable[[Network], bool] | None = None,
    ) -> Network:
        """The integer network of what :meth:`trained` gives."""
        trained = self.trained(
            layers,
            choices,
            data,
            input_scale=input_scale,
            seed=seed,
            teacher=teacher,
            within=within,
        )
        width = config.accumulator_width
        network: Network = trained.export(data.calibration, accumulator_width=width)
        return network
