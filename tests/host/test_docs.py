# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
from pathlib import Path

import pytest

from spectramac.host.docs import DOCUMENTS, main, markdown_table
from spectramac.spec import descriptor
from spectramac.spec.config import PRESETS, preset
from spectramac.spec.memory import memories
from spectramac.spec.registers import register_map

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_up_to_date(name: str) -> None:
    generated = DOCUMENTS[name]()
    assert (DOCS / name).read_text(encoding="utf-8") == generated, (
        "run `python -m spectramac.host.docs`"
    )


def test_every_register_field_memory_and_descriptor_field_is_documented() -> None:
    lines = DOCUMENTS["REGISTERS.md"]().splitlines()
    for register in register_map(preset("small")).registers:
        assert f"### 0x{register.address:02x} `{register.name}`" in lines
        for field in register.fields:
            rows = [line for line in lines if f"| `{field.name}` " in line and field.doc in line]
            assert len(rows) == 1
            assert f" {field.access.value} " in rows[0]
    for name in (*memories(preset("small")), *(f.name for f in descriptor.FIELDS)):
        assert any(f"| `{name}` " in line for line in lines), name


def test_every_parameter_is_documented() -> None:
    text = DOCUMENTS["FORMATS.md"]()
    for config in PRESETS.values():
        assert f"0x{config.build_id:08x}" in text
        for name in config.identity():
            assert name == "architecture_version" or f"`{name}`" in text


def test_write_then_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path), "--check"]) == 1
    assert "is out of date" in capsys.readouterr().err
    assert main(["--out", str(tmp_path)]) == 0
    assert main(["--out", str(tmp_path), "--check"]) == 0
    path = tmp_path / "REGISTERS.md"
    path.write_text(path.read_text().replace("n_lanes", "n_lames"))
    assert main(["--out", str(tmp_path), "--check"]) == 1
    assert "n_lames" in capsys.readouterr().err


def test_table_is_aligned_and_escaped() -> None:
    table = markdown_table(("a", "bc"), [(1, "x|y"), ("long", "")])
    assert table == "| a    | bc   |\n|------|------|\n| 1    | x\\|y |\n| long |      |\n"
