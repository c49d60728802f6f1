# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The smallest networks: few bins of the image's spectrum, and a narrow dense network of few bits behind them.

Where only some kilobytes are left, indices cost more than they save: it is better to keep whole bins of the input
(one bit each) and all weights behind them. Trained as every other network
(:mod:`spectramac.compress.train_compressed`), but from a network of its own widths, and taught by a convolutional one
about versions of the images.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from spectramac.compress.datasets import TrainingData
from spectramac.compress.post_training import Choice, DenseLayer
from spectramac.compress.procedure import Procedure
from spectramac.compress.techniques import Pruning, Quantization, SpectralInput
from spectramac.compress.train_compressed import train_compressed
from spectramac.compress.versions import Versions
from spectramac.model.network import Network
from spectramac.spec.config import AcceleratorConfig

__all__ = ["NarrowPlan", "train_narrow"]


@dataclass(frozen=True, kw_only=True)
class NarrowPlan:
    """A narrow network, and how it is trained.

    Attributes
    ----------
    name : str
    image : (int, int)
        Height and width of the input.
    tile : int
        Side of the tiles that are transformed.
    bins : int
        Columns of the spectrum that are kept; a complex bin has two.
    hidden : tuple of int
        Widths of the hidden layers.
    bits : int
        Of the coefficients.
    float_epochs, tune_epochs : int
        In floating point, and through the quantizers.
    rate : float
        Largest learning rate of the first phase; that of the second is half of it.
    ramp : float
        Part of the first phase in which bins are removed.
    distillation : float
        Weight of the teacher's logits.
    batch_size : int
    """

    name: str
    image: tuple[int, int]
    tile: int
    bins: int
    hidden: tuple[int, ...]
    bits: int = 4
    float_epochs: int = 30
    tune_epochs: int = 20
    rate: float = 4e-3
    ramp: float = 0.1
    distillation: float = 0.9
    batch_size: int = 256

    @property
    def columns(self) -> int:
        """Of the whole spectrum."""
        height, width = (-(-size // self.tile) * self.tile for size in self.image)
        return height * width

    def choices(self) -> list[Choice]:
        """One for each layer: the spectral input, then dense layers."""
        quantization = Quantization(self.bits, "layer")
        first = SpectralInput(self.image, self.tile)
        rest = [Choice(Pruning(), 1.0, quantization) for _ in self.hidden]
        return [Choice(first, self.bins / self.columns, quantization), *rest]

    def procedure(self) -> Procedure:
        """Of its training."""
        return Procedure(
            prune_epochs=self.float_epochs,
            tune_epochs=self.tune_epochs,
            prune_rate=self.rate,
            tune_rate=self.rate / 2,
            ramp=self.ramp,
            distillation=self.distillation,
            batch_size=self.batch_size,
        )

    def start(self, n_classes: int, seed: int) -> list[DenseLayer]:
        """Random weights, uniform with variance 2 / inputs (He et al. 2015, arXiv:1502.01852), and no bias."""
        rng = np.random.default_rng(seed)
        sizes = (math.prod(self.image), *self.hidden, n_classes)
        return [
            (rng.uniform(-1, 1, (b, a)) * np.sqrt(6 / a), np.zeros(b)) for a, b in pairwise(sizes)
        ]


def train_narrow(
    plan: NarrowPlan,
    data: TrainingData,
    versions: Versions,
    config: AcceleratorConfig,
    *,
    input_scale: float,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Network:
    """Train a narrow network.

    Parameters
    ----------
    plan : NarrowPlan
    data : TrainingData
        Training samples only are looked at.
    versions : Versions
        Of the training samples.
    config : AcceleratorConfig
        Whose accumulators its sums must fit.
    input_scale : float
        Real value of one int8 step of the input.
    seed : int
    progress : callable (epochs done, of how many), optional

    Returns
    -------
    Network
        Of integers.
    """
    trained = train_compressed(
        plan.start(data.n_classes, seed),
        plan.choices(),
        data.x_train,
        data.y_train,
        plan.procedure(),
        seed,
        input_scale=input_scale,
        versions=versions,
        progress=progress,
    )
    return trained.export(data.calibration, accumulator_width=config.accumulator_width)
