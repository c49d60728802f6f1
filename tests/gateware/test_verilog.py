# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Verilog export is reproducible."""

import os
import subprocess
import sys

import pytest

from spectramac.gateware.stream import SkidBuffer, layout
from spectramac.gateware.verilog import sha256, to_verilog
from spectramac.spec.fixed import Format
from spectramac.spec.stream import complex_payload, frame

PAYLOAD = frame(complex_payload(Format(9)))
SCRIPT = """
from spectramac.gateware.stream import SkidBuffer, layout
from spectramac.gateware.verilog import sha256, to_verilog
from spectramac.spec.fixed import Format
from spectramac.spec.stream import complex_payload, frame
print(sha256(to_verilog(SkidBuffer(layout(frame(complex_payload(Format(9))))), "skid")))
"""


@pytest.mark.parametrize("seed", ["1", "2"])
def test_same_text_under_any_hash_seed_and_directory(seed, tmp_path):
    env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == sha256(to_verilog(SkidBuffer(layout(PAYLOAD)), "skid"))


def test_names_no_file_of_this_machine():
    text = to_verilog(SkidBuffer(layout(PAYLOAD)), "skid")
    assert "module skid(" in text
    assert ".py" not in text.split("\n", 1)[1]


def test_a_bad_name_is_refused():
    with pytest.raises(ValueError, match="name must be a plain identifier, not 'a b'"):
        to_verilog(None, "a b")
