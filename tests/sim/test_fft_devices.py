# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The pipelined transform in volume on Verilated RTL: portable, and mapped to a device's primitives."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spectramac.gateware.fft import FFT
from spectramac.gateware.fft.device import TECHNOLOGIES, BlockRAM
from spectramac.gateware.verilog import to_verilog
from spectramac.host import fft_product
from spectramac.model.fft import FFTResult, fft
from spectramac.sim.cells import FLOWS, REPAIRS, cell_models
from spectramac.sim.library import StreamPorts, VerilatedLibrary
from spectramac.sim.packing import Words, pack_words, unpack_words
from spectramac.sim.synth import run_yosys
from spectramac.sim.synth_wrapper import to_rtlil
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.payloads import fft_input, fft_output
from spectramac.spec.timing import fft_latency


def verilog(config: FFTConfig, technology: str) -> str:
    """The gateware, with models of the cells that it instantiates."""
    if technology != "generic":
        pytest.importorskip(
            "pyosys", reason="synthesis is an extra: pip install 'spectramac[fpga]'"
        )
    core = FFT(config, technology=technology)
    return to_verilog(core, "fft") + cell_models(technology)


def sample_names(config: FFTConfig) -> list[str]:
    """Of the samples in a word."""
    n_paths = config.samples_per_clock
    return ["data"] if n_paths == 1 else [f"data.x{k}" for k in range(n_paths)]


