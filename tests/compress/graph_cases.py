# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""ONNX models of one operator, and how far an integer node may be from the exact result.

R is the exact result in output steps, before rounding and clipping, of the node's integer inputs and the weights that
its coefficients stand for. A node without transforms narrows v to z = v / 2^row_shift, off by at most half if the
shift is not 0; the bias is rounded, off by at most half; one unit of z is g = multiplier / 2^shift steps; the
multiplier is off by at most 2^-15 of itself, of a result of at most 129 steps in range; the result is rounded:

    |y - clip(R)| ≤ ½ + g · (½ + ½) + 129 · 2^-15

Out of range both are the bound of the range. A limit (ReLU6) is rounded by half a step, which is less.

Transforms round hundreds of values for one output. Their worst case says nothing; taken as independent noise they add
a standard deviation σ (:func:`noise`) to R. Six of them take the place of the half that narrowing costs above, and
the RMS of all differences is at most √(1/12 + σ²), the rounding of the output and σ.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from tests.graph.onnx_models import model

from spectramac.compress.graph_codes import Coded
from spectramac.compress.quantize import Codes
from spectramac.compress.sft import inverse_sft
from spectramac.compress.tile_codes import TileCodes
from spectramac.model.convolution import Convolution, FullyConnected
from spectramac.model.depthwise import AveragePooling, DepthwiseConvolution
from spectramac.model.map_elementwise import Addition
from spectramac.model.map_node import Arithmetic, MapNode
from spectramac.model.network import Transform
from spectramac.model.spectrum import pair_map
from spectramac.model.tiles import TileConvolution
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import plan

