# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What training of a compressed network depends on, besides the network, the data and the seed."""

from dataclasses import dataclass

__all__ = ["Procedure"]


@dataclass(frozen=True, kw_only=True)
class Procedure:
    """Two phases: thresholding, in floating point, and tuning, through the quantizers.

    Parameters
    ----------
    prune_epochs : int
        Of the first phase. 0: masks are chosen at once, and what follows is fine-tuning.
    tune_epochs : int
        Of the second phase, with fixed masks. 0: quantized with calibrated steps, not trained so.
    prune_rate, tune_rate : float
        Largest learning rate of each phase (AdamW, one cycle).
    ramp : float
        Part of the first phase in which the density falls, on a cubic schedule; then the masks are fixed.
        0: they are chosen once, at its beginning.
    mask_interval : int
        Batches between two choices of the masks.
    batch_size : int
    distillation : float
        Weight of the teacher's soft logits, 0 to 1; the rest is that of the labels.
    temperature : float
        That both logits are divided by.
    features : float
        Weight of the teacher's hidden activations: mean squared error, relative to their mean square, mean
        over the hidden layers. 0: not compared.
    weight_decay : float
        Of the coefficients (not of biases and steps).

    Raises
    ------
    ValueError
        Naming the parameter that is out of its range.
    """

    prune_epochs: int = 10
    tune_epochs: int = 10
    prune_rate: float = 4e-3
    tune_rate: float = 2e-3
    ramp: float = 0.7
    mask_interval: int = 50
    batch_size: int = 128
    distillation: float = 0.7
    temperature: float = 3.0
    features: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        for name in ("prune_epochs", "tune_epochs", "features", "weight_decay"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, not {getattr(self, name)!r}")
        for name in ("mask_interval", "batch_size"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)!r}")
        for name in ("prune_rate", "tune_rate", "temperature"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0, not {getattr(self, name)!r}")
        for name in ("ramp", "distillation"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, not {getattr(self, name)!r}")

    def mask_progress(self, batch: int, n_batches: int) -> float | None:
        """How far the density has fallen if masks are chosen before this batch of the first phase, else None.

        Every :attr:`mask_interval` batches while the density falls, and when it has just fallen: 1.
        """
        end = round(self.ramp * n_batches)
        if batch == end:
            return 1.0
        return batch / end if batch < end and batch % self.mask_interval == 0 else None
