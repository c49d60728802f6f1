# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Datasheet of the transform (``fft.md`` of ``spectramac verilog fft``).

Ports and layouts come from :mod:`spectramac.spec.stream`, cycles from :mod:`spectramac.spec.timing`, widths from
:mod:`spectramac.spec.fft_plan`, noise from :mod:`spectramac.host.fft_noise`, clocks from measurements.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from spectramac.host.docs import bit_range, markdown_table
from spectramac.host.fft_measured import BENCH, resources
from spectramac.host.fft_noise import Noise, noise
from spectramac.host.fft_product import (
    bit_fields,
    concatenation,
    control_payload,
    input_payload,
    options,
    order_text,
    output_payload,
    ports,
)
from spectramac.host.fft_stage_table import stage_table
from spectramac.model.fft import error_bound
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fft_plan import GUARD, Narrowing, exponents, plan
from spectramac.spec.stream import Payload
from spectramac.spec.timing import fft_cycles_per_frame, fft_latency

__all__ = [
    "DEVICES",
    "FRAMING_RULE",
    "GAP_RULE",
    "RUN_TIME_RULES",
    "TRANSFER_RULE",
    "cycles_table",
    "datasheet",
    "instance",
    "noise_table",
    "noise_text",
    "payload_table",
    "scaling_text",
]

DEVICES = {
    "generic": "The Verilog is free of vendor primitives; block RAM and multipliers are inferred.",
    "ecp5": (
        "Block RAM and multipliers are the ECP5's `DP16KD` and `MULT18X18D`, instantiated with their registers, and "
        "saturating adders its `CCU2C`; a multiplier wider than 18 bits is inferred."
    ),
    "ice40": (
        "For the iCE40 UP5K: multipliers of up to 18 by 16 bits are `SB_MAC16`, instantiated with their registers; the "
        "32 low bits of the product are enough there. All memories, the small ones too, are inferred as block RAM. "
        "Synthesise with `synth_ice40 -device u`, without `-dsp`, which overwrites the registers of instances; a "
        "multiplier that is wider then becomes logic cells."
    ),
    "gowin": (
        "Block RAM up to 1024 words and multipliers are Gowin's `SDPX9B` and `MULT18X18` (GW1N, GW2A), instantiated "
        "with their registers; deeper memories and a multiplier wider than 18 bits are inferred."
    ),
    "nexus": (
        "Block RAM up to 512 words and multipliers are the Nexus family's `PDPSC16K` and `MULTADDSUB18X18`, "
        "instantiated with their registers; deeper memories and a multiplier wider than 18 bits are inferred."
    ),
}
"""What the Verilog of each technology is made of."""

TRANSFER_RULE = (
    "A word is transferred at a rising edge of `clk` at which `valid` and `ready` are high. A word offered "
    "must stay, unchanged, until it is transferred; `o` keeps to that too."
)
FRAMING_RULE = (
    "Frames are counted from reset on. `i`'s `last` is only compared with the count: a wrong one strobes "
    "`framing_error` in the next cycle and has no other effect."
)
GAP_RULE = (
    "A frame comes out completely although no other follows. Gaps in the input are allowed anywhere. The "
    "pipeline never stalls: words are taken while a queue has room for their results."
)
RUN_TIME_RULES = [
    (
        "A frame that is shorter than its predecessor waits for the difference of their numbers of words, in cycles: "
        "`i__ready` depends on `log2_n`. All other outputs depend on registers only."
    ),
    (
        "In two dimensions, N = T² samples come at place n1·T + n2, and bin (k1, k2) has number k2·T + k1; the "
        "inverse takes them there and gives n1·T + n2. Outputs are in bit-reversed order all the same."
    ),
]


def datasheet(
    config: FFTConfig, *, technology: str = "generic", sha256: str = "", bench: Path = BENCH
) -> str:
    """The whole document.

    Parameters
    ----------
    config : FFTConfig
        Pipelined.
    technology : str
        One of those of :class:`spectramac.gateware.fft.device.BlockRAM`.
    sha256 : str
        Of the Verilog that it describes; left out if empty.
    bench : path
        Measurements, which need not exist.

    Raises
    ------
    ValueError
        If ``bench`` is not such a file.
    """
    n = config.n_max
    size = f"up to {n}" if not config.is_fixed else str(n)
    rate = config.samples_per_clock
    several = f", {rate} samples a clock" if rate > 1 else ""
    command = f"spectramac verilog fft {options(config)} --technology {technology}"
    belongs = f" Describes `fft.v` with SHA-256 `{sha256}`." if sha256 else ""
    sections = [
        f"# FFT of {size} points, {config.data_width} bits{several}\n",
        f"Made by `{command}`.{belongs}\n",
        "## Function\n",
        _function(config, technology),
        "## Ports\n",
        markdown_table(
            ("port", "direction", "bits", "meaning"),
            [(f"`{p.name}`", p.direction, p.width, p.meaning) for p in ports(config)],
        ),
        payload_table(input_payload(config), output_payload(config)),
        "## Streams\n",
        _streams(config),
        "## Scaling and overflow\n",
        scaling_text(config),
        "## Cycles\n",
        _cycles(config),
        "## Stages\n",
        stage_table(config, technology),
        "## Noise\n",
        noise_text(config),
        "## Resources and clock\n",
        resources(config, technology, bench),
        "## Instantiation\n",
        instance("fft", input_payload(config), output_payload(config), control_payload(config)),
    ]
    return "\n".join(sections)


