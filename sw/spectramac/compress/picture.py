# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Draws docs/images/sft.svg: a weight matrix, its spectrum, what the threshold keeps, the reconstruction.

``python -m spectramac.compress.picture docs/images/sft.svg`` makes it from the dense teacher of the demonstration
(data/digits-dense.npz, written by ``spectramac train-demo``). The file is the same on every run.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spectramac.compress.sft import Floats, from_orthonormal, inverse_sft, orthonormal, sft
from spectramac.compress.threshold import Mask, by_density
from spectramac.model.network import Transform

__all__ = ["Panels", "draw", "panels"]

DENSE = Path(__file__).parent / "data" / "digits-dense.npz"


@dataclass(frozen=True, eq=False)
class Panels:
    """What the four panels show.

    Attributes
    ----------
    W, spectrum, reconstruction : float array (rows, columns)
        ``spectrum`` is orthonormal, ``reconstruction`` what the kept part of it gives.
    mask : bool array (rows, columns)
    error : float
        Relative error of the reconstruction, ‖W - W'‖ / ‖W‖.
    captured : float
        Part of the energy that is kept, 1 - error².
    """

    W: Floats
    spectrum: Floats
    mask: Mask
    reconstruction: Floats

    @property
    def error(self) -> float:
        """Relative error of the reconstruction."""
        return float(np.linalg.norm(self.W - self.reconstruction) / np.linalg.norm(self.W))

    @property
    def density(self) -> float:
        """Part of the coefficients that is kept."""
        return float(self.mask.mean())


def panels(W: Floats, *, density: float, t: Transform) -> Panels:
    """Spectrum of ``W`` with transform ``t`` on both sides, and its largest pairs."""
    spectrum = orthonormal(sft(W, t, t), t, t)
    mask = by_density(spectrum, density)
    kept = from_orthonormal(spectrum * mask, t, t)
    return Panels(W, spectrum, mask, inverse_sft(kept, t, t, (W.shape[0], W.shape[1])))
