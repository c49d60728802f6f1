# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``spectramac compress``: its options; other commands are in :mod:`spectramac.host.cli_app`."""

from pathlib import Path
from typing import Annotated

import typer

from spectramac.host.cli_app import ChosenPreset, app, command, preset_for
from spectramac.host.cli_compress_options import ReportOptions, check_usage, parse_densities
from spectramac.spec.config import PRESETS

__all__ = ["app"]


@command("compress")
def compress(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            help="An .onnx model, or .npz with w0 (n_out, n_in), b0, w1, b1, …; ReLU lies between. "
            "Convolutional networks: --data."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Network file to write, in one step.")
    ] = None,
    calibration: Annotated[
        str, typer.Option(help="-o: typical inputs, 'digits' or a .npy file of int8 values.")
    ] = "digits",
    input_scale: Annotated[
        float | None,
        typer.Option(
            help="Real value of one int8 step; -o: 1/112 of digits, else 1; --data: of the largest."
        ),
    ] = None,
    block: Annotated[
        int, typer.Option(help="-o: points of a transform; 0 prunes weights as they are.")
    ] = 8,
    density: Annotated[float, typer.Option(help="-o: share of the coefficients kept.")] = 0.25,
    bits: Annotated[int, typer.Option(min=4, max=8, help="Bits of a coefficient.")] = 8,
    lanes: Annotated[int, typer.Option(min=1, help="-o: lanes to balance for.")] = PRESETS[
        "small"
    ].n_lanes,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Compare all techniques on this .npz with x (real inputs) and y (labels).",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="--data: folder for network and report.", file_okay=False)
    ] = None,
    max_loss: Annotated[
        float, typer.Option(min=0, help="--data: percent points of accuracy that may be lost.")
    ] = 0.5,
    max_bytes: Annotated[
        int | None, typer.Option(min=1, help="--data: take the most accurate within these bytes.")
    ] = None,
    preset_name: ChosenPreset = None,
    densities: Annotated[
        str | None,
        typer.Option(help="--data: densities tried, as 1,0.5,0.2. Default: nine down to 0.05."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="--data: of the split of the data, and of training.")
    ] = 0,
    tau_loss: Annotated[
        float | None,
        typer.Option(
            min=0, help="--data: points that activation thresholds may cost. Default: none."
        ),
    ] = None,
    reorder: Annotated[
        bool,
        typer.Option(
            "--reorder", help="--data: compare also with hidden units in an order that errs less."
        ),
    ] = False,
    train: Annotated[
        bool, typer.Option("--train", help="--data: train every candidate (needs extra 'train').")
    ] = False,
    epochs: Annotated[
        int,
        typer.Option(
            min=1,
            help="--train: of each candidate; at least 10000 samples an epoch, small data again.",
        ),
    ] = 20,
    rate: Annotated[float, typer.Option(min=0, help="--train: learning rate.")] = 4e-3,
    adjust: Annotated[
        int,
        typer.Option(
            min=0,
            help="--train: further trainings of the chosen technique at densities nearer to the demand.",
        ),
    ] = 3,
) -> None:
    """Compress a trained network.

    With -o: transform, threshold and quantize it as the options say. With --data and --out: compare all
    techniques, choose the smallest network that keeps its accuracy, and write it with a report. With --train
    besides, every candidate is trained: most of the data train, some choose, the rest report.
    """
    from spectramac.host import cli_compress, cli_compress_graph

    check_usage(context)
    graph = cli_compress_graph.network_graph(model)
    if data is None or out is None:
        assert output is not None
        if graph is not None:
            raise ValueError(
                f"{model} is a network graph, which --output does not take; give --data and --out, or use "
                "`spectramac compile --form`"
            )
        numbers = {"block": block, "density": density, "bits": bits, "n_lanes": lanes}
        cli_compress.compress_once(model, output, calibration, input_scale, **numbers)
        return
    options = ReportOptions(
        model=model,
        data=data,
        out=out,
        max_loss=max_loss,
        max_bytes=max_bytes,
        densities=parse_densities(densities),
        bits=bits,
        input_scale=input_scale,
        seed=seed,
        tau_loss=tau_loss,
        reorder=reorder,
        train=train,
        epochs=epochs,
        rate=rate,
        adjust=adjust,
    )
    cli_compress.report(options, preset_for(preset_name, graph), graph)
