# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Random programs of window sums, window maxima and additions, from nodes to memories, without the compiler."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.model.depthwise import AveragePooling, DepthwiseConvolution
from spectramac.model.image import Chunks
from spectramac.model.map_elementwise import Addition, MaxPooling, Rectifier
from spectramac.model.map_node import Arithmetic, MapNode, MapResult, Shape
from spectramac.model.map_window import PIXEL, Window
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.descriptor import FIELDS, Kind, encode, pitch
from spectramac.spec.memory import memories

__all__ = ["NODES", "Place", "WindowProgram", "random_node", "random_program", "random_window"]

NODES = (DepthwiseConvolution, AveragePooling, MaxPooling, Addition, Rectifier)
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Place:
    """Where a map is in activation memory."""

    shape: Shape
    base: int
    stride: int
    row_stride: int
    pixel_stride: int

    def addresses(self, n_pairs: int) -> Ints:
        """(n_pairs, height, width, channels)"""
        strides = (self.stride, self.row_stride, self.pixel_stride, 1)
        grid = np.indices((n_pairs, *self.shape))
        found: Ints = self.base + np.tensordot(strides, grid, 1)
        return found

    def fields(self, side: str) -> dict[str, int]:
        """Of the descriptor of a layer that has the map on this side."""
        return {
            f"{side}_base": self.base,
            f"{side}_stride": self.stride,
            f"{side}_height": self.shape[0],
            f"{side}_width": self.shape[1],
            f"{side}_row_stride": self.row_stride,
            f"{side}_pixel_stride": self.pixel_stride,
            f"n_{side}": self.shape[2],
        }