def packed(config: FFTConfig, re: Any, im: Any) -> Words:
    """Words of frames of one size, arrays of (frames, points)."""
    names = sample_names(config)
    last = np.zeros((re.shape[0], re.shape[1] // len(names)), np.int64)
    last[:, -1] = 1
    values = {"last": last.ravel()}
    for k, name in enumerate(names):
        values[f"{name}.re"] = re.ravel()[k :: len(names)]
        values[f"{name}.im"] = im.ravel()[k :: len(names)]
    return pack_words(fft_input(config), values)


def check_words(config: FFTConfig, words: Words, y: FFTResult) -> None:
    """Words of the frames of ``y``."""
    result, names = unpack_words(fft_output(config), words), sample_names(config)
    for part, wanted in (("re", y.re), ("im", y.im)):
        columns = np.stack([result[f"{name}.{part}"] for name in names], axis=-1)
        np.testing.assert_array_equal(columns.reshape(wanted.shape), wanted)
    last = result["last"].reshape(len(y.re), -1)
    assert last[:, -1].all()
    assert not last[:, :-1].any()


def check(text: str, config: FFTConfig, n_frames: int) -> None:
    """Frames back to back equal the model's, and none costs a clock more than its samples."""
    n = config.n_max
    rng = np.random.default_rng(n)
    size = (n_frames, n)
    amplitude = config.data.maximum >> rng.integers(0, 8, (n_frames, 1))
    re, im = (rng.integers(-amplitude - 1, amplitude + 1, size) for _ in range(2))
    y = fft(re, im, config=config, log2_n=config.log2_n_max, bit_reversed=True)
    words, sink = packed(config, re, im), fft_output(config)
    with VerilatedLibrary(text, "fft", StreamPorts({"i": fft_input(config)}, {"o": sink})) as dut:
        dut.reset()
        start = dut.cycles
        got = dut.exchange({"i": words}, {"o": words.shape[0]})["o"]
        spent = dut.cycles - start
    check_words(config, got, y)
    if config.scaling == "block":
        exponents = np.broadcast_to(y.exponent[:, None], size)
        result = unpack_words(sink, got)
        np.testing.assert_array_equal(result["exponent"].reshape(size), exponents)
    assert spent <= words.shape[0] + fft_latency(config, config.log2_n_max) + 4


def configuration(
    technology: str, log2_n: int, scaling: str, samples_per_clock: int = 1
) -> FFTConfig:
    """With factors as wide as the technology's multipliers take."""
    return FFTConfig(
        log2_n_max=log2_n,
        twiddle_width=fft_product.default_twiddle_width(technology),
        scaling=scaling,  # type: ignore[arg-type]
        samples_per_clock=samples_per_clock,
    )


def long_unless(quick: Iterable[Any], cases: Iterable[Any]) -> list[Any]:
    """Sets of parameters of a test: all but the quick ones are for the long sweep."""
    wanted = set(quick)
    return [
        case if case in wanted else pytest.param(*case, marks=pytest.mark.long) for case in cases
    ]


SIZES = [("halving", 5), ("halving", 6), ("halving", 9), ("growth", 5), ("block", 5), ("block", 6)]
QUICK = [(technology, "halving", 5) for technology in TECHNOLOGIES]
# Wide products and blocks where most cells are instantiated; the iCE40's small memories.
QUICK += [
    ("ecp5", "halving", 6),
    ("ecp5", "growth", 5),
    ("ecp5", "block", 5),
    ("ice40", "block", 5),
]


@pytest.mark.parametrize(
    ("technology", "scaling", "log2_n"),
    long_unless(QUICK, [(technology, *size) for technology in TECHNOLOGIES for size in SIZES]),
)
def test_a_thousand_frames(technology: str, scaling: str, log2_n: int) -> None:
    config = configuration(technology, log2_n, scaling)
    check(verilog(config, technology), config, 1000)


LONG = pytest.mark.long


@pytest.mark.parametrize(
    ("technology", "n_paths", "log2_n"),
    [
        ("ecp5", 4, 5),
        pytest.param("ecp5", 4, 6, marks=LONG),
        pytest.param("generic", 8, 6, marks=LONG),
        pytest.param("ecp5", 2, 7, marks=LONG),
        pytest.param("ice40", 2, 7, marks=LONG),
        pytest.param("ice40", 8, 6, marks=LONG),
        pytest.param("gowin", 4, 6, marks=LONG),
        pytest.param("nexus", 8, 6, marks=LONG),
    ],
)
def test_a_thousand_frames_of_several_samples_a_clock(
    technology: str, n_paths: int, log2_n: int
) -> None:
    """With 2, half blocks in block RAM and in memories of logic cells."""
    config = configuration(technology, log2_n, "halving", n_paths)
    check(verilog(config, technology), config, 1000)


@pytest.mark.parametrize(
    ("technology", "n_paths"),
    [
        ("ecp5", 1),
        pytest.param("generic", 1, marks=LONG),
        pytest.param("ecp5", 4, marks=LONG),
    ],
)
def test_choices_at_run_time(technology: str, n_paths: int) -> None:
    """Sizes, directions, dimensions and halvings of full-scale frames, half of which saturate somewhere."""
    config = FFTConfig(log2_n_max=6, samples_per_clock=n_paths)
    rng = np.random.default_rng(9)
    n_saturated = 0
    ports = StreamPorts({"i": fft_input(config)}, {"o": fft_output(config)})
    with VerilatedLibrary(verilog(config, technology), "fft", ports) as dut:
        dut.reset()
        for _ in range(400):
            log2_n = int(rng.integers(3, 7))
            n = 1 << log2_n
            two_d, inverse = (bool(bit) for bit in rng.integers(0, 2, 2))
            two_d = two_d and log2_n % 2 == 0
            halve = int(rng.integers(0, 64)) | int(rng.integers(0, 64))
            re, im = rng.integers(config.data.minimum, config.data.maximum + 1, (2, 1, n))
            if rng.integers(0, 3) == 0:  # corners
                re, im = np.where(re > 0, config.data.maximum, config.data.minimum), im
            choice = {"log2_n": log2_n, "two_d": two_d, "inverse": inverse, "halve": halve}
            y = fft(re, im, config=config, bit_reversed=True, **choice)
            n_saturated += bool(y.overflow.item())
            for name, value in choice.items():
                dut.set(name, int(value))
            words = packed(config, re, im)
            check_words(config, dut.exchange({"i": words}, {"o": words.shape[0]})["o"], y)
    assert 100 < n_saturated < 300


@pytest.mark.long
@pytest.mark.parametrize("technology", TECHNOLOGIES)
@pytest.mark.parametrize(("log2_n", "n_paths"), [(11, 1), (12, 1), (13, 1), (10, 2)])
def test_long_transforms(log2_n: int, n_paths: int, technology: str) -> None:
    config = configuration(technology, log2_n, "halving", n_paths)
    check(verilog(config, technology), config, 20)


def netlist(config: FFTConfig, technology: str, work: Path) -> str:
    """The cells that Yosys maps the core to, with their models."""
    (work / "fft.il").write_text(to_rtlil(FFT(config, technology=technology), "fft"))
    script = [
        "read_rtlil fft.il",
        f"{FLOWS[technology]} -top fft",
        *REPAIRS.get(technology, ()),
        "write_verilog -noattr fft.v",
    ]
    run_yosys(script, cwd=work)
    return (work / "fft.v").read_text() + cell_models(technology)


@pytest.mark.long
@pytest.mark.parametrize(
    ("technology", "scaling", "log2_n", "n_paths"),
    [
        ("ecp5", "halving", 6, 1),
        ("ice40", "halving", 6, 1),
        ("gowin", "halving", 4, 1),
        ("gowin", "halving", 6, 1),
        ("nexus", "halving", 4, 1),
        ("ecp5", "block", 6, 1),
        ("ecp5", "halving", 6, 8),
    ],
)
def test_mapped_netlist(
    tmp_path: Path, technology: str, scaling: str, log2_n: int, n_paths: int
) -> None:
    """What goes to place and route computes the same, clock for clock."""
    pytest.importorskip("pyosys", reason="synthesis is an extra: pip install 'spectramac[fpga]'")
    config = configuration(technology, log2_n, scaling, n_paths)
    check(netlist(config, technology, tmp_path), config, 1000)


WRAPPER = """
module top(clk, rst, we, write, data, read, ram_data, rom_data);
  input clk;
  input rst;
  input we;
  input [{high}:0] write;
  input [19:0] data;
  input [{high}:0] read;
  output [19:0] ram_data;
  output [19:0] rom_data;
  ram ram(.clk(clk), .rst(rst), .write_enable(we), .write_address(write), .write_data(data),
    .read_address(read), .read_data(ram_data));
  rom rom(.clk(clk), .rst(rst), .write_enable(1'b0), .write_address(write), .write_data(20'b0),
    .read_address(read), .read_data(rom_data));
endmodule
"""


# Deeper ones are inferred: PRIMITIVES has the limits.
INSTANTIATED = [("ecp5", 512), ("ecp5", 1024), ("ecp5", 2048)]
INSTANTIATED += [("gowin", 512), ("gowin", 1024), ("nexus", 512)]
INFERRED = [("gowin", 2048), ("nexus", 1024), ("nexus", 2048)]


@pytest.mark.parametrize(
    ("technology", "depth"), long_unless(INSTANTIATED, INSTANTIATED + INFERRED)
)
def test_block_ram_of_every_width(technology: str, depth: int) -> None:
    """Words of 20 bits in block RAMs of 36, 18 and 9; contents, and what was written, come two cycles later."""
    pytest.importorskip("pyosys", reason="synthesis is an extra: pip install 'spectramac[fpga]'")
    rng = np.random.default_rng(depth)
    contents = rng.integers(1 << 20, size=depth).tolist()
    text = to_verilog(BlockRAM(20, depth, technology=technology), "ram")
    text += to_verilog(BlockRAM(20, depth, init=contents, technology=technology), "rom")
    text += WRAPPER.format(high=depth.bit_length() - 2) + cell_models(technology)
    written: dict[int, int] = {}
    expected: list[tuple[int | None, int]] = []
    with VerilatedLibrary(text, "top", StreamPorts()) as dut:
        dut.reset()
        for cycle in range(3 * depth):
            write, data = int(rng.integers(depth)), int(rng.integers(1 << 20))
            read = (write + 1 + int(rng.integers(depth - 1))) % depth
            for name, value in (("we", 1), ("write", write), ("data", data), ("read", read)):
                dut.set(name, value)
            expected.append((written.get(read), contents[read]))
            written[write] = data
            dut.step()
            if cycle >= 1:
                ram, rom = expected[cycle - 1]
                assert dut.get("rom_data") == rom
                assert ram is None or dut.get("ram_data") == ram
