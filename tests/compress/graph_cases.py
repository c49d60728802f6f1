# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""ONNX models of one operator, and how far an integer node may be from the exact result.

R is the exact result in output steps, before rounding and clipping, of the node's integer inputs and the weights that
its coefficients stand for. A node without transforms narrows v to z = v / 2^row_shift, off by at most half if the
shift is not 0; the bias is rounded, off by at most half; one unit of z is g = multiplier / 2^shift steps; the
multiplier is off by at most 2^-15 of itself, of a result of at most 129 steps in range; the result is rounded:

    |y - clip(R)| ≤ ½ + g · (½ + ½) + 129 · 2^-15

Out of range both are the bound of the range. A limit (ReLU6) is rounded by half a step, which is less.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from tests.graph.onnx_models import model

from spectramac.model.convolution import Convolution, FullyConnected
from spectramac.model.depthwise import AveragePooling, DepthwiseConvolution
from spectramac.model.fft import error_bound
from spectramac.model.layer import fft_config
from spectramac.model.map_elementwise import Addition
from spectramac.model.map_node import Arithmetic, MapNode
from spectramac.model.network import Layer, Transform
from spectramac.model.spectrum import pair_map
from spectramac.model.tiles import TileConvolution
from spectramac.spec.fft_config import FFTConfig

__all__ = [
    "FLOAT32",
    "ConvCase",
    "conv_model",
    "layer_bound",
    "node_bound",
    "random_case",
    "without_softmax",
]

FLOAT32 = 2e-3
"""Steps by which onnxruntime's sums of float32 may be off: up to 2000 products at 2^-24 of some hundred steps."""
MULTIPLIER = 129 * 2.0**-15


def _gain(multiplier: Any, shift: Any) -> float:
    return float(np.max(np.asarray(multiplier) / 2.0 ** np.asarray(shift)))


def _plain(node: Any) -> float:
    """Without transforms."""
    rounded = 0.5 * (np.max(node.row_shift) > 0)
    return 0.5 + _gain(node.multiplier, node.shift) * (rounded + 0.5) + MULTIPLIER


