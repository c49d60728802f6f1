# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The pipelined transform in volume on Verilated RTL: portable, and mapped to a device's primitives."""

import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from amaranth.back import rtlil

from spectramac.gateware.fft import FFT
from spectramac.gateware.verilog import to_verilog
from spectramac.model.fft import fft
from spectramac.sim.library import StreamPorts, VerilatedLibrary
from spectramac.sim.packing import pack_words, unpack_words
from spectramac.sim.synth import run_yosys
from spectramac.spec.config import FFTConfig
from spectramac.spec.stream import sample_frame
from spectramac.spec.timing import fft_latency

CELLS = files("spectramac.sim").joinpath("ecp5_cells.v").read_text()


def name(config: FFTConfig) -> str:
    """``halving128x2``."""
    return f"{config.scaling}{config.n_max}x{config.samples_per_clock}"


def verilog(config: FFTConfig, technology: str) -> str:
    text = to_verilog(FFT(config, technology=technology), "fft")
    return text + CELLS if technology == "ecp5" else text


def check(text: str, config: FFTConfig, n_frames: int) -> None:
    """Frames back to back equal the model's, and none costs a clock more than its samples."""
    n = config.n_max
    rng = np.random.default_rng(n)
    size = (n_frames, n)
    amplitude = config.data.maximum >> rng.integers(0, 8, (n_frames, 1))
    re, im = (rng.integers(-amplitude - 1, amplitude + 1, size) for _ in range(2))
    y = fft(re, im, config=config, log2_n=config.log2_n_max, bit_reversed=True)
    n_paths = config.samples_per_clock
    source, sink = sample_frame(config.data, n_paths), sample_frame(config.output, n_paths)
    last = np.zeros((n_frames, n // n_paths), np.int64)
    last[:, -1] = 1
    # Names of the samples in a word.
    names = ["data"] if n_paths == 1 else [f"data.x{k}" for k in range(n_paths)]
    values = {"last": last.ravel()}
    for k, name in enumerate(names):
        values |= {f"{name}.re": re.ravel()[k::n_paths], f"{name}.im": im.ravel()[k::n_paths]}
    words = pack_words(source, values)
    with VerilatedLibrary(text, "fft", StreamPorts({"i": source}, {"o": sink})) as dut:
        dut.reset()
        start = dut.cycles
        got = dut.exchange({"i": words}, {"o": words.shape[0]})["o"]
        spent = dut.cycles - start
    result = unpack_words(sink, got)
    for part, wanted in (("re", y.re), ("im", y.im)):
        columns = np.stack([result[f"{name}.{part}"] for name in names], axis=-1)
        np.testing.assert_array_equal(columns.reshape(size), wanted)
    np.testing.assert_array_equal(result["last"].reshape(last.shape), last)
    assert spent <= last.size + fft_latency(config, config.log2_n_max) + 4


CONFIGS = [
    FFTConfig(log2_n_max=6, twiddle_width=18, scaling="halving"),
    FFTConfig(log2_n_max=9, twiddle_width=18, scaling="halving"),
    FFTConfig(log2_n_max=5, twiddle_width=18, scaling="growth"),
    FFTConfig(log2_n_max=6, twiddle_width=18, scaling="halving", samples_per_clock=8),
]


@pytest.mark.parametrize("technology", ["generic", "ecp5"])
@pytest.mark.parametrize("config", CONFIGS, ids=name)
def test_a_thousand_frames(config: FFTConfig, technology: str) -> None:
    check(verilog(config, technology), config, 1000)


@pytest.mark.long
@pytest.mark.parametrize("technology", ["generic", "ecp5"])
@pytest.mark.parametrize(("log2_n", "n_paths"), [(11, 1), (12, 1), (13, 1), (10, 2)])
def test_long_transforms(log2_n: int, n_paths: int, technology: str) -> None:
    config = FFTConfig(
        log2_n_max=log2_n, twiddle_width=18, scaling="halving", samples_per_clock=n_paths
    )
    check(verilog(config, technology), config, 20)


def netlist(config: FFTConfig, work: Path) -> str:
    """The cells that Yosys maps the core to, with the models of them that ship with Yosys (and ours for the rest)."""
    core = FFT(config, technology="ecp5")
    (work / "fft.il").write_text(rtlil.convert(core, name="fft", emit_src=False))
    script = ["read_rtlil fft.il", "synth_ecp5 -abc9 -top fft", "write_verilog -noattr fft.v"]
    run_yosys(script, cwd=work)
    share = files("pyosys").joinpath("share", "ecp5")
    models = [share.joinpath(name).read_text() for name in ("common_sim.vh", "ccu2c_sim.vh")]
    timing = re.compile(r"(?s)`ifndef NO_INCLUDES.*?`endif|\bspecify\b.*?\bendspecify\b")
    models = [timing.sub("", text) for text in models]
    return "\n".join([(work / "fft.v").read_text(), *models, CELLS])


@pytest.mark.long
@pytest.mark.parametrize("config", [CONFIGS[0], CONFIGS[3]], ids=name)
def test_mapped_netlist(tmp_path: Path, config: FFTConfig) -> None:
    """What goes to place and route computes the same, clock for clock."""
    pytest.importorskip("pyosys", reason="synthesis is an extra: pip install 'spectramac[fpga]'")
    check(netlist(config, tmp_path), config, 1000)
