# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""From Verilog to object code without make: Verilator, one compiler run over everything it wrote, one link.

The parts of Verilator's runtime that do not depend on the design are compiled once for each set of flags and
kept. Both the in-process library and the cocotb benches are built this way.
"""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from spectramac.sim.fst_fallback import write_missing_headers
from spectramac.sim.toolchain import (
    BuildError,
    Compiler,
    Verilator,
    cached_build,
    content_hash,
    run_tool,
)

__all__ = ["Recipe", "link", "sorted_public", "top_ports"]

_BASE_SOURCES = ("verilated.cpp", "verilated_threads.cpp")
_VPI_SOURCES = ("verilated_vpi.cpp", "verilated_dpi.cpp")
_FST_SOURCES = ("verilated_fst_c.cpp",)

_NO_WARN = ("-Wno-WIDTH", "-Wno-fatal")
"""Yosys writes signed arithmetic without explicit extension; `make verilog` does the linting."""


@dataclass(frozen=True)
class Recipe:
    """How one design is built.

    Parameters
    ----------
    verilog : str
        All source text.
    top : str
        Name of the top module.
    prefix : str
        Name of the C++ class.
    main : str
        C++ text compiled together with what Verilator wrote; ``@PORT:name@`` stands for a port's C++ name.
    shared : bool
        A shared library instead of a program.
    vpi : bool
        With the VPI, for cocotb.
    trace : bool
        With FST traces: slower to build and to run.
    control : str
        Verilator control file (``.vlt``), such as which signals are public.
    link_options : tuple of str
        Appended to the link command.
    """

    verilog: str
    top: str
    prefix: str
    main: str
    shared: bool
    vpi: bool = False
    trace: bool = False
    control: str = ""
    link_options: tuple[str, ...] = ()

    def key(self, verilator: Verilator, compiler: Compiler) -> str:
        """Hash of everything that the result depends on."""
        fields = [f"{name}={value!r}" for name, value in sorted(vars(self).items())]
        return content_hash(
            *fields, *self.flags, *self.options, verilator.version, compiler.version
        )

    @property
    def options(self) -> list[str]:
        """For Verilator."""
        words = [
            "--cc",
            "-O3",
            "--x-assign",
            "fast",
            "--x-initial",
            "fast",
            "--noassert",
            *_NO_WARN,
        ]
        words += ["--prefix", self.prefix, "--top-module", self.top]
        if self.vpi:
            words += ["--vpi", "--timescale", "1ns/1ps"]
        if self.trace:
            words += ["--trace-fst", "--trace-structs"]
        return words

    @property
    def flags(self) -> list[str]:
        """For the C++ compiler, design-independent."""
        words = ["-std=c++20", "-O1", "-fPIC", "-pthread", "-fno-stack-protector", "-w"]
        words += ["-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0", "-DVL_TIME_CONTEXT"]
        words += [f"-DVM_TRACE={int(self.trace)}", f"-DVM_TRACE_FST={int(self.trace)}"]
        words += ["-DVM_TRACE_VCD=0", "-DVM_TRACE_SAIF=0"]
        if self.vpi:
            # cocotb's main keeps the time itself.
            words.remove("-DVL_TIME_CONTEXT")
        return words


def _includes(verilator: Verilator) -> list[str]:
    return [f"-I{verilator.include}", f"-I{verilator.include / 'vltstd'}"]


def _runtime(recipe: Recipe, verilator: Verilator, compiler: Compiler, root: Path) -> Path:
    """The design-independent objects and, for FST, headers the machine lacks; compiled once."""
    sources = list(_BASE_SOURCES)
    sources += _VPI_SOURCES if recipe.vpi else ()
    sources += _FST_SOURCES if recipe.trace else ()
    key = content_hash(
        *recipe.flags, *sources, verilator.version, str(verilator.root), compiler.version
    )

    def build(work: Path) -> None:
        libraries: list[str] = []
        includes = _includes(verilator)
        if recipe.trace:
            headers = work / "include"
            headers.mkdir()
            libraries = write_missing_headers(headers, compiler)
            includes.insert(0, f"-I{headers}")
        (work / "libraries").write_text(" ".join(libraries))

        def compile_one(name: str) -> None:
            words: list[str | Path] = [compiler.binary, *recipe.flags, *includes, "-c"]
            words += [verilator.include / name, "-o", work / (Path(name).stem + ".o")]
            run_tool(words, what=f"compiling Verilator's {name}")

        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(compile_one, sources))

    return cached_build(root / "runtime" / key, build)


def link(
    recipe: Recipe, output: Path, *, verilator: Verilator, compiler: Compiler, root: Path
) -> None:
    """Build ``recipe`` into the file ``output``; intermediate files go beside it."""
    runtime = _runtime(recipe, verilator, compiler, root)
    work = output.parent
    source, control, objects = work / f"{recipe.top}.v", work / "control.vlt", work / "obj"
    source.write_text(recipe.verilog)
    control.write_text("`verilator_config\n" + recipe.control)
    run_tool(
        [verilator.binary, *recipe.options, "--Mdir", objects, control, source],
        what=f"Verilator on module {recipe.top!r}",
        env=verilator.env,
    )
    unity = objects / "unity.cpp"
    parts = sorted(path.name for path in objects.glob("*.cpp"))
    unity.write_text("".join(f'#include "{name}"\n' for name in parts) + _named(recipe, objects))
    object_file = objects / "unity.o"
    includes = [f"-I{objects}", *_includes(verilator)]
    if recipe.trace:
        includes.insert(0, f"-I{runtime / 'include'}")
    run_tool(
        [compiler.binary, *recipe.flags, *includes, "-c", unity, "-o", object_file],
        what=f"compiling module {recipe.top!r}",
    )
    words: list[str | Path] = [compiler.binary, "-pthread", *(["-shared"] if recipe.shared else [])]
    words += ["-o", output, object_file, *sorted(runtime.glob("*.o")), *recipe.link_options]
    run_tool(
        words + [*(runtime / "libraries").read_text().split()],
        what=f"linking module {recipe.top!r}",
    )


def _named(recipe: Recipe, objects: Path) -> str:
    """``recipe.main`` with ports as Verilator spells them: ``__`` and words that C++ reserves change."""
    header = (objects / f"{recipe.prefix}.h").read_text()
    members = set(re.findall(r"VL_(?:IN|OUT)\w*\(&(\w+),", header))

    def spelled(match: re.Match[str]) -> str:
        name = match[1].replace("__", "___05F")
        for candidate in (name, f"__SYM__{name}"):
            if candidate in members:
                return candidate
        raise BuildError(f"port {match[1]!r} must be a member of class {recipe.prefix}, is not")

    return re.sub(r"@PORT:(\w+)@", spelled, recipe.main)


def top_ports(verilog: str, top: str) -> dict[str, tuple[str, int]]:
    """Direction and width of each port of a module that Yosys wrote.

    Raises
    ------
    ValueError
        If there is no such module.
    """
    match = re.search(rf"^module {re.escape(top)}\s*\(.*?^endmodule", verilog, re.S | re.M)
    if match is None:
        names = re.findall(r"^module (\S+?)\s*\(", verilog, re.M)
        raise ValueError(f"top must be a module of the Verilog ({', '.join(names)}), not {top!r}")
    pattern = r"^\s*(input|output)\s+(?:wire\s+|reg\s+)?(?:signed\s+)?(?:\[(\d+):0\]\s*)?(\w+)\s*;"
    ports: dict[str, tuple[str, int]] = {}
    for direction, high, name in re.findall(pattern, match[0], re.M):
        ports[name] = (direction, int(high) + 1 if high else 1)
    return ports


def sorted_public(top: str, ports: Sequence[str], signals: Sequence[tuple[str, str]]) -> str:
    """Control-file lines that make ports of ``top`` and chosen signals visible to the VPI."""
    pairs = [(top, port) for port in ports] + list(signals)
    return "".join(
        f'public_flat_rw -module "{module}" -var "{name}"\n' for module, name in sorted(set(pairs))
    )
