# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Noise, latency, resources and clock of the pipelined transform: ``make bench-fft``.

Every core sits between registers (:mod:`spectramac.sim.synth_wrapper`), whose own cells are subtracted.
The clock is the median over several placements. Noise is measured on the bit-exact model, against a
double-precision transform of the same integers.

- *disc*: white noise, uniform in the disc of radius ``2**(width-1) - 1``; *square*: in the full square;
- *worst*: of single frames: full-scale tones at every bin, and random corners of the square.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from spectramac.gateware.fft import FFT
from spectramac.host import fft_product
from spectramac.host.fft_noise import noise
from spectramac.host.fft_product import default_twiddle_width
from spectramac.sim.devices import ECP5_85F, GW1NR_9C, LIFCL_40, UP5K
from spectramac.sim.synth import DoesNotFitError, synthesize
from spectramac.sim.toolchain import ToolError
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.timing import fft_latency

__all__ = ["bench"]

TARGETS = {
    device.technology: dataclasses.replace(device, target_mhz=mhz)
    for device, mhz in ((ECP5_85F, 300.0), (UP5K, 60.0), (GW1NR_9C, 200.0), (LIFCL_40, 250.0))
}
"""Device of each technology."""
VARIANTS = ("halving", "growth", "block", "per_stage")
"""``per_stage`` is the engine's: size, direction, dimension and scaling of each frame chosen at run time."""
DEFAULTS = {"ecp5": (("halving", "per_stage"), (64, 256, 1024))}
"""Scalings and sizes that are measured on each device if none are given; halving of 64 points on others."""


def _noise(config: FFTConfig) -> dict[str, float]:
    disc, square, tones, signs, *_ = noise(config)
    worst = min(tones.worst, signs.worst)
    return {
        "disc": round(disc.together, 2),
        "square": round(square.together, 2),
        "worst": round(worst, 2),
    }


def configuration(
    points: int, variant: str, technology: str, width: int, samples_per_clock: int = 1
) -> FFTConfig:
    """What is measured; the engine's twiddle factors have 16 bits."""
    twiddle_width = 16 if variant == "per_stage" else default_twiddle_width(technology)
    return fft_product.configuration(
        points, width, twiddle_width, variant, samples_per_clock=samples_per_clock
    )


def _place(config: FFTConfig, technology: str, seeds: int, mhz: float | None) -> dict[str, Any]:
    core = FFT(config, technology=technology)
    design = f"fft{config.n_max}"
    report = synthesize(core, TARGETS[technology], design=design, seeds=seeds, target_mhz=mhz)
    used = {item.name: item.used for item in report.resources}
    # One LUT for each output bit: o, i.ready, two flags.
    wrapper_luts = len(core.o.payload.as_value()) + 4
    cells = {}
    if "logic cell" in used:
        # Each of these LUTs has one of its flip-flops; those that capture outputs may be the core's cells, and count.
        own = report.wrapper_flip_flops - wrapper_luts
        cells["logic_cell"] = used["logic cell"] - own
    path = report.path
    return {
        "device": report.device,
        **cells,
        "lut": used["LUT"] - wrapper_luts,
        "ff": used["FF"] - report.wrapper_flip_flops,
        "block_ram": used["block RAM"],
        "dsp": used["DSP"],
        "mhz": [round(mhz, 1) for mhz in report.clock_mhz],
        "critical_path": [path.start, *path.through, path.end] if path else [],
        "tools": report.tools,
    }


def bench(
    points: int,
    variant: str,
    technology: str,
    samples_per_clock: int = 1,
    *,
    width: int,
    seeds: int,
    mhz: float | None = None,
) -> dict[str, Any]:
    """Everything about one core, as it goes into the report file; ``seeds`` 0 places nothing."""
    config = configuration(points, variant, technology, width, samples_per_clock)
    natural = None
    if config.is_fixed and samples_per_clock == 1:
        natural = fft_latency(dataclasses.replace(config, order="natural"), config.log2_n_max)
    row = {
        "points": points,
        "width": width,
        "twiddle_width": config.twiddle_width,
        "scaling": variant,
        "technology": technology,
        "samples_per_clock": samples_per_clock,
        "latency": fft_latency(config, config.log2_n_max),
        "latency_natural": natural,
        "sqnr_db": _noise(config),
    }
    return row | (_place(config, technology, seeds, mhz) if seeds else {})


