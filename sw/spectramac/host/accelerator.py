# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The driver: a compiled network on an accelerator, through any transport.

::

    with open_transport("model", config) as transport:
        accelerator = Accelerator(transport, config)
        accelerator.load(Image.load("digits.img"))
        result = accelerator.run(x)
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from spectramac.host.inputs import check_inputs, flatten_batch, pack_pairs, unpack_pairs
from spectramac.host.transport import Read, Transport, Words, Write
from spectramac.model.batch import quantize_input as quantize
from spectramac.model.image import to_chunks
from spectramac.spec.config import ARCHITECTURE_VERSION, AcceleratorConfig
from spectramac.spec.errors import (
    BuildIdMismatchError,
    DeviceError,
    DeviceIdentityError,
    DeviceTimeoutError,
    NoModelError,
)
from spectramac.spec.image import Image
from spectramac.spec.memory import memories
from spectramac.spec.registers import COUNTERS, ID, OVERFLOWS, Access, register_map

__all__ = ["Accelerator", "Identity", "RunResult"]

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


@dataclass(frozen=True, eq=False)
class RunResult:
    """Outputs of a batch and what the hardware counted.

    Attributes
    ----------
    outputs : int8 array (batch, n_out)
    counters : dict
        Each hardware counter, summed over the passes.
    layer_cycles : int array (n_layers,)
        Cycles of each layer, summed over the passes.
    n_passes : int
        How often the program ran.
    n_pairs : int
        Pairs of inferences, over all passes; the last one may be half empty.
    warnings : tuple of str
        Places where a value saturated inside the datapath, so that the result is not exact. Not
        among them: the intended saturation of outputs, which is a counter.
    """

    outputs: NDArray[np.int8]
    counters: dict[str, int]
    layer_cycles: NDArray[np.int64]
    n_passes: int
    n_pairs: int
    warnings: tuple[str, ...]

    @property
    def cycles_per_inference(self) -> float:
        """Clocks for one inference; two share a pass, so an odd batch counts as even."""
        return self.counters["cycles"] / (2 * self.n_pairs) if self.n_pairs else 0.0

    @property
    def utilisation(self) -> float:
        """Share of the cycles in which the lanes multiplied."""
        cycles = self.counters["cycles"]
        return self.counters["lane_busy"] / cycles if cycles else 0.0


