# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Run a component with one input and one output stream in the Amaranth simulator.

``run_stream`` is a function from integers to integers: payloads are packed words (see
:meth:`spectramac.spec.stream.Payload.pack`), in and out. Typical use::

    run = run_stream(FFT(config), words_in, n_out=len(words_in), stalls="both", seed=seed,
                     control={"log2_n": 4, "halve": halves}, strobes=("overflow",))
    assert_same(run.outputs, expected, lambda n: f"frame {n // 16}, bin {n % 16}")

Every run checks, without being asked: the stream law on the output (``valid`` is not dropped and the
payload is stable until the transfer), that nothing more comes out after the last expected transfer, that
all inputs were taken, and that it all ended within the cycle budget. The source keeps the law itself.
"""

import operator
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from amaranth import ResetInserter, Signal, Value
from amaranth.lib import stream
from amaranth.sim import Simulator

__all__ = ["STALLS", "StreamRun", "assert_same", "checked", "run_stream"]

STALLS = ("none", "source", "sink", "both")
"""Stall patterns: who pauses, at random, half of the time."""


def checked(value: Any, signal: Any) -> int:
    """``value`` as a Python integer that ``signal`` can hold.

    Amaranth refuses NumPy integers and silently wraps numbers that do not fit; this accepts the former
    and raises :class:`ValueError` for the latter. Struct payloads count as unsigned words.
    """
    shape = Value.cast(signal).shape()
    number = operator.index(value)
    low = -(1 << (shape.width - 1)) if shape.signed else 0
    high = (1 << (shape.width - shape.signed)) - 1
    if not low <= number <= high:
        raise ValueError(f"stimulus for {signal!r} must be from {low} to {high}, not {number}")
    return number


@dataclass
class StreamRun:
    """What a run produced.

    ``in_cycles[k]`` and ``out_cycles[k]`` are the cycles of transfer ``k``; ``valid_cycles[k]`` is the first
    cycle in which output ``k`` was offered; ``strobes[name]`` lists the cycles in which that output was
    high (a cycle number compares with the others).
    """

    outputs: list[int] = field(default_factory=list)
    in_cycles: list[int] = field(default_factory=list)
    out_cycles: list[int] = field(default_factory=list)
    valid_cycles: list[int] = field(default_factory=list)
    strobes: dict[str, list[int]] = field(default_factory=dict)
    cycles: int = 0


def run_stream(
    dut: Any,
    inputs: Iterable[Any],
    n_out: int,
    *,
    stalls: str = "none",
    seed: int = 0,
    control: Mapping[str, Any] | None = None,
    strobes: Sequence[str] = (),
    budget: int | None = None,
    settle: int = 24,
    reset_after: int | None = None,
    source_every: int = 1,
    source_delay: int = 0,
    sink_delay: int = 0,
    processes: Sequence[Callable[[Any], Any]] = (),
    i: str | None = "i",
    o: str = "o",
) -> StreamRun:
    """Feed ``inputs`` to ``dut.i`` and collect ``n_out`` payloads from ``dut.o``.

    Parameters
    ----------
    dut : wiring.Component
        Not yet elaborated; used for this run only.
    inputs : iterable of int
        Packed payloads, Python or NumPy integers; checked against the width.
    n_out : int
        Expected transfers. More, or fewer within the budget, is an :class:`AssertionError`.
    stalls : str
        One of :data:`STALLS`, or ``"never"``: the sink never takes anything.
    seed : int
        Of the stall patterns.
    control : mapping
        Values of other inputs of ``dut``: an integer (constant), or a sequence with one integer for each
        input, driven while that input is offered (and until the next is).
    strobes : sequence of str
        One-bit outputs to watch.
    budget : int
        Cycles allowed; by default generous for a component that takes one sample a clock.
    settle : int
        Cycles to watch for extra outputs after the last expected one.
    reset_after : int
        Reset the component for one cycle once this many inputs were taken; then everything taken and
        produced so far is forgotten and the whole run is done from the start.
    source_every : int
        Offer an input only every so many cycles (on top of ``stalls``).
    source_delay : int
        First cycle in which an input may be offered.
    sink_delay : int
        First cycle in which the sink may take an output.
    processes : sequence of async functions
        Run beside the component, for example memories behind its ports.
    i, o : str
        Names of the two streams; ``i`` may be None if there are no ``inputs``.
    """
    if stalls not in (*STALLS, "never"):
        raise ValueError(f"stalls must be one of {', '.join(STALLS)}, not {stalls!r}")
    source_stream = getattr(dut, o)
    sink_stream = stream.Interface(stream.Signature(1)) if i is None else getattr(dut, i)
    payload_in, payload_out = Value.cast(sink_stream.payload), Value.cast(source_stream.payload)
    words = [checked(word, payload_in) for word in inputs]
    constants, per_input = _controls(dut, control or {}, len(words))
    if budget is None:
        budget = 400 + 8 * (len(words) + n_out)
    rng = random.Random(seed)
    reset = Signal()
    run = StreamRun()

    async def bench(ctx: Any) -> None:
        nonlocal run
        run = StreamRun(strobes={name: [] for name in strobes})
        watched = [getattr(dut, name) for name in strobes]
        for signal, value in constants:
            ctx.set(signal, value)
        taken = offered = cycle = idle = 0
        held: int | None = None
        resets_left = 0 if reset_after is None else 1
        while len(run.outputs) < n_out or taken < len(words) or idle < settle:
            assert cycle < budget, (
                f"cycle budget of {budget} used up: {taken} of {len(words)} inputs taken, "
                f"{len(run.outputs)} of {n_out} outputs seen"
            )
            if (
                offered == taken < len(words)
                and cycle % source_every == 0
                and cycle >= source_delay
                and (stalls not in ("source", "both") or rng.random() < 0.5)
            ):
                ctx.set(payload_in, words[taken])
                for signal, values in per_input:
                    ctx.set(signal, values[taken])
                offered += 1
            ctx.set(sink_stream.valid, int(offered > taken))
            ready = stalls != "never" and (stalls not in ("sink", "both") or rng.random() < 0.5)
            ready = ready and cycle >= sink_delay
            ctx.set(source_stream.ready, int(ready))
            do_reset = resets_left and taken == reset_after
            ctx.set(reset, int(do_reset))
            _, _, accepts, valid, payload, *flags = await ctx.tick().sample(
                sink_stream.ready, source_stream.valid, payload_out, *watched
            )
            if do_reset:
                resets_left -= 1
                run = StreamRun(strobes={name: [] for name in strobes})
                taken = offered = cycle = 0
                held = None
                ctx.set(sink_stream.valid, 0)
                continue
            for name, flag in zip(strobes, flags, strict=True):
                if flag:
                    run.strobes[name].append(cycle)
            if held is not None:
                n = len(run.outputs)
                assert valid, f"cycle {cycle}: {o}.valid dropped before transfer {n}"
                assert payload == held, (
                    f"cycle {cycle}: {o}.payload changed from {held:#x} to {payload:#x} "
                    f"before transfer {n}"
                )
            elif valid:
                run.valid_cycles.append(cycle)
            if accepts and offered > taken:
                run.in_cycles.append(cycle)
                taken += 1
            held = payload if valid and not ready else None
            if valid:
                assert len(run.outputs) < n_out, f"cycle {cycle}: extra output {payload:#x}"
            if valid and ready:
                run.outputs.append(payload)
                run.out_cycles.append(cycle)
            if len(run.outputs) == n_out and taken == len(words):
                idle += 1
            cycle += 1
        run.cycles = cycle

    simulator = Simulator(ResetInserter(reset)(dut))
    simulator.add_clock(1e-6)
    for process in processes:
        simulator.add_process(process)
    simulator.add_testbench(bench)
    simulator.run()
    return run


def _controls(
    dut: Any, control: Mapping[str, Any], n_inputs: int
) -> tuple[list[tuple[Any, int]], list[tuple[Any, list[int]]]]:
    """Split control values in constants and sequences, checked."""
    constants: list[tuple[Any, int]] = []
    sequences: list[tuple[Any, list[int]]] = []
    for name, value in control.items():
        signal = getattr(dut, name)
        if hasattr(value, "__len__"):
            if len(value) != n_inputs:
                raise ValueError(
                    f"control {name!r} must have one value for each of {n_inputs} inputs, "
                    f"not {len(value)}"
                )
            sequences.append((signal, [checked(v, signal) for v in value]))
        else:
            constants.append((signal, checked(value, signal)))
    return constants, sequences


def assert_same(
    actual: Sequence[Any],
    expected: Sequence[Any],
    where: Callable[[int], str] = lambda n: f"item {n}",
    show: Callable[[Any], str] = str,
) -> None:
    """Raise :class:`AssertionError` naming the first mismatch: ``frame 2, bin 17: rtl -3, model -2``."""
    for n, (a, b) in enumerate(zip(actual, expected, strict=False)):
        assert a == b, f"{where(n)}: rtl {show(a)}, model {show(b)}"
    assert len(actual) == len(expected), f"rtl {len(actual)} items, model {len(expected)}"
