# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``make sim``: compressed networks classify handwritten digits on the simulated accelerator.

Two networks, one of fully-connected layers and one of convolutions; their weights are quantized, most of them sparse
Fourier coefficients. Every output and every hardware counter of the RTL is compared with the golden model; a cocotb
bench then repeats a part of the first with random stalls on the bus. Exit status 1 if anything differs.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from spectramac.compiler.compile import compile_network
from spectramac.compress.data import digits
from spectramac.host import cli_report
from spectramac.model.graph_file import is_graph_file, load_graph
from spectramac.model.network import Network, load_network
from spectramac.sim.accelerator_bench import bench_accelerator
from spectramac.sim.demo_result import DemoResult, report_table, speed_table
from spectramac.sim.demo_run import (
    Progress,
    demo_graph,
    demo_network,
    run_demo,
    run_graph_demo,
    run_preset,
)
from spectramac.spec.config import PRESETS, AcceleratorConfig, preset
from spectramac.spec.errors import SpectramacError

__all__ = [
    "CONVOLUTIONS",
    "DemoResult",
    "demo_graph",
    "demo_network",
    "main",
    "report_table",
    "run_demo",
    "run_graph_demo",
    "run_preset",
    "speed_table",
]

CONVOLUTIONS = preset("conv").replace(name="conv with 4 lanes", n_lanes=4)
"""What the convolutional network runs on: no more multipliers than preset ``small`` has."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m spectramac.sim.demo",
        description="Classify handwritten digits on the simulated accelerator.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    maps = [name for name, config in PRESETS.items() if config.maps]
    others = [name for name in PRESETS if name not in maps]
    parser.add_argument(
        "--preset", choices=others, default="small", help="of fully-connected layers"
    )
    parser.add_argument(
        "--conv-preset", choices=maps, help=f"of convolutions (default: {CONVOLUTIONS.name})"
    )
    parser.add_argument("--limit", type=int, help="only the first digits")
    parser.add_argument(
        "--network", type=Path, help="only this network file, with 64 inputs or a map of 8 x 8 x 1"
    )
    parser.add_argument("--bench-digits", type=int, default=4, help="digits of the cocotb bench")
    parser.add_argument("--no-cocotb", action="store_true", help="skip the cocotb bench")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.limit is not None and options.limit < 1:
        parser.error("--limit must be at least 1")
    chosen = options.conv_preset
    convolutions = CONVOLUTIONS if chosen is None else preset(chosen)
    path: Path | None = options.network
    try:
        agree = True
        if path is None or not is_graph_file(path):
            network = demo_network() if path is None else load_network(path)
            agree &= _run_chain(options, network)
        if path is None or is_graph_file(path):
            agree &= _run_graph(options, convolutions)
    except (SpectramacError, RuntimeError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0 if agree else 1


def _run_chain(options: argparse.Namespace, network: Network) -> bool:
    """Whether nothing differs; raises if the cocotb bench fails."""
    agree = _run(
        options.preset,
        lambda progress: run_demo(
            options.preset, network=network, limit=options.limit, progress=progress
        ),
    )
    if not options.no_cocotb:
        _show_bench(options.preset, network, options.bench_digits)
    return agree


def _run_graph(options: argparse.Namespace, config: AcceleratorConfig) -> bool:
    network = demo_graph() if options.network is None else load_graph(options.network)
    return _run(
        config.name,
        lambda progress: run_graph_demo(
            config, network=network, limit=options.limit, progress=progress
        ),
    )


def _run(preset_name: str, run: Callable[[Progress], DemoResult]) -> bool:
    """Show what comes of it; whether nothing differs."""
    cli_report.note(f"building the simulation of preset {preset_name} (once)")
    with cli_report.progress("simulating") as progress:
        result = run(progress)
    cli_report.show(report_table(result))
    for difference in result.differences:
        print(f"error: {difference}", file=sys.stderr)
    return not result.differences


def _show_bench(preset_name: str, network: Network, n_digits: int) -> None:
    """Run the cocotb bench on a few digits; raises if it fails."""
    config = preset(preset_name)
    cli_report.note("running the cocotb bench of the whole accelerator (built once)")
    image = compile_network(network, config)
    done = bench_accelerator(config, image, digits().x_test[:n_digits])
    cli_report.show(
        f"cocotb: {len(done.bench.passed)} test passed, {done.bench.n_checks} checks "
        f"({n_digits} digits, random stalls on both sides of the bus)"
    )


if __name__ == "__main__":
    sys.exit(main())
