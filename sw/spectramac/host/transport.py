# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""How the driver reaches a register bus: one small interface, several implementations.

``"model"`` is the golden model behind the same registers (:mod:`spectramac.host.model_device`);
``"sim"`` is the Verilated RTL (:mod:`spectramac.sim.transport`), imported only when it is asked
for.
"""

import importlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self, cast

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.registers import ADDRESS_WIDTH

__all__ = [
    "TRANSPORTS",
    "Read",
    "RegisterTransport",
    "Transport",
    "Words",
    "Write",
    "bus_words",
    "check_address",
    "open_transport",
]

Words = NDArray[np.uint32]

TRANSPORTS: dict[str, tuple[str, str]] = {
    "model": ("spectramac.host.model_device", "ModelDevice"),
    "sim": ("spectramac.sim.transport", "SimTransport"),
}
"""Module and class of each transport; the class is called with the configuration and the
options."""


@dataclass(frozen=True, eq=False)
class Write:
    """Consecutive writes of ``values`` to one register address."""

    address: int
    values: npt.ArrayLike


@dataclass(frozen=True)
class Read:
    """``n`` consecutive reads of one register address."""

    address: int
    n: int = 1


class Transport(Protocol):
    """What the driver needs of a bus. Addresses are register addresses; none counts up by
    itself."""

    def write(self, address: int, values: npt.ArrayLike) -> None:
        """Write each of ``values`` (uint32) to the register at ``address``, in order."""

    def read(self, address: int, n: int = 1) -> Words:
        """Read the register at ``address`` ``n`` times."""

    def transact(self, transfers: Iterable[Read | Write]) -> list[Words]:
        """Perform transfers in order, in as few bus transactions as possible; one array per
        read."""

    def wait(
        self, address: int, mask: int, value: int, *, timeout: float, max_cycles: int | None = None
    ) -> bool:
        """Let time pass until ``register & mask == value``; false if it did not come true in time.

        ``timeout`` is in seconds of wall clock; ``max_cycles``, in clocks of the device, is heeded
        by transports that know them.
        """

    def diagnosis(self) -> str:
        """What this transport knows about a run that does not end; empty if nothing."""

    def close(self) -> None:
        """Release the device; harmless when repeated."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def bus_words(values: npt.ArrayLike) -> Words:
    """A one-dimensional uint32 array.

    Raises
    ------
    TypeError, ValueError
        If the values are not integers of 32 bits.
    """
    array = np.atleast_1d(np.asarray(values))
    if array.dtype == np.uint32:
        return array.reshape(-1)
    if array.size == 0:
        return np.zeros(0, np.uint32)
    if array.dtype.kind not in "iu":
        raise TypeError(f"bus data must be integers, not {array.dtype}")
    if array.min() < 0 or array.max() > 0xFFFFFFFF:
        raise ValueError(f"bus data must fit 32 bits, not {int(array.min())}..{int(array.max())}")
    return array.reshape(-1).astype(np.uint32)


def check_address(address: int) -> int:
    """``address``, if the bus can carry it.

    Raises
    ------
    ValueError
    """
    if not 0 <= address < 1 << ADDRESS_WIDTH:
        raise ValueError(f"address must be from 0 to {(1 << ADDRESS_WIDTH) - 1}, not {address!r}")
    return address


class RegisterTransport(ABC):
    """Everything a :class:`Transport` needs, from ``write`` and ``read``."""

    @abstractmethod
    def write(self, address: int, values: npt.ArrayLike) -> None:
        """Write each of ``values`` to the register at ``address``, in order."""

    @abstractmethod
    def read(self, address: int, n: int = 1) -> Words:
        """Read the register at ``address`` ``n`` times."""

    def transact(self, transfers: Iterable[Read | Write]) -> list[Words]:
        """Perform transfers in order; one array per read."""
        answers = []
        for transfer in transfers:
            if isinstance(transfer, Read):
                answers.append(self.read(transfer.address, transfer.n))
            else:
                self.write(transfer.address, transfer.values)
        return answers

    def wait(
        self, address: int, mask: int, value: int, *, timeout: float, max_cycles: int | None = None
    ) -> bool:
        """Poll until ``register & mask == value``; false after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            expired = time.monotonic() >= deadline
            if int(self.read(address)[0]) & mask == value:
                return True
            if expired:
                return False

    def diagnosis(self) -> str:
        """Nothing is known."""
        return ""

    def close(self) -> None:  # noqa: B027  (most have nothing to release)
        """Release the device; harmless when repeated."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_transport(name: str, config: AcceleratorConfig, **options: Any) -> Transport:
    """Open the transport called ``name``.

    Parameters
    ----------
    name : str
        A key of :data:`TRANSPORTS`.
    config : AcceleratorConfig
        What should be at the other end.
    **options
        For the transport's class.

    Raises
    ------
    ValueError
        If there is no such transport.
    ModuleNotFoundError
        If a package that it needs is not installed; the message has the remedy.
    """
    if name not in TRANSPORTS:
        raise ValueError(f"transport must be one of {', '.join(TRANSPORTS)}, not {name!r}")
    module, class_name = TRANSPORTS[name]
    try:
        transport_class = getattr(importlib.import_module(module), class_name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"transport {name!r} needs the Python module {error.name!r}, which is not installed; "
            "`pip install spectramac[hdl,sim]` adds it",
            name=error.name,
        ) from error
    return cast(Transport, transport_class(config, **options))
