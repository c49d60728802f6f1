# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The driver: a compiled network on an accelerator, through any transport.

::

    with open_transport("model", config) as transport:
        accelerator = Accelerator(transport, config)
        accelerator.load(Image.load("digits.img"))
        result = accelerator.run(x)
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from spectramac.host.device import DEFAULT_TIMEOUT, Device, Identity, Progress, Tally
from spectramac.host.inputs import check_inputs, flatten_batch, pack_pairs, unpack_pairs
from spectramac.host.transport import Transport
from spectramac.model.batch import quantize_input as quantize
from spectramac.model.image import to_chunks
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.errors import NoModelError
from spectramac.spec.image import Image

__all__ = ["Accelerator", "Identity", "RunResult"]


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


class Accelerator(Device):
    """One device and at most one loaded model.

    Parameters
    ----------
    transport : Transport
    config : AcceleratorConfig
        What the device must be; :meth:`identify` compares.
    """

    def __init__(self, transport: Transport, config: AcceleratorConfig) -> None:
        super().__init__(transport, config)
        self._image: Image | None = None
        self._why_no_model = "load an image first"

    @property
    def image(self) -> Image | None:
        """The loaded model."""
        return self._image

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
        self._write_memories(contents)
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
        tally = Tally(image.n_layers)
        total, n_passes = len(inputs), 0
        if progress is not None:
            progress(0, total)
        self._stop()
        for first in range(0, len(words), image.max_pairs):
            part = words[first : first + image.max_pairs]
            place = image.input
            self._start(image.n_layers, len(part), self._vectors(place.base, place.stride, part))
            self._wait(image.n_layers, timeout, max_cycles)
            place = image.output
            outputs = self._vectors(place.base, place.stride, len(part), place.count)
            vectors = np.concatenate(self._collect(outputs, tally, 0, image.n_layers))
            results[first : first + len(part)] = vectors.reshape(len(part), place.count)
            n_passes += 1
            if progress is not None:
                progress(min(2 * (first + len(part)), total), total)
        return RunResult(
            outputs=unpack_pairs(results, total),
            counters=tally.counters,
            layer_cycles=tally.layer_cycles,
            n_passes=n_passes,
            n_pairs=len(words),
            warnings=tally.warnings,
        )

    def _loaded(self) -> Image:
        if self._image is None:
            raise NoModelError(f"a run needs a loaded model: {self._why_no_model}")
        return self._image
