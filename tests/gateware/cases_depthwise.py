# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Random stimulus for depthwise convolutions on the lanes; see :mod:`tests.gateware.cases`."""

import numpy as np
from tests.gateware.cases import SchedulerCase, accompanying, amplitudes, random_directory
from tests.gateware.cases_back import Entries, random_columns
from tests.gateware.cases_ring import RingCase

from spectramac.spec.config import OUTPUT_SLOTS, AcceleratorConfig
from spectramac.spec.payloads import job_fields, row_width

__all__ = ["own_case", "own_columns_case"]


def own_case(
    config: AcceleratorConfig,
    rng: np.random.Generator,
    *,
    n_jobs: int = 120,
    n_rows: int = 8,
    loud: float = 0.1,
) -> RingCase:
    """A depthwise convolution: columns to single lanes, entries with all lanes' own, ``pixel_rows`` apart; markers."""
    n_lanes, depth = config.n_lanes, config.accumulator_depth
    entries = Entries.random(config, rng, is_narrow=False, is_indexed=False, loud=loud)
    taps = rng.integers(0, n_rows, config.tap_depth) - n_rows // 2
    pixel_rows = int(rng.integers(1, 5))
    back, origin = int(rng.integers(2 * depth)), int(rng.integers(depth))
    settings = {"retire_rows": back, "in_ring": 1, "is_depthwise": 1, "pixel_rows": pixel_rows}
    ring = np.zeros((depth, n_lanes, 4), np.int64)
    case = RingCase(entries, entries.settings | settings, (taps % depth).tolist(), ring)
    own = np.zeros((n_lanes, 4), np.int64)
    names = ("a1", "a2", "b1", "b2")
    nothing = dict.fromkeys(("entry", "base", "is_complex", "marker", "apart", "load", "own"), 0)
    for number in range(n_lanes + n_jobs):
        place = (origin + int(rng.integers(n_rows))) % depth
        job = nothing | dict(zip(names, random_columns(config, rng, loud).tolist(), strict=True))
        job |= {"ring": place, "retires": 0, "writes": 0}
        kind = 0 if number < n_lanes else int(rng.choice(3, p=(0.4, 0.3, 0.3)))
        if kind == 0:
            lane = number if number < n_lanes else int(rng.integers(n_lanes))
            own[lane] = rng.integers(-128, 128, 4)
            job |= dict(zip(names, own[lane].tolist(), strict=True))
            case.jobs.append(job | {"count": 1, "base": lane, "load": 1})
        elif kind == 1:
            entry, count = int(rng.integers(len(entries.a) - 4)), int(rng.integers(1, 4))
            first = int(rng.integers(config.tap_depth - 3 * pixel_rows))
            job |= {"entry": entry, "count": count, "own": 1}
            case.jobs.append(job | {"base": (first + 1 - pixel_rows) % depth})
            for k in range(count):
                rows = (place + taps[first + k * pixel_rows]) % depth
                case.overflow |= entries.add_own(config, ring, entry + k, rows, own)
        else:
            writes = int(rng.random() < 0.6)
            job |= {"ring": (place + back) % depth, "retires": 1, "writes": writes}
            case.jobs.append(job | {"count": pixel_rows, "marker": 1})
            rows = (place + np.arange(pixel_rows)) % depth
            if writes:
                case.outputs.append(ring[rows].copy())
            ring[rows] = 0
    assert len(case.outputs) > OUTPUT_SLOTS, "too few outputs to use a part of bank 1 twice"
    return case


def own_columns_case(
    config: AcceleratorConfig, rng: np.random.Generator, *, n_pixels: int = 20
) -> SchedulerCase:
    """A depthwise convolution's positions: each pair to a lane, then entries of all; some have no pixel."""
    n_columns, n_lanes = int(rng.integers(1, 3 * config.n_lanes + 1)), config.n_lanes
    rows = -(-n_columns // n_lanes)
    words = rows + int(rng.integers(3))
    base = int(rng.integers(config.directory_depth - 4 * words))
    entries = [0, *rng.integers(1 << 17, size=3).tolist()]
    settings = {"directory_base": base, "is_convolution": 1, "is_depthwise": 1, "is_complex": 0}
    settings |= {"phase_words": words, "pixel_rows": rows, "uniform_count": 0}
    settings |= {f"entry_{f}": entries[f] for f in (1, 2, 3)}
    case = SchedulerCase(np.maximum(random_directory(config, rng), 1).tolist(), settings)
    values = ("a1", "a2", "b1", "b2")
    phase = 0
    for n in range(n_pixels):
        position = accompanying(config, rng)
        where, place = f"position {n}, phase {phase}", int(rng.integers(1 << row_width(config)))
        entry = entries[phase]
        with_position = {f.name: position.get(f.name, 0) for f in job_fields(config)}
        same = {"joint": 0, "base": place, "final": 1, **position}
        nothing = dict.fromkeys(("is_complex", "marker"), 0) | with_position
        for r in range(n_columns if rng.random() < 0.8 else 0):
            x = dict(zip(values, amplitudes(rng, config.column, (1, 4))[0].tolist(), strict=True))
            keep = dict(zip(("keep_a", "keep_b"), rng.integers(0, 2, 2).tolist(), strict=True))
            case.columns.append(x | keep | same | {"marker": 0})
            lane = {"base": r % n_lanes, "load": 1, "count": 1, "entry": None}
            case.jobs.append(nothing | x | lane)
            case.labels.append(f"{where}, load {r}")
            if r % n_lanes == n_lanes - 1 or r == n_columns - 1:
                row = r // n_lanes
                count = case.memory[base + phase * words + row]
                first = (place + row + 1 - rows) % (1 << row_width(config))
                own = {"base": first, "own": 1, "count": count, "entry": entry}
                case.jobs.append(nothing | dict.fromkeys(values) | own)
                case.labels.append(f"{where}, row {row}")
                entry = (entry + count) % (1 << 17)
        count = settings["pixel_rows"] if position["retires"] else None
        case.add_marker(config, where, final=1, position=position, count=count)
        case.columns[-1]["base"] = place
        if count is not None:
            case.jobs[-1]["base"] = place
        phase = position["next_phase"]
    return case
