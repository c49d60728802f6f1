# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Compression techniques behind one interface (:mod:`spectramac.compress.techniques.base`)."""

from spectramac.compress.techniques.base import Structured, Technique, Thresholding
from spectramac.compress.techniques.conv import ConvStage, StructuredConv
from spectramac.compress.techniques.conv_sparse import (
    ChannelPruning,
    CirculantConv,
    PrunedConv,
    SftConv,
)
from spectramac.compress.techniques.decomposition import (
    ChannelwiseConv,
    DepthwiseConv,
    SeparableConv,
    Tucker2Conv,
)
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
from spectramac.compress.techniques.spectral_conv import SpectralConv, TileStage
from spectramac.compress.techniques.stage import INT8, NotRunnableError, Quantization, Stage

__all__ = [
    "INT8",
    "BlockCirculant",
    "ChannelPruning",
    "ChannelwiseConv",
    "CirculantConv",
    "ConvStage",
    "DepthwiseConv",
    "LowRank",
    "NeuronPruning",
    "NotRunnableError",
    "PrunedConv",
    "Pruning",
    "Quantization",
    "RowsSft",
    "Selection",
    "SeparableConv",
    "Sft",
    "SftConv",
    "SpectralConv",
    "SpectralInput",
    "Stage",
    "Structured",
    "StructuredConv",
    "Technique",
    "Thresholding",
    "TileStage",
    "Tucker2Conv",
    "image_map",
    "remove_units",
    "unit_importance",
]
