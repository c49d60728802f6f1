# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Commands that write what is built around the transform; :mod:`spectramac.host.cli_app` has the others."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from spectramac.host.cli_app import (
    _VERILOG,
    FFTTechnology,
    Frames,
    Order,
    Points,
    Scaling,
    Seed,
    TwiddleWidth,
    VerilogFolder,
    Width,
    _command,
    _gateware,
    _write_product,
    verilog_app,
)

Technology = Annotated[
    FFTTechnology, typer.Option(help="'ecp5' instantiates DP16KD and MULT18X18D with registers.")
]


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
    writer, gateware = _gateware("verilog", where)
    text = writer.to_verilog(make(getattr(gateware, name)), variant.module)
    document = sheet(variant, technology=technology, sha256=writer.sha256(text))
    _write_product(out, writer, variant.module, text, text_of_vectors, document)


@_command("fft-threshold", of=verilog_app)
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
    technology: Technology = FFTTechnology.generic,
    frames: Frames = 16,
    seed: Seed = 0,
    out: VerilogFolder = _VERILOG,
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


@_command("fft2d", of=verilog_app)
def verilog_fft2d(
    rows: Side = 8,
    columns: Side = 8,
    width: Width = 16,
    twiddle_width: TwiddleWidth = None,
    scaling: FixedScalingOption = FixedScaling.halving,
    order: Annotated[Order, typer.Option(help="Of the rows and of the columns.")] = (
        Order.bit_reversed
    ),
    technology: Technology = FFTTechnology.generic,
    frames: Frames = 16,
    seed: Seed = 0,
    out: VerilogFolder = _VERILOG,
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


def write_real(
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


def write_windowed(
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