__all__ = [
    "FLOAT32",
    "ConvCase",
    "check_differences",
    "conv_model",
    "effective",
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


def _variance(
    config: FFTConfig, log2_n: int, halve: int, power: float, variance: float = 0.0
) -> float:
    """Of each part of a transform's output, if each of its roundings is independent noise of 1/12.

    Noise of ``variance`` comes in, on values of mean square ``power``. A butterfly doubles both, halving divides by
    four and rounds; a twiddle factor is off by noise of 1/12 of its last place in each part, and its product is
    rounded.
    """
    for stage in plan(config)[config.log2_n_max - log2_n :]:
        variance, power = 2 * variance, 2 * power
        if halve >> (stage.m - 1) & 1:
            variance, power = variance / 4 + 1 / 12, power / 4
        if stage.product:
            variance += (1 + power / 4.0**config.twiddle.fraction) / 12
    return variance


def _transformed(
    q: NDArray[np.int64],
    row_shift: NDArray[np.int64],
    t_in: tuple[Transform, int],
    t_out: tuple[Transform, int],
    data_width: int,
) -> float:
    """Variance of z behind transforms, for coefficients (row pairs, 2, columns).

    A column is the sum of two bins, twice the variance of one. A sum has Σ q² of that; shifted and rounded; two of
    them are added in the merge of a complex bin. Inputs have at most the power of two full-scale int8, the inverse
    that of the data width.
    """
    (before, halve_in), (after, halve_out) = t_in, t_out
    config = Arithmetic(data_width).fft(before.log2_n, after.log2_n)
    column = 0.0
    if before.is_fft:
        column = 2 * _variance(config, before.log2_n, halve_in, 2 * 4.0**7)
    sums = column * (q.astype(np.float64) ** 2).sum(axis=2) / 4.0 ** row_shift[:, None]
    joint = np.tile(pair_map(after.n, after.two_d).joint, 2 * len(q) // after.n)
    parts = np.where(joint, sums.sum(axis=1), sums.max(axis=1)) + 1 / 12
    if not after.is_fft:
        return float(parts.max())
    blocks = parts.reshape(-1, after.n // 2).mean(axis=1)
    power = 4.0 ** (data_width - 1) / after.n  # the inverse adds up to full scale
    return _variance(config, after.log2_n, halve_out, power, float(blocks.max()))


def noise(node: MapNode, data_width: int = 15) -> float:
    """Standard deviation, in output steps, of what a node's transforms and narrowings add before its last rounding."""
    if isinstance(node, Convolution | FullyConnected):
        layer = node.layer
        q = layer.coefficients.astype(np.int64)
        shift = np.broadcast_to(np.asarray(layer.row_shift, np.int64), len(q) // 2)
        t_in, t_out = (layer.t_in, layer.halve_in), (layer.t_out, layer.halve_out)
        variance = _transformed(q.reshape(len(q) // 2, 2, -1), shift, t_in, t_out, data_width)
        return _gain(layer.multiplier, layer.shift) * np.sqrt(variance + 1 / 12)
    assert isinstance(node, TileConvolution)
    t = node.transform
    joint = pair_map(t.n, True).joint[:, None]
    a, b = np.moveaxis(node.coefficients.astype(np.int64), -1, 0)  # (n_out, n_in, pairs)
    first, second = (
        np.stack([a, np.where(joint[:, 0], b, 0)]),
        np.stack([b, np.where(joint[:, 0], a, 0)]),
    )
    rows = np.stack([first, second]).transpose(2, 4, 0, 1, 3).reshape(-1, 2, 2 * a.shape[1])
    shift = np.repeat(np.broadcast_to(np.asarray(node.row_shift, np.int64), node.n_out), t.n // 2)
    variance = _transformed(rows, shift, (t, node.halve_in), (t, node.halve_out), data_width)
    return _gain(node.multiplier, node.shift) * np.sqrt(variance + 1 / 12)


def node_bound(node: MapNode) -> float:
    """Steps by which a node may be off (the module's description)."""
    if isinstance(node, TileConvolution):
        return 0.5 + 6 * noise(node) + 0.5 * _gain(node.multiplier, node.shift) + MULTIPLIER
    if isinstance(node, Convolution | FullyConnected):
        layer = node.layer
        if not (layer.t_in.is_fft or layer.t_out.is_fft):
            return _plain(layer)
        return 0.5 + 6 * noise(node) + 0.5 * _gain(layer.multiplier, layer.shift) + MULTIPLIER
    if isinstance(node, DepthwiseConvolution):
        return _plain(node)
    if isinstance(node, AveragePooling):
        return _plain(node) - 0.5 * _gain(node.multiplier, node.shift)  # no bias
    if isinstance(node, Addition):
        return 0.5 + 2 * 128 * 0.5 / 2**node.shift  # each multiplier is rounded
    return 0.0


def check_differences(node: MapNode, difference: NDArray[np.float64]) -> None:
    """Assert that differences from the reference, in steps, are within what the node rounds.

    A channel may be constant (all its weights pruned, or behind its ReLU), and then its error is: the RMS counts
    as one of as many samples as there are channels.
    """
    assert np.abs(difference).max() <= node_bound(node) + FLOAT32
    n_channels = len(node.layer.bias if isinstance(node, Convolution) else node.bias)
    transforms = isinstance(node, TileConvolution | Convolution | FullyConnected)
    rms = np.sqrt(1 / 12 + (noise(node) if transforms else _plain(node) - 0.5) ** 2)
    assert np.sqrt(np.mean(difference**2)) <= 1.1 * rms + 0.3 / np.sqrt(n_channels)


def effective(
    coded: Coded | Codes | TileCodes, weight: NDArray[Any], channels: int
) -> NDArray[np.float64]:
    """The kernel that the coefficients stand for, in the shape of ``weight``."""
    assert not isinstance(coded, TileCodes)
    n_out = len(weight)
    if isinstance(coded, Codes):  # depthwise
        return coded.values[:n_out].reshape(weight.shape)
    taps = int(np.prod(weight.shape[2:]))
    columns = coded.codes.codes.shape[1]
    matrix = inverse_sft(coded.codes.values, coded.t_in, coded.t_out, (n_out, columns))
    kernel = matrix.reshape(n_out, taps, -1)[:, :, :channels]
    return kernel.transpose(0, 2, 1).reshape(weight.shape)


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
        # A single channel might be below 0 throughout, which has no scale.
        limit=[None, np.inf, float(rng.uniform(0.5, 4))][rng.integers(3)] if n_out > 2 else None,
    )


def without_softmax(made: onnx.ModelProto) -> onnx.ModelProto:
    """The same up to the input of its last node, a Softmax."""
    last = made.graph.node[-1]
    assert last.op_type == "Softmax"
    made.graph.output[0].name = last.input[0]
    made.graph.node.remove(last)
    onnx.checker.check_model(made, full_check=True)
    return made
