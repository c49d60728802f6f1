# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Stream plumbing: refused connections, elastic registers, the job queue."""

import numpy as np
import pytest
from amaranth import Module, signed
from amaranth.hdl import Fragment
from tests.gateware.drive import refused
from tests.gateware.streams import STALLS, run_stream

from spectramac.gateware.stream import Queue, SkidBuffer, connect, connect_pipeline, layout
from spectramac.gateware.threshold import Split, Threshold
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.fixed import Format
from spectramac.spec.stream import Field, Payload, complex_payload, frame

WORD = layout(frame(complex_payload(Format(9))))
MAKERS = {
    "skid": lambda: SkidBuffer(WORD),
    "queue1": lambda: Queue(WORD, depth=1),
    "queue2": lambda: Queue(WORD, depth=2),
    "queue8": lambda: Queue(WORD, depth=8),
}


def words(n: int) -> list[int]:
    return np.random.default_rng(n).integers(0, 1 << 19, n).tolist()


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("name", MAKERS)
def test_elastic_registers(name: str, stalls: str) -> None:
    inputs = words(200)
    run = run_stream(MAKERS[name](), inputs, 200, stalls=stalls, seed=3, reset_after=17)
    assert run.outputs == inputs
    if stalls == "none":
        assert run.valid_cycles == [cycle + 1 for cycle in run.in_cycles]
        interval = 2 if name == "queue1" else 1
        assert run.in_cycles == list(range(0, 200 * interval, interval))


@pytest.mark.parametrize(
    ("name", "held"), [("skid", 2), ("queue1", 1), ("queue2", 2), ("queue8", 8)]
)
def test_capacity(name: str, held: int) -> None:
    """So many words are taken while nothing leaves."""
    with pytest.raises(
        AssertionError, match=f"cycle budget of 30 used up: {held} of 9 inputs taken"
    ):
        run_stream(MAKERS[name](), words(9), 9, stalls="never", budget=30)


@pytest.mark.parametrize("depth", [0, 3, 6])
def test_queue_depth_must_be_a_power_of_two(depth: int) -> None:
    message = f"depth must be a power of two.*, not {depth}"
    refused(ValueError, message, lambda: Queue(8, depth=depth))


def pair(*fields: tuple[str, Format]) -> SkidBuffer:
    return SkidBuffer(layout(Payload(tuple(Field(name, fmt) for name, fmt in fields))))


BITS = Format(4, signed=False)
DIFFERENT = {
    "sign": lambda: (SkidBuffer(signed(8)), SkidBuffer(8)),
    "order": lambda: (pair(("re", BITS), ("im", BITS)), pair(("im", BITS), ("re", BITS))),
    "names": lambda: (pair(("re", BITS), ("im", BITS)), pair(("a", BITS), ("b", BITS))),
    "width": lambda: (SkidBuffer(8), SkidBuffer(9)),
}


@pytest.mark.parametrize("kind", DIFFERENT)
def test_different_payloads_do_not_connect(kind: str) -> None:
    source, sink = DIFFERENT[kind]()
    for component in (source, sink):
        Fragment.get(component, None)
    m = Module()
    with pytest.raises(TypeError, match=r"cannot connect source to sink: payload .* != "):
        connect(m, source.o, sink.i)
    with pytest.raises(TypeError, match=r"cannot connect SkidBuffer\.o to SkidBuffer\.i: payload"):
        connect_pipeline(m, source, sink)
    Fragment.get(m, None)


def test_blocks_of_different_configurations_do_not_connect() -> None:
    split = Split(AcceleratorConfig(n_lanes=1))
    threshold = Threshold(AcceleratorConfig(n_lanes=1, data_width=15))
    for component in (split, threshold):
        Fragment.get(component, None)
    m = Module()
    with pytest.raises(TypeError, match=r"cannot connect Split\.o to Threshold\.i"):
        connect_pipeline(m, split, threshold)
    Fragment.get(m, None)
