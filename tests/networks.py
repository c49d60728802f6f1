# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Random networks that use everything the accelerator can do, within the limits of a configuration."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spectramac.model.fft import fft
from spectramac.model.image import Chunks, image_memories
from spectramac.model.layer import run_layer
from spectramac.model.network import Layer, Network, Transform
from spectramac.model.spectrum import inverse_basis, pair_map, split
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.image import Image

__all__ = [
    "PATTERNS",
    "program_memories",
    "program_outputs",
    "random_input",
    "random_network",
]

Pattern = Literal["dense", "pruned", "rows", "banded", "sft", "complex", "circulant"]
PATTERNS: tuple[Pattern, ...] = (
    "dense",
    "pruned",
    "rows",
    "banded",
    "sft",
    "complex",
    "circulant",
)
"""``dense`` and ``pruned`` fit every transform; ``rows`` leaves whole row pairs empty, ``banded`` clusters
entries far apart (long index gaps); ``sft`` is random with a pair structure; ``complex`` has complex blocks;
``circulant`` is complex and diagonal over frequency."""

Ints = NDArray[np.int64]


def random_input(rng: np.random.Generator, batch: int, n: int) -> Ints:
    """Int8 inputs with zeros and full-scale values among them."""
    x = np.clip(np.rint(rng.normal(0, rng.choice([10, 45]), (batch, n))), -128, 127)
    x[rng.random((batch, n)) < 0.2] = 0
    x[rng.random((batch, n)) < 0.02] = rng.choice([-128, 127])
    return x.astype(np.int64)


def program_memories(image: Image, config: AcceleratorConfig, x: Ints) -> dict[str, Chunks]:
    """All memories before a run on the inputs ``x`` (an even batch): image and activations."""
    contents = image_memories(image, config)
    place = image.input
    mapped = np.zeros((len(x), place.count), np.int64)
    positions = np.arange(image.n_inputs) if image.input_map is None else list(image.input_map)
    mapped[:, positions] = x
    pairs = mapped.reshape(-1, 2, place.count) & 0xFF
    assert len(pairs) <= image.max_pairs
    for i, (first, second) in enumerate(pairs):
        start = place.base + i * place.stride
        contents["activation"][start : start + place.count, 0] = first | second << 8
    return contents


