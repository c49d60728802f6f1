# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.spec.images import dense_image

from spectramac.model.image import to_chunks
from spectramac.model.layer import run_network
from spectramac.model.network import Layer, Network, Transform, load_network, save_network
from spectramac.spec.config import PRESETS, preset
from spectramac.spec.image import Image

pytest.importorskip("typer")
from typer.testing import CliRunner, Result

from spectramac.host.cli import commands

COMMANDS = ("info", "train-demo", "compress", "compile", "run", "verilog", "bench")


def spectramac(*arguments: object) -> Result:
    return CliRunner().invoke(commands(), [str(a) for a in arguments])


def network() -> Network:
    rng = np.random.default_rng(5)
    layer = Layer(
        name="only",
        n_in=16,
        n_out=4,
        t_in=Transform("fft1d", 8),
        t_out=Transform(),
        coefficients=rng.integers(-7, 8, (4, 16)),
        coefficient_bits=4,
        bias=rng.integers(-100, 100, 4),
        multiplier=3,
        shift=8,
    )
    return Network(layers=(layer,), input_scale=0.25, meta={"seed": 5})


@pytest.fixture
def files(tmp_path: Path) -> Path:
    save_network(network(), tmp_path / "net.npz")
    x = np.random.default_rng(1).integers(-20, 21, (7, 16)).astype(np.int8)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "real.npy", x * 0.25)
    return tmp_path


