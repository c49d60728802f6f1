# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The transform as a product of its own (``spectramac verilog fft``): configuration, ports, golden vectors.

:mod:`spectramac.host.fft_datasheet` writes its datasheet.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectramac.host.vector_file import VectorFrame, bit_fields, concatenation, vector_file
from spectramac.model.fft import fft
from spectramac.model.fixed import Ints
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fixed import Format
from spectramac.spec.payloads import fft_input, fft_output
from spectramac.spec.stream import Field, Payload

__all__ = [
    "Port",
    "Stimulus",
    "bit_fields",
    "common_ports",
    "complex_words",
    "concatenation",
    "configuration",
    "control_meanings",
    "control_payload",
    "corners",
    "default_twiddle_width",
    "input_payload",
    "options",
    "order_text",
    "output_payload",
    "ports",
    "stimuli",
    "tone",
    "vectors",
]

_BIT = Format(1, signed=False)


def configuration(
    points: int,
    width: int,
    twiddle_width: int,
    scaling: str,
    order: str = "bit_reversed",
    samples_per_clock: int = 1,
) -> FFTConfig:
    """The pipelined transform of ``points`` points (largest size, if the size is chosen at run time).

    Raises
    ------
    ValueError
        If ``points`` is not a power of two in range, or another parameter is refused by :class:`FFTConfig`.
    """
    low, high = (1 << log2_n for log2_n in FFTConfig.log2_n_range)
    if not low <= points <= high or points & (points - 1):
        raise ValueError(f"points must be a power of two from {low} to {high}, not {points!r}")
    return FFTConfig(
        log2_n_max=points.bit_length() - 1,
        data_width=width,
        twiddle_width=twiddle_width,
        scaling=scaling,  # type: ignore[arg-type]  # checked there
        order=order,  # type: ignore[arg-type]
        samples_per_clock=samples_per_clock,
    )


def default_twiddle_width(technology: str) -> int:
    """Bits of a twiddle factor that the multipliers of a technology take: iCE40's 16, others' 18."""
    return 16 if technology == "ice40" else 18


def options(config: FFTConfig) -> str:
    """The options of ``spectramac verilog fft`` that give ``config``."""
    rate = config.samples_per_clock
    several = f" --samples-per-clock {rate}" if rate > 1 else ""
    return (
        f"--points {config.n_max} --width {config.data_width} --twiddle-width {config.twiddle_width} "
        f"--scaling {config.scaling} --order {config.order}{several}"
    )


def order_text(config: FFTConfig) -> str:
    """Order of the bins, in words."""
    return {"bit_reversed": "bit-reversed order", "natural": "natural order"}[config.order]


# Ports.


def input_payload(config: FFTConfig) -> Payload:
    """Of stream ``i``."""
    return fft_input(config)


def output_payload(config: FFTConfig) -> Payload:
    """Of stream ``o``."""
    return fft_output(config)


def control_payload(config: FFTConfig) -> Payload:
    """The inputs that are sampled with the first sample of a frame, as one word; no fields if fixed."""
    if config.is_fixed:
        return Payload(())
    return Payload(
        (
            Field("log2_n", Format(config.log2_n_max.bit_length(), signed=False)),
            Field("two_d", _BIT),
            Field("inverse", _BIT),
            Field("halve", Format(config.log2_n_max, signed=False)),
        )
    )


@dataclass(frozen=True)
class Port:
    """A port of the Verilog module."""

    name: str
    direction: str
    width: int
    meaning: str


def control_meanings(config: FFTConfig) -> dict[str, str]:
    """Of the fields of :func:`control_payload`."""
    sizes = f"{config.log2_n_range[0]} to {config.log2_n_max}"
    meanings = {
        "log2_n": f"size of the frame, log2 N: {sizes}; no other value is allowed",
        "two_d": "1: two dimensions, √N by √N points; only with an even `log2_n`",
        "inverse": "1: inverse transform (positive exponent)",
        "halve": "bit m - 1 halves stage m; bits from `log2_n` up are ignored",
    }
    return {field.name: meanings[field.name] for field in control_payload(config).fields}


