# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the cocotb bench of the whole accelerator on any model and inputs."""

import dataclasses
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spectramac.sim.cocotb_runner import BenchResult, run_bench
from spectramac.sim.transport import TOP, accelerator_verilog
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.image import Image

__all__ = ["AcceleratorBench", "bench_accelerator"]

BENCHES = Path(__file__).parent / "benches"


@dataclass(frozen=True, eq=False)
class AcceleratorBench:
    """What the bench says, and the arrays that the driver got in it."""

    bench: BenchResult
    outputs: NDArray[np.int8]
    layer_cycles: NDArray[np.int64]


def bench_accelerator(
    config: AcceleratorConfig,
    image: Image,
    x: NDArray[np.int8],
    *,
    stalls: Literal["none", "source", "sink", "both"] = "both",
    seed: int = 1,
    waves: str | None = None,
    timeout: float = 600,
) -> AcceleratorBench:
    """Run ``image`` on inputs ``x`` under cocotb; every output and counter is checked there.

    Parameters
    ----------
    config, image, x
        As for :class:`spectramac.host.accelerator.Accelerator`.
    stalls : str
        Sides of the bus that stall at random.
    seed : int
    waves : str, optional
        Name of an FST trace in ``build/waves``.
    timeout : float
        Seconds.

    Raises
    ------
    BenchError
        If anything differs from the golden model, or the bench does not end.
    """
    with tempfile.TemporaryDirectory(prefix="accelerator-bench.") as name:
        folder = Path(name)
        image.save(folder / "model.img")
        np.save(folder / "inputs.npy", x, allow_pickle=False)
        arguments = {
            "folder": str(folder),
            "config": dataclasses.asdict(config),
            "stalls": stalls,
            "seed": seed,
            "budget": 2_000_000,
        }
        result = run_bench(
            accelerator_verilog(config),
            TOP,
            "bench_accelerator",
            bench_dir=BENCHES,
            arguments=arguments,
            waves=waves,
            timeout=timeout,
        )
        with np.load(folder / "result.npz", allow_pickle=False) as arrays:
            return AcceleratorBench(result, arrays["outputs"], arrays["layer_cycles"])
