# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Verilog from a component, the same text every time."""

import hashlib
import re
from typing import Any

from amaranth.back import verilog

__all__ = ["sha256", "to_verilog"]


def to_verilog(component: Any, name: str) -> str:
    """Verilog of a component whose ports are the members of its signature.

    The text does not depend on paths, time or hash seeds: the same source gives the same bytes.
    Struct payloads become one vector each (``i__payload``, ``i__valid``, ``i__ready``); ``clk`` and ``rst``
    are added. Signals without bits leave no trace.

    Parameters
    ----------
    component : :class:`amaranth.lib.wiring.Component`
        What to convert. Its streams must have real ``valid`` and ``ready`` members.
    name : str
        Name of the top module.

    Raises
    ------
    ValueError
        If ``name`` is not a plain identifier.
    """
    if not (name.isidentifier() and name.isascii()):
        raise ValueError(f"name must be a plain identifier, not {name!r}")
    text: str = verilog.convert(component, name=name, emit_src=False, strip_internal_attrs=True)
    # Yosys declares signals of width 0, which nothing uses, as [-1:0]: two bits to others.
    return re.sub(r"^(?: *\(\*.*\*\)\n)* *wire \[-1:0\] .*;\n", "", text, flags=re.M)


def sha256(text: str) -> str:
    """Hexadecimal SHA-256 of Verilog text, to show beside what was built from it."""
    return hashlib.sha256(text.encode()).hexdigest()