def ports(config: FFTConfig) -> list[Port]:
    """All ports of ``fft.v``."""
    rate = config.samples_per_clock
    samples, bins = ("a sample", "a bin") if rate == 1 else (f"{rate} samples", f"{rate} bins")
    meanings = {
        "i__payload": f"{samples}, natural order",
        "o__payload": f"{bins}, {order_text(config)}",
        **control_meanings(config),
    }
    return common_ports(
        input_payload(config), output_payload(config), control_payload(config), meanings
    )


def common_ports(
    i: Payload, o: Payload, control: Payload, meanings: Mapping[str, str]
) -> list[Port]:
    """Ports of a module with streams ``i`` and ``o``; ``meanings`` of the payloads and of each control input."""
    return [
        Port("clk", "input", 1, "clock, rising edge"),
        Port(
            "rst", "input", 1, "synchronous reset, active high; registers have initial values too"
        ),
        Port("i__payload", "input", i.width, meanings["i__payload"]),
        Port("i__valid", "input", 1, "a word is offered"),
        Port("i__ready", "output", 1, "it is taken at this clock edge"),
        Port("o__payload", "output", o.width, meanings["o__payload"]),
        Port("o__valid", "output", 1, "a word is offered"),
        Port("o__ready", "input", 1, "it is taken at this clock edge"),
        *(Port(field.name, "input", field.width, meanings[field.name]) for field in control.fields),
        Port("overflow", "output", 1, "a value was saturated"),
        Port("framing_error", "output", 1, "`last` of the word just taken was wrong"),
    ]


# Stimulus.


@dataclass(frozen=True)
class Stimulus:
    """A frame at the input, with its control (all stages halve if that is chosen at run time)."""

    name: str
    re: Ints
    im: Ints
    two_d: bool = False
    inverse: bool = False
    halve: int = 0

    @property
    def log2_n(self) -> int:
        """Size."""
        return len(self.re).bit_length() - 1

    def control(self, config: FFTConfig) -> dict[str, int]:
        """Values of :func:`control_payload`."""
        values = {"log2_n": self.log2_n, "halve": self.halve}
        values |= {"two_d": int(self.two_d), "inverse": int(self.inverse)}
        return {field.name: values[field.name] for field in control_payload(config).fields}


def _turns(config: FFTConfig, k: int) -> NDArray[np.float64]:
    """Phase, in turns, of a complex exponential at bin ``k``; in two dimensions ``k1*C + k2``."""
    n = np.arange(config.n_max)
    if not config.log2_columns:
        return k * n % config.n_max / config.n_max
    columns = 1 << config.log2_columns
    rows = config.n_max // columns
    (k1, k2), (n1, n2) = divmod(k, columns), divmod(n, columns)
    return (k1 * n1 % rows) / rows + (k2 * n2 % columns) / columns


def tone(config: FFTConfig, k: int, phase: float = 0.0) -> tuple[Ints, Ints]:
    """A complex exponential of full scale at bin ``k``; phase in turns."""
    z = config.data.maximum * np.exp(2j * np.pi * (_turns(config, k) + phase))
    return np.rint(z.real).astype(np.int64), np.rint(z.imag).astype(np.int64)


def corners(config: FFTConfig) -> tuple[Ints, Ints]:
    """Square waves at bin 1, a quarter apart: each sample in a corner of the complex plane, X[1] the largest."""
    step = 1 / (1 << (config.log2_columns or config.log2_n_max))
    angle = 2 * np.pi * (_turns(config, 1) + step / 2)
    low, high = config.data.minimum, config.data.maximum
    return np.where(np.cos(angle) > 0, high, low), np.where(np.sin(angle) > 0, high, low)


