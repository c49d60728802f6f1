# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The golden model behind the registers of :mod:`spectramac.spec.registers`.

It answers every sequence of bus accesses as the gateware's register file does:

* A write to ``memory_address`` sets the word address and restarts at the word's first 32 bits.
* A write to ``memory_data`` puts 32 bits in the staging register; with the last 32 bits of a word
the
  word goes to memory. A read gives 32 bits of a word. Either then advances, and after the last 32
  bits counts the word address up (16 bits, wrapping). ``memory_address`` reads as the current word
  address.
* Such an access is *refused* while the device is busy, where no memory has that number, where the
  memory does not allow it, or past its depth: ``bus_error`` is set, a read gives 0, memory and
  staging keep their contents; the address advances all the same (a number without memory has words
  of 32 bits).
* After ``memory_select`` is written, ``memory_address`` must be written before the next transfer.
* An address without a register sets ``bus_error`` and reads 0. Writes to what cannot be written are
  ignored; bits without a field read 0.
* ``control.start`` is ignored while busy. Otherwise it clears the counters, ``done`` and the
overflow
  flags, and runs; with no layers or no pairs it is done at once. If ``control.reset`` is written
  too, it wins. ``control.reset`` ends a run without setting ``done``, clears the counters, and
  changes nothing else.

