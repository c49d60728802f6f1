# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What is built around the transform and sold beside it: ``spectramac verilog fft-threshold`` and ``fft2d``.

A :class:`Variant` has what a product needs besides its Verilog: streams, words for its datasheet
(:mod:`spectramac.host.variant_sheet`) and frames for its golden vectors (:mod:`spectramac.host.vector_file`).
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from spectramac.host.fft_noise import Noise
from spectramac.host.fft_product import (
    Stimulus,
    complex_words,
    configuration,
    control_meanings,
    control_payload,
    input_payload,
    options,
    order_text,
    output_payload,
    stimuli,
)
from spectramac.host.vector_file import VectorFrame, vector_file
from spectramac.model.fft2d import fft2d
from spectramac.model.fft_threshold import ThresholdResult, fft_threshold
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_streams import level_format, threshold_payload
from spectramac.spec.stream import Field, Payload
from spectramac.spec.timing import THRESHOLD_LATENCY, fft_cycles_per_frame, fft_latency

__all__ = ["Variant", "threshold", "tile", "tile_configuration", "vectors"]


@dataclass(frozen=True)
class Variant:
    """A product made of the transform.

    Attributes
    ----------
    module : str
        Name of the Verilog module and of its files.
    command : str
        What makes it, without the options for vectors and technology.
    title, function : str
        Heading, and a paragraph on what it computes.
    config : FFTConfig
        Of the transform inside.
    i, o, control : Payload
        Of the streams; the inputs that are sampled with the first sample of a frame.
    meanings : mapping
        Of ``i__payload``, ``o__payload`` and each control input.
    fields : mapping
        Formats of the fields of the payloads that are not signed numbers.
    order : str
        Of the results, in words.
    rules : tuple of str
        On its streams, besides those of all.
    flags : str
        On ``overflow`` and on what is rounded besides the transform.
    multipliers : str
        Besides the transform's.
    cycles : tuple
        Rows (points, latency, cycles a frame).
    frames : function
        Of a number and a seed: frames for the vectors.
    noise : function or None
        Measures the product's noise; None: it is the transform's.
    error : float
        With ``noise``: bound of the error of a bin, in units of its last place.
    """

    module: str
    command: str
    title: str
    function: str
    config: FFTConfig
    i: Payload
    o: Payload
    control: Payload
    meanings: Mapping[str, str]
    fields: Mapping[str, str]
    order: str
    rules: tuple[str, ...]
    flags: str
    multipliers: str
    cycles: tuple[tuple[int, int, int], ...]
    frames: Callable[[int, int], list[VectorFrame]]
    noise: Callable[[], tuple[Noise, ...]] | None = None
    error: float = 0.0


def vectors(variant: Variant, *, n_frames: int = 16, seed: int = 0) -> str:
    """Golden vectors of the model as a file for ``$readmemh``.

    Raises
    ------
    ValueError
        If ``n_frames`` is too small.
    """
    return vector_file(
        variant.module,
        variant.frames(n_frames, seed),
        i=variant.i,
        o=variant.o,
        control=variant.control,
        made_by=f"{variant.command} --frames {n_frames} --seed {seed}",
        order=variant.order,
    )


def _cycles(config: FFTConfig, more: int = 0) -> tuple[tuple[int, int, int], ...]:
    low = config.log2_n_max if config.is_fixed else config.log2_n_range[0]
    return tuple(
        (1 << n, fft_latency(config, n) + more, fft_cycles_per_frame(config, n))
        for n in range(low, config.log2_n_max + 1)
    )


# Tiles.


def tile_configuration(
    rows: int,
    columns: int,
    width: int,
    twiddle_width: int,
    scaling: str,
    order: str = "bit_reversed",
) -> FFTConfig:
    """The transform of tiles of ``rows`` by ``columns`` points.

    Raises
    ------
    ValueError
        If they are not powers of two in range, or another parameter is refused by :class:`FFTConfig`.
    """
    points = 1 << FFTConfig.log2_n_range[1]
    for name, side, other in (("rows", rows, 4), ("columns", columns, rows)):
        high = points // other
        if not 4 <= side <= high or side & (side - 1):
            raise ValueError(f"{name} must be a power of two from 4 to {high}, not {side!r}")
    flat = configuration(rows * columns, width, twiddle_width, scaling, order)
    return dataclasses.replace(flat, log2_columns=columns.bit_length() - 1)


