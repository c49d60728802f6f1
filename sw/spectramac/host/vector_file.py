# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Golden vectors of a streaming Verilog module as a file for ``$readmemh`` that says all about itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from spectramac.host.docs import bit_range
from spectramac.spec.fixed import Format
from spectramac.spec.stream import Payload

__all__ = ["VectorFrame", "bit_fields", "concatenation", "vector_file"]


def bit_fields(
    payload: Payload, offset: int = 0, prefix: str = ""
) -> Iterator[tuple[str, int, Format]]:
    """Name, lowest bit and format of each number in a payload, from bit 0 up.

    The member of a framed payload that is called ``data`` gives its fields no prefix, others do: ``first_re``.
    """
    for item in payload.fields:
        if isinstance(item.type, Payload):
            inner = "" if item.name == "data" else f"{item.name}_"
            yield from bit_fields(item.type, offset, prefix + inner)
        else:
            yield prefix + item.name, offset, item.type
        offset += item.width


def concatenation(payload: Payload) -> str:
    """A payload as a Verilog concatenation, highest bits first."""
    return "{" + ", ".join(name for name, _, _ in reversed(list(bit_fields(payload)))) + "}"


@dataclass(frozen=True)
class VectorFrame:
    """What goes in and what comes out.

    Attributes
    ----------
    name : str
        What the frame holds.
    given, wanted : sequence of int
        Packed words of streams i and o; no more come out than go in.
    overflow : bool
        Whether ``overflow`` rises.
    control : mapping
        Values of the inputs that are sampled with the first sample.
    """

    name: str
    given: Sequence[int]
    wanted: Sequence[int]
    overflow: bool
    control: Mapping[str, int] = field(default_factory=dict)


def vector_file(
    module: str,
    frames: Sequence[VectorFrame],
    *,
    i: Payload,
    o: Payload,
    control: Payload,
    made_by: str,
    order: str,
    samples_per_word: int = 1,
) -> str:
    """The text of ``<module>_vectors.txt``.

    Parameters
    ----------
    module : str
        Name of the Verilog module.
    frames : sequence of VectorFrame
    i, o, control : Payload
        Of the two streams; the inputs sampled with a frame as one word, maybe without fields.
    made_by : str
        The command.
    order : str
        Of the results, in words.
    samples_per_word : int
        Samples, and results, of each word; more than 1 only if as many words come out as go in.
    """
    payloads = (i, o, control)
    digits = [-(-payload.width // 4) for payload in payloads]
    lines: list[str] = []
    for number, frame in enumerate(frames):
        chosen = "".join(f", {name} {value}" for name, value in frame.control.items())
        flag = "; overflow" if frame.overflow else ""
        lines.append(f"// frame {number}: {frame.name}{chosen}{flag}")
        choice = f" {control.pack(frame.control):0{digits[2]}x}" if control.fields else ""
        for place, given in enumerate(frame.given):
            word, meaning = "x" * digits[1], "nothing"
            if place < len(frame.wanted):
                word, meaning = (
                    f"{frame.wanted[place]:0{digits[1]}x}",
                    _decimal(o, frame.wanted[place]),
                )
            lines.append(
                f"{given:0{digits[0]}x} {word}{choice} // {_decimal(i, given)} -> {meaning}"
            )
    head = _header(module, frames, payloads, made_by, order, samples_per_word)
    return "\n".join([*head, *lines]) + "\n"


def _decimal(payload: Payload, word: int) -> str:
    """The numbers of a word but ``last``, lowest bits first."""
    numbers = []
    for name, low, fmt in bit_fields(payload):
        value = (word >> low) & ((1 << fmt.width) - 1)
        if fmt.signed and value >> (fmt.width - 1):
            value -= 1 << fmt.width
        if name != "last":
            numbers.append(str(value))
    return " ".join(numbers)


def _header(
    module: str,
    frames: Sequence[VectorFrame],
    payloads: tuple[Payload, Payload, Payload],
    made_by: str,
    order: str,
    samples_per_word: int,
) -> list[str]:
    i, o, control = payloads
    words = [
        (f"i__payload {_layout(i)}, natural order", "i__payload"),
        (f"o__payload {_layout(o)}, {order}", "expected"),
    ]
    if control.fields:
        meaning = f"inputs {_layout(control)}, the same for the whole frame"
        words.append((meaning, concatenation(control)))
    n, n_lines = len(words), sum(len(frame.given) for frame in frames)
    given, wanted = ("sample", "bin") if samples_per_word == 1 else ("word", "word")
    width = max(payload.width for payload in payloads)
    saturated = [str(k) for k, frame in enumerate(frames) if frame.overflow]
    names = {
        side: " ".join(name for name, _, _ in bit_fields(payload) if name != "last")
        for side, payload in (("i", i), ("o", o))
    }
    fewer = [
        "A frame has fewer results than samples; lines beyond have x for the result. After the result with last, go on",
        "with the line of the next frame's first sample.",
    ]
    text = [
        f"Golden vectors of {module}.v: {len(frames)} frames, {n_lines * samples_per_word} samples.",
        f"Made by `{made_by}`.",
        "",
        f"Each line has {given} k of stream i and {wanted} k of stream o: {n} hexadecimal words for $readmemh, then,",
        f"as a comment, `{names['i']} -> {names['o']}` in decimal. The words:",
        *(f"  word {k}: {meaning}" for k, (meaning, _) in enumerate(words)),
        "Frames follow each other; the order of the bins in a frame is that in which they leave.",
        *(fewer if any(len(frame.wanted) < len(frame.given) for frame in frames) else []),
        f"Frames in which `overflow` rises: {', '.join(saturated) or 'none'}.",
        "",
        "In a testbench:",
        f"  reg [{width - 1}:0] vectors [0:{n * n_lines - 1}];",
        f'  initial $readmemh("{module}_vectors.txt", vectors);',
        *(f"  {name} = vectors[{n}*k + {k}];" for k, (_, name) in enumerate(words)),
        "k counts the transfers of each stream on its own: transfers are edges of clk with valid and ready.",
    ]
    return [f"// {line}".rstrip() for line in text]


def _layout(payload: Payload) -> str:
    """``{last [32], im [31:16], re [15:0]}``."""
    parts = [f"{n} [{bit_range(low, fmt.width)}]" for n, low, fmt in bit_fields(payload)]
    return "{" + ", ".join(reversed(parts)) + "}"
