# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Cycles of a compiled network that no input exceeds: those with no column skipped."""

from spectramac.compiler.cycles import predict_layer
from spectramac.model.image import image_memories
from spectramac.model.program import ProgramLayer
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import PITCH, WORDS, decode
from spectramac.spec.image import Image

__all__ = ["upper_bounds"]


def upper_bounds(image: Image, config: AcceleratorConfig, n_pairs: int) -> list[int]:
    """Predicted cycles of each layer for ``n_pairs`` pairs when no column is skipped."""
    contents = image_memories(image, config)
    words = contents["descriptor"][:, 0]
    bounds = []
    for i in range(image.n_layers):
        values = decode(words[PITCH * i : PITCH * i + WORDS].tolist())
        layer = ProgramLayer(config, contents, i, values)
        bounds.append(predict_layer(config, values, layer.counts, None, n_pairs).cycles)
    return bounds
