# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Random depthwise convolutions on the lanes as programs: nodes, inputs, contents of the memories."""

from dataclasses import replace
from typing import Any

import numpy as np
from tests.model.convolution_cases import Prepared, fill, whole
from tests.model.map_cases import maps
from tests.windows import random_node

from spectramac.compiler.lower_depthwise import depthwise_passes
from spectramac.compiler.segment import Program
from spectramac.model.depthwise import DepthwiseConvolution
from spectramac.spec.config import AcceleratorConfig

__all__ = ["prepare", "random_depthwise"]


def single(node: DepthwiseConvolution) -> DepthwiseConvolution:
    """The node with as many output as input channels: the first of all."""
    n = node.channels

    def first(value: Any, size: int) -> Any:
        return value if np.ndim(value) == 0 else np.asarray(value)[:size]

    return replace(
        node,
        coefficients=node.coefficients[:n],
        bias=node.bias[:n],
        multiplier=first(node.multiplier, n),
        shift=first(node.shift, n),
        row_shift=first(node.row_shift, -(-n // 2)),
    )


def random_depthwise(
    rng: np.random.Generator, config: AcceleratorConfig, *, size: int = 8, channels: int = 24
) -> tuple[DepthwiseConvolution, np.ndarray]:
    """A node, and inputs of one to three pairs that fit activation memory with the outputs."""
    while True:
        shape = (*rng.integers(1, size + 1, 2).tolist(), int(rng.integers(1, channels + 1)))
        node: Any = random_node(rng, config, DepthwiseConvolution, shape)
        n_pairs = int(rng.integers(1, 4))
        words = np.prod(shape) + np.prod(node.output_shape(shape))
        if 3 + n_pairs * words <= config.activation_depth:
            return single(node), maps(rng, 2 * n_pairs, *shape)


def prepare(
    node: DepthwiseConvolution,
    x: np.ndarray,
    config: AcceleratorConfig,
    *,
    base: int = 3,
    **changes: int,
) -> Prepared:
    """Through the compiler, on the lanes; ``changes`` to every descriptor. The input map is at address ``base``."""
    shape, out = x.shape[1:], node.output_shape(x.shape[1:])
    source, target = whole(shape, base), whole(out, base + x[0].size * len(x) // 2)
    passes = depthwise_passes(node, source, target, shape[:2], config, always=True)
    assert passes is not None, "the lanes must be able to run the node"
    program = Program(config)
    for some in passes:
        program.append(some)
    return fill(program, x, target, base, **changes)
