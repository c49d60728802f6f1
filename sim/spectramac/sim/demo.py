# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``make sim``: a compressed network classifies handwritten digits on the simulated accelerator.

The network's weights are sparse, quantized Fourier coefficients. Every output and every hardware counter
of the RTL is compared with the golden model; a cocotb bench then repeats a part with random stalls on the
bus. Exit status 1 if anything differs.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from spectramac.compiler.compile import compile_network
from spectramac.compress.data import digits
from spectramac.compress.size import dense_bytes
from spectramac.host import cli_report
from spectramac.host.accelerator import Accelerator, RunResult
from spectramac.host.cli_files import Model
from spectramac.host.cli_run import compare
from spectramac.host.transport import Transport, open_transport
from spectramac.model.batch import accuracy
from spectramac.model.network import Network, load_network
from spectramac.sim.accelerator_bench import bench_accelerator
from spectramac.sim.transport import SimTransport
from spectramac.spec.config import PRESETS, preset
from spectramac.spec.errors import SpectramacError

__all__ = ["DemoResult", "demo_network", "main", "report_table", "run_demo", "speed_table"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class DemoResult:
    """One preset's run over the digits.

    Attributes
    ----------
    preset : str
    float_accuracy : float or None
        Of the dense float network, percent, as noted when it was trained.
    golden_accuracy, rtl_accuracy : float
        Percent.
    n_outputs, n_different : int
        Outputs compared, and those that differ between RTL and golden model.
    differences : list of str
        Everything that differs: outputs, counters, cycles of layers, flags.
    dense_bytes, stored_bytes : int
    counted, predicted : float
        Cycles per inference.
    utilisation : float
        Share of cycles in which the lanes multiplied.
    n_multipliers, n_lane_multipliers : int
    dense_cycles : float
        Cycles per inference of a perfect dense engine with as many multipliers.
    simulated_cycles : int
    seconds : float
        Wall clock of the simulation alone.
    """

    preset: str
    float_accuracy: float | None
    golden_accuracy: float
    rtl_accuracy: float
    n_inferences: int
    n_outputs: int
    n_different: int
    differences: list[str]
    dense_bytes: int
    stored_bytes: int
    counted: float
    predicted: float
    utilisation: float
    n_multipliers: int
    n_lane_multipliers: int
    dense_cycles: float
    simulated_cycles: int
    seconds: float

    @property
    def ratio(self) -> float:
        """Compression over dense int8, every stored byte counted."""
        return self.dense_bytes / self.stored_bytes

    @property
    def cycles_per_second(self) -> float:
        """Simulation speed."""
        return self.simulated_cycles / self.seconds if self.seconds else 0.0


def demo_network() -> Network:
    """The trained, compressed demonstration network that comes with the project.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    """
    import spectramac.compress.data as package

    path = Path(str(package.__file__)).parent / "data" / "digits.npz"
    if not path.is_file():
        raise FileNotFoundError(
            f"the demonstration network must be at {path}; `spectramac train-demo` makes it"
        )
    return load_network(path)


def _scenario(
    transport: Transport, model: Model, x: NDArray[np.int8], progress: Progress | None
) -> RunResult:
    accelerator = Accelerator(transport, model.config)
    accelerator.identify()
    accelerator.load(model.image)
    return accelerator.run(x, progress=progress)


def run_demo(
    preset_name: str,
    *,
    network: Network | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
) -> DemoResult:
    """Classify the held-out digits on the simulated RTL of a preset and on the golden model.

    Parameters
    ----------
    preset_name : str
    network : Network, optional
        64 inputs, 10 outputs; the demonstration's by default.
    limit : int, optional
        Only the first images.
    progress : callable, optional
        Called with the inferences done on the RTL, and their total.
    """
    network = demo_network() if network is None else network
    config = preset(preset_name)
    model = Model(compile_network(network, config), config, network)
    sample = digits()
    x, labels = sample.x_test[:limit], sample.y_test[:limit]
    with open_transport("model", config) as device:
        golden = _scenario(device, model, x, None)
    with SimTransport(config) as simulated:
        start, first = time.perf_counter(), simulated.cycles
        rtl = _scenario(simulated, model, x, progress)
        seconds, cycles = time.perf_counter() - start, simulated.cycles - first
    sizes = [network.n_inputs, *(layer.n_out for layer in network.layers)]
    n_weights = sum(a * b for a, b in itertools.pairwise(sizes))
    noted = network.meta.get("float_accuracy")
    return DemoResult(
        preset=preset_name,
        float_accuracy=None if noted is None else float(noted),
        golden_accuracy=accuracy(golden.outputs, labels),
        rtl_accuracy=accuracy(rtl.outputs, labels),
        n_inferences=len(x),
        n_outputs=rtl.outputs.size,
        n_different=int((rtl.outputs != golden.outputs).sum()),
        differences=compare(model, x, rtl, golden),
        dense_bytes=dense_bytes(sizes),
        stored_bytes=model.image.stored_bytes,
        counted=rtl.cycles_per_inference,
        predicted=golden.cycles_per_inference,
        utilisation=rtl.utilisation,
        n_multipliers=config.n_multipliers,
        n_lane_multipliers=config.multipliers["lanes"],
        dense_cycles=n_weights / config.n_multipliers,
        simulated_cycles=cycles,
        seconds=seconds,
    )


def report_table(result: DemoResult) -> Table:
    """The table of ``make sim``."""
    noted = result.float_accuracy
    rows = [
        ("accuracy, dense float network", "not noted" if noted is None else f"{noted:.2f} %"),
        ("accuracy, golden model", f"{result.golden_accuracy:.2f} %"),
        ("accuracy, RTL", f"{result.rtl_accuracy:.2f} %"),
        ("differing outputs, RTL and golden", f"{result.n_different} of {result.n_outputs}"),
        ("stored bytes, dense int8", f"{result.dense_bytes}"),
        ("stored bytes, compressed", f"{result.stored_bytes} ({result.ratio:.1f} times less)"),
        ("cycles per inference, counted", f"{result.counted:.1f}"),
        ("cycles per inference, predicted", f"{result.predicted:.1f}"),
        ("cycles per inference, perfect dense engine", f"{result.dense_cycles:.1f}"),
        ("lane utilisation", f"{100 * result.utilisation:.1f} %"),
        ("multipliers", f"{result.n_multipliers} ({result.n_lane_multipliers} in lanes)"),
        ("simulated cycles per second", f"{result.cycles_per_second:.0f}"),
    ]
    title = f"{result.n_inferences} handwritten digits on preset {result.preset}"
    return cli_report.table(title, ("", ""), rows)


def speed_table(results: Sequence[DemoResult]) -> Table:
    """Speed of several presets side by side."""
    header = (
        "preset",
        "multipliers",
        "cycles/inference",
        "predicted",
        "perfect dense",
        "lane utilisation",
        "differing",
        "simulated cycles/s",
    )
    rows = [
        (
            r.preset,
            r.n_multipliers,
            f"{r.counted:.1f}",
            f"{r.predicted:.1f}",
            f"{r.dense_cycles:.1f}",
            f"{100 * r.utilisation:.1f} %",
            r.n_different,
            f"{r.cycles_per_second:.0f}",
        )
        for r in results
    ]
    return cli_report.table("Handwritten digits on the simulated RTL", header, rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m spectramac.sim.demo",
        description="Classify handwritten digits on the simulated accelerator.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--preset", choices=list(PRESETS), default="small", help="configuration")
    parser.add_argument("--limit", type=int, help="only the first digits")
    parser.add_argument("--network", type=Path, help="another network file with 64 inputs")
    parser.add_argument("--bench-digits", type=int, default=4, help="digits of the cocotb bench")
    parser.add_argument("--no-cocotb", action="store_true", help="skip the cocotb bench")
    options = parser.parse_args(arguments)
    if options.limit is not None and options.limit < 1:
        parser.error("--limit must be at least 1")
    try:
        network = demo_network() if options.network is None else load_network(options.network)
        cli_report.note(f"building the simulation of preset {options.preset} (once)")
        with cli_report.progress("simulating") as progress:
            result = run_demo(
                options.preset, network=network, limit=options.limit, progress=progress
            )
        cli_report.show(report_table(result))
        for difference in result.differences:
            print(f"error: {difference}", file=sys.stderr)
        if not options.no_cocotb:
            _show_bench(options.preset, network, options.bench_digits)
    except (SpectramacError, RuntimeError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 1 if result.differences else 0


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
