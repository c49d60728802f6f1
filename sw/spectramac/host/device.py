# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What every driver of the accelerator does with its registers: identify, write memories, start, wait, count."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from spectramac.host.transport import Read, Transport, Words, Write
from spectramac.model.image import Chunks
from spectramac.spec.config import ARCHITECTURE_VERSION, AcceleratorConfig
from spectramac.spec.errors import (
    BuildIdMismatchError,
    DeviceError,
    DeviceIdentityError,
    DeviceTimeoutError,
)
from spectramac.spec.memory import memories
from spectramac.spec.registers import COUNTERS, ID, OVERFLOWS, Access, register_map

__all__ = ["DEFAULT_TIMEOUT", "Device", "Identity", "Progress", "Tally"]

DEFAULT_TIMEOUT = 60.0
"""Seconds that one pass over the program may take; the longest real ones take a fraction."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Identity:
    """What a device says of itself."""

    version: int
    build_id: int
    n_lanes: int
    log2_n_max: int
    data_width: int
    n_layers_max: int


class Tally:
    """What the hardware counted, summed over passes.

    Parameters
    ----------
    n_layers : int

    Attributes
    ----------
    counters : dict
    layer_cycles : int array (n_layers,)
    overflows : set of str
    """

    def __init__(self, n_layers: int) -> None:
        self.counters = dict.fromkeys(COUNTERS, 0)
        self.layer_cycles = np.zeros(n_layers, np.int64)
        self.overflows: set[str] = set()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Places where a value saturated inside the datapath."""
        return tuple(place for place in OVERFLOWS if place in self.overflows)


class Device:
    """One device.

    Parameters
    ----------
    transport : Transport
    config : AcceleratorConfig
        What the device must be; :meth:`identify` compares.
    """

    def __init__(self, transport: Transport, config: AcceleratorConfig) -> None:
        self.transport = transport
        self.config = config
        self._map = register_map(config)
        self._memories = memories(config)
        self._identified = False

    def identify(self) -> Identity:
        """Read the identification registers and check them.

        Raises
        ------
        DeviceIdentityError
            If no accelerator of this architecture version answers.
        BuildIdMismatchError
            If its configuration is not ``config``.
        """
        names = ("id", "version", "build_id", "geometry")
        answers = self.transport.transact([Read(self._map[name].address) for name in names])
        fields: dict[str, int] = {}
        for name, answer in zip(names, answers, strict=True):
            fields |= self._map[name].decode(int(answer[0]))
        if fields["id"] != ID:
            raise DeviceIdentityError(
                f"register 'id' must read 0x{ID:08x}, not 0x{fields['id']:08x}: no spectramac "
                "accelerator answers; check the bus address and whether the bitstream is loaded"
            )
        if fields["version"] != ARCHITECTURE_VERSION:
            raise DeviceIdentityError(
                f"the device must have architecture version {ARCHITECTURE_VERSION}, not "
                f"{fields['version']}; use gateware and software of the same release"
            )
        if fields["build_id"] != self.config.build_id:
            raise BuildIdMismatchError(
                "device",
                fields["build_id"],
                self.config.build_id,
                f"it has {fields['n_lanes']} lanes and {fields['data_width']} bit data; open it "
                "with the configuration it was built with, or build configuration "
                f"{self.config.name!r}",
            )
        self._identified = True
        del fields["id"]
        return Identity(**fields)

    def _write_memories(self, contents: Mapping[str, Chunks]) -> None:
        """Fill memories from word 0."""
        transfers: list[Read | Write] = []
        for name, chunks in contents.items():
            transfers += self._select(name, 0)
            transfers.append(Write(self._map["memory_data"].address, chunks.reshape(-1)))
        transfers.append(Read(self._map["status"].address))
        self._check_bus(self.transport.transact(transfers)[0], "while the image was written")

    def _start(self, n_layers: int, n_pairs: int, inputs: list[Read | Write]) -> None:
        """Write ``inputs`` and start the program."""
        program, control = self._map["program"], self._map["control"]
        setting = program.encode(n_layers=n_layers, n_pairs=n_pairs)
        transfers = [
            *inputs,
            Write(program.address, setting),
            Read(self._map["status"].address),
            Write(control.address, control.encode(start=1)),
        ]
        self._check_bus(self.transport.transact(transfers)[0], "while inputs were written")

    def _wait(self, n_layers: int, timeout: float, max_cycles: int | None) -> None:
        status = self._map["status"]
        done = status.encode(done=1)
        finished = self.transport.wait(
            status.address, done, done, timeout=timeout, max_cycles=max_cycles
        )
        if finished:
            return
        reason = self.transport.diagnosis()
        self._stop()
        limit = f"{timeout:g} s" + (f" or {max_cycles} cycles" if max_cycles is not None else "")
        raise DeviceTimeoutError(
            f"a run of {n_layers} layers must finish within {limit}, and did "
            f"not{': ' + reason if reason else ''}; the device was stopped and the model is still "
            "loaded; give more time if the model is large, or compile it again"
        )

    def _collect(
        self, outputs: list[Read | Write], tally: Tally, first: int, n_layers: int
    ) -> list[Words]:
        """Read ``outputs`` after a finished pass; adds what was counted for ``n_layers`` layers from ``first`` on."""
        transfers: list[Read | Write] = [Read(self._map[name].address) for name in COUNTERS]
        transfers += self._select("layer_cycles", 0)
        transfers.append(Read(self._map["memory_data"].address, n_layers))
        transfers += [*outputs, Read(self._map["status"].address)]
        answers = self.transport.transact(transfers)
        self._check_bus(answers[-1], "while outputs were read")
        status = self._map["status"].decode(int(answers[-1][0]))
        tally.overflows |= {place for place in OVERFLOWS if status[f"overflow_{place}"]}
        for name, answer in zip(COUNTERS, answers, strict=False):
            tally.counters[name] += int(answer[0])
        part = slice(first, first + n_layers)
        tally.layer_cycles[part] += answers[len(COUNTERS)].astype(np.int64)
        return answers[len(COUNTERS) + 1 : -1]

    def _select(self, name: str, address: int) -> list[Read | Write]:
        """Aim the memory port."""
        return [
            Write(self._map["memory_select"].address, self._memories[name].select),
            Write(self._map["memory_address"].address, address),
        ]

    def _vectors(
        self, base: int, stride: int, data: Words | int, count: int = 0
    ) -> list[Read | Write]:
        """Write the rows of ``data`` to activation memory, or read ``data`` rows of ``count``."""
        port = self._map["memory_data"].address
        n_rows, width = (data, count) if isinstance(data, int) else data.shape
        transfers = self._select("activation", base)
        contiguous = stride == width
        for row in range(1 if contiguous else n_rows):
            if row:
                transfers.append(Write(self._map["memory_address"].address, base + row * stride))
            if isinstance(data, int):
                transfers.append(Read(port, n_rows * width if contiguous else width))
            else:
                transfers.append(Write(port, data.reshape(-1) if contiguous else data[row]))
        return transfers

    def _stop(self) -> None:
        """End whatever runs and clear the sticky flags."""
        control, status = self._map["control"], self._map["status"]
        sticky = {f.name: 1 for f in status.fields if f.access is Access.STICKY}
        self.transport.transact(
            [
                Write(control.address, control.encode(reset=1)),
                Write(status.address, status.encode(**sticky)),
            ]
        )

    def _check_bus(self, word: Words, when: str) -> None:
        if self._map["status"].decode(int(word[0]))["bus_error"]:
            self._stop()
            raise DeviceError(
                f"the device refused a bus access {when}; another user may be driving it: load the "
                "model again"
            )
