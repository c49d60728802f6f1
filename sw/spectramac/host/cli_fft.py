# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Commands that write transforms and what is built around them; :mod:`spectramac.host.cli_app` has the others."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from spectramac.host.cli_app import VERILOG, VerilogFolder, app, command, gateware, verilog_app
from spectramac.spec.fft_config import FFTConfig

__all__ = ["app"]


class Technology(StrEnum):
    """What the Verilog of the FFT is written for."""

    generic = "generic"
    ecp5 = "ecp5"
    ice40 = "ice40"
    gowin = "gowin"
    nexus = "nexus"


class Scaling(StrEnum):
    """Of the FFT."""

    per_stage = "per_stage"
    halving = "halving"
    growth = "growth"
    block = "block"


class Order(StrEnum):
    """Of the bins."""

    bit_reversed = "bit_reversed"
    natural = "natural"


def _range(bounds: tuple[int, int]) -> dict[str, int]:
    return {"min": bounds[0], "max": bounds[1]}


Points = Annotated[
    int,
    typer.Option(
        help="Size, a power of two from {} to {}.".format(
            *(1 << log2_n for log2_n in FFTConfig.log2_n_range)
        )
    ),
]
Width = Annotated[
    int, typer.Option(help="Bits of re and of im.", **_range(FFTConfig.data_width_range))
]
TwiddleWidth = Annotated[
    int | None,
    typer.Option(
        help="Bits of a twiddle factor; by default what multipliers take: 18, with 'ice40' 16.",
        **_range(FFTConfig.twiddle_width_range),
    ),
]
TechnologyOption = Annotated[
    Technology,
    typer.Option(
        help="Whose multipliers and block RAM are instantiated, with their registers; 'ice40': UP5K."
    ),
]
Frames = Annotated[int, typer.Option(help="Frames in the file of golden vectors.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the random frames.")]


class Input(StrEnum):
    """Of the FFT."""

    complex = "complex"
    real_pair = "real-pair"
    real = "real"


@command("fft", of=verilog_app)
def verilog_fft(
    points: Points = 64,
    width: Width = 16,
    twiddle_width: TwiddleWidth = None,
    scaling: Annotated[
        Scaling,
        typer.Option(
            help="halving: X/N, least noise. growth: X with all bits. block: block floating point, an "
            "exponent beside each frame. per_stage: size (up to --points), direction, "
            "dimension and scaling are chosen for every frame."
        ),
    ] = Scaling.halving,
    order: Annotated[
        Order, typer.Option(help="Of the bins; natural: not with per_stage, from 16 points.")
    ] = Order.bit_reversed,
    samples_per_clock: Annotated[
        int,
        typer.Option(
            help="1, 2, 4 or 8 samples in each word of the streams. More than 1: with complex input in bit-reversed "
            "order, not with scaling block or a window."
        ),
    ] = 1,
    technology: TechnologyOption = Technology.generic,
    input_kind: Annotated[
        Input,
        typer.Option(
            "--input",
            help="real-pair: two real frames at once. real: one, two samples a clock. Both need a fixed scaling and "
            "give natural order; files are then fft_real_pair.v, fft_real.v and so on.",
        ),
    ] = Input.complex,
    window: Annotated[
        str | None,
        typer.Option(
            help="Window in front: rectangular, hann, hamming, blackman, or a file with a number for each sample. With "
            "complex input and a fixed scaling; files are then fft_window.v and so on."
        ),
    ] = None,
    frames: Frames = 16,
    seed: Seed = 0,
    out: VerilogFolder = VERILOG,
) -> None:
    """Write the FFT with golden vectors and datasheet.

    fft.v, fft_vectors.txt for $readmemh in a testbench, fft.md.
    """
    from spectramac.host import fft_product

    if samples_per_clock != 1 and (window is not None or input_kind is not Input.complex):
        other = "--window" if window is not None else f"--input {input_kind.value}"
        raise typer.BadParameter(f"--samples-per-clock must be 1 with {other}")
    if twiddle_width is None:
        twiddle_width = fft_product.default_twiddle_width(technology.value)
    if window is not None:
        if input_kind is not Input.complex:
            raise typer.BadParameter("--window needs --input complex")
        _write_windowed(
            window,
            (points, width, twiddle_width, scaling.value, order.value),
            technology.value,
            frames,
            seed,
            out,
        )
        return
    if input_kind is not Input.complex:
        _write_real(
            input_kind.value,
            (points, width, twiddle_width, scaling.value),
            technology.value,
            frames,
            seed,
            out,
        )
        return
    from spectramac.host.fft_datasheet import datasheet

    config = fft_product.configuration(
        points, width, twiddle_width, scaling.value, order.value, samples_per_clock
    )
    vectors = fft_product.vectors(config, n_frames=frames, seed=seed)
    writer, fft = gateware("verilog", "fft")
    text = writer.to_verilog(fft.FFT(config, technology=technology.value), "fft")
    sheet = datasheet(config, technology=technology.value, sha256=writer.sha256(text))
    _write_product(out, writer, "fft", text, vectors, sheet)


