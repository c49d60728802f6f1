# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""A deliberate fault in the gateware; applied by tests/test_mutations.py."""

from dataclasses import dataclass
from typing import Any

__all__ = ["Mutation"]


@dataclass(frozen=True)
class Mutation:
    """In ``owner.name``, ``old`` becomes ``new``; the check of that name must fail."""

    owner: Any
    name: str
    old: str
    new: str
    check: str
