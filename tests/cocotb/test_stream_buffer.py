# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Elastic registers as Verilog, under cocotb: the example for block benches."""

from pathlib import Path

import pytest

from spectramac.gateware.stream import SkidBuffer, layout
from spectramac.gateware.verilog import to_verilog
from spectramac.sim.cocotb_runner import BenchError, run_bench
from spectramac.spec.fixed import Format
from spectramac.spec.stream import complex_payload, frame

HERE = Path(__file__).parent
STALLS = ("none", "source", "sink", "both")
WORD = frame(complex_payload(Format(9)))


@pytest.fixture(scope="module")
def design() -> tuple[str, str]:
    return to_verilog(SkidBuffer(layout(WORD)), "SkidBuffer"), "SkidBuffer"


@pytest.mark.parametrize("stalls", STALLS)
def test_stream_buffer(design, stalls, waves):
    result = run_bench(
        *design,
        "bench_stream_buffer",
        bench_dir=HERE,
        arguments={"stalls": stalls, "seed": 7},
        waves=waves,
    )
    assert len(result.passed) == 2
    assert result.n_checks >= 464


BREAKAGES = {
    "valid waits for nobody": ("o__valid <= ", "o__valid <= o__ready & ", "valid dropped"),
    "last is lost": ("o__payload <= ", "o__payload <= 19'h3ffff & ", "expected"),
    "ready lies": ("assign i__ready = ", "assign i__ready = 1'b1 | ", "expected"),
    "a word does not wait": ("| o__ready;", "| 1'b1;", "payload changed"),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_the_bench_sees(breakage):
    """Each planted bug fails the bench, with a message that says what is wrong."""
    old, new, message = BREAKAGES[breakage]
    verilog = to_verilog(SkidBuffer(layout(WORD)), "SkidBuffer")
    assert old in verilog
    with pytest.raises(BenchError, match=message):
        run_bench(
            verilog.replace(old, new),
            "SkidBuffer",
            "bench_stream_buffer",
            bench_dir=HERE,
            arguments={"stalls": "both", "seed": 7},
        )


def test_a_bench_without_tests_is_an_error():
    verilog = to_verilog(SkidBuffer(layout(WORD)), "SkidBuffer")
    with pytest.raises(BenchError, match=r"at least one test must run|crashed"):
        run_bench(
            verilog, "SkidBuffer", "bench_stream_buffer", bench_dir=HERE, tests=["no_such_test"]
        )