A run takes no time here, so ``busy`` is never seen, except after a program on which the hardware
would hang or compute garbage: this device then stays busy until it is reset, and :meth:`diagnosis`
says why.
"""

import numpy as np
import numpy.typing as npt

from spectramac.host.transport import RegisterTransport, Words, bus_words, check_address
from spectramac.model.image import Chunks, empty_memories
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.memory import Memory, memories
from spectramac.spec.registers import COUNTERS, OVERFLOWS, Access, Register, register_map

__all__ = ["ModelDevice"]

_ADDRESS_MASK = 0xFFFF
_WORD_MASK = 0xFFFFFFFF


class ModelDevice(RegisterTransport):
    """An accelerator that computes with the golden model.

    Parameters
    ----------
    config : AcceleratorConfig
    count_cycles : bool
        Let the counters show what the compiler's cycle model predicts
        (:mod:`spectramac.compiler.cycles`), which takes time; else those of cycles stay 0.
    """

    def __init__(self, config: AcceleratorConfig, *, count_cycles: bool = True) -> None:
        self.config = config
        self.count_cycles = count_cycles
        self._map = register_map(config)
        self._registers: dict[int, Register] = {r.address: r for r in self._map.registers}
        self._memories: dict[int, Memory] = {m.select: m for m in memories(config).values()}
        self._contents: dict[str, Chunks] = empty_memories(config)
        self._staging = np.zeros(max(m.chunks for m in self._memories.values()), np.uint32)
        self._values: dict[str, dict[str, int]] = {
            r.name: {f.name: f.reset for f in r.fields} for r in self._map.registers
        }
        self._address = 0
        self._chunk = 0
        self._reason = ""

    # The bus.

    def write(self, address: int, values: npt.ArrayLike) -> None:
        """Write each of ``values`` to the register at ``address``, in order."""
        words = bus_words(values)
        register = self._registers.get(check_address(address))
        if register is None:
            self._refuse(len(words))
        elif register.name == "memory_data":
            self._write_memory(words)
        else:
            for word in words:
                self._write_register(register, int(word))

    def read(self, address: int, n: int = 1) -> Words:
        """Read the register at ``address`` ``n`` times."""
        register = self._registers.get(check_address(address))
        if register is None:
            self._refuse(n)
            return np.zeros(n, np.uint32)
        if register.name == "memory_data":
            return self._read_memory(n)
        if register.name == "memory_address":
            return np.full(n, self._address, np.uint32)
        values = self._values[register.name]
        word = sum(values[field.name] << field.offset for field in register.fields)
        return np.full(n, word, np.uint32)

    def wait(
        self, address: int, mask: int, value: int, *, timeout: float, max_cycles: int | None = None
    ) -> bool:
        """As time changes nothing here, one look is enough."""
        return int(self.read(address)[0]) & mask == value

    def diagnosis(self) -> str:
        """Why the program was not run, if so."""
        return self._reason

    def _refuse(self, n: int = 1) -> None:
        if n:
            self._values["status"]["bus_error"] = 1

    def _write_register(self, register: Register, word: int) -> None:
        if register.name == "memory_address":
            self._address, self._chunk = word & _ADDRESS_MASK, 0
            return
        pulses = {}
        for field, bits in zip(register.fields, register.decode(word).values(), strict=True):
            if field.access is Access.STORAGE:
                self._values[register.name][field.name] = bits
            elif field.access is Access.STICKY and bits:
                self._values[register.name][field.name] = 0
            elif field.access is Access.PULSE and bits:
                pulses[field.name] = True
        if "reset" in pulses:
            self._values["status"]["busy"] = 0
            self._clear_counters()
            self._reason = ""
        elif "start" in pulses:
            self._start()

    # The memory port.

    def _memory(self, writing: bool) -> Memory | None:
        """The memory that an access may reach; none if it is refused."""
        memory = self._memories.get(self._values["memory_select"]["select"])
        if memory is None or self._values["status"]["busy"]:
            return None
        if not (memory.writable if writing else memory.readable):
            return None
        return memory if self._address < memory.depth else None

    def _advance(self) -> bool:
        """Step to the next chunk; true if that was the last of a word."""
        memory = self._memories.get(self._values["memory_select"]["select"])
        last = self._chunk >= (memory.chunks if memory else 1) - 1
        self._chunk = 0 if last else self._chunk + 1
        self._address = (self._address + last) & _ADDRESS_MASK
        return last

    def _bulk(self, memory: Memory | None, n: int) -> int:
        """How many whole words of a transfer of ``n`` chunks can be moved at once."""
        if memory is None or self._chunk:
            return 0
        return min(n // memory.chunks, memory.depth - self._address)

    def _write_memory(self, words: Words) -> None:
        memory = self._memory(True)
        n = self._bulk(memory, len(words))
        if memory is not None and n:
            rows = words[: n * memory.chunks].reshape(n, memory.chunks)
            self._store(memory, slice(self._address, self._address + n), rows)
            self._staging[: memory.chunks] = rows[-1]
            self._address = (self._address + n) & _ADDRESS_MASK
            words = words[n * memory.chunks :]
        for word in words:
            memory = self._memory(True)
            row = self._address
            if memory is None:
                self._refuse()
            else:
                self._staging[self._chunk] = word
            if self._advance() and memory is not None:
                rows = self._staging[None, : memory.chunks]
                self._store(memory, slice(row, row + 1), rows)

    def _store(self, memory: Memory, where: slice, rows: Words) -> None:
        masked = rows.copy()
        masked[:, -1] &= np.uint32((1 << (memory.width - 32 * (memory.chunks - 1))) - 1)
        self._contents[memory.name][where] = masked

    def _read_memory(self, n: int) -> Words:
        answers = np.zeros(n, np.uint32)
        memory = self._memory(False)
        whole = self._bulk(memory, n)
        done = 0
        if memory is not None and whole:
            done = whole * memory.chunks
            rows = self._contents[memory.name][self._address : self._address + whole]
            answers[:done] = rows.reshape(-1)
            self._address = (self._address + whole) & _ADDRESS_MASK
        for i in range(done, n):
            memory = self._memory(False)
            if memory is None:
                self._refuse()
            else:
                answers[i] = self._contents[memory.name][self._address, self._chunk]
            self._advance()
        return answers

    # Running.

    def _start(self) -> None:
        status = self._values["status"]
        if status["busy"]:
            return
        self._clear_counters()
        status["done"] = 0
        for place in OVERFLOWS:
            status[f"overflow_{place}"] = 0
        program = self._values["program"]
        if program["n_layers"] and program["n_pairs"]:
            from spectramac.model.accelerator import ProgramError

            try:
                self._run(program["n_layers"], program["n_pairs"])
            except ProgramError as error:
                status["busy"] = 1
                self._reason = str(error)
                return
        status["done"] = 1

    def _clear_counters(self) -> None:
        for name in COUNTERS:
            self._values[name][name] = 0

    def _run(self, n_layers: int, n_pairs: int) -> None:
        from spectramac.model.accelerator import run_program

        result = run_program(self.config, self._contents, n_layers, n_pairs)
        self._contents["activation"][:] = result.activation
        counters = dict(result.counters)
        if self.count_cycles:
            from spectramac.compiler.cycles import predict, total_cycles

            layers = predict(self.config, result.layers, n_pairs)
            counters["cycles"] = total_cycles(layers)
            for name in ("lane_busy", "lane_stalled"):
                counters[name] = sum(getattr(layer, name) for layer in layers)
            cycles = [layer.cycles & _WORD_MASK for layer in layers]
            self._contents["layer_cycles"][:n_layers, 0] = cycles
        for name in COUNTERS:
            self._values[name][name] = counters.get(name, 0) & _WORD_MASK
        for place in OVERFLOWS:
            if result.overflows[place]:
                self._values["status"][f"overflow_{place}"] = 1
