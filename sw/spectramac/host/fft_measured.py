# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What ``make bench-fft`` measured of a product, for its datasheet."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from spectramac.host.docs import markdown_table
from spectramac.spec.fft_config import FFTConfig

__all__ = ["BENCH", "resources"]

BENCH = Path(__file__).resolve().parents[3] / "docs" / "fft-bench.json"
"""Measurements of ``make bench-fft``, in a checkout."""

_BENCH_COLUMNS = {
    "device": "device",
    "logic_cell": "logic cells",
    "lut": "LUT",
    "ff": "flip-flops",
    "block_ram": "block RAM",
    "dsp": "multipliers",
}


def resources(config: FFTConfig, technology: str, bench: Path, *, product: str = "fft") -> str:
    """What ``bench`` has on the product of that module name with this configuration."""
    if bench.is_file():
        try:
            entries = _bench_entries(config, technology, bench, product)
            keys = [key for key in _BENCH_COLUMNS if key != "logic_cell" or technology == "ice40"]
            rows = [(*(entry[key] for key in keys), _clock(entry["mhz"])) for entry in entries]
            tools = dict.fromkeys(
                f"{name} {version}"
                for entry in entries
                for name, version in entry.get("tools", {}).items()
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{bench} must be what `make bench-fft` writes, make it again "
                f"({type(error).__name__}: {error})"
            ) from None
        if rows:
            made = f"\nMade with {', '.join(tools)}.\n" if tools else ""
            return (
                markdown_table((*(_BENCH_COLUMNS[key] for key in keys), "clock, MHz"), rows) + made
            )
    if product != "fft":
        return "Not measured for this configuration.\n"
    return "Not measured for this configuration: `make bench-fft` measures them.\n"


def _bench_entries(
    config: FFTConfig, technology: str, bench: Path, product: str
) -> list[dict[str, Any]]:
    """Placed entries of this configuration; others hold noise only."""
    wanted = {
        "points": config.n_max,
        "width": config.data_width,
        "twiddle_width": config.twiddle_width,
        "scaling": config.scaling,
        "technology": technology,
    }
    return [
        entry
        for entry in json.loads(bench.read_text(encoding="utf-8"))["results"]
        if all(entry[key] == value for key, value in wanted.items())
        and entry.get("order", "bit_reversed") == config.order
        and entry.get("product", "fft") == product
        and entry.get("columns", 1) == 1 << config.log2_columns
        and entry.get("samples_per_clock", 1) == config.samples_per_clock
        and "mhz" in entry
    ]


def _clock(mhz: Sequence[float]) -> str:
    if len(mhz) == 1:
        return f"{mhz[0]:.1f}, one seed"
    return f"{min(mhz):.1f} to {max(mhz):.1f}, median {median(mhz):.1f} of {len(mhz)} seeds"
