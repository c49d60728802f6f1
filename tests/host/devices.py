# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""Devices that misbehave on purpose."""

from typing import Any

import numpy as np
import numpy.typing as npt

from spectramac.host.model_device import ModelDevice
from spectramac.host.transport import Words
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.registers import register_map

__all__ = ["FlakyDevice", "ForeignDevice", "HangingDevice"]


class FlakyDevice(ModelDevice):
    """Counts bus accesses and raises :class:`OSError` at number ``fail_at``."""

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(config)
        self.n_accesses = 0
        self.fail_at: int | None = None

    def _count(self) -> None:
        self.n_accesses += 1
        if self.n_accesses == self.fail_at:
            raise OSError("cable pulled")

    def write(self, address: int, values: npt.ArrayLike) -> None:
        self._count()
        super().write(address, values)

    def read(self, address: int, n: int = 1) -> Words:
        self._count()
        return super().read(address, n)


class HangingDevice(ModelDevice):
    """Never finishes a run while ``hanging``."""

    hanging = False

    def _start(self) -> None:
        if self.hanging:
            self._values["status"]["busy"] = 1
        else:
            super()._start()

    def wait(self, *arguments: Any, **options: Any) -> bool:
        # The polling loop of real transports, not the model's shortcut.
        return super(ModelDevice, self).wait(*arguments, **options)


class ForeignDevice(ModelDevice):
    """Answers something else in one register."""

    def __init__(self, config: AcceleratorConfig, register: str, word: int) -> None:
        super().__init__(config)
        self._foreign = register_map(config)[register].address, word

    def read(self, address: int, n: int = 1) -> Words:
        if address == self._foreign[0]:
            return np.full(n, self._foreign[1], np.uint32)
        return super().read(address, n)