def _transformed(
    sums: NDArray[np.float64], row_shift: Any, t: Transform, halve_out: int, config: FFTConfig
) -> float:
    """Units of z by which a value may be off, from errors of the sums (row pairs, 2) on.

    Sums are shifted and rounded, off by ½ more. Two of them are added in the merge of a complex bin; the inverse sums
    all bins of a block, halved in some stages, and adds its own error.
    """
    shift = np.broadcast_to(np.asarray(row_shift), len(sums))
    joint = np.tile(pair_map(t.n, t.two_d).joint, len(sums) * 2 // t.n)
    merged = np.where(joint, sums.sum(axis=1), sums.max(axis=1)) / 2.0**shift
    parts = merged + np.where((shift == 0) & ~sums.any(axis=1), 0.0, 0.5)
    if not t.is_fft:
        return float(parts.max())
    bins = 2 * np.sqrt(2) * parts.reshape(-1, t.n // 2).sum(axis=1)
    return float(bins.max()) / 2 ** halve_out.bit_count() + error_bound(config, t.log2_n, halve_out)


def layer_bound(layer: Layer, data_width: int = 15) -> float:
    """Of a layer with any transforms, from the bound of its FFTs (:func:`~spectramac.model.fft.error_bound`).

    A packed bin off by E makes columns off by at most 2E (sums of two bins), and sums off by 2E·Σ|q|.
    """
    config = fft_config(layer, data_width, 16)
    before = error_bound(config, layer.t_in.log2_n, layer.halve_in) if layer.t_in.is_fft else 0.0
    sums = 2 * before * np.abs(layer.coefficients.astype(np.int64)).sum(axis=1).reshape(-1, 2)
    z = _transformed(sums, layer.row_shift, layer.t_out, layer.halve_out, config)
    return 0.5 + _gain(layer.multiplier, layer.shift) * (z + 0.5) + MULTIPLIER


def tile_bound(node: TileConvolution, data_width: int = 15) -> float:
    """As of a layer."""
    t, config = node.transform, Arithmetic(data_width).fft(node.transform.log2_n)
    q = np.abs(node.coefficients.astype(np.int64)).sum(axis=1)  # (n_out, pairs, 2)
    joint = pair_map(t.n, t.two_d).joint[:, None]
    each = np.where(joint, q.sum(axis=-1, keepdims=True), q)
    sums = 2 * error_bound(config, t.log2_n, node.halve_in) * each.reshape(-1, 2)
    shift = np.repeat(np.broadcast_to(node.row_shift, node.n_out), t.n // 2)
    z = _transformed(sums, shift, t, node.halve_out, config)
    return 0.5 + _gain(node.multiplier, node.shift) * (z + 0.5) + MULTIPLIER


def node_bound(node: MapNode) -> float:
    """Steps by which a node may be off (the module's description)."""
    if isinstance(node, Convolution | FullyConnected):
        return layer_bound(node.layer)
    if isinstance(node, TileConvolution):
        return tile_bound(node)
    if isinstance(node, DepthwiseConvolution):
        return _plain(node)
    if isinstance(node, AveragePooling):
        return _plain(node) - 0.5 * _gain(node.multiplier, node.shift)  # no bias
    if isinstance(node, Addition):
        return 0.5 + 2 * 128 * 0.5 / 2**node.shift  # each multiplier is rounded
    return 0.0


@dataclass(frozen=True)
class ConvCase:
    """A convolution in floating point."""

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    stride: tuple[int, ...]
    pads: tuple[int, ...]
    groups: int
    shape: tuple[int, ...]
    limit: float | None

    @property
    def model(self) -> onnx.ModelProto:
        """Conv and, with a limit, a ReLU or ReLU6."""
        return conv_model(self, self.weight)

    def inputs(self, rng: np.random.Generator, batch: int = 4) -> NDArray[np.float32]:
        return rng.normal(size=(batch, *self.shape)).astype(np.float32)


def conv_model(case: ConvCase, weight: NDArray[np.float64]) -> onnx.ModelProto:
    """With other weights."""
    nodes = [
        helper.make_node(
            "Conv", ["x", "w", "b"], ["y" if case.limit is None else "c"], name="conv",
            strides=case.stride, pads=case.pads, group=case.groups,
        )
    ]  # fmt: skip
    constants = {"w": weight.astype(np.float32), "b": case.bias.astype(np.float32)}
    if case.limit == np.inf:
        nodes.append(helper.make_node("Relu", ["c"], ["y"], name="relu"))
    elif case.limit is not None:
        constants |= {"low": np.float32(0), "high": np.float32(case.limit)}
        nodes.append(helper.make_node("Clip", ["c", "low", "high"], ["y"], name="relu6"))
    made = model(nodes, constants, shape=("n", *case.shape))
    made.ir_version = 8
    return made


def random_case(rng: np.random.Generator, *, depthwise: bool = False) -> ConvCase:
    """Kernels of 1 to 7, or 10 x 4; stride 1 or 2; any padding below the kernel; one axis or two."""
    rank = int(rng.choice([1, 2, 2, 2]))
    kernel = tuple(rng.integers(1, 8, rank)) if rng.random() < 0.8 else (10, 4)[:rank]
    stride = tuple(int(s) for s in rng.integers(1, 3, rank))
    before, after = ([int(rng.integers(0, k)) for k in kernel] for _ in range(2))
    least = [max(1, k - a - b) for k, a, b in zip(kernel, before, after, strict=True)]
    size = [int(rng.integers(low, k + 8)) for low, k in zip(least, kernel, strict=True)]
    n_in = int(rng.integers(1, 13))
    n_out = n_in * int(rng.integers(1, 3)) if depthwise else int(rng.integers(1, 14))
    shape = (n_out, 1 if depthwise else n_in, *(int(k) for k in kernel))
    spread = np.geomspace(0.1, 1, n_out)[rng.permutation(n_out)].reshape(-1, *(1,) * (rank + 1))
    return ConvCase(
        weight=rng.normal(size=shape) * spread,
        bias=rng.normal(size=n_out),
        stride=stride,
        pads=(*before, *after),
        groups=n_in if depthwise else 1,
        shape=(n_in, *size),
        limit=[None, np.inf, float(rng.uniform(0.5, 4))][rng.integers(3)],
    )


def without_softmax(made: onnx.ModelProto) -> onnx.ModelProto:
    """The same up to the input of its last node, a Softmax."""
    last = made.graph.node[-1]
    assert last.op_type == "Softmax"
    made.graph.output[0].name = last.input[0]
    made.graph.node.remove(last)
    onnx.checker.check_model(made, full_check=True)
    return made
