# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Passes put into the memories, as many as fit: programs that run one after the other."""

from collections.abc import Mapping

import numpy as np

from spectramac.compiler.map_view import Pass, Tables
from spectramac.compiler.memory_image import MemoryImage
from spectramac.spec import descriptor as descriptors
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.memory import memories
from spectramac.spec.section import Section

__all__ = ["Program"]


class Program:
    """Passes of one program, and the memories that they fill.

    Parameters
    ----------
    config : AcceleratorConfig

    Attributes
    ----------
    passes : list of Pass
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.passes: list[Pass] = []
        self._memory = MemoryImage(config)
        self._bases: dict[int, dict[str, int]] = {}
        self._free = {name: memory.depth for name, memory in memories(config).items()}

    def takes(self, some: Pass) -> bool:
        """Whether there is room for another pass."""
        if len(self.passes) == self.config.n_layers_max:
            return False
        if descriptors.pitch(some.values["kind"]) > self._free["descriptor"]:
            return False
        known = id(some.tables) in self._bases
        return known or all(len(w) <= self._free[n] for n, w in some.tables.words.items())

    def append(self, some: Pass) -> None:
        """Store another pass; tables that an earlier one has are stored once.

        Raises
        ------
        CompileError
            If it does not fit.
        """
        bases = self._bases.get(id(some.tables))
        if bases is None:
            bases = self._bases[id(some.tables)] = self._store(some.node, some.tables)
        self._memory.append_descriptor({**some.values, **bases}, some.node)
        self._free["descriptor"] -= descriptors.pitch(some.values["kind"])
        self.passes.append(some)

    def _store(self, node: str, tables: Tables) -> dict[str, int]:
        bases = {}
        for name, words in tables.words.items():
            bases[f"{name}_base"] = self._memory.append(name, np.asarray(words), node)
            self._free[name] -= len(words)
        return bases

    def sections(self) -> Mapping[str, Section]:
        """Contents of the memories."""
        return self._memory.sections()
