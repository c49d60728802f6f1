# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Random stimulus for the blocks from lanes to memory; see :mod:`tests.gateware.cases`."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tests.gateware.cases import Words, amplitudes

from spectramac.model.fft import bit_reverse
from spectramac.model.fixed import round_shift, saturate
from spectramac.model.requantize import requantize
from spectramac.model.spectrum import merge, pair_map
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import job_fields

__all__ = [
    "Entries",
    "LanesCase",
    "MapOutputs",
    "MergeCase",
    "RequantizeCase",
    "lanes_case",
    "merge_case",
    "random_columns",
    "requantize_case",
]


@dataclass
class LanesCase:
    """Jobs of several row groups; the sums that each leaves, ``sums[group][row, lane, 4]``."""

    settings: dict[str, int]
    coefficients: list[int]
    indices: list[int]
    groups: list[Words] = field(default_factory=list)
    sums: list[Any] = field(default_factory=list)
    overflows: list[bool] = field(default_factory=list)


def _signed_bits(values: Any, width: int) -> Any:
    return values & ((1 << width) - 1)


@dataclass
class Entries:
    """Random entries in memory: coefficients ``a``, ``b`` and row steps ``d``, (entry, lane) each."""

    a: Any
    b: Any
    d: Any
    settings: dict[str, int]
    coefficients: list[int]
    indices: list[int]

    N_WORDS = 64

    @classmethod
    def random(
        cls,
        config: AcceleratorConfig,
        rng: np.random.Generator,
        *,
        is_narrow: bool,
        is_indexed: bool,
        loud: float,
    ) -> "Entries":
        """Of one format; ``loud``: probability of full scale values."""
        n_lanes, n_words = config.n_lanes, cls.N_WORDS
        per_word = 2 if is_narrow else 1
        width = 4 if is_narrow else 8
        n_entries = n_words * per_word
        top = 1 << (width - 1)
        a, b = rng.integers(-top, top, (2, n_entries, n_lanes))
        a[rng.random((n_entries, n_lanes)) < loud] = -top
        b[rng.random((n_entries, n_lanes)) < loud] = top - 1
        d = np.where(rng.random((n_entries, n_lanes)) < 0.7, 0, rng.integers(0, 3, a.shape))
        d = d if is_indexed else np.zeros_like(d)
        coefficients = np.zeros((n_words, n_lanes, per_word, 2), np.int64)
        coefficients[..., 0] = a.reshape(n_words, per_word, n_lanes).transpose(0, 2, 1)
        coefficients[..., 1] = b.reshape(n_words, per_word, n_lanes).transpose(0, 2, 1)
        flat = _signed_bits(coefficients, width).reshape(n_words, -1)
        index = d.reshape(n_words, per_word, n_lanes).transpose(0, 2, 1).reshape(n_words, -1)
        base_c, base_i = (int(v) for v in rng.integers(0, config.coefficient_depth - n_words, 2))
        settings = {
            "is_narrow": int(is_narrow),
            "is_indexed": int(is_indexed),
            "coefficient_base": base_c,
            "index_base": base_i,
        }
        words = [sum(int(v) << width * k for k, v in enumerate(row)) for row in flat]
        steps = [sum(int(v) << width * k for k, v in enumerate(row)) for row in index]
        return cls(a, b, d, settings, [0] * base_c + words, [0] * base_i + steps)

    def add(
        self,
        config: AcceleratorConfig,
        sums: Any,
        e: int,
        rows: Any,
        x: Any,
        is_complex: int,
        apart: int = 0,
    ) -> bool:
        """What entry ``e`` adds to ``sums`` (row, lane, 4) in ``rows`` of all lanes; whether one saturated."""
        lane = np.arange(config.n_lanes)
        a, b, zero = self.a[e], self.b[e], np.zeros_like(self.a[e])
        steps = [(a, zero if apart else b, x[0], x[1])]
        if is_complex:
            steps.append((zero, b, x[2], x[3]) if apart else (-b, a, x[2], x[3]))
        saturated = False
        for first, second, x1, x2 in steps:
            added = np.stack([first * x1, first * x2, second * x1, second * x2], axis=-1)
            sums[rows, lane], clipped = saturate(sums[rows, lane] + added, config.accumulator)
            saturated |= bool(clipped.any())
        return saturated

    def add_own(self, config: AcceleratorConfig, sums: Any, e: int, rows: Any, own: Any) -> bool:
        """The same with every lane's own columns, (lane, 4): a1, a2, b1, b2."""
        lane = np.arange(config.n_lanes)
        a, b = self.a[e, :, None], self.b[e, :, None]
        added = np.concatenate([a * own[:, :2], b * own[:, 2:]], axis=-1)
        sums[rows, lane], clipped = saturate(sums[rows, lane] + added, config.accumulator)
        return bool(clipped.any())


def random_columns(config: AcceleratorConfig, rng: np.random.Generator, loud: float) -> Any:
    """a1, a2, b1, b2 of a job, often small."""
    scale = config.column if rng.random() < 0.3 else config.activation
    x = amplitudes(rng, scale, (1, 4))[0]
    if rng.random() < 2 * loud:
        x[:] = rng.choice([config.column.minimum, config.column.maximum], 4)
    return x