def _line(row: dict[str, Any]) -> str:
    noise = row["sqnr_db"]
    natural = "-"
    if row["latency_natural"]:
        natural = f"2N {row['latency_natural'] - 2 * row['points']:+}"
    rate = row["samples_per_clock"]
    words = "N  " if rate == 1 else f"N/{rate}"
    text = (
        f"{row['technology']:<7}{row['points']:6} {row['scaling']:<10}{rate:4}   "
        f"{words} + {row['latency'] - row['points'] // rate:<4}  {natural:<8}"
        f"{noise['disc']:7.1f}{noise['square']:8.1f}{noise['worst']:7.1f}"
    )
    if "mhz" in row:
        each = sorted(row["mhz"])
        text += (
            f"{row.get('logic_cell', row['lut']):8}{row['ff']:7}{row['block_ram']:5}{row['dsp']:5}"
            f"{float(np.median(each)):8.1f}  {each[0]:.1f} to {each[-1]:.1f}"
        )
    return text


def _core(row: dict[str, Any]) -> tuple[int, int, int, int, int]:
    """Which core on which device a row is about; the file is sorted by it."""
    technology, scaling = list(TARGETS).index(row["technology"]), VARIANTS.index(row["scaling"])
    return technology, scaling, row["width"], row.get("samples_per_clock", 1), row["points"]


def _others(
    path: Path, work: Sequence[tuple[int, str, str, int]], width: int
) -> list[dict[str, Any]]:
    """Rows of the file on other cores and devices than those of ``work``."""
    if not path.exists():
        return []
    names = ("points", "scaling", "technology", "samples_per_clock")
    now = {_core({"width": width, **dict(zip(names, item, strict=True))}) for item in work}
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["results"]
        return [row for row in rows if _core(row) not in now]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} must be what this command writes, delete it ({type(error).__name__}: {error})"
        ) from None


HEAD = (
    "device points scaling   /clock  latency    natural    disc  square  worst"
    "     LUT     FF  RAM  DSP     MHz  of all seeds"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m spectramac.sim.bench_fft",
        description="Measure the pipelined transform: SQNR in dB, latency in clocks, resources, clock.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--points",
        type=int,
        nargs="+",
        help="sizes; what a device is too small for is left out; None: 64, with ecp5 also 256 and 1024",
    )
    parser.add_argument(
        "--technology", nargs="+", choices=list(TARGETS), default=list(TARGETS), help="devices"
    )
    parser.add_argument("--width", type=int, default=16, help="bits of re and of im")
    parser.add_argument(
        "--scaling",
        nargs="+",
        choices=VARIANTS,
        help="None: halving, with ecp5 also per_stage",
    )
    parser.add_argument(
        "--samples-per-clock",
        type=int,
        nargs="+",
        default=[1],
        help="of each word of the streams: 1, 2, 4 or 8; more than 1 not with block",
    )
    parser.add_argument("--seeds", type=int, default=5, help="placements of each; 0: noise only")
    parser.add_argument(
        "--target-mhz", type=float, help="what nextpnr works towards, instead of the device's"
    )
    parser.add_argument("--jobs", type=int, default=2, help="cores placed at the same time")
    parser.add_argument(
        "--json", type=Path, help="write the results there, beside those of other cores and devices"
    )
    options = parser.parse_args(arguments)
    work = []
    for technology in options.technology:
        scalings, sizes = DEFAULTS.get(technology, (("halving",), (64,)))
        work += [
            (points, variant, technology, rate)
            for variant in options.scaling or scalings
            for rate in options.samples_per_clock
            for points in options.points or sizes
        ]
    rows = []
    print(HEAD)
    try:
        others = _others(options.json, work, options.width) if options.json else []
        with ThreadPoolExecutor(options.jobs) as pool:
            futures = [
                pool.submit(
                    bench,
                    *item,
                    width=options.width,
                    seeds=options.seeds,
                    mhz=options.target_mhz,
                )
                for item in work
            ]
            for future in futures:
                try:
                    rows.append(future.result())
                except DoesNotFitError as error:
                    print(error, flush=True)
                else:
                    print(_line(rows[-1]), flush=True)
    except (ToolError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for row in rows:
        if row.get("critical_path"):
            name = (
                f"{row['technology']} {row['points']} {row['scaling']} {row['samples_per_clock']}"
            )
            print(f"{name}: slowest {' > '.join(row['critical_path'])}")
    for device, tools in {row["device"]: row["tools"] for row in rows if "tools" in row}.items():
        print(device + ", " + ", ".join(f"{k} {v}" for k, v in tools.items()))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        results = sorted(others + rows, key=_core)
        options.json.write_text(json.dumps({"results": results}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
