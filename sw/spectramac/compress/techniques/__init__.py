# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Compression techniques behind one interface (:mod:`spectramac.compress.techniques.base`)."""

from spectramac.compress.techniques.base import NotRunnableError, Structured, Technique
from spectramac.compress.techniques.lowrank import LowRank
from spectramac.compress.techniques.pruning import (
    NeuronPruning,
    Pruning,
    remove_units,
    unit_importance,
)
from spectramac.compress.techniques.selection import Selection
from spectramac.compress.techniques.spectral import (
    BlockCirculant,
    RowsSft,
    Sft,
    SpectralInput,
    image_map,
)
from spectramac.compress.techniques.stage import INT8, Quantization, Stage

__all__ = [
    "INT8",
    "BlockCirculant",
    "LowRank",
    "NeuronPruning",
    "NotRunnableError",
    "Pruning",
    "Quantization",
    "RowsSft",
    "Selection",
    "Sft",
    "SpectralInput",
    "Stage",
    "Structured",
    "Technique",
    "image_map",
    "remove_units",
    "unit_importance",
]
