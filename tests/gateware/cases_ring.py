# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Random jobs over a ring of accumulators, and what must become of them; see :mod:`tests.gateware.cases`."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tests.gateware.cases import Words
from tests.gateware.cases_back import Entries, random_columns

from spectramac.spec.config import OUTPUT_SLOTS, AcceleratorConfig

__all__ = ["RingCase", "ring_case"]


@dataclass
class RingCase:
    """Jobs with markers among them.

    Attributes
    ----------
    outputs : list
        Rows (row, lane, 4) of each marker that ``writes``, in order.
    ring : int array (row, lane, 4)
        What is left.
    """

    entries: Entries
    settings: dict[str, int]
    taps: list[int]
    ring: Any
    jobs: Words = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    overflow: bool = False


def ring_case(
    config: AcceleratorConfig,
    rng: np.random.Generator,
    *,
    is_narrow: bool,
    is_indexed: bool,
    n_jobs: int = 120,
    n_rows: int = 8,
    loud: float = 0.1,
) -> RingCase:
    """A tap table of any contents; nearly all that happens, in ``n_rows`` neighbouring rows of the ring."""
    n_lanes, depth = config.n_lanes, config.accumulator_depth
    kind = {"is_narrow": is_narrow, "is_indexed": is_indexed}
    entries = Entries.random(config, rng, **kind, loud=loud)
    taps = rng.integers(0, n_rows, config.tap_depth) - n_rows // 2
    far = rng.random(config.tap_depth) < 0.1
    taps[far] = rng.integers(depth, size=far.sum())
    pixel_rows = int(rng.integers(1, 5))
    back = int(rng.integers(2 * depth))
    settings = entries.settings | {"retire_rows": back, "in_ring": 1}
    ring = np.zeros((depth, n_lanes, 4), np.int64)
    case = RingCase(entries, settings, (taps % depth).tolist(), ring)
    origin = int(rng.integers(depth))
    for _ in range(n_jobs):
        place = (origin + int(rng.integers(n_rows))) % depth
        retires = int(rng.random() < 0.4)
        writes = int(retires and rng.random() < 0.6)
        position = {"ring": (place + retires * back) % depth, "retires": retires, "writes": writes}
        position |= {"apart": 0, "load": 0, "own": 0}
        x = random_columns(config, rng, loud)
        job = dict(zip(("a1", "a2", "b1", "b2"), x.tolist(), strict=True))
        if retires:
            # Nobody makes the values of a marker zero.
            job |= dict.fromkeys(("entry", "base", "is_complex"), 0)
            case.jobs.append(job | {"count": pixel_rows, "marker": 1} | position)
            rows = (place + np.arange(pixel_rows)) % depth
            if writes:
                case.outputs.append(ring[rows].copy())
            ring[rows] = 0
            continue
        entry, count = int(rng.integers(len(entries.d) - 4)), int(rng.integers(1, 4))
        numbers = np.cumsum(1 + entries.d[entry : entry + count], axis=0) - 1
        base = int(rng.integers(config.tap_depth - numbers.max()))
        is_complex = int(rng.integers(2))
        position["apart"] = apart = is_complex & int(rng.integers(2))
        job |= {"entry": entry, "count": count, "base": base}
        case.jobs.append(job | {"is_complex": is_complex, "marker": 0} | position)
        for k in range(count):
            rows = (place + taps[base + numbers[k]]) % depth
            case.overflow |= entries.add(config, ring, entry + k, rows, x, is_complex, apart)
    assert len(case.outputs) > OUTPUT_SLOTS, "too few outputs to use a part of bank 1 twice"
    return case