def program_outputs(image: Image, activation: Chunks, batch: int) -> Ints:
    """Outputs (batch, n_outputs) from activation memory after a run."""
    place = image.output
    starts = place.base + place.stride * np.arange(batch // 2)
    words = activation[starts[:, None] + np.arange(place.count), 0].astype(np.int64)
    y = np.stack([words & 0xFF, words >> 8], axis=1).reshape(batch, place.count)
    return (y ^ 0x80) - 0x80


def random_network(
    rng: np.random.Generator,
    config: AcceleratorConfig,
    *,
    max_size: int = 40,
    n_layers: int | None = None,
    pattern: Pattern | None = None,
    overflow: float = 0.05,
) -> Network:
    """A network of 1 to 3 layers that fits ``config``.

    Parameters
    ----------
    rng
    config
    max_size : int
        Largest number of inputs or outputs of a layer, before padding.
    n_layers : int, optional
        Default: random.
    pattern : str, optional
        Pattern of every layer, one of :data:`PATTERNS`. Default: random.
    overflow : float
        Probability that a layer halves so little and shifts its rows so little that FFTs and merge may
        saturate.
    """
    n_layers = n_layers or int(rng.integers(1, min(3, config.n_layers_max) + 1))
    budget = _Budget.share(config, n_layers)
    layers: list[Layer] = []
    n_in = int(rng.integers(1, max_size + 1))
    x = random_input(rng, 8, n_in)
    for i in range(n_layers):
        layer = _random_layer(rng, config, budget, x, max_size, pattern, overflow, f"layer{i}")
        layers.append(layer)
        widths = {"data_width": config.data_width, "twiddle_width": config.twiddle_width}
        x = run_layer(layer, x, **widths).y
    input_map = None
    if rng.random() < 0.3 and layers[0].n_in > 1:
        n_inputs = int(rng.integers(1, layers[0].n_in + 1))
        input_map = rng.permutation(layers[0].n_in)[:n_inputs].astype(np.int32)
    return Network(layers=tuple(layers), input_scale=0.5, output_scale=0.25, input_map=input_map)


@dataclass(frozen=True)
class _Budget:
    """What one layer may use at most."""

    words: int
    directory: int
    channels: int
    activations: int

    @classmethod
    def share(cls, config: AcceleratorConfig, n_layers: int) -> "_Budget":
        """An equal share of every memory; two pairs of inferences shall fit."""
        return cls(
            config.coefficient_depth // n_layers,
            config.directory_depth // n_layers,
            config.channel_depth // n_layers,
            config.activation_depth // 4,
        )

    def holds(
        self, config: AcceleratorConfig, t_in: Transform, t_out: Transform, n_in: int, n_out: int
    ) -> bool:
        """Whether a layer of this size fits, whatever its pattern."""
        padded_in, padded_out = t_in.padded(n_in), t_out.padded(n_out)
        depth = min(config.accumulator_depth, 255)
        blocks = config.n_lanes * depth // (t_out.n // 2)
        if not blocks or padded_in > config.spectrum_depth:
            return False
        group = min(blocks * t_out.n, padded_out)
        n_groups = -(-padded_out // group)
        rows = -(-group // 2 // config.n_lanes)
        return (
            n_groups * rows * padded_in <= self.words
            and n_groups * padded_in // 2 * 3 <= self.directory
            and padded_out <= self.channels
            and max(n_in, n_out) <= self.activations
        )


def _random_layer(
    rng: np.random.Generator,
    config: AcceleratorConfig,
    budget: _Budget,
    x: Ints,
    max_size: int,
    pattern: Pattern | None,
    overflow: float,
    name: str,
) -> Layer:
    """A layer on ``x.shape[1]`` inputs, scaled so that the calibration inputs ``x`` give sensible outputs."""
    n_in = x.shape[1]
    for _ in range(1000):
        chosen = pattern or PATTERNS[rng.integers(len(PATTERNS))]
        t_in, t_out = _transforms(rng, config, chosen)
        n_out = int(rng.integers(1, max_size + 1))
        if budget.holds(config, t_in, t_out, n_in, n_out):
            break
    else:
        raise ValueError(f"max_size must be smaller than {max_size!r} for this configuration")
    bits = int(rng.integers(4, 9))
    saturating = bool(rng.random() < overflow)
    layer = Layer(
        name=name,
        n_in=n_in,
        n_out=n_out,
        t_in=t_in,
        t_out=t_out,
        coefficients=_coefficients(rng, chosen, t_in, t_out, n_in, n_out, bits).astype(np.int16),
        coefficient_bits=bits,
        bias=np.zeros(n_out, np.int32),
        multiplier=1,
        shift=0,
        pattern="complex" if chosen in ("complex", "circulant") else "real",
        relu=bool(rng.random() < 0.5),
        halve_in=0 if saturating else _halving(rng, t_in, config.data_width - 9),
        halve_out=_halving(rng, t_out, 4),
        level=0,
    )
    return _calibrate(rng, config, layer, x, saturating)


def _transforms(
    rng: np.random.Generator, config: AcceleratorConfig, pattern: Pattern
) -> tuple[Transform, Transform]:
    ffts = [Transform("fft1d", 1 << n) for n in range(3, 7) if config.fft.allows(n, two_d=False)]
    ffts += [Transform("fft2d", 1 << n) for n in (4, 6) if config.fft.allows(n, two_d=True)]
    # Short blocks more often, as in real networks.
    ffts += ffts[:1] * 3
    if pattern == "circulant":
        t = ffts[rng.integers(len(ffts))]
        return t, t
    if pattern in ("dense", "pruned", "rows", "banded"):
        ffts += [Transform()] * 5
    return ffts[rng.integers(len(ffts))], ffts[rng.integers(len(ffts))]


def _halving(rng: np.random.Generator, transform: Transform, free: int) -> int:
    """Random halving bits; all but ``free`` stages halve at least, mostly."""
    if not transform.is_fft:
        return 0
    full = transform.n - 1
    wanted = int(rng.integers(max(0, transform.log2_n - free), transform.log2_n + 1))
    bits = rng.permutation(transform.log2_n)[:wanted]
    return full if rng.random() < 0.3 else int(sum(1 << int(bit) for bit in bits))


def _coefficients(
    rng: np.random.Generator,
    pattern: Pattern,
    t_in: Transform,
    t_out: Transform,
    n_in: int,
    n_out: int,
    bits: int,
) -> Ints:
    shape = (t_out.padded(n_out), t_in.padded(n_in))
    top = (1 << (bits - 1)) - 1
    s = rng.integers(-top, top + 1, shape)
    if pattern not in ("complex", "circulant"):
        s[rng.random(shape) < 0.02] = -top - 1
    pairs = s.reshape(shape[0] // 2, 2, shape[1] // 2, 2)
    n_rows, n_columns = pairs.shape[0], pairs.shape[2]
    density = float(rng.choice([0.05, 0.2, 0.5, 0.9]))
    if pattern == "pruned":
        s[rng.random(shape) >= density] = 0
    elif pattern == "rows":
        s[np.repeat(rng.random(n_rows) >= 0.4, 2)] = 0
    elif pattern == "banded":
        s[:] = np.where(rng.random(shape) < 0.03, s, 0)
        s[-2:] = rng.integers(-top, top + 1, (2, shape[1]))
    elif pattern == "sft":
        pairs *= rng.random((n_rows, 1, n_columns, 2)) < density
    elif pattern in ("complex", "circulant"):
        joint_out, joint_in = (
            np.tile(pair_map(t.n, t.two_d).joint, 2 * n // t.n)
            for t, n in ((t_out, n_rows), (t_in, n_columns))
        )
        keep = rng.random((n_rows, n_columns)) < max(density, 0.2)
        if pattern == "circulant":
            half = t_in.n // 2
            keep = np.arange(n_rows)[:, None] % half == np.arange(n_columns) % half
            keep &= rng.random(keep.shape) < rng.choice([0.5, 1.0])
        pairs *= keep[:, None, :, None]
        joint = (joint_out[:, None] & joint_in)[:, None, :]
        a, b = pairs[:, 0, :, 0], pairs[:, 1, :, 0]
        pairs[..., 1] = np.where(joint, np.stack([-b, a], 1), pairs[..., 1])
    return s


def _calibrate(
    rng: np.random.Generator, config: AcceleratorConfig, layer: Layer, x: Ints, overflow: bool
) -> Layer:
    """Choose level, row shift, bias and scale."""
    widths = {"data_width": config.data_width, "twiddle_width": config.twiddle_width}
    layer = replace(layer, level=_level(rng, layer, x, config))
    rows = run_layer(layer, x, **widths).rows.astype(float)
    t = layer.t_out
    blocks = rows.reshape(len(rows), -1, t.n)
    gain = t.n / 2 ** layer.halve_out.bit_count() if t.is_fft else 1.0
    z = blocks @ inverse_basis(t.n, t.two_d).T * gain
    peak = 2 * max(np.abs(rows).max(), np.abs(z).max(), 1.0)
    row_shift = max(0, int(np.ceil(np.log2(peak))) - (config.data_width - 1))
    if overflow:
        row_shift = max(0, row_shift - 3)
    z = z.reshape(len(rows), -1)[:, : layer.n_out] / 2**row_shift
    spread = max(float(z.std()), 0.5)
    n_out = layer.n_out
    bias = np.rint(rng.normal(0, spread / 2, n_out))
    bias = np.clip(bias, config.bias.minimum, config.bias.maximum).astype(np.int32)
    target = float(rng.uniform(25, 60)) / spread
    multiplier: int | NDArray[np.int32] = int(rng.integers(1 << 10, 1 << 15))
    shift: int | NDArray[np.int32] = int(np.clip(np.rint(np.log2(multiplier / target)), 0, 31))
    row_shifts: int | NDArray[np.int32] = row_shift
    if rng.random() < 0.5:
        base = multiplier
        multiplier = rng.integers(base // 2, base + 1, n_out).astype(np.int32)
        if rng.random() < 0.5:
            shift = np.clip(shift + rng.integers(-1, 2, n_out), 0, 31).astype(np.int32)
    if rng.random() < 0.5:
        n_rows = len(layer.coefficients) // 2
        row_shifts = np.clip(row_shift + rng.integers(0, 3, n_rows), 0, 31).astype(np.int32)
    return replace(layer, bias=bias, multiplier=multiplier, shift=shift, row_shift=row_shifts)


def _level(rng: np.random.Generator, layer: Layer, x: Ints, config: AcceleratorConfig) -> int:
    """0, 1, or a level that drops a third or more of the values, so that whole columns are skipped."""
    kind = rng.random()
    if kind < 0.3:
        return int(rng.integers(0, 2))
    t = layer.t_in
    padding = t.padded(layer.n_in) - layer.n_in
    z: Ints = np.pad(x, ((0, 0), (0, padding))).reshape(len(x), -1, t.n)
    zero = np.zeros_like(z)
    if t.is_fft:
        spectrum = fft(
            z, zero, config=config.fft, log2_n=t.log2_n, two_d=t.two_d, halve=layer.halve_in
        )
        z, zero = spectrum.re, spectrum.im
    u, _ = split(z, zero, t.n, t.two_d)
    return int(np.quantile(4 * u * u, 0.3 if kind < 0.6 else 0.8))
