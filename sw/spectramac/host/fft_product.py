# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The transform as a product of its own (``spectramac verilog fft``): configuration, ports, golden vectors.

:mod:`spectramac.host.fft_datasheet` writes its datasheet.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spectramac.host.docs import bit_range
from spectramac.model.fft import fft
from spectramac.model.fixed import Ints
from spectramac.spec.config import FFTConfig
from spectramac.spec.fixed import Format
from spectramac.spec.stream import Field, Payload, complex_payload, frame

__all__ = [
    "Port",
    "Stimulus",
    "bit_fields",
    "concatenation",
    "configuration",
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
    points: int, width: int, twiddle_width: int, scaling: str, order: str = "bit_reversed"
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
    )


def default_twiddle_width(technology: str) -> int:
    """Bits of a twiddle factor that the multipliers of a technology take: iCE40's 16, others' 18."""
    return 16 if technology == "ice40" else 18


def options(config: FFTConfig) -> str:
    """The options of ``spectramac verilog fft`` that give ``config``."""
    return (
        f"--points {config.n_max} --width {config.data_width} "
        f"--twiddle-width {config.twiddle_width} --scaling {config.scaling} --order {config.order}"
    )


def order_text(config: FFTConfig) -> str:
    """Order of the bins, in words."""
    return {"bit_reversed": "bit-reversed order", "natural": "natural order"}[config.order]


# Ports.


def input_payload(config: FFTConfig) -> Payload:
    """Of stream ``i``."""
    return frame(complex_payload(config.data))


def output_payload(config: FFTConfig) -> Payload:
    """Of stream ``o``."""
    return frame(complex_payload(config.output))


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


def bit_fields(payload: Payload, offset: int = 0) -> Iterator[tuple[str, int, Format]]:
    """Name, lowest bit and format of each number in a payload, from bit 0 up."""
    for field in payload.fields:
        if isinstance(field.type, Payload):
            yield from bit_fields(field.type, offset)
        else:
            yield field.name, offset, field.type
        offset += field.width


def concatenation(payload: Payload) -> str:
    """A payload as a Verilog concatenation, highest bits first."""
    return "{" + ", ".join(name for name, _, _ in reversed(list(bit_fields(payload)))) + "}"


@dataclass(frozen=True)
class Port:
    """A port of the Verilog module."""

    name: str
    direction: str
    width: int
    meaning: str