class WindowProgram:
    """Descriptors and memories of nodes that are added one by one; what is not used is random.

    Parameters
    ----------
    rng
    config : AcceleratorConfig
    n_pairs : int
    """

    def __init__(self, rng: np.random.Generator, config: AcceleratorConfig, n_pairs: int) -> None:
        self.rng, self.config, self.n_pairs = rng, config, n_pairs
        self.table = memories(config)
        self.memories: dict[str, Chunks] = {
            name: rng.integers(0, 1 << min(32, memory.width), (memory.depth, memory.chunks)).astype(np.uint32)
            for name, memory in self.table.items()
            if memory.writable
        }  # fmt: skip
        self.used = {name: int(rng.integers(2)) for name in self.table}
        self.descriptors: list[dict[str, int]] = []
        self.nodes: list[MapNode] = []
        self.inputs: list[tuple[Place, ...]] = []
        self.outputs: list[Place] = []
        self.next_word = 0

    def free(self, name: str) -> int:
        """Words that are left of a memory."""
        return self.table[name].depth - self.used[name]

    def place(self, shape: Shape) -> Place:
        """Room for a map of all pairs; pixels, rows and pairs may have gaps, pairs may interleave."""
        gaps = self.rng.integers(0, 2, 3).tolist()
        if self.rng.random() < 0.2 and self.n_pairs > 1:
            stride = shape[2] + gaps[0]
            pixel = self.n_pairs * stride
            row = pixel * shape[1] + gaps[1]
            size = row * shape[0]
        else:
            pixel = shape[2] + gaps[0]
            row = pixel * shape[1] + gaps[1]
            stride = row * shape[0] + gaps[2]
            size = stride * self.n_pairs
        return Place(shape, self._take("activation", size), stride, row, pixel)

    def _take(self, name: str, size: int) -> int:
        if size > self.free(name):
            raise ValueError(f"{name} memory must have {size} words left, not {self.free(name)}")
        base = self.used[name]
        self.used[name] += size
        return base

    def _store(self, name: str, values: Any) -> int:
        words = np.asarray(values, np.int64)
        base = self._take(name, len(words))
        self.memories[name][base : base + len(words), 0] = words & (
            (1 << self.table[name].width) - 1
        )
        return base  # fmt: skip

    def read(self, activation: Chunks, place: Place) -> Ints:
        """The map, (2 * n_pairs, height, width, channels)."""
        words = activation[place.addresses(self.n_pairs), 0].astype(np.int64)
        values = np.stack([words & 0xFF, words >> 8 & 0xFF], axis=1)
        return ((values ^ 0x80) - 0x80).reshape(-1, *place.shape)

    def add(self, node: MapNode, *inputs: Place) -> Place:
        """A node that reads these maps; returns where it writes."""
        output = self.place(node.output_shape(*(place.shape for place in inputs)))
        fields = dict.fromkeys((field.name for field in FIELDS), 0)
        fields |= inputs[0].fields("in") | output.fields("out") | self._fields(node)
        fields["padded_in"] = -(-fields["n_in"] // 2) * 2
        fields["padded_out"] = fields["group_out"] = -(-fields["n_out"] // 2) * 2
        if len(inputs) == 2:
            first, second = inputs
            assert (first.row_stride, first.pixel_stride) == (
                second.row_stride,
                second.pixel_stride,
            )
            fields |= {"second_base": second.base, "second_stride": second.stride}
        words = encode(fields)
        end = self.next_word + len(words)
        self.memories["descriptor"][self.next_word : end, 0] = words
        self.next_word += pitch(fields["kind"])
        self.descriptors.append(fields)
        self.nodes.append(node)
        self.inputs.append(inputs)
        self.outputs.append(output)
        return output

    def _fields(self, node: MapNode) -> dict[str, int]:
        """What the node itself says."""
        plain = {"no_bias": 1, "multiplier": 1, "maximum": 127, "multiplicity": 1}
        match node:
            case DepthwiseConvolution():
                return (
                    {"kind": Kind.WINDOW_SUM, "maximum": node.maximum, "relu": int(node.relu)}
                    | {"multiplicity": node.n_out // node.channels}
                    | _window(node.window)
                    | {"kernel_base": self._store("kernel", node.coefficients.reshape(-1))}
                    | {"bias_base": self._store("bias", node.bias)}
                    | self._numbers(node)
                )
            case AveragePooling():
                own = {name: getattr(node, name) for name in ("multiplier", "shift", "row_shift")}
                kind = {"kind": Kind.WINDOW_SUM, "unit_kernel": 1}
                return plain | kind | _window(node.window) | own
            case MaxPooling():
                return plain | {"kind": Kind.WINDOW_MAXIMUM} | _window(node.window)
            case Rectifier():
                kind = {"kind": Kind.WINDOW_MAXIMUM, "relu": 1, "maximum": node.maximum}
                return plain | _window(PIXEL) | kind
            case Addition():
                first, second = node.multipliers
                return (
                    plain
                    | _window(PIXEL)
                    | {"kind": Kind.ADDITION, "row_shift": node.shift, "relu": int(node.relu)}
                    | {"maximum": node.maximum}
                    | {"first_multiplier": first, "second_multiplier": second}
                )
        raise TypeError(f"node must be one of NODES, not {node!r}")

    def _numbers(self, node: DepthwiseConvolution) -> dict[str, int]:
        """Row shifts, multipliers and shifts: one for all, or from memories."""
        fields: dict[str, int] = {}
        if np.ndim(node.row_shift):
            base = self._store("row_shift", node.row_shift)
            fields |= {"per_row_shift": 1, "row_shift_base": base}
        else:
            fields["row_shift"] = int(node.row_shift)
        if np.ndim(node.multiplier) or np.ndim(node.shift):
            multiplier = np.broadcast_to(node.multiplier, node.n_out).astype(np.int64)
            shift = np.broadcast_to(node.shift, node.n_out).astype(np.int64)
            words = multiplier | shift << self.config.multiplier_width
            return fields | {"per_channel_scale": 1, "scale_base": self._store("scale", words)}
        return fields | {"multiplier": int(node.multiplier), "shift": int(node.shift)}

    def expected(self, layer: int, activation: Chunks) -> MapResult:
        """What the layer's node makes of its maps as they are in activation memory."""
        maps = (self.read(activation, place) for place in self.inputs[layer])
        return self.nodes[layer].run(*maps, arithmetic=Arithmetic.of(self.config))


def _window(window: Window) -> dict[str, int]:
    names = ("kernel_height", "kernel_width", "stride_y", "stride_x", "top", "left")
    (top, _), (left, _) = window.padding
    return dict(zip(names, (*window.kernel, *window.stride, top, left), strict=True))


def random_window(
    rng: np.random.Generator, shape: Shape, *, kernel: int = 4, stride: int = 2
) -> Window:
    """A window of at most this size that has a place on the map; sometimes all of the map."""
    if rng.random() < 0.1:
        return Window(shape[:2])
    while True:
        size = rng.integers(1, kernel + 1, 2)
        before, after = (rng.integers(0, size) for _ in range(2))
        steps = rng.integers(1, stride + 1, 2)
        padding = tuple((int(a), int(b)) for a, b in zip(before, after, strict=True))
        window = Window(_pair(size), _pair(steps), padding)  # type: ignore[arg-type]
        if all(n + sum(pad) >= k for n, pad, k in zip(shape, padding, window.kernel, strict=False)):
            return window


def _pair(values: Any) -> tuple[int, int]:
    first, second = (int(value) for value in values)
    return first, second


def random_node(
    rng: np.random.Generator, config: AcceleratorConfig, kind: type[MapNode], shape: Shape
) -> MapNode:
    """A node of that class for maps of this shape, scaled so that some outputs saturate and most do not."""
    name: dict[str, Any] = {"name": "n", "inputs": ("x",)}
    maximum = 127 if rng.random() < 0.5 else int(rng.integers(20, 127))
    relu = bool(rng.integers(2))
    if kind is Rectifier:
        return Rectifier(**name, maximum=maximum)
    if kind is Addition:
        top = int(rng.integers(1 << 12, 1 << 15))
        multipliers = (int(rng.integers(top)), top)
        shift = top.bit_length() - int(rng.integers(0, 3))
        name["inputs"] = ("x", "y")
        return Addition(**name, multipliers=multipliers, shift=shift, relu=relu, maximum=maximum)
    if kind is MaxPooling:
        return MaxPooling(**name, window=random_window(rng, shape, stride=5))
    if kind is AveragePooling:
        window = random_window(rng, shape, stride=5)
        row_shift, multiplier, shift = _scale(rng, config, 74 * window.n_taps**0.5)
        return AveragePooling(
            **name, window=window, row_shift=row_shift, multiplier=multiplier, shift=shift
        )
    window = random_window(rng, shape)
    n_out = shape[2] * int(rng.integers(1, 4))
    row_shift, multiplier, shift = _scale(rng, config, 74 * 74 * window.n_taps**0.5)
    numbers: dict[str, Any] = {"row_shift": row_shift, "multiplier": multiplier, "shift": shift}
    if rng.random() < 0.5:
        numbers["row_shift"] = np.clip(row_shift + rng.integers(-1, 2, -(-n_out // 2)), 0, 31)
    if rng.random() < 0.5:
        numbers["multiplier"] = rng.integers(multiplier // 2, multiplier + 1, n_out)
        numbers["shift"] = np.clip(shift + rng.integers(-1, 2, n_out), 0, 31)
    return DepthwiseConvolution(
        **name,
        channels=shape[2],
        coefficients=rng.integers(-128, 128, (n_out, window.n_taps)),
        window=window,
        bias=rng.integers(-100, 100, n_out),
        relu=relu,
        maximum=maximum,
        **numbers,
    )


def _scale(
    rng: np.random.Generator, config: AcceleratorConfig, sigma: float
) -> tuple[int, int, int]:
    """Row shift, multiplier and shift that bring sums of this standard deviation to about 60 steps; some overflow."""
    bits = max(0, int(np.ceil(np.log2(sigma))) - config.data_width + 4 - int(rng.integers(0, 3)))
    gain = 60 * 2**bits / sigma
    shift = 14 - int(np.floor(np.log2(gain)))
    return bits, min(32767, int(gain * 2**shift)), min(31, shift)


def random_program(
    rng: np.random.Generator,
    config: AcceleratorConfig,
    n_pairs: int,
    kinds: tuple[type[MapNode], ...],
    *,
    size: int = 7,
    channels: int = 5,
) -> WindowProgram:
    """A layer of each of these classes; each reads maps of its own or what the layer before wrote.

    Parameters
    ----------
    size, channels : int
        Largest extent and number of channels of a map that is not written by a layer.
    """
    while True:
        program = WindowProgram(rng, config, n_pairs)
        try:
            for kind in kinds:
                if program.outputs and rng.random() < 0.5:
                    first = program.outputs[-1]
                else:
                    height, width = (int(n) for n in rng.integers(1, size + 1, 2))
                    first = program.place((height, width, int(rng.integers(1, channels + 1))))
                places = [first]
                if kind is Addition:
                    places.append(_like(program, first))
                program.add(random_node(rng, config, kind, first.shape), *places)
        except ValueError as error:
            if "words left" not in str(error):
                raise
        else:
            return program


def _like(program: WindowProgram, place: Place) -> Place:
    """A map with the same strides between pixels and rows, anywhere."""
    size = place.row_stride * place.shape[0]
    stride = size + int(program.rng.integers(3))
    base = program._take("activation", stride * program.n_pairs)
    return Place(place.shape, base, stride, place.row_stride, place.pixel_stride)