def lanes_case(
    config: AcceleratorConfig,
    rng: np.random.Generator,
    *,
    is_narrow: bool,
    is_indexed: bool,
    n_groups: int = 3,
    n_jobs: int = 12,
    loud: float = 0.1,
) -> LanesCase:
    """Random jobs, many of them on the row of the job before; ``loud``: probability of full scale values."""
    n_lanes, depth = config.n_lanes, config.accumulator_depth
    kind = {"is_narrow": is_narrow, "is_indexed": is_indexed}
    entries = Entries.random(config, rng, **kind, loud=loud)
    case = LanesCase(entries.settings, entries.coefficients, entries.indices)
    unused = dict.fromkeys((f.name for f in job_fields(config)), 0)
    for _ in range(n_groups):
        sums = np.zeros((depth, n_lanes, 4), np.int64)
        saturated = False
        jobs: Words = []
        base = 0
        for _ in range(n_jobs):
            entry = int(rng.integers(len(entries.d) - 4))
            count = int(rng.integers(1, 4)) if rng.random() < 0.5 else 1
            if rng.random() < 0.4:
                base = int(rng.integers(depth))
            while True:
                rows = base + np.cumsum(1 + entries.d[entry : entry + count], axis=0) - 1
                if rows.max() < depth:
                    break
                base, count = base // 2, max(1, count - 1)
            x = random_columns(config, rng, loud)
            is_complex = int(rng.integers(2))
            job = dict(zip(("a1", "a2", "b1", "b2"), x.tolist(), strict=True))
            jobs.append(
                job
                | {"entry": entry, "count": count, "base": base}
                | {"is_complex": is_complex, "marker": 0}
                | unused
            )
            for k in range(count):
                saturated |= entries.add(config, sums, entry + k, rows[k], x, is_complex)
        jobs.append(dict.fromkeys(jobs[0], 0) | {"count": 1, "marker": 1})
        case.groups.append(jobs)
        case.sums.append(sums)
        case.overflows.append(saturated)
    return case


@dataclass
class MergeCase:
    """A group in the accumulators: ``rows[row][lane]``, packed; and the samples that must come."""

    settings: dict[str, int]
    rows: list[list[int]]
    shifts: list[int]
    samples: Words
    labels: list[str]
    overflow: bool


