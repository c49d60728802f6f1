# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Random stimulus for the blocks up to the scheduler, and what the golden model says must come out.

No simulator here: the cocotb benches (tests/cocotb), the tests in Amaranth's simulator (tests/gateware) and
the mutation check all use the same cases. The other blocks are in :mod:`tests.gateware.cases_back`.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spectramac.model.spectrum import pair_map, split, threshold
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import row_width

__all__ = [
    "CONFIG",
    "SETTLE",
    "SINGLE",
    "ColumnsCase",
    "SchedulerCase",
    "amplitudes",
    "columns_case",
    "scheduler_case",
]

CONFIG = AcceleratorConfig(
    n_lanes=3,
    log2_n_max=4,
    data_width=12,
    twiddle_width=12,
    accumulator_width=20,
    coefficient_depth=128,
    activation_depth=256,
    spectrum_depth=32,
    accumulator_depth=16,
    directory_depth=128,
    channel_depth=64,
    n_layers_max=2,
)
"""Small and odd: quick to build, and lanes are not a power of two."""
SINGLE = CONFIG.replace(
    n_lanes=2,
    fft_architecture="iterative",
    n_threshold_multipliers=1,
    n_requantize_multipliers=1,
    n_accumulator_banks=1,
    n_spectrum_banks=1,
    job_queue_depth=2,
)
"""One of everything that there may be two of."""

SETTLE = 4
"""Cycles in which settings are stable before a start; the sequencer takes no fewer."""

Words = list[dict[str, Any]]


def amplitudes(rng: np.random.Generator, fmt: Any, shape: Any) -> Any:
    """Random integers, each row of a random magnitude; zeros and both extremes among them."""
    low, high = fmt.minimum, fmt.maximum
    shift = rng.integers(0, fmt.width, shape[:-1])[..., None]
    values = rng.integers(low, high + 1, shape) >> shift
    values[rng.random(shape) < 0.1] = 0
    extreme = rng.random(shape) < 0.05
    values[extreme] = rng.choice([low, high], extreme.sum())
    return values


@dataclass
class ColumnsCase:
    """Pairs of spectral values in, kept columns out; ``labels`` say which word is which."""

    level: int
    bins: Words = field(default_factory=list)
    kept: Words = field(default_factory=list)
    labels: list[str] = field(default_factory=list)


def columns_case(
    config: AcceleratorConfig, rng: np.random.Generator, *, level: int, n_frames: int = 3
) -> ColumnsCase:
    """Frames of all kinds (identity, one- and two-dimensional), a marker after each."""
    case = ColumnsCase(level)
    for frame in range(n_frames):
        kinds = [(2, False)] + [(1 << n, False) for n in range(3, config.log2_n_max + 1)]
        kinds += [(1 << n, True) for n in range(4, config.log2_n_max + 1, 2)]
        n, two_d = kinds[int(rng.integers(len(kinds)))]
        re, im = amplitudes(rng, config.data, (2, n))
        pairs = pair_map(n, two_d)
        values, masks = threshold(np.stack(split(re, im, n, two_d)), n, two_d, level)
        keep = masks.any(axis=0)
        for r in range(n // 2):
            first, second = pairs.first[r], pairs.second[r]
            control = {
                "joint": int(pairs.joint[r]),
                "base": int(rng.integers(1 << row_width(config))),
                "marker": 0,
                "final": 0,
            }
            case.bins.append(
                {
                    "first": {"re": int(re[first]), "im": int(im[first])},
                    "second": {"re": int(re[second]), "im": int(im[second])},
                    **control,
                }
            )
            case.kept.append(
                {
                    "a1": int(values[0, 2 * r]),
                    "a2": int(values[1, 2 * r]),
                    "b1": int(values[0, 2 * r + 1]),
                    "b2": int(values[1, 2 * r + 1]),
                    "keep_a": int(keep[2 * r]),
                    "keep_b": int(keep[2 * r + 1]),
                    **control,
                }
            )
            case.labels.append(f"frame {frame}, pair {r}")
        zero = {"re": 0, "im": 0}
        control = {"joint": 0, "base": 0, "marker": 1, "final": int(rng.integers(2))}
        case.bins.append({"first": zero, "second": zero, **control})
        kept = int(level == 0)
        values_out = dict.fromkeys(("a1", "a2", "b1", "b2"), 0)
        case.kept.append({**values_out, "keep_a": kept, "keep_b": kept, **control})
        case.labels.append(f"frame {frame}, marker")
    return case


@dataclass
class SchedulerCase:
    """Kept columns in, jobs out; the directory in ``memory`` from ``base``."""

    base: int
    memory: list[int]
    is_complex: bool
    uniform_count: int = 0
    columns: Words = field(default_factory=list)
    jobs: Words = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    skipped: int = 0


def scheduler_case(
    config: AcceleratorConfig,
    rng: np.random.Generator,
    *,
    is_complex: bool,
    uniform_count: int = 0,
    n_pairs: int = 3,
    n_groups: int = 2,
    n_columns: int = 5,
    full: bool = False,
) -> SchedulerCase:
    """Several inference pairs and row groups over one directory.

    With empty and dropped columns; if ``full``, every column makes a job instead.
    """
    kinds = 3 if is_complex else 2
    size = n_groups * n_columns * kinds
    base = int(rng.integers(config.directory_depth - size))
    memory = rng.integers(0, 256, config.directory_depth)
    memory[rng.random(len(memory)) < 0.4] = 0
    memory[base + 1] = 255
    memory = np.maximum(memory, 255 if uniform_count else 1) if full else memory
    case = SchedulerCase(base, memory.tolist(), is_complex, uniform_count)
    for pair in range(n_pairs):
        number, entry = 0, 0
        for group in range(n_groups):
            for r in range(n_columns):
                where = f"pair {pair}, group {group}, columns {r}"
                a1, a2, b1, b2 = amplitudes(rng, config.column, (1, 4))[0].tolist()
                keep = [1, 1] if full else rng.integers(0, 2, 2).tolist()
                place = int(rng.integers(1 << row_width(config)))
                case.columns.append(
                    {"a1": a1, "a2": a2, "b1": b1, "b2": b2, "keep_a": keep[0], "keep_b": keep[1]}
                    | {"joint": int(rng.integers(2)), "base": place, "marker": 0, "final": 0}
                )
                kept = [keep[0] | keep[1], *keep] if is_complex else keep
                for kind in range(kinds):
                    count = int(memory[base + number])
                    if uniform_count:
                        word, bit = divmod(number, 8)
                        count = uniform_count * (int(memory[base + word]) >> bit & 1)
                    number += 1
                    second = kind == kinds - 1
                    if count and kept[kind]:
                        values = {"b1": b1, "b2": b2}
                        values |= {"a1": b1, "a2": b2} if second else {"a1": a1, "a2": a2}
                        case.jobs.append(
                            values
                            | {"entry": entry, "count": count, "base": place, "marker": 0}
                            | {"is_complex": int(is_complex and kind == 0)}
                        )
                        case.labels.append(f"{where}, word {kind}")
                    case.skipped += bool(count and not kept[kind])
                    entry += count
            final = int(group == n_groups - 1)
            names = ("a1", "a2", "b1", "b2", "keep_a", "keep_b", "joint", "base")
            case.columns.append(dict.fromkeys(names, 0) | {"marker": 1, "final": final})
            job = dict.fromkeys(("a1", "a2", "b1", "b2", "base", "is_complex"), 0)
            case.jobs.append(job | {"entry": None, "count": 1, "marker": 1})
            case.labels.append(f"pair {pair}, group {group}, marker")
    return case
