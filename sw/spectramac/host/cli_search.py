# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``spectramac search``: the best mix of techniques for a budget; other commands are in
:mod:`spectramac.host.cli_app`.
"""

import json
import os
import shlex
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Annotated, Any

import typer

from spectramac.host.cli_app import ChosenPreset, app, command, preset_for
from spectramac.host.cli_compress_graph import check_maps
from spectramac.host.extras import import_extra
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.errors import MismatchError

__all__ = ["app"]


def parse_widths(text: str | None) -> tuple[tuple[int, ...], ...]:
    """``64-32,128-64`` as numbers; None: nothing.

    Raises
    ------
    ValueError
        If they are not numbers.
    """
    if text is None:
        return ()
    try:
        return tuple(tuple(int(n) for n in part.split("-")) for part in text.split(","))
    except ValueError:
        raise ValueError(
            f"widths must be numbers with - between layers and commas between networks, as "
            f"64-32,128-64, not {text!r}"
        ) from None


def _parse_image(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    try:
        height, width = (int(n) for n in text.split(","))
    except ValueError:
        raise ValueError(f"image must be height and width, as 28,28, not {text!r}") from None
    return height, width


@dataclass(frozen=True)
class SearchOptions:
    """What is asked for, as on the command line."""

    model: str
    data: str
    max_bytes: int | None
    max_cycles: float | None
    max_loss: float | None
    storage: str
    study: str
    trials: int
    jobs: int
    out: Path
    epochs: int
    rate: float
    widths: str | None
    teacher_epochs: int
    image: str | None
    min_bits: int
    input_scale: float | None
    fashion_mnist: Path | None
    seed: int

    def command(self, config: AcceleratorConfig) -> str:
        """That does the same again, from where the storage stands."""
        words = ["spectramac", "search", self.model, "--preset", config.name]
        for name, value in vars(self).items():
            if name != "model" and value is not None:
                words += [f"--{name.replace('_', '-')}", str(value)]
        return shlex.join(words)


def _demand(options: SearchOptions) -> Any:
    from spectramac.compress.search_demand import Demand

    return Demand(options.max_bytes, options.max_cycles, options.max_loss)


def _training(options: SearchOptions) -> Any:
    from spectramac.compress.training import Training

    return Training(options.epochs, options.rate) if options.epochs else None


def _graph_problem(options: SearchOptions, config: AcceleratorConfig, graph: Any) -> Any:
    """Of a network graph."""
    from spectramac.compress.datasets import load_training
    from spectramac.compress.search_graph import GraphProblem

    for name in ("widths", "image"):
        if getattr(options, name) is not None:
            raise ValueError(
                f"--{name} is for chains of dense layers, and {options.model} is a network graph; leave it out"
            )
    check_maps(config, options.model)
    if options.epochs:
        import_extra("torch", "train", "training")
    data = load_training(
        options.data,
        prod(graph.input.shape),
        prod(graph.output.shape),
        seed=options.seed,
        fashion_mnist=options.fashion_mnist,
        shape=graph.input.shape,
    )
    return GraphProblem(
        graph=graph,
        data=data,
        config=config,
        demand=_demand(options),
        training=_training(options),
        min_bits=options.min_bits,
        input_scale=options.input_scale,
        seed=options.seed,
    )


def _problem(options: SearchOptions, config: AcceleratorConfig) -> Any:
    """Of a chain of dense layers."""
    from spectramac.compress.datasets import load_training
    from spectramac.compress.search_problem import Problem
    from spectramac.compress.search_space import Space
    from spectramac.host.cli_compress import load_layers

    space = Space(
        config, _parse_image(options.image), parse_widths(options.widths), options.min_bits
    )
    if options.epochs or space.widths:
        import_extra("torch", "train", "training")
    layers = load_layers(options.model)
    data = load_training(
        options.data,
        layers[0][0].shape[1],
        len(layers[-1][0]),
        seed=options.seed,
        fashion_mnist=options.fashion_mnist,
    )
    return Problem(
        layers=layers,
        data=data,
        space=space,
        demand=_demand(options),
        training=_training(options),
        teacher_epochs=options.teacher_epochs,
        teachers=options.out / "teachers",
        input_scale=options.input_scale,
        seed=options.seed,
    )


def _check_repeats(result: Any, trained: bool) -> None:
    """The network that is written has the figures that it was chosen for; if it is trained, nearly (a GPU)."""
    attrs, found = result.trial.user_attrs, result.found
    got = (found.accuracy, found.size.stored_bytes)
    if got != (attrs["accuracy"], attrs["stored_bytes"]):
        text = (
            f"trial {result.trial.number} gave {attrs['accuracy']:.2f} % in {attrs['stored_bytes']} "
            f"bytes in the search, but {got[0]:.2f} % in {got[1]} bytes here; were versions or "
            "machines different?"
        )
        if not trained:
            raise MismatchError(text)
        from spectramac.host import cli_report

        cli_report.note(f"warning: {text}")


def run_search(options: SearchOptions, config: AcceleratorConfig, graph: Any = None) -> None:
    """Search, write ``network.npz`` and ``search.json``, print the choice.

    ``graph`` is the model if it is no chain of dense layers.

    Raises
    ------
    NothingFoundError
        If no trial meets the demand.
    MismatchError
        If the chosen point gives another network when it is made again without training.
    """
    from spectramac.host import cli_report
    from spectramac.host.cli_search_report import figures_of, tables_of
    from spectramac.model.graph_file import save_graph
    from spectramac.model.network import save_network

    module = import_extra("spectramac.compress.search", "search", "searching")
    if graph is None:
        problem = _problem(options, config)
    else:
        problem = _graph_problem(options, config, graph)
    with cli_report.progress("searching") as progress:
        result = module.search(
            problem,
            options.storage,
            name=options.study,
            n_trials=options.trials,
            jobs=options.jobs,
            progress=progress,
        )
    _check_repeats(result, problem.training is not None)
    figures = figures_of(options.command(config), problem, result)
    chosen = figures["chosen"]
    meta = {
        k: chosen[k] for k in ("techniques", "densities", "bits", "steps", "validation_accuracy")
    }
    options.out.mkdir(parents=True, exist_ok=True)
    save: Any = save_network if graph is None else save_graph
    save(replace(result.found.network, meta=meta), options.out / "network.npz")
    text = json.dumps(figures, indent=1, allow_nan=False) + "\n"
    (options.out / "search.json").write_text(text, encoding="utf-8")
    cli_report.show(*tables_of(figures))
    cli_report.note(f"wrote network.npz and search.json to {options.out}")


@command("search")
def search(
    model: Annotated[str, typer.Argument(help="An .onnx model, or .npz as `compress` takes it.")],
    data: Annotated[
        str,
        typer.Option(
            help="An .npz with x (real inputs) and y (labels), or digits, fashion-mnist, "
            "japanese-vowels."
        ),
    ],
    storage: Annotated[
        str,
        typer.Option(
            help="The study: path of a journal file, or a URL as sqlite:///study.db. Taken up again."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for network and figures.", file_okay=False)],
    max_bytes: Annotated[
        int | None, typer.Option(min=1, help="Most accurate within these bytes.")
    ] = None,
    max_cycles: Annotated[
        float | None, typer.Option(min=1, help="Most accurate within these cycles an inference.")
    ] = None,
    max_loss: Annotated[
        float | None, typer.Option(min=0, help="Fewest bytes that lose at most these points.")
    ] = None,
    trials: Annotated[
        int, typer.Option(min=1, help="Of the study, earlier ones and other machines' counted.")
    ] = 100,
    jobs: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = os.cpu_count()
    or 1,
    study: Annotated[str, typer.Option(help="Name of the study in the storage.")] = "spectramac",
    epochs: Annotated[
        int, typer.Option(min=0, help="Of training of every trial; 0: compressed in one step.")
    ] = 0,
    rate: Annotated[float, typer.Option(min=0, help="--epochs: learning rate.")] = 4e-3,
    widths: Annotated[
        str | None,
        typer.Option(help="Hidden widths tried besides the model's, as 64-32,128-64; trained."),
    ] = None,
    teacher_epochs: Annotated[
        int, typer.Option(min=1, help="--widths: of training of the dense networks.")
    ] = 20,
    image: Annotated[
        str | None, typer.Option(help="Inputs are images, as 28,28: try their 2-D spectrum too.")
    ] = None,
    min_bits: Annotated[int, typer.Option(min=4, max=8, help="Least bits of a coefficient.")] = 4,
    preset_name: ChosenPreset = None,
    input_scale: Annotated[
        float | None, typer.Option(help="Real value of one int8 step; default: of the largest.")
    ] = None,
    fashion_mnist: Annotated[
        Path | None, typer.Option(help="Folder of its IDX files, if not Debian's.", file_okay=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all random numbers.")] = 0,
) -> None:
    """Search technique, block, density and bits of every layer, and hidden widths (needs extra 'search').

    Exactly one of --max-bytes, --max-cycles and --max-loss says what for. Points are compared on a validation
    part of the data. Start it again, or on other machines, with the same options: the study goes on.
    """
    if sum(limit is not None for limit in (max_bytes, max_cycles, max_loss)) != 1:
        raise typer.BadParameter(
            "exactly one of --max-bytes, --max-cycles and --max-loss must be given"
        )
    options = SearchOptions(
        model, data, max_bytes, max_cycles, max_loss, storage, study, trials, jobs, out, epochs,
        rate, widths, teacher_epochs, image, min_bits, input_scale, fashion_mnist, seed,
    )  # fmt: skip
    from spectramac.host.cli_compress_graph import network_graph

    graph = network_graph(model)
    run_search(options, preset_for(preset_name, graph), graph)