def ports(config: FFTConfig) -> list[Port]:
    """All ports of ``fft.v``."""
    sizes = f"{config.log2_n_range[0]} to {config.log2_n_max}"
    meanings = {
        "log2_n": f"size of the frame, log2 N: {sizes}; no other value is allowed",
        "two_d": "1: two dimensions, √N by √N points; only with an even `log2_n`",
        "inverse": "1: inverse transform (positive exponent)",
        "halve": "bit m - 1 halves stage m; bits from `log2_n` up are ignored",
    }
    return [
        Port("clk", "input", 1, "clock, rising edge"),
        Port(
            "rst", "input", 1, "synchronous reset, active high; registers have initial values too"
        ),
        Port("i__payload", "input", input_payload(config).width, "a sample, natural order"),
        Port("i__valid", "input", 1, "a sample is offered"),
        Port("i__ready", "output", 1, "it is taken at this clock edge"),
        Port("o__payload", "output", output_payload(config).width, f"a bin, {order_text(config)}"),
        Port("o__valid", "output", 1, "a bin is offered"),
        Port("o__ready", "input", 1, "it is taken at this clock edge"),
        *(
            Port(field.name, "input", field.width, meanings[field.name])
            for field in control_payload(config).fields
        ),
        Port("overflow", "output", 1, "a value was saturated"),
        Port("framing_error", "output", 1, "`last` of the sample just taken was wrong"),
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


def tone(config: FFTConfig, k: int, phase: float = 0.0) -> tuple[Ints, Ints]:
    """A complex exponential of full scale at bin ``k``; phase in turns."""
    n = config.n_max
    z = config.data.maximum * np.exp(2j * np.pi * (k * np.arange(n) % n / n + phase))
    return np.rint(z.real).astype(np.int64), np.rint(z.imag).astype(np.int64)


def corners(config: FFTConfig) -> tuple[Ints, Ints]:
    """Square waves at bin 1, a quarter apart: each sample in a corner of the complex plane, X[1] the largest."""
    angle = 2 * np.pi * (np.arange(config.n_max) + 0.5) / config.n_max
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
    lines: list[str] = []
    saturated: list[int] = []
    n_samples = 0
    for number, stimulus in enumerate(stimuli(config, n_frames, seed)):
        body, overflow = _frame_lines(config, stimulus)
        if overflow:
            saturated.append(number)
        chosen = "".join(f", {name} {value}" for name, value in stimulus.control(config).items())
        flag = "; overflow" if overflow else ""
        lines.append(f"// frame {number}: {stimulus.name}{chosen}{flag}")
        lines += body
        n_samples += len(body)
    head = _header(config, n_frames, seed, n_samples, saturated)
    return "\n".join([*head, *lines]) + "\n"


def _frame_lines(config: FFTConfig, stimulus: Stimulus) -> tuple[list[str], bool]:
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
    i, o, control = input_payload(config), output_payload(config), control_payload(config)
    digits = [-(-payload.width // 4) for payload in (i, o, control)]
    choice = f" {control.pack(stimulus.control(config)):0{digits[2]}x}" if control.fields else ""
    columns = (stimulus.re, stimulus.im, result.re, result.im)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    lines = []
    for number, (re, im, x_re, x_im) in enumerate(rows, 1):
        last = int(number == len(rows))
        given = i.pack({"data": {"re": re, "im": im}, "last": last})
        wanted = o.pack({"data": {"re": x_re, "im": x_im}, "last": last})
        words = f"{given:0{digits[0]}x} {wanted:0{digits[1]}x}{choice}"
        lines.append(f"{words} // {re} {im} -> {x_re} {x_im}")
    return lines, bool(result.overflow)


def _header(
    config: FFTConfig, n_frames: int, seed: int, n_samples: int, saturated: list[int]
) -> list[str]:
    i, o, control = input_payload(config), output_payload(config), control_payload(config)
    words = [
        (f"i__payload {_layout(i)}, natural order", "i__payload"),
        (f"o__payload {_layout(o)}, {order_text(config)}", "expected"),
    ]
    if control.fields:
        meaning = f"inputs {_layout(control)}, the same for the whole frame"
        words.append((meaning, concatenation(control)))
    n = len(words)
    width = max(payload.width for payload in (i, o, control))
    numbers = ", ".join(map(str, saturated)) or "none"
    text = [
        f"Golden vectors of fft.v: {n_frames} frames, {n_samples} samples.",
        f"Made by `spectramac verilog fft {options(config)} --frames {n_frames} --seed {seed}`.",
        "",
        f"Each line has sample k of stream i and bin k of stream o: {n} hexadecimal words for $readmemh, then,",
        "as a comment, `re im -> re im` in decimal. The words:",
        *(f"  word {k}: {meaning}" for k, (meaning, _) in enumerate(words)),
        "Frames follow each other; the order of the bins in a frame is that in which they leave.",
        f"Frames in which `overflow` rises: {numbers}.",
        "",
        "In a testbench:",
        f"  reg [{width - 1}:0] vectors [0:{n * n_samples - 1}];",
        '  initial $readmemh("fft_vectors.txt", vectors);',
        *(f"  {name} = vectors[{n}*k + {k}];" for k, (_, name) in enumerate(words)),
        "k counts the transfers of each stream on its own: transfers are edges of clk with valid and ready.",
    ]
    return [f"// {line}".rstrip() for line in text]


def _layout(payload: Payload) -> str:
    """``{last [32], im [31:16], re [15:0]}``."""
    parts = [f"{n} [{bit_range(low, fmt.width)}]" for n, low, fmt in bit_fields(payload)]
    return "{" + ", ".join(reversed(parts)) + "}"