def tile(config: FFTConfig) -> Variant:
    """``fft2d``: tiles of R by C points.

    Raises
    ------
    ValueError
        If ``config`` is in one dimension.
    """
    if not config.log2_columns:
        raise ValueError(f"config must be in two dimensions, not {config!r}")
    columns = 1 << config.log2_columns
    rows = config.n_max // columns
    row_bits, column_bits = config.log2_n_max - config.log2_columns, config.log2_columns
    order = {
        "natural": "row by row: X[k1, k2] is number k1·C + k2",
        "bit_reversed": (
            f"row by row, both numbers bit-reversed: place j1·C + j2 has X[k1, k2], k1 the {row_bits} bits of j1 in "
            f"reverse, k2 the {column_bits} bits of j2"
        ),
    }[config.order]

    def frames(n_frames: int, seed: int) -> list[VectorFrame]:
        found = []
        for item in stimuli(config, n_frames, seed):
            re, im = (part.reshape(rows, columns) for part in (item.re, item.im))
            y = fft2d(re, im, config=config, bit_reversed=config.order == "bit_reversed")
            found.append(
                VectorFrame(
                    item.name,
                    complex_words(input_payload(config), item.re, item.im),
                    complex_words(output_payload(config), y.re.ravel(), y.im.ravel()),
                    bool(y.overflow),
                )
            )
        return found

    return Variant(
        module="fft2d",
        command=(
            f"spectramac verilog fft2d --rows {rows} --columns {columns} --width {config.data_width} "
            f"--twiddle-width {config.twiddle_width} --scaling {config.scaling} --order {config.order}"
        ),
        title=f"Two-dimensional FFT of {rows} by {columns} points, {config.data_width} bits",
        function=(
            f"Forward discrete Fourier transform in two dimensions of tiles of R = {rows} rows and C = {columns} "
            "columns of complex samples: X[k1, k2] = Σ x[n1, n2] exp(-2πj (k1 n1/R + k2 n2/C)). N = R·C below. A tile "
            "goes through one pipeline of log2 N butterfly stages, first those of the rows' number, and is never "
            "transposed: "
            "latency and memory are those of a transform of N points. Bit for bit the function "
            "`spectramac.model.fft2d.fft2d`. For the inverse, exchange re and im at both ends."
        ),
        config=config,
        i=input_payload(config),
        o=output_payload(config),
        control=Payload(()),
        meanings={
            "i__payload": "a sample, row by row: x[n1, n2] is number n1·C + n2",
            "o__payload": f"a bin, {order.partition(':')[0]}",
        },
        fields={},
        order=order,
        rules=(
            f"Samples come row by row: x[n1, n2] is number n1·C + n2. Bins leave {order}.",
            (
                "Square tiles of a size chosen at run time are what `spectramac verilog fft --scaling per_stage` makes "
                "with `two_d` = 1."
            ),
        ),
        flags="",
        multipliers="",
        cycles=_cycles(config),
        frames=frames,
    )


# Threshold.


def threshold(config: FFTConfig) -> Variant:
    """``fft_threshold``: bins below a magnitude are zero."""
    level = level_format(config)
    control = Payload((*control_payload(config).fields, Field("level", level)))
    o = threshold_payload(config)

    def frames(n_frames: int, seed: int) -> list[VectorFrame]:
        rng = np.random.default_rng([seed, 1])
        return [_thresholded(config, item, rng) for item in stimuli(config, n_frames, seed)]

    return Variant(
        module="fft_threshold",
        command=f"spectramac verilog fft-threshold {options(config)}",
        title=f"FFT of {config.n_max} points with a magnitude threshold, {config.data_width} bits",
        function=(
            "The transform of `spectramac verilog fft`, then a threshold: X[k] is kept if re² + im² ≥ `level` and zero "
            "otherwise. The comparison is exact: squares, sum and `level` have all their bits. "
            f"`level` is in squared units of the output's last place, so that the smallest integer not below τ² keeps "
            f"|X[k]| ≥ τ; 0 keeps everything, {level.maximum} nothing. One bin a clock. Bit for bit the function "
            "`spectramac.model.fft_threshold.fft_threshold`."
        ),
        config=config,
        i=input_payload(config),
        o=o,
        control=control,
        meanings={
            "i__payload": "a sample, natural order",
            "o__payload": f"a bin, {order_text(config)}",
            **control_meanings(config),
            "level": "threshold on re² + im², unsigned",
        },
        fields={
            "bin": "number of the bin, unsigned",
            "keep": "1 if the bin reached the threshold; if not, re = im = 0",
        },
        order=order_text(config),
        rules=(
            f"Samples come in natural order. Bins leave in {order_text(config)}, each with its number `bin`.",
            "All bins leave, kept or not: a frame has as many results as samples.",
        ),
        flags="The threshold rounds nothing and cannot overflow.",
        multipliers=f"2 of {config.output.width}×{config.output.width} for the squares",
        cycles=_cycles(config, THRESHOLD_LATENCY),
        frames=frames,
    )


def _thresholded(config: FFTConfig, item: Stimulus, rng: np.random.Generator) -> VectorFrame:
    """A frame with the energy of one of its bins, or one more, as its level."""

    def result(level: int) -> ThresholdResult:
        return fft_threshold(
            item.re,
            item.im,
            level,
            config=config,
            two_d=item.two_d,
            inverse=item.inverse,
            halve=item.halve,
        )

    whole = result(0)
    k = int(rng.integers(len(item.re)))
    level = int(whole.re[k]) ** 2 + int(whole.im[k]) ** 2 + int(rng.integers(2))
    y = result(level)
    o = threshold_payload(config)
    rows = list(zip(*(a.tolist() for a in (y.re, y.im, y.bin, y.keep)), strict=True))
    wanted = [
        o.pack(
            {
                "data": {"re": re, "im": im},
                "bin": number,
                "keep": keep,
                "last": int(place == len(rows)),
            }
        )
        for place, (re, im, number, keep) in enumerate(rows, 1)
    ]
    return VectorFrame(
        item.name,
        complex_words(input_payload(config), item.re, item.im),
        wanted,
        bool(y.overflow),
        {**item.control(config), "level": level},
    )