def test_no_arguments_show_the_commands() -> None:
    result = spectramac()
    assert result.exit_code == 2
    assert all(command in result.output for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_defaults(command: str) -> None:
    result = spectramac(command, "--help")
    assert result.exit_code == 0
    assert "default" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["info", "--preset", "huge"],
        ["info", "no-such-file"],
        ["compile", "no-such-file", "-o", "x"],
        ["compress", "w.npz"],
        ["run", "no-such-file"],
        ["run", __file__, "--transport", "mmio"],
        ["run", __file__, "--trace", "x.fst"],
        ["run", __file__, "--limit", "0"],
        ["verilog", "--technology", "asic"],
        ["train-demo", "--output", "both.npz"],
        ["train-demo", "--only", "recurrent"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    result = spectramac(*arguments)
    assert result.exit_code == 2
    assert not result.stdout
    assert "Error" in result.stderr


def test_train_demo_trains_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both networks by default; options arrive."""
    calls: list[tuple[str, dict[str, Any]]] = []

    class Training:
        def __getattr__(self, function: str) -> Any:
            def train(**arguments: Any) -> str:
                calls.append((function, arguments))
                return f"{function} is done"

            return train

    monkeypatch.setattr("spectramac.host.cli_app.import_extra", lambda *_: Training())
    result = spectramac("train-demo", "--seed", "3")
    assert result.exit_code == 0, result.output
    assert [function for function, _ in calls] == ["train_digits", "train_conv_digits"]
    assert all(a["seed"] == 3 and "output" not in a for _, a in calls)
    assert "train_conv_digits is done" in result.stdout
    calls.clear()
    result = spectramac("train-demo", "--only", "convolutional", "-o", "x.npz")
    assert result.exit_code == 0, result.output
    ((function, arguments),) = calls
    assert (function, arguments["output"]) == ("train_conv_digits", Path("x.npz"))


def test_info() -> None:
    result = spectramac("info", "--preset", "large")
    assert result.exit_code == 0
    for config in PRESETS.values():
        assert f"0x{config.build_id:08x}" in result.stdout
    for text in ("Memories of large", "coefficient", "numpy", np.__version__):
        assert text in result.stdout
    assert not result.stderr


def test_compile_info_and_run(files: Path) -> None:
    image = files / "net.img"
    result = spectramac("compile", files / "net.npz", "--preset", "tiny", "-o", image)
    assert result.exit_code == 0, result.output
    assert "fft1d(8) -> identity" in result.stdout
    assert "wrote" in result.stderr
    loaded = Image.load(image)
    assert loaded.build_id == preset("tiny").build_id
    assert f"stored bytes: {loaded.stored_bytes}" in result.stdout
    result = spectramac("info", image)
    assert result.exit_code == 0, result.output
    for text in ("tiny", f"0x{loaded.build_id:08x}", "note: seed", "directory"):
        assert text in result.stdout
    result = spectramac("info", files / "net.npz")
    assert "only" in result.stdout
    outputs = files / "y.npy"
    result = spectramac("run", image, "--data", files / "x.npy", "-o", outputs)
    assert result.exit_code == 0, result.output
    assert "cycles per inference" in result.stdout
    expected = run_network(network(), np.load(files / "x.npy"), data_width=15)
    assert np.array_equal(np.load(outputs), expected)


def test_run_checks_a_network_against_the_golden_model(files: Path) -> None:
    arguments = ["run", files / "net.npz", "--data", files / "x.npy", "--check"]
    for name in PRESETS:
        result = spectramac(*arguments, "--preset", name)
        assert result.exit_code == 0, result.output
        assert "identical to the golden model" in result.stdout


def test_run_exits_with_1_on_a_difference(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spectramac.model import layer

    monkeypatch.setattr(layer, "run_network", lambda n, x, **widths: np.full((len(x), 4), 99))
    result = spectramac("run", files / "net.npz", "--data", files / "x.npy", "--check")
    assert result.exit_code == 1
    assert "28 outputs of the golden model differ from the network's" in result.stderr


def test_check_must_be_able_to_fail(files: Path) -> None:
    dense_image(np.ones((4, 16))).save(files / "dense.img")
    result = spectramac("run", files / "dense.img", "--data", files / "x.npy", "--check")
    assert result.exit_code == 2
    assert "nothing to compare" in result.stderr


def test_real_data_need_quantize(files: Path) -> None:
    arguments = ["run", files / "net.npz", "--data", files / "real.npy", "-o", files / "y.npy"]
    result = spectramac(*arguments)
    assert result.exit_code == 1
    assert "--quantize converts them" in result.stderr
    result = spectramac(*arguments, "--quantize")
    assert result.exit_code == 0, result.output
    expected = run_network(network(), np.load(files / "x.npy"))
    assert np.array_equal(np.load(files / "y.npy"), expected)


def test_a_custom_configuration_is_rebuilt_from_the_image(files: Path) -> None:
    config = preset("small").replace(name="custom", n_lanes=5)
    dense_image(np.ones((4, 16)), config=config).save(files / "custom.img")
    result = spectramac("run", files / "custom.img", "--data", files / "x.npy")
    assert result.exit_code == 0, result.output
    assert "custom" in result.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "spectramac network file"),
        (b"garbage", "spectramac network file"),
        (dense_image(np.ones((2, 2))).to_bytes()[:-1], "copy or compile it again"),
        (dense_image(np.ones((2, 2)), build_id=5).to_bytes(), "0x00000005"),
        (
            dense_image(np.ones((2, 2)), build_id=5, identity={"n_lanes": -1}).to_bytes(),
            "configuration is unknown here",
        ),
    ],
)
def test_bad_files_are_one_line_on_stderr(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content)
    for command in (["run", path], ["info", path]):
        result = spectramac(*command)
        assert result.exit_code == 1
        assert result.stderr.startswith("error: ")
        assert message in result.stderr
        assert "Traceback" not in result.output


def test_compress(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weights = {"w0": rng.normal(size=(16, 24)), "b0": rng.normal(size=16)}
    weights["w1"] = rng.normal(size=(4, 16))
    np.savez(tmp_path / "w.npz", **weights)
    x = rng.integers(-128, 128, (64, 24))
    np.save(tmp_path / "x.npy", x)
    arguments = ["compress", tmp_path / "w.npz", "-o", tmp_path / "n.npz"]
    arguments += ["--calibration", tmp_path / "x.npy", "--input-scale", "0.01"]
    for options in (["--density", "1"], ["--density", "1", "--block", "0"], ["--bits", "4"]):
        result = spectramac(*arguments, *options)
        assert result.exit_code == 0, result.output
        run = ["run", tmp_path / "n.npz", "--data", tmp_path / "x.npy", "--check"]
        result = spectramac(*run, "-o", tmp_path / "y.npy")
        assert result.exit_code == 0, result.output
        if "1" in options:
            hidden = np.maximum(x * 0.01 @ weights["w0"].T + weights["b0"], 0)
            real = hidden @ weights["w1"].T
            y = np.load(tmp_path / "y.npy")
            assert np.corrcoef(y.ravel(), real.ravel())[0, 1] > 0.99
        else:  # two row pairs of outputs on three lanes: not dropped
            assert load_network(tmp_path / "n.npz").layers[-1].coefficients.any()
            assert np.load(tmp_path / "y.npy").std(axis=0).min() > 0
    for bad, message in (
        ({"v0": np.ones((2, 2))}, "called w0, b0"),
        ({"b0": np.ones(2)}, "an array w0"),
        ({"w1": np.ones((2, 2))}, "w0 must be present"),
        ({"w0": np.ones((2, 3)), "w1": np.ones((2, 3))}, r"(n_out, 2), not (2, 3)"),
        ({"w0": np.ones((2, 3)), "b0": np.ones(3)}, "b0 must have shape (2,)"),
        ({"w0": np.full((2, 3), np.nan)}, "w0 must hold finite numbers"),
    ):
        np.savez(tmp_path / "w.npz", **bad)
        result = spectramac(*arguments)
        assert result.exit_code == 1
        assert message in result.stderr


def test_verilog_is_reproducible(tmp_path: Path) -> None:
    pytest.importorskip("amaranth")
    texts = []
    for folder in ("a", "b"):
        result = spectramac("verilog", "--preset", "tiny", "--out", tmp_path / folder)
        assert result.exit_code == 0, result.output
        texts.append((tmp_path / folder / "tiny.v").read_bytes())
    assert texts[0] == texts[1]
    import hashlib

    assert hashlib.sha256(texts[0]).hexdigest() in result.stdout


def test_without_its_extra_the_command_line_says_so() -> None:
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}; sys.modules['typer'] = None\n"
        "from spectramac.host.cli import main; main(['info'])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 2
    assert "spectramac[cli]" in result.stderr


def test_importing_the_commands_is_light() -> None:
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "import spectramac.host.cli_app\n"
        "print([m for m in ('numpy', 'torch', 'amaranth', 'sklearn') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def test_sections_survive_the_file(files: Path) -> None:
    image = dense_image(np.ones((4, 16)))
    image.save(files / "dense.img")
    again = Image.load(files / "dense.img")
    for name, section in image.sections.items():
        assert np.array_equal(to_chunks(again.sections[name]), to_chunks(section))