def _function(config: FFTConfig, technology: str) -> str:
    if config.is_fixed:
        what = f"Forward discrete Fourier transform of frames of {config.n_max} complex samples"
    else:
        low = 1 << config.log2_n_range[0]
        what = (
            f"Discrete Fourier transform of frames of {low} to {config.n_max} complex samples; size, direction, "
            "dimension (one or two) and scaling are chosen for every frame"
        )
    structure = "single-path delay feedback, one sample a clock"
    if config.samples_per_clock > 1:
        structure = f"multi-path delay feedback, {config.samples_per_clock} samples a clock"
    return (
        f"{what}: X[k] = Σ x[n] exp(-2πj kn/N). Radix-2² {structure}, no gap "
        "between frames of one size. Bit for bit the function `spectramac.model.fft.fft`; `fft_vectors.txt` has "
        f"samples of it. {DEVICES[technology]}\n"
    )


def payload_table(i: Payload, o: Payload, kinds: Mapping[str, str] | None = None) -> str:
    """Fields of both streams; ``kinds`` of those that are not signed numbers."""
    rows = []
    known = {"last": "1 with the last of a frame", **(kinds or {})}
    for stream, payload in (("i", i), ("o", o)):
        for name, low, fmt in bit_fields(payload):
            kind = known.get(name, "signed, two's complement")
            rows.append((f"`{stream}__payload`", bit_range(low, fmt.width), f"`{name}`", kind))
    return markdown_table(("port", "bits", "field", "format"), rows)


def _streams(config: FFTConfig) -> str:
    rules = [
        TRANSFER_RULE,
        *_words(config),
        f"Samples come in natural order. Bins leave in {order_text(config)}{_reversal(config)}.",
        FRAMING_RULE,
        GAP_RULE,
    ]
    if config.is_fixed:
        rules.append("All outputs depend on registers only.")
    else:
        names = ", ".join(f"`{field.name}`" for field in control_payload(config).fields)
        rules += [
            f"{names} are sampled with the first word of a frame and must be there while it is offered.",
            *RUN_TIME_RULES,
        ]
    return "".join(f"- {rule}\n" for rule in rules)


def _words(config: FFTConfig) -> list[str]:
    rate = config.samples_per_clock
    if rate == 1:
        return []
    places = f"{rate}·t (`x0`) to {rate}·t + {rate - 1} (`x{rate - 1}`)"
    text = f"A word has {rate} samples, or bins: word t of a frame those in places {places}."
    return [f"{text} A frame of N points is N/{rate} words."]


def _reversal(config: FFTConfig) -> str:
    if config.order == "natural":
        return ""
    n_bits = str(config.log2_n_max) if config.is_fixed else "log2 N"
    return f": the bin in place j of a frame is k, the {n_bits} bits of j in reverse"


def scaling_text(config: FFTConfig) -> str:
    """Scale, roundings and overflow of the transform."""
    width = config.output.width
    result = {
        "halving": f"The output is X/N, rounded, {width} bits",
        "growth": f"The output is X in full, {width} bits = input + log2 N{_diagonal(config)}",
        "block": _block_scaling(config),
        "per_stage": f"The output is X/2^h, {width} bits, h the number of ones in the low log2 N bits of `halve`",
    }[config.scaling]
    if config.scaling == "block":
        return f"{result}\n"
    units = "If the input is read as a fraction, the output has as many fraction bits"
    saturating = [f"{s.m}" for s in plan(config) for n in (s.narrowing, s.product) if _clips(n)]
    if not saturating:
        overflow = "Nothing can overflow; `overflow` is always low."
    elif config.is_fixed:
        overflow = (
            "Only the last rounding saturates: |X/N| may reach √2 times full scale if samples lie outside the disc of "
            "full scale. `overflow` is high for such a frame, not later than one cycle after its last bin was first "
            "offered, and for no other."
        )
    else:
        overflow = (
            "Every rounding saturates. `overflow` is high for a frame in which that happened, not later than one cycle "
            "after its last bin was first offered, and for no other. With all stages halving, samples in the disc of "
            "full scale cannot overflow by more than rounding errors."
        )
    return f"{result}. {units}. All roundings are half to even. {overflow}\n"


