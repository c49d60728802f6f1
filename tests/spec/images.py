# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A hand-made image, independent of the compiler: one dense layer without transforms."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.spec.config import AcceleratorConfig, preset
from spectramac.spec.descriptor import FIELDS, encode
from spectramac.spec.image import Image, Placement
from spectramac.spec.memory import memories
from spectramac.spec.section import Section

__all__ = ["dense_image", "dense_outputs"]


def dense_image(
    weights: NDArray[Any],
    *,
    config: AcceleratorConfig | None = None,
    bias: NDArray[Any] | None = None,
    shift: int = 4,
    max_pairs: int | None = None,
    **fields: Any,
) -> Image:
    """``y = sat8(round((weights @ x + bias) / 2**shift))``; both sizes must be even."""
    config = preset("tiny") if config is None else config
    n_out, n_in = weights.shape
    n_lanes = config.n_lanes
    depth = -(-n_out // (2 * n_lanes))
    rows = np.zeros((depth * n_lanes * 2, n_in), np.int64)
    rows[:n_out] = weights
    entries = rows.reshape(depth, n_lanes, 2, n_in).transpose(3, 0, 1, 2).reshape(-1, 2 * n_lanes)
    coefficients = [
        int.from_bytes(bytes(int(v) & 0xFF for v in word), "little") for word in entries
    ]
    n_pairs = config.activation_depth // (n_in + n_out) if max_pairs is None else max_pairs
    stride = n_in + n_out
    values = dict.fromkeys((field.name for field in FIELDS), 0) | {"maximum": 127}
    values |= {"n_in": n_in, "n_out": n_out, "padded_in": n_in, "padded_out": n_out}
    values |= {"group_out": n_out, "clear_depth": depth, "multiplier": 1, "shift": shift}
    values |= {"in_stride": stride, "out_base": n_in, "out_stride": stride}
    biases = np.zeros(n_out, np.int64) if bias is None else bias
    words = {
        "coefficient": coefficients,
        "directory": [depth] * n_in,
        "bias": [int(b) % (1 << config.data_width) for b in biases],
        "descriptor": encode(values),
    }
    sections = {
        name: Section.from_words(list_, memories(config)[name].width)
        for name, list_ in words.items()
    }
    layer = {"name": "dense", "n_in": n_in, "n_out": n_out}
    settings: dict[str, Any] = {
        "identity": config.identity(),
        "build_id": config.build_id,
        "n_layers": 1,
        "layers": (layer,),
        "input": Placement(0, stride, n_in),
        "output": Placement(n_in, stride, n_out),
        "n_inputs": n_in,
        "max_pairs": n_pairs,
        "sections": sections,
    }
    return Image(**settings | fields)


def dense_outputs(
    weights: NDArray[Any], x: NDArray[Any], *, bias: NDArray[Any] | None = None, shift: int = 4
) -> NDArray[np.int8]:
    """What :func:`dense_image` computes, in exact integers (ties to even)."""
    z = x.astype(np.int64) @ weights.T.astype(np.int64) + (0 if bias is None else bias)
    rounded = np.rint(z / float(1 << shift))
    return np.clip(rounded, -128, 127).astype(np.int8)
