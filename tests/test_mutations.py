# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Deliberately broken gateware is seen by the checks of the suite; sound gateware passes the same checks.

A mutation replaces a piece of a method's source text by another before the component is elaborated. Text that
is not found is an error: a mutation follows the code that it breaks.
"""

import inspect
import textwrap
from typing import Any

import pytest
from tests.gateware import (
    mutations,
    mutations_depthwise,
    mutations_fft,
    mutations_maps,
    mutations_tiles,
    mutations_window,
)
from tests.gateware.mutation import Mutation

from spectramac.gateware.threshold import Split

MODULES = (
    mutations,
    mutations_depthwise,
    mutations_fft,
    mutations_maps,
    mutations_tiles,
    mutations_window,
)
CHECKS = {name: check for module in MODULES for name, check in module.CHECKS.items()}
MUTATIONS = {name: some for module in MODULES for name, some in module.MUTATIONS.items()}


def mutate(monkeypatch: pytest.MonkeyPatch, mutation: Mutation) -> None:
    """Replace the method, or the function wherever it was imported."""
    original = getattr(mutation.owner, mutation.name)
    source = textwrap.dedent(inspect.getsource(original))
    n = source.count(mutation.old)
    if n != 1:
        raise LookupError(f"{mutation.old!r} must occur once in {mutation.name}, occurs {n} times")
    namespace: dict[str, Any] = {}
    code = compile(
        source.replace(mutation.old, mutation.new), f"<{mutation.name}, mutated>", "exec"
    )
    exec(code, original.__globals__, namespace)
    monkeypatch.setattr(mutation.owner, mutation.name, namespace[mutation.name])


@pytest.mark.parametrize("name", CHECKS)
def test_sound_gateware_passes(name: str) -> None:
    CHECKS[name]()


@pytest.mark.parametrize("name", MUTATIONS)
def test_broken_gateware_fails(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    mutation = MUTATIONS[name]
    mutate(monkeypatch, mutation)
    with pytest.raises(
        AssertionError, match=r"rtl|bench|came|changed|must|busy|never|budget|differ|extra"
    ):
        CHECKS[mutation.check]()


def test_a_mutation_that_does_not_apply_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    stale = Mutation(Split, "elaborate", "no such text", "", "columns")
    with pytest.raises(
        LookupError, match="'no such text' must occur once in elaborate, occurs 0 times"
    ):
        mutate(monkeypatch, stale)
