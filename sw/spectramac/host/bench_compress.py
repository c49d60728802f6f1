# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``python -m spectramac.host.bench_compress``: accuracy, bytes and multiplications of every technique.

Writes ``results.json`` as results come, then ``bench-compress.md`` and pictures. Started again with the same
``--out`` it goes on where it was.
"""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spectramac.host.bench_command import add_data_folder, log, run_command
from spectramac.host.extras import import_extra
from spectramac.spec.config import PRESETS, preset

__all__ = ["main"]

_PLAIN = (
    "prune-value-int8", "low-rank-int8", "circulant-8-int8", "neurons-l2-int8",
    "prune-conv-value-int8", "channelwise-conv-int8", "circulant-conv-8-int8", "channels-l2-int8",
    "filters-l2-int8",
)  # fmt: skip
"""Methods with 8 bits that are tried by default, besides all with 4."""


_MIX = "mix"
"""Name of the automatic mix among the methods."""


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _whole_numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _parser() -> argparse.ArgumentParser:
    from spectramac.compress.bench import DENSITIES, FOLDS, MIN_VALIDATION, RATES
    from spectramac.compress.datasets import DATASETS

    parser = argparse.ArgumentParser(
        prog="python -m spectramac.host.bench_compress",
        description="Compare all compression techniques; needs the extras train, data, bench and plot.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--datasets", default=",".join(DATASETS), help="names with commas")
    add(
        "--methods",
        help="names with commas; default: all with int4, and the plain ones with int8; with budgets, mix too",
    )
    add("--list", action="store_true", help="print the names of all methods and stop")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--densities", type=_numbers, default=list(DENSITIES), help="with commas")
    target.add_argument(
        "--budgets", type=_whole_numbers, help="in bytes, with commas, instead of densities"
    )
    add(
        "--trials",
        type=int,
        default=40,
        help="of the mix in each budget, besides single techniques",
    )
    add(
        "--finalists",
        type=int,
        default=3,
        help="so many best ones of all trials and single techniques are trained with all seeds",
    )
    add("--seeds", type=int, default=3, help="how many: 0, 1, …")
    add(
        "--folds",
        type=int,
        help=f"that the training part is cut into, each in turn being the validation part; 1: a fixed validation "
        f"part; default: {FOLDS} where that has fewer than {MIN_VALIDATION} samples, else 1",
    )
    add("--epochs", type=int, default=20, help="of every method")
    add("--teacher-epochs", type=int, default=40, help="of the dense networks")
    add("--rates", type=_numbers, default=list(RATES), help="learning rates to choose from")
    add("--steps", choices=["layer", "pair", "row"], default="layer", help="a step for each")
    add("--preset", choices=list(PRESETS), default="small", help="configuration that runs it")
    add(
        "--coefficient-depth",
        type=int,
        default=16384,
        help="words of its coefficient memory, more than the presets have, so that every point fits",
    )
    add_data_folder(parser)
    add("--out", type=Path, default=Path("build/bench-compress"), help="folder")
    return parser


def _methods(given: str | None, known: Sequence[Sequence[str]]) -> list[list[str]]:
    """Methods to run, of those known to each data set.

    Raises
    ------
    ValueError
        If no data set has such a method.
    """
    if given is None:
        return [[n for n in own if n.endswith("-int4") or n in _PLAIN] for own in known]
    names, every = given.split(","), list(dict.fromkeys(name for own in known for name in own))
    for name in names:
        if name not in [*every, _MIX] and not name.startswith("spectral-input"):
            raise ValueError(f"method must be one of {', '.join(every)}, {_MIX}, not {name!r}")
    return [[name for name in names if name in own] for own in known]


def _with_mix(options: argparse.Namespace) -> bool:
    """Whether there is to be a mix.

    Raises
    ------
    ValueError
        If it is asked for without budgets.
    """
    named = options.methods is not None and _MIX in options.methods.split(",")
    if named and not options.budgets:
        raise ValueError("the mix must have budgets; give --budgets")
    return named or (bool(options.budgets) and options.methods is None)


def _benches(options: argparse.Namespace, results: Any, settings: Any) -> list[Any]:
    from spectramac.compress.bench_conv import ConvBench
    from spectramac.compress.bench_dense import DenseBench
    from spectramac.compress.bench_graph import GraphBench
    from spectramac.compress.datasets import load_dataset

    data = [load_dataset(name, options.fashion_mnist) for name in options.datasets.split(",")]
    # Within budgets only what the engine runs; at densities also decompositions and tiles.
    convolutional = GraphBench if options.budgets else ConvBench
    return [
        (convolutional if d.convolutions else DenseBench)(d, settings, results, options.out, log)
        for d in data
    ]


def _bench(options: argparse.Namespace, bench: Any, methods: Sequence[str]) -> None:
    """All results for one data set."""
    from spectramac.compress.bench_results import Target

    budgets, seeds = options.budgets or [], range(options.seeds)
    targets = [Target(budget=budget) for budget in budgets]
    for seed in seeds:
        bench.dense(seed)
    for method in methods:
        for target in targets or [Target(density=density) for density in options.densities]:
            bench.run(method, target, seeds)
    if _with_mix(options):
        module = import_extra("spectramac.compress.search_mix", "search", "the mix")
        mix = module.Mix(bench, options.trials, options.finalists)
        for budget in budgets:
            mix.run(budget, seeds)


def _run(options: argparse.Namespace) -> None:
    from spectramac.compress.bench import Settings
    from spectramac.compress.bench_report import introduction, write_report
    from spectramac.compress.bench_results import Results

    _with_mix(options)  # what is asked for is refused before anything is loaded
    config = preset(options.preset).replace(coefficient_depth=options.coefficient_depth)
    settings = Settings(
        config=config,
        epochs=options.epochs,
        teacher_epochs=options.teacher_epochs,
        rates=tuple(options.rates),
        steps=options.steps,
        folds=options.folds,
    )
    results = Results(options.out / "results.json", settings.identity())
    benches = _benches(options, results, settings)
    chosen = _methods(options.methods, [list(bench.methods) for bench in benches])
    for bench, methods in zip(benches, chosen, strict=True):
        if options.list:
            print(f"{bench.data.name}: {', '.join(bench.methods)}")
        else:
            _bench(options, bench, methods)
    if options.list:
        return
    command = f"python -m spectramac.host.bench_compress {shlex.join(options.arguments)}".strip()
    text = introduction(settings.identity(), command)
    path = options.out / "bench-compress.md"
    for written in write_report(results.tables, "Compression techniques compared", text, path):
        print(written)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    run_command(_parser(), _run, arguments)


if __name__ == "__main__":
    main()
