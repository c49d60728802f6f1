# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Random stimulus for the blocks up to the scheduler, and what the golden model says must come out.

No simulator here: the cocotb benches (tests/cocotb), the tests in Amaranth's simulator (tests/gateware) and
the mutation check all use the same cases. The other blocks are in :mod:`tests.gateware.cases_back`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spectramac.model.spectrum import pair_map, split, threshold
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.payloads import control_fields, job_fields, row_width

__all__ = [
    "CONFIG",
    "SETTLE",
    "SINGLE",
    "ColumnsCase",
    "SchedulerCase",
    "accompanying",
    "amplitudes",
    "columns_case",
    "phases_case",
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


def accompanying(config: AcceleratorConfig, rng: np.random.Generator) -> dict[str, int]:
    """What goes with columns of a convolution, at random; nothing without maps."""
    _, _, _, _, *fields = control_fields(config)
    return {field.name: int(rng.integers(1 << field.width)) for field in fields}


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
            } | accompanying(config, rng)
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
        control |= accompanying(config, rng)
        case.bins.append({"first": zero, "second": zero, **control})
        kept = int(level == 0)
        values_out = dict.fromkeys(("a1", "a2", "b1", "b2"), 0)
        case.kept.append({**values_out, "keep_a": kept, "keep_b": kept, **control})
        case.labels.append(f"frame {frame}, marker")
    return case


@dataclass
class SchedulerCase:
    """Kept columns in, jobs out; the directory in ``memory``."""

    memory: list[int]
    settings: dict[str, int]
    columns: Words = field(default_factory=list)
    jobs: Words = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    skipped: int = 0

    def counts(self, base: int, n_columns: int) -> list[int]:
        """The directory from word ``base``: counts of so many columns and complex bins."""
        uniform = self.settings["uniform_count"]
        if not uniform:
            return self.memory[base : base + n_columns]
        flags = [self.memory[base + n // 8] >> n % 8 & 1 for n in range(n_columns)]
        return [uniform * flag for flag in flags]

    def add_pair(
        self,
        config: AcceleratorConfig,
        rng: np.random.Generator,
        counts: Sequence[int],
        entry: int,
        where: str,
        *,
        keep: Sequence[int],
        position: Mapping[str, int],
    ) -> int:
        """A column pair with the counts of its directory words; returns the next entry's number."""
        a1, a2, b1, b2 = amplitudes(rng, config.column, (1, 4))[0].tolist()
        place = int(rng.integers(1 << row_width(config)))
        self.columns.append(
            {"a1": a1, "a2": a2, "b1": b1, "b2": b2, "keep_a": keep[0], "keep_b": keep[1]}
            | {"joint": int(rng.integers(2)), "base": place, "marker": 0, "final": 0}
            | position
        )
        is_complex = len(counts) == 3
        kept = [keep[0] | keep[1], *keep] if is_complex else keep
        names = [f.name for f in job_fields(config)]
        for kind, count in enumerate(counts):
            if count and kept[kind]:
                values = {"b1": b1, "b2": b2}
                values |= {"a1": b1, "a2": b2} if kind == len(counts) - 1 else {"a1": a1, "a2": a2}
                self.jobs.append(
                    values
                    | {"entry": entry, "count": count, "base": place, "marker": 0}
                    | {"is_complex": int(is_complex and kind == 0)}
                    | {name: position.get(name, 0) for name in names}
                )
                self.labels.append(f"{where}, word {kind}")
            self.skipped += bool(count and not kept[kind])
            entry += count
        return entry

    def add_marker(
        self,
        config: AcceleratorConfig,
        where: str,
        *,
        final: int,
        position: Mapping[str, int],
        count: int | None = 1,
    ) -> None:
        """A marker, and its job: of any entry; None if it goes no further."""
        names = ("a1", "a2", "b1", "b2", "keep_a", "keep_b", "joint", "base")
        self.columns.append(dict.fromkeys(names, 0) | {"marker": 1, "final": final} | position)
        if count is None:
            return
        job = dict.fromkeys(("a1", "a2", "b1", "b2", "base", "is_complex"), 0)
        job |= {f.name: position.get(f.name, 0) for f in job_fields(config)}
        self.jobs.append(job | {"entry": None, "count": count, "marker": 1})
        self.labels.append(f"{where}, marker")


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
    memory = random_directory(config, rng)
    memory[base + 1] = 255
    memory = np.maximum(memory, 255 if uniform_count else 1) if full else memory
    settings = {"directory_base": base, "is_complex": int(is_complex)}
    if config.maps:
        # Of a convolution before.
        stale = ("phase_words", "pixel_rows", "entry_1", "entry_2", "entry_3")
        settings |= {name: int(rng.integers(1, 1 << 16)) for name in stale}
    case = SchedulerCase(memory.tolist(), settings | {"uniform_count": uniform_count})
    counts = np.reshape(case.counts(base, size), (n_groups, n_columns, kinds)).tolist()
    for pair in range(n_pairs):
        entry = 0
        for group in range(n_groups):
            where = f"pair {pair}, group {group}"
            for r in range(n_columns):
                keep = [1, 1] if full else rng.integers(0, 2, 2).tolist()
                words, label = counts[group][r], f"{where}, columns {r}"
                position = accompanying(config, rng)
                entry = case.add_pair(
                    config, rng, words, entry, label, keep=keep, position=position
                )
            final = int(group == n_groups - 1)
            case.add_marker(config, where, final=final, position=accompanying(config, rng))
    return case


def random_directory(config: AcceleratorConfig, rng: np.random.Generator) -> Any:
    """Words of directory memory, many of them 0."""
    memory = rng.integers(0, 256, config.directory_depth)
    memory[rng.random(len(memory)) < 0.4] = 0
    return memory


def phases_case(
    config: AcceleratorConfig,
    rng: np.random.Generator,
    *,
    is_complex: bool,
    uniform_count: int = 0,
    n_positions: int = 30,
    n_columns: int = 3,
) -> SchedulerCase:
    """A convolution's positions, in any order of four phases; some have no pixel, and most end no output."""
    kinds = 3 if is_complex else 2
    size = n_columns * kinds
    words = (-(-size // 8) if uniform_count else size) + int(rng.integers(3))
    base = int(rng.integers(config.directory_depth - 4 * words))
    entries = [0, *rng.integers(1 << 17, size=3).tolist()]
    settings = {"directory_base": base, "is_complex": int(is_complex), "is_convolution": 1}
    settings |= {"phase_words": words, "pixel_rows": int(rng.integers(1, 17))}
    settings |= {f"entry_{f}": entries[f] for f in (1, 2, 3)} | {"uniform_count": uniform_count}
    case = SchedulerCase(random_directory(config, rng).tolist(), settings)
    phase = 0
    for n in range(n_positions):
        position = accompanying(config, rng)
        where = f"position {n}, phase {phase}"
        entry = entries[phase]
        counts = np.reshape(case.counts(base + phase * words, size), (n_columns, kinds)).tolist()
        for r in range(n_columns if rng.random() < 0.7 else 0):
            keep = rng.integers(0, 2, 2).tolist()
            label = f"{where}, columns {r}"
            entry = case.add_pair(
                config, rng, counts[r], entry, label, keep=keep, position=position
            ) % (1 << 17)
        count = settings["pixel_rows"] if position["retires"] else None
        case.add_marker(config, where, final=1, position=position, count=count)
        phase = position["next_phase"]
    return case
