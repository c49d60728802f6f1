# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Cycles of a compiled network that no input exceeds: those with no column skipped."""

from spectramac.compiler.cycles import predict_layer
from spectramac.model.image import image_memories
from spectramac.model.program import ProgramLayer
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import program
from spectramac.spec.image import Image

__all__ = ["upper_bounds"]


def upper_bounds(image: Image, config: AcceleratorConfig, n_pairs: int) -> list[int]:
    """Predicted cycles of each layer for ``n_pairs`` pairs when no column is skipped."""
    contents = image_memories(image, config)
    words = contents["descriptor"][:, 0].tolist()
    bounds = []
    for i, values in enumerate(program(words, image.n_layers)):
        layer = ProgramLayer(config, contents, i, values)
        bounds.append(predict_layer(config, values, layer.counts, None, n_pairs).cycles)
    return bounds
