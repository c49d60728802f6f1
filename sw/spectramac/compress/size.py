# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a network costs: stored bytes, everything counted, and multiplications.

:func:`layers_cost` is exact: it lays the layers out as the compiler does and counts the words of every
memory, so that its bytes are the length of what the model image holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from spectramac.compiler.compile import layer_tables
from spectramac.compiler.layout import lay_out
from spectramac.graph.summary import BIAS_BYTES
from spectramac.model.convolution import Convolution, FullyConnected
from spectramac.model.depthwise import DepthwiseConvolution
from spectramac.model.fft import twiddle_index
from spectramac.model.graph_network import GraphNetwork
from spectramac.model.network import Layer, Transform
from spectramac.model.spectrum import pair_map
from spectramac.model.tiles import TileConvolution, tile_outputs
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import PITCH, WORDS
from spectramac.spec.memory import memories

__all__ = [
    "Cost",
    "dense_bytes",
    "dense_graph_bytes",
    "fft_multiplications",
    "graph_multiplications",
    "layers_cost",
]


@dataclass(frozen=True)
class Cost:
    """What a chain of layers stores and computes on one accelerator configuration.

    Attributes
    ----------
    coefficient_bits, index_bits, directory_bits : int
        Values with the padding of their words, row indices likewise, and counts of entries.
    scale_bits, bias_bits, descriptor_bits : int
        Channel scales and row shifts; biases; layer descriptors.
    stored_bytes : int
        All of them, every memory in whole bytes: the length of the model image's payload.
    n_pairs, n_padding : int
        Coefficient pairs that carry something (complex ones once), and those that only fill words or
        bridge index gaps.
    multiplications : int
        For one inference, nothing skipped: with the coefficients (two a pair, four a complex one).
    fft_multiplications : float
        Those of the transforms, for one inference (two share a complex FFT); factors 1 and -j are free,
        odd eighths of the circle take two and others four.
    """

    coefficient_bits: int
    index_bits: int
    directory_bits: int
    scale_bits: int
    bias_bits: int
    descriptor_bits: int
    stored_bytes: int
    n_pairs: int
    n_padding: int
    multiplications: int
    fft_multiplications: float

    @property
    def total_multiplications(self) -> float:
        """With coefficients and in transforms."""
        return self.multiplications + self.fft_multiplications


@lru_cache(maxsize=64)
def fft_multiplications(t: Transform) -> int:
    """Real multiplications of one complex transform, as the golden model factors it."""
    if not t.is_fft:
        return 0
    count = 0
    for m in range(3, t.log2_n + 1, 2):
        eighths, rest = np.divmod(twiddle_index(m, t.log2_n, t.two_d) % (2 << m), (2 << m) // 8)
        count += int(np.where(rest, 4, np.where(eighths % 2, 2, 0)).sum())
    return count


def layers_cost(
    layers: Sequence[Layer], config: AcceleratorConfig, *, runs: Sequence[int] | None = None
) -> Cost:
    """Count what a chain of layers stores, word for word, and its multiplications.

    Equal to what :func:`~spectramac.compiler.compile.compile_network` stores for a network of these layers
    alone (unless it must prefer fewer words to fewer bits to fit the coefficient memory); sizes of memories
    are not checked.

    Parameters
    ----------
    layers : sequence of Layer
    config : AcceleratorConfig
    runs : sequence of int, optional
        How often each layer runs for one inference. Default: once.

    Raises
    ------
    CompileError
        If a layer cannot be laid out for the configuration.
    """
    table = memories(config)
    words = dict.fromkeys(("coefficient", "index", "directory", "bias", "scale", "row_shift"), 0)
    words["descriptor"] = (len(layers) - 1) * PITCH + WORDS
    n_pairs = n_slots = multiplications = 0
    transforms = 0.0
    for layer, n_runs in zip(layers, runs or [1] * len(layers), strict=True):
        layout = lay_out(layer, config)
        for name, values in layer_tables(layer, layout, config).items():
            words[name] += len(values)
        n_pairs += int(np.count_nonzero(layout.a | layout.b))
        n_slots += layout.n_words * config.n_lanes * (2 if layout.is_narrow else 1)
        multiplications += 2 * layout.n_pairs * n_runs
        for t, n in ((layer.t_in, layer.n_in), (layer.t_out, layer.n_out)):
            transforms += n_runs * (t.padded(n) // t.n) * fft_multiplications(t) / 2
    bits = {name: n * table[name].width for name, n in words.items()}
    return Cost(
        coefficient_bits=bits["coefficient"],
        index_bits=bits["index"],
        directory_bits=bits["directory"],
        scale_bits=bits["scale"] + bits["row_shift"],
        bias_bits=bits["bias"],
        descriptor_bits=bits["descriptor"],
        stored_bytes=sum(-(-n // 8) for n in bits.values()),
        n_pairs=n_pairs,
        n_padding=n_slots - n_pairs,
        multiplications=multiplications,
        fft_multiplications=transforms,
    )


def dense_graph_bytes(network: GraphNetwork) -> int:
    """As :func:`dense_bytes`, of a network graph: every weight of its layers, stored or not."""
    total = 0
    for node in network.nodes:
        if isinstance(node, FullyConnected):
            total += (node.layer.n_in + BIAS_BYTES) * node.layer.n_out
        elif isinstance(node, Convolution):
            total += (node.window.n_taps * node.channels + BIAS_BYTES) * node.layer.n_out
        elif isinstance(node, TileConvolution):
            total += (node.window.n_taps * node.coefficients.shape[1] + BIAS_BYTES) * node.n_out
        elif isinstance(node, DepthwiseConvolution):
            total += (node.window.n_taps + BIAS_BYTES) * node.n_out
    return total


def graph_multiplications(network: GraphNetwork) -> tuple[int, float]:
    """Of one inference, nothing skipped, counted as in :class:`Cost`: with coefficients, and in transforms.

    Zeros beyond the borders are multiplied as anything else. Requantization, pooling and sums are not counted.
    """
    products, transforms = 0, 0.0
    for node in network.nodes:
        (height, width, channels), (rows, columns, n_out) = (
            network.shapes[name] for name in (node.inputs[0], node.name)
        )
        if isinstance(node, Convolution | FullyConnected):
            layer = node.layer
            pairs = layer.coefficients[0::2] | layer.coefficients[1::2]
            products += 2 * rows * columns * int(np.count_nonzero(pairs))
            inputs = (
                (height * width, channels) if isinstance(node, Convolution) else (1, layer.n_in)
            )
            sides = [(layer.t_in, *inputs), (layer.t_out, rows * columns, n_out)]
        elif isinstance(node, TileConvolution):
            tile = tile_outputs(node.side, node.window)
            n_tiles = -(-rows // tile[0]) * -(-columns // tile[1])
            bins = node.coefficients.any(axis=3).sum(axis=(0, 1))
            joint = pair_map(node.side**2, True).joint
            products += n_tiles * int(bins @ np.where(joint, 4, 2))
            sides = [(node.transform, n_tiles, n * node.side**2) for n in (channels, n_out)]
        elif isinstance(node, DepthwiseConvolution):
            products += rows * columns * node.coefficients.size
            continue
        else:
            continue
        for t, positions, n in sides:
            transforms += positions * (t.padded(n) // t.n) * fft_multiplications(t) / 2
    return products, transforms


def dense_bytes(sizes: list[int]) -> int:
    """Bytes of a dense int8 network n0 → n1 → …: one a weight, two a bias, nothing else."""
    return sum(a * b + BIAS_BYTES * b for a, b in pairwise(sizes))