def stimuli(config: FFTConfig, n_frames: int, seed: int) -> list[Stimulus]:
    """Frames that find faults quickly, then random ones.

    The random ones have full scale, or with run-time control any size, direction, dimension, ``halve`` and
    amplitude down to 1/32 of it.

    Raises
    ------
    ValueError
        If ``n_frames`` does not leave room for the first ones.
    """
    n, low, high = config.n_max, config.data.minimum, config.data.maximum
    zero, delta = np.zeros(n, np.int64), np.zeros(n, np.int64)
    delta[1] = high
    first = {
        "zero": (zero, zero),
        "delta: full scale at sample 1": (delta, zero),
        "full-scale tone at bin 3": tone(config, 3),
        "all at the maximum": (zero + high, zero + high),
        "all at the minimum": (zero + low, zero + low),
        "corners: square waves at bin 1": corners(config),
    }
    if n_frames < len(first):
        raise ValueError(f"frames must be at least {len(first)}, not {n_frames!r}")
    halve = 0 if config.is_fixed else n - 1
    frames = [Stimulus(name, re, im, halve=halve) for name, (re, im) in first.items()]
    rng = np.random.default_rng(seed)
    for _ in range(len(first), n_frames):
        if config.is_fixed:
            re, im = rng.integers(low, high, (2, n), endpoint=True)
            frames.append(Stimulus("random", re, im))
            continue
        log2_n = int(rng.integers(config.log2_n_range[0], config.log2_n_max, endpoint=True))
        re, im = rng.integers(low, high, (2, 1 << log2_n), endpoint=True) >> rng.integers(0, 6)
        frames.append(
            Stimulus(
                "random",
                re,
                im,
                two_d=bool(log2_n % 2 == 0 and rng.integers(2)),
                inverse=bool(rng.integers(2)),
                halve=int(rng.integers(n)),
            )
        )
    return frames


# Vectors.


def vectors(config: FFTConfig, *, n_frames: int = 16, seed: int = 0) -> str:
    """Golden vectors of the model as a file for ``$readmemh``; its header says all.

    Raises
    ------
    ValueError
        See :func:`stimuli`.
    """
    i, o, rate = input_payload(config), output_payload(config), config.samples_per_clock
    frames = []
    for stimulus in stimuli(config, n_frames, seed):
        result = fft(
            stimulus.re,
            stimulus.im,
            config=config,
            log2_n=stimulus.log2_n,
            two_d=stimulus.two_d,
            inverse=stimulus.inverse,
            halve=stimulus.halve,
            bit_reversed=config.order == "bit_reversed",
        )
        frames.append(
            VectorFrame(
                stimulus.name,
                complex_words(i, stimulus.re, stimulus.im, n=rate),
                complex_words(o, result.re, result.im, int(result.exponent), n=rate),
                bool(result.overflow),
                stimulus.control(config),
            )
        )
    return vector_file(
        "fft",
        frames,
        i=i,
        o=o,
        control=control_payload(config),
        made_by=f"spectramac verilog fft {options(config)} --frames {n_frames} --seed {seed}",
        order=order_text(config),
        samples_per_word=rate,
    )


def complex_words(
    payload: Payload, re: Ints, im: Ints, exponent: int = 0, *, n: int = 1
) -> list[int]:
    """Words of a frame, ``n`` samples in each; ``exponent`` matters where the payload has one."""
    rows: list[dict[str, Any]] = [
        {"re": a, "im": b} for a, b in zip(re.tolist(), im.tolist(), strict=True)
    ]
    if n > 1:
        rows = [
            {f"x{k}": row for k, row in enumerate(rows[first : first + n])}
            for first in range(0, len(rows), n)
        ]
    common = {"exponent": exponent}
    return [
        payload.pack(common | {"data": row, "last": int(number == len(rows))})
        for number, row in enumerate(rows, 1)
    ]
