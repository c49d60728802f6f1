# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``python -m spectramac.host.bench_narrow``: the most accurate networks for a few kilobytes.

Writes ``results.json`` as results come, and ``bench-narrow.md``. Started again with the same ``--out`` it goes on
where it was.
"""

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spectramac.host.bench_command import add_data_folder, log, run_command

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m spectramac.host.bench_narrow",
        description="Train narrow networks behind a spectral input; needs the extras train and data.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--datasets", default="fashion-mnist,digits", help="names with commas")
    add("--seeds", type=int, default=3, help="how many: 0, 1, …")
    add("--teacher-epochs", type=int, default=12, help="of the convolutional teacher")
    add(
        "--dense-epochs",
        type=int,
        default=15,
        help="of the dense networks that they are compared with",
    )
    add_data_folder(parser)
    add("--out", type=Path, default=Path("build/bench-narrow"), help="folder")
    return parser


def _introduction(settings: dict[str, Any], command: str) -> str:
    return (
        f"Made by `{command}`. A spectral input and dense layers behind it, int4, taught by a convolutional network "
        f"({settings['convolutional_epochs']} epochs, one for all) about mirrored and shifted versions of the "
        "training samples. Widths, rates and epochs were chosen on the validation samples. Accuracies are those of the "
        "test part on the golden integer model; bytes those of the compiled image, everything counted; the density is "
        "the part of the spectrum's columns that is kept. ± is the standard deviation between seeds."
    )


def _run(options: argparse.Namespace) -> None:
    from spectramac.compress.bench import Settings
    from spectramac.compress.bench_dense import DenseBench
    from spectramac.compress.bench_narrow import CONFIG, FOLDS, PLANS, NarrowBench
    from spectramac.compress.bench_report import write_report
    from spectramac.compress.bench_results import Results
    from spectramac.compress.datasets import load_dataset

    settings = Settings(config=CONFIG, epochs=0, teacher_epochs=options.dense_epochs)
    identity = settings.identity() | {"convolutional_epochs": options.teacher_epochs}
    results = Results(options.out / "results.json", identity)

    seeds = range(options.seeds)
    for name in options.datasets.split(","):
        if name not in PLANS:
            raise ValueError(f"data set must be one of {', '.join(PLANS)}, not {name!r}")
        data = load_dataset(name, options.fashion_mnist)
        if name in FOLDS:
            data = data.merged(
                f"{FOLDS[name]} stratified folds of the training samples, all of which train what is reported"
            )
        bench = DenseBench(data, replace(settings, folds=1), results, options.out, log)
        for seed in seeds:
            bench.dense(seed)
        narrow = NarrowBench(bench, options.teacher_epochs)
        for plan in PLANS[name]:
            narrow.run(plan, seeds)
    command = f"python -m spectramac.host.bench_narrow {shlex.join(options.arguments)}".strip()
    text = _introduction(identity, command)
    path = options.out / "bench-narrow.md"
    for written in write_report(results.tables, "Narrow networks", text, path):
        print(written)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    run_command(_parser(), _run, arguments)


if __name__ == "__main__":
    main()