class Accelerator:
    """One device and at most one loaded model.

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
        self._image: Image | None = None
        self._why_no_model = "load an image first"
        self._identified = False

    @property
    def image(self) -> Image | None:
        """The loaded model."""
        return self._image

    # Identity.

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

    # Loading.

    def load(self, image: Image) -> None:
        """Write a model into the device.

        Everything is checked before the device is touched. If writing fails, no model is loaded.

        Raises
        ------
        ImageError, BuildIdMismatchError
            If the image does not fit ``config``; a model loaded before stays.
        DeviceError
            If the device is a different one, or refuses a write.
        """
        image.check(self.config)
        contents = {name: to_chunks(section) for name, section in image.sections.items()}
        if not self._identified:
            self.identify()
        self._image = None
        self._why_no_model = "loading an image failed half-way; load it again"
        self._stop()
        transfers: list[Read | Write] = []
        for name, chunks in contents.items():
            transfers += self._select(name, 0)
            transfers.append(Write(self._map["memory_data"].address, chunks.reshape(-1)))
        transfers.append(Read(self._map["status"].address))
        self._check_bus(self.transport.transact(transfers)[0], "while the image was written")
        self._image = image

    # Running.

    def quantize_input(self, x: npt.ArrayLike) -> NDArray[np.int8]:
        """Real values to the loaded model's int8 inputs ``(batch, n_inputs)``.

        Raises
        ------
        InputTypeError, InputShapeError, InputRangeError
        """
        image = self._loaded()
        array = quantize(x, image.input_scale)
        return np.asarray(flatten_batch(array, image.n_inputs))

    def run(
        self,
        x: npt.ArrayLike,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        max_cycles: int | None = None,
        progress: Progress | None = None,
    ) -> RunResult:
        """Run the loaded model on a batch of any size.

        Parameters
        ----------
        x : integer array (batch, n_inputs) or (batch, ...)
            Values from -128 to 127; more axes are flattened in C order.
        timeout : float
            Seconds that each pass may take.
        max_cycles : int, optional
            Clocks that each pass may take, on transports that count them.
        progress : callable, optional
            Called with the inferences done and their total, at the start and after each pass.

        Raises
        ------
        NoModelError
            If no model is loaded.
        InputTypeError, InputShapeError, InputRangeError
            If ``x`` is not as above; the device is not touched.
        DeviceTimeoutError
            If a pass does not finish; the device is stopped and can be used again.
        """
        image = self._loaded()
        inputs = check_inputs(x, image.n_inputs)
        words = pack_pairs(image, inputs)
        results = np.zeros((len(words), image.output.count), np.uint32)
        counters = dict.fromkeys(COUNTERS, 0)
        layer_cycles = np.zeros(image.n_layers, np.int64)
        overflows: set[str] = set()
        total, n_passes = len(inputs), 0
        if progress is not None:
            progress(0, total)
        self._stop()
        for first in range(0, len(words), image.max_pairs):
            part = words[first : first + image.max_pairs]
            self._start(image, part)
            self._wait(image, timeout, max_cycles)
            results[first : first + len(part)] = self._collect(
                image, len(part), counters, layer_cycles, overflows
            )
            n_passes += 1
            if progress is not None:
                progress(min(2 * (first + len(part)), total), total)
        return RunResult(
            outputs=unpack_pairs(results, total),
            counters=counters,
            layer_cycles=layer_cycles,
            n_passes=n_passes,
            n_pairs=len(words),
            warnings=tuple(place for place in OVERFLOWS if place in overflows),
        )

    def _start(self, image: Image, words: Words) -> None:
        transfers = self._vectors(image.input.base, image.input.stride, words)
        program = self._map["program"]
        setting = program.encode(n_layers=image.n_layers, n_pairs=len(words))
        transfers.append(Write(program.address, setting))
        control = self._map["control"]
        transfers.append(Read(self._map["status"].address))
        transfers.append(Write(control.address, control.encode(start=1)))
        status = self.transport.transact(transfers)[0]
        self._check_bus(status, "while inputs were written")

    def _wait(self, image: Image, timeout: float, max_cycles: int | None) -> None:
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
            f"a run of {image.n_layers} layers must finish within {limit}, and did "
            f"not{': ' + reason if reason else ''}; the device was stopped and the model is still "
            "loaded; give more time if the model is large, or compile it again"
        )

    def _collect(
        self,
        image: Image,
        n_pairs: int,
        counters: dict[str, int],
        layer_cycles: NDArray[np.int64],
        overflows: set[str],
    ) -> Words:
        """Outputs of a finished pass; adds what was counted."""
        transfers: list[Read | Write] = [Read(self._map[name].address) for name in COUNTERS]
        transfers += self._select("layer_cycles", 0)
        transfers.append(Read(self._map["memory_data"].address, image.n_layers))
        transfers += self._vectors(image.output.base, image.output.stride, n_pairs, image.n_outputs)
        transfers.append(Read(self._map["status"].address))
        answers = self.transport.transact(transfers)
        self._check_bus(answers[-1], "while outputs were read")
        status = self._map["status"].decode(int(answers[-1][0]))
        overflows |= {place for place in OVERFLOWS if status[f"overflow_{place}"]}
        for name, answer in zip(COUNTERS, answers, strict=False):
            counters[name] += int(answer[0])
        layer_cycles += answers[len(COUNTERS)].astype(np.int64)
        vectors = np.concatenate(answers[len(COUNTERS) + 1 : -1])
        return vectors.reshape(n_pairs, image.n_outputs)

    # Small steps.

    def _loaded(self) -> Image:
        if self._image is None:
            raise NoModelError(f"a run needs a loaded model: {self._why_no_model}")
        return self._image

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
