# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``python -m spectramac.host.bench_rtl DIR``: networks of a benchmark on the simulated accelerator.

Every network in the results of ``bench_compress`` or ``bench_narrow`` is compiled for their configuration and run on
the Verilated RTL with test samples of its data set. Outputs, hardware counters, cycles of every layer and
flags must be those of the golden model. Results are added to ``results.json``; exit status 1 if anything differs.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spectramac.host.bench_command import add_data_folder, run_command
from spectramac.spec.config import AcceleratorConfig

__all__ = ["check_network", "main"]


def check_network(
    row: dict[str, Any], results: Any, config: AcceleratorConfig, data: Any, n_images: int
) -> str:
    """Run one network of the results; adds a row and returns what it says in words.

    Parameters
    ----------
    row : dict
        Of the table of results.
    results : Results
        Gets a row in its table ``rtl``.
    config : AcceleratorConfig
    data : DataSet
        The first ``n_images`` of its test samples are run.
    n_images : int
    """
    from spectramac.host import cli_graph, cli_run
    from spectramac.model.batch import accuracy, quantize_input

    model = _compiled(results.path.parent / "networks" / row["network"], config)
    commands: Any = cli_graph if isinstance(model, cli_graph.GraphModel) else cli_run
    x = quantize_input(data.x_test[:n_images], model.image.input_scale)
    if commands is cli_graph:
        x = x.reshape(-1, *model.image.input_shape)
    expected, found = (commands.execute(model, x, bus, timeout=600) for bus in ("model", "sim"))
    differences = commands.compare(model, x, found, expected)
    percent = accuracy(found.outputs.reshape(len(x), -1), data.y_test[:n_images])
    results.add(
        "rtl",
        network=row["network"],
        images=len(x),
        different=differences,
        accuracy=percent,
        cycles=found.cycles_per_inference,
        bytes=model.image.stored_bytes,
    )
    verdict = "; ".join(differences) or "all outputs, counters, cycles and flags equal"
    return (
        f"{row['network']}: {len(x)} images, {percent:.2f} %, {found.cycles_per_inference:.1f} cycles "
        f"an inference, {model.image.stored_bytes} bytes: {verdict}"
    )


def _compiled(path: Path, config: AcceleratorConfig) -> Any:
    """A network, or a network graph (for the configuration that graphs of the benchmark are compiled for)."""
    from spectramac.compiler.compile import compile_network
    from spectramac.compiler.graph_compile import compile_graph
    from spectramac.compress.bench_conv import with_maps
    from spectramac.host.cli_files import Model
    from spectramac.host.cli_graph import GraphModel
    from spectramac.model.graph_file import is_graph_file, load_graph
    from spectramac.model.network import load_network

    if not is_graph_file(path):
        network = load_network(path)
        return Model(compile_network(network, config), config, network)
    graph, config = load_graph(path), with_maps(config)
    return GraphModel(compile_graph(graph, config), config, graph)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m spectramac.host.bench_rtl",
        description="Run the networks of a benchmark on the simulated RTL; needs the extras hdl and sim.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("folder", type=Path, help="of the benchmark, with results.json and networks/")
    add("--images", type=int, default=500, help="test samples for each network")
    add("--again", action="store_true", help="those too that were run before")
    add("--every", type=int, default=1, help="take every n-th network only")
    add_data_folder(parser)
    return parser


def _run(options: argparse.Namespace) -> bool:
    from spectramac.compress.bench_results import open_results
    from spectramac.compress.datasets import load_dataset

    results, config = open_results(options.folder / "results.json")
    rows = [row for row in results.tables["results"] if "network" in row][:: options.every]
    if not rows:
        raise ValueError(f"{results.path} has no networks")
    data = {
        name: load_dataset(name, options.fashion_mnist)
        for name in dict.fromkeys(row["dataset"] for row in rows)
    }
    if options.again:
        results.tables["rtl"].clear()
    for row in rows:
        if results.find("rtl", network=row["network"]) is None:
            text = check_network(row, results, config, data[row["dataset"]], options.images)
            print(text, flush=True)
    checked = results.tables["rtl"]
    n_different = sum(bool(row["different"]) for row in checked)
    print(f"{len(checked)} networks on the RTL, {n_different} with differences")
    return n_different == 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the check."""
    run_command(_parser(), _run, arguments)


if __name__ == "__main__":
    main()
