# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The driver of compiled network graphs, through any transport.

::

    with open_transport("model", config) as transport:
        accelerator = GraphAccelerator(transport, config)
        accelerator.load(GraphImage.load("resnet8.smg"))
        result = accelerator.run(x)

A pass carries up to ``image.max_pairs`` pairs of inferences through all segments: memories are written where they
hold something else, maps are written and read where they pass through the host.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from spectramac.host.device import DEFAULT_TIMEOUT, Device, Progress, Tally
from spectramac.host.inputs import check_inputs
from spectramac.host.transport import Read, Transport, Write
from spectramac.model.batch import quantize_input
from spectramac.model.graph_program import HostMaps
from spectramac.model.image import Chunks, to_chunks
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.errors import InputShapeError, NoModelError
from spectramac.spec.graph_image import GraphImage
from spectramac.spec.graph_segment import Segment

__all__ = ["GraphAccelerator", "GraphRunResult"]


@dataclass(frozen=True, eq=False)
class GraphRunResult:
    """Outputs of a batch and what the hardware counted.

    Attributes
    ----------
    outputs : int8 array (batch, height, width, channels)
    counters : dict
        Each hardware counter, summed over segments and passes.
    layer_cycles : int array (n_layers,)
        Cycles of each descriptor in the order of ``image.layers``, summed over the passes.
    node_cycles : dict
        The same by node.
    n_passes, n_pairs : int
        How often all segments ran; pairs of inferences over all passes, the last may be half empty.
    warnings : tuple of str
        Places where a value saturated inside the datapath, so that the result is not exact.
    """

    outputs: NDArray[np.int8]
    counters: dict[str, int]
    layer_cycles: NDArray[np.int64]
    node_cycles: dict[str, int]
    n_passes: int
    n_pairs: int
    warnings: tuple[str, ...]

    @property
    def cycles_per_inference(self) -> float:
        """Clocks for one inference, without transfers; two share a pass, so an odd batch counts as even."""
        return self.counters["cycles"] / (2 * self.n_pairs) if self.n_pairs else 0.0


class GraphAccelerator(Device):
    """One device and at most one loaded network graph.

    Parameters
    ----------
    transport : Transport
    config : AcceleratorConfig
        What the device must be; :meth:`identify` compares.
    """

    def __init__(self, transport: Transport, config: AcceleratorConfig) -> None:
        super().__init__(transport, config)
        self._image: GraphImage | None = None
        self._held: dict[str, int] = {}

    @property
    def image(self) -> GraphImage | None:
        """The loaded network."""
        return self._image

    def load(self, image: GraphImage) -> None:
        """Take a network; its sections are written when they are needed.

        Raises
        ------
        ImageError, BuildIdMismatchError
            If the image does not fit ``config``; a network loaded before stays.
        DeviceError
            If the device is a different one.
        """
        image.check(self.config)
        if not self._identified:
            self.identify()
        self._image = image
        self._held = {}
        self._chunks = cache(lambda number: to_chunks(image.sections[number]))

    def quantize_input(self, x: npt.ArrayLike) -> NDArray[np.int8]:
        """Real inputs (batch, height, width, channels) in int8.

        Raises
        ------
        NoModelError
            If no network is loaded.
        """
        return np.asarray(quantize_input(x, self._loaded().input_scale))

    def run(
        self,
        x: npt.ArrayLike,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        max_cycles: int | None = None,
        progress: Progress | None = None,
    ) -> GraphRunResult:
        """Run the loaded network on a batch of any size.

        Parameters
        ----------
        x : integer array (batch, height, width, channels)
            Values from -128 to 127.
        timeout, max_cycles
            Of each program, as of :meth:`spectramac.host.accelerator.Accelerator.run`.
        progress : callable, optional
            Called with the inferences done and their total, at the start and after each pass.

        Raises
        ------
        NoModelError
            If no network is loaded.
        InputTypeError, InputShapeError, InputRangeError
            If ``x`` is not as above; the device is not touched.
        DeviceTimeoutError
            If a program does not finish; the device is stopped and can be used again.
        """
        image = self._loaded()
        inputs = _check(image, x)
        tally = Tally(image.n_layers)
        total, n_passes, n_pairs = len(inputs), 0, 0
        outputs = np.zeros((total, *image.output_shape), np.int8)
        if progress is not None:
            progress(0, total)
        self._stop()
        for first in range(0, total, 2 * image.max_pairs):
            part = slice(first, min(first + 2 * image.max_pairs, total))
            host = HostMaps(image, inputs[part])
            layer = 0
            for segment in image.segments:
                self._run_segment(segment, host, tally, layer, timeout, max_cycles)
                layer += segment.n_layers
            outputs[part] = host.outputs
            n_passes += 1
            n_pairs += host.n_pairs
            if progress is not None:
                progress(part.stop, total)
        node_cycles: dict[str, int] = {}
        for report, cycles in zip(image.layers, tally.layer_cycles.tolist(), strict=True):
            node_cycles[report["node"]] = node_cycles.get(report["node"], 0) + cycles
        return GraphRunResult(
            outputs=outputs,
            counters=tally.counters,
            layer_cycles=tally.layer_cycles,
            node_cycles=node_cycles,
            n_passes=n_passes,
            n_pairs=n_pairs,
            warnings=tally.warnings,
        )

    def _run_segment(
        self,
        segment: Segment,
        host: HostMaps,
        tally: Tally,
        layer: int,
        timeout: float,
        max_cycles: int | None,
    ) -> None:
        missing = self._missing(segment)
        for name in missing:  # a write may fail half-way
            self._held.pop(name, None)
        self._write_memories(missing)
        self._held |= segment.sections
        loads: list[Read | Write] = []
        for transfer in segment.loads:
            loads += self._vectors(transfer.base, transfer.stride, host.load(transfer))
        if segment.n_layers:
            self._start(segment.n_layers, host.n_pairs, loads)
            self._wait(segment.n_layers, timeout, max_cycles)
        elif loads:
            self.transport.transact(loads)
        reads = [self._vectors(t.base, t.stride, host.n_pairs, t.size) for t in segment.stores]
        flat = [transfer for some in reads for transfer in some]
        if segment.n_layers:
            answers = iter(self._collect(flat, tally, layer, segment.n_layers))
        else:
            answers = iter(self.transport.transact(flat))
        for transfer, some in zip(segment.stores, reads, strict=True):
            n_answers = sum(isinstance(one, Read) for one in some)
            words = np.concatenate([next(answers) for _ in range(n_answers)])
            host.store(transfer, words.reshape(host.n_pairs, -1))

    def _missing(self, segment: Segment) -> dict[str, Chunks]:
        """What the memories do not hold yet."""
        return {
            name: self._chunks(number)
            for name, number in segment.sections.items()
            if self._held.get(name) != number
        }

    def _loaded(self) -> GraphImage:
        if self._image is None:
            raise NoModelError("a run needs a loaded model: load an image first")
        return self._image


def _check(image: GraphImage, x: npt.ArrayLike) -> NDArray[np.int8]:
    """int8 inputs (batch, *input_shape)."""
    array = np.asarray(x)
    if array.shape[1:] != image.input_shape or array.ndim != 4:
        raise InputShapeError(
            f"input must have shape (batch, {', '.join(map(str, image.input_shape))}), not {array.shape}"
        )
    return check_inputs(array, int(np.prod(image.input_shape))).reshape(array.shape)
