# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Random convolutions as programs: nodes, inputs, contents of the memories."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from tests.model.map_cases import maps, random_layer

from spectramac.compiler.lower_convolution import convolution_passes, dense_passes
from spectramac.compiler.map_view import MapView
from spectramac.compiler.segment import Program
from spectramac.model.convolution import Convolution, FullyConnected
from spectramac.model.image import empty_memories, to_chunks
from spectramac.model.map_window import Window
from spectramac.model.network import Transform
from spectramac.spec.config import AcceleratorConfig, preset
from spectramac.spec.descriptor import decode, encode, n_words, pitch

CONFIG = preset("small").replace(
    name="maps", maps=True, activation_depth=1 << 14, coefficient_depth=1 << 14, n_layers_max=64
)
ODD = AcceleratorConfig(
    name="odd",
    maps=True,
    n_lanes=5,
    log2_n_max=5,
    data_width=14,
    twiddle_width=14,
    accumulator_width=24,
    fft_architecture="iterative",
    n_threshold_multipliers=1,
    n_requantize_multipliers=1,
    n_spectrum_banks=4,
    job_queue_depth=2,
    coefficient_depth=4096,
    spectrum_depth=128,
    accumulator_depth=128,
    tap_depth=64,
    kernel_depth=64,
    n_layers_max=64,
)
"""Whatever presets have not."""


def whole(shape: tuple[int, int, int], base: int) -> MapView:
    height, width, channels = shape
    return MapView(
        (0, height), (0, width), channels, base, height * width * channels, width * channels, channels
    )  # fmt: skip


@dataclass
class Prepared:
    """A convolution in the memories.

    Attributes
    ----------
    program : Program
    memories : dict of str to uint32 array (depth, chunks)
    n_pairs : int
    target : MapView
        Of the output.
    """

    program: Program
    memories: dict[str, NDArray[np.uint32]]
    n_pairs: int
    target: MapView

    @property
    def n_layers(self) -> int:
        """Descriptors."""
        return len(self.program.passes)

    def outputs(self, activation: NDArray[np.uint32]) -> NDArray[np.int8]:
        """The maps (batch, height, width, channels) in activation memory (depth, 1)."""
        shape = (self.target.height, self.target.width, self.target.channels)
        size = int(np.prod(shape))
        out = activation[self.target.base :, 0][: self.n_pairs * size].reshape(
            self.n_pairs, 1, *shape
        )
        both = np.concatenate([out & 0xFF, out >> 8 & 0xFF], axis=1).astype(np.uint8).view(np.int8)
        return both.reshape(2 * self.n_pairs, *shape)


def prepare(
    node: Convolution,
    x: np.ndarray,
    config: AcceleratorConfig = CONFIG,
    *,
    base: int = 3,
    **changes: int,
) -> Prepared:
    """Through the compiler; ``changes`` to every descriptor. The input map is at address ``base``."""
    shape, out = x.shape[1:], node.output_shape(x.shape[1:])
    source, target = whole(shape, base), whole(out, base + x[0].size * len(x) // 2)
    program = Program(config)
    for some in convolution_passes(node, source, target, shape[:2], config):
        program.append(some)
    return fill(program, x, target, base, **changes)


def fill(program: Program, x: np.ndarray, target: MapView, base: int, **changes: int) -> Prepared:
    """A program and its inputs in the memories, from word ``base`` on; ``changes`` to every descriptor."""
    pairs = len(x) // 2
    memories = empty_memories(program.config)
    for name, section in program.sections().items():
        memories[name][: section.n_words] = to_chunks(section)
    start = 0
    for some in program.passes:
        kind = some.values["kind"]
        words = memories["descriptor"][start : start + n_words(kind), 0]
        words[:] = encode(decode(words.tolist()) | changes)
        start += pitch(kind)
    low, high = (x[i::2].reshape(pairs, -1) & 0xFF for i in (0, 1))
    words = memories["activation"][:, 0]
    words[base : base + x[0].size * pairs] = (low | high << 8).reshape(-1)
    return Prepared(program, memories, pairs, target)


def chain(rng: np.random.Generator, n_pairs: int, config: AcceleratorConfig = CONFIG) -> Prepared:
    """Convolution, fully-connected layer, convolution with stride 2, fully-connected layer."""
    shapes = [(5, 6, 4), (5, 6, 6), (4, 4, 3), (2, 2, 5), (1, 1, 7)]
    bases = n_pairs * np.cumsum([0, *(np.prod(shape) for shape in shapes)])
    views = [whole(shape, int(base)) for shape, base in zip(shapes, bases, strict=False)]
    program = Program(config)
    for n, (source, target) in enumerate(pairwise(views)):
        shape, out = shapes[n], shapes[n + 1]
        if n % 2:
            layer = random_layer(
                rng, int(np.prod(shape)), int(np.prod(out)), Transform(), Transform("fft1d", 8)
            )
            dense = FullyConnected(name=f"dense {n}", inputs=("x",), layer=layer)
            passes = dense_passes(dense, source, target, config)
        else:
            stride = (1, 1) if n == 0 else (2, 2)
            layer = random_layer(rng, 9 * 8, out[2], Transform("fft1d", 8), Transform())
            window = Window((3, 3), stride, ((1, 1), (1, 1)))
            node = Convolution(
                name=f"convolution {n}",
                inputs=("x",),
                layer=layer,
                channels=shape[2],
                window=window,
            )
            passes = convolution_passes(node, source, target, shape[:2], config)
        for some in passes:
            program.append(some)
    return fill(program, maps(rng, 2 * n_pairs, *shapes[0]), views[-1], 0)


def transforms(rng: np.random.Generator) -> Transform:
    choices = [Transform(), Transform(), Transform("fft1d", 8), Transform("fft2d", 16)]
    return choices[rng.integers(len(choices))]


def random_node(rng: np.random.Generator) -> tuple[Convolution, np.ndarray]:
    kernel = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    pads = tuple((int(rng.integers(0, k)), int(rng.integers(0, k))) for k in kernel)
    window = Window(kernel, stride, pads)  # type: ignore[arg-type]
    size = [max(1, k - sum(p)) + int(rng.integers(0, 6)) for k, p in zip(kernel, pads, strict=True)]
    channels, n_out = int(rng.integers(1, 20)), int(rng.integers(1, 20))
    t_in, t_out = transforms(rng), transforms(rng)
    layer = random_layer(rng, window.n_taps * t_in.padded(channels), n_out, t_in, t_out)
    level = int(rng.choice([0, 1, 1, 20000]))
    layer = replace(layer, level=level)
    if rng.random() < 0.4:
        codes = layer.coefficients * (rng.random(layer.coefficients.shape) < 0.2)
        layer = replace(layer, coefficients=np.clip(codes, -8, 7), coefficient_bits=4)
    node = Convolution(
        name="c", inputs=("x",), layer=layer, channels=channels, window=window,
        maximum=int(rng.choice([127, 50])),
    )  # fmt: skip
    return node, maps(rng, 2 * int(rng.integers(1, 3)), *size, channels)