def merge_case(
    config: AcceleratorConfig,
    rng: np.random.Generator,
    *,
    log2_n: int,
    two_d: bool = False,
    bin_major: bool = False,
    per_row_shift: bool = False,
    loud: bool = False,
) -> MergeCase:
    """A group of as many blocks as fit, or fewer."""
    n_lanes, depth = config.n_lanes, config.accumulator_depth
    m = 1 << log2_n if log2_n else 2
    half = m // 2
    if bin_major:
        n_blocks = int(rng.integers(1, 2 * n_lanes + 1))
        used = -(-n_blocks // n_lanes)
        stride = 1 << (used - 1).bit_length()
        clear_depth = (half - 1) * stride + used
    else:
        n_blocks = int(rng.integers(1, n_lanes * depth // half + 1))
        stride, clear_depth = 0, -(-n_blocks * half // n_lanes)
    assert clear_depth <= depth
    rho = np.arange(n_blocks * half)
    block, s = rho // half, rho % half
    lane, row = (
        (block % n_lanes, s * stride + block // n_lanes)
        if bin_major
        else (rho % n_lanes, rho // n_lanes)
    )
    sums = amplitudes(rng, config.accumulator, (depth, n_lanes, 4))
    first_pair = int(rng.integers(config.channel_depth - len(rho) + 1)) if per_row_shift else 0
    base_shift = (
        int(rng.integers(0, 4)) if loud else config.accumulator_width - config.data_width + 1
    )
    shifts = rng.integers(0, 32, config.channel_depth)
    shifts[first_pair : first_pair + len(rho)] = base_shift + rng.integers(0, 3, len(rho))
    shift = (
        shifts[first_pair : first_pair + len(rho)]
        if per_row_shift
        else np.full(len(rho), base_shift)
    )
    v = sums[row, lane]  # a1, a2, b1, b2
    v1 = v[:, [0, 2]].reshape(n_blocks, m)
    v2 = v[:, [1, 3]].reshape(n_blocks, m)
    pairs = pair_map(m, two_d)
    amounts = np.empty((n_blocks, m), np.int64)
    amounts[:, pairs.first] = amounts[:, pairs.second] = shift.reshape(n_blocks, half)
    z, clipped = saturate(round_shift(np.stack(merge(v1, v2, m, two_d)), amounts), config.data)
    acc = config.accumulator_width
    rows = [
        [sum(int(_signed_bits(x, acc)) << acc * k for k, x in enumerate(cell)) for cell in cells]
        for cells in sums
    ]
    samples, labels = [], []
    for f in range(n_blocks):
        for k in range(m):
            last = int(k == m - 1 or (not log2_n and k % 2 == 1))
            samples.append({"data": {"re": int(z[0, f, k]), "im": int(z[1, f, k])}, "last": last})
            labels.append(f"frame {f}, bin {k}")
    return MergeCase(
        {
            "size": n_blocks * m,
            "first_pair": first_pair,
            "log2_n": log2_n,
            "two_d": int(two_d),
            "bin_major": int(bin_major),
            "column_stride": stride,
            "clear_depth": clear_depth,
            "per_row_shift": int(per_row_shift),
            "row_shift": base_shift,
        },
        rows,
        shifts.tolist(),
        samples,
        labels,
        bool(clipped.any()),
    )


@dataclass
class RequantizeCase:
    """Samples in bit-reversed order; the writes, in order, as (address, word)."""

    settings: dict[str, int]
    biases: list[int]
    scales: list[int]
    samples: Words
    writes: list[tuple[int, int]]
    labels: list[str]
    saturations: int
    n_pairs: int


@dataclass(frozen=True)
class MapOutputs:
    """Fields of a configuration with maps; a layer's output is a vector, 1 by 1, whatever they say."""

    height: int = 1
    width: int = 1
    is_map: bool = True
    no_bias: bool = False
    maximum: int = 127

    def settings(self, rng: np.random.Generator) -> dict[str, int]:
        """Of the requantizer."""
        height, width = (self.height, self.width) if self.is_map else rng.integers(2, 9, 2).tolist()
        return {
            "is_map": int(self.is_map),
            "no_bias": int(self.no_bias),
            "maximum": self.maximum,
            "out_height": height,
            "out_width": width,
            "out_pixel_stride": int(rng.integers(1, 100)),
            "out_row_stride": int(rng.integers(1, 1000)),
        }


def requantize_case(
    config: AcceleratorConfig,
    rng: np.random.Generator,
    *,
    log2_n: int,
    per_channel_scale: bool = False,
    relu: bool = False,
    n_pairs: int = 2,
    n_frames: int = 2,
    maps: MapOutputs | None = None,
) -> RequantizeCase:
    """Several inference pairs of several frames, the last of them partly dropped; with ``maps``, of each pixel."""
    m = 1 << log2_n
    padded = n_frames * m
    n_out = int(rng.integers(padded - m + 1, padded + 1))
    n_pixels = maps.height * maps.width if maps else 1
    z = amplitudes(rng, config.data, (n_pairs * n_pixels, 2, padded))
    bias_base, scale_base = (int(v) for v in rng.integers(0, config.channel_depth - padded + 1, 2))
    biases = amplitudes(rng, config.bias, (1, config.channel_depth))[0]
    multipliers = rng.integers(0, 1 << config.multiplier_width, config.channel_depth)
    shifts = rng.integers(8, 22, config.channel_depth)
    settings = {
        "log2_n": log2_n,
        "n_out": n_out,
        "padded_out": padded,
        "out_base": int(rng.integers(0, 40)),
        "out_stride": int(rng.integers(padded, 48)),
        "bias_base": bias_base,
        "scale_base": scale_base,
        "per_channel_scale": int(per_channel_scale),
        "multiplier": int(rng.integers(1 << 12, 1 << 15)),
        "shift": int(rng.integers(10, 20)),
        "relu": int(relu),
    }
    channels = slice(scale_base, scale_base + padded)
    multiplier: Any = multipliers[channels] if per_channel_scale else settings["multiplier"]
    shift: Any = shifts[channels] if per_channel_scale else settings["shift"]
    bias = biases[bias_base : bias_base + padded]
    if maps:
        settings |= maps.settings(rng)
        bias = 0 * bias if maps.no_bias and maps.is_map else bias
    y, clipped = requantize(z, bias, multiplier, shift, relu)
    y = np.minimum(y, settings.get("maximum", 127))
    order = (np.arange(n_frames)[:, None] * m + bit_reverse(m)).reshape(-1)
    samples: Words = []
    writes, labels = [], []
    for v in range(n_pairs * n_pixels):
        p, pixel = divmod(v, n_pixels)
        base = settings["out_base"] + p * settings["out_stride"]
        if maps:
            base += pixel // maps.width * settings["out_row_stride"]
            base += pixel % maps.width * settings["out_pixel_stride"]
        for k, channel in enumerate(order.tolist()):
            re, im = z[v, :, channel].tolist()
            samples.append({"data": {"re": re, "im": im}, "last": int(k % m == m - 1)})
            if channel < n_out:
                first, second = (_signed_bits(y[v, :, channel], 8)).tolist()
                writes.append((base + channel, first | second << 8))
                labels.append(f"pair {p}, pixel {pixel}, channel {channel}")
    return RequantizeCase(
        settings,
        _signed_bits(biases, config.data_width).tolist(),
        (multipliers | shifts << config.multiplier_width).tolist(),
        samples,
        writes,
        labels,
        int(clipped[..., :n_out].sum()),
        n_pairs,
    )