def _block_scaling(config: FFTConfig) -> str:
    if config.scaling != "block":
        return ""
    width, steps = config.output.width, exponents(config)
    low, high = -(1 << (width - 1)), (1 << (width - 1)) - 1
    return (
        f"Block floating point: X[k] ≈ (re + j im) · 2^`exponent`, mantissas of {width} bits, one exponent for a "
        f"frame, from {steps[0]} to {steps[-1]}: the smallest with which re and im of all X[k] lie from "
        f"{low}·2^exponent to {high}·2^exponent before they are rounded. So rounding cannot exceed the mantissa: "
        f"nothing saturates, for no input, and `overflow` is always low. A frame of zeros has exponent {steps[0]}. If "
        "the input is read as a fraction, so is X, with as many fraction bits.\n\n"
        f"Before the mantissa is rounded, X has {GUARD} fraction bit. Words grow from stage to stage; a sample that "
        "is wider than its multiplier is shifted right before the product and back after it (stages). All roundings "
        "are half to even."
    )


def _diagonal(config: FFTConfig) -> str:
    """The bit that a product may need, which turns a value from the diagonal of the complex plane to an axis."""
    more = config.output.width - config.data_width - config.log2_n_max
    return f" + {more}" if more else ""


def _clips(narrowing: Narrowing | None) -> bool:
    return narrowing is not None and narrowing.saturates


def _cycles(config: FFTConfig) -> str:
    low = config.log2_n_max if config.is_fixed else config.log2_n_range[0]
    rows = [
        (1 << log2_n, fft_latency(config, log2_n), fft_cycles_per_frame(config, log2_n))
        for log2_n in range(low, config.log2_n_max + 1)
    ]
    return cycles_table(rows)


def cycles_table(rows: Sequence[tuple[int, int, int]]) -> str:
    """Rows (points, latency, cycles a frame)."""
    table = markdown_table(("points", "latency", "cycles a frame"), rows)
    return (
        f"{table}\nLatency: from the cycle in which the first sample is taken to the first in which the first bin is "
        "offered, without gaps in the input.\n"
    )


def noise_text(config: FFTConfig) -> str:
    """Measured noise of the transform, and its bound."""
    halve = 0 if config.is_fixed else config.n_max - 1
    bound = error_bound(config, config.log2_n_max, halve)
    unit = "units of its last place"
    if config.scaling == "block":
        unit = "units of the input's last place, and √½ · 2^exponent for the mantissa"
    setting = "" if config.is_fixed else f"{config.n_max} points, all stages halving. "
    return setting + noise_table(noise(config), bound, unit)


def noise_table(
    measured: Sequence[Noise], bound: float, unit: str = "units of its last place"
) -> str:
    """Measured noise, and the bound of the error of a bin."""
    rows = [
        (row.signal, f"{row.together:.1f}", f"{row.worst:.1f}", row.n_frames, row.n_saturated)
        for row in measured
    ]
    header = ("signal", "SQNR, dB", "worst frame, dB", "frames", "saturated")
    return (
        "Signal to quantization noise, the model against a floating-point transform of the same integers:\n\n"
        f"{markdown_table(header, rows)}\n"
        "Saturated frames count like the others.\n\n"
        f"Without saturation no bin is off by more than {bound:.1f} {unit} (proven bound).\n"
    )


def instance(module: str, i: Payload, o: Payload, control: Payload) -> str:
    """Verilog that instantiates the module."""

    def vector(width: int) -> str:
        return "" if width == 1 else f"[{width - 1}:0] "

    widths = {name: fmt.width for name, _, fmt in bit_fields(i)}
    out_widths = {name: fmt.width for name, _, fmt in bit_fields(o)}

    def names(payload: Payload, prefix: str) -> str:
        return concatenation(payload).replace("{", f"{{{prefix}").replace(", ", f", {prefix}")

    lines = [
        *(f"wire {vector(w)}x_{name};".replace("  ", " ") for name, w in widths.items()),
        "wire x_valid, x_ready;",
        *(f"wire {vector(w)}y_{name};".replace("  ", " ") for name, w in out_widths.items()),
        "wire y_valid, y_ready;",
        "wire overflow, framing_error;",
        *(f"wire {vector(field.width)}{field.name};" for field in control.fields),
        "",
        f"{module} {module} (",
        "    .clk(clk), .rst(rst),",
        f"    .i__payload({names(i, 'x_')}), .i__valid(x_valid), .i__ready(x_ready),",
        f"    .o__payload({names(o, 'y_')}), .o__valid(y_valid), .o__ready(y_ready),",
    ]
    if control.fields:
        lines.append("    " + " ".join(f".{f.name}({f.name})," for f in control.fields))
    lines += ["    .overflow(overflow), .framing_error(framing_error)", ");"]
    return "```verilog\n" + "\n".join(lines) + "\n```\n"
