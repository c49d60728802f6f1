# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Random convolutions in tiles, and the program of one."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.compiler.lower_tiles import tile_passes
from spectramac.compiler.map_view import MapView
from spectramac.compiler.segment import Program
from spectramac.model.map_node import Arithmetic, MapResult, Shape
from spectramac.model.map_window import Window
from spectramac.model.tiles import TileConvolution
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.image import Image, Placement

__all__ = ["TileProgram", "random_tiles", "random_window", "tile_program"]

Ints = NDArray[np.int64]


def random_window(rng: np.random.Generator, side: int) -> Window:
    """A kernel that a tile holds, rectangular, strides 1 and 2 mixed, each edge with padding of its own."""
    kernel = tuple(int(k) for k in rng.integers(1, side + 1, 2))
    stride = tuple(int(s) for s in rng.integers(1, 3, 2))
    padding = tuple(tuple(int(p) for p in rng.integers(0, k, 2)) for k in kernel)
    return Window(kernel, stride, padding)  # type: ignore[arg-type]


def random_tiles(
    rng: np.random.Generator,
    config: AcceleratorConfig,
    *,
    side: int,
    shape: Shape,
    n_out: int,
    bits: int = 8,
    density: float = 1.0,
    window: Window | None = None,
    loud: bool = False,
) -> TileConvolution:
    """A node whose outputs are mostly in range; ``loud``: sums that saturate."""
    window = window or random_window(rng, side)
    while (
        min(s + sum(p) - k for s, p, k in zip(shape, window.padding, window.kernel, strict=False))
        < 0
    ):
        window = random_window(rng, side)
    peak = (1 << (bits - 1)) - 1
    channels, n = shape[2], side**2
    q = rng.integers(-peak - 1, peak + 1, (n_out, channels, n // 2, 2))
    q[rng.random(q.shape[:3]) >= density] = 0
    log2_n = n.bit_length() - 1
    node = TileConvolution(
        name="tiles", inputs=("x",), channels=channels, side=side, coefficients=q, coefficient_bits=bits,
        window=window, halve_in=0 if loud else _stages(rng, log2_n, log2_n // 4),
        halve_out=_stages(rng, log2_n, log2_n // 2), level=int(rng.choice([0, 1, 1])),
        relu=bool(rng.integers(2)), maximum=int(rng.choice([127, 127, 90])),
        bias=np.zeros(n_out, int), multiplier=1, shift=0,
    )  # fmt: skip
    return _scaled(rng, node, config, shape, loud)


def _stages(rng: np.random.Generator, log2_n: int, n: int) -> int:
    """Some stages that halve, at least ``n``."""
    some = rng.permutation(log2_n)[: int(rng.integers(n, log2_n + 1))]
    return int(sum(1 << int(stage) for stage in some))


def _scaled(
    rng: np.random.Generator,
    node: TileConvolution,
    config: AcceleratorConfig,
    shape: Shape,
    loud: bool,
) -> TileConvolution:
    """With a threshold, row shifts and scales that suit the values of a random input."""
    x = rng.integers(-100, 101, (2, *shape))
    exact = Arithmetic(config.data_width, config.twiddle_width, 50)
    sums = node.sums(x, exact)
    bits = max(0, int(np.abs(sums).max()).bit_length() - config.data_width + (0 if loud else 2))
    node = replace(node, row_shift=bits + rng.integers(0, 2, node.n_out))
    sigma = max(1.0, float(node.values(sums, exact)[0].std()))
    shift = 14 - int(np.floor(np.log2(40 / sigma)))
    scales: dict[str, Any] = {
        "row_shift": node.row_shift,
        "bias": rng.integers(-int(sigma) - 1, int(sigma) + 2, node.n_out) * int(rng.integers(2)),
        "multiplier": rng.integers(1 << 14, 1 << 15, node.n_out),
        "shift": np.clip(shift + rng.integers(0, 2, node.n_out), 0, 31),
    }
    if rng.integers(2):
        scales |= {name: int(scales[name][0]) for name in ("multiplier", "shift", "row_shift")}
    if rng.integers(3) == 0:
        # About the magnitude that columns have: white inputs, of which each stage makes two and may halve them.
        size = 2 * 58 * node.side / 2 ** node.halve_in.bit_count()
        scales["level"] = int(rng.random() * size**2)
    return replace(node, **scales)


@dataclass
class TileProgram:
    """A node's image; inputs and outputs are flattened maps."""

    node: TileConvolution
    image: Image
    outputs: Ints
    """Positions of the output map in the image's output."""
    shape: Shape

    def expected(self, x: Ints, config: AcceleratorConfig) -> MapResult:
        """Of inputs (batch, n_inputs), by the golden model of graphs."""
        return self.node.run(x.reshape(-1, *self.shape), arithmetic=Arithmetic.of(config))


def tile_program(
    rng: np.random.Generator,
    node: TileConvolution,
    config: AcceleratorConfig,
    shape: Shape,
    n_pairs: int,
    *,
    most: int | None = None,
) -> TileProgram:
    """Lay a node out: as many descriptors as it needs, maps with gaps at random addresses."""
    program = Program(config)
    out_shape = node.output_shape(shape)
    base = int(rng.integers(8))
    views, positions = [], []
    for height, width, channels in (shape, out_shape):
        pixel = channels + int(rng.integers(3))
        row = width * pixel + int(rng.integers(3))
        stride = height * row + int(rng.integers(3))
        views.append(MapView((0, height), (0, width), channels, base, stride, row, pixel))
        y, x, c = np.indices((height, width, channels))
        positions.append((y * row + x * pixel + c).reshape(-1))
        base += n_pairs * stride
    for some in tile_passes(node, *views, shape[:2], config, most=most):
        program.append(some)
    places = [
        Placement(view.base, view.pair_stride, int(where.max()) + 1)
        for view, where in zip(views, positions, strict=True)
    ]
    image = Image(
        identity=config.identity(),
        build_id=config.build_id,
        n_layers=len(program.passes),
        layers=({},) * len(program.passes),
        input=places[0],
        output=places[1],
        n_inputs=len(positions[0]),
        input_map=tuple(positions[0].tolist()),
        max_pairs=n_pairs,
        sections=program.sections(),
    )
    return TileProgram(node, image, positions[1], shape)