def _write_product(
    out: Path, writer: Any, module: str, text: str, vectors: str, sheet: str
) -> None:
    """Write the three files of a stand-alone module and list them."""
    from spectramac.host import cli_report

    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for suffix, content in ((".v", text), ("_vectors.txt", vectors), (".md", sheet)):
        path = out / f"{module}{suffix}"
        path.write_text(content, encoding="utf-8")
        rows.append((str(path), len(content.encode()), writer.sha256(content)))
    cli_report.show(cli_report.table(module, ("file", "bytes", "sha256"), rows))


class FixedScaling(StrEnum):
    """Of a transform whose size is settled."""

    halving = "halving"
    growth = "growth"


FixedScalingOption = Annotated[
    FixedScaling, typer.Option(help="halving: X/N, least noise. growth: X with all bits.")
]


def _write(
    out: Path, make: Any, component: str, variant: Any, technology: str, frames: int, seed: int
) -> None:
    """Write a variant's files; ``component`` is the class ``module.Name`` of its gateware."""
    from spectramac.host.fft_variants import vectors
    from spectramac.host.variant_sheet import sheet

    text_of_vectors = vectors(variant, n_frames=frames, seed=seed)
    where, _, name = component.rpartition(".")
    writer, family = gateware("verilog", where)
    text = writer.to_verilog(make(getattr(family, name)), variant.module)
    document = sheet(variant, technology=technology, sha256=writer.sha256(text))
    _write_product(out, writer, variant.module, text, text_of_vectors, document)


@command("fft-threshold", of=verilog_app)
def verilog_fft_threshold(
    points: Points = 64,
    width: Width = 16,
    twiddle_width: TwiddleWidth = None,
    scaling: Annotated[
        Scaling,
        typer.Option(
            help="As of fft; per_stage: size, direction, dimension and scaling are chosen for every frame."
        ),
    ] = Scaling.halving,
    order: Annotated[Order, typer.Option(help="Of the bins, as of fft.")] = Order.bit_reversed,
    technology: TechnologyOption = Technology.generic,
    frames: Frames = 16,
    seed: Seed = 0,
    out: VerilogFolder = VERILOG,
) -> None:
    """Write the FFT with a magnitude threshold behind it.

    fft_threshold.v, fft_threshold_vectors.txt for $readmemh in a testbench, fft_threshold.md.
    """
    from spectramac.host import fft_product, fft_variants

    factors = twiddle_width or fft_product.default_twiddle_width(technology.value)
    config = fft_product.configuration(points, width, factors, scaling.value, order.value)
    _write(
        out,
        lambda core: core(config, technology=technology.value),
        "fft.threshold.ThresholdFFT",
        fft_variants.threshold(config),
        technology.value,
        frames,
        seed,
    )


Side = Annotated[
    int, typer.Option(help="A power of two, at least 4; rows times columns at most 8192.")
]


@command("fft2d", of=verilog_app)
def verilog_fft2d(
    rows: Side = 8,
    columns: Side = 8,
    width: Width = 16,
    twiddle_width: TwiddleWidth = None,
    scaling: FixedScalingOption = FixedScaling.halving,
    order: Annotated[Order, typer.Option(help="Of the rows and of the columns.")] = (
        Order.bit_reversed
    ),
    technology: TechnologyOption = Technology.generic,
    frames: Frames = 16,
    seed: Seed = 0,
    out: VerilogFolder = VERILOG,
) -> None:
    """Write the two-dimensional FFT of tiles.

    fft2d.v, fft2d_vectors.txt for $readmemh in a testbench, fft2d.md.
    """
    from spectramac.host import fft_product, fft_variants

    factors = twiddle_width or fft_product.default_twiddle_width(technology.value)
    config = fft_variants.tile_configuration(
        rows, columns, width, factors, scaling.value, order.value
    )
    _write(
        out,
        lambda core: core(config, technology=technology.value),
        "fft.PipelinedFFT",
        fft_variants.tile(config),
        technology.value,
        frames,
        seed,
    )


def _write_real(
    kind: str,
    parameters: tuple[int, int, int, str],
    technology: str,
    frames: int,
    seed: int,
    out: Path,
) -> None:
    """What ``fft --input`` other than complex writes; ``parameters`` are points, width, twiddle width and scaling."""
    from spectramac.host import fft_real_product

    config = fft_real_product.real_configuration(kind, *parameters)
    make, component = {
        "real-pair": (fft_real_product.real_pair, "fft.real.RealPairFFT"),
        "real": (fft_real_product.real, "fft.real.RealFFT"),
    }[kind]
    _write(
        out,
        lambda core: core(config, technology=technology),
        component,
        make(config),
        technology,
        frames,
        seed,
    )


def _write_windowed(
    name: str,
    parameters: tuple[int, int, int, str, str],
    technology: str,
    frames: int,
    seed: int,
    out: Path,
) -> None:
    """What ``fft --window`` writes; ``parameters`` are points, width, twiddle width, scaling and order."""
    from spectramac.host import fft_product, fft_window_product

    config = fft_product.configuration(*parameters)
    factors = fft_window_product.coefficients(name, config)
    _write(
        out,
        lambda core: core(config, factors.tolist(), technology=technology),
        "fft.window.WindowedFFT",
        fft_window_product.windowed(config, factors, name),
        technology,
        frames,
        seed,
    )
