# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Headers for Verilator's FST writer where zlib's or LZ4's development files are not installed.

The writer includes ``zlib.h`` and ``lz4.h``, which a machine with only g++ does not have. Both formats can
hold uncompressed data, so a few lines stand in for each: traces become larger, and every reader of FST reads
them.
"""

import subprocess
import tempfile
from pathlib import Path

from spectramac.sim.toolchain import Compiler

__all__ = ["write_missing_headers"]

_LZ4 = """\
// Stand-in for LZ4: one block that is a single run of literals.
#pragma once
#include <cstring>
static inline int LZ4_compressBound(int n) { return n + n / 255 + 16; }
static inline int LZ4_compress_default(const char* src, char* dst, int n, int) {
    unsigned char* out = reinterpret_cast<unsigned char*>(dst);
    int rest = n - 15;
    *out++ = n < 15 ? n << 4 : 0xf0;
    if (rest >= 0) {
        for (; rest >= 255; rest -= 255) *out++ = 255;
        *out++ = rest;
    }
    std::memcpy(out, src, n);
    return static_cast<int>(out + n - reinterpret_cast<unsigned char*>(dst));
}
"""

_ZLIB = """\
// Stand-in for zlib: stored blocks.
#pragma once
#include <cstring>
typedef unsigned long uLong;
typedef unsigned long uLongf;
typedef unsigned char Bytef;
#define Z_OK 0
static inline uLong compressBound(uLong n) { return n + 5 * (n / 65535 + 1) + 6; }
static inline int compress2(Bytef* dst, uLongf* dst_len, const Bytef* src, uLong n, int) {
    Bytef* out = dst;
    *out++ = 0x78;
    *out++ = 0x01;
    unsigned a = 1, b = 0;
    for (uLong i = 0; i < n; ++i) {
        a = (a + src[i]) % 65521;
        b = (b + a) % 65521;
    }
    do {
        const unsigned len = n > 65535 ? 65535 : n;
        *out++ = n == len;
        *out++ = len & 255;
        *out++ = len >> 8;
        *out++ = ~len & 255;
        *out++ = (~len >> 8) & 255;
        std::memcpy(out, src, len);
        out += len;
        src += len;
        n -= len;
    } while (n);
    *out++ = b >> 8;
    *out++ = b & 255;
    *out++ = a >> 8;
    *out++ = a & 255;
    *dst_len = out - dst;
    return Z_OK;
}
"""

_HEADERS = {
    "lz4": ("lz4.h", "LZ4_compressBound(1)", _LZ4),
    "z": ("zlib.h", "(int)compressBound(1)", _ZLIB),
}


def _links(compiler: Compiler, header: str, call: str, library: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "probe.cpp"
        source.write_text(f"#include <{header}>\nint main() {{ return {call} == 0; }}\n")
        command = [compiler.binary, str(source), "-o", str(source) + ".out", f"-l{library}"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def write_missing_headers(folder: Path, compiler: Compiler, *, always: bool = False) -> list[str]:
    """Write a stand-in for each header the machine lacks; returns the ``-l`` options for the others."""
    options = []
    for library, (header, call, text) in _HEADERS.items():
        if not always and _links(compiler, header, call, library):
            options.append(f"-l{library}")
        else:
            (folder / header).write_text(text)
    return options
