# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Synthesis, place and route, on designs small enough for seconds."""

import json
from typing import Any

import pytest
from amaranth import Array, Module, Signal, signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.stream import SkidBuffer
from spectramac.sim import synth
from spectramac.sim.synth import DEVICES, DoesNotFitError, main, synthesize

pytest.importorskip("pyosys")


class MultiplyAccumulate(wiring.Component):
    """One multiplier, an accumulator, and a memory of 4096 bytes."""

    def __init__(self, n: int = 1) -> None:
        self.n = n
        super().__init__(
            {"a": In(signed(16)), "b": In(signed(16)), "address": In(12), "o": Out(signed(36))}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.store = store = memory.Memory(shape=8, depth=4096, init=[])
        write, read = store.write_port(), store.read_port()
        m.d.comb += [
            write.addr.eq(self.address),
            write.data.eq(self.a),
            write.en.eq(self.b[0]),
            read.addr.eq(self.address),
        ]
        sums = Array(Signal(signed(36), name=f"sum{k}") for k in range(self.n))
        for k in range(self.n):
            m.d.sync += sums[k].eq(sums[k] + (self.a + k) * (self.b ^ k))
        m.d.sync += self.o.eq(sums[self.address] + read.data)
        return m


def used(report) -> dict[str, int]:
    return {item.name: item.used for item in report.resources}


def test_ecp5_uses_a_multiplier_and_block_ram():
    report = synthesize(MultiplyAccumulate(), DEVICES["small"])
    assert used(report)["DSP"] == 1
    assert used(report)["block RAM"] == 2
    assert report.median_mhz > 50
    assert report.path is not None
    assert report.path.n_cells >= 1
    text = report.text()
    assert "critical path" in text
    assert "wrapper's 118 flip-flops" in text


def test_up5k_fits_its_few_pins():
    report = synthesize(MultiplyAccumulate(), DEVICES["tiny"])
    assert used(report)["DSP"] == 1
    assert used(report)["FF"] >= report.wrapper_flip_flops - 2
    assert report.median_mhz > 10


def test_too_large_is_an_error_that_says_what_is_missing():
    with pytest.raises(DoesNotFitError, match=r"must fit iCE40 UP5K-SG48: .*SB_MAC16"):
        synthesize(MultiplyAccumulate(9), DEVICES["tiny"])


def skid(config: Any) -> SkidBuffer:
    return SkidBuffer(config.data_width)


def test_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(synth, "_component", lambda spec, config, technology: skid(config))
    path = tmp_path / "report.json"
    assert main(["--preset", "small", "--json", str(path), "--seeds", "2"]) == 0
    report = json.loads(path.read_text())
    assert len(report["clock_mhz"]) == 2
    assert "SkidBuffer (small) on ECP5 LFE5U-25F-6" in capsys.readouterr().out
    assert main(["--preset", "small", "--min-mhz", "5000"]) == 1
    assert "clock must be at least 5000 MHz" in capsys.readouterr().err


def test_seeds(tmp_path, monkeypatch):
    found = []
    monkeypatch.setattr(synth, "_component", lambda spec, config, technology: skid(config))
    route = synth._route

    def traced(device, work, seed, *arguments):
        found.append(seed)
        return route(device, work, seed, *arguments)

    monkeypatch.setattr(synth, "_route", traced)
    assert main(["--preset", "small", "--seeds", "2", "--seed", "7"]) == 0
    assert main(["--preset", "small"]) == 0
    assert found == [7, 8, 1]


def test_a_changed_preset(monkeypatch, capsys):
    found = []
    monkeypatch.setattr(
        synth, "_component", lambda spec, config, technology: found.append(config) or skid(config)
    )
    assert main(["--preset", "small", "--set", "n_lanes=2", "--set", "data_width=15"]) == 0
    assert (found[0].n_lanes, found[0].data_width) == (2, 15)
    assert "SkidBuffer (small with n_lanes=2, data_width=15) on" in capsys.readouterr().out
    assert main(["--set", "n_lanes=0"]) == 1
    assert "n_lanes must be an integer from 1 to 64, not 0" in capsys.readouterr().err


def test_an_unknown_component_is_an_error(capsys):
    assert main(["--component", "no.such:Thing"]) == 1
    assert "component must be module:function that exists" in capsys.readouterr().err


def test_streams_are_wrapped_too():
    report = synthesize(SkidBuffer(8), DEVICES["small"])
    assert used(report)["FF"] >= 18
    # Ten bits in (payload, valid, o.ready), ten out, and reset, load, counted as written.
    assert report.wrapper_flip_flops == 10 + 2 * 10 + 2
