# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""What all nodes of an integer network graph have in common (docs/design-convolutions.md).

A map holds int8 activations in HWC order; arrays of maps are (batch, height, width, channels). Inferences 2p and
2p + 1 are a pair that shares complex FFTs.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spectramac.model.fixed import Ints
from spectramac.model.parameters import check_numbers, read_only
from spectramac.model.requantize import requantize
from spectramac.spec.config import AcceleratorConfig
from spectramac.spec.fft_config import FFTConfig
from spectramac.spec.fixed import Format
from spectramac.spec.registers import OVERFLOWS

__all__ = ["Arithmetic", "MapNode", "MapResult", "RequantizedNode", "Shape", "pairs_at_a_time"]

Shape = tuple[int, int, int]
"""Height, width and channels of a map."""
CHUNK = 1 << 22
"""Elements of intermediate arrays at a time: bounds the memory, changes no result."""


def pairs_at_a_time(batch: int, elements: int) -> Iterator[slice]:
    """Parts of an even batch, whole pairs, so that no array of ``elements`` an inference gets much too large."""
    step = 2 * max(1, CHUNK // (2 * elements))
    for start in range(0, batch, step):
        yield slice(start, start + step)


@dataclass(frozen=True)
class Arithmetic:
    """Word lengths of an accelerator.

    Parameters
    ----------
    data_width, twiddle_width, accumulator_width : int
        As of :class:`~spectramac.spec.config.AcceleratorConfig`.
    """

    data_width: int = 16
    twiddle_width: int = 16
    accumulator_width: int = 27

    @classmethod
    def of(cls, config: AcceleratorConfig) -> "Arithmetic":
        """Those of a configuration."""
        return cls(config.data_width, config.twiddle_width, config.accumulator_width)

    @property
    def data(self) -> Format:
        """Of spectral values, and of values before requantization."""
        return Format(self.data_width)

    @property
    def accumulator(self) -> Format:
        """Of sums."""
        return Format(self.accumulator_width)

    def fft(self, *log2_sizes: int) -> FFTConfig:
        """Of transforms of these sizes."""
        return FFTConfig(
            log2_n_max=max(3, *log2_sizes),
            data_width=self.data_width,
            twiddle_width=self.twiddle_width,
        )


@dataclass(frozen=True, eq=False)
class MapResult:
    """What a node makes.

    Attributes
    ----------
    y : int array (batch, height, width, channels)
        int8 values.
    saturations : int
        Elements that sat8 changed, the partner of an odd batch's last inference included.
    overflows : frozenset of str
        Those of :data:`spectramac.spec.registers.OVERFLOWS` that happened.
    """

    y: Ints
    saturations: int = 0
    overflows: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        assert self.overflows <= set(OVERFLOWS)

    @classmethod
    def join(cls, parts: "Iterable[MapResult]") -> "MapResult":
        """Of a batch in parts."""
        results = list(parts)
        return cls(
            np.concatenate([result.y for result in results]),
            sum(result.saturations for result in results),
            frozenset().union(*(result.overflows for result in results)),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class MapNode(ABC):
    """One operator.

    Parameters
    ----------
    name : str
        Of the node and of the map that it writes.
    inputs : tuple of str
        Names of nodes, or of the network's input.
    """

    n_inputs: ClassVar[int] = 1

    name: str
    inputs: tuple[str, ...]

    def output_shape(self, *inputs: Shape) -> Shape:
        """Shape of the map that it writes.

        Raises
        ------
        ValueError
            If it does not take maps of these shapes.
        """
        return inputs[0]

    @abstractmethod
    def run(self, *maps: Ints, arithmetic: Arithmetic) -> MapResult:
        """Evaluate on whole batches.

        Parameters
        ----------
        maps : int array (batch, height, width, channels)
            int8 values; the batch is even.
        arithmetic : Arithmetic
        """

    def fail(self, problem: str) -> ValueError:
        """The error, with the name of the node."""
        return ValueError(f"{self._what}: {problem}")

    @property
    def _what(self) -> str:
        return f"node {self.name!r} ({type(self).__name__})"

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _check_maximum(self, maximum: int) -> None:
        if not 0 <= maximum <= 127:
            raise self.fail(f"maximum must be from 0 to 127, not {maximum!r}")

    def _check_coefficients(self, coefficients: Ints, bits: int) -> NDArray[np.int8]:
        """Read-only, after checking that they fit."""
        if not 4 <= bits <= 8:
            raise self.fail(f"coefficient_bits must be from 4 to 8, not {bits!r}")
        fmt = Format(bits)
        if coefficients.min() < fmt.minimum or coefficients.max() > fmt.maximum:
            peak = int(coefficients.flat[np.abs(coefficients).argmax()])
            raise self.fail(f"coefficients must fit {fmt}, not {peak}")
        return read_only(coefficients, np.int8)

    def _check_channels(self, shape: Shape, channels: int) -> None:
        if shape[2] != channels:
            raise self.fail(f"input must have {channels} channels, not shape {shape}")


@dataclass(frozen=True, eq=False, kw_only=True)
class RequantizedNode(MapNode):
    """A node that brings sums v to int8, channel after channel.

    ``z = satD(rhe(v / 2**row_shift))``, and ``y = min(maximum, sat8(rhe(relu((z + bias) * multiplier) / 2**shift)))``.

    Parameters
    ----------
    bias : int array (n_out,)
        Of the data width.
    multiplier, shift : int or int array (n_out,)
        15 and 5 unsigned bits.
    row_shift : int or int array
        5 unsigned bits.
    relu : bool
    maximum : int
        Upper limit of y, 0 to 127.
    """

    bias: NDArray[np.int32]
    multiplier: int | NDArray[np.int32]
    shift: int | NDArray[np.int32]
    row_shift: int | NDArray[np.int32] = 0
    relu: bool = False
    maximum: int = 127

    def _check_requantization(self, n_out: int, n_row_shifts: int) -> None:
        self._set("bias", read_only(self.bias, np.int32))
        if self.bias.shape != (n_out,):
            raise self.fail(f"bias must have shape {(n_out,)}, not {self.bias.shape}")
        widths = (("multiplier", n_out, 15), ("shift", n_out, 5), ("row_shift", n_row_shifts, 5))
        for name, size, bits in widths:
            value = getattr(self, name)
            self._set(name, check_numbers(self._what, name, value, size, bits))
        self._check_maximum(self.maximum)

    def _requantize(self, z: Ints) -> tuple[Ints, int]:
        """int8 values of z (..., n_out), and how many saturated."""
        y, clipped = requantize(z, self.bias, self.multiplier, self.shift, self.relu)
        return np.minimum(y, self.maximum), int(clipped.sum())
