# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Options and fixtures that all tests share."""

import re

import pytest

# Its plain assertions tell the values, as those of test modules do.
pytest.register_assert_rewrite("tests.gateware.checks_fft_core")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--waves``: traces of cocotb benches into build/waves."""
    parser.addoption("--waves", action="store_true", help="write FST traces into build/waves")


@pytest.fixture
def waves(request: pytest.FixtureRequest) -> str | None:
    """Name for this test's trace, or None where ``--waves`` was not given."""
    if not request.config.getoption("--waves"):
        return None
    return re.sub(r"\W+", "-", request.node.name).strip("-")
